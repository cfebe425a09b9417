"""The networks of Stable Video Diffusion, run by diffusers' own pipeline.

Tensors live here and in `latents`; the adapter passes them along and looks into none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from diffusers import StableVideoDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image

from localvid.config import Settings
from localvid.errors import GenerationFailedError
from localvid.pipelines.diffusion import choose_device, load_pipeline
from localvid.schemas import ModelInfo, SamplingSettings


class StockEngine:
    """Samples and decodes as diffusers does; on a GPU one network at a time is in its memory.

    Half precision on a GPU, single on the CPU. Noise is drawn on the CPU, so that a seed means the same
    noise on every device.
    """

    def __init__(self, info: ModelInfo, settings: Settings) -> None:
        """Load the networks from `info.source`. Raises NotAvailableError."""
        self.device = choose_device(settings)
        self.dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        self._pipeline = load_pipeline(StableVideoDiffusionPipeline, info, dtype=self.dtype)
        if self.device.type == "cuda":
            self._save_memory()

    def sample(
        self,
        image: Image.Image,
        *,
        num_frames: int,
        seed: int,
        sampling: SamplingSettings,
        on_step: Callable[[], None],
    ) -> torch.Tensor:
        """Latents `(frames, 4, height / 8, width / 8)` of a clip that starts from `image` and has its size.

        `on_step` is called after each step; what it raises passes unchanged.
        Raises GenerationFailedError if the latents are not finite.
        """

        def after_step(*_: object) -> dict[str, object]:
            on_step()
            return {}

        latents: torch.Tensor = self._pipeline(
            image,
            width=image.width,
            height=image.height,
            num_frames=num_frames,
            num_inference_steps=sampling.num_inference_steps,
            min_guidance_scale=sampling.min_guidance_scale,
            max_guidance_scale=sampling.max_guidance_scale,
            fps=sampling.conditioning_fps,
            motion_bucket_id=sampling.motion_bucket_id,
            noise_aug_strength=sampling.noise_aug_strength,
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="latent",
            callback_on_step_end=after_step,
        ).frames[0]
        if not torch.isfinite(latents).all():
            raise GenerationFailedError(
                "sampling gave latents that are not numbers", hint="try another seed or less motion"
            )
        return latents

    def decode(self, latents: torch.Tensor, *, chunk_size: int) -> Iterator[NDArray[np.uint8]]:
        """Frames `(chunk, height, width, 3)`, `chunk_size` at a time and fewer at the end.

        The decoder mixes neighbouring frames, so `chunk_size` shows in the result: a seam may be seen where
        two chunks meet. Raises GenerationFailedError if a frame is not finite in single precision either.
        """
        for chunk in torch.split(latents, chunk_size):
            yield self._decode_chunk(chunk)

    @torch.inference_mode()
    def _decode_chunk(self, latents: torch.Tensor) -> NDArray[np.uint8]:
        frames = self._run_decoder(latents, dtype=self.dtype)
        if self.dtype != torch.float32 and not torch.isfinite(frames).all():
            # Half precision overflowed. Single holds its weights exactly, so they survive the way there and
            # back; bfloat16 would round them for every clip that follows.
            frames = self._run_decoder(latents, dtype=torch.float32)
        if not torch.isfinite(frames).all():
            raise GenerationFailedError(
                "decoding gave frames that are not numbers", hint="try another seed or less motion"
            )
        # As diffusers' VideoProcessor: [-1, 1] → [0, 1] → bytes, rounded half to even.
        pixels = ((frames.float() * 0.5 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
        array: NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).cpu().numpy()
        return array

    def _run_decoder(self, latents: torch.Tensor, *, dtype: torch.dtype) -> torch.Tensor:
        vae = self._pipeline.vae
        if vae.dtype != dtype:
            vae.to(dtype=dtype)
        scaled = 1 / vae.config.scaling_factor * latents.to(self.device, dtype)
        frames: torch.Tensor = vae.decode(scaled, num_frames=len(latents)).sample
        return frames

    def _save_memory(self) -> None:
        """Keep one network on the device at a time, and the largest activations in slices of one frame.

        The same numbers for less memory: a step of 25 frames at 1024x576 takes 7.3 GiB in place of 10.6
        (predicted by counting live storages; docs/svd.md).
        """
        self._pipeline.enable_model_cpu_offload(device=self.device)
        self._pipeline.unet.enable_forward_chunking()

    def rest(self) -> None:
        """Leave the GPU and any half-done state; needed after every use, whole or broken off."""
        self._pipeline.maybe_free_model_hooks()
        if self._pipeline.vae.dtype != self.dtype:  # broken off while encoding, which is in single precision
            self._pipeline.vae.to(dtype=self.dtype)

    def close(self) -> None:
        """Let go of the hooks, which otherwise keep the networks alive."""
        self._pipeline.remove_all_hooks()
