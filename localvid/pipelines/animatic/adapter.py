"""The animatic as a video model and as a painter of stills."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from PIL import Image

from localvid.media.check import Finding
from localvid.media.look import ClipLook
from localvid.media.shots import writing_shot
from localvid.pipelines.animatic.camera import CameraPath
from localvid.pipelines.animatic.direct import Shoot, direct, direct_image, without_caption
from localvid.pipelines.animatic.scene import Pixels, Scene, poses
from localvid.pipelines.base import KeyframePainter, VideoModel
from localvid.schemas import Camera, KeyframeRequest, OnProgress, Progress, VideoRequest

_AHEAD = 3
"""Frames that each thread may be ahead of the encoder."""


class Animatic(VideoModel):
    """A moving storyboard on any CPU: no weights, no torch, no network.

    It paints the scene that the description tells, or takes the first frame that the request names, and
    moves the camera as the request says. The same request gives the same frames on any machine with the
    same numpy and Pillow. An announced clip's scene is painted while the clip before it is drawn.
    """

    _announced: VideoRequest | None = None
    _ahead: tuple[VideoRequest, Future[tuple[Scene, CameraPath]]] | None = None
    _painter: ThreadPoolExecutor | None = None

    def announce(self, request: VideoRequest) -> None:
        self._announced = request

    def close(self) -> None:
        if self._painter is not None:
            self._painter.shutdown(cancel_futures=True)
        self._painter = self._ahead = self._announced = None

    def _write_clip(self, request: VideoRequest, output: Path, on_progress: OnProgress) -> None:
        on_progress(Progress(step=0, num_steps=request.num_frames, message="painting the scene"))
        scene, path = self._painted(request)
        self._paint_ahead()
        workers = min(4, self.settings.threads or os.cpu_count() or 1)
        report = Progress(step=0, num_steps=request.num_frames, message="drawing frames")
        look = ClipLook(drawn=True)
        with (
            writing_shot(output, request) as shot,
            # Closed by name: where it is forgotten, an interrupt that comes meanwhile would be lost.
            closing(_frames(scene, path, request, workers=workers)) as frames,
        ):
            for index, frame in enumerate(frames, start=1):
                if request.hand_over is None or index < request.num_frames:  # that one has no caption
                    look.see(frame)
                shot.write(frame)
                report = report.model_copy(update={"step": index})
                on_progress(report)
        if (finding := look.finding()) is not None and not _is_meant(finding, request):
            on_progress(report.model_copy(update={"notice": finding.detail}))

    def _painted(self, request: VideoRequest) -> tuple[Scene, CameraPath]:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and _without_outputs(ahead[0]) == _without_outputs(request):
            return ahead[1].result()
        return _direct(request)

    def _paint_ahead(self) -> None:
        if self._announced is not None:
            self._painter = self._painter or ThreadPoolExecutor(1, thread_name_prefix="animatic-ahead")
            self._ahead = (self._announced, self._painter.submit(_direct, self._announced))
            self._announced = None


class AnimaticPainter(KeyframePainter):
    """One still of the scene that the animatic would paint for the same words and seed."""

    def _write_keyframe(self, request: KeyframeRequest, output: Path, on_progress: OnProgress) -> None:
        shoot = Shoot(
            description=request.description,
            style=request.style,
            setting=request.setting,
            camera=Camera.STATIC,
            energy=0.5,
            width=request.width,
            height=request.height,
            seconds=1.0,
            seed=request.seed,
        )
        scene, path = direct(shoot)
        Image.fromarray(scene.frame(path.pose(0.0), 0.5)).save(output)
        on_progress(Progress(step=1, num_steps=1, message="painting the scene"))


def _is_meant(finding: Finding, request: VideoRequest) -> bool:
    """Whether it is what was asked for: nothing that moves, seen by a camera that stands still."""
    return finding.kind == "frozen" and request.energy == 0 and request.camera is Camera.STATIC


def _without_outputs(request: VideoRequest) -> VideoRequest:
    return request.model_copy(update={"output": Path(), "hand_over": None})


def _direct(request: VideoRequest) -> tuple[Scene, CameraPath]:
    shoot = _shoot(request)
    if request.first_frame is None:
        return direct(shoot)
    return direct_image(shoot, request.first_frame, camera_held=request.crop_path is not None)


def _shoot(request: VideoRequest) -> Shoot:
    return Shoot(
        description=request.description,
        style=request.style,
        setting=request.setting,
        camera=request.camera,
        energy=request.energy,
        width=request.width,
        height=request.height,
        seconds=request.num_frames / request.fps,
        seed=request.seed,
        speed=request.camera_speed,
        caption=request.caption,
    )


def _frames(
    scene: Scene, path: CameraPath, request: VideoRequest, *, workers: int
) -> Generator[Pixels, None, None]:
    """The clip's frames in order, drawn by several threads: Pillow lets go of the interpreter's lock.

    One that the next shot goes on from carries no caption: it would stand under that shot's own.
    """
    last = scene
    if request.hand_over is not None:
        last = without_caption(scene, _shoot(request), painted=request.first_frame is None)
    windows = request.crop_path.windows(request.num_frames) if request.crop_path else itertools.repeat(None)
    waiting: deque[Future[Pixels]] = deque()
    pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="animatic")
    try:
        for index, (pose, window) in enumerate(zip(poses(path, request.num_frames), windows, strict=False)):
            drawn = last if index == request.num_frames - 1 else scene
            waiting.append(pool.submit(drawn.padded_frame, pose, index / request.fps, window))
            if len(waiting) >= workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
