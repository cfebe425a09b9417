"""Storyboards as text, in JSON and in YAML: read, written anew, and changed within what a person wrote.

It opens no files and knows no films and no models: text in, text out.
"""

from __future__ import annotations

from localvid.storyboard_file.images import with_images_as_named, with_images_beside
from localvid.storyboard_file.reading import Form, form_of, parse
from localvid.storyboard_file.updating import updated
from localvid.storyboard_file.writing import written

__all__ = ["Form", "form_of", "parse", "updated", "with_images_as_named", "with_images_beside", "written"]
