"""A batch's worker process that hangs once while its lease is renewed all the same.

What hangs stands in the variable HANG, "clip" or "join"; that it does is told by the file HANG_MARK, after
which no process hangs any more. Its lease is short, so that one that is not renewed would be seen to lapse.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from localvid import stages
from localvid.batch.worker import Worker
from localvid.pipelines.animatic.adapter import Animatic

LEASE_SECONDS = 0.9


def main() -> None:
    mark, what = Path(os.environ["HANG_MARK"]), os.environ["HANG"]
    worker_is_made: Any = Worker.__init__
    worker_is_made.__kwdefaults__["lease_seconds"] = LEASE_SECONDS
    owner, name = (Animatic, "_write_clip") if what == "clip" else (stages, "join_clips")
    work = getattr(owner, name)

    def hang_once(*arguments: Any, **named: Any) -> Any:
        if not mark.exists():
            mark.touch()
            time.sleep(600)
        return work(*arguments, **named)

    setattr(owner, name, hang_once)
