"""Where the networks of an engine are: all of them on the device, one at a time, or one in units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from localvid.pipelines.svd.networks.layers import Residency, Resident, prepare
from localvid.pipelines.svd.networks.weights import Streamed, Units, unet_units, whole
from localvid.pipelines.svd.plan import Weights

_RESIDENT = Resident()


class Placement:
    """The networks of one engine, laid out as a plan's `weights` says.

    Between two uses nothing but `Weights.RESIDENT` weights is on the device. The host's copies are made
    once and kept, so taking weights off the device moves nothing.
    """

    def __init__(self, networks: Mapping[str, nn.Module], device: torch.device, *, fp8: bool) -> None:
        """`networks` by name, "unet" among them, in host memory. `fp8`: the UNet's are kept in eight bits,
        which is lossy and done once."""
        self._networks = networks
        self._device = device
        self._fp8 = fp8
        self.weights: Weights | None = None
        """As they are laid out; None before the first time, and where that failed."""
        self._streamed: dict[str, Streamed] = {}
        for network in networks.values():
            prepare(network)

    def settle(self, weights: Weights) -> None:
        """Lay the weights out so; idempotent, and tried again from the start after it failed."""
        if weights is self.weights:
            return
        self.weights = None
        # Weights outlive the inference mode that they may be laid out in.
        with torch.inference_mode(mode=False):
            for name, network in self._networks.items():
                self._settle(name, network, weights)
        self.weights = weights

    @contextmanager
    def using(self, name: str) -> Iterator[Residency]:
        """While the context is open, the network can work; its layers ask for their weights by what it
        gives."""
        streamed = self._streamed.get(name)
        if streamed is None:
            yield _RESIDENT
            return
        try:
            with streamed.on(self._networks[name]):
                yield streamed
        finally:
            streamed.rest()

    def _settle(self, name: str, network: nn.Module, weights: Weights) -> None:
        in_eight_bits = self._fp8 and name == "unet"
        if in_eight_bits and name in self._streamed:
            # Only moved: what was rounded must not be rounded again.
            self._streamed[name].move(on_device=weights is Weights.RESIDENT)
            return
        if weights is Weights.RESIDENT and not in_eight_bits:
            self._streamed.pop(name, None)
            network.to(self._device)
            return
        self._streamed[name] = Streamed(
            network,
            # In eight bits a unit is cast when it is used: the smaller, the less is there twice.
            _units(name, network, Weights.STREAM if in_eight_bits else weights),
            device=self._device,
            on_device=weights is Weights.RESIDENT,
            fp8=in_eight_bits,
        )


def _units(name: str, network: nn.Module, weights: Weights) -> Units:
    """Only the UNet is worth taking apart: it is three quarters of all weights."""
    if name != "unet":
        return whole(network)
    units = unet_units(network)
    # As one unit it has everything but what is used once per clip.
    return units if weights is Weights.STREAM else Units(steps=[], once=[[network], *units.once])
