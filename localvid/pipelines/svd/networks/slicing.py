"""Loops over slices of a clip: all of them go through `slices`, so that a tracer can shorten them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

Slice = tuple[int, int]
"""`(start, stop)`."""

SMALLEST = 2**18
"""Values of a map that a slice has at least: below half a MiB in half precision, smaller ones save no memory
worth having and take time."""

Walk = Callable[[Sequence[Slice]], Iterator[Slice]]
"""Goes through slices in order; it may leave out those that it knows to be like others."""

_walk: ContextVar[Walk] = ContextVar("_walk", default=iter)


def slices(length: int, size: int) -> Iterator[Slice]:
    """Slices of at most `size`, in order, as they are asked for."""
    return _walk.get()([(start, min(start + size, length)) for start in range(0, length, size)])


@contextmanager
def walking(walk: Walk) -> Iterator[None]:
    """While the context is open, loops over slices go as `walk` goes."""
    before = _walk.set(walk)
    try:
        yield
    finally:
        _walk.reset(before)
