"""Certificates made in the test, by Python alone: an authority and what it signs, on the curve P-256.

A cryptographer's library is not among the tests' packages, and a machine without the `openssl` command runs
them too. Nothing here is fast, constant in time or fit for anything but a test.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

# The curve's prime, the order of its base point, and the base point (FIPS 186-4, D.1.2.3); its a is -3.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None

_CURVE = bytes.fromhex("06082a8648ce3d030107")
_KEY_TYPE = bytes.fromhex("06072a8648ce3d0201")
_SIGNED_WITH = bytes.fromhex("300a06082a8648ce3d040302")
# Extensions of RFC 5280, 4.2.1.
_OWN_KEY, _KEY_USAGE, _NAMES, _CONSTRAINTS, _AUTHORITYS_KEY = "551d0e", "551d0f", "551d11", "551d13", "551d23"


@dataclass(frozen=True)
class Key:
    secret: int = field(default_factory=lambda: secrets.randbelow(_N - 1) + 1)

    @property
    def public(self) -> bytes:
        point = _times(self.secret, _G)
        assert point is not None
        return b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32)

    def signature(self, content: bytes) -> bytes:
        digest = int.from_bytes(hashlib.sha256(content).digest())
        nonce = secrets.randbelow(_N - 1) + 1
        point = _times(nonce, _G)
        assert point is not None
        r = point[0] % _N
        s = pow(nonce, -1, _N) * (digest + r * self.secret) % _N
        return _sequence(_integer(r), _integer(s))

    def pem(self) -> str:
        public = _tagged(0xA1, _bits(self.public))
        document = _sequence(
            _integer(1), _tagged(0x04, self.secret.to_bytes(32)), _tagged(0xA0, _CURVE), public
        )
        return _pem("EC PRIVATE KEY", document)


@dataclass(frozen=True)
class Authority:
    """Whoever trusts its `certificate` trusts what it `issue`s."""

    key: Key = field(default_factory=Key)

    @property
    def certificate(self) -> str:
        critical = bytes.fromhex("0101ff")
        is_authority = _extension(_CONSTRAINTS, critical, _sequence(critical))
        signs_certificates = _extension(_KEY_USAGE, critical, _tagged(0x03, b"\x02\x04"))
        return self._signed("The tests' authority", self.key, is_authority, signs_certificates)

    def issue(self, *names: str, folder: Path) -> Path:
        """A file with a server's key and its certificate for names and IP addresses, in `folder`."""
        key = Key()
        certificate = self._signed(
            "A server of the tests", key, _extension(_NAMES, b"", _sequence(*map(_alternative, names)))
        )
        path = folder / f"{secrets.token_hex(4)}.pem"
        path.write_text(key.pem() + certificate)
        return path

    def _signed(self, subject: str, key: Key, *extensions: bytes) -> str:
        now = datetime.now(UTC)
        own, issuer = (hashlib.sha1(k.public).digest() for k in (key, self.key))
        identifiers = (
            _extension(_OWN_KEY, b"", _tagged(0x04, own)),
            _extension(_AUTHORITYS_KEY, b"", _sequence(_tagged(0x80, issuer))),
        )
        content = _sequence(
            _tagged(0xA0, _integer(2)),
            _integer(secrets.randbits(64)),
            _SIGNED_WITH,
            _name("The tests' authority"),
            _sequence(_time(now - timedelta(hours=1)), _time(now + timedelta(hours=1))),
            _name(subject),
            _sequence(_sequence(_KEY_TYPE, _CURVE), _bits(key.public)),
            _tagged(0xA3, _sequence(*identifiers, *extensions)),
        )
        return _pem("CERTIFICATE", _sequence(content, _SIGNED_WITH, _bits(self.key.signature(content))))


# --- the curve ---------------------------------------------------------------------------------------


def _times(number: int, point: _Point) -> _Point:
    total: _Point = None
    while number:
        if number & 1:
            total = _sum(total, point)
        point = _sum(point, point)
        number >>= 1
    return total


def _sum(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and (one[1] + other[1]) % _P == 0:
        return None
    if one == other:
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, _P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P)
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


# --- DER (X.690) and the parts of a certificate (RFC 5280) -------------------------------------------


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _bits(content: bytes) -> bytes:
    return _tagged(0x03, b"\x00" + content)


def _time(moment: datetime) -> bytes:
    return _tagged(0x17, f"{moment:%y%m%d%H%M%SZ}".encode())


def _name(common: str) -> bytes:
    return _sequence(_tagged(0x31, _sequence(bytes.fromhex("0603550403"), _tagged(0x0C, common.encode()))))


def _extension(number: str, critical: bytes, value: bytes) -> bytes:
    return _sequence(_tagged(0x06, bytes.fromhex(number)), critical, _tagged(0x04, value))


def _alternative(name: str) -> bytes:
    try:
        return _tagged(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _tagged(0x82, name.encode())


def _pem(kind: str, document: bytes) -> str:
    lines = base64.encodebytes(document).decode().replace("\n", "")
    wrapped = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    return f"-----BEGIN {kind}-----\n{wrapped}\n-----END {kind}-----\n"
