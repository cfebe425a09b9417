"""localvid: one prompt becomes a film on your own machine.

from localvid import VideoOrchestrator

orchestrator = VideoOrchestrator()
job = orchestrator.create_job(prompt="A peaceful forest at dawn", max_shots=3)
job = orchestrator.execute_job(job_id=job.id)
print(job.output_video_path)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from localvid.config import Settings, load_settings
    from localvid.errors import LocalvidError
    from localvid.orchestrator import VideoOrchestrator
    from localvid.schemas import (
        Camera,
        CameraSpeed,
        FilmOptions,
        FilmRecord,
        JobStatus,
        Progress,
        Shot,
        Storyboard,
        Transition,
        TransitionKind,
        VideoGenerationResult,
        VideoJob,
        VideoRequest,
    )

__all__ = [
    "Camera",
    "CameraSpeed",
    "FilmOptions",
    "FilmRecord",
    "JobStatus",
    "LocalvidError",
    "Progress",
    "Settings",
    "Shot",
    "Storyboard",
    "Transition",
    "TransitionKind",
    "VideoGenerationResult",
    "VideoJob",
    "VideoOrchestrator",
    "VideoRequest",
    "__version__",
    "load_settings",
]

_HOMES = {
    "LocalvidError": "errors",
    "Settings": "config",
    "VideoOrchestrator": "orchestrator",
    "load_settings": "config",
}


def __getattr__(name: str) -> Any:
    """Import a public name's module when the name is first used: `import localvid` alone costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module 'localvid' has no attribute {name!r}")
    value = getattr(import_module(f"localvid.{_HOMES.get(name, 'schemas')}"), name)
    globals()[name] = value
    return value
