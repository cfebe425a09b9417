"""What an answer that needs no work must not import: that, and not a time, is held here."""

import json
import subprocess
import sys

import pytest

from localvid.cli.app import COMMANDS

HEAVY = {
    "torch",
    "diffusers",
    "transformers",
    "llama_cpp",
    "sqlalchemy",
    "av",
    "PIL",
    "numpy",
    "huggingface_hub",
    "httpx",
    "pydantic",
    "rich",
    "ruamel",
}

_RUN = """
import json, sys
from localvid.cli import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(name for name in sys.modules if "." not in name)]))
"""


def imports_of(*arguments: str) -> tuple[int, set[str]]:
    """The exit code of a command in a new process, and the top-level modules it left imported."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_answers_without_heavy_imports(arguments: list[str]) -> None:
    code, modules = imports_of(*arguments)
    assert code == 0
    assert "typer" in modules
    assert not modules & HEAVY


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import json, sys, localvid; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(json.loads(done.stdout))
    assert "localvid" in modules
    assert not modules & (HEAVY | {"typer"})


@pytest.mark.parametrize(
    "arguments", [["list-jobs"], ["list-models"], ["get-job", "none"], ["clean", "--dry-run"]]
)
def test_listings_load_no_model_and_no_codec(arguments: list[str]) -> None:
    _code, modules = imports_of(*arguments)
    assert "pydantic" in modules  # it really ran
    assert not modules & {"torch", "diffusers", "transformers", "llama_cpp", "av", "numpy"}
