"""Storyboards as text, in JSON and in YAML: read, written anew, and changed within what a person wrote.

It knows no files, no films and no models: text in, text out.
"""

from __future__ import annotations

from localvid.storyboard_file.reading import Form, form_of, parse
from localvid.storyboard_file.updating import updated
from localvid.storyboard_file.writing import written

__all__ = ["Form", "form_of", "parse", "updated", "written"]
