"""The Hugging Face hub's protocol for single files: what a file is, and its bytes from any offset on.

huggingface_hub 2.4 removes what it received when a download fails or is stopped, and starts again from
nothing (`_download_to_tmp_and_move`); weights of gigabytes must go on from where they were. So this speaks
the same two requests itself: HEAD and GET of `/<repo>/resolve/<revision>/<path>`, with `Range`. Files that
the hub keeps in chunks (Xet) are served by the same addresses.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from localvid import __version__
from localvid.addresses import is_loopback
from localvid.config import Settings
from localvid.errors import DownloadFailedError, NotAvailableError
from localvid.hub_cache import COMMIT, ETAG
from localvid.schemas import Frozen

logger = logging.getLogger(__name__)

_TIMEOUT = httpx.Timeout(15.0, read=30.0)
_MAX_REDIRECTS = 5
_MAX_RETRY_AFTER_SECONDS = 60.0
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


class TransientError(DownloadFailedError):
    """The network or the hub failed for now; `wait_seconds` is what the hub asked for, if it did."""

    wait_seconds: float | None = None


class RemoteFile(Frozen):
    """One file at one commit, as the hub describes it."""

    repo: str
    path: str
    commit: str
    etag: str
    """sha256 of a large file, sha1 of a small one's git blob."""
    size: int


class Hub:
    """A connection to the hub.

    Raises NotAvailableError where the hub refuses, TransientError where it fails for now, DownloadFailedError
    where its answers make no sense.
    """

    def __init__(self, settings: Settings) -> None:
        from huggingface_hub import constants, get_token

        self.endpoint = (settings.hub_endpoint or constants.ENDPOINT).rstrip("/")
        token = settings.hf_token.get_secret_value() if settings.hf_token else get_token()
        headers = {"User-Agent": f"localvid/{__version__}", "Accept-Encoding": "identity"}
        if token and self._may_see_token():
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._client = httpx.Client(headers=headers, timeout=_TIMEOUT, max_redirects=_MAX_REDIRECTS)
        except (ValueError, httpx.InvalidURL) as error:
            raise NotAvailableError(
                f"the proxy settings cannot be used: {error}", hint="mend HTTPS_PROXY and its kin"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def describe(self, repo: str, revision: str, path: str) -> RemoteFile:
        """What the file is at that revision; the file's own host, if it has one, is not asked."""
        url = self._url(repo, revision, path)
        headers = httpx.Headers()
        with self._failures(url):
            for _ in range(_MAX_REDIRECTS):
                response = self._client.head(url)
                headers.update({name: response.headers[name] for name in response.headers})
                target = response.url.join(response.headers.get("Location", ""))
                # Beyond its own host the hub sends signed addresses of storage, with other headers.
                if not response.is_redirect or target.netloc != response.url.netloc:
                    break
                url = str(target)
        self._check_status(response, repo, path)
        commit = headers.get("X-Repo-Commit", "")
        etag = headers.get("X-Linked-ETag", headers.get("ETag", "")).removeprefix("W/").strip('"')
        own_size = "" if response.is_redirect else headers.get("Content-Length", "")
        size = headers.get("X-Linked-Size", own_size)
        if not COMMIT.fullmatch(commit) or not ETAG.fullmatch(etag) or not size.isdecimal():
            raise DownloadFailedError(
                f"{self.endpoint} gives no commit, digest or size for {path} of {repo}",
                hint="check hub_endpoint: the host does not answer as the Hugging Face hub does",
            )
        return RemoteFile(repo=repo, path=path, commit=commit, etag=etag, size=int(size))

    @contextmanager
    def read(self, file: RemoteFile, offset: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield the offset at which the answer starts (0 if the host cannot continue) and its bytes."""
        url = self._url(file.repo, file.commit, file.path)
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with (
            self._failures(url),
            self._client.stream("GET", url, headers=headers, follow_redirects=True) as response,
        ):
            self._check_status(response, file.repo, file.path)
            started = offset if response.status_code == httpx.codes.PARTIAL_CONTENT else 0
            expected = f"bytes {offset}-{file.size - 1}/{file.size}"
            if started and response.headers.get("Content-Range") != expected:
                raise DownloadFailedError(
                    f"{response.url.host} answered another part of {file.path} than was asked for",
                    hint="try again; if it happens again, set hub_endpoint to another host",
                )
            # As it arrives: with a chunk size, what came before a drop would be lost.
            yield started, response.iter_raw()

    def _url(self, repo: str, revision: str, path: str) -> str:
        return f"{self.endpoint}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def _may_see_token(self) -> bool:
        """Over https, or on this machine; a mirror over http gets no token."""
        url = httpx.URL(self.endpoint)
        if url.scheme == "https" or is_loopback(url.host):
            return True
        logger.warning("the hub token is not sent to %s: it is not https", self.endpoint)
        return False

    @contextmanager
    def _failures(self, url: str) -> Iterator[None]:
        host = httpx.URL(url).host
        try:
            yield
        except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as error:
            said = str(error) or type(error).__name__
            raise TransientError(
                f"{host} does not answer: {said}",
                hint="check the network and run the command again: what has arrived is kept",
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadFailedError(
                f"{url} cannot be read: {error}", hint="check hub_endpoint and the proxy settings"
            ) from error

    def _check_status(self, response: httpx.Response, repo: str, path: str) -> None:
        status, code = response.status_code, response.headers.get("X-Error-Code", "")
        if status < 400:
            return
        if code == "GatedRepo" or (status in (401, 403) and code != "RepoNotFound"):
            raise NotAvailableError(
                f"the hub gives {repo} only to accounts that accepted its licence",
                hint=f"accept it at https://huggingface.co/{repo}, set HF_TOKEN, pull again",
            )
        if status in (401, 404):
            raise NotAvailableError(
                f"the hub has no {path} of {repo} ({code or status})",
                hint="check repo, revision and files in the manifest, or hub_endpoint",
            )
        if status in _BUSY:
            error = TransientError(
                f"{response.url.host} is busy or failing (HTTP {status})",
                hint="run the command again later: what has arrived is kept",
            )
            error.wait_seconds = _retry_after(response)
            raise error
        raise DownloadFailedError(
            f"{response.url.host} answers HTTP {status} for {path} of {repo}", hint="check hub_endpoint"
        )


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return min(float(text), _MAX_RETRY_AFTER_SECONDS) if text.isdecimal() else None
