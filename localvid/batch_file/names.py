"""Names of films that a pattern makes, and paths that no row can lead out of a folder with."""

from __future__ import annotations

DEFAULT_PATTERN = "{number:04d}-{slug}.mp4"
