"""What torch's kernels take inside themselves and give back at their end: the part that shows in no shape.

Copies of operands that lie in memory otherwise than the kernel wants, and what attention keeps in single
precision. Read in torch 2.13's source (aten/src/ATen/native).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

Scratch = Callable[[Any, tuple[Any, ...]], int]
"""Operation and its operands → bytes that its kernel takes beside its results."""

_FLASH_SIZE = 256
"""Largest head that flash attention takes; larger ones go to the memory-efficient kernel."""

_aten = torch.ops.aten
_HALF = (torch.float16, torch.bfloat16)


def nbytes(tensor: torch.Tensor) -> int:
    """Bytes of a tensor's elements; those that it repeats by a stride of zero count once."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def cuda_scratch(func: Any, args: tuple[Any, ...]) -> int:
    """As on a CUDA device with cuDNN and flash attention."""
    packet = func.overloadpacket
    if packet is _aten.native_group_norm or packet is _aten.native_layer_norm:
        return _copy(args[0])
    if packet is _aten.convolution:
        return _convolution(args[0], args[1])
    if packet is _aten.scaled_dot_product_attention:
        return _attention(*args[:3])
    if packet in _PRODUCTS:
        return sum(_product_copy(operand) for operand in args[-2:] if isinstance(operand, torch.Tensor))
    return 0


def cpu_scratch(func: Any, args: tuple[Any, ...]) -> int:
    """As on one thread of a CPU, in single precision.

    Its normalisation takes channels last as they come, and a convolution over time unfolds its operand.
    """
    packet = func.overloadpacket
    if packet is _aten.convolution and args[0].ndim == 5:
        taps: int = math.prod(args[1].shape[2:])
        return cuda_scratch(func, args) + nbytes(args[0]) * taps
    if packet is _aten.native_group_norm and args[0].is_contiguous(memory_format=_format(args[0])):
        return 0
    return cuda_scratch(func, args)


_PRODUCTS = (_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm)


def _copy(tensor: torch.Tensor, layout: torch.memory_format = torch.contiguous_format) -> int:
    """A copy in that layout, unless the tensor has it."""
    return 0 if tensor.is_contiguous(memory_format=layout) else tensor.numel() * tensor.element_size()


def _format(tensor: torch.Tensor) -> torch.memory_format:
    """Channels last if it lies so, otherwise channels first."""
    last = {4: torch.channels_last, 5: torch.channels_last_3d}.get(tensor.ndim)
    if last is None or tensor.is_contiguous() or not tensor.is_contiguous(memory_format=last):
        return torch.contiguous_format
    return last


def convolution_layout(inputs: torch.Tensor, weight: torch.Tensor) -> torch.memory_format:
    """As cuDNN and oneDNN are called: channels last if either operand has them so, and the result, too."""
    found = [layout for layout in map(_format, (inputs, weight)) if layout != torch.contiguous_format]
    return found[0] if found else torch.contiguous_format


def _convolution(inputs: torch.Tensor, weight: torch.Tensor) -> int:
    layout = convolution_layout(inputs, weight)
    return _copy(inputs, layout) + _copy(weight, layout)


def _attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> int:
    """The logarithms of the sums, and above flash attention's size of head the sums themselves."""
    copies = sum(_copy(tensor) for tensor in (query, key, value) if tensor.stride(-1) != 1)
    sums = query.numel() // query.shape[-1] * 4
    if value.shape[-1] > _FLASH_SIZE and query.dtype in _HALF:
        sums += query.numel() // query.shape[-1] * value.shape[-1] * 4
    return copies + sums


def _product_copy(operand: torch.Tensor) -> int:
    """cuBLAS takes matrices by rows or by columns, also with gaps between them; of others a copy is made."""
    rows, columns = operand.stride()[-2:]
    return 0 if columns == 1 or rows == 1 else operand.numel() * operand.element_size()
