"""Reading the head of a GGUF file: enough to refuse what is none, and to know how to talk to the model.

Every length is checked against the file before it is used, so a hostile file costs no memory. Nothing in
it is evaluated: the chat template is text. Source of the format: docs/gguf.md of the ggml repository.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from localvid.errors import InvalidRequestError, NotAvailableError
from localvid.files import open_file
from localvid.schemas import Frozen

_VERSIONS = (2, 3)
_MAX_ENTRIES = 100_000
_MAX_LISTED = 4_000_000
"""Texts in lists; a vocabulary of 262,144 tokens and its merges are under a million."""
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # value type → bytes
_STRING, _ARRAY, _UINT32, _UINT64 = 8, 9, 4, 10
_MAX_TEXT_BYTES = 256 * 1024
_KEPT = frozenset({"general.architecture", "general.name", "general.alignment", "tokenizer.chat_template"})
_CONTEXT_LENGTH = ".context_length"


class GgufHead(Frozen):
    """What a GGUF file says of itself."""

    bytes: int
    architecture: str = ""
    name: str = ""
    chat_template: str = ""
    context_tokens: int | None = None
    """Length that the model was trained for."""


class _DamagedError(Exception):
    """The file contradicts itself or ends too early."""


def read_head(path: Path) -> GgufHead:
    """Read and check the head of a GGUF file.

    Raises NotAvailableError if the file is missing, unreadable or damaged, InvalidRequestError if it is
    something else than a GGUF file. A file that passes may still be refused by llama.cpp.
    """
    if path.is_dir():
        raise InvalidRequestError(f"{path} is a folder, not a GGUF file", hint="name the .gguf file in it")
    try:
        with open_file(path) as file:
            start = file.read(24)
            _check_start(start, path)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data).head()
    except _DamagedError as error:
        raise NotAvailableError(
            f"{path} is damaged or not whole: {error}", hint="download the model again"
        ) from error
    except OSError as error:
        raise NotAvailableError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="name a GGUF file that exists and may be read, or use --llm outline",
        ) from error


def _check_start(start: bytes, path: Path) -> None:
    if start[:4] != b"GGUF":
        raise InvalidRequestError(
            f"{path} is not a GGUF file", hint="storyboard models are read from GGUF files alone"
        )
    if len(start) < 24:
        raise _DamagedError(f"it ends after {len(start)} bytes")
    (version,) = struct.unpack("<I", start[4:8])
    if version not in _VERSIONS:
        raise InvalidRequestError(
            f"{path} is GGUF version {version}; versions 2 and 3 are read",
            hint="download a current GGUF of the model (files of version 1 date from 2023)",
        )


class _Reader:
    """Walks the head; `_take` alone moves forward, and never past the end."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._size = len(data)
        self._at = 8
        self._listed = 0

    def head(self) -> GgufHead:
        num_tensors, num_values = self._number("<Q"), self._number("<Q")
        if num_tensors > _MAX_ENTRIES or num_values > _MAX_ENTRIES:
            raise _DamagedError("its counts make no sense")
        values: dict[str, str | int] = {}
        for _ in range(num_values):
            key = self._text()
            value = self._value(self._number("<I"))
            # What is of no use is not kept: a hostile file could hold gigabytes of it.
            if value is not None and (
                key in _KEPT or (isinstance(value, int) and key.endswith(_CONTEXT_LENGTH))
            ):
                values[key] = value
        self._check_tensors(num_tensors, values.get("general.alignment", 32))
        architecture = str(values.get("general.architecture", ""))
        context = values.get(f"{architecture}{_CONTEXT_LENGTH}")
        return GgufHead(
            bytes=self._size,
            architecture=architecture,
            name=str(values.get("general.name", "")),
            chat_template=str(values.get("tokenizer.chat_template", "")),
            context_tokens=context if isinstance(context, int) else None,
        )

    def _check_tensors(self, num_tensors: int, alignment: str | int) -> None:
        """The last tensor must begin within the file: what a broken download cuts off is the end."""
        last = 0
        for _ in range(num_tensors):
            self._text()
            dimensions = self._number("<I")
            if dimensions > 8:
                raise _DamagedError("a tensor has too many dimensions")
            self._take(8 * dimensions + 4)
            last = max(last, self._number("<Q"))
        align = alignment if isinstance(alignment, int) and alignment > 0 else 32
        start = -(-self._at // align) * align
        if num_tensors and start + last >= self._size:
            raise _DamagedError(f"it has {self._size} bytes and a tensor at byte {start + last}")

    def _value(self, kind: int) -> str | int | None:
        """A text or a whole number; anything else is passed over."""
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            self._skip_array()
            return None
        if kind == _UINT32:
            return self._number("<I")
        if kind == _UINT64:
            return self._number("<Q")
        self._take(self._size_of(kind))
        return None

    def _skip_array(self) -> None:
        kind, count = self._number("<I"), self._number("<Q")
        if kind != _STRING:
            self._take(count * self._size_of(kind))
            return
        if 8 * count > self._size - self._at:
            raise _DamagedError("a list is longer than the file")
        self._listed += count
        if self._listed > _MAX_LISTED:
            raise _DamagedError("its lists are longer than those of any model")
        data, at, size, unpack = self._data, self._at, self._size, struct.Struct("<Q").unpack_from
        for _ in range(count):  # hundreds of thousands of tokens: no calls in this loop
            if at + 8 > size:
                raise _DamagedError("it ends within a list")
            at += 8 + unpack(data, at)[0]
        if at > size:
            raise _DamagedError("it ends within a list")
        self._at = at

    def _size_of(self, kind: int) -> int:
        if kind not in _SIZES:
            raise _DamagedError(f"it has a value of unknown kind {kind}")
        return _SIZES[kind]

    def _text(self) -> str:
        length = self._number("<Q")
        start = self._take(length)
        return self._data[start : start + min(length, _MAX_TEXT_BYTES)].decode("utf-8", errors="replace")

    def _number(self, form: str) -> int:
        start = self._take(struct.calcsize(form))
        return int(struct.unpack_from(form, self._data, start)[0])

    def _take(self, count: int) -> int:
        start = self._at
        if count > self._size - start:
            raise _DamagedError(f"it ends within its head, at byte {self._size}")
        self._at = start + count
        return start
