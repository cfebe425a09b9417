"""Tiny GGUF files made on the spot: a llama of random numbers that llama.cpp runs, and ways to spoil it.

Source of the format: docs/gguf.md of the ggml repository. The vocabulary is the 256 bytes, as GPT-2 writes
them, and three control tokens.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

_ALIGNMENT = 32
_WIDTH, _HEADS, _LAYERS = 32, 2, 2
_END = "<|im_end|>"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}{{ message.content }}<|im_end|>{% endfor %}"
)


def gguf(values: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> bytes:
    """A GGUF file of version 3; `values` are texts, whole numbers, floats and lists of texts or numbers."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    head += b"".join(_text(key) + _value(value) for key, value in values.items())
    data = b""
    for name, tensor in tensors.items():
        dimensions = struct.pack(f"<{tensor.ndim}Q", *reversed(tensor.shape))
        head += _text(name) + struct.pack("<I", tensor.ndim) + dimensions + struct.pack("<IQ", 0, len(data))
        data += tensor.astype("<f4").tobytes() + bytes(-tensor.nbytes % _ALIGNMENT)
    return head + bytes(-len(head) % _ALIGNMENT) + data


def tiny_values(**changes: Any) -> dict[str, Any]:
    """What the tiny model says of itself; a change to None leaves the key out. Dots are written `__`."""
    tokens = _byte_tokens()
    values: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "llama.context_length": 2048,
        "llama.embedding_length": _WIDTH,
        "llama.block_count": _LAYERS,
        "llama.feed_forward_length": _WIDTH,
        "llama.attention.head_count": _HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": _WIDTH // _HEADS,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [*tokens, "<|endoftext|>", "<|im_start|>", _END],
        "tokenizer.ggml.token_type": [1] * len(tokens) + [3] * 3,
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": len(tokens) + 2,
        "tokenizer.chat_template": CHATML,
    }
    values |= {key.replace("__", "."): value for key, value in changes.items()}
    return {key: value for key, value in values.items() if value is not None}


def tiny_tensors(num_words: int = 259) -> dict[str, np.ndarray]:
    """Random numbers, the same each time."""
    random = np.random.default_rng(0)
    square, row = (_WIDTH, _WIDTH), (_WIDTH,)
    shapes = {"token_embd": (num_words, _WIDTH), "output_norm": row}
    for layer in range(_LAYERS):
        parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
        shapes |= {f"blk.{layer}.{part}": square for part in parts}
        shapes |= {f"blk.{layer}.{part}": row for part in ("attn_norm", "ffn_norm")}
    return {f"{name}.weight": random.normal(0, 0.5, shape) for name, shape in shapes.items()}


def tiny_model(**changes: Any) -> bytes:
    """A whole model, with changes to what it says of itself."""
    values = tiny_values(**changes)
    return gguf(values, tiny_tensors(len(values.get("tokenizer.ggml.tokens", [])) or 259))


def _byte_tokens() -> list[str]:
    """GPT-2's way to write every byte as a character that can be seen."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shown]
    written = {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [written[byte] for byte in range(256)]


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    kind, item = (8, _text) if isinstance(value[0], str) else (5, lambda number: struct.pack("<i", number))
    return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(map(item, value))
