"""User identities: a server of either face verifies them, and the requestor gets the answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

import dimse
from dimse import settings
from dimse.services.handlers import EchoRequest, Handlers
from dimse.serving import identification
from tests.drivers import LOOPBACK, Face, on_both_faces, serving, tls_contexts

pytestmark = pytest.mark.usefixtures("brief_delays")

NAME, PASSCODE = settings.USER_NAME, settings.USER_NAME_AND_PASSCODE
ALICE = dimse.UserIdentity(PASSCODE, b"alice", b"sesame", positive_response_requested=True)


def identify(who: dimse.UserIdentity) -> bytes | None:
    return b"" if (who.primary, who.secondary) == (b"alice", b"sesame") else None


async def identify_later(who: dimse.UserIdentity) -> bytes | None:
    return identify(who)


def echo(port: int, identity: dimse.UserIdentity | None = None) -> dimse.Status:
    with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], identity=identity) as association:
        return association.echo()


@on_both_faces
@pytest.mark.parametrize("verify", [identify, identify_later])
def test_only_known_users_are_accepted(face: Face, verify: settings.Identify, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    users: list[str] = []

    def answer(request: EchoRequest) -> int:
        users.append(request.peer.user)
        return 0

    with serving(face, Handlers(echo=answer), identify=verify) as port:
        assert echo(port, ALICE).is_success
        for stranger in (
            None,
            dimse.UserIdentity(NAME, b"alice"),
            dimse.UserIdentity(PASSCODE, b"alice", b"wrong"),
            dimse.UserIdentity(PASSCODE, b"mallory", b"sesame"),
        ):
            with pytest.raises(dimse.AssociationRejected) as rejected:
                echo(port, stranger)
            assert (rejected.value.result, rejected.value.source, rejected.value.reason) == (1, 1, 1)
    assert users == ["alice"]
    assert caplog.messages.count("User identity failed verification") == 4
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [line.partition(": ")[2] for line in warnings] == [
        "rejected DIMSE -> ANY-SCP: the request has no user identity",
        *["rejected DIMSE -> ANY-SCP: the user identity was not accepted"] * 3,
    ]
    assert "sesame" not in caplog.text and "wrong" not in caplog.text


def test_identities_that_were_verified_are_recognised_until_they_are_not_accepted_any_more() -> None:
    verified = identification.Verified()
    assert ALICE not in verified
    verified.discard(ALICE)
    verified.add(ALICE)
    verified.add(ALICE)
    assert ALICE in verified
    for other in (
        dimse.UserIdentity(NAME, b"alice", b"sesame"),
        dimse.UserIdentity(PASSCODE, b"alices", b"esame"),
        dimse.UserIdentity(PASSCODE, b"alice", b"Sesame"),
    ):
        assert other not in verified
    assert ALICE not in identification.Verified()
    verified.discard(ALICE)
    assert ALICE not in verified


def test_so_many_identities_are_remembered_and_no_more() -> None:
    verified = identification.Verified()
    identities = [dimse.UserIdentity(NAME, b"%d" % number) for number in range(identification.MOST_VERIFIED + 1)]
    for identity in identities:
        verified.add(identity)
    assert [identity in verified for identity in (*identities[:2], identities[-1])] == [False, True, True]


@on_both_faces
def test_the_answer_to_an_identity_is_there_to_be_read(face: Face) -> None:
    with serving(face, identify=lambda who: who.primary.upper()) as port:
        for respond, expected in ((True, b"TICKET"), (False, None)):
            identity = dimse.UserIdentity(settings.KERBEROS, b"ticket", positive_response_requested=respond)
            with dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], identity=identity) as association:
                assert association.identity_response == expected


@on_both_faces
def test_an_identity_is_verified_over_tls_too(face: Face) -> None:
    contexts = tls_contexts()
    with serving(face, identify=identify, tls=contexts.server) as port:
        for _ in range(2):
            with dimse.associate(
                LOOPBACK, port, contexts=[dimse.Verification], identity=ALICE, tls=contexts.client
            ) as association:
                assert association.echo().is_success
        wrong = dimse.UserIdentity(PASSCODE, b"alice", b"wrong")
        with pytest.raises(dimse.AssociationRejected):
            dimse.associate(LOOPBACK, port, contexts=[dimse.Verification], identity=wrong, tls=contexts.client)


@on_both_faces
def test_an_anonymous_requestor_is_accepted_where_that_is_allowed(face: Face) -> None:
    with serving(face, identify=identify, allow_anonymous=True) as port:
        assert echo(port).is_success
        with pytest.raises(dimse.AssociationRejected):
            echo(port, dimse.UserIdentity(NAME, b"alice"))


@on_both_faces
def test_a_server_that_does_not_look_at_identities_confirms_none(face: Face) -> None:
    with serving(face) as port:
        assert echo(port, dimse.UserIdentity(NAME, b"alice")).is_success
        with pytest.raises(dimse.IdentityNotConfirmed):
            echo(port, ALICE)


def fail(who: dimse.UserIdentity) -> bytes:
    raise RuntimeError(f"no such passcode: {who.secondary!r}")


def answer_nonsense(who: dimse.UserIdentity) -> bytes:
    return True  # type: ignore[return-value]  # a common mistake


@on_both_faces
@pytest.mark.parametrize("verify", [fail, answer_nonsense])
def test_a_failed_verification_verifies_nothing(
    face: Face, verify: Callable[[dimse.UserIdentity], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(face, identify=verify) as port, pytest.raises(dimse.AssociationRejected):
        echo(port, ALICE)
    assert "the user identity could not be verified" in caplog.text
    assert "the verification of a user identity" in caplog.text
    assert "sesame" not in caplog.text


@on_both_faces
@pytest.mark.parametrize("later", [False, True])
def test_a_verification_has_its_time_and_others_do_not_wait_for_it(
    face: Face, later: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(identification, "LONGEST_VERIFICATION", 0.2)
    hang, begun = threading.Event(), threading.Event()

    def verify(who: dimse.UserIdentity) -> bytes:
        if who.primary == b"slow":
            begun.set()
            hang.wait()
        return b""

    async def verify_later(who: dimse.UserIdentity) -> bytes:
        import asyncio

        if who.primary == b"slow":
            begun.set()
            await asyncio.sleep(3600)
        return b""

    def ask_slowly() -> None:
        with pytest.raises(dimse.AssociationRejected):
            echo(port, dimse.UserIdentity(NAME, b"slow"))

    with serving(face, identify=verify_later if later else verify) as port:
        slow = threading.Thread(target=ask_slowly)
        slow.start()
        begun.wait()
        assert echo(port, dimse.UserIdentity(NAME, b"quick")).is_success
        slow.join()
    hang.set()
    assert "the user identity was not verified in time" in caplog.text


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (dimse.UserIdentity(0, b"me"), "type of a user identity is 1 to 5, not 0"),
        (dimse.UserIdentity(6, b"me"), "type of a user identity is 1 to 5, not 6"),
        (dimse.UserIdentity(5, b"x" * 65536), "at most 65535 bytes"),
        (dimse.UserIdentity(1, b""), "not empty"),
        (dimse.UserIdentity(2, b"me", b"x" * 65536), "at most 65535 bytes"),
    ],
)
def test_an_identity_that_cannot_be_sent_is_an_error_before_anything_is(
    identity: dimse.UserIdentity, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        dimse.associate(LOOPBACK, 1, contexts=[dimse.Verification], identity=identity)
