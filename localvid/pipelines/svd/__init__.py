"""Stable Video Diffusion: `adapter` speaks to localvid, `engine` to the networks, `latents` to files.

The adapter knows an engine only by `sample`, `decode`, `rest` and `close`; another engine goes here beside
the one that wraps diffusers' pipeline. Importing this package imports neither torch nor diffusers.
"""
