"""Every stage of a clip run on tensors without contents: what each takes, with no weights and no GPU.

What is run is what the engine runs, weights brought to the device and all. Of what it repeats (steps, chunks
of frames) one is run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import nn

from localvid.pipelines.svd.budget.architecture import Networks, weight_bytes
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.budget.tracing import DEVICE, Memory, Trace, trace
from localvid.pipelines.svd.networks import decoder, layers, transformers
from localvid.pipelines.svd.networks.decoder import decode
from localvid.pipelines.svd.networks.encoder import encode_image
from localvid.pipelines.svd.networks.layers import Residency
from localvid.pipelines.svd.networks.placement import Placement
from localvid.pipelines.svd.networks.unet import SlicedUNet
from localvid.pipelines.svd.networks.weights import unet_units
from localvid.pipelines.svd.plan import DecoderSlices, Maps, UNetSlices, Weights

_REPEATED = (
    (layers, "norm_silu"),
    (layers, "temporal_convolution"),
    (layers, "spatial_resnet"),
    (layers, "frame_norm_silu"),
    (layers, "_of_groups"),
    (layers, "_part_on_gpu"),
    (decoder, "frame_norm_silu"),
    (transformers, "spatial_block"),
    (transformers, "temporal_block"),
)
"""What is called most often; a test holds that tracing without them gives the same."""

_Run = Callable[[Residency], object]


class Rehearsal:
    """The stages of one size of clip. Each is run when it is first asked for, and remembered.

    Peaks hold the weights that are on the device during a stage: with `Weights.RESIDENT` those of all
    networks, else those of the stage's own, or of the units of it that are there at a time.
    """

    def __init__(self, networks: Networks, size: ClipSize, *, guided: bool, fp8: bool = False) -> None:
        """`networks` as `build_networks` gives them; `guided`: whether guidance is above one."""
        self._networks = networks
        self._num_frames = size.num_frames
        self._image = (size.height, size.width)
        scale = 2 ** (len(networks.vae.config.block_out_channels) - 1)
        self._latents = (networks.vae.config.latent_channels, size.height // scale, size.width // scale)
        self._batch = 2 if guided else 1
        self._fp8 = fp8
        self._dtype: torch.dtype = networks.unet.dtype
        self._known: dict[object, Trace] = {}
        self._memory = Memory()

    def clip(self, weights: Weights) -> Trace:
        """The first frame's embedding."""
        config = self._networks.image_encoder.config
        size = (1, config.num_channels, config.image_size, config.image_size)
        return self._once("image_encoder", weights, "clip", lambda net, _: net(self._empty(*size)))

    def encode(self, weights: Weights) -> Trace:
        """The first frame's latents."""
        return self._once(
            "vae",
            weights,
            "encode",
            lambda net, on: encode_image(net, self._empty(1, 3, *self._image), weights=on),
        )

    def step(self, slices: UNetSlices, weights: Weights) -> Trace:
        """One step of sampling, with guidance if there is any, and what all steps share."""
        return self._once("unet", weights, slices, lambda net, on: self._step(net, slices, on))

    def decode(self, slices: DecoderSlices, weights: Weights) -> Trace:
        """All frames, or one chunk of them."""
        if slices.maps is Maps.DISK:  # which passes through host memory: to the device it is the same
            slices = slices.model_copy(update={"maps": Maps.HOST})
        return self._once("vae", weights, slices, lambda net, on: self._decode(net, slices, on))

    @property
    def kinds(self) -> tuple[Weights, ...]:
        """Of keeping weights, each with less on the device than the one before. In eight bits the UNet comes
        unit by unit as soon as it is not resident, so there is no third."""
        return (Weights.RESIDENT, Weights.MODEL) if self._fp8 else tuple(Weights)

    def comes_in_units(self, weights: Weights) -> bool:
        """Whether the UNet's weights come while it works, one unit ahead."""
        return weights is Weights.STREAM or (self._fp8 and weights is Weights.MODEL)

    def known_step(self, slices: UNetSlices) -> Trace | None:
        """A step that was rehearsed, wherever its weights were."""
        known = (self._known.get((weights, slices)) for weights in Weights)
        return next((taken for taken in known if taken is not None), None)

    @cached_property
    def weight_bytes(self) -> int:
        """Of all networks' weights, in the precision of the files."""
        return weight_bytes(*self._networks)

    def least_bytes(self, weights: Weights) -> int:
        """Of weights, what the device holds in some stage at least: known without a rehearsal."""
        sizes = [weight_bytes(network) for network in self._networks]
        if self._fp8 or weights is Weights.STREAM:
            return sorted(sizes)[-2]  # the largest is taken apart
        if weights is Weights.MODEL:
            return max(sizes) - self._once_bytes
        return sum(sizes)

    @cached_property
    def _once_bytes(self) -> int:
        """Of the UNet's weights, those that are used once per clip and then leave the device."""
        return weight_bytes(*(part for unit in unet_units(self._networks.unet).once for part in unit))

    def least_map_bytes(self, slices: DecoderSlices) -> int:
        """Of the decoder's maps, what the device holds at least: known without a rehearsal.

        On the device there is one of the last level; where all frames are taken together, a convolution's
        input and result, too.
        """
        frames = min(self._num_frames, slices.chunk_frames or self._num_frames)
        maps = 3 if slices.frames >= frames else int(slices.maps is Maps.DEVICE)
        channels: int = self._networks.vae.config.block_out_channels[0]
        return maps * frames * self._image[0] * self._image[1] * channels * self._dtype.itemsize

    # --- the device -----------------------------------------------------------------------------

    def _once(
        self, name: str, weights: Weights, what: object, run: Callable[[Any, Residency], object]
    ) -> Trace:
        alone = weights if name == "unet" else Weights.MODEL  # only the UNet is taken apart
        if weights is Weights.RESIDENT and not self._fp8:
            # As if it came alone, with what else stays on the device; so one rehearsal serves both.
            return self._beside_others(name, self._once(name, Weights.MODEL, what, run))
        key = (alone, what)
        if key not in self._known:
            self._known[key] = self._rehearse(name, alone, run)
        taken = self._known[key]
        return self._beside_others(name, taken) if weights is Weights.RESIDENT else taken

    def _beside_others(self, name: str, taken: Trace) -> Trace:
        """The stage of one network with the weights of the others on the device."""
        others = weight_bytes(*(other for part, other in self._networks._asdict().items() if part != name))
        once = self._once_bytes if name == "unet" and not self._fp8 else 0
        return taken._replace(peak_bytes=taken.peak_bytes + others + once)

    def _rehearse(self, name: str, weights: Weights, run: Callable[[Any, Residency], object]) -> Trace:
        network = _on_host(getattr(self._networks, name))
        placement = Placement({name: network}, DEVICE, fp8=self._fp8)

        def open_run() -> Callable[[], object]:
            placement.settle(weights)

            def placed() -> None:
                with placement.using(name) as residency:
                    run(network, residency)

            return placed

        return trace(open_run, repeated=_REPEATED, memory=self._memory)

    # --- what is run ----------------------------------------------------------------------------

    def _step(self, unet: Any, slices: UNetSlices, weights: Residency) -> object:
        """As `sampling.Sampling.step`, whose scheduler looks into its times."""
        batch, frames, (channels, height, width) = self._batch, self._num_frames, self._latents
        latents = self._empty(1, frames, channels, height, width)
        image = self._empty(batch, 1, unet.config.in_channels - channels, height, width)
        embedding = self._empty(batch, 1, unet.config.cross_attention_dim)
        sliced = SlicedUNet(unet, slices, weights=weights, device=DEVICE)
        conditions = sliced.condition(embedding, self._empty(batch, 3), num_frames=frames)
        sample = torch.cat(
            [latents.expand(batch, -1, -1, -1, -1), image.expand(-1, frames, -1, -1, -1)], dim=2
        )
        prediction = sliced(sample, torch.zeros((), device=DEVICE), conditions)
        del sample
        if batch == 2:
            without, given = prediction.chunk(2)
            prediction = without + (given - without) * self._empty(1, frames, 1, 1, 1)
        # Euler's method, in single precision.
        return latents.float() + prediction.float()

    def _decode(self, vae: Any, slices: DecoderSlices, weights: Residency) -> None:
        frames = min(self._num_frames, slices.chunk_frames or self._num_frames)
        for frame in decode(vae, self._empty(frames, *self._latents), slices, weights=weights):
            ((frame.float() * 0.5 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()

    def _empty(self, *size: int) -> torch.Tensor:
        return torch.empty(size, dtype=self._dtype, device=DEVICE)


def _on_host(network: nn.Module) -> nn.Module:
    """The network with weights in host memory that is never touched, in the same layout.

    Only what weights are put into is its own, all else is shared: a deep copy takes as long as the run.
    """
    return _reweighted(network, {})


def _reweighted(module: nn.Module, made: dict[nn.Module, nn.Module]) -> nn.Module:
    if module in made:
        return made[module]
    copied = made[module] = copy.copy(module)
    copied._parameters = {
        name: None if weight is None else nn.Parameter(_host_like(weight), requires_grad=False)
        for name, weight in module._parameters.items()
    }
    copied._buffers = {
        name: None if buffer is None else _host_like(buffer) for name, buffer in module._buffers.items()
    }
    copied._modules = {
        name: None if child is None else _reweighted(child, made) for name, child in module._modules.items()
    }
    return copied


def _host_like(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(tensor, device="cpu")
