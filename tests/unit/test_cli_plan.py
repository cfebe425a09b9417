"""`localvid plan`, run as a command: what it prints, what it assumes, what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from localvid import gpu
from localvid.cli import output, run
from localvid.gpu import Cuda, Gpu

SMALL = ["--width", "128", "--height", "64", "--num-frames", "2", "--num-inference-steps", "2"]


@pytest.fixture(autouse=True)
def _tiny_model(tiny_svd: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVID_MODEL_PATHS", json.dumps({"local:svd-xt": str(tiny_svd)}))
    monkeypatch.setenv("LOCALVID_WORKSPACE", str(workspace))
    monkeypatch.setattr(gpu, "detect_cuda", lambda: Cuda(problem="no NVIDIA driver is installed"))


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["plan", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_json_has_what_scripts_need(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *SMALL, "--vram", "8")

    assert found["peak_bytes"] == max(stage["peak_bytes"] for stage in found["stages"])
    assert found["flops"] == sum(stage["flops"] for stage in found["stages"])
    assert found["seconds"] == pytest.approx(sum(stage["seconds"] for stage in found["stages"]))
    assert all(set(stage) == {"name", "peak_bytes", "flops", "seconds"} for stage in found["stages"])
    settings = found["settings"]
    assert (settings["width"], settings["height"], settings["num_frames"]) == (128, 64, 2)
    assert settings["num_inference_steps"] == 2
    assert found["download_bytes"] == 0


def test_a_card_brings_its_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, *SMALL, "--gpu", "rtx 3080")["budget_bytes"] == 10 * 2**30
    assert document(capsys, *SMALL, "--gpu", "RTX-3080", "--vram", "5")["budget_bytes"] == 5 * 2**30


def test_this_machines_card_is_planned_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Gpu(name="NVIDIA GeForce RTX 4080", memory_gib=15.7)
    monkeypatch.setattr(gpu, "detect_cuda", lambda: Cuda(driver="12.8", gpus=(own,)))

    found = document(capsys, *SMALL)

    assert (found["gpu"], found["budget_bytes"]) == ("RTX 4080", round(15.7 * 2**30))
    assert "this machine's" in found["gpu_origin"]
    assert found["common_gpus"] == []


def test_without_a_card_it_says_what_it_assumed_and_shows_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *SMALL]) == 0

    printed = capsys.readouterr().out
    assert "assumed, for no NVIDIA driver is installed" in printed
    for card in ("RTX 4060", "RTX 4090", "H100"):
        assert any(line.startswith(card) for line in printed.splitlines())


def test_on_a_narrow_terminal_no_figure_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "console", lambda: Console(width=40, color_system=None))
    assert run(["plan", *SMALL]) == 0
    _facts, stages, cards = capsys.readouterr().out.split("\n\n")
    assert stages.splitlines()[0].split() == ["stage", "peak", "GiB", "TFLOP", "seconds"]
    assert "…" not in stages
    assert cards.splitlines()[0].split()[:4] == ["card", "GiB", "peak", "time"]
    rows = [line for line in cards.splitlines()[1:] if not line.startswith(" ")]
    assert len(rows) >= 5
    assert all(re.match(r"[\w ]+  \d+ +\d+\.\d\d  \d+ s ", row) for row in rows)


def test_a_film_is_its_shots(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    board = tmp_path / "board.json"
    shots = [{"description": f"shot {number}"} for number in range(5)]
    board.write_text(json.dumps({"shots": shots}))

    for arguments, num_shots in (
        ((str(board),), 5),
        ((str(board), "--max-shots", "2"), 2),
        (("a storm at sea",), 3),
        (("a storm at sea", "--max-shots", "7"), 7),
        ((), 1),
    ):
        found = document(capsys, *arguments, *SMALL, "--vram", "8")
        assert found["film"]["num_shots"] == num_shots
        assert found["film"]["seconds"] == pytest.approx(num_shots * found["seconds"])


@pytest.mark.parametrize("source", [("a storm at sea",), ()])
def test_a_length_asks_for_as_many_shots_as_it_takes(
    source: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    size = ("--width", "128", "--height", "64", "--num-inference-steps", "2")
    found = document(capsys, *source, "--duration", "10s", *size, "--vram", "8")
    assert found["film"]["num_shots"] == 4
    assert found["film"]["seconds"] == pytest.approx(4 * found["seconds"])


def test_people_see_memory_margin_and_how_sure_the_time_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", *SMALL, "--vram", "8"]) == 0

    printed = capsys.readouterr().out
    for words in ("CUDA context 0.50", "workspaces 0.12", "fragmentation", "estimated", "VAE decode"):
        assert words in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vram", "0"], "is no memory"),
        (["--ram", "0"], "is no memory"),
        (["--gpu", "RTX 9999"], "no peaks of a GPU"),
        (["--width", "100"], "width 100 is not a multiple of 64"),
        (["--num-frames", "26"], "num_frames 26 is outside"),
        (["--model", "local:animatic"], "is not planned"),
        ([*SMALL, "--vram", "0.5"], "does not fit 0.5 GiB at 128x64 with 2 frames"),
        (["--max-shots", "0", "a storm"], "--max-shots"),
        (["--num-inference-steps", "0"], "--num-inference-steps"),
        (["--duration", "9s", "--num-frames", "14"], "both say how long"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_length_for_a_storyboard_that_is_written_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    board = tmp_path / "board.json"
    board.write_text('{"version": 1, "shots": [{"description": "waves"}]}')
    assert run(["plan", str(board), "--duration", "9s"]) == 2
    assert "not written yet" in capsys.readouterr().err
