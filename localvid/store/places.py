"""The names of a workspace's parts, which opening it, cleaning it and checking it share."""

DATABASE = "localvid.sqlite3"
ARTIFACTS = "artifacts"
FILMS = "films"
IMAGES = "images"
"""The workspace's folder of the user's images."""
TEMPORARIES = "tmp"
