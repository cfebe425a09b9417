"""Which addresses a result is fetched from, against real HTTPS servers on this machine's loopback network.

Names are looked up in the test's own table, and the loopback network counts as public: nothing else differs
from how a host is asked.
"""

from __future__ import annotations

import _socket
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certificates import Authority

from localvid.errors import HostFailedError, NotAvailableError
from localvid.remote import addresses
from localvid.remote.addresses import is_public
from localvid.remote.download import fetch
from localvid.remote.http import HostClient, HostSettings
from localvid.schemas import ignore_progress

TOKEN = "token-of-the-tests"
CLIP = bytes(range(256)) * 16
NAME, OTHER = "clips.host.example", "more.host.example"
PINNED, TRAP = "127.0.0.2", "127.0.0.3"


@dataclass
class ClipServer:
    """HTTPS at one address, with what each request came with."""

    address: str
    port: int = 0
    redirects: dict[str, str] = field(default_factory=dict)
    """Path → where it leads."""
    asked: list[dict[str, str]] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """That each connection asked a certificate for."""
    connections: int = 0


@contextmanager
def serve(server: ClipServer, certificate: Path) -> Iterator[ClipServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: server.names.append(name)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.asked.append({**headers, "path": self.path, "at": self.connection.getsockname()[0]})
            location = server.redirects.get(self.path)
            body = b"" if location else CLIP
            self.send_response(302 if location else 200)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: what was asked is in `asked`."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            server.connections += 1
            # Its first read makes the handshake, in the thread of the connection.
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever does not trust the certificate hangs up."""

    with Listener((server.address, server.port), Handler) as listener:
        server.port = listener.server_port
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown()
            thread.join()


@dataclass
class Names:
    """A name server's table; `looked_up` has every question."""

    table: dict[str, list[list[str]]] = field(default_factory=dict)
    """Name → the answers to its questions, one after the other; the last one stays."""
    looked_up: list[str] = field(default_factory=list)

    def getaddrinfo(self, host: str, port: int, *rest: int, **named: int) -> list[tuple[object, ...]]:
        if host not in self.table:  # an address, which needs no table
            return _socket.getaddrinfo(host, port, *rest, **named)
        self.looked_up.append(host)
        answers = self.table[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def certificate(authority: Authority, tmp_path: Path) -> Callable[..., Path]:
    return lambda *names: authority.issue(*names, folder=tmp_path)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The seam: who looks names up, and what counts as public."""
    names = Names()
    monkeypatch.setattr(addresses.socket, "getaddrinfo", names.getaddrinfo)
    monkeypatch.setattr(addresses, "is_public", lambda address: address.startswith("127."))
    return names


@pytest.fixture
def client(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostClient]:
    """Trusts the tests' authority as users have theirs trusted, and goes through no proxy."""
    (tmp_path / "authority.pem").write_text(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name)
    settings = HostSettings(poll_seconds=0.01, grace_seconds=1, timeout_seconds=2)
    with HostClient("Host", "https://api.host.example/v1", TOKEN, settings) as client:
        yield client


def fetched(client: HostClient, url: str, folder: Path) -> bytes:
    output = folder / "clip.mp4"
    assert fetch(client, url, output, ignore_progress, domains=("host.example",))
    return output.read_bytes()


def test_the_address_that_was_checked_is_connected_to_and_the_name_is_certified(
    client: HostClient, names: Names, certificate: Callable[..., Path], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(ClipServer(PINNED), certificate(NAME)))
        trap = stack.enter_context(serve(ClipServer(TRAP, server.port), certificate(NAME)))
        # Whoever answers the second question otherwise is not asked a second one.
        names.table[NAME] = [[PINNED], [TRAP]]
        assert fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path) == CLIP

    assert names.looked_up == [NAME]
    assert trap.connections == 0
    assert server.names == [NAME]
    (request,) = server.asked
    assert request["at"] == PINNED
    assert request["host"] == f"{NAME}:{server.port}"
    assert request["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "certified",
    [("clips.other.example",), (PINNED,), ("host.example",), (f"{NAME}.other.example",)],
    ids=["another name", "the address", "the domain above", "a longer name"],
)
def test_a_certificate_of_another_name_is_refused_at_once(
    client: HostClient,
    names: Names,
    certificate: Callable[..., Path],
    tmp_path: Path,
    certified: tuple[str, ...],
) -> None:
    names.table[NAME] = [[PINNED]]
    with serve(ClipServer(PINNED), certificate(*certified)) as server:
        with pytest.raises(HostFailedError, match="is not trusted: Hostname mismatch") as caught:
            fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path)
        assert (server.connections, server.names, server.asked) == (1, [NAME], [])
    assert "SSL_CERT_FILE" in caught.value.hint


def test_an_authority_that_nobody_trusts_is_refused(client: HostClient, names: Names, tmp_path: Path) -> None:
    names.table[NAME] = [[PINNED]]
    with serve(ClipServer(PINNED), Authority().issue(NAME, folder=tmp_path)) as server:
        with pytest.raises(HostFailedError, match="is not trusted"):
            fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path)
        assert server.asked == []


def test_a_connection_that_was_certified_for_one_name_does_not_serve_another(
    client: HostClient, names: Names, certificate: Callable[..., Path], tmp_path: Path
) -> None:
    """Both are at one address, as with hosts that deliver for many."""
    names.table |= {NAME: [[PINNED]], OTHER: [[PINNED]]}
    with serve(ClipServer(PINNED), certificate(NAME)) as server:
        assert fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path) == CLIP
        server.redirects["/clip.mp4"] = f"https://{OTHER}:{server.port}/moved.mp4"
        for url in (f"https://{OTHER}:{server.port}/clip.mp4", f"https://{NAME}:{server.port}/clip.mp4"):
            with pytest.raises(HostFailedError, match="is not trusted: Hostname mismatch"):
                fetched(client, url, tmp_path)
        assert server.names == [NAME, OTHER, NAME, OTHER]
        assert [request["path"] for request in server.asked] == ["/clip.mp4", "/clip.mp4"]


def test_a_redirect_to_another_name_of_the_host_is_followed(
    client: HostClient, names: Names, certificate: Callable[..., Path], tmp_path: Path
) -> None:
    names.table |= {NAME: [[PINNED]], OTHER: [[PINNED]]}
    with serve(ClipServer(PINNED), certificate(NAME, OTHER)) as server:
        server.redirects["/clip.mp4"] = f"https://{OTHER}:{server.port}/moved.mp4"
        assert fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path) == CLIP
        assert [request["host"].partition(":")[0] for request in server.asked] == [NAME, OTHER]


def test_the_next_address_is_tried_where_one_takes_no_connection(
    client: HostClient, names: Names, certificate: Callable[..., Path], tmp_path: Path
) -> None:
    names.table[NAME] = [[TRAP, PINNED]]
    with serve(ClipServer(PINNED), certificate(NAME)) as server:
        assert fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path) == CLIP
    assert names.looked_up == [NAME]


def test_one_address_of_this_network_among_public_ones_is_enough_to_refuse(
    client: HostClient, names: Names, certificate: Callable[..., Path], tmp_path: Path
) -> None:
    names.table[NAME] = [[PINNED, "10.0.0.7"]]
    with serve(ClipServer(PINNED), certificate(NAME)) as server:
        with pytest.raises(HostFailedError, match=r"leads to 10\.0\.0\.7, which is no public address"):
            fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path)
        assert server.connections == 0


@pytest.mark.parametrize("url", ["https://[::1", f"https://{'x' * 70}.host.example/clip.mp4"])
@pytest.mark.usefixtures("names")
def test_an_address_that_is_none_is_refused(client: HostClient, tmp_path: Path, url: str) -> None:
    with pytest.raises(HostFailedError, match="its address is no URL"):
        fetched(client, url, tmp_path)


# --- through a proxy ---------------------------------------------------------------------------------


@contextmanager
def proxy(leads_to: tuple[str, int], asked: list[str]) -> Iterator[str]:
    """An HTTP proxy that makes one tunnel, to where the test says; gives its address."""

    def work() -> None:
        with listener.accept()[0] as near, socket.create_connection(leads_to) as far:
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(4096)
            asked.append(head.split(b"\r\n")[0].decode())
            near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with suppress(ConnectionError):  # whoever does not trust the certificate hangs up
                while True:
                    for source in select.select([near, far], [], [])[0]:
                        if not (block := source.recv(65_536)):
                            return
                        (far if source is near else near).sendall(block)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("certified", [NAME, "clips.other.example"])
def test_through_a_proxy_the_name_is_asked_for_and_certified(
    client: HostClient,
    names: Names,
    certificate: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    certified: str,
) -> None:
    """The proxy looks it up: where one is needed, this machine often cannot."""
    asked: list[str] = []
    with serve(ClipServer(PINNED), certificate(certified)) as server:
        with proxy((PINNED, server.port), asked) as through:
            monkeypatch.setenv("https_proxy", through)
            url = f"https://{NAME}:{server.port}/clip.mp4"
            if certified == NAME:
                assert fetched(client, url, tmp_path) == CLIP
            else:
                with pytest.raises(HostFailedError, match="is not trusted: Hostname mismatch"):
                    fetched(client, url, tmp_path)
            client.close()
        assert asked == [f"CONNECT {NAME}:{server.port} HTTP/1.1"]
        assert len(server.asked) == (certified == NAME)
    assert names.looked_up == []


def test_where_the_proxy_is_not_for_the_host_it_is_not_used(
    client: HostClient,
    names: Names,
    certificate: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names.table[NAME] = [[PINNED]]
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "host.example")
    with serve(ClipServer(PINNED), certificate(NAME)) as server:
        assert fetched(client, f"https://{NAME}:{server.port}/clip.mp4", tmp_path) == CLIP


# --- what is never asked -----------------------------------------------------------------------------


def test_certificates_that_cannot_be_read_are_said(
    client: HostClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/authority.pem")
    with pytest.raises(NotAvailableError, match="proxies and certificates cannot be used"):
        client.ask("GET", "predictions", ignore_progress)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN} ", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused_unsaid(token: str) -> None:
    settings = HostSettings(poll_seconds=1, grace_seconds=1, timeout_seconds=1)
    with pytest.raises(NotAvailableError, match="the token for Host holds a space, a line's end") as caught:
        HostClient("Host", "https://api.host.example/v1", token, settings)
    assert TOKEN not in str(caught.value) and "tök" not in str(caught.value)
    assert "HOST_API_TOKEN" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:0a00:0001::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
