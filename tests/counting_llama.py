"""The engine of the language model's process with a look inside: what it evaluated.

Used by its name, "counting_llama:CountingEngine".
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from localvid.llm.llama.child import LlamaEngine
from localvid.llm.llama.native import Entry


class CountingEngine(LlamaEngine):
    """Counts batches and the tokens of each sequence."""

    def __init__(self, report: object, **arguments: Any) -> None:
        super().__init__(report, **arguments)
        self._batches: list[list[int]] = []
        evaluate = self._model.evaluate

        def counted(entries: Sequence[Entry]) -> None:
            self._batches.append([entry.sequence for entry in entries])
            evaluate(entries)

        self._model.evaluate = counted  # type: ignore[method-assign]  # what is counted is what runs

    def take_batches(self) -> list[list[int]]:
        """The sequence of each token of each batch since the last call."""
        taken, self._batches = self._batches, []
        return taken

    def modules(self) -> list[str]:
        """What the process has imported."""
        return sorted(sys.modules)
