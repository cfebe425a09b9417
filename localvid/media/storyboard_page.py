"""A storyboard as one page of HTML: pictures within it, nothing loaded from anywhere, no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from localvid.files import writing
from localvid.media.camera_signs import svg_sign
from localvid.schemas import Shot, Storyboard, clean_prompt

_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d22; --faint: #62626c; --ground: #faf9f6; --card: #fff;
  --line: #dedcd6; --accent: #8a5a00; --badge: #ffc454; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e2e8; --faint: #9a9aa6; --ground: #121216; --card: #1b1b21; --line: #2e2e37;
    --accent: #ffc454; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 110rem; padding: 1.5rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; }
header p { margin: .25rem 0 0; }
.faint { color: var(--faint); }
.accent { color: var(--accent); }
ol { list-style: none; margin: 1.5rem 0 0; padding: 0; display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
ol.one { max-width: 60rem; grid-template-columns: 1fr; }
li { position: relative; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  overflow: hidden; display: flex; flex-direction: column; break-inside: avoid; }
img { display: block; width: 100%; height: auto; }
.badge { position: absolute; top: .5rem; inset-inline-start: .5rem; min-width: 2rem; padding: 0 .5rem;
  border-radius: .35rem; background: var(--badge); color: #1c1814; font-weight: 600; text-align: center;
  line-height: 2rem; }
.said { padding: .75rem 1rem; flex: 1; }
.said p { margin: 0; }
.how { display: grid; grid-template-columns: 1fr auto; align-items: center; gap: .25rem 1rem;
  padding: .6rem 1rem; border-top: 1px solid var(--line); font-size: .9rem; }
.camera { display: inline-flex; align-items: center; white-space: nowrap; gap: .5rem; color: var(--accent); }
.camera svg { width: 1.4rem; height: 1.4rem; flex: none; }
.right { justify-self: end; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; width: 3.5rem; height: .4rem; margin-inline-start: .4rem; border-radius: .2rem;
  overflow: hidden; background: var(--line); vertical-align: middle; }
.bar i { display: block; height: 100%; background: var(--accent); }
@media print {
  :root { --ink: #000; --faint: #444; --ground: #fff; --card: #fff; --line: #bbb; --accent: #000; }
  html { font-size: 11px; }
  body { padding: 0; max-width: none; }
  ol { grid-template-columns: repeat(3, 1fr); gap: .5cm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_JPEG_QUALITY = 86


def write_page(storyboard: Storyboard, stills: Sequence[Path], output: Path, *, summary: str) -> None:
    """Write the page; a file that is there is replaced. `stills` has one picture for each shot.

    What the storyboard says is escaped, and the page forbids all that it does not hold itself. Raises
    WorkspaceError.
    """
    last = len(storyboard.shots)
    items = "\n".join(
        _item(shot, still, number=number, last=number == last)
        for number, (shot, still) in enumerate(zip(storyboard.shots, stills, strict=True), start=1)
    )
    title = escape(clean_prompt(storyboard.title or storyboard.prompt) or "Storyboard")
    bible = (
        ("Style", storyboard.style),
        ("Characters", storyboard.characters),
        ("Setting", storyboard.setting),
    )
    facts = "\n".join(
        f'<p class="faint">{name}: <bdi>{escape(clean_prompt(said))}</bdi></p>'
        for name, said in bible
        if said
    )
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="generator" content="localvid">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1 dir="auto">{title}</h1>
<p class="accent">{escape(summary)}</p>
{facts}
</header>
<ol{' class="one"' if last == 1 else ""}>
{items}
</ol>
</body>
</html>
"""
    with writing(output, overwrite=True) as partial:
        partial.write_text(page, encoding="utf-8")


def _item(shot: Shot, still: Path, *, number: int, last: bool) -> str:
    with Image.open(still) as picture:
        width, height = picture.size
        content = io.BytesIO()
        picture.convert("RGB").save(content, format="JPEG", quality=_JPEG_QUALITY)
    image = base64.b64encode(content.getvalue()).decode("ascii")
    begins = "goes on from the shot before" if shot.continue_from_previous else ""
    ends = "" if last else f"then {shot.transition.in_words}"
    around = "; ".join(filter(None, (begins, ends)))
    return f"""<li>
<img src="data:image/jpeg;base64,{image}" width="{width}" height="{height}" alt="Still of shot {number}">
<span class="badge">{number}</span>
<div class="said"><p dir="auto">{escape(clean_prompt(shot.description))}</p></div>
<div class="how">
<span class="camera">{svg_sign(shot.camera)}{shot.move_in_words}</span>
<span class="right">{shot.duration_seconds:g} s</span>
<span class="faint">{around}</span>
<span class="right faint" title="{shot.energy:g}">energy<span class="bar">{_bar(shot.energy)}</span></span>
</div>
</li>"""


def _bar(share: float) -> str:
    return f'<i style="width:{share:.0%}"></i>'
