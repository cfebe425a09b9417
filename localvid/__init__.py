"""localvid: one prompt becomes a film on your own machine."""

__version__ = "0.1.0"
