"""Layers of the UNet and of the decoder over slices of a clip, with the same numbers as over all of it.

Spatial layers see one frame at a time, so any number of frames is a slice. A temporal convolution sees one
pixel at a time, so any number of pixels is a slice; its group norm spans all frames and pixels of a clip, so
its statistics are gathered slice by slice before it is applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from localvid.pipelines.svd.networks.feature_map import FeatureMap, Frames
from localvid.pipelines.svd.networks.slicing import slices


class Residency(Protocol):
    """Sees to it that weights are on the device while they are used."""

    def on(self, module: nn.Module) -> AbstractContextManager[None]:
        """While the context is open, the weights of `module` are on the compute device."""
        ...


class Resident:
    """All weights are on the device anyway."""

    def on(self, module: nn.Module) -> AbstractContextManager[None]:  # noqa: ARG002
        return nullcontext()


def on_cpu(values: Tensor) -> bool:
    """Whether a processor computes with them, whose caches and kernels ask for another way than a GPU's."""
    return values.device.type == "cpu"


def prepare(network: nn.Module) -> None:
    """Lay out the weights of convolutions as the slices are: channels last. Values and shapes stay."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            _lay_out(module, torch.channels_last)
        elif isinstance(module, nn.Conv3d):
            _lay_out(module, torch.channels_last_3d)


def _lay_out(module: nn.Conv2d | nn.Conv3d, layout: torch.memory_format) -> None:
    if not module.weight.is_contiguous(memory_format=layout):
        module.weight.data = module.weight.data.contiguous(memory_format=layout)


class Moments:
    """Mean and variance of each group of channels, gathered slice by slice in single precision.

    Either all slices hold values of the same rows, or each holds rows of its own.
    """

    def __init__(self, groups: int) -> None:
        self._groups = groups
        self._same: list[_Part] = []
        self._own: list[tuple[Tensor, Tensor]] = []

    def add(self, values: Tensor) -> None:
        """Take in values `(rows, …, channels)` that are further ones of the same rows."""
        self._same += _parts(values)

    def add_rows(self, values: Tensor) -> None:
        """Take in all values `(rows, …, channels)` of further rows."""
        self._own.append(_of_groups(_parts(values), self._groups))

    def of_rows(self) -> tuple[Tensor, Tensor]:
        """Mean and variance `(rows, groups)` of the rows that `add` was given."""
        if not self._same:
            raise LookupError("no values were added")
        return _of_groups(self._same, self._groups)

    def of_clips(self, num_frames: int) -> tuple[Tensor, Tensor]:
        """Mean and variance `(clips, groups)`, the rows that `add_rows` was given being frames in order."""
        means = torch.cat([mean for mean, _ in self._own]).view(-1, num_frames, self._groups)
        variances = torch.cat([variance for _, variance in self._own]).view(means.shape)
        return _together(means, variances, dims=(1,))


_Part = tuple[int, Tensor, Tensor]
"""How many values of a channel are in a portion, and their mean and variance `(rows, portions, channels)`.
Portions are merged by these (Chan, Golub, LeVeque 1979), not by sums of squares over all of a map, which
would cost digits."""

_AT_ONCE = 2**21
"""Values that a processor takes in together: few enough to stay in its cache in single precision."""

_PORTION_ON_GPU = 1024
"""How many values of a channel are summed in one go there at most: the fewer, the fewer digits are lost."""


def _parts(values: Tensor) -> list[_Part]:
    rows, channels = values.shape[0], values.shape[-1]
    flat = values.reshape(rows, -1, channels)
    if on_cpu(values):
        at_once = max(1, _AT_ONCE // (rows * channels))
        return [_part_on_cpu(part) for part in torch.split(flat, at_once, dim=1)]
    portion = _portion(flat.shape[1])
    whole = flat.shape[1] // portion * portion
    parts = [flat[:, :whole].reshape(rows, -1, portion, channels), flat[:, None, whole:]]
    return [_part_on_gpu(part) for part in parts if part.numel() > 0]


@cache
def _portion(count: int) -> int:
    """One that leaves no rest, which would have kernels of its own, unless all such are small."""
    largest = min(count, _PORTION_ON_GPU)
    return next((size for size in range(largest, largest // 4, -1) if count % size == 0), largest)


def _part_on_cpu(values: Tensor) -> _Part:
    """A portion `(rows, count, channels)`."""
    # Around a value of each channel, so that squares of a large mean do not swallow the variance.
    pivot = values[:, :1].float()
    single = values - pivot if values.dtype == torch.float32 else values.float().sub_(pivot)
    count = values.shape[1]
    means = single.sum(1, keepdim=True) / count
    variances = (single.square_().sum(1, keepdim=True) / count - means.square()).clamp_(min=0)
    return count, means + pivot, variances


def _part_on_gpu(values: Tensor) -> _Part:
    """Portions `(rows, portions, count, channels)`."""
    count = values.shape[2]
    if values.dtype == torch.float32:
        variances, means = torch.var_mean(values, dim=2, correction=0)
        return count, means, variances
    # That would round the variance to half precision, too. Sums come in single precision of values as they
    # lie, without a copy. Squares of a mean swallow some 1e-7 of themselves: a thousandth of the variance
    # where the mean is a hundred standard deviations.
    means = values.mean(2, dtype=torch.float32)
    squares = torch.linalg.vector_norm(values, dim=2, dtype=torch.float32).square_().div_(count)
    return count, means, squares.addcmul_(means, means, value=-1).clamp_(min=0)


def _of_groups(parts: list[_Part], groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance `(rows, groups)` of all parts. Most portions are of one size: those in one go."""
    alike: dict[int, list[_Part]] = {}
    for part in parts:
        alike.setdefault(part[0], []).append(part)
    so_far, merged = 0, None
    for count, same in alike.items():
        means = _cat([means for _, means, _ in same])
        variances = _cat([variances for _, _, variances in same])
        by_group = (*means.shape[:2], groups, -1)
        moments = _together(means.view(by_group), variances.view(by_group), dims=(1, 3))
        further = count * means.shape[1]
        merged = moments if merged is None else _joined(merged, moments, share=further / (so_far + further))
        so_far += further
    assert merged is not None  # there are parts
    return merged


def _cat(portions: list[Tensor]) -> Tensor:
    return portions[0] if len(portions) == 1 else torch.cat(portions, dim=1)


def _together(means: Tensor, variances: Tensor, *, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance of parts of one size that lie along `dims`."""
    spread, mean = torch.var_mean(means, dim=dims, correction=0)
    return mean, variances.mean(dims) + spread


def _joined(
    one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], *, share: float
) -> tuple[Tensor, Tensor]:
    """Mean and variance of both, of which `share` is the other's."""
    (mean, variance), (their_mean, their_variance) = one, other
    apart = their_mean - mean
    joined = torch.lerp(variance, their_variance, share) + apart.square() * (share * (1 - share))
    return mean + apart * share, joined


def affine(norm: nn.GroupNorm, moments: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """What normalises: `scale` and `shift`, each `(rows, channels)` in single precision."""
    width = norm.num_channels // norm.num_groups
    mean, variance = (moment.repeat_interleave(width, dim=1) for moment in moments)
    scale = torch.rsqrt(variance + norm.eps) * norm.weight.float()
    return scale, norm.bias.float() - mean * scale


def norm_silu(values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """`silu(values * scale + shift)` for values `(rows, …, channels)` and one scale and shift a row."""
    if not on_cpu(values):
        return functional.silu(normed(values, scale, shift), inplace=True)
    result = torch.empty(values.shape, dtype=values.dtype)
    for part, place in _normed_parts(values, scale, shift, result):
        torch.ops.aten.silu.out(part, out=place)
    return result


def normed(values: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """`values * scale + shift`, as above, computed in single precision and rounded once."""
    result = torch.empty(values.shape, dtype=values.dtype, device=values.device)
    if not on_cpu(values):
        # One kernel, whatever the precisions; on a processor each would be converted in a copy.
        shape = (len(values), *[1] * (values.dim() - 2), values.shape[-1])
        return torch.addcmul(shift.view(shape), values, scale.view(shape), out=result)
    for part, place in _normed_parts(values, scale, shift, result):
        place.copy_(part)
    return result


_NORMED_AT_ONCE = 2**18
"""Values that a processor norms together, so that what comes next finds them in its cache."""

_NO_EPS = 1e-12
"""One and this is one in single precision. torch 2.11 refuses zero itself."""


def _normed_parts(
    values: Tensor, scale: Tensor, shift: Tensor, result: Tensor
) -> Iterator[tuple[Tensor, Tensor]]:
    """Parts `(count, channels)` of the rows, normed, and where in the result they belong.

    In one pass, as a batch norm does it with given statistics.
    """
    mean, variance = torch.zeros_like(scale[0]), torch.ones_like(scale[0])
    at_once = max(1, _NORMED_AT_ONCE // values.shape[-1])
    for row, (taken, places) in enumerate(zip(values.flatten(1, -2), result.flatten(1, -2), strict=True)):
        pairs = [(taken, places)]
        if len(taken) > at_once:  # to split what is small costs a small network 2 % of its time
            pairs = list(zip(torch.split(taken, at_once), torch.split(places, at_once), strict=True))
        weight, bias = scale[row], shift[row]
        for part, place in pairs:
            yield functional.batch_norm(part, mean, variance, weight, bias, eps=_NO_EPS), place


_MANY_PIXELS = 2**15
"""Of a frame. torch's own group norm on a processor adds up one after the other what lies channels last: over
576 x 1024 pixels in single precision its result is up to 7e-4 off, by moments 1.5e-6. Over few it is about as
good, and faster."""


def _is_torchs(frames: Tensor) -> bool:
    """Whether torch's own group norm serves for frames that lie channels last."""
    # The one for CUDA copies them out of channels last, and leaves them so.
    return on_cpu(frames) and frames.shape[2] * frames.shape[3] < _MANY_PIXELS


def frame_norm(norm: nn.GroupNorm, values: Tensor) -> Tensor:
    """Group norm of frames `(n, channels, height, width)`, channels last, each normed on its own."""
    if _is_torchs(values):
        result: Tensor = norm(values)
        return result
    rows = values.permute(0, 2, 3, 1)
    return normed(rows, *_own_affine(norm, rows)).permute(0, 3, 1, 2)


def frame_norm_silu(norm: nn.GroupNorm, values: Tensor) -> Tensor:
    """Group norm and SiLU of frames `(n, channels, height, width)`, channels last, each normed on its own."""
    if _is_torchs(values):
        return functional.silu(norm(values), inplace=True)
    rows = values.permute(0, 2, 3, 1)
    return norm_silu(rows, *_own_affine(norm, rows)).permute(0, 3, 1, 2)


def _own_affine(norm: nn.GroupNorm, rows: Tensor) -> tuple[Tensor, Tensor]:
    moments = Moments(norm.num_groups)
    moments.add(rows)
    return affine(norm, moments.of_rows())


def temporal_convolution(conv: nn.Conv3d, values: Tensor) -> Tensor:
    """A (3, 1, 1) convolution of values `(clips, frames, pixels, channels)`."""
    if values.dtype != torch.float32 or not on_cpu(values):
        # Frames as rows and pixels as columns of an image: one sum in single precision, rounded once.
        images = values.permute(0, 3, 1, 2)
        result = functional.conv2d(images, conv.weight.squeeze(-1), conv.bias, padding=(1, 0))
        return result.permute(0, 2, 3, 1)
    # On a CPU in single precision, products of matrices are about twice as fast.
    before, here, after = (conv.weight[:, :, tap, 0, 0] for tap in range(3))
    result = functional.linear(values, here, conv.bias)
    if values.shape[1] > 1:
        for clip in range(len(values)):
            result[clip, 1:].flatten(0, 1).addmm_(values[clip, :-1].flatten(0, 1), before.t())
            result[clip, :-1].flatten(0, 1).addmm_(values[clip, 1:].flatten(0, 1), after.t())
    return result


def run_resblock(
    block: Any,
    source: Frames,
    temb: Tensor | None = None,
    *,
    out: FeatureMap,
    frames: int,
    pixels: int,
    num_frames: int | None = None,
    scratch: FeatureMap | None = None,
    weights: Residency | None = None,
    on_slice: Callable[[], None] = lambda: None,
) -> FeatureMap:
    """A `SpatioTemporalResBlock` over slices of `frames` frames, then of `pixels` pixels. Returns `out`.

    `source` has shape (batch * frames, height, width, channels in); each of its slices is released once it
    is read, so it must not be needed afterwards; it may be `out` itself, if the channels agree. `out` has
    (batch * frames, height, width, channels out). `temb`: (batch * frames, embedding), or None. `num_frames`
    is that of one clip, by default all.

    Of several slices of pixels, the first temporal convolution is kept in `scratch` (of `out`'s shape) if
    there is one, and computed twice if there is none. `on_slice` is called after every slice; what it raises
    passes.
    """
    num_frames = num_frames or source.shape.frames
    with (weights or Resident()).on(block):
        first = _run_spatial(
            block, source, temb, out=out, frames=frames, num_frames=num_frames, on_slice=on_slice
        )
        _run_temporal(
            block,
            out,
            temb,
            first,
            pixels=pixels,
            num_frames=num_frames,
            scratch=scratch,
            on_slice=on_slice,
        )
    return out


def _run_spatial(
    block: Any,
    source: Frames,
    temb: Tensor | None,
    *,
    out: FeatureMap,
    frames: int,
    num_frames: int,
    on_slice: Callable[[], None],
) -> tuple[Tensor, Tensor]:
    """Returns scale and shift of the temporal block's first norm."""
    norm = block.temporal_res_block.norm1
    moments = Moments(norm.num_groups)
    for start, stop in slices(source.shape.frames, frames):
        part = None if temb is None else temb[start:stop]
        result = spatial_resnet(block.spatial_res_block, source.frames(start, stop), part)
        if source is not out:
            source.release_frames(start, stop)
        moments.add_rows(result.permute(0, 2, 3, 1))
        out.put_frames(start, result)
        on_slice()
    return affine(norm, moments.of_clips(num_frames))


def spatial_resnet(resnet: Any, values: Tensor, temb: Tensor | None = None) -> Tensor:
    """A `ResnetBlock2D` on channels-last frames `(n, channels, height, width)`, temb `(n, embedding)`."""
    hidden: Tensor = resnet.conv1(frame_norm_silu(resnet.norm1, values))
    if temb is not None:
        hidden += resnet.time_emb_proj(functional.silu(temb))[:, :, None, None]
    hidden = frame_norm_silu(resnet.norm2, hidden)
    hidden = resnet.conv2(hidden)
    hidden += values if resnet.conv_shortcut is None else resnet.conv_shortcut(values)
    return hidden


def _run_temporal(
    block: Any,
    values: FeatureMap,
    temb: Tensor | None,
    first: tuple[Tensor, Tensor],
    *,
    pixels: int,
    num_frames: int,
    scratch: FeatureMap | None,
    on_slice: Callable[[], None],
) -> None:
    """The `TemporalResnetBlock` and the blending with what came in, in place."""
    resnet = block.temporal_res_block
    clips = values.shape.frames // num_frames
    embedded = None
    if temb is not None:
        embedded = resnet.time_emb_proj(functional.silu(temb)).view(clips, num_frames, 1, -1)

    def by_clip(rows: Tensor) -> Tensor:
        return rows.view(clips, num_frames, *rows.shape[1:])

    def convolved(taken: Tensor) -> Tensor:
        hidden = temporal_convolution(resnet.conv1, norm_silu(taken, *first))
        return hidden if embedded is None else hidden.add_(embedded)

    whole = pixels >= values.shape.pixels
    moments = Moments(resnet.norm2.num_groups)
    hidden = None
    for start, stop in slices(values.shape.pixels, pixels):
        hidden = convolved(by_clip(values.pixels(start, stop)))
        moments.add(hidden)
        if scratch is not None and not whole:
            scratch.put_pixels(start, hidden.flatten(0, 1))
        on_slice()
    second = affine(resnet.norm2, moments.of_rows())
    temporal_share = _temporal_share(block.time_mixer)
    for start, stop in slices(values.shape.pixels, pixels):
        taken = by_clip(values.pixels(start, stop))
        if not whole:
            hidden = convolved(taken) if scratch is None else by_clip(scratch.pixels(start, stop))
        assert hidden is not None  # there is a slice
        hidden = norm_silu(hidden, *second)
        hidden = temporal_convolution(resnet.conv2, hidden)
        # (1 - share) * taken + share * (taken + hidden)
        values.put_pixels(start, taken.addcmul_(hidden, temporal_share).flatten(0, 1))
        on_slice()


def _temporal_share(mixer: Any) -> Tensor:
    """What an `AlphaBlender` multiplies the temporal result by, where no frame of a clip is an image."""
    factor: Tensor = mixer.mix_factor
    share = factor if mixer.merge_strategy == "fixed" else torch.sigmoid(factor)
    return share if mixer.switch_spatial_to_temporal_mix else 1 - share
