"""Films as files, through PyAV: encode, decode, probe, join, convert, extract; and images with their limits.

`probe` is imported late, so that reading an image does not load the codecs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localvid.media.probing import probe

__all__ = ["probe"]


def __getattr__(name: str) -> Any:
    if name == "probe":
        from localvid.media.probing import probe

        return probe
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
