"""Every error that localvid raises on purpose.

LocalvidError
├── InvalidRequestError            wrong use: mend the call                          exit code 2
│   ├── InvalidSettingsError       a configuration file, variable or flag
│   ├── InvalidStoryboardError     a storyboard file
│   ├── InvalidImageError          a user's image
│   ├── InvalidVideoError          a file that should be a film
│   ├── CapabilityError            what the chosen model cannot do
│   └── JobNotFoundError           no such job in this workspace
├── NotAvailableError              cannot run here: no GPU, weights, token, package  exit code 3
│   └── SpendLimitError            the next clip would cost more than was allowed
├── StepFailedError                a step was tried and failed                       exit code 1
│   ├── StoryboardFailedError      the writer gave nothing usable
│   ├── GenerationFailedError      a model made no valid clip or keyframe
│   │   └── DeviceFailedError      the GPU failed; this process can use it no more
│   ├── OutOfMemoryError           the device's memory did not suffice
│   ├── HostFailedError            a remote host refused, failed or did not answer
│   ├── NeedsConfirmationError     it may be paid for already: the user decides whether to pay again
│   └── DownloadFailedError        a model's file did not arrive whole
├── ModelProcessError              a model's own process died, hung or could not start
│   └── WorkLostError              it ended over work that it had still to finish
├── WorkspaceError                 the workspace cannot be read or written
│   ├── DiskFullError              too little free space for the next step
│   ├── WorkspaceBusyError         another process keeps the database locked
│   ├── JobBusyError               another process is working on this job
│   └── JobUnreadableError         another version of localvid wrote this job
└── StoppedError                   stopped on purpose, resumable                     exit code 130
    ├── JobCancelledError          by `localvid cancel`
    └── JobInterruptedError        by Ctrl-C or a signal
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class LocalvidError(Exception):
    """Base of the tree: one line that says what happened, and a hint that says how to mend it.

    `retryable` tells whether the same call may succeed later with nothing changed by the user.
    `exit_code` is what the command line returns for it.
    """

    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, tuple[object, ...], dict[str, object]]:
        # Exceptions cross thread and process borders; the default would lose the keyword-only hint.
        return (type(self), (self.message,), {"hint": self.hint})


class InvalidRequestError(LocalvidError):
    """Wrong use: nothing was started, and the same call will fail again until it is mended."""

    exit_code = 2


class InvalidSettingsError(InvalidRequestError):
    """A configuration file, an environment variable or a flag that cannot be used."""


class InvalidStoryboardError(InvalidRequestError):
    """A storyboard file that does not say a storyboard."""


class InvalidImageError(InvalidRequestError):
    """A user's image that is missing, damaged, too large or of a format that is not read."""


class InvalidVideoError(InvalidRequestError):
    """A file that should be a film and is not."""


class CapabilityError(InvalidRequestError):
    """The chosen model cannot do what the request asks."""


class JobNotFoundError(InvalidRequestError):
    """No such job in this workspace."""


class NotAvailableError(LocalvidError):
    """It cannot run here: no GPU, no weights, no token or no package."""

    exit_code = 3


class SpendLimitError(NotAvailableError):
    """The next clip would cost more than the user allowed for the job or for the month."""


class StepFailedError(LocalvidError):
    """A step was tried and failed; what earlier steps made is kept."""

    retryable = True


class StoryboardFailedError(StepFailedError):
    """The storyboard writer gave nothing usable."""


class GenerationFailedError(StepFailedError):
    """A model made no valid clip or keyframe."""


class DeviceFailedError(GenerationFailedError):
    """The GPU failed in a way after which the process that met it can use it no more; another one may."""


class OutOfMemoryError(StepFailedError):
    """The device's memory did not suffice."""


class HostFailedError(StepFailedError):
    """A remote host refused, failed or did not answer; what it has made already is not paid for again."""


class NeedsConfirmationError(StepFailedError):
    """A call may have been paid for and its result is out of reach: only the user may have it repeated."""

    retryable = False


class DownloadFailedError(StepFailedError):
    """A model's file did not arrive whole; what did arrive is kept and continued from."""


class ModelProcessError(LocalvidError):
    """A model's own process died, hung or could not start."""

    retryable = True


class WorkLostError(ModelProcessError):
    """The process ended over work that it had still to finish, which must be asked for anew."""


class WorkspaceError(LocalvidError):
    """The workspace cannot be read or written."""


class DiskFullError(WorkspaceError):
    """Too little free space for the next step; finished steps are kept.

    `folder` says where and `needed_bytes` how much, if it is not the workspace that lacks it.
    """

    retryable = True

    def __init__(
        self, message: str, *, hint: str = "", folder: Path | None = None, needed_bytes: int = 0
    ) -> None:
        super().__init__(message, hint=hint)
        self.folder = folder
        self.needed_bytes = needed_bytes

    def __reduce__(self) -> tuple[object, tuple[object, ...], dict[str, object]]:
        kind, arguments, state = super().__reduce__()
        return kind, arguments, {**state, "folder": self.folder, "needed_bytes": self.needed_bytes}


class WorkspaceBusyError(WorkspaceError):
    """Another process has kept the database locked for longer than it is waited for; nothing was changed."""

    retryable = True


class JobBusyError(WorkspaceError):
    """Another process is working on this job."""

    retryable = True


class JobUnreadableError(WorkspaceError):
    """The job's row says what this version of localvid does not know."""


class StoppedError(LocalvidError):
    """Stopped on purpose at a safe point; `localvid resume` goes on from there."""

    retryable = True
    exit_code = 130


class JobCancelledError(StoppedError):
    """Stopped by `localvid cancel`."""


class JobInterruptedError(StoppedError):
    """Stopped by Ctrl-C or a signal."""
