"""How a shot's camera and energy become the motion of a model that reads no words."""

from __future__ import annotations

from localvid.schemas import FilmOptions, SamplingSettings, Shot

SAMPLING_OPTIONS = ("num_inference_steps", "motion_bucket_id", "noise_aug_strength", "decode_chunk_size")
"""The options of a film that only a model with sampling heeds."""


def sampling_for(shot: Shot, defaults: SamplingSettings, options: FilmOptions) -> SamplingSettings:
    """Sampling that gives a shot the motion it asks for, to a model that reads no words.

    - `motion_bucket_id` rises with energy: a third of the model's default at energy 0, the default at
      0.5 and 1.4 times the default at 1 (127 → 42, 127, 178), at most 255. The default and the range are
      the model's own (its card and diffusers' pipeline); above about 127 the picture grows less stable,
      so the upper half rises less steeply. The end points are localvid's choice. A static camera takes a
      tenth off, since the model answers a larger bucket with camera motion too.
    - `noise_aug_strength` is the model's default (0.02) up to energy 0.5 and three times that at 1: more
      noise loosens the hold of the first frame (diffusers' pipeline). The factor is localvid's choice.
    - `conditioning_fps` is the speed of playback where the user sets one, as in diffusers' pipeline, and
      otherwise the model's default.

    Whatever the options give explicitly is used as it is.
    """
    energy = shot.energy
    bucket = defaults.motion_bucket_id * (
        1 / 3 + energy * 4 / 3 if energy <= 0.5 else 1 + (energy - 0.5) * 0.8
    )
    if shot.camera == "static":
        bucket *= 0.9
    noise = defaults.noise_aug_strength * (1 + max(0.0, energy - 0.5) * 4)
    chosen: dict[str, object] = {
        "motion_bucket_id": max(1, min(255, round(bucket))),
        "noise_aug_strength": round(noise, 4),
    }
    if options.fps is not None:
        chosen["conditioning_fps"] = max(1, min(30, options.fps))
    for name in SAMPLING_OPTIONS:
        value = getattr(options, name)
        if value is not None:
            chosen[name] = value
    return SamplingSettings.model_validate({**defaults.model_dump(), **chosen})
