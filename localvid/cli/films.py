"""The commands that make films: generate, storyboard, render."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localvid.cli import output
from localvid.cli.making import make_film, of_storyboard, orchestrating
from localvid.cli.options import (
    MAX_SHOTS,
    FilmFlags,
    Llm,
    Quiet,
    Workspace,
    duration_option,
    file_argument,
    file_option,
    option,
    seed_option,
    spread,
    validated_options,
)
from localvid.errors import InvalidRequestError

if TYPE_CHECKING:
    from localvid.cli.progress import FilmProgress
    from localvid.cli.storyboards import FoundStoryboard
    from localvid.schemas import Storyboard

_MAX_PROMPT_BYTES = 2**20

Prompt = Annotated[
    str,
    typer.Argument(
        metavar="PROMPT", show_default=False, help="What the film shows; - reads it from the standard input."
    ),
]


@spread
def generate(prompt: Prompt, flags: FilmFlags) -> None:
    """Make a film from one prompt.

    A language model writes the storyboard, every shot gets a first frame and is animated, and the shots
    are joined. Ctrl-C stops at a safe point; localvid resume goes on from there.
    """
    settings = flags.settings()
    options = flags.options(settings)
    prompt = _prompt(prompt)
    with orchestrating(settings, quiet=flags.quiet) as (orchestrator, display):
        if flags.dry_run:
            from localvid.cli.preview import print_preview

            print_preview(orchestrator, options, prompt=prompt, as_json=flags.as_json)
            return
        job = orchestrator.create_job(prompt=prompt, seed=flags.seed, options=options)
        make_film(
            orchestrator, display, job, as_json=flags.as_json, quiet=flags.quiet, workspace=flags.workspace
        )


@spread
def render(
    source: Annotated[
        Path,
        file_argument(
            "STORYBOARD",
            "A storyboard file, - for the standard input, or a film that carries how it was made.",
        ),
    ],
    flags: FilmFlags,
) -> None:
    """Make a film from a storyboard, or a film again.

    Images named in a storyboard are looked for beside its file. Only what is not in the workspace yet is
    made: after an edit, the shots that changed.
    """
    from localvid.cli.storyboards import read_storyboard

    settings = flags.settings()
    found = read_storyboard(source)
    options = flags.options(settings, found.recorded)
    with orchestrating(settings, quiet=flags.quiet) as (orchestrator, display):
        storyboard = _storyboard_to_render(found, flags, display)
        if flags.dry_run:
            from localvid.cli.preview import print_preview

            print_preview(
                orchestrator,
                options,
                prompt=found.prompt,
                storyboard=storyboard,
                seed=flags.seed,
                as_json=flags.as_json,
            )
            return
        job = orchestrator.create_job(
            prompt=found.prompt, storyboard=storyboard, seed=flags.seed, options=options
        )
        make_film(
            orchestrator, display, job, as_json=flags.as_json, quiet=flags.quiet, workspace=flags.workspace
        )


def storyboard(
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROMPT]",
            show_default=False,
            help="What the film shows, or what --edit is to change; - reads it from the standard input.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        file_option(
            "--output",
            "-o",
            help="The storyboard file, .json or .yaml; it is overwritten. Not given: standard output.",
        ),
    ] = None,
    show: Annotated[
        Path | None,
        file_option(
            "--show",
            help="Show this storyboard, or a film's, as a table; as a sheet in --output, .png or .html.",
        ),
    ] = None,
    schema: Annotated[
        bool, option("--schema", help="Print the JSON Schema of storyboard files, or write it to --output.")
    ] = False,
    max_shots: Annotated[int | None, MAX_SHOTS] = None,
    duration: Annotated[
        float | None,
        duration_option("How long the film is to be, such as 20s or 1m30s; decides how many shots, too."),
    ] = None,
    llm: Llm = None,
    edit: Annotated[
        Path | None,
        file_option(
            "--edit", help="Change this storyboard as PROMPT says: shows what changes, asks, and writes it."
        ),
    ] = None,
    seed: Annotated[int | None, seed_option("The same seed gives the same words.")] = None,
    yes: Annotated[bool, option("--yes", "-y", help="With --edit: do not ask.")] = False,
    as_json: Annotated[
        bool, option("--json", help="With --show or --edit: print the table, or what changes, as JSON.")
    ] = False,
    quiet: Quiet = False,
    workspace: Workspace = None,
) -> None:
    """Write a storyboard, to edit and render; show one, or change it."""
    from localvid.config import load_settings

    ways = {
        "--show": show is not None,
        "--edit": edit is not None,
        "--schema": schema,
        "PROMPT": prompt is not None and edit is None,
    }
    given = {
        "--max-shots": max_shots is not None,
        "--duration": duration is not None,
        "--llm": llm is not None,
        "--seed": seed is not None,
        "--yes": yes,
        "--json": as_json,
    }
    _check_ways(ways, given)
    if schema:
        from localvid.cli.storyboards import write_schema

        write_schema(file)
        return
    settings = load_settings(workspace=workspace, llm=llm)
    if show is not None:
        from localvid.cli.showing import show_storyboard

        show_storyboard(show, settings, sheet=file, as_json=as_json, quiet=quiet)
        return
    if edit is not None:
        from localvid.cli.editing import edit_storyboard
        from localvid.cli.storyboards import STANDARD_INPUT

        if edit == STANDARD_INPUT and prompt == "-":
            raise InvalidRequestError(
                "the standard input cannot be both the storyboard and the instruction",
                hint="give the instruction as PROMPT",
            )
        words = _prompt(prompt or "")
        edit_storyboard(
            edit, words, target=file, settings=settings, seed=seed, yes=yes, as_json=as_json, quiet=quiet
        )
        return
    from localvid.cli.storyboards import check_storyboard_output, write_storyboard

    asked = {"llm": settings.llm, "max_shots": max_shots, "duration_seconds": duration}
    options = validated_options({name: value for name, value in asked.items() if value is not None})
    prompt = _prompt(prompt or "")
    if file is not None:
        check_storyboard_output(file)
    with orchestrating(settings, quiet=quiet) as (orchestrator, display), display:
        written = orchestrator.write_storyboard(
            prompt,
            options=options,
            seed=seed,
            on_progress=lambda progress: display.report(of_storyboard(progress)),
        )
    if file is None:
        sys.stdout.write(written.model_dump_json(indent=2, exclude_none=True) + "\n")
        return
    write_storyboard(written, file)
    print(file)


_HEEDED = {
    "PROMPT": ("--max-shots", "--duration", "--llm", "--seed"),
    "--edit": ("--llm", "--seed", "--yes", "--json"),
    "--show": ("--json",),
    "--schema": (),
}
"""Way of `storyboard` → the options that mean something to it, beside those that all take."""


def _check_ways(ways: dict[str, bool], given: dict[str, bool]) -> None:
    """Raise InvalidRequestError unless one way is asked for, with options that it heeds."""
    asked = [name for name, is_asked in ways.items() if is_asked]
    if not asked:
        raise InvalidRequestError(
            "what shall it be: a prompt to write from, --show FILE, or --edit FILE with what is to change?",
            hint='localvid storyboard "A lighthouse in a storm" -o lighthouse.yaml',
        )
    if len(asked) > 1:
        raise InvalidRequestError(
            f"{' and '.join(asked)} do not go together", hint="give one of them; localvid storyboard --help"
        )
    unheeded = [name for name, is_given in given.items() if is_given and name not in _HEEDED[asked[0]]]
    if unheeded:
        way = "a prompt" if asked == ["PROMPT"] else asked[0]
        raise InvalidRequestError(
            f"{' and '.join(unheeded)}: without meaning with {way}", hint="localvid storyboard --help"
        )


def _prompt(prompt: str) -> str:
    """The prompt, from the standard input where it is `-`. Raises InvalidRequestError for the name of a
    storyboard or film that is there: whoever gives one forgot the command or the option that takes it."""
    from localvid.cli.storyboards import is_storyboard_there

    if is_storyboard_there(prompt):
        raise InvalidRequestError(
            f"{output.one_line(prompt)} is a file, and words are wanted",
            hint="localvid render FILE makes its film; localvid storyboard --show FILE shows it, "
            "--edit FILE changes it",
        )
    if prompt != "-":
        return prompt
    # Bytes that are no text are dropped with the control characters.
    return sys.stdin.buffer.read(_MAX_PROMPT_BYTES).decode("utf-8", errors="replace")


def _storyboard_to_render(found: FoundStoryboard, flags: FilmFlags, display: FilmProgress) -> Storyboard:
    """The storyboard as the flags want it, with a note on each flag that means nothing here."""
    board = found.storyboard
    if flags.llm is not None:
        display.notice("--llm has no effect here: the storyboard is written already")
    if flags.max_shots is not None and flags.max_shots < len(board.shots):
        display.notice(f"rendering the first {flags.max_shots} of {output.count(len(board.shots), 'shot')}")
        board = board.model_copy(update={"shots": board.shots[: flags.max_shots]})
    if flags.seed is not None and all(shot.seed is not None for shot in board.shots):
        display.notice("--seed has no effect here: every shot of the storyboard has a seed of its own")
    return board
