"""Observers: what they are told of connections, associations and messages, on both sides and both faces, and what it costs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import aio, uids
from dimse.testing import StorageSCP, faulty_peer
from tests.drivers import CT_IN_EXPLICIT_VR, LOOPBACK, Face, errors, make_instance, on_both_faces, running

CONTEXTS: list[str | dimse.ProposedContext] = [dimse.Verification, CT_IN_EXPLICIT_VR]
Event = dimse.ConnectionEvent | dimse.AssociationEvent | dimse.MessageEvent | dimse.SecurityEvent


class Told:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        add: Callable[[Event], object] = self.events.append
        self.observer = dimse.Observer(connection=add, association=add, message=add, security=add)

    @property
    def kinds(self) -> list[str]:
        """Each event in short, but for security events."""
        return [
            f"{event.kind} {event.name}" if isinstance(event, dimse.MessageEvent) else event.kind
            for event in self.events
            if not isinstance(event, dimse.SecurityEvent)
        ]


ASKED = [
    *("opened", "requested", "accepted", "sent C-ECHO-RQ", "received C-ECHO-RSP"),
    *("sent C-STORE-RQ", "received C-STORE-RSP", "released", "closed"),
]
ANSWERED = [
    *("opened", "requested", "accepted", "received C-ECHO-RQ", "sent C-ECHO-RSP"),
    *("received C-STORE-RQ", "sent C-STORE-RSP", "released", "closed"),
]


def blocking(port: int, path: Path, **options: Any) -> None:
    """Send an echo and an instance."""
    with dimse.associate(LOOPBACK, port, contexts=CONTEXTS, **options) as association:
        assert (association.echo(), association.store(path)) == (0, 0)


def looped(port: int, path: Path, **options: Any) -> None:
    """Send an echo and an instance from an event loop."""

    async def send() -> None:
        async with aio.associate(LOOPBACK, port, contexts=CONTEXTS, **options) as association:
            assert (await association.echo(), await association.store(path)) == (0, 0)

    asyncio.run(send())


@on_both_faces
@pytest.mark.parametrize("send", [blocking, looped])
def test_both_sides_are_observed(face: Face, send: Callable[..., None], tmp_path: Path) -> None:
    instance, asking, answering = make_instance(tmp_path), Told(), Told()
    before = time.time()
    handlers = dimse.Handlers(store=lambda request: 0)
    with running(face, handlers, observe=answering.observer) as server:
        send(server.address[1], instance.path, observe=asking.observer, called_ae_title="ARCHIVE")
        address = server.address
    after = time.time()
    assert asking.kinds == ASKED
    assert answering.kinds == ANSWERED
    for told in (asking, answering):
        events = [event for event in told.events if not isinstance(event, dimse.SecurityEvent)]
        assert len({event.association for event in events}) == 1
        moments = [event.at for event in events]
        assert before <= moments[0] and moments == sorted(moments) and moments[-1] <= after
        [opened, *_, closed] = events
        assert isinstance(opened, dimse.ConnectionEvent) and isinstance(closed, dimse.ConnectionEvent)
        assert closed.sent_bytes > 100 and not opened.secured
        stored = [event for event in events if isinstance(event, dimse.MessageEvent)][-1]
        assert (stored.message_id, stored.context_id, stored.status) == (2, 3, 0)
        assert (stored.sop_class_uid, stored.sop_instance_uid) == (uids.CTImageStorage, instance.sop_instance_uid)
        assert 0 < stored.seconds <= after - before
        requested = next(event for event in events if isinstance(event, dimse.AssociationEvent))
        assert (requested.calling_ae_title, requested.called_ae_title) == ("DIMSE", "ARCHIVE")
    assert isinstance(asking.events[0], dimse.ConnectionEvent) and asking.events[0].peer == address
    assert {event.kind for event in answering.events if isinstance(event, dimse.SecurityEvent)} == {"accepted", "ended"}


def test_a_connection_that_fails_is_told_with_its_error() -> None:
    told = Told()
    with pytest.raises(dimse.ConnectError) as raised:
        dimse.associate("host.invalid", 104, contexts=CONTEXTS, observe=told.observer)
    [failed] = told.events
    assert isinstance(failed, dimse.ConnectionEvent)
    assert (failed.kind, failed.error, failed.peer) == ("failed", raised.value, ("host.invalid", 104))


def test_a_rejection_and_an_abort_are_told_apart() -> None:
    told = Told()
    with faulty_peer("rejects") as port, pytest.raises(dimse.AssociationRejected):
        dimse.associate(LOOPBACK, port, contexts=CONTEXTS, observe=told.observer)
    assert told.kinds == ["opened", "requested", "rejected", "closed"]
    told = Told()
    with faulty_peer("aborts") as port, pytest.raises(dimse.AssociationAborted) as raised:
        dimse.associate(LOOPBACK, port, contexts=CONTEXTS, observe=told.observer).echo()
    assert told.kinds == ["opened", "requested", "accepted", "sent C-ECHO-RQ", "aborted", "closed"]
    aborted = told.events[-2]
    assert isinstance(aborted, dimse.AssociationEvent) and aborted.error is raised.value
    told = Told()
    with StorageSCP() as scp:
        dimse.associate(LOOPBACK, scp.port, contexts=CONTEXTS, observe=told.observer).abort()
    aborted = told.events[-2]
    assert isinstance(aborted, dimse.AssociationEvent)
    assert (aborted.kind, aborted.error) == ("aborted", None)


def test_a_sending_and_a_forwarder_are_observed(tmp_path: Path) -> None:
    instance = make_instance(tmp_path)
    with StorageSCP() as scp:
        told = Told()
        assert [one.state for one in dimse.send(instance.path, (LOOPBACK, scp.port), observe=told.observer)] == [
            "stored"
        ]
        assert told.kinds[3:5] == ["sent C-STORE-RQ", "received C-STORE-RSP"]
        told = Told()
        with dimse.Forwarder(LOOPBACK, scp.port, observe=told.observer) as forwarder:
            assert forwarder.store(instance.path) == 0
        assert told.kinds[3:5] == ["sent C-STORE-RQ", "received C-STORE-RSP"]


def test_an_observer_that_fails_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: object) -> None:
        raise RuntimeError("mine")

    with (
        StorageSCP() as scp,
        dimse.associate(LOOPBACK, scp.port, contexts=CONTEXTS, observe=dimse.Observer(message=fail)) as association,
    ):
        assert association.echo() == 0
    assert errors(caplog) == ["an observer failed: RuntimeError: mine"] * 2


def test_the_dump_of_a_debug_log_stays(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()
    caplog.set_level("DEBUG", "dimse")
    with StorageSCP() as scp, dimse.associate(LOOPBACK, scp.port, contexts=CONTEXTS, observe=told.observer) as one:
        assert one.echo() == 0
    assert "OUTGOING A-ASSOCIATE-RQ PDU" in caplog.text
    assert told.kinds[:3] == ["opened", "requested", "accepted"]


@pytest.mark.parametrize("associate", [dimse.associate, aio.associate])
def test_what_is_no_observer_is_refused(associate: Any) -> None:
    with pytest.raises(
        TypeError, match=r"observe is a dimse\.Observer, not .*: observe=dimse.Observer\(message=print\)"
    ):
        asyncio.run(awaited(associate(LOOPBACK, 1, contexts=CONTEXTS, observe=print)))
    with pytest.raises(TypeError, match=r"message is a function that takes an event, not 5$"):
        dimse.Observer(message=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a function that takes a SecurityEvent, not 5"):
        dimse.Server((LOOPBACK, 0), observe=5)  # type: ignore[arg-type]


async def awaited(association: Any) -> None:
    await association


def test_without_an_observer_nothing_of_it_is_loaded() -> None:
    program = (
        "import sys, dimse\n"
        "from dimse.testing import StorageSCP\n"
        "with StorageSCP() as scp, dimse.associate('127.0.0.1', scp.port, contexts=['Verification']) as association:\n"
        "    association.echo()\n"
        "print([name for name in sys.modules if 'observ' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout == "[]\n"


# --- repr


def test_the_repr_says_who_what_and_in_which_state() -> None:
    async def looped(port: int) -> list[str]:
        options: Any = {"contexts": [dimse.Verification, uids.CTImageStorage], "called_ae_title": "ARCHIVE"}
        async with aio.associate(LOOPBACK, port, **options) as association:
            echo = asyncio.create_task(association.echo())
            await asyncio.sleep(0)
            shown = [repr(association)]
            await echo
        return [*shown, repr(association)]

    with StorageSCP(contexts=["Verification"]) as scp:
        who = f"DIMSE to ARCHIVE ({LOOPBACK}:{scp.port}), 1 of 2 contexts accepted"
        contexts = [dimse.Verification, uids.CTImageStorage]
        with dimse.associate(LOOPBACK, scp.port, contexts=contexts, called_ae_title="ARCHIVE") as association:
            assert repr(association) == f"<dimse.Association {who}, open>"
        assert repr(association) == f"<dimse.Association {who}, released>"
        association = dimse.associate(LOOPBACK, scp.port, contexts=contexts, called_ae_title="ARCHIVE")
        association.abort()
        assert repr(association) == f"<dimse.Association {who}, aborted>"
        assert asyncio.run(looped(scp.port)) == [
            f"<dimse.aio.Association {who}, busy>",
            f"<dimse.aio.Association {who}, released>",
        ]
    with faulty_peer("closes") as port:
        association = dimse.associate(LOOPBACK, port, contexts=contexts)
        with pytest.raises(dimse.ConnectionLost):
            association.echo()
        assert repr(association).endswith(", ended: Connection closed while waiting for DIMSE message>")
