"""Downloading a model's weights into the Hugging Face cache: licence first, resumed, and verified in full.

What is here afterwards is what huggingface_hub itself would have put there, so other programs find it too.
"""

from localvid.download.pulling import licence_text, pull

__all__ = ["licence_text", "pull"]
