"""The steps of one clip: what it is conditioned on, and how far it has come.

As diffusers' `StableVideoDiffusionPipeline.__call__` does it, without its waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from localvid.schemas import SamplingSettings

Predict = Callable[[Tensor, Tensor], Tensor]
"""A sample `(batch, frames, channels, height, width)` and a time → the UNet's prediction."""


class Conditioning:
    """What every step of a clip shares. The first of a batch of two is without the image."""

    def __init__(
        self,
        embedding: Tensor,
        encoded: Tensor,
        sampling: SamplingSettings,
        *,
        num_frames: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """`embedding`: CLIP's, `(1, 1, channels)`; `encoded`: the first frame's latents
        `(1, channels, height, width)`."""
        self.num_frames = num_frames
        self.num_steps = sampling.num_inference_steps
        self.guided = sampling.max_guidance_scale > 1
        # The networks were trained on the frame rate less one.
        told = [sampling.conditioning_fps - 1, sampling.motion_bucket_id, sampling.noise_aug_strength]
        self.embeddings = self._with_none(embedding)
        self.latents = self._with_none(encoded).unsqueeze(1).expand(-1, num_frames, -1, -1, -1)
        self.time_ids = torch.tensor([told] * len(self.embeddings), dtype=dtype).to(device)
        scale = torch.linspace(sampling.min_guidance_scale, sampling.max_guidance_scale, num_frames)
        self.guidance_scale = scale.to(device, dtype).view(1, -1, 1, 1, 1)

    def _with_none(self, tensor: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(tensor), tensor]) if self.guided else tensor


class Sampling:
    """Latents `(1, frames, channels, height, width)` on their way from noise. A step that fails changes
    nothing, and can be done again."""

    def __init__(self, scheduler: Any, conditioning: Conditioning, generator: torch.Generator) -> None:
        self.conditioning = conditioning
        self._scheduler = scheduler
        noise_shape = (1, *conditioning.latents.shape[1:])
        device, dtype = conditioning.latents.device, conditioning.latents.dtype
        scheduler.set_timesteps(conditioning.num_steps, device=device)
        # Otherwise the scheduler looks for each time in its list, which waits for the device.
        scheduler.set_begin_index(0)
        noise = randn_tensor(noise_shape, generator=generator, device=device, dtype=dtype)
        self.latents: Tensor = noise * scheduler.init_noise_sigma
        self.num_done = 0

    @property
    def is_done(self) -> bool:
        return self.num_done == len(self._scheduler.timesteps)

    def step(self, predict: Predict) -> None:
        """One step on."""
        conditioning = self.conditioning
        time = self._scheduler.timesteps[self.num_done]
        scaled = self._scheduler.scale_model_input(self.latents, time)
        batch = scaled.expand(len(conditioning.latents), -1, -1, -1, -1)
        prediction = predict(torch.cat([batch, conditioning.latents], dim=2), time)
        if conditioning.guided:
            without, given = prediction.chunk(2)
            prediction = without + conditioning.guidance_scale * (given - without)
        self.latents = self._scheduler.step(prediction, time, self.latents).prev_sample
        self.num_done += 1
