"""The user's file of named remotes, in TOML: `--remote NAME` of the tools, and `Remote.named`.

    [pacs]
    host = "pacs.example.org"
    port = 2762
    called_ae_title = "ARCHIVE"
    timeouts = { connect = 5 }
    tls = { ca = "hospital.pem" }
    identity = { user = "me", password = "secret" }

A table has the fields of `Remote`. Paths in it begin in the folder of the file. A file with passwords must be its owner's alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from typing import Any

from dimse.settings import (
    JSON_WEB_TOKEN,
    KERBEROS,
    LONGEST_IDENTITY,
    SAML,
    USER_NAME,
    USER_NAME_AND_PASSCODE,
    Timeouts,
    UserIdentity,
)
from dimse.support.text import one_line
from dimse.support.values import fields

VARIABLE = "DIMSE_CONFIG"
"""The environment variable with the path of the file."""

_LARGEST = 1024 * 1024

_TLS_PATHS = ("certificate", "key", "ca", "crl")
_TLS = (*_TLS_PATHS, "server_name", "pin", "verify", "profile", "password")
# Identities that are read from a file: the type, and True for text, which is stripped of white space.
_TOKENS = {"jwt": (JSON_WEB_TOKEN, True), "saml": (SAML, True), "kerberos": (KERBEROS, False)}
_IDENTITY = ("user", "password", *_TOKENS, "positive_response")


class _Unusable(ValueError):
    """The file, or a table of it, cannot be used."""


def path() -> str:
    """Return the path of the file: `$DIMSE_CONFIG`, else `dimse/remotes.toml` among the user's configuration files."""
    named = os.environ.get(VARIABLE)
    if named:
        return os.path.abspath(named)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(home, "dimse", "remotes.toml")


def read(name: str, kind: type) -> dict[str, Any]:
    """Return the fields of a remote that the file gives for its name, with host and port.

    Args:
        name: The name.
        kind: The class `Remote`, which has the fields and checks them.

    Raises:
        ValueError: There is no such remote, or the file cannot be used; the message is one line that names the file.
    """
    file = path()
    try:
        tables = _tables(file)
        table = tables.get(name)
        if not isinstance(table, dict):
            known = ", ".join(sorted(each for each, value in tables.items() if isinstance(value, dict))) or "none"
            raise _Unusable(f"no remote is named {name!r}: it has {known}")
        try:
            given = _remote(table, fields(kind), os.path.dirname(file))
            kind(**given)
        except (TypeError, ValueError) as error:
            raise _Unusable(f"[{name}]: {error}") from error
        return given
    except _Unusable as error:
        raise ValueError(one_line(f"{file}: {error}")) from error


def _tables(file: str) -> dict[str, Any]:
    """Return the tables of the file."""
    import tomllib

    try:
        # Opening a FIFO would wait for its writer.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise _Unusable("not a regular file")
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        hint = f" ({VARIABLE} may name another file)" if isinstance(error, FileNotFoundError) else ""
        raise _Unusable(f"{(error.strerror or str(error)).lower()}{hint}") from error
    if len(content) > _LARGEST:
        raise _Unusable(f"more than {_LARGEST:,} bytes")
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise _Unusable(f"not TOML: {error}") from error
    except RecursionError as error:
        raise _Unusable("its values are nested too deep") from error
    if mode & 0o077 and any(_has_password(table) for table in tables.values()):
        raise _Unusable(f"it has passwords, and other users may read or change it: chmod 600 {file}")
    return tables


def _has_password(table: object) -> bool:
    if not isinstance(table, dict):
        return False
    return "password" in table or any(_has_password(inner) for inner in table.values())


def _remote(table: Mapping[str, Any], known: Collection[str], folder: str) -> dict[str, Any]:
    """Return the fields of a remote that a table gives."""
    _check_keys("", table, known)
    for needed in ("host", "port"):
        if needed not in table:
            raise _Unusable(f"no {needed}")
    given = dict(table)
    if "timeouts" in given:
        timeouts = _table("timeouts", given["timeouts"], fields(Timeouts))
        given["timeouts"] = Timeouts(**timeouts)
    if "tls" in given:
        given["tls"] = _tls(given["tls"], folder)
    if "identity" in given:
        given["identity"] = _identity(_table("identity", given["identity"], _IDENTITY), folder)
    return given


def _table(name: str, value: object, known: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        # The value may be a secret.
        raise _Unusable(f"{name} is a table")
    _check_keys(f"{name}.", value, known)
    return value


def _check_keys(prefix: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    from difflib import get_close_matches

    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1)
            meant = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
            raise _Unusable(f"{prefix}{key} is not known: {meant}")


def _tls(value: object, folder: str) -> object:
    if isinstance(value, bool):
        value = {} if value else None
    if value is None:
        return None
    from dimse.settings.tls import TLS

    given: dict[str, Any] = dict(_table("tls", value, _TLS))
    for name in _TLS_PATHS:
        if name in given:
            given[name] = _file(f"tls.{name}", given[name], folder)
    if "server_name" in given:
        _text("tls.server_name", given["server_name"])
    # A wrong value must not mean less protection.
    if not isinstance(given.get("verify", True), bool):
        raise _Unusable("tls.verify is true or false")
    if "pin" in given:
        pins = given["pin"] if isinstance(given["pin"], list) else [given["pin"]]
        if not pins:
            raise _Unusable("tls.pin is a fingerprint, or a list of them that is not empty")
        for pin in pins:
            _text("tls.pin", pin)
    if "password" in given:
        password = _text("tls.password", given["password"])
        given["password"] = lambda: password
    return TLS(**given)


def _identity(table: Mapping[str, Any], folder: str) -> UserIdentity:
    named = [key for key in ("user", *_TOKENS) if key in table]
    if len(named) != 1:
        raise _Unusable("identity has one of user, jwt, saml and kerberos")
    asks = table.get("positive_response", False)
    if not isinstance(asks, bool):
        raise _Unusable(f"identity.positive_response is true or false, not {asks!r}")
    if "user" in table:
        user = _text("identity.user", table["user"]).encode()
        if "password" not in table:
            return UserIdentity(USER_NAME, user, positive_response_requested=asks)
        password = _text("identity.password", table["password"]).encode()
        return UserIdentity(USER_NAME_AND_PASSCODE, user, password, positive_response_requested=asks)
    if "password" in table:
        raise _Unusable("identity.password is for identity.user")
    key = named[0]
    identity_type, is_text = _TOKENS[key]
    file = _file(f"identity.{key}", table[key], folder)
    try:
        with open(file, "rb") as stream:
            # Two bytes more than can be sent, so that a longer identity is noticed and refused.
            content = stream.read(LONGEST_IDENTITY + 2)
    except OSError as error:
        raise _Unusable(f"identity.{key}: cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    content = content.strip() if is_text else content
    return UserIdentity(identity_type, content, positive_response_requested=asks)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        # The value may be a secret.
        raise _Unusable(f"{name} is a text that is not empty")
    return value


def _file(name: str, value: object, folder: str) -> str:
    text = _text(name, value)
    if "\0" in text:
        raise _Unusable(f"{name} is a path, which has no NUL")
    return os.path.join(folder, os.path.expanduser(text))
