"""Models in processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localvid.host.later import Later

if TYPE_CHECKING:
    from localvid.host.parent import ChildHost, LaterWork

__all__ = ["ChildHost", "Later", "LaterWork"]


def __getattr__(name: str) -> Any:
    """Late, because a child imports this package too and has no use for the parent's side."""
    if name in ("ChildHost", "LaterWork"):
        from localvid.host import parent

        return getattr(parent, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
