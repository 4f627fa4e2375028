"""The password file of a tool that listens: the users that may associate, with hashes of their passwords.

It has a line for each user, `user:scrypt$N,r,p$salt$hash`, with salt and hash in base64 (RFC 7914). `dimse passwd` writes it.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from typing import Self

from dimse.settings import USER_NAME_AND_PASSCODE, UserIdentity
from dimse.support import content
from dimse.support.disk import replace, sync
from dimse.support.values import value

# scrypt's N, r and p: 16 MiB of memory, and some 0.2 s.
COST = (2**14, 8, 5)
MOST_COST = 2**20, 32, 32
# Bytes.
SALT, KEY = 16, 32


@value
class Hash:
    """The hash of a password, with its cost and salt."""

    cost: tuple[int, int, int]
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, password: bytes, cost: tuple[int, int, int] = COST) -> Self:
        """Return the hash of a password, with a new salt."""
        salt = os.urandom(SALT)
        return cls(cost, salt, _derive(password, cost, salt))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a hash as `str` writes it.

        Raises:
            ValueError: The text is not a hash.
        """
        scheme, cost, salt, key = text.split("$")
        n, r, p = map(int, cost.split(","))
        if scheme != "scrypt" or any(not 1 <= have <= most for have, most in zip((n, r, p), MOST_COST, strict=True)):
            raise ValueError
        parsed = cls((n, r, p), b64decode(salt, validate=True), b64decode(key, validate=True))
        if len(parsed.key) != KEY:
            raise ValueError
        return parsed

    def __str__(self) -> str:
        cost = ",".join(map(str, self.cost))
        return f"scrypt${cost}${b64encode(self.salt).decode()}${b64encode(self.key).decode()}"

    def fits(self, password: bytes) -> bool:
        """Compare with the hash of a password, in a time that does not depend on how far they agree."""
        from hmac import compare_digest

        return compare_digest(self.key, _derive(password, self.cost, self.salt))


def _derive(password: bytes, cost: tuple[int, int, int], salt: bytes) -> bytes:
    # hashlib loads OpenSSL, which takes long.
    from hashlib import scrypt

    n, r, p = cost
    return scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2) + 2**20, dklen=KEY)


class Passwords:
    """The users of a password file, with their hashes.

    Args:
        path: The file; only its owner may have access to it.

    Raises:
        OSError: The file cannot be read.
        ValueError: Others have access to the file, or a line of it is malformed; the message says which one.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._hashes = read(path)

    def reload(self) -> None:
        """Read the file again; if it cannot be used, the users stay as they were.

        Raises:
            OSError: The file cannot be read.
            ValueError: The file cannot be used, as for the class.
        """
        self._hashes = read(self.path)

    def identify(self, who: UserIdentity) -> bytes | None:
        """Return the answer to a user identity: b"" if user and password are right, otherwise None."""
        if who.identity_type != USER_NAME_AND_PASSCODE:
            return None
        found = self._hashes.get(who.user)
        # An unknown user takes as long as a known one. Otherwise the time would show which users are known.
        expected = found or next(iter(self._hashes.values()), UNKNOWN_USER)
        fits = expected.fits(who.secondary)
        return b"" if fits and found is not None else None


UNKNOWN_USER = Hash(COST, bytes(SALT), bytes(KEY))


def read(path: str) -> dict[str, Hash]:
    """Return the hashes in a file, by user.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file cannot be used, as for `Passwords`.
    """
    # An editor on Windows may have put a byte order mark before the text.
    try:
        text = content.decode(content.read(path, private=True))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: it is not a password file") from error
    hashes: dict[str, Hash] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.startswith("#"):
            user, _, hashed = line.strip().partition(":")
            if user in hashes:
                raise ValueError(f"{path}, line {number}: this user has an earlier line")
            hashes[user] = _parsed(user, hashed, f"{path}, line {number}")
    return hashes


def _parsed(user: str, text: str, where: str) -> Hash:
    try:
        validate_user(user)
        return Hash.parse(text)
    except ValueError as error:
        raise ValueError(f"{where}: it is not user:scrypt$N,r,p$salt$hash") from error


def validate_user(user: str) -> str:
    """Return a user's name if a line can begin with it.

    Raises:
        ValueError: It cannot.
    """
    if not user or user != user.strip() or not user.isprintable() or ":" in user or user.startswith("#"):
        raise ValueError(f"a user name is printable, has no colon, and does not begin with #: {user!r}")
    return user


def write(path: str, hashes: dict[str, Hash]) -> None:
    """Replace a file atomically.

    Raises:
        OSError: The file cannot be written; it is as it was.
    """
    temporary = f"{path}.{os.urandom(4).hex()}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{user}:{hashed}\n" for user, hashed in hashes.items())
            file.flush()
            sync(file.fileno())
        replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
