"""Stable Video Diffusion: `adapter` speaks to localvid, `engine` runs a clip's stages, `latents` are files.

`networks` holds the networks in slices, `budget` the choice of those slices by memory, `plan` what both speak
of. Importing this package imports neither torch nor diffusers.
"""
