"""What a child has still to do of a call that is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Later(NamedTuple):
    """Returned by a target's method: the call is answered, and `finish` runs in a thread of its own beside
    the calls that follow. The parent gets a `LaterWork` in its place."""

    finish: Callable[[], None]
