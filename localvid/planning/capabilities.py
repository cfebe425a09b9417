"""Whether a model can make a clip that is asked for."""

from __future__ import annotations

from localvid.errors import CapabilityError
from localvid.schemas import ModelCapabilities, VideoRequest


def check_request(request: VideoRequest, capabilities: ModelCapabilities) -> None:
    """Raise CapabilityError with every reason why a model with these capabilities cannot make the clip."""
    problems = capability_problems(request, capabilities)
    if problems:
        raise CapabilityError(
            f"{request.model_id}: " + "; ".join(problems),
            hint="ask for what it can make, or for another model: `localvid list-models` shows all",
        )


def capability_problems(request: VideoRequest, capabilities: ModelCapabilities) -> list[str]:
    """Each reason why a model with these capabilities cannot make the clip; empty if it can."""
    problems = []
    for name, value, allowed in (
        ("width", request.width, capabilities.width),
        ("height", request.height, capabilities.height),
        ("num_frames", request.num_frames, capabilities.num_frames),
        ("fps", request.fps, capabilities.fps),
    ):
        if value not in allowed:
            problems.append(f"{name} {value} is outside {allowed}")
    for name, value in (("width", request.width), ("height", request.height)):
        if value % capabilities.size_multiple:
            lower = value - value % capabilities.size_multiple
            problems.append(
                f"{name} {value} is not a multiple of {capabilities.size_multiple} "
                f"(nearest: {lower} and {lower + capabilities.size_multiple})"
            )
    if capabilities.needs_first_frame and request.first_frame is None and request.latents is None:
        problems.append("it needs a first frame")
    if request.first_frame is not None and not capabilities.takes_first_frame:
        problems.append("it takes no first frame")
    if request.sampling is not None and capabilities.sampling is None:
        problems.append("it has no sampling steps, motion bucket or noise to set")
    problems += _fixed_sampling_problems(request, capabilities)
    if request.latents is not None and not capabilities.stores_latents:
        problems.append("it keeps no latents")
    if request.crop_path is not None and not capabilities.takes_crop_path:
        problems.append("its frames cannot be cropped before they are encoded")
    if request.least_frames < 1:
        problems.append(f"of {request.num_frames} frames none is left when one is handed to the next shot")
    if request.caption is not None and not capabilities.draws_captions:
        problems.append("it draws no captions")
    return problems


def _fixed_sampling_problems(request: VideoRequest, capabilities: ModelCapabilities) -> list[str]:
    if request.sampling is None or capabilities.sampling is None:
        return []
    return [
        f"its {name.replace('_', ' ')} is fixed at {getattr(capabilities.sampling, name):g}, "
        f"not {getattr(request.sampling, name):g}"
        for name in capabilities.fixed_sampling
        if getattr(request.sampling, name) != getattr(capabilities.sampling, name)
    ]
