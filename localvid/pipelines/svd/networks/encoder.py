"""The encoder of Stable Video Diffusion's VAE, on one image, in little memory.

It works on diffusers' `AutoencoderKLTemporalDecoder` and its weights. The decoder's weights are not touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from localvid.pipelines.svd.networks.layers import (
    Residency,
    Resident,
    frame_norm_silu,
    prepare,
    spatial_resnet,
)


@torch.inference_mode()
def encode_image(vae: Any, image: Tensor, *, weights: Residency | None = None) -> Tensor:
    """The most likely latents `(1, channels, height / 8, width / 8)`: stock's `latent_dist.mode()`.

    `image`: `(1, 3, height, width)` from -1 to 1, on the compute device, in any precision. A half-precision
    VAE whose config has `force_upcast` encodes in single precision, as diffusers' pipeline has it do; the
    result stays in the precision it was computed in.
    """
    weights = weights or Resident()
    with (
        weights.on(vae),
        weights.on(vae.encoder),
        weights.on(vae.quant_conv),
        _in_safe_precision(vae) as dtype,
    ):
        prepare(vae.encoder)
        hidden = _encode(vae.encoder, image.to(dtype=dtype, memory_format=torch.channels_last))
        moments: Tensor = vae.quant_conv(hidden)
    return moments.chunk(2, dim=1)[0].contiguous()


def _encode(encoder: Any, image: Tensor) -> Tensor:
    hidden: Tensor = encoder.conv_in(image)
    for block in encoder.down_blocks:
        for resnet in block.resnets:
            hidden = spatial_resnet(resnet, hidden)
        for downsampler in block.downsamplers or ():
            hidden = downsampler(hidden)
    hidden = spatial_resnet(encoder.mid_block.resnets[0], hidden)
    for attention, resnet in zip(encoder.mid_block.attentions, encoder.mid_block.resnets[1:], strict=True):
        hidden = attention(hidden).contiguous(memory_format=torch.channels_last)
        hidden = spatial_resnet(resnet, hidden)
    hidden = frame_norm_silu(encoder.conv_norm_out, hidden)
    result: Tensor = encoder.conv_out(hidden)
    return result


@contextmanager
def _in_safe_precision(vae: Any) -> Iterator[torch.dtype]:
    """The encoder in single precision where half would overflow; afterwards as it was, bit by bit."""
    before: torch.dtype = vae.quant_conv.weight.dtype
    parts: tuple[nn.Module, ...] = (vae.encoder, vae.quant_conv)
    if before != torch.float16 or not vae.config.force_upcast:
        yield before
        return
    try:
        for part in parts:
            part.to(dtype=torch.float32)
        yield torch.float32
    finally:
        for part in parts:
            part.to(dtype=before)
