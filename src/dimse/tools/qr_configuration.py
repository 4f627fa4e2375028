"""The configuration file of qrscp: an INI file with settings of its own in [DEFAULT], and a section for each peer.

    [DEFAULT]
    ae_title: ARCHIVE
    port: 104
    instance_location: /data/instances
    database_location: /data/index.sqlite

    [WORKSTATION]
    address: 10.1.2.3
    port: 11112
    allow: echo, find, move
    move_to: WORKSTATION

A section is named by the AE title of its peer; [default] is for all others. What [DEFAULT] says of peers holds for all of
them, unless a section says otherwise.
"""

from __future__ import annotations

import configparser
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any

from dimse import settings
from dimse.archive.peers import OPEN_RIGHTS, RIGHTS, KnownPeer
from dimse.data_set.text import character_sets
from dimse.support.text import one_line
from dimse.support.values import replace, value
from dimse.tools import log_setup

GENERAL, STRANGERS = "DEFAULT", "default"

LARGEST = 1024 * 1024
"""Bytes of a configuration file."""

DIGESTS = ("sha256", "none")
"""The digests of data sets that an archive may make."""

_TRUE, _FALSE = ("yes", "true", "on", "1"), ("no", "false", "off", "0")

# What qrscp does without a configuration: a storage SCP on this machine is a destination.
BUILT_IN = (KnownPeer("STORESCP", "127.0.0.1", 11113),)


@value
class Configuration:
    """The content of a configuration file.

    Attributes:
        general: The settings of qrscp itself, by the names of its parsed options.
        peers: The peers, without TLS.
        strangers: The peers that have no section. Their rights are those of a section [default], else of [DEFAULT], else all.
        names_strangers: True if there is a section [default].
        is_built_in: True if there is no file.
    """

    general: Mapping[str, Any]
    peers: tuple[KnownPeer, ...]
    strangers: KnownPeer = KnownPeer("")
    names_strangers: bool = False
    is_built_in: bool = False


NONE = Configuration({}, BUILT_IN, is_built_in=True)
"""The configuration without a file."""


class _Unusable(ValueError):
    """The file cannot be used; the words do not name it."""


# --- values


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.lower() in _TRUE


def _number(least: float, most: float, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number") from None
        if not least <= number <= most:
            raise ValueError(f"{text} is not {least:.15g} to {most:.15g}")
        return number

    return read


def _rights(text: str) -> frozenset[str]:
    words = text.replace(",", " ").split()
    if words in (["all"], ["none"]):
        return RIGHTS if words == ["all"] else frozenset()
    if unknown := set(words) - RIGHTS:
        raise ValueError(f"{min(unknown)!r} is not one of all, none, {', '.join(sorted(RIGHTS))}")
    return frozenset(words)


def _titles(text: str) -> frozenset[str]:
    return frozenset(map(settings.validate_ae_title, _words(text)))


def _networks(text: str) -> tuple[str, ...]:
    networks = tuple(text.replace(",", " ").split())
    for network in networks:
        ip_network(network)
    return networks


def _tls(text: str) -> frozenset[str] | None:
    """Return the certificates that a peer by TLS may show, empty for any; None for a peer without TLS."""
    if text.lower() in _TRUE + _FALSE:
        return frozenset() if _boolean(text) else None
    from dimse.settings.tls import validate_pin

    return frozenset(map(validate_pin, text.replace(",", " ").split()))


def _charset(text: str) -> str:
    if unknown := character_sets(text.split("\\")).unknown:
        raise ValueError(f"{unknown[0]!r} is not a Specific Character Set")
    return text


def _transcode(text: str) -> str:
    if text not in ("never", "lossless", "always"):
        raise ValueError(f"{text!r} is not never, lossless or always")
    return text


def _digest(text: str) -> str:
    if text not in DIGESTS:
        raise ValueError(f"{text!r} is not {' or '.join(DIGESTS)}")
    return text


_SECONDS, _PORT = _number(0, 1e9, float), _number(0, 65535)

# The keys of [DEFAULT] about qrscp itself: the parsed option of each, and the function that reads its value.
OWN: dict[str, tuple[str, Callable[[str], Any]]] = {
    "ae_title": ("ae_title", settings.validate_ae_title),
    "port": ("port", _PORT),
    "max_pdu": ("max_pdu", lambda text: settings.validate_maximum_length(int(_number(0, 1 << 32)(text)))),
    "acse_timeout": ("acse_timeout", _SECONDS),
    "dimse_timeout": ("dimse_timeout", _SECONDS),
    "network_timeout": ("network_timeout", _SECONDS),
    "bind_address": ("bind_address", str),
    "instance_location": ("output_directory", str),
    "database_location": ("database_location", str),
    "log_identifier": ("log_identifier", _boolean),
    "digest": ("digest", _digest),
    # The two are those of every peer whose section does not say otherwise; an option wins over them.
    "transcode": ("transcode", _transcode),
    "max_matches": ("max_matches", _number(0, 10**9)),
}

# The keys about peers, in [DEFAULT] and in their sections: the field of each, and the function that reads its value.
ABOUT_PEERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "allow": ("allow", _rights),
    "move_to": ("move_to", _titles),
    "from": ("networks", _networks),
    "tls": ("tls", _tls),
    "charset": ("charset", _charset),
    "transcode": ("transcode", _transcode),
    "max_matches": ("max_matches", _number(0, 10**9)),
    "move_jobs": ("move_jobs", _number(1, 64)),
    "async_ops": ("async_ops", _number(0, 65535)),
    "commit_wait": ("commit_wait", _number(0, 3600, float)),
}

# The keys of a peer's section alone.
OF_A_PEER: dict[str, tuple[str, Callable[[str], Any]]] = {
    "address": ("address", str),
    "port": ("port", _number(1, 65535)),
}


# --- the file


def read(path: str) -> Configuration:
    """Return the configuration in a file.

    Raises:
        ValueError: The file cannot be read, or something in it is not known or not valid; the message names both.
    """
    try:
        sections = _sections(path)
        general = sections.pop(GENERAL, {})
        _verify_keys(GENERAL, general, OWN | ABOUT_PEERS)
        inherited = {key: text for key, text in general.items() if key in ABOUT_PEERS and key not in OWN}
        strangers = sections.pop(STRANGERS, None)
        return Configuration(
            _values(GENERAL, {key: text for key, text in general.items() if key in OWN}, OWN),
            tuple(_peer(title, section, inherited, general) for title, section in sections.items()),
            _strangers(strangers or {}, inherited),
            strangers is not None,
        )
    except _Unusable as error:
        raise ValueError(f"{one_line(path)}: {one_line(str(error))}") from error


def _sections(path: str) -> dict[str, dict[str, str]]:
    """Return the keys and texts of each section of an INI file."""
    # [DEFAULT] is read as any other section: some of its keys are not for peers.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise _Unusable(f"it has more than {LARGEST:,} characters")
        parser.read_string(text, "it")
    except OSError as error:
        raise _Unusable(error.strerror or type(error).__name__) from error
    except configparser.MissingSectionHeaderError as error:
        raise _Unusable(f"it is not an INI file: line {error.lineno} is in no section, such as [DEFAULT]") from error
    except (configparser.Error, UnicodeError) as error:
        raise _Unusable(f"it is not an INI file: {error}") from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _verify_keys(section: str, given: Iterable[str], known: Collection[str]) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(key, known, 1)
            meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise _Unusable(f"[{section}] has an unknown key, {key}: {meant}")


def _values(
    section: str, texts: Mapping[str, str], known: Mapping[str, tuple[str, Callable[[str], Any]]]
) -> dict[str, Any]:
    """Return the values of keys by the fields that they are for. A key without a value says nothing."""
    values = {}
    for key, text in texts.items():
        if text or key == "allow":
            field, read_value = known[key]
            try:
                values[field] = read_value(text)
            except ValueError as error:
                raise _Unusable(f"[{section}] {key}: {error}") from error
    return values


def _peer(
    title: str, section: Mapping[str, str], inherited: Mapping[str, str], general: Mapping[str, str]
) -> KnownPeer:
    """Return the peer of a section, which inherits what [DEFAULT] says of peers."""
    _verify_keys(title, section, (*OF_A_PEER, *ABOUT_PEERS))
    texts = {**inherited, **section}
    if texts.get("address") and not texts.get("port"):
        # Another implementation has the port of [DEFAULT] for a peer without one.
        if not general.get("port"):
            raise _Unusable(f"[{title}] has an address and no port")
        texts["port"] = general["port"]
    return _made(title, _values(title, texts, OF_A_PEER | ABOUT_PEERS), title)


def _strangers(section: Mapping[str, str], inherited: Mapping[str, str]) -> KnownPeer:
    _verify_keys(STRANGERS, section, ABOUT_PEERS)
    return _made(STRANGERS, _values(STRANGERS, {**inherited, **section}, ABOUT_PEERS), "")


def _made(section: str, values: dict[str, Any], ae_title: str) -> KnownPeer:
    pins = values.pop("tls", None)
    try:
        return KnownPeer(ae_title, **values, needs_tls=pins is not None, pins=pins or frozenset())
    except ValueError as error:
        raise _Unusable(f"[{section}] {error}") from error


# --- the addresses of peers


def resolved(peer: KnownPeer) -> KnownPeer:
    """Return a peer with the addresses that its host name has at present, unless its networks are configured.

    A host name that cannot be resolved is a warning: the peer then calls from nowhere.
    """
    if peer.networks or not peer.address or _is_ip_address(peer.address):
        return peer
    try:
        found = socket.getaddrinfo(peer.address, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        log_setup.warn(
            f"the peer {peer.ae_title} has no rights: cannot find the address of {one_line(peer.address)}: {words}"
        )
        return peer
    return replace(peer, networks=tuple(dict.fromkeys(str(where[4][0]).partition("%")[0] for where in found)))


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def strangers_of(configuration: Configuration, *, trusted: bool) -> KnownPeer:
    """Return the rights of peers without a section.

    Args:
        configuration: The configuration.
        trusted: True if only peers reach the port that may query and retrieve, or the user allows it to every one.

    Raises:
        ValueError: The section for them gives them rights that only trusted peers may have.
    """
    given = configuration.strangers
    if trusted:
        return given
    if configuration.names_strangers and given.allow - OPEN_RIGHTS and given.allow != RIGHTS:
        raise ValueError(
            f"[{STRANGERS}] allows {', '.join(sorted(given.allow - OPEN_RIGHTS))} to every AE, which needs --allow-anyone,"
            " --allow-from, --password-file or TLS with client certificates"
        )
    return replace(given, allow=given.allow & OPEN_RIGHTS)
