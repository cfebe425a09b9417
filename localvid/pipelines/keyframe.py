"""Keyframes from words, by any text-to-image model that diffusers loads from a directory."""

from __future__ import annotations

import logging
from math import sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field, ValidationError

from localvid.errors import GenerationFailedError, InvalidSettingsError
from localvid.pipelines.base import KeyframePainter
from localvid.pipelines.diffusion import (
    choose_device,
    free_memory,
    guarded,
    load_pipeline,
    use_threads,
)
from localvid.schemas import (
    Frozen,
    KeyframeRequest,
    ModelInfo,
    OnProgress,
    Progress,
    explain,
    ignore_progress,
)

_logger = logging.getLogger(__name__)

_OUT_OF_MEMORY_HINT = "choose a smaller keyframe model (`localvid list-models`), or give --reference-image"


_TOKENIZERS = ("tokenizer", "tokenizer_2", "tokenizer_3")


class PainterSettings(Frozen):
    """`[settings]` in the manifest of a keyframe model, as its authors recommend them."""

    num_inference_steps: int = Field(ge=1, le=200)
    guidance_scale: float = Field(ge=0, le=30)
    negative_prompt: str = ""
    """What the picture must not show; only for models that are guided."""
    native_pixels: int = Field(default=1024 * 1024, ge=64 * 64)
    """Pixels of the pictures that it was trained on: far fewer or more, and it composes badly."""
    size_multiple: int = Field(default=16, ge=8)
    """Width and height are multiples of this; 8 or 16 for every model in diffusers so far."""
    dtype: Literal["float16", "bfloat16", "float32"] = "float16"
    """On a GPU; the CPU always computes in float32."""


class DiffusersPainter(KeyframePainter):
    """Any text-to-image pipeline that `AutoPipelineForText2Image` knows.

    On a GPU one network at a time is in its memory, the rest waits in main memory. Noise is drawn on the
    CPU, so that a seed means the same noise on every device. No safety checker is loaded: it paints a
    picture that it objects to black, in silence.
    """

    _pipeline: Any = None

    def load(self, on_progress: OnProgress = ignore_progress) -> None:
        """Load the networks. Raises NotAvailableError, InvalidSettingsError, OutOfMemoryError."""
        if self._pipeline is None:
            self._defaults = _painter_settings(self.info)
            on_progress(Progress(step=0, num_steps=0, message=f"loading {self.info.manifest.title}"))
            self._pipeline = guarded(self._open_pipeline, out_of_memory_hint=_OUT_OF_MEMORY_HINT)

    def close(self) -> None:
        if self._pipeline is not None:
            self._pipeline.remove_all_hooks()
            self._pipeline = None
            free_memory()

    def _open_pipeline(self) -> Any:
        # Not before, and within `guarded`: diffusers gives advice while it is imported.
        from diffusers import AutoPipelineForText2Image

        use_threads(self.settings)
        device = choose_device(self.settings)
        dtype = getattr(torch, self._defaults.dtype) if device.type == "cuda" else torch.float32
        pipeline = load_pipeline(AutoPipelineForText2Image, self.info, dtype=dtype)
        if getattr(pipeline, "safety_checker", None) is not None:
            pipeline.safety_checker = None
        if device.type == "cuda":
            pipeline.enable_model_cpu_offload(device=device)
        return pipeline

    def _write_keyframe(self, request: KeyframeRequest, output: Path, on_progress: OnProgress) -> None:
        self.load(on_progress)
        pixels = guarded(
            lambda: self._sample(request, on_progress),
            rest=self._pipeline.maybe_free_model_hooks,
            out_of_memory_hint=_OUT_OF_MEMORY_HINT,
        )
        picture = Image.fromarray(_as_bytes(pixels))
        frame = ImageOps.fit(picture, (request.width, request.height), Image.Resampling.LANCZOS)
        frame.save(output, format="PNG")

    def _sample(self, request: KeyframeRequest, on_progress: OnProgress) -> NDArray[np.float32]:
        """The picture as the model made it, `(height, width, 3)` in [0, 1], of about its native size."""
        words = f"{request.description}, {request.style}" if request.style else request.description
        self._tell_of_unread_words(words)
        width, height = native_size(
            request.width,
            request.height,
            pixels=self._defaults.native_pixels,
            multiple=self._defaults.size_multiple,
        )

        def after_step(pipeline: Any, index: int, *_: object) -> dict[str, object]:
            steps = int(pipeline.num_timesteps)
            on_progress(Progress(step=index + 1, num_steps=steps, message="painting"))
            return {}

        negative = self._defaults.negative_prompt
        images = self._pipeline(
            prompt=words,
            width=width,
            height=height,
            num_inference_steps=request.num_inference_steps or self._defaults.num_inference_steps,
            guidance_scale=self._defaults.guidance_scale,
            generator=torch.Generator("cpu").manual_seed(request.seed),
            output_type="np",
            callback_on_step_end=after_step,
            **({"negative_prompt": negative} if negative else {}),
        ).images
        pixels: NDArray[np.float32] = images[0]
        return pixels

    def _tell_of_unread_words(self, words: str) -> None:
        """Log how many words no text encoder of the model reads; CLIP's, for one, stops at 77 tokens."""
        tokenizers = [getattr(self._pipeline, name, None) for name in _TOKENIZERS]
        unread = [
            len(tokenizer(words).input_ids) - int(tokenizer.model_max_length)
            for tokenizer in tokenizers
            if tokenizer is not None
        ]
        if unread and min(unread) > 0:
            _logger.warning(
                "%s does not read the last %d tokens of: %s", self.info.manifest.id, min(unread), words
            )


def native_size(width: int, height: int, *, pixels: int, multiple: int) -> tuple[int, int]:
    """The size nearest to the aspect of `width` x `height` that has about `pixels` pixels.

    Both sides are multiples of `multiple` and at least that.
    """
    scale = sqrt(pixels / (width * height))
    return (
        max(1, round(width * scale / multiple)) * multiple,
        max(1, round(height * scale / multiple)) * multiple,
    )


def _as_bytes(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Raises GenerationFailedError for a picture that is not finite or wholly black."""
    hint = "try another seed; if it happens again, the model needs another precision (dtype in its manifest)"
    if not np.isfinite(pixels).all():
        raise GenerationFailedError("the keyframe model gave pixels that are not numbers", hint=hint)
    picture = (pixels * 255).round().astype(np.uint8)
    if not picture.any():
        raise GenerationFailedError("the keyframe model gave a black picture", hint=hint)
    return picture


def _painter_settings(info: ModelInfo) -> PainterSettings:
    try:
        return PainterSettings.model_validate(info.manifest.settings)
    except ValidationError as error:
        raise InvalidSettingsError(
            f"manifest of {info.manifest.id}, settings: {explain(error)}", hint="docs/models.md lists them"
        ) from error
