"""What holds in every test: no network, no settings or home of whoever runs them, one thread for torch."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest_plugins = ["fixtures_tiny"]

_FOREIGN_VARIABLES = (
    "LOCALVID_",
    "HF_",
    "HUGGINGFACE_",
    "HUGGING_FACE_",
    "OPENAI_",
    "ANTHROPIC_",
    "REPLICATE_",
    "XDG_",
    "COLUMNS",  # of whatever terminal runs the tests
    "LINES",
)
_DEAD_PROXY = "http://127.0.0.1:9"  # the discard port: nothing listens


class NetworkBlockedError(Exception):
    """A test reached for a host beyond loopback. No OSError: libraries would catch that and try again."""


def pytest_configure(config: pytest.Config) -> None:
    # Read by OpenMP when torch is first imported, here or in a child process: two threads on two cores
    # make the tiny models ten times slower.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["MKL_NUM_THREADS"] = "1"
    # The Hugging Face libraries fix their folders when they are imported, so before the first test.
    _drop_foreign_variables(os.environ)
    # Third parties, each by name: everything else is an error.
    for warning in (
        # diffusers' Euler scheduler hands numpy 2 a torch tensor; torch's `__array__` has no `copy` yet.
        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    ):
        config.addinivalue_line("filterwarnings", warning)


def _drop_foreign_variables(variables: Any) -> None:
    for name in [name for name in variables if name.startswith(_FOREIGN_VARIABLES)]:
        del variables[name]


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test, and each process that it starts, has an empty home and a proxy that leads nowhere."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_FOREIGN_VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (
        ("XDG_DATA_HOME", ".local/share"),
        ("XDG_CONFIG_HOME", ".config"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_STATE_HOME", ".local/state"),
    ):
        monkeypatch.setenv(name, str(home / folder))
    # The socket guard below ends at this process; its children meet this one.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, _DEAD_PROXY)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1,::1,localhost")


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Sockets reach loopback and Unix sockets; a name other than localhost is not even looked up."""
    patch = pytest.MonkeyPatch()
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex
    sendto, getaddrinfo = socket.socket.sendto, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        _allow(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        _allow(self, address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        _allow(self, rest[-1])
        return sendto(self, data, *rest)

    def guarded_getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        _allow_host(host)
        return getaddrinfo(host, *rest, **named)

    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    patch.setattr(socket.socket, "sendto", guarded_sendto)
    patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
    yield
    patch.undo()


def _allow(connection: socket.socket, address: Any) -> None:
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        _allow_host(address[0])


def _allow_host(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(name).is_loopback or ipaddress.ip_address(name).is_unspecified:
            return
    except ValueError:
        pass
    raise NetworkBlockedError(f"tests stay on this machine; one reached for {name}")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty folder for jobs and artifacts."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder
