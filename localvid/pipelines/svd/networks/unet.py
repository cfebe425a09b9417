"""The UNet of Stable Video Diffusion, run over slices of a clip with the numbers that it has over all of it.

It works on diffusers' `UNetSpatioTemporalConditionModel` and its weights, in place of its `forward`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from localvid.pipelines.svd.networks.feature_map import FeatureMap, Frames, MapShape, map_opener
from localvid.pipelines.svd.networks.layers import Residency, Resident, frame_norm_silu, prepare, run_resblock
from localvid.pipelines.svd.networks.slicing import SMALLEST, slices
from localvid.pipelines.svd.networks.transformers import (
    Constants,
    Slicing,
    TransformerBlocks,
    constants,
    run_transformer,
)
from localvid.pipelines.svd.networks.upsampling import Upsampled
from localvid.pipelines.svd.plan import WHOLE, Attention, Guidance, Maps, UNetSlices


class Conditions(NamedTuple):
    """What a clip is conditioned on, as the UNet's layers take it: computed once, used in every step."""

    time_ids: Tensor
    """Embedding of frame rate, motion and noise, `(batch, embedding)`."""
    transformers: dict[nn.Module, Constants]
    """What each transformer adds."""

    def item(self, index: int) -> Conditions:
        """Those of one clip of the batch."""
        rows = slice(index, index + 1)
        return Conditions(
            time_ids=self.time_ids[rows],
            transformers={
                model: Constants(
                    spatial=tuple(vector[rows] for vector in known.spatial),
                    temporal=tuple(vector[rows] for vector in known.temporal),
                    positions=known.positions,
                )
                for model, known in self.transformers.items()
            },
        )


class SlicedUNet:
    """A `UNetSpatioTemporalConditionModel` that is run in slices.

    The weights' memory layout is changed in place, values and shapes are not: the network stays usable by
    itself. Slices are given for the first level; deeper ones, whose maps are smaller, take as much more at
    once as fits in the same memory.
    """

    def __init__(
        self,
        unet: Any,
        slices: UNetSlices | None = None,
        *,
        weights: Residency | None = None,
        attention: Attention = Attention.SDPA,
        compiled: bool = False,
        device: torch.device | None = None,
    ) -> None:
        """`device` is where slices are computed, by default where the weights are.

        Raises NotAvailableError if the attention's package is not installed, or does not run here.
        """
        self.unet = unet
        self.slices = slices or UNetSlices()
        self.device = device or unet.conv_in.weight.device
        self._weights = weights or Resident()
        self._blocks = TransformerBlocks(attention, self.device, compiled=compiled)
        prepare(unet)

    @torch.inference_mode()
    def condition(self, embeddings: Tensor, time_ids: Tensor, *, num_frames: int) -> Conditions:
        """What every step of a clip shares.

        `embeddings`: the image's, `(batch, 1, channels)`; `time_ids`: frame rate, motion bucket and noise
        `(batch, 3)`.
        """
        unet = self.unet
        projected = unet.add_time_proj(time_ids.flatten()).reshape(len(time_ids), -1)
        models = [model for block in _blocks(unet) for model in getattr(block, "attentions", ())]
        return Conditions(
            time_ids=unet.add_embedding(projected.to(embeddings.dtype)),
            transformers={
                model: constants(model, embeddings, num_frames=num_frames, weights=self._weights)
                for model in models
            },
        )

    @torch.inference_mode()
    def __call__(self, sample: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        """One prediction `(batch, frames, channels out, height, width)`.

        `sample`: `(batch, frames, channels in, height, width)`; `timestep`: a number, as a tensor of no or
        one dimension on the device.
        """
        if self._in_passes(sample):
            single = [self(sample[i : i + 1], timestep, conditions.item(i)) for i in range(len(sample))]
            return torch.cat(single)
        return _Pass(self, conditions, num_frames=sample.shape[1]).run(sample, timestep)

    def _in_passes(self, sample: Tensor) -> bool:
        """Whether the clips of a batch come one after the other: as asked, if they are worth slicing."""
        batch, frames, _, height, width = sample.shape
        values = frames * height * width * self.unet.conv_in.out_channels
        return self.slices.guidance is Guidance.PASSES and batch > 1 and values >= SMALLEST


def _blocks(unet: Any) -> list[Any]:
    return [*unet.down_blocks, unet.mid_block, *unet.up_blocks]


class _Pass:
    """One run through the network."""

    def __init__(self, sliced: SlicedUNet, conditions: Conditions, *, num_frames: int) -> None:
        self.unet = sliced.unet
        self.slices = sliced.slices
        self.weights = sliced._weights
        self.blocks = sliced._blocks
        self.conditions = conditions
        self.num_frames = num_frames
        self.device = sliced.device
        self.new_map = map_opener(Maps.DEVICE, device=sliced.device, block=WHOLE)

    def run(self, sample: Tensor, timestep: Tensor) -> Tensor:
        embedding = self._embed_time(timestep, len(sample), sample.dtype)
        frames = sample.flatten(0, 1)
        self.pixels = frames.shape[2] * frames.shape[3]
        x: Frames = self._first(frames)
        skips = [x]
        for block in self.unet.down_blocks:
            x = self._down(block, x, embedding, skips)
        x = self._mid(x, embedding)
        for block in self.unet.up_blocks:
            x = self._up(block, x, embedding, skips)
        result = self._last(x)
        return result.view(*sample.shape[:2], *result.shape[1:])

    def _embed_time(self, timestep: Tensor, batch: int, dtype: torch.dtype) -> Tensor:
        """`(batch * frames, embedding)`."""
        unet = self.unet
        projected = unet.time_proj(timestep.reshape(-1).expand(batch)).to(dtype)
        embedding: Tensor = unet.time_embedding(projected) + self.conditions.time_ids
        return embedding.repeat_interleave(self.num_frames, dim=0)

    def _first(self, frames: Tensor) -> FeatureMap:
        conv = self.unet.conv_in
        out = self._map(len(frames), frames.shape[2], frames.shape[3], conv.out_channels, frames.dtype)
        for start, stop in slices(len(frames), self._slicing(out.shape).frames):
            part = frames[start:stop].contiguous(memory_format=torch.channels_last)
            out.put_frames(start, conv(part))
        return out

    def _down(self, block: Any, x: Frames, embedding: Tensor, skips: list[Frames]) -> Frames:
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        for resnet, attention in zip(block.resnets, attentions, strict=True):
            # What comes in is a skip connection, too.
            features = self._resnet(resnet, _Kept(x), embedding)
            if attention is not None:
                self._attention(attention, features)
            x = features
            skips.append(x)
        for downsampler in block.downsamplers or ():
            x = self._downsample(downsampler, x)
            skips.append(x)
        return x

    def _mid(self, x: Frames, embedding: Tensor) -> Frames:
        block = self.unet.mid_block
        features = self._resnet(block.resnets[0], _Kept(x), embedding)
        for attention, resnet in zip(block.attentions, block.resnets[1:], strict=True):
            self._attention(attention, features)
            features = self._resnet(resnet, features, embedding)
        return features

    def _up(self, block: Any, x: Frames, embedding: Tensor, skips: list[Frames]) -> Frames:
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        for resnet, attention in zip(block.resnets, attentions, strict=True):
            with self.weights.on(resnet):  # and so those of the upsampler, of whose frames nothing is kept
                features = self._resnet(resnet, _Joined(x, skips.pop()), embedding)
            if attention is not None:
                self._attention(attention, features)
            x = features
        for upsampler in block.upsamplers or ():
            height, width = skips[-1].shape[1:3]
            x = Upsampled(x, upsampler, height=height, width=width)
        return x

    def _last(self, x: Frames) -> Tensor:
        unet = self.unet
        frames, height, width, _ = x.shape
        out = torch.empty(
            (frames, unet.conv_out.out_channels, height, width), dtype=self._dtype, device=self.device
        )
        for start, stop in slices(frames, self._slicing(x.shape).frames):
            hidden = frame_norm_silu(unet.conv_norm_out, x.frames(start, stop))
            x.release_frames(start, stop)
            out[start:stop] = unet.conv_out(hidden)
        return out

    def _resnet(self, resnet: Any, x: Frames, embedding: Tensor) -> FeatureMap:
        frames, height, width, _ = x.shape
        channels = resnet.temporal_res_block.out_channels
        out = self._map(frames, height, width, channels, embedding.dtype)
        scratch = self._map(frames, height, width, channels, embedding.dtype)
        slicing = self._slicing(out.shape)
        run_resblock(
            resnet,
            x,
            embedding,
            out=out,
            frames=slicing.frames,
            pixels=slicing.pixels,
            num_frames=self.num_frames,
            scratch=scratch,
            weights=self.weights,
        )
        return out

    def _attention(self, model: Any, features: FeatureMap) -> None:
        run_transformer(
            model,
            features,
            self.conditions.transformers[model],
            self._slicing(features.shape),
            blocks=self.blocks,
            new_map=self.new_map,
            weights=self.weights,
        )

    def _downsample(self, downsampler: Any, x: Frames) -> FeatureMap:
        frames, height, width, channels = x.shape
        out = self._map(frames, -(-height // 2), -(-width // 2), channels, self._dtype)
        with self.weights.on(downsampler):
            for start, stop in slices(frames, self._slicing(x.shape).frames):
                out.put_frames(start, downsampler(x.frames(start, stop)))
        return out

    @property
    def _dtype(self) -> torch.dtype:
        return self.conditions.time_ids.dtype

    def _map(self, frames: int, height: int, width: int, channels: int, dtype: torch.dtype) -> FeatureMap:
        return self.new_map(MapShape(frames, height, width, channels), dtype)

    def _slicing(self, shape: MapShape) -> Slicing:
        """Slices of a map that take as much memory as the slices of the first level's maps do."""
        first = self.unet.conv_in.out_channels
        frame = shape.pixels * shape.channels
        frames = self.slices.frames * max(1, self.pixels * first // frame)
        pixels = self.slices.pixels * first // shape.channels
        return Slicing(
            frames=min(max(frames, SMALLEST // frame), shape.frames),
            pixels=min(max(pixels, SMALLEST // (shape.frames * shape.channels), 1), shape.pixels),
            num_frames=self.num_frames,
        )


class _Kept:
    """Frames that are read and not released."""

    def __init__(self, source: Frames) -> None:
        self._source = source
        self.shape = source.shape

    def frames(self, start: int, stop: int) -> Tensor:
        return self._source.frames(start, stop)

    def release_frames(self, start: int, stop: int) -> None:
        """Nothing: they are read again."""


class _Joined:
    """The channels of two maps, one after the other."""

    def __init__(self, first: Frames, second: Frames) -> None:
        self._parts = (first, second)
        self.shape = first.shape._replace(channels=first.shape.channels + second.shape.channels)

    def frames(self, start: int, stop: int) -> Tensor:
        return torch.cat([part.frames(start, stop) for part in self._parts], dim=1)

    def release_frames(self, start: int, stop: int) -> None:
        for part in self._parts:
            part.release_frames(start, stop)
