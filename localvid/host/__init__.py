"""Models in processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localvid.host.parent import ChildHost

__all__ = ["ChildHost"]


def __getattr__(name: str) -> Any:
    """Late, because a child imports this package too and has no use for the parent's side."""
    if name == "ChildHost":
        from localvid.host.parent import ChildHost

        return ChildHost
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
