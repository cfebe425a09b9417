"""How the report looks: light and dark, on a phone, on paper. No colour says what no word does."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d1d22; --faint: #5f5f69; --ground: #faf9f6; --card: #fff;
  --line: #dedcd6; --link: #7a4f00; --done: #1a7f45; --failed: #b3261e; --cancelled: #8a5a00;
  --waiting: #62626c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e2e8; --faint: #a0a0ac; --ground: #121216; --card: #1b1b21; --line: #34343e;
    --link: #ffc454; --done: #57c785; --failed: #ff8a80; --cancelled: #ffc454; --waiting: #a0a0ac; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
main { margin: 0 auto; max-width: 90rem; padding: 1.5rem 1rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
h2 { margin: 2rem 0 .75rem; font-size: 1.25rem; }
h3 { margin: 0; font-size: 1.05rem; line-height: 1.4; }
h4 { margin: .5rem 0 0; font-size: .9rem; }
p { margin: .35rem 0 0; }
a { color: var(--link); }
.faint, dt { color: var(--faint); }
.tally { font-size: 1.15rem; }
.bar { display: flex; gap: 2px; height: .6rem; margin: .6rem 0 1rem; border-radius: .3rem;
  overflow: hidden; background: var(--line); max-width: 40rem; }
.bar i { min-width: 3px; flex: 0 1 0; }
.bar .done { background: var(--done); }
.bar .failed { background: var(--failed); }
.bar .cancelled { background: var(--cancelled); }
.bar .waiting { background: var(--line); }
dl { margin: .6rem 0 0; display: grid; gap: .1rem 0; font-size: .9rem; }
dl div { display: grid; grid-template-columns: 8.5rem 1fr; gap: .75rem; }
dd { margin: 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
table { border-collapse: collapse; width: 100%; min-width: 44rem; font-size: .9rem; }
th, td { text-align: start; vertical-align: top; padding: .45rem .75rem; border-top: 1px solid var(--line);
  white-space: nowrap; }
td.long { white-space: normal; min-width: 12rem; }
thead th { border-top: 0; color: var(--faint); font-weight: 600; }
tbody th { font-variant-numeric: tabular-nums; }
ol.films { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
ol.films > li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  border-inline-start: 4px solid var(--waiting); padding: .75rem 1rem 1rem; break-inside: avoid;
  content-visibility: auto; contain-intrinsic-size: auto 22rem; }
ol.films > li.done { border-inline-start-color: var(--done); }
ol.films > li.failed { border-inline-start-color: var(--failed); }
ol.films > li.cancelled { border-inline-start-color: var(--cancelled); }
.stills { display: grid; grid-template-columns: repeat(4, 1fr); gap: 4px; margin-bottom: .6rem;
  align-items: center; }
.stills img { display: block; width: 100%; height: auto; border-radius: 3px; }
.state { font-size: .85rem; font-weight: 600; white-space: nowrap; }
.state.done { color: var(--done); }
.state.failed, .error { color: var(--failed); }
.state.cancelled { color: var(--cancelled); }
.state.waiting { color: var(--waiting); }
.notes { margin: .1rem 0 0; padding-inline-start: 1.2rem; font-size: .9rem; }
footer { margin-top: 2rem; }
@media (max-width: 40rem) {
  .stills { grid-template-columns: repeat(2, 1fr); }
  dl div { grid-template-columns: 7rem 1fr; } }
@media print {
  :root { --ink: #000; --faint: #444; --ground: #fff; --card: #fff; --line: #bbb; --link: #000; }
  html { font-size: 10px; }
  main { padding: 0; max-width: none; }
  .scroll { overflow: visible; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
