"""Reports of shots that a host makes, passed on while any of them goes on."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from localvid.schemas import OnProgress, Progress
from localvid.sending import _Flight as Flight


def test_what_the_others_say_is_heard_once_the_shot_that_was_shown_is_done() -> None:
    """They say the same all the time, and whoever waits for a sign of life must hear it."""
    heard: list[str] = []
    is_done, waits = threading.Event(), threading.Event()
    bar: Any = SimpleNamespace(
        check_stop=lambda: None,
        switch=lambda *_, **__: None,
        report=lambda progress: heard.append(progress.message),
        done=lambda: (heard.append("done"), is_done.set()),
    )
    shots = [SimpleNamespace(index=index, keyframe=None, clip=None) for index in range(2)]
    plan: Any = SimpleNamespace(shots=shots)

    def make(_plan: object, index: int, report: OnProgress) -> None:
        report(Progress(step=0, num_steps=0, message=f"shot {index} waits"))
        if index:
            waits.set()
            is_done.wait(30)
            for _ in range(3):
                report(Progress(step=0, num_steps=0, message="shot 1 waits"))
        else:
            waits.wait(30)

    Flight(make, bar, plan).run([[0], [1]], in_flight=2)
    after = heard[heard.index("done") + 1 :]
    assert after == ["shot 1 waits"] * 3 + ["done"]
