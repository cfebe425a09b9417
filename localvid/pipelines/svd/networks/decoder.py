"""The temporal decoder of Stable Video Diffusion's VAE, over slices of a clip.

It works on diffusers' `AutoencoderKLTemporalDecoder` and its weights. All frames are decoded together, as
the network defines it, whatever fits on the device: between two layers the clip is a feature map, which may
be kept in host memory or in a file. No full-size map has more channels than the last level's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from localvid.pipelines.svd.networks.feature_map import FeatureMap, Frames, MapShape, NewMap, map_opener
from localvid.pipelines.svd.networks.layers import Residency, Resident, frame_norm_silu, prepare, run_resblock
from localvid.pipelines.svd.networks.slicing import SMALLEST, slices
from localvid.pipelines.svd.networks.upsampling import Upsampled
from localvid.pipelines.svd.plan import DecoderSlices


@torch.inference_mode()
def decode(
    vae: Any,
    latents: Tensor,
    slicing: DecoderSlices | None = None,
    *,
    weights: Residency | None = None,
    new_map: NewMap | None = None,
    directory: Path | None = None,
    on_slice: Callable[[], None] = lambda: None,
) -> Iterator[Tensor]:
    """Frames `(3, height, width)` in order, each as soon as it is final, as `vae.decode` gives them.

    `latents`: `(frames, channels, height / 8, width / 8)`, already divided by the scaling factor, on the
    compute device and in the VAE's precision. `new_map` opens the feature maps, by default as
    `slicing.maps` says, files in `directory`. `on_slice` is called after every slice of every layer; what
    it raises passes unchanged, and nothing is kept then.

    With `slicing.chunk_frames` the decoder is run for so many frames at a time, as diffusers does: it mixes
    neighbouring frames, so a seam may be seen where two chunks meet.
    """
    slicing = slicing or DecoderSlices()
    weights = weights or Resident()
    prepare(vae.decoder)
    new_map = new_map or map_opener(
        slicing.maps, device=latents.device, block=slicing.frames, directory=directory
    )
    with weights.on(vae), weights.on(vae.decoder):
        for chunk in torch.split(latents, slicing.chunk_frames or len(latents)):
            with closing(_Clip(vae.decoder, len(chunk), slicing, weights, new_map, on_slice)) as clip:
                yield from clip.decode(chunk)


class _Clip:
    """One run through the decoder."""

    def __init__(
        self,
        decoder: Any,
        num_frames: int,
        slicing: DecoderSlices,
        weights: Residency,
        new_map: NewMap,
        on_slice: Callable[[], None],
    ) -> None:
        self._decoder = decoder
        self._num_frames = num_frames
        self._slicing = slicing
        self._weights = weights
        self._new_map = new_map
        self._on_slice = on_slice
        self._open: list[FeatureMap] = []

    def decode(self, latents: Tensor) -> Iterator[Tensor]:
        decoder = self._decoder
        x = self._first(latents)
        x = self._resnet(decoder.mid_block.resnets[0], x)
        # The network runs as many of its attentions as it has resnets after the first.
        for attention, resnet in zip(
            decoder.mid_block.attentions, decoder.mid_block.resnets[1:], strict=False
        ):
            self._attend(attention, x)
            x = self._resnet(resnet, x)
        upsampler = None
        for block in decoder.up_blocks:
            for resnet in block.resnets:
                x = self._resnet(resnet, x, upsampler)
                upsampler = None
            upsampler = block.upsamplers[0] if block.upsamplers else None
        yield from self._last(x)

    def close(self) -> None:
        """Let go of the feature maps, also of a run that was broken off."""
        while self._open:
            self._open.pop().close()

    def _first(self, latents: Tensor) -> FeatureMap:
        conv = self._decoder.conv_in
        out = self._new(latents.shape[2], latents.shape[3], conv.out_channels)
        for start, stop in slices(self._num_frames, self._slicing.frames):
            part = latents[start:stop].contiguous(memory_format=torch.channels_last)
            out.put_frames(start, conv(part))
        return out

    def _resnet(self, resnet: Any, x: FeatureMap, upsampler: Any = None) -> FeatureMap:
        """The map after a resnet, of frames that an upsampler may enlarge first; `x` itself if it can be."""
        source: Frames = x if upsampler is None else Upsampled(x, upsampler)
        channels, narrowest = resnet.temporal_res_block.out_channels, self._decoder.conv_out.in_channels
        in_place = source is x and channels == x.shape.channels
        out = x if in_place else self._new(source.shape.height, source.shape.width, channels)
        run_resblock(
            resnet,
            source,
            out=out,
            frames=max(self._slicing.frames, SMALLEST // (source.shape.pixels * channels)),
            pixels=max(
                1, self._slicing.pixels * narrowest // channels, SMALLEST // (self._num_frames * channels)
            ),
            weights=self._weights,
            on_slice=self._on_slice,
        )
        if not in_place:
            self._open.remove(x)
            x.close()
        return out

    def _attend(self, attention: Any, x: FeatureMap) -> None:
        """Attention within each frame, in place; one frame at a time, for its size grows by their square."""
        for frame in range(self._num_frames):
            result = attention(x.frames(frame, frame + 1))
            x.put_frames(frame, result.contiguous(memory_format=torch.channels_last))
            self._on_slice()

    def _last(self, x: FeatureMap) -> Iterator[Tensor]:
        """Each frame leaves as soon as the next one, which is mixed into it, is down to three channels."""
        previous = current = None
        for frame in range(self._num_frames):
            following = self._narrow(x, frame)
            if current is not None:
                yield self._mix(previous, current, following)
            previous, current = current, following
        if current is not None:
            yield self._mix(previous, current, None)

    def _narrow(self, x: FeatureMap, frame: int) -> Tensor:
        """A frame `(channels, height, width)` of the picture's channels, before frames are mixed."""
        hidden = frame_norm_silu(self._decoder.conv_norm_out, x.frames(frame, frame + 1))
        x.release_frames(frame, frame + 1)
        result: Tensor = self._decoder.conv_out(hidden)[0]
        self._on_slice()
        return result

    def _mix(self, previous: Tensor | None, current: Tensor, following: Tensor | None) -> Tensor:
        absent = torch.zeros_like(current)
        parts = [absent if part is None else part for part in (previous, current, following)]
        conv = self._decoder.time_conv_out
        return functional.conv3d(torch.stack(parts, dim=1)[None], conv.weight, conv.bias)[0, :, 0]

    def _new(self, height: int, width: int, channels: int) -> FeatureMap:
        shape = MapShape(self._num_frames, height, width, channels)
        self._open.append(self._new_map(shape, self._decoder.conv_in.weight.dtype))
        return self._open[-1]
