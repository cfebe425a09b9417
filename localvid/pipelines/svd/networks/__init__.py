"""diffusers' UNet and VAE over slices of a clip, with the numbers that they have over all of it.

`feature_map` says where a clip's features are kept, `slicing` how loops go over them, `layers` and
`transformers` run what both networks are made of; `unet`, `decoder` and `encoder` run the networks.
`weights`, `packed` and `placement` see to it that weights are on the device while they are used, and
`pinned` that the host holds no more than it must.
"""
