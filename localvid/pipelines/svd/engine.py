"""The networks of Stable Video Diffusion, run stage by stage: CLIP, VAE encode, UNet, VAE decode.

The numbers are those of diffusers' `StableVideoDiffusionPipeline`, whose models, scheduler and weights these
are; how much of a clip is in the device's memory at once is the plan's to say. Tensors live here and in
`latents`; the adapter passes them along and looks into none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
from diffusers import StableVideoDiffusionPipeline
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from localvid.config import Settings
from localvid.errors import GenerationFailedError
from localvid.pipelines.diffusion import choose_device, guarded, load_pipeline
from localvid.pipelines.svd.budget.ladder import ClipStage, Ladder
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.encoder import encode_image
from localvid.pipelines.svd.networks.pinned import pin_exactly
from localvid.pipelines.svd.networks.placement import Placement
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.pixels import all_finite
from localvid.pipelines.svd.plan import EnginePlan, Maps
from localvid.pipelines.svd.sampling import Conditioning, Sampling
from localvid.schemas import ModelInfo, SamplingSettings

Result = TypeVar("Result")

OUT_OF_MEMORY_HINT = (
    "ask for a smaller clip (--width, --height, --num-frames); `localvid plan` predicts what fits"
)
_SAFER = (torch.bfloat16, torch.float32)
"""Where half precision overflows while decoding: first the one with the range of single precision."""


class SvdEngine:
    """Samples and decodes under a plan that may change between two stages, and within one if memory runs out.

    Half precision on a GPU, single on the CPU. Noise is drawn on the CPU, so that a seed means the same
    noise on every device.
    """

    def __init__(self, info: ModelInfo, settings: Settings) -> None:
        """Read the networks from `info.source` into host memory. Raises NotAvailableError."""
        self.device = choose_device(settings)
        self.dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        if self.device.type == "cuda":
            pin_exactly()
        self._pipeline = load_pipeline(StableVideoDiffusionPipeline, info, dtype=self.dtype)
        networks = {name: getattr(self._pipeline, name) for name in ("image_encoder", "vae", "unet")}
        self._placement = Placement(networks, self.device, fp8=settings.fp8_weights)
        self._sliced: tuple[object, SlicedUNet] | None = None
        self._directory = settings.workspace

    @torch.inference_mode()
    def load(self, ladder: Ladder) -> None:
        """Lay the weights out as the plan says, or one rung lower where memory runs out already then.

        Raises OutOfMemoryError.
        """
        self._run(ladder, ClipStage.LOAD, lambda _: None)

    @torch.inference_mode()
    def sample(
        self,
        image: Image.Image,
        *,
        num_frames: int,
        seed: int,
        sampling: SamplingSettings,
        ladder: Ladder,
        on_step: Callable[[int], None],
    ) -> Tensor:
        """Latents `(frames, 4, height / 8, width / 8)` of a clip that starts from `image` and has its size.

        `on_step` is told each step's number, from 1, once it is done; what it raises passes unchanged. A
        step that ran out of memory is done again one rung lower, those before it are kept.
        Raises OutOfMemoryError, GenerationFailedError if the latents are not finite.
        """
        self.load(ladder)
        generator = torch.Generator("cpu").manual_seed(seed)
        pixels = self._noisy(image, sampling.noise_aug_strength, generator)
        embedding = self._run(ladder, ClipStage.CLIP, lambda _: self._embed(image))
        encoded = self._run(ladder, ClipStage.ENCODE, lambda _: self._encode(pixels))
        conditioning = Conditioning(
            embedding, encoded, sampling, num_frames=num_frames, device=self.device, dtype=self.dtype
        )
        state = Sampling(self._pipeline.scheduler, conditioning, generator)
        self._run(ladder, ClipStage.SAMPLE, lambda plan: self._go_on(state, plan, on_step))
        if not torch.isfinite(state.latents).all():
            raise GenerationFailedError(
                "sampling gave latents that are not numbers", hint="try another seed or less motion"
            )
        return state.latents[0]

    @torch.inference_mode()
    def decode(
        self, latents: Tensor, plan: EnginePlan, *, on_slice: Callable[[], None] = lambda: None
    ) -> Iterator[NDArray[np.uint8]]:
        """Frames `(height, width, 3)` in order, as each becomes final; `on_slice` is called in between.

        Raises GenerationFailedError if a frame is not finite in single precision either, and torch's own
        errors: to be called within `attempt`.
        """
        self._settle(plan)
        scaled = 1 / self._pipeline.vae.config.scaling_factor * latents
        done = 0
        for dtype in dict.fromkeys((self.dtype, *_SAFER)) if self.dtype.itemsize == 2 else (self.dtype,):
            for index, frame in enumerate(self._decode_in(dtype, scaled, plan, on_slice)):
                if index < done:
                    continue
                if not all_finite(frame):
                    break
                yield _to_bytes(frame)
                done += 1
            else:
                return
        raise GenerationFailedError(
            "decoding gave frames that are not numbers", hint="try another seed or less motion"
        )

    def attempt(self, work: Callable[[], Result]) -> Result:
        """Do what works on the device; its faults become localvid's, with nothing of the attempt held."""
        return guarded(work, out_of_memory_hint=OUT_OF_MEMORY_HINT)

    def close(self) -> None:
        """Let go of the UNet as it was run last."""
        self._sliced = None

    def _run(self, ladder: Ladder, stage: ClipStage, work: Callable[[EnginePlan], Any]) -> Any:
        def placed(plan: EnginePlan) -> Any:
            self._settle(plan)
            return work(plan)

        return ladder.run(stage, lambda plan: self.attempt(lambda: placed(plan)))

    def _settle(self, plan: EnginePlan) -> None:
        if self._placement.weights is not plan.weights:
            self._sliced = None  # it holds on to the layout before
        self._placement.settle(plan.weights)

    # --- stages ---------------------------------------------------------------------------------

    def _noisy(self, image: Image.Image, strength: float, generator: torch.Generator) -> Tensor:
        """The first frame from -1 to 1 with noise on it, `(1, 3, height, width)` in single precision."""
        pixels: Tensor = self._pipeline.video_processor.preprocess(image, image.height, image.width)
        noise: Tensor = randn_tensor(pixels.shape, generator=generator, dtype=pixels.dtype)
        return pixels + strength * noise

    def _embed(self, image: Image.Image) -> Tensor:
        """CLIP's embedding `(1, 1, channels)`, of what diffusers makes of the image."""
        with self._placement.using("image_encoder"):
            embedding: Tensor = self._pipeline._encode_image(image, self.device, 1, False)
        return embedding

    def _encode(self, pixels: Tensor) -> Tensor:
        """The first frame's latents `(1, 4, height / 8, width / 8)`."""
        with self._placement.using("vae") as weights:
            latents: Tensor = encode_image(self._pipeline.vae, pixels.to(self.device), weights=weights)
        return latents.to(self.dtype)

    def _go_on(self, state: Sampling, plan: EnginePlan, on_step: Callable[[int], None]) -> None:
        """All steps that are left."""
        with self._placement.using("unet") as weights:
            unet = self._slice(plan, weights)
            conditions = unet.condition(
                state.conditioning.embeddings,
                state.conditioning.time_ids,
                num_frames=state.conditioning.num_frames,
            )
            while not state.is_done:
                state.step(lambda sample, time: unet(sample, time, conditions))
                on_step(state.num_done)

    def _slice(self, plan: EnginePlan, weights: Any) -> SlicedUNet:
        """The UNet under a plan; the same object for the same plan, so that it is compiled once."""
        wanted = (plan.unet, plan.attention, plan.compile, weights)
        if self._sliced is None or self._sliced[0] != wanted:
            with torch.inference_mode(mode=False):
                unet = SlicedUNet(
                    self._pipeline.unet,
                    plan.unet,
                    weights=weights,
                    attention=plan.attention,
                    compiled=plan.compile,
                    device=self.device,
                )
            self._sliced = (wanted, unet)
        return self._sliced[1]

    def _decode_in(
        self, dtype: torch.dtype, latents: Tensor, plan: EnginePlan, on_slice: Callable[[], None]
    ) -> Iterator[Tensor]:
        latents = latents.to(self.device, dtype)
        if plan.decoder.maps is Maps.DISK:
            self._directory.mkdir(parents=True, exist_ok=True)
        if dtype == self.dtype:
            with self._placement.using("vae") as weights:
                yield from decode(
                    self._pipeline.vae,
                    latents,
                    plan.decoder,
                    weights=weights,
                    directory=self._directory,
                    on_slice=on_slice,
                )
            return
        # A copy, for the weights would not come back from another precision as they were.
        with torch.inference_mode(mode=False):
            other = copy.deepcopy(self._pipeline.vae).to(self.device, dtype)
        yield from decode(other, latents, plan.decoder, directory=self._directory, on_slice=on_slice)


def _to_bytes(frame: Tensor) -> NDArray[np.uint8]:
    """As diffusers' VideoProcessor: [-1, 1] → [0, 1] → bytes, rounded half to even."""
    pixels = ((frame.float() * 0.5 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    array: NDArray[np.uint8] = pixels.permute(1, 2, 0).contiguous().cpu().numpy()
    return array
