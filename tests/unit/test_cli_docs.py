"""docs/command-line.md says what `--help` says: the same commands, the same options, the same words."""

import re
from pathlib import Path

import pytest

from localvid.cli.app import COMMANDS, command

DOCUMENT = Path(__file__).parents[2] / "docs" / "command-line.md"
_ROW = re.compile(r"^\| `(.+)` \| (.+) \|$", re.MULTILINE)


def sections() -> dict[str, str]:
    """Command → its section of the document."""
    _head, *parts = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {part.partition("\n")[0]: part for part in parts}


def real_options(name: str) -> dict[str, str]:
    """What the command takes, as the document writes it → its help."""
    taken = {}
    for parameter in command(name).params:
        if parameter.param_type_name == "argument":
            taken[parameter.metavar] = parameter.help
            continue
        names = ", ".join(parameter.opts)
        names += f" / {', '.join(parameter.secondary_opts)}" if parameter.secondary_opts else ""
        value = "" if parameter.is_flag else f" {parameter.metavar}"
        taken[(names + value).replace("|", r"\|")] = parameter.help
    return taken


def documented_options(section: str) -> dict[str, str]:
    taken = dict(_ROW.findall(section))
    if "It takes the options of [generate](#generate)" in section:
        generate = dict(_ROW.findall(sections()["generate"]))
        del generate["PROMPT"]
        taken |= generate
    return taken


def test_the_document_has_every_command_in_the_order_of_the_help() -> None:
    assert list(sections()) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented_as_it_is(name: str) -> None:
    assert documented_options(sections()[name]) == real_options(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_a_workspace(name: str) -> None:
    assert any("--workspace" in parameter.opts for parameter in command(name).params)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_use_options_that_exist(name: str) -> None:
    taken = {option for parameter in command(name).params for option in getattr(parameter, "opts", ())}
    examples = re.findall(rf"^localvid {name} (.*)$", sections()[name], re.MULTILINE)
    for example in examples:
        used = re.findall(r"(?<!\S)--?[a-z][a-z-]*", re.sub(r'"[^"]*"', "", example.partition("|")[0]))
        assert set(used) <= taken, example


def test_the_overview_cuts_no_summary() -> None:
    """Every command's first line fits beside its name on 80 columns."""
    for name, function in COMMANDS.items():
        summary = (function.__doc__ or "").partition("\n")[0]
        assert summary.endswith(".")
        assert len(summary) <= 80 - 6 - max(map(len, COMMANDS)), name
