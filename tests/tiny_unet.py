"""Small random UNets of Stable Video Diffusion, and what they are called with. Real classes, no files."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Inputs(NamedTuple):
    """What a `UNetSpatioTemporalConditionModel` is called with, in its order."""

    sample: Tensor
    timestep: Tensor
    embeddings: Tensor
    time_ids: Tensor

    def to(self, dtype: torch.dtype) -> Inputs:
        return self._replace(sample=self.sample.to(dtype), embeddings=self.embeddings.to(dtype))


def tiny_unet(
    channels: tuple[int, ...] = (32, 64), heads: tuple[int, ...] = (2, 4), *, layers: int = 1, depth: int = 1
) -> Any:
    """A UNet all of whose weights are random, biases and mixing factors included.

    `layers` per block, `depth` transformer blocks in each transformer.
    """
    from diffusers import UNetSpatioTemporalConditionModel

    torch.manual_seed(0)
    last = len(channels) - 1
    unet = UNetSpatioTemporalConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=4,
        block_out_channels=channels,
        layers_per_block=layers,
        down_block_types=("CrossAttnDownBlockSpatioTemporal",) * last + ("DownBlockSpatioTemporal",),
        up_block_types=("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * last,
        transformer_layers_per_block=depth,
        num_attention_heads=heads,
        cross_attention_dim=32,
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
    ).eval()
    for name, weight in unet.named_parameters():
        if "mix_factor" in name:
            weight.data.uniform_(-2, 2)
        elif weight.dim() == 1:
            weight.data += 0.1 * torch.randn_like(weight)
    return unet


def unet_inputs(
    *, batch: int = 1, frames: int = 3, height: int = 8, width: int = 8, context: int = 32
) -> Inputs:
    """Random latents and conditions; `height` and `width` count latents."""
    generator = torch.Generator().manual_seed(frames)
    return Inputs(
        sample=torch.randn(batch, frames, 8, height, width, generator=generator),
        timestep=torch.tensor(1.3),
        embeddings=torch.randn(batch, 1, context, generator=generator),
        time_ids=10 * torch.rand(batch, 3, generator=generator),
    )


@torch.inference_mode()
def run_stock(unet: Any, inputs: Inputs) -> Tensor:
    result: Tensor = unet(*inputs).sample
    return result
