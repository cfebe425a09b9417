"""Stable Video Diffusion at Replicate: its addresses, its words, its inputs, and nothing of any other host.

The API's own description is at https://api.replicate.com/openapi.json, the model's source at
https://github.com/replicate/cog-svd.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from localvid.errors import CapabilityError, HostFailedError, LocalvidError
from localvid.pipelines.remote import RemoteVideoModel
from localvid.remote.answers import UnknownOutcomeError
from localvid.remote.download import fetch
from localvid.remote.hosts import Host, Matches, RemoteRun, RunState
from localvid.remote.http import HostClient, HostSettings
from localvid.schemas import OnProgress, SamplingSettings, VideoRequest, ignore_progress

logger = logging.getLogger(__name__)

_IMAGE = "input_image"
_DELIVERY = ("replicate.delivery", "replicate.com")
"""Where outputs are served."""
_CANCEL_AFTER = "30m"
"""A prediction that nobody follows ends by itself."""
_RESETS_IN = re.compile(r"resets? in ~?\s*(\d+(?:\.\d+)?)\s*s", re.IGNORECASE)
"""How a busy Replicate says when, where it gives no header."""
_MAX_PAGES = 50
_CLOCKS_AGREE = timedelta(minutes=1)
_FRAMES_PER_SECOND = range(5, 31)
_PERCENT = re.compile(r"(\d{1,3})%\|")
"""A bar of tqdm, as the model's sampler prints it into the logs."""

_STATES = {
    "starting": RunState.WAITING,
    "processing": RunState.RUNNING,
    "succeeded": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
    "canceled": RunState.CANCELED,
    "aborted": RunState.NEVER_STARTED,
}


class ReplicateVideo(RemoteVideoModel):
    """`replicate:svd` and `replicate:svd-xt`, told apart by `settings.video_length` of their manifests."""

    def _open_host(self) -> Host:
        token = self.settings.replicate_api_token
        manifest = self.info.manifest
        client = HostClient(
            "Replicate",
            self.settings.replicate_base_url,
            token.get_secret_value() if token else "",
            HostSettings.of(self.settings),
            wait_words=_RESETS_IN,
        )
        return Replicate(client, model=str(manifest.settings["model"]), version=manifest.revision or "")

    def close(self) -> None:
        if isinstance(self._opened, Replicate):
            self._opened.client.close()

    def _inputs(self, request: VideoRequest, sampling: SamplingSettings) -> dict[str, Any]:
        """The model's inputs, by its source.

        `frames_per_second` goes to the network as it is, where diffusers gives it one less than it is told;
        the speed of the file that comes back is not used. The image has the clip's size, in multiples of 64,
        which `use_image_dimensions` leaves as it is. How the network is guided, and its steps, are fixed.
        """
        frames_per_second = sampling.conditioning_fps - 1
        if frames_per_second not in _FRAMES_PER_SECOND:
            raise CapabilityError(
                f"{request.model_id}: conditioning_fps {sampling.conditioning_fps} is outside 6 to 31",
                hint="choose another --fps",
            )
        whole = self.capabilities.num_frames.maximum
        return {
            "video_length": str(self.info.manifest.settings["video_length"]),
            "sizing_strategy": "use_image_dimensions",
            "frames_per_second": frames_per_second,
            "motion_bucket_id": sampling.motion_bucket_id,
            "cond_aug": sampling.noise_aug_strength,
            "decoding_t": min(sampling.decode_chunk_size or whole, whole),
            "seed": request.seed,
        }

    def _with_image(self, inputs: dict[str, Any], address: str) -> dict[str, Any]:
        return {_IMAGE: address, **inputs}


class Replicate:
    """One version of one model at Replicate, as a `Host`."""

    name = "Replicate"
    outputs_kept = timedelta(hours=1)

    def __init__(self, client: HostClient, *, model: str, version: str) -> None:
        self.client = client
        self._model = model
        self._version = version

    def upload(self, image: bytes, on_progress: OnProgress) -> str:
        content = {"content": ("first-frame.png", image, "image/png")}
        answer = self.client.ask("POST", "files", on_progress, files=content)
        try:
            address = str(answer["urls"]["get"])
        except (TypeError, KeyError) as error:
            raise HostFailedError(
                "Replicate does not say where the first frame is", hint="resume later"
            ) from error
        self.client.url(address)
        return address

    def create(self, inputs: Mapping[str, Any]) -> RemoteRun:
        document = {"version": f"{self._model}:{self._version}", "input": dict(inputs)}
        return self._run(
            self.client.send_once("predictions", document, headers={"Cancel-After": _CANCEL_AFTER})
        )

    def get(self, run_id: str, on_progress: OnProgress) -> RemoteRun | None:
        answer = self.client.ask("GET", f"predictions/{run_id}", on_progress)
        return None if answer is None else self._run(answer)

    def created_since(self, moment: datetime, inputs: Mapping[str, Any], on_progress: OnProgress) -> Matches:
        certain: list[RemoteRun] = []
        unclear: list[str] = []
        page = self._first_page(moment, on_progress)
        if abs(self.client.clock_ahead) > _CLOCKS_AGREE:  # which only that answer has told, perhaps
            page = self._first_page(moment + self.client.clock_ahead, on_progress)
        for _ in range(_MAX_PAGES):
            for found in self._listed(page):
                match found.resemblance(inputs, model=self._model, version=self._version):
                    case "same":
                        certain.append(found.run(self.client))
                    case "unclear":
                        unclear.append(found.id)
            if not page.get("next"):
                return Matches(certain=tuple(certain), unclear=tuple(unclear))
            page = self.client.ask("GET", str(page["next"]), on_progress)
        raise HostFailedError("Replicate's list of predictions has no end", hint="resume later")

    def _first_page(self, since: datetime, on_progress: OnProgress) -> Any:
        after = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.client.ask("GET", "predictions", on_progress, params={"created_after": after})

    def cancel(self, run_id: str) -> RemoteRun | None:
        try:
            path, patience = f"predictions/{run_id}/cancel", self.client.settings.timeout_seconds
            answer = self.client.ask("POST", path, ignore_progress, patience_seconds=patience)
            return None if answer is None else self._run(answer)
        except LocalvidError as error:
            logger.warning("%s was not cancelled at Replicate: %s", run_id, error)
            return None

    def download(self, url: str, output: Path, on_progress: OnProgress) -> bool:
        return fetch(self.client, url, output, on_progress, domains=_DELIVERY)

    def forget(self, inputs: Mapping[str, Any]) -> None:
        try:
            self.client.ask("DELETE", str(inputs[_IMAGE]), ignore_progress, patience_seconds=0)
        except LocalvidError as error:
            logger.warning("the first frame was not deleted at Replicate, which keeps it a while: %s", error)

    def _run(self, answer: Any) -> RemoteRun:
        return _prediction(answer).run(self.client)

    def _listed(self, page: Any) -> list[_Prediction]:
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise HostFailedError("Replicate's list of predictions cannot be read", hint="resume later")
        return [_prediction(entry) for entry in page["results"] if self._may_be_ours(entry)]

    def _may_be_ours(self, entry: Any) -> bool:
        """The account's other predictions, of any form, need not be understood."""
        return not isinstance(entry, dict) or entry.get("version") in (self._version, "hidden")


class _Prediction(BaseModel):
    """What is used of Replicate's description of a prediction."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
    status: Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
    model: str = ""
    version: str = ""
    input: dict[str, Any] | None = None
    output: Any = None
    error: Any = None
    logs: str | None = None
    metrics: dict[str, Any] | None = None
    data_removed: bool = False

    def run(self, client: HostClient) -> RemoteRun:
        return RemoteRun(
            id=self.id,
            state=_STATES[self.status],
            fraction=self._fraction(),
            output=self._address(),
            error=client.answers.redacted(str(self.error or "")),
            billed_seconds=_seconds((self.metrics or {}).get("predict_time")),
        )

    def resemblance(
        self, inputs: Mapping[str, Any], *, model: str, version: str
    ) -> Literal["same", "unclear", "other"]:
        """Whether it was made from these inputs; its answer may hold the model's defaults too."""
        if self.version != version and (self.version, self.model) != ("hidden", model):
            return "other"
        if not self.input:
            return "unclear"
        apart = {name for name, value in inputs.items() if self.input.get(name) != value}
        if not apart:
            return "same"
        # An address that Replicate gave and shows in another form would be the only difference.
        return "unclear" if apart == {_IMAGE} and not self._is_upload() else "other"

    def _is_upload(self) -> bool:
        """Whether its image is named as an upload is: then it is another image for certain."""
        return "/files/" in str((self.input or {}).get(_IMAGE))

    def _fraction(self) -> float:
        percents = _PERCENT.findall(self.logs or "")
        return min(1.0, int(percents[-1]) / 100) if percents else 0.0

    def _address(self) -> str | None:
        if self.data_removed:
            return None
        output = self.output[0] if isinstance(self.output, list) and self.output else self.output
        return output if isinstance(output, str) else None


def _seconds(said: Any) -> float | None:
    return float(said) if isinstance(said, int | float) and 0 <= said < math.inf else None


def _prediction(answer: Any) -> _Prediction:
    try:
        return _Prediction.model_validate(answer)
    except ValidationError as error:
        raise UnknownOutcomeError(
            "Replicate describes a prediction in a way that is not known",
            hint="resume with a newer localvid: what was paid for is kept there for an hour",
        ) from error
