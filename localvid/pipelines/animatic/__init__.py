"""The animatic: a moving storyboard painted from the shot's words. See docs/animatic.md."""

from localvid.pipelines.animatic.adapter import Animatic, AnimaticPainter

__all__ = ["Animatic", "AnimaticPainter"]
