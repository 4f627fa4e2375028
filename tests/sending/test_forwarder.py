"""A router that runs on: associations to the next peer come and go, and no instance is lost or reported wrongly."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.testing import LOOPBACK, StorageSCP
from tests.faulty_peer import Connection, FaultyPeer
from tests.files import pydicom_files

CT = next(
    file
    for file in pydicom_files().sendable
    if file.sop_class_uid == uids.CTImageStorage and file.transfer_syntax == uids.ExplicitVRLittleEndian
)


@contextmanager
def _routing(forwarder: dimse.Forwarder) -> Iterator[int]:
    with forwarder, dimse.Server((LOOPBACK, 0), dimse.Handlers(store=forwarder.store)) as server:
        yield server.address[1]


def _sent(port: int, count: int = 1) -> list[dimse.Outcome]:
    context = (CT.sop_class_uid, [CT.transfer_syntax])
    with dimse.associate(LOOPBACK, port, contexts=[context]) as association:
        return list(association.store_many([CT.path] * count))


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_what_arrives_goes_on_byte_for_byte() -> None:
    with StorageSCP() as following, _routing(dimse.Forwarder(LOOPBACK, following.port)) as port:
        assert [outcome.state for outcome in _sent(port, 3)] == ["stored"] * 3
        assert [instance.data_set for instance in following.instances] == [CT.data_set] * 3


def test_the_status_of_the_next_peer_is_the_answer() -> None:
    with StorageSCP(status=0xB000) as following, _routing(dimse.Forwarder(LOOPBACK, following.port)) as port:
        assert [outcome.status for outcome in _sent(port)] == [0xB000]


def test_a_next_peer_that_is_away_is_out_of_resources_until_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    next_port = _free_port()
    with _routing(dimse.Forwarder(LOOPBACK, next_port)) as port:
        (outcome,) = _sent(port)
        assert outcome.status == 0xA700
        assert "Connection refused" in outcome.status.comment
        assert "was not forwarded" in caplog.text
        with dimse.Server((LOOPBACK, next_port), dimse.Handlers(store=lambda request: 0)):
            assert [outcome.state for outcome in _sent(port)] == ["stored"]


def test_an_association_that_the_next_peer_has_ended_is_replaced_without_a_word() -> None:
    def takes_one(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        connection.close()

    peer = FaultyPeer(takes_one)
    with peer as next_port, _routing(dimse.Forwarder(LOOPBACK, next_port)) as port:
        assert [_sent(port)[0].state for _ in range(3)] == ["stored"] * 3
    assert sum(connection.data_sets for connection in peer.connections) == 3


def test_an_outcome_that_is_unknown_is_not_sent_again_and_said_upstream() -> None:
    def dies_of_it(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        connection.close()

    peer = FaultyPeer(dies_of_it)
    with peer as next_port, _routing(dimse.Forwarder(LOOPBACK, next_port)) as port:
        (outcome,) = _sent(port)
        assert outcome.status == 0xA700
    assert [connection.data_sets for connection in peer.connections] == [1]


def test_a_sop_class_that_the_next_peer_refuses_is_said_upstream() -> None:
    with (
        dimse.Server((LOOPBACK, 0), dimse.Handlers(), contexts=[dimse.Verification]) as following,
        _routing(dimse.Forwarder(LOOPBACK, following.address[1], ["CTImageStorage", dimse.Verification])) as port,
    ):
        (outcome,) = _sent(port)
        assert outcome.status == 0x0122
        assert outcome.status.comment == "the next peer refuses it in Explicit VR Little Endian"


def test_a_next_peer_that_takes_nothing_is_not_said_to_be_out_of_resources() -> None:
    """With A700H, the sender would try again for ever."""
    with (
        dimse.Server((LOOPBACK, 0), dimse.Handlers(), contexts=[dimse.Verification]) as following,
        _routing(dimse.Forwarder(LOOPBACK, following.address[1])) as port,
    ):
        (outcome,) = _sent(port)
        assert outcome.status == 0x0122


def test_contexts_are_learned_from_what_comes() -> None:
    other = next(file for file in pydicom_files().sendable if file.sop_class_uid != CT.sop_class_uid)
    with StorageSCP() as following, _routing(dimse.Forwarder(LOOPBACK, following.port)) as port:
        outcomes = dimse.send([CT.path, other.path, CT.path], (LOOPBACK, port), repeat=1)
        assert {outcome.state for outcome in outcomes} == {"stored"}
        assert {instance.sop_class_uid for instance in following.instances} == {CT.sop_class_uid, other.sop_class_uid}


def test_an_idle_association_is_released() -> None:
    released = threading.Event()

    def takes_all(connection: Connection) -> None:
        connection.accept()
        connection.serve()
        released.set()

    with FaultyPeer(takes_all) as next_port, _routing(dimse.Forwarder(LOOPBACK, next_port, idle=0.05)) as port:
        assert [outcome.state for outcome in _sent(port)] == ["stored"]
        assert released.wait(10)


def test_several_callers_share_a_few_associations() -> None:
    with StorageSCP() as following, _routing(dimse.Forwarder(LOOPBACK, following.port, associations=2)) as port:
        states: list[str] = []
        threads = [
            threading.Thread(target=lambda: states.extend(outcome.state for outcome in _sent(port, 5)))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert states == ["stored"] * 30
        assert len(following.instances) == 30


def test_an_instance_is_answered_when_the_forwarder_closes_under_it() -> None:
    arrived, leave = threading.Event(), threading.Event()

    def keeps_it(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        arrived.set()
        leave.wait(10)

    with FaultyPeer(keeps_it) as next_port:
        forwarder = dimse.Forwarder(LOOPBACK, next_port)
        with _routing(forwarder) as port:
            outcomes: list[dimse.Outcome] = []
            sender = threading.Thread(target=lambda: outcomes.extend(_sent(port)))
            sender.start()
            assert arrived.wait(10)
            forwarder.close()
            sender.join(10)
            leave.set()
        assert [outcome.status for outcome in outcomes] == [0xA700]


def test_a_forwarder_that_is_closed_leaves_the_next_peer_alone() -> None:
    next_peer = FaultyPeer(lambda connection: connection.accept())
    with next_peer as next_port:
        forwarder = dimse.Forwarder(LOOPBACK, next_port)
        forwarder.close()
        with _routing(forwarder) as port:
            (outcome,) = _sent(port)
    assert outcome.status is not None
    assert (outcome.status, outcome.status.comment) == (0xA700, "not forwarded: the forwarder is closed")
    assert next_peer.connections == []


@pytest.mark.parametrize("options", [{"associations": 0}, {"idle": -1}])
def test_an_argument_that_makes_no_sense_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one association"):
        dimse.Forwarder(LOOPBACK, 104, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"called_ae_title": "A" * 17}, ValueError, "1 to 16 characters"),
        ({"timeouts": 5}, TypeError, "timeouts is a dimse.Timeouts"),
        ({"calling_aet": "ME"}, TypeError, "calling_aet"),
        ({"tls": True}, TypeError, "tls is a dimse.TLS"),
        ({"tls": dimse.TLS(ca="/no/such/file")}, dimse.TLSConfigurationError, "/no/such/file"),
    ],
)
def test_a_wrong_option_of_its_associations_is_refused_when_it_is_made(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        dimse.Forwarder(LOOPBACK, 104, **options)


def test_a_failure_is_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    with _routing(dimse.Forwarder(LOOPBACK, _free_port())) as port:
        _sent(port)
    assert [record.levelno for record in caplog.records if record.name == "dimse.notices"] == [logging.WARNING]
