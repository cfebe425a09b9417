"""Latents as files: safetensors whose header says what they were sampled for.

A file of 25 frames at 1024x576 holds 1.84 MB in half precision.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from localvid.errors import InvalidRequestError
from localvid.schemas import SamplingSettings, VideoRequest

SCALE = 8
"""Pixels to a latent along each side: what the published VAE shrinks by."""

CHANNELS = 4
_KEY = "latents"


def write_latents(
    latents: torch.Tensor, output: Path, request: VideoRequest, sampling: SamplingSettings
) -> None:
    """Write latents `(frames, channels, height / 8, width / 8)` in the precision that they have.

    Raises OSError as any writing does.
    """
    tensors = {_KEY: latents.detach().cpu().contiguous()}
    # Not `save_file`, whose error for a full disk is no OSError.
    output.write_bytes(save(tensors, metadata={"localvid": _identity(request, sampling)}))


def read_latents(path: Path, request: VideoRequest, sampling: SamplingSettings) -> torch.Tensor:
    """Read latents `(frames, channels, height / 8, width / 8)` that were sampled for this very request.

    Raises InvalidRequestError if the file is missing, damaged or was sampled for another request.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            identity = (file.metadata() or {}).get("localvid")
            latents: torch.Tensor | None = file.get_tensor(_KEY) if _KEY in file.keys() else None  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InvalidRequestError(
            f"{path} cannot be read as latents: {error}", hint="delete it; the clip is then sampled again"
        ) from error
    if latents is None or identity != _identity(request, sampling) or latents.shape != _shape(request):
        raise InvalidRequestError(
            f"{path} holds latents of another request", hint="delete it; the clip is then sampled again"
        )
    return latents


def _identity(request: VideoRequest, sampling: SamplingSettings) -> str:
    """What the latents depend on, but for the first frame, whose path says nothing of its content."""
    fields = request.model_dump(include={"model_id", "seed", "width", "height", "num_frames"})
    settings = sampling.model_dump(exclude={"decode_chunk_size"})
    return json.dumps({**fields, "sampling": settings}, sort_keys=True)


def _shape(request: VideoRequest) -> tuple[int, int, int, int]:
    return (request.num_frames, CHANNELS, request.height // SCALE, request.width // SCALE)
