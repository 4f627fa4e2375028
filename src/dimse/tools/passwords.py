"""Passwords, kept as hashes in a file: who may associate with a tool that listens.

A line for each user: `user:scrypt$N,r,p$salt$hash`, the last two in base64 (RFC 7914). `dimse passwd` writes them.
"""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from typing import Self

from dimse.settings import USER_NAME_AND_PASSCODE, UserIdentity
from dimse.support.values import value

COST = (2**14, 8, 5)  # scrypt's N, r and p: 16 MiB, and some 0.2 s
MOST_COST = 2**20, 32, 32
SALT, KEY = 16, 32  # bytes


@value
class Hash:
    """A password's hash, and how it was made."""

    cost: tuple[int, int, int]
    salt: bytes
    key: bytes

    @classmethod
    def of(cls, password: bytes, cost: tuple[int, int, int] = COST) -> Self:
        """That of a password, with a new salt."""
        salt = os.urandom(SALT)
        return cls(cost, salt, _derive(password, cost, salt))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises:
            ValueError: It is none.
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
        """Is it the hash of this password? In a time that does not depend on how far they agree."""
        from hmac import compare_digest

        return compare_digest(self.key, _derive(password, self.cost, self.salt))


def _derive(password: bytes, cost: tuple[int, int, int], salt: bytes) -> bytes:
    from hashlib import scrypt  # what loads OpenSSL is for who has a password to hash

    n, r, p = cost
    return scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2) + 2**20, dklen=KEY)


class Passwords:
    """The users of a password file.

    Args:
        path: The file; nobody but its owner may be able to read it.

    Raises:
        OSError: It cannot be read.
        ValueError: Others may read it, or a line of it is none; the message says where.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._hashes = read(path)

    def reload(self) -> None:
        """Read the file again; if it cannot be used, what was read before stays.

        Raises: As the class does.
        """
        self._hashes = read(self.path)

    def identify(self, who: UserIdentity) -> bytes | None:
        """What answers a user identity: b"" for a user with the right password, None for anybody else."""
        if who.identity_type != USER_NAME_AND_PASSCODE:
            return None
        found = self._hashes.get(who.user)
        # An unknown user takes as long as a known one, or it could be found out who is known.
        expected = found or next(iter(self._hashes.values()), NOBODY)
        fits = expected.fits(who.secondary)
        return b"" if fits and found is not None else None


NOBODY = Hash(COST, bytes(SALT), bytes(KEY))


def read(path: str) -> dict[str, Hash]:
    """The hashes in a file, by user.

    Raises: As `Passwords`.
    """
    with open(path, encoding="utf-8") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise ValueError(f"{path}: others than its owner have access to it: chmod 600")
        hashes: dict[str, Hash] = {}
        try:
            for number, line in enumerate(file, 1):
                if line.strip() and not line.startswith("#"):
                    user, _, text = line.strip().partition(":")
                    if user in hashes:
                        raise ValueError(f"{path}, line {number}: this user has a line before")
                    hashes[user] = _parsed(user, text, f"{path}, line {number}")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: it is no password file") from error
    return hashes


def _parsed(user: str, text: str, where: str) -> Hash:
    try:
        validate_user(user)
        return Hash.parse(text)
    except ValueError as error:
        raise ValueError(f"{where}: it is no user:scrypt$N,r,p$salt$hash") from error


def validate_user(user: str) -> str:
    """A name that a line can begin with.

    Raises:
        ValueError: It is none.
    """
    if not user or user != user.strip() or not user.isprintable() or ":" in user or user.startswith("#"):
        raise ValueError(f"a user name is printable, has no colon, and does not begin with #: {user!r}")
    return user


def write(path: str, hashes: dict[str, Hash]) -> None:
    """Replace a file, at once and as a whole.

    Raises:
        OSError: It cannot be written; it is as it was.
    """
    temporary = f"{path}.{os.urandom(4).hex()}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{user}:{hashed}\n" for user, hashed in hashes.items())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
