"""A batch's worker process that breaks.

The variable FAULTY_WORKER says at what: "clip" or "join", where it hangs once while its lease is renewed all
the same, which the file FAULTY_WORKER_MARK tells; or at a word of a film's prompt, where it ends each time,
or with "refuse:" before it calls the request wrong. Its lease is short, so that one that is not renewed would
be seen to lapse.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from localvid import stages
from localvid.batch.worker import Worker
from localvid.errors import InvalidRequestError
from localvid.pipelines.animatic.adapter import Animatic

LEASE_SECONDS = 0.9


def employ(monkeypatch: pytest.MonkeyPatch, what: str, mark: Path = Path()) -> None:
    """Have a crew's workers break so."""
    monkeypatch.setenv("FAULTY_WORKER", what)
    monkeypatch.setenv("FAULTY_WORKER_MARK", str(mark))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    program = "import faulty_worker; faulty_worker.main(); from localvid.batch.process import main; main()"
    monkeypatch.setattr("localvid.batch.crew._RUN", program)


def main() -> None:
    what = os.environ["FAULTY_WORKER"]
    worker_is_made: Any = Worker.__init__
    worker_is_made.__kwdefaults__["lease_seconds"] = LEASE_SECONDS
    owner, name = (stages, "join_clips") if what == "join" else (Animatic, "_write_clip")
    work = getattr(owner, name)

    def break_down(*arguments: Any, **named: Any) -> Any:
        if what in ("clip", "join"):
            _hang_once()
        elif what.removeprefix("refuse:") in arguments[1].description:
            if what.startswith("refuse:"):
                raise InvalidRequestError("it is too shy")
            os._exit(7)
        return work(*arguments, **named)

    setattr(owner, name, break_down)


def _hang_once() -> None:
    mark = Path(os.environ["FAULTY_WORKER_MARK"])
    if not mark.exists():
        mark.touch()
        time.sleep(600)
