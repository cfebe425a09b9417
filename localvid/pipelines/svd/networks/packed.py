"""The weights of a unit packed into one buffer per dtype, copied to the device and put into the network.

One buffer means one copy and one allocation for a unit, however many weights it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

FP8 = torch.float8_e4m3fn
"""Eight bits: 1 sign, 4 exponent, 3 mantissa. Values are rounded by up to a 16th of themselves."""

_ALIGNMENT = 256
"""Bytes to which each weight is aligned in its buffer: what CUDA's vectorised kernels ask for, and more."""

Buffers = dict[torch.dtype, Tensor]


class Place(NamedTuple):
    """Where a weight or buffer of a network belongs. It holds none: who keeps a place keeps no memory."""

    module: nn.Module
    name: str

    @property
    def tensor(self) -> Tensor:
        """What is there now."""
        of_kind = self.module._parameters if self.name in self.module._parameters else self.module._buffers
        found: Tensor | None = of_kind[self.name]
        assert found is not None  # empty places are not named
        return found.detach()

    def put(self, tensor: Tensor) -> None:
        """Put a tensor in its place, whatever the dtype and device of the one before."""
        if self.name in self.module._parameters:
            self.module._parameters[self.name] = self.as_kept(tensor)
        else:
            self.module._buffers[self.name] = tensor

    def as_kept(self, tensor: Tensor) -> Any:
        """As the place keeps a tensor: as a parameter, if it is not a buffer's."""
        if self.name not in self.module._parameters or isinstance(tensor, nn.Parameter):
            return tensor
        return nn.Parameter(tensor, requires_grad=False)


class Packed:
    """The weights of one unit: stored always, and on the device between `fetch` and `remove`."""

    def __init__(
        self,
        places: Sequence[Place],
        *,
        device: torch.device,
        on_device: bool,
        fp8: bool,
    ) -> None:
        """Copy the weights into buffers and let the network have views of them, in the layout they had.

        `on_device`: the buffers are on the device, and nothing is copied when they are used; else they are
        in host memory, pinned for a CUDA device. `fp8`: matrices are stored in eight bits.
        """
        self._device = device
        self._on_device = on_device
        lengths: dict[torch.dtype, int] = {}
        self._weights = [_reserve(place, lengths, fp8=fp8) for place in places]
        self._stored = self._buffers(lengths)
        for weight in self._weights:
            weight.store(self._stored)
        self._fetched: _Fetched | None = None

    @property
    def num_bytes(self) -> int:
        """What the unit takes where it is stored."""
        return sum(buffer.numel() * buffer.itemsize for buffer in self._stored.values())

    def move(self, *, on_device: bool) -> None:
        """Store the weights there instead, bit by bit as they are; not while they are installed."""
        if on_device is self._on_device:
            return
        self._on_device = on_device
        try:
            stored = self._buffers({dtype: len(buffer) for dtype, buffer in self._stored.items()})
        except BaseException:
            self._on_device = not on_device
            raise
        for dtype, buffer in self._stored.items():
            stored[dtype].copy_(buffer)
        self._stored = stored
        for weight in self._weights:
            weight.rest_in(stored)
        self.remove()

    def _buffers(self, lengths: dict[torch.dtype, int]) -> Buffers:
        """Empty ones, where weights are to be stored."""
        storage = self._device if self._on_device else torch.device("cpu")
        pinned = self._device.type == "cuda" and not self._on_device
        return {
            dtype: torch.empty(length, dtype=dtype, device=storage, pin_memory=pinned)
            for dtype, length in lengths.items()
        }

    def fetch(self) -> None:
        """Start copying to the device."""
        if not self._on_device:
            self._fetched = _Fetched(self._stored, self._device)

    def install(self) -> None:
        """Let the network use the copies; on the device, what uses them waits until they have arrived."""
        buffers = self._stored
        if not self._on_device:
            if self._fetched is None:
                self.fetch()
            assert self._fetched is not None
            buffers = self._fetched.wait()
        for weight in self._weights:
            weight.put(weight.read(buffers))
        self._fetched = None  # the network's views keep what is needed; what was in eight bits is freed

    def remove(self) -> None:
        """Free the copies and let the network have the stored weights, also after half an installation."""
        self.drop()
        for weight in self._weights:
            weight.rest()

    def drop(self) -> None:
        """Free copies that were fetched and are not installed."""
        if self._fetched is not None:
            self._fetched.wait()
            self._fetched = None


class _Span(NamedTuple):
    """A tensor within the buffer of its dtype."""

    dtype: torch.dtype
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def of(self, buffers: Buffers) -> Tensor:
        return buffers[self.dtype].as_strided(self.size, self.stride, self.offset)


class _Weight:
    """One weight: where it belongs, and where it is stored."""

    def __init__(self, place: Place, values: _Span, scale: _Span | None) -> None:
        self._values = values
        self._scale = scale
        self._dtype = place.tensor.dtype
        self._place = place
        self._at_rest: Tensor | None = None

    def put(self, tensor: Tensor) -> None:
        """Let the network have it."""
        self._place.put(tensor)

    def rest_in(self, buffers: Buffers) -> None:
        """Be stored there from now on. What `rest` gives back is made once: a pass has many of these."""
        self._at_rest = self._place.as_kept(self._values.of(buffers))

    def rest(self) -> None:
        """Let the network have what is stored."""
        assert self._at_rest is not None  # it is stored
        self.put(self._at_rest)

    def store(self, buffers: Buffers) -> None:
        """Fill the buffers with what the network has, which then has them instead."""
        original, values = self._place.tensor, self._values.of(buffers)
        if self._scale is None:
            values.copy_(original)
        else:
            scale = _row_scale(original)
            self._scale.of(buffers).copy_(scale)
            values.copy_((original.float() / scale).to(FP8))
        self.rest_in(buffers)
        self.rest()

    def read(self, buffers: Buffers) -> Tensor:
        """The weight in its own dtype: a view of the buffers, or what the eight bits say."""
        values = self._values.of(buffers)
        return values if self._scale is None else values.to(self._dtype).mul_(self._scale.of(buffers))


def _reserve(place: Place, lengths: dict[torch.dtype, int], *, fp8: bool) -> _Weight:
    tensor = place.tensor
    if not (fp8 and tensor.dim() > 1 and tensor.is_floating_point()):
        return _Weight(place, _span(tensor, tensor.dtype, lengths), None)
    scale = torch.empty((len(tensor), *[1] * (tensor.dim() - 1)), device="meta")
    return _Weight(place, _span(tensor, FP8, lengths), _span(scale, tensor.dtype, lengths))


def _span(tensor: Tensor, dtype: torch.dtype, lengths: dict[torch.dtype, int]) -> _Span:
    """Reserve room for a tensor like this one, with its strides if they leave no gaps."""
    offset = lengths.get(dtype, 0)
    step = _ALIGNMENT // dtype.itemsize
    lengths[dtype] = offset + -(-tensor.numel() // step) * step
    extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    dense = tensor if extent == tensor.numel() else torch.empty(tensor.shape, device="meta")
    return _Span(dtype, offset, tuple(tensor.shape), dense.stride())


def _row_scale(tensor: Tensor) -> Tensor:
    """For each row of a matrix, or kernel of a convolution, what brings its largest value into range.

    Powers of two, which change no digit, in single precision.
    """
    largest = tensor.float().abs().amax(dim=tuple(range(1, tensor.dim())), keepdim=True)
    return torch.exp2(torch.ceil(torch.log2(largest.clamp(min=1e-12) / torch.finfo(FP8).max)))


class _Fetched:
    """Buffers on their way to the device, or there."""

    def __init__(self, stored: Buffers, device: torch.device) -> None:
        self._device = device
        self._buffers = {
            dtype: torch.empty(len(buffer), dtype=dtype, device=device) for dtype, buffer in stored.items()
        }
        self._arrived: torch.cuda.Event | None = None
        if device.type != "cuda":
            self._copy(stored)
            return
        stream = _copying_stream(device)
        # The memory was taken from the stream that computes, where its last use may not be over yet.
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            self._copy(stored)
            self._arrived = stream.record_event()

    def _copy(self, stored: Buffers) -> None:
        for dtype, buffer in stored.items():
            self._buffers[dtype].copy_(buffer, non_blocking=True)

    def wait(self) -> Buffers:
        """The buffers; what is computed from now on waits, on the device, until they are filled."""
        if self._arrived is not None:
            torch.cuda.current_stream(self._device).wait_event(self._arrived)
        return self._buffers


_streams: dict[torch.device, torch.cuda.Stream] = {}


def _copying_stream(device: torch.device) -> torch.cuda.Stream:
    """One for each device, so that copies follow one another."""
    if device not in _streams:
        _streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's own gap
    return _streams[device]
