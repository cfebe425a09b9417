"""The UNet's transformers over slices of a clip, with the same numbers as over all of it.

Spatial attention sees one frame at a time, temporal attention one pixel at a time. Attention to the image
has a single token to attend to, so it gives the same vector for every pixel, frame and step: it is computed
once per clip, and added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from localvid.errors import NotAvailableError
from localvid.pipelines.diffusion import first_line
from localvid.pipelines.svd.networks.feature_map import FeatureMap, NewMap
from localvid.pipelines.svd.networks.layers import Residency, frame_norm, on_cpu
from localvid.pipelines.svd.networks.slicing import slices
from localvid.pipelines.svd.plan import Attention

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention of query, key and value, each `(batch, tokens, heads, size)`, to the same shape."""

LARGEST_BATCH = 65_535
"""Pixels together in temporal attention: CUDA's kernels count batches in a dimension of a grid, which ends
there (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability")."""

_CHUNK = 2**22
"""Values of a feed-forward layer's hidden layer that are computed at once: few enough to stay in the
cache of a processor."""

_CHUNK_ON_GPU = 2**26
"""Fewer launches of kernels, and still small beside the feature maps: 128 MiB in half precision."""

_GRAPHS = 64
"""How many graphs a compiled block may have."""


class Constants(NamedTuple):
    """What a transformer adds in every step of a clip alike."""

    spatial: tuple[Tensor, ...]
    """For each spatial block what attention to the image gives, `(batch, channels)`."""
    temporal: tuple[Tensor, ...]
    """For each temporal block, as above."""
    positions: Tensor
    """Embedding of the frames' places in the clip, `(frames, channels)`."""


def load_attention(kind: Attention, device: torch.device) -> Attend:
    """The implementation of attention.

    Raises NotAvailableError if its package is not installed, or has no kernel for this device: it is tried.
    """
    if kind is Attention.SDPA:
        return sdpa
    hint = (
        "pip install 'localvid[xformers]' (its wheels pin one release of torch), or leave attention at sdpa"
    )
    try:
        from xformers.ops import memory_efficient_attention  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise NotAvailableError(
            f"attention is set to {kind.value}, which cannot be imported: {error}", hint=hint
        ) from error
    attend: Attend = memory_efficient_attention
    half = torch.float16 if device.type == "cuda" else torch.float32
    one = torch.zeros(1, 8, 1, 64, dtype=half, device=device)
    try:
        attend(one, one, one)
    except NotImplementedError as error:  # what it raises if it was built for another torch
        raise NotAvailableError(
            f"attention is set to {kind.value}, which has no kernel that runs here", hint=hint
        ) from error
    return attend


def sdpa(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """torch's own attention, which chooses the kernel by device and precision."""
    result = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    )
    return result.transpose(1, 2)


def constants(model: Any, context: Tensor, *, num_frames: int, weights: Residency) -> Constants:
    """What `model`, a `TransformerSpatioTemporalModel`, adds in every step.

    `context`: the image's embedding `(batch, 1, channels)`. With one token, softmax is 1, and what attention
    gives is its value, projected.
    """

    def attended(attention: Any) -> Tensor:
        with weights.on(attention):
            result: Tensor = attention.to_out[0](attention.to_v(context[:, 0]))
        return result

    places = model.time_proj(torch.arange(num_frames, device=context.device)).to(context.dtype)
    with weights.on(model.time_pos_embed):
        positions = model.time_pos_embed(places)
    return Constants(
        spatial=tuple(attended(block.attn2) for block in model.transformer_blocks),
        temporal=tuple(attended(block.attn2) for block in model.temporal_transformer_blocks),
        positions=positions,
    )


class Slicing(NamedTuple):
    """How a transformer is run over a map."""

    frames: int
    """Frames together in spatial layers."""
    pixels: int
    """Pixels together in temporal layers, over all frames of a clip."""
    num_frames: int
    """Frames of one clip; a map may hold several."""


def run_transformer(
    model: Any,
    features: FeatureMap,
    known: Constants,
    slicing: Slicing,
    *,
    blocks: TransformerBlocks,
    new_map: NewMap,
    weights: Residency,
) -> None:
    """A `TransformerSpatioTemporalModel` over `features`, in place."""
    with weights.on(model):
        shape = features.shape._replace(channels=model.proj_in.out_features)
        hidden = new_map(shape, features.dtype)
        for layer in range(len(model.transformer_blocks)):
            _run_spatial(model, layer, features, hidden, known, slicing, blocks)
            _run_temporal(model, layer, features, hidden, known, slicing, blocks)
        hidden.close()


def _run_spatial(
    model: Any,
    layer: int,
    features: FeatureMap,
    hidden: FeatureMap,
    known: Constants,
    slicing: Slicing,
    blocks: TransformerBlocks,
) -> None:
    """The spatial block of one layer, from `features` (the first layer) or `hidden` into `hidden`."""
    constant = known.spatial[layer].repeat_interleave(slicing.num_frames, dim=0).unsqueeze(1)
    _, height, width, channels = hidden.shape
    for start, stop in slices(hidden.shape.frames, slicing.frames):
        if layer == 0:
            tokens = functional.linear(
                _as_tokens(frame_norm(model.norm, features.frames(start, stop))),
                model.proj_in.weight,
                model.proj_in.bias,
            )
        else:
            tokens = _as_tokens(hidden.frames(start, stop))
        tokens = blocks.spatial(model.transformer_blocks[layer], tokens, constant[start:stop])
        frames = tokens.view(stop - start, height, width, channels).permute(0, 3, 1, 2)
        hidden.put_frames(start, frames)


def _as_tokens(frames: Tensor) -> Tensor:
    """`(n, channels, height, width)`, channels last, as `(n, height * width, channels)`: no copy."""
    return frames.permute(0, 2, 3, 1).flatten(1, 2)


def _run_temporal(
    model: Any,
    layer: int,
    features: FeatureMap,
    hidden: FeatureMap,
    known: Constants,
    slicing: Slicing,
    blocks: TransformerBlocks,
) -> None:
    """The temporal block of one layer over `hidden`; after the last layer, into `features`."""
    block = model.temporal_transformer_blocks[layer]
    share = torch.sigmoid(model.time_mixer.mix_factor).to(hidden.dtype)
    last = layer == len(model.transformer_blocks) - 1
    largest = LARGEST_BATCH // (hidden.shape.frames // slicing.num_frames)
    for start, stop in slices(hidden.shape.pixels, min(slicing.pixels, largest)):
        rows = hidden.pixels(start, stop)
        by_pixel = rows.view(-1, slicing.num_frames, *rows.shape[1:]).transpose(1, 2)
        mixed = blocks.temporal(block, by_pixel, known.positions, known.temporal[layer], share)
        if not last:
            rows.copy_(mixed.transpose(1, 2).flatten(0, 1))
            hidden.put_pixels(start, rows)
            continue
        result = functional.linear(mixed, model.proj_out.weight, model.proj_out.bias)
        residual = features.pixels(start, stop)
        by_clip = residual.view(-1, slicing.num_frames, *residual.shape[1:])
        by_clip += result.transpose(1, 2)
        features.put_pixels(start, residual)


class TransformerBlocks:
    """The two kinds of transformer block as functions of tensors, compiled if asked for."""

    def __init__(self, attention: Attention, device: torch.device, *, compiled: bool = False) -> None:
        """Raises NotAvailableError if the attention's package is not installed, or does not run here."""
        attend = load_attention(attention, device)

        def spatial(block: nn.Module, tokens: Tensor, constant: Tensor) -> Tensor:
            return spatial_block(block, tokens, constant, attend=attend)

        def temporal(
            block: nn.Module, rows: Tensor, positions: Tensor, constant: Tensor, share: Tensor
        ) -> Tensor:
            return temporal_block(block, rows, positions, constant, share, attend=attend)

        self.spatial: Callable[[nn.Module, Tensor, Tensor], Tensor] = spatial
        self.temporal: Callable[[nn.Module, Tensor, Tensor, Tensor, Tensor], Tensor] = temporal
        if compiled:
            # Each size of map and each last, smaller slice is a graph of its own; by default, torch goes on
            # without compiling after the eighth.
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _GRAPHS)
            self.spatial = _compiled(spatial)
            self.temporal = _compiled(temporal)


def _compiled(block: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The block, compiled when it is first called; NotAvailableError is raised then where that fails."""
    compiled = torch.compile(block, dynamic=False)

    def run(*operands: Any) -> Tensor:
        try:
            return compiled(*operands)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise NotAvailableError(
                f"compile_models is set, and torch.compile fails here: {first_line(error)}",
                hint="unset compile_models; it needs a C++ compiler and torch in a path without spaces on a "
                "processor, Triton and a C compiler on a GPU",
            ) from error

    return run


def spatial_block(block: Any, tokens: Tensor, constant: Tensor, *, attend: Attend) -> Tensor:
    """A `BasicTransformerBlock` on tokens `(frames, pixels, channels)`, which it overwrites.

    `constant` `(frames, 1, channels)` is what attention to the image gives.
    """
    _add_attention(block, tokens, constant, attend)
    _add_feed_forward(block.norm3, block.ff, tokens)
    return tokens


def temporal_block(
    block: Any, rows: Tensor, positions: Tensor, constant: Tensor, share: Tensor, *, attend: Attend
) -> Tensor:
    """A `TemporalBasicTransformerBlock` on rows `(batch, pixels, frames, channels)`, blended with them.

    Returns new rows, contiguous, of which `rows` make up `share`. `positions`: `(frames, channels)`;
    `constant`: `(batch, channels)`.
    """
    # Any strides come in; what comes out is pixel by pixel, so that attention needs no copies.
    taken = rows.clone(memory_format=torch.contiguous_format)
    taken += positions
    tokens = taken.flatten(0, 1)
    _add_feed_forward(block.norm_in, block.ff_in, tokens)
    _add_attention(block, tokens, constant.repeat_interleave(rows.shape[1], dim=0).unsqueeze(1), attend)
    _add_feed_forward(block.norm3, block.ff, tokens)
    return taken.lerp_(rows, share)


def _add_attention(block: Any, tokens: Tensor, constant: Tensor, attend: Attend) -> None:
    """Add self-attention, and `constant`, to `tokens` `(batch, tokens, channels)`."""
    attention = block.attn1
    normed = block.norm1(tokens)
    shape = (*tokens.shape[:2], attention.heads, -1)
    query = attention.to_q(normed).view(shape)
    key = attention.to_k(normed).view(shape)
    value = attention.to_v(normed).view(shape)
    del normed
    attended = attend(query, key, value).flatten(2)
    del query, key, value
    project_out = attention.to_out[0]
    tokens += constant + project_out.bias
    tokens.flatten(0, 1).addmm_(attended.flatten(0, 1), project_out.weight.t())


def _add_feed_forward(norm: nn.LayerNorm, feed_forward: Any, tokens: Tensor) -> None:
    """Add a feed-forward layer to contiguous `tokens` `(batch, tokens, channels)`, some rows at a time."""
    into, out = feed_forward.net[0].proj, feed_forward.net[2]
    width = out.in_features
    value_weight, gate_weight = into.weight.split(width)
    value_bias, gate_bias = into.bias.split(width)
    rows = tokens.flatten(0, 1)
    at_once = _CHUNK if on_cpu(rows) else _CHUNK_ON_GPU
    for start, stop in _chunks(len(rows), max(1, at_once // width)):
        part = rows[start:stop]
        normed = norm(part)
        hidden = torch.ops.aten.gelu_(functional.linear(normed, gate_weight, gate_bias))
        hidden *= functional.linear(normed, value_weight, value_bias)
        part += out.bias
        part.addmm_(hidden, out.weight.t())


def _chunks(length: int, size: int) -> Iterable[tuple[int, int]]:
    if torch.compiler.is_compiling():  # which cannot follow `slices` into its context variable
        return [(start, min(start + size, length)) for start in range(0, length, size)]
    return slices(length, size)
