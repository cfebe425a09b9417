"""Model ids: what each stands for, whether it runs here, which one serves, and opening it.

Knows manifests and this machine; knows no hub (`localvid.download` does) and no model's inside.
"""

from localvid.registry.availability import install_command, is_installed, size_text
from localvid.registry.catalogue import load_manifests, read_manifest, short_name
from localvid.registry.choice import (
    AUTO,
    Choice,
    choose_keyframe_model,
    choose_video_model,
    choose_writer,
    get_model,
    list_models,
    require,
)
from localvid.registry.opening import (
    check_fits,
    open_painter,
    open_remote_model,
    open_video_model,
    open_writer,
)

__all__ = [
    "AUTO",
    "Choice",
    "check_fits",
    "choose_keyframe_model",
    "choose_video_model",
    "choose_writer",
    "get_model",
    "install_command",
    "is_installed",
    "list_models",
    "load_manifests",
    "open_painter",
    "open_remote_model",
    "open_video_model",
    "open_writer",
    "read_manifest",
    "require",
    "short_name",
    "size_text",
]
