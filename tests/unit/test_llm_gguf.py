"""Reading the head of a GGUF file: what is told of a good one, what a bad one gets."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvid.errors import InvalidRequestError, LocalvidError, NotAvailableError
from localvid.llm.llama.gguf import read_head


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def gguf(*, tensor_bytes: int = 64, cut: int = 0, offset: int = 0) -> bytes:
    """A small well-formed GGUF file of one tensor, with `cut` bytes missing at its end."""
    entries = [
        entry("general.architecture", 8, text("llama")),
        entry("general.name", 8, text("Tiny")),
        entry("llama.context_length", 4, struct.pack("<I", 2048)),
        entry("llama.rope.freq_base", 6, struct.pack("<f", 1.0)),
        entry("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + text("a") + text("bc") + text("")),
        entry("tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 3) + bytes(12)),
        entry("tokenizer.chat_template", 8, text("<|im_start|>{{ messages }}")),
    ]
    tensor = text("output.weight") + struct.pack("<IQIQ", 1, 16, 0, offset)
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, len(entries)) + b"".join(entries) + tensor
    data = head + bytes(-len(head) % 32) + bytes(offset + tensor_bytes)
    return data[: len(data) - cut]


def test_a_good_head_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf())
    head = read_head(path)
    assert (head.architecture, head.name, head.context_tokens) == ("llama", "Tiny", 2048)
    assert head.chat_template.startswith("<|im_start|>")
    assert head.bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("data", "kind", "says"),
    [
        (b"", InvalidRequestError, "not a GGUF"),
        (b"GGU", InvalidRequestError, "not a GGUF"),
        (b"PK\x03\x04" + bytes(100), InvalidRequestError, "not a GGUF"),
        (b"GGUF", NotAvailableError, "not whole"),
        (b"GGUF" + struct.pack("<IQQ", 1, 1, 1) + bytes(64), InvalidRequestError, "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 1, 1) + bytes(64), InvalidRequestError, "version"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 2**63) + bytes(64), NotAvailableError, "no sense"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1, 5) + b"\xff" * 64, NotAvailableError, "ends within"),
        (gguf(cut=70), NotAvailableError, "tensor at byte"),
        (gguf()[:150], NotAvailableError, "ends within"),
        (gguf(offset=4096, cut=2000), NotAvailableError, "tensor at byte"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry("a", 9, struct.pack("<IQ", 8, 2**60)),
            NotAvailableError,
            "longer than the file",
        ),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry("a", 77, b""), NotAvailableError, "unknown kind"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**60), NotAvailableError, "ends within"),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry("a", 8, struct.pack("<Q", 2**60)),
            NotAvailableError,
            "ends within",
        ),
        (
            b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry("a", 9, struct.pack("<IQ", 4, 2**60)),
            NotAvailableError,
            "ends within",
        ),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, data: bytes, kind: type[LocalvidError], says: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(kind, match=says) as caught:
        read_head(path)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="is a folder"):
        read_head(tmp_path)
    with pytest.raises(NotAvailableError, match="cannot be read: No such file"):
        read_head(tmp_path / "none.gguf")


def test_a_list_without_end_takes_no_time(tmp_path: Path) -> None:
    """A sparse file of 8 GB: a billion empty texts."""
    path = tmp_path / "endless.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry("a", 9, struct.pack("<IQ", 8, 10**9)))
    os.truncate(path, 8 * 10**9 + 100)
    with pytest.raises(NotAvailableError, match="longer than those of any model"):
        read_head(path)


@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model.gguf"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    says = "symbolic links" if kind == "loop" else "a pipe or a device"
    with pytest.raises(NotAvailableError, match=says):
        read_head(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.gguf"
    path.write_bytes(gguf())
    path.chmod(0)
    with pytest.raises(NotAvailableError, match="Permission denied"):
        read_head(path)


@settings(deadline=None, max_examples=300)
@given(position=st.integers(min_value=0, max_value=400), byte=st.integers(0, 255), cut=st.integers(0, 400))
def test_no_damage_brings_another_exception(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, cut: int
) -> None:
    data = bytearray(gguf())
    data[position % len(data)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(bytes(data[: len(data) - cut % len(data)]))
    try:
        read_head(path)
    except LocalvidError as error:
        assert error.hint
