"""Where weights lie while a network works: on the device for as long as a unit of it needs them.

A unit is a module, or a few, whose weights come and go together. While one works, the next one is on its
way, so at most two are on the device. Weights that belong to no unit stay there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from localvid.pipelines.svd.networks.layers import prepare
from localvid.pipelines.svd.networks.packed import Packed, Place

Unit = Sequence[nn.Module]


class Units(NamedTuple):
    """How a network is taken apart."""

    steps: list[Unit]
    """In the order in which they are used, pass after pass."""
    once: list[Unit]
    """Used once per clip, before its first pass, and never fetched ahead."""


def whole(network: nn.Module) -> Units:
    """A network as a single unit."""
    return Units(steps=[], once=[[network]])


def unet_units(unet: Any) -> Units:
    """The units of a `UNetSpatioTemporalConditionModel`, as `SlicedUNet` uses them.

    What gives the same in every step (attention to the image, the frames' places) is apart from its
    transformer. With `steps` left out, all weights that a step needs stay on the device, and those do not.
    """
    steps: list[Unit] = []
    once: list[Unit] = []
    waiting: list[nn.Module] = []
    for block in [*unet.down_blocks, unet.mid_block, *unet.up_blocks]:
        for resnet, model in _layers(block):
            # Upsampling is done while the resnet after it reads its frames.
            steps.append([*waiting, resnet])
            waiting = []
            if model is not None:
                steps.append([model])
                once += [[part] for part in _constant_parts(model)]
        steps += [[sampler] for sampler in getattr(block, "downsamplers", None) or ()]
        waiting = list(getattr(block, "upsamplers", None) or ())
    return Units(steps, once)


def _layers(block: Any) -> Iterator[tuple[nn.Module, nn.Module | None]]:
    """Each resnet with the transformer after it; the last of the middle block has none."""
    attentions = list(getattr(block, "attentions", ()))
    attentions += [None] * (len(block.resnets) - len(attentions))
    return zip(block.resnets, attentions, strict=True)


def _constant_parts(model: Any) -> list[nn.Module]:
    blocks = [*model.transformer_blocks, *model.temporal_transformer_blocks]
    return [model.time_pos_embed, *(block.attn2 for block in blocks)]


class Streamed:
    """Weights that are on the device unit by unit, and else in host memory, or on it in eight bits.

    On CUDA the host's copies are pinned, and the next unit is copied on a stream of its own while this one
    works. With the CPU as the device the same is done, one after the other. Not for use by several threads.
    """

    def __init__(
        self,
        network: nn.Module,
        units: Units,
        *,
        device: torch.device,
        on_device: bool = False,
        fp8: bool = False,
    ) -> None:
        """Pack the units' weights, unit by unit, and move all others to `device`.

        `on_device`: the units' weights are kept on the device, which saves memory only together with `fp8`.
        `fp8` is lossy: matrices and kernels of units are kept in eight bits with a scale for each row, and
        cast to the dtype that they had while they are used. Otherwise all values stay as they are.
        """
        prepare(network)
        own = {module for unit in (*units.steps, *units.once) for module in unit}
        self._unit_of: dict[nn.Module, Packed] = {}
        for unit in (*units.steps, *units.once):
            packed = Packed(list(_places(unit, own)), device=device, on_device=on_device, fp8=fp8)
            self._unit_of.update(dict.fromkeys(unit, packed))
        order = [self._unit_of[unit[0]] for unit in units.steps]
        self._next = dict(zip(order, order[1:] + order[:1], strict=True)) if len(order) > 1 else {}
        self._open: set[Packed] = set()
        self._ahead: Packed | None = None
        if network not in own:
            for place in _places([network], own):
                place.put(place.tensor.to(device))

    def on(self, module: nn.Module) -> AbstractContextManager[None]:
        """While the context is open, the weights of `module`, and of its whole unit, are on the device.

        Those of a module that belongs to no unit always are. May be nested.
        """
        return self._opened(self._unit_of.get(module))

    @property
    def stored_bytes(self) -> int:
        """What the units' weights take where they are kept."""
        return sum(packed.num_bytes for packed in set(self._unit_of.values()))

    def move(self, *, on_device: bool) -> None:
        """Keep the units' weights there from now on, as they are; not while any of them is in use."""
        self.rest()
        for packed in set(self._unit_of.values()):
            packed.move(on_device=on_device)

    def rest(self) -> None:
        """Free the unit that was fetched ahead; the next use fetches what it needs."""
        if self._ahead is not None:
            self._ahead.drop()
            self._ahead = None

    @contextmanager
    def _opened(self, packed: Packed | None) -> Iterator[None]:
        if packed is None or packed in self._open:
            yield
            return
        self._open.add(packed)
        try:
            self._bring(packed)
            yield
        finally:
            self._open.remove(packed)
            packed.remove()

    def _bring(self, packed: Packed) -> None:
        if self._ahead is packed:
            self._ahead = None
        else:
            self.rest()
        packed.install()
        following = self._next.get(packed)
        if following is not None:
            following.fetch()
            self._ahead = following


def _places(unit: Unit, own: set[nn.Module]) -> Iterator[Place]:
    """All weights and buffers of the modules, but for those of units within them."""
    for module in unit:
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    yield Place(module, name)
        yield from _places([child for child in module.children() if child not in own], own)
