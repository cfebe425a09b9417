"""The base of every type that crosses a module border, and the limits that several of them share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_WRITTEN_SHOTS = 7
"""Most shots that a storyboard writer is asked for; a person may write more."""

MAX_STORYBOARD_SHOTS = 100
"""Most shots in one storyboard file: 100 shots of 4 s are a film of seven minutes."""

MAX_FILM_SECONDS = 6_000.0
"""Longest film that can be asked for: 100 shots of a minute."""

MAX_PROMPT_CHARACTERS = 4_000
MAX_SEED = 2**32 - 1

Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Frozen(BaseModel):
    """Base of all types here: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
