"""Models in processes of their own."""

from localvid.host.parent import ChildHost

__all__ = ["ChildHost"]
