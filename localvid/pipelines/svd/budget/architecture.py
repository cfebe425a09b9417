"""The networks of a Stable Video Diffusion without their weights: modules on the meta device."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from localvid.errors import NotAvailableError
from localvid.pipelines.svd.budget.tracing import DEVICE
from localvid.pipelines.svd.networks.layers import prepare

_PUBLISHED = Path(__file__).with_name("architecture.toml")
_PARTS = ("unet", "vae", "image_encoder")


class Networks(NamedTuple):
    """What a clip passes through, in evaluation mode."""

    unet: Any
    vae: Any
    image_encoder: Any


def build_networks(source: Path | None, *, dtype: torch.dtype, sliced: bool = True) -> Networks:
    """The networks of a directory saved by `save_pretrained`, or the published ones where there is none.

    `sliced` lays their weights out as localvid's engine does; without it they are as diffusers has them.
    Raises NotAvailableError for a directory whose configuration cannot be read.
    """
    configs = _read_configs(source)
    with _building(dtype):
        networks = Networks(
            unet=UNetSpatioTemporalConditionModel.from_config(configs["unet"]),
            vae=AutoencoderKLTemporalDecoder.from_config(configs["vae"]),
            image_encoder=CLIPVisionModelWithProjection(CLIPVisionConfig(**configs["image_encoder"])),
        )
    for network in networks:
        network.eval().requires_grad_(False).to(DEVICE)
        if sliced:
            prepare(network)
    return networks


def weight_bytes(*networks: nn.Module) -> int:
    """What the weights and buffers take."""
    tensors = (tensor for network in networks for tensor in (*network.parameters(), *network.buffers()))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _read_configs(source: Path | None) -> Mapping[str, Any]:
    if source is None:
        return tomllib.loads(_PUBLISHED.read_text(encoding="utf-8"))
    try:
        return {part: json.loads((source / part / "config.json").read_bytes()) for part in _PARTS}
    except (OSError, ValueError) as error:
        raise NotAvailableError(
            f"{source} holds no Stable Video Diffusion that can be read: {error}",
            hint="name a directory saved by `save_pretrained`, or pull the model again",
        ) from error


@contextmanager
def _building(dtype: torch.dtype) -> Iterator[None]:
    """Modules that are made meanwhile have this dtype and no contents."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with DEVICE:
            yield
    finally:
        torch.set_default_dtype(before)
