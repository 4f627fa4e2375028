"""A mistake in an argument is named at the call, with what to write instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import dimse
from dimse import aio, uids
from dimse.testing import LOOPBACK, StorageSCP

MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"contexts": dimse.Verification}, TypeError, r"contexts takes a list.*contexts=\[dimse.Verification\]"),
    ({"contexts": [5]}, TypeError, "a context is a SOP class"),
    (
        {"contexts": [("CTImageStorage", "ExplicitVRLittleEndian")]},
        TypeError,
        "transfer syntaxes of a context takes a list",
    ),
    ({"contexts": [("CTImageStorage", [])]}, ValueError, "no transfer syntax is proposed"),
    ({"contexts": ["CTImageStorag"]}, ValueError, "did you mean CTImageStorage"),
    ({"contexts": ["1" * 65]}, ValueError, "at most 64 characters"),
    ({"contexts": []}, ValueError, "1 to 128 presentation contexts"),
    ({"timeouts": 5}, TypeError, r"timeouts is a dimse.Timeouts, not 5: timeouts=dimse.Timeouts\(acse=5\)"),
    ({"identity": "me"}, TypeError, "identity is a dimse.UserIdentity"),
    ({"calling_ae_title": 5}, TypeError, "an AE title is a text, not 5"),
    ({"called_ae_title": "A" * 17}, ValueError, "1 to 16 characters"),
    ({"tls": True}, TypeError, r"tls is a dimse.TLS or an ssl.SSLContext, not True: tls=dimse.TLS\(ca=...\)"),
    ({"async_ops": "4"}, TypeError, "async_ops is a whole number"),
    ({"roles": "SCP"}, TypeError, "roles takes a list"),
    ({"roles": ["SCP"]}, TypeError, "each of roles is a dimse.Role"),
]
SENDING_MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    *[mistake for mistake in MISTAKES if "contexts" not in mistake[0]],
    ({"nonsense": 1}, TypeError, "nonsense"),
    ({"peer": LOOPBACK}, TypeError, "peer takes a host and a port"),
    ({"peer": (LOOPBACK,)}, TypeError, "peer takes a host and a port"),
    ({"peer": None}, TypeError, "peer takes a host and a port"),
    ({"peer": (LOOPBACK, 0)}, ValueError, "a port from 1 to 65535"),
    ({"paths": None}, TypeError, "paths takes a path or a list of paths, not None"),
    ({"paths": 5}, TypeError, "paths takes a path or a list of paths, not 5"),
    ({"transcode": "maybe"}, ValueError, "transcode is one of never, lossless, always"),
    ({"raw_transfer_syntax_uid": "ExplicitVRLitleEndian"}, ValueError, "did you mean ExplicitVRLittleEndian"),
]
ADDRESSES: list[tuple[Any, Any, type[Exception], str]] = [
    (LOOPBACK, "104", TypeError, "a host and a port"),
    (None, 104, TypeError, "a host and a port"),
    (LOOPBACK, 0, ValueError, "a port from 1 to 65535"),
    (LOOPBACK, 70000, ValueError, "a port from 1 to 65535"),
    ("", 104, ValueError, "needs the name or the address"),
]
SERVER_MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"handlers": print}, TypeError, r"handlers is a dimse.Handlers.*dimse.Handlers\(store=...\)"),
    ({"contexts": dimse.Verification}, TypeError, "contexts takes a list"),
    ({"transfer_syntaxes": "ExplicitVRLittleEndian"}, TypeError, "transfer_syntaxes takes a list"),
    ({"transfer_syntaxes": ["ExplicitVRLitleEndian"]}, ValueError, "did you mean ExplicitVRLittleEndian"),
    ({"calling_ae_titles": "CT1"}, TypeError, "calling_ae_titles takes a list"),
    ({"networks": "10.0.0.0/8"}, TypeError, "networks takes a list"),
    ({"limits": 5}, TypeError, "limits is a dimse.Limits"),
    ({"timeouts": 5}, TypeError, "timeouts is a dimse.Timeouts"),
]


def _associate_on_the_loop(*args: Any, **options: Any) -> None:
    async def associate() -> None:
        await aio.associate(*args, **options)

    asyncio.run(associate())


@pytest.mark.parametrize("associate", [dimse.associate, _associate_on_the_loop])
@pytest.mark.parametrize(("options", "error", "words"), MISTAKES)
def test_associate_names_the_argument(
    associate: Callable[..., object], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        associate(LOOPBACK, 104, **{"contexts": [dimse.Verification], **options})


@pytest.mark.parametrize(("options", "error", "words"), SENDING_MISTAKES)
def test_a_sending_names_the_argument_before_it_looks_for_files(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        dimse.sending.Sending(**{"paths": [], "peer": (LOOPBACK, 104), **options})


@pytest.mark.parametrize(("options", "error", "words"), [one for one in MISTAKES if "contexts" not in one[0]])
def test_a_forwarder_names_the_argument_before_there_is_an_instance(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        dimse.Forwarder(LOOPBACK, 104, **options)


@pytest.mark.parametrize("source", [None, 5, ["a.dcm"]])
def test_what_is_no_source_is_named(source: Any) -> None:
    with (
        StorageSCP() as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=["CTImageStorage"]) as association,
        pytest.raises(TypeError, match="what is stored is a path"),
    ):
        association.store(source)


@pytest.mark.parametrize(("host", "port", "error", "words"), ADDRESSES)
def test_associate_names_what_is_wrong_with_the_address(
    host: Any, port: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        dimse.associate(host, port, contexts=[dimse.Verification])


@pytest.mark.parametrize("face", [dimse.Server, aio.Server])
@pytest.mark.parametrize(("options", "error", "words"), SERVER_MISTAKES)
def test_a_server_names_the_argument(
    face: Callable[..., object], options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        face((LOOPBACK, 0), **options)


@pytest.mark.parametrize("address", ["127.0.0.1:0", 11112, (LOOPBACK, "11112"), (LOOPBACK, -1)])
def test_a_server_names_what_is_wrong_with_its_address(address: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="address"):
        dimse.Server(address)


def test_a_timeout_that_is_not_a_number_is_named() -> None:
    with pytest.raises(TypeError, match="the acse timeout is a number of seconds, not '5'"):
        dimse.Timeouts(acse="5")  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [{"associations": "5"}, {"half_open": 2.5}, {"per_address": "1"}])
def test_a_limit_that_is_not_a_whole_number_is_named(limits: dict[str, Any]) -> None:
    [(name, given)] = limits.items()
    with pytest.raises(TypeError, match=f"the limit {name} is a whole number, not {given!r}"):
        dimse.Limits(**limits)


@pytest.mark.parametrize("name", ["echo", "store", "store_begin", "commitment"])
def test_a_handler_that_cannot_be_called_is_named(name: str) -> None:
    with pytest.raises(TypeError, match=f"the handler {name} is a function, not 5"):
        dimse.Handlers(**{name: 5})  # type: ignore[arg-type]


def test_keywords_stand_for_uids() -> None:
    with (
        StorageSCP() as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=[("CTImageStorage", ["ExplicitVRLittleEndian"])]) as association,
    ):
        (context,) = association.contexts
        assert (context.abstract_syntax, context.transfer_syntax) == (uids.CTImageStorage, uids.ExplicitVRLittleEndian)


def test_a_private_uid_is_taken_as_it_is() -> None:
    with (
        dimse.Server((LOOPBACK, 0), contexts=["1.2.840.113619.4.2"]) as server,
        dimse.associate(LOOPBACK, server.address[1], contexts=["1.2.840.113619.4.2"]) as association,
    ):
        assert association.contexts[0].accepted


def test_a_connection_that_fails_says_where_and_why() -> None:
    import errno
    import socket

    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(dimse.ConnectError) as failed:
        dimse.associate(LOOPBACK, port, contexts=[dimse.Verification])
    assert (failed.value.host, failed.value.port, failed.value.errno) == (LOOPBACK, port, errno.ECONNREFUSED)
