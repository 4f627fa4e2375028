"""A certificate in words: its subject, its issuer, the end of its validity, and its fingerprint.

`ssl` decodes only certificates that it has verified, and a certificate that is not trusted yet is to be shown too. So this walks
over the few elements of X.509 that are shown (RFC 5280 4.1). The walk ends with the bytes.
"""

from __future__ import annotations

import hashlib

from dimse.support.values import value

# Attributes of a name, by object identifier as it is encoded (RFC 4519).
_ATTRIBUTES = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
}
_VERSION = 0xA0
"""The explicit tag 0, which certificates of version 1 lack."""
_UTC_TIME, _BMP_STRING = 0x17, 0x1E


@value
class Certificate:
    """A certificate, verified or not.

    Attributes:
        subject: The name of its owner, "O=Hospital, CN=pacs"; empty if no part of that is known to us.
        issuer: The name of the CA that signed it.
        not_after: The end of its validity, "2027-01-31 12:00:00 UTC".
        sha256: Its fingerprint, which a pin is compared with: 64 hexadecimal digits.
    """

    subject: str
    issuer: str
    not_after: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.subject}, issued by {self.issuer}, valid until {self.not_after}, SHA-256 {self.sha256}"


def fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate, as hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


def read(der: bytes) -> Certificate:
    """Read a certificate; what cannot be made out of it is a question mark."""
    try:
        _, certificate, _ = _element(der)
        _, to_be_signed, _ = _element(certificate)
        fields = _elements(to_be_signed)
        if fields[0][0] == _VERSION:
            del fields[0]
        (_, _), (_, _), (_, issuer), (_, validity), (_, subject) = fields[:5]  # serial number and algorithm come first
        kind, not_after = _elements(validity)[1]
        return Certificate(_name(subject), _name(issuer), _time(kind, not_after), fingerprint(der))
    except (ValueError, IndexError):
        return Certificate("?", "?", "?", fingerprint(der))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return the tag and contents of the first element, and what follows it."""
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("an element is longer than what it is in")
    return data[0], data[start : start + length], data[start + length :]


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        tag, contents, data = _element(data)
        found.append((tag, contents))
    return found


def _name(name: bytes) -> str:
    parts = []
    for _, relative in _elements(name):
        for _, pair in _elements(relative):
            (_, attribute), (kind, text) = _elements(pair)
            if attribute in _ATTRIBUTES:
                read = text.decode("utf-16-be" if kind == _BMP_STRING else "utf-8", "replace")
                parts.append(f"{_ATTRIBUTES[attribute]}={read}")
    return ", ".join(parts)


def _time(kind: int, time: bytes) -> str:
    text = time.decode("ascii")
    # Its year has two digits, which stand for years up to 2049 (RFC 5280 4.1.2.5.1).
    if kind == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    year, month, day, hour, minute, second = text[:4], *(text[at : at + 2] for at in range(4, 14, 2))
    return f"{year}-{month}-{day} {hour}:{minute}:{second} UTC"
