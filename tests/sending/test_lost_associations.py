"""Associations that a peer loses or refuses: the rest goes on another one, if need be without an asynchronous operations window."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse.sending import AssociationFault, Retry, Sending
from dimse.services.outcome import Outcome
from dimse.serving import admission
from dimse.serving.admission import RequestRefusal
from dimse.serving.places import Places
from dimse.settings import Acceptor, Timeouts
from dimse.upper_layer.pdu import AssociateRJ, AssociateRQ, AsynchronousOperationsWindow
from tests import faulty_peer as scp
from tests.drivers import LOOPBACK, make_instance, tls_contexts
from tests.faulty_peer import A_ABORT, A_ASSOCIATE_RJ, A_RELEASE_RQ, Connection, FaultyPeer, Message, pdu
from tests.tools import running

pytestmark = pytest.mark.usefixtures("brief_linger")

COUNT = 8


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fill a folder with instances whose UIDs end in 1 to `COUNT`."""
    for number in range(1, COUNT + 1):
        make_instance(tmp_path, number, 500)
    return tmp_path


def number_of(message: Message) -> int:
    """Return the number of the instance that a request is about."""
    uid = message.elements[scp.AFFECTED_SOP_INSTANCE_UID].rstrip(b"\0")
    return int(uid.rpartition(b".")[2])


End = Callable[[Connection], object]
ENDS: dict[str, End] = {
    "A-ABORT": lambda connection: connection.send_abort(),
    "A-P-ABORT": lambda connection: connection.send_abort(2, 1),
    "FIN": lambda connection: connection.close(),
    "RST": lambda connection: connection.reset(),
    "A-RELEASE-RQ": lambda connection: connection.send_release_request(),
    "silence": lambda connection: connection.drain(),
    "not DICOM": lambda connection: connection.send(b"HTTP/1.1 400\r\n\r\n"),
    "A-RELEASE-RP": lambda connection: connection.send_release_response(),
    "an answer to another request": lambda connection: connection.respond(
        connection.messages[-1], changes={scp.MESSAGE_ID_BEING_RESPONDED_TO: scp.us(999)}
    ),
    "an answer about another instance": lambda connection: connection.respond(
        connection.messages[-1], changes={scp.AFFECTED_SOP_INSTANCE_UID: scp.ui("1.2.3.4")}
    ),
}
with_each_end = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def dies_of(deadly: set[int], end: End) -> Callable[[Connection], None]:
    """Return a peer that stores everything but the instances `deadly`, at which it ends the association."""

    def behave(connection: Connection) -> None:
        connection.accept()
        while True:
            pdu_type, _ = connection.read_pdu()
            if pdu_type == A_RELEASE_RQ:
                connection.send_release_response()
                return
            if pdu_type == A_ABORT:
                return
            if connection.messages and connection._open_message is None and not connection._command:
                if number_of(connection.messages[-1]) in deadly:
                    end(connection)
                    return
                connection.respond(connection.messages[-1])

    return behave


def run(port: int, folder: Path, **options: Any) -> tuple[dict[int, str], list[AssociationFault]]:
    """Send; what became of each instance by its number, and what happened to associations."""
    timeouts = Timeouts(dimse=0.3, acse=0.3)
    with Sending([folder], (LOOPBACK, port), timeouts=timeouts, **options) as sending:
        events = list(sending.events())
    outcomes = [event for event in events if isinstance(event, Outcome)]
    assert len(outcomes) == COUNT
    assert {outcome.attempts for outcome in outcomes if outcome.state == "unknown"} <= {1}
    states: dict[int, str] = {int(outcome.sop_instance_uid.rpartition(".")[2]): outcome.state for outcome in outcomes}
    return states, [event for event in events if isinstance(event, AssociationFault)]


# --- a lost association ---


@pytest.mark.sample("{4}-*", "*-A-ABORT", "{1}-silence")
@with_each_end
@pytest.mark.parametrize("deadly", [{1}, {4}, {COUNT}, {1, 4, 6}, {2, 4, 6, 8}], ids=str)
def test_an_instance_that_ends_an_association_is_unknown_and_the_rest_is_stored(
    folder: Path, deadly: set[int], end: End
) -> None:
    with FaultyPeer(dies_of(deadly, end)) as port:
        states, faults = run(port, folder)
    assert states == {number: "unknown" if number in deadly else "stored" for number in range(1, COUNT + 1)}
    assert [fault.again for fault in faults] == [0.0] * len(deadly)


@pytest.mark.sample("A-ABORT", "FIN", "silence")
@with_each_end
def test_two_in_a_row_give_the_peer_up(folder: Path, end: End) -> None:
    with FaultyPeer(dies_of({3, 4}, end)) as port:
        states, faults = run(port, folder)
    assert list(states.values()) == ["stored"] * 2 + ["unknown"] * 2 + ["unsent"] * 4
    assert [fault.again for fault in faults] == [0.0, None]


def test_an_instance_that_is_refused_between_two_shows_that_the_peer_is_there(folder: Path) -> None:
    def behave(connection: Connection) -> None:
        connection.accept()
        while number_of(connection.read_message()) in (4, 6):
            connection.respond(connection.messages[-1], 0xC000)
        if number_of(connection.messages[-1]) in (3, 5):
            connection.send_abort()
            return
        connection.respond(connection.messages[-1])
        connection.serve()

    with FaultyPeer(behave) as port:
        states, _ = run(port, folder)
    assert list(states.values()).count("unsent") == 0


@pytest.mark.parametrize("end", ["A-ABORT", "FIN", "RST"])
def test_a_peer_that_ends_each_association_after_one_instance_gets_all_of_them(folder: Path, end: str) -> None:
    def behave(connection: Connection) -> None:
        connection.accept()
        connection.respond(connection.read_message())
        ENDS[end](connection)

    with FaultyPeer(behave) as port:
        states, _ = run(port, folder, retry=Retry(2, wait=0))
    assert set(states.values()) == {"stored"}


@pytest.mark.parametrize("end", ["A-ABORT", "FIN"])
def test_a_peer_that_accepts_and_takes_nothing_is_not_asked_for_ever(folder: Path, end: str) -> None:
    def behave(connection: Connection) -> None:
        connection.accept()
        ENDS[end](connection)

    peer = FaultyPeer(behave)
    with peer as port:
        states, _ = run(port, folder)
    # A second time only if an instance had gone out before the end was noticed.
    assert len(peer.connections) <= 2
    assert set(states.values()) <= {"unknown", "unsent"}


@pytest.mark.parametrize("retry", [0, Retry(5, wait=0)], ids=["once", "again"])
def test_a_peer_that_breaks_the_protocol_is_given_up_after_two(folder: Path, retry: int | Retry) -> None:
    """It was given up after the first; but one instance that a peer answers wrongly does not cost those behind it."""

    def behave(connection: Connection) -> None:
        connection.accept()
        connection.read_message()
        connection.send(b"HTTP/1.1 400\r\n\r\n")

    peer = FaultyPeer(behave)
    with peer as port:
        states, _ = run(port, folder, retry=retry)
    assert list(states.values()) == ["unknown"] * 2 + ["unsent"] * (COUNT - 2)
    assert len(peer.connections) == 2


def test_storescu_says_what_is_unknown_and_goes_on(folder: Path) -> None:
    with FaultyPeer(dies_of({3}, ENDS["A-ABORT"])) as port:
        done = running.tool("storescu", LOOPBACK, port, folder, "-ll", "warn")
    assert done.returncode == 3
    assert running.lines(done, "E") == [
        "Association Aborted",
        "the association was aborted by the DUL service-user",
        f"Store failed: {folder / '3.dcm'}: it is unknown whether the peer has it",
    ]
    (warning,) = running.lines(done, "W")
    assert warning.endswith("; going on with another association")


# --- a window that a peer breaks on ---


def proposes_window(body: bytes) -> bool:
    """Return whether an A-ASSOCIATE-RQ has an Asynchronous Operations Window."""
    information = dict(scp.items(body[68:]))[0x50]
    return 0x53 in dict(scp.items(information))


def rejection(result: int, source: int, reason: int) -> bytes:
    return pdu(A_ASSOCIATE_RJ, bytes([0, result, source, reason]))


REFUSALS: dict[str, End] = {
    **{name: ENDS[name] for name in ("A-ABORT", "A-P-ABORT", "FIN", "RST")},
    "1/1/1": lambda connection: connection.send(rejection(1, 1, 1)),
    "1/2/1": lambda connection: connection.send(rejection(1, 2, 1)),
    "1/1/2": lambda connection: connection.send(rejection(1, 1, 2)),
}


def breaks_on_windows(refuse: End, after: str = "request") -> Callable[[Connection], None]:
    """Return a peer that ends an association with a window: by its answer, after that, or after a message."""

    def behave(connection: Connection) -> None:
        body = connection.read_request()
        if not proposes_window(body):
            connection.send(connection.associate_ac())
            connection.serve()
            return
        if after != "request":
            connection.send(connection.associate_ac())
        if after == "message":
            connection.read_message()
        refuse(connection)

    return behave


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("retry", [0, Retry(1, wait=0)], ids=["once", "again"])
def test_a_peer_that_refuses_a_window_is_asked_without_one(
    folder: Path, refuse: End, retry: int | Retry, caplog: pytest.LogCaptureFixture
) -> None:
    peer = FaultyPeer(breaks_on_windows(refuse))
    with peer as port:
        states, faults = run(port, folder, async_ops=4, retry=retry)
    assert set(states.values()) == {"stored"}
    assert faults == []
    assert len(peer.connections) == 2
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert f"{LOOPBACK}:{port}" in said.getMessage() and "asynchronous operations" in said.getMessage()


@pytest.mark.parametrize("end", ["A-ABORT", "A-P-ABORT", "FIN", "RST", "A-RELEASE-RQ"])
@pytest.mark.parametrize("after", ["acceptance", "message"])
def test_a_peer_that_ends_an_association_with_a_window_is_asked_without_one(
    folder: Path, end: str, after: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyPeer(breaks_on_windows(ENDS[end], after)) as port:
        states, faults = run(port, folder, async_ops=4)
        assert list(states.values()).count("stored") >= COUNT - 1
        assert set(states.values()) <= {"stored", "unknown"}
        assert [fault.again for fault in faults] == [0.0]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


@pytest.mark.parametrize("end", ["A-ABORT", "FIN", "RST"])
def test_with_retry_nothing_is_left_unknown_by_a_window(folder: Path, end: str) -> None:
    with FaultyPeer(breaks_on_windows(ENDS[end], "message")) as port, Sending(
        [folder], (LOOPBACK, port), async_ops=4, retry=Retry(1, wait=0)
    ) as sending:  # fmt: skip
        outcomes = [event for event in sending.events() if isinstance(event, Outcome)]
    assert [outcome.state for outcome in outcomes] == ["stored"] * COUNT


def test_a_window_is_kept_where_the_peer_has_answered_a_request_on_it(folder: Path) -> None:
    asked: list[bool] = []

    def behave(connection: Connection) -> None:
        asked.append(proposes_window(connection.read_request()))
        connection.send(connection.associate_ac())
        while number_of(connection.read_message()) != 3:
            connection.respond(connection.messages[-1])
        connection.send_abort()

    with FaultyPeer(behave) as port:
        run(port, folder, async_ops=4)
    assert asked[:2] == [True, True]


REASONS = [(1, 1, 3), (1, 1, 7), (1, 2, 2), (1, 3, 1), (2, 1, 1), (2, 3, 1)]


@pytest.mark.parametrize("reason", REASONS, ids=str)
def test_a_rejection_that_says_why_is_not_about_the_window(folder: Path, reason: tuple[int, int, int]) -> None:
    def behave(connection: Connection) -> None:
        connection.read_request()
        connection.send(rejection(*reason))

    peer = FaultyPeer(behave)
    with peer as port:
        states, (fault,) = run(port, folder, async_ops=4)
    assert isinstance(fault.error, dimse.AssociationRejected)
    assert set(states.values()) == {"unsent"}
    assert len(peer.connections) == 1


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
def test_without_a_window_nothing_is_asked_twice(folder: Path, refuse: End) -> None:
    peer = FaultyPeer(lambda connection: (connection.read_request(), refuse(connection)))
    with peer as port:
        states, faults = run(port, folder)
    assert (set(states.values()), len(faults), len(peer.connections)) == ({"unsent"}, 1, 1)


def test_several_jobs_say_it_once(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = threading.Lock()
    stored: list[str] = []

    def store(request: dimse.StoreRequest) -> int:
        with lock:
            stored.append(request.sop_instance_uid)
        return 0

    judge = admission.judge

    def judge_windows(acceptor: Acceptor, places: Places, request: AssociateRQ, address: str) -> RequestRefusal | None:
        """Reject requests with a window, as a server does that knows no reason."""
        if any(isinstance(one, AsynchronousOperationsWindow) for one in request.user_information):
            return RequestRefusal(AssociateRJ(1, 1, 1), "it has a window")
        return judge(acceptor, places, request, address)

    monkeypatch.setattr(admission, "judge", judge_windows)
    with dimse.Server((LOOPBACK, 0), dimse.Handlers(store=store)) as server:
        states, faults = run(server.address[1], folder, async_ops=4, jobs=3, any_order=True)
    assert set(states.values()) == {"stored"} and faults == []
    assert len(stored) == COUNT
    said = [record for record in caplog.records if "asynchronous operations" in record.getMessage()]
    assert len(said) == 1


def test_over_tls_a_peer_that_closes_is_asked_without_a_window(folder: Path) -> None:
    contexts = tls_contexts()

    def behave(connection: Connection) -> None:
        with contexts.server.wrap_socket(connection.socket, server_side=True) as secured:
            connection.socket = secured
            if not proposes_window(connection.read_request()):
                connection.send(connection.associate_ac())
                connection.serve()

    with FaultyPeer(behave) as port:
        states, _ = run(port, folder, async_ops=4, tls=contexts.client)
    assert set(states.values()) == {"stored"}


def test_storescu_proposes_no_window_unless_asked_to(folder: Path) -> None:
    asked: list[bool] = []

    def behave(connection: Connection) -> None:
        asked.append(proposes_window(connection.read_request()))
        connection.send(connection.associate_ac())
        connection.serve()

    with FaultyPeer(behave) as port:
        for options in ([], ["--async-ops", 1], ["--async-ops", 4]):
            assert running.tool("storescu", LOOPBACK, port, folder, *options).returncode == 0
    assert asked == [False, False, True]


def test_storage_commitment_is_asked_for_without_a_window(folder: Path) -> None:
    asked: list[bool] = []

    def behave(connection: Connection) -> None:
        asked.append(proposes_window(connection.read_request()))
        connection.send(connection.associate_ac())
        connection.serve()

    with FaultyPeer(behave) as port:
        options = "--async-ops", 4, "--verify", "--commit-timeout", 0.2
        assert running.tool("storescu", LOOPBACK, port, folder, *options).returncode == 3
    assert asked == [True, False]


def test_storescu_tells_that_a_window_was_refused(folder: Path) -> None:
    with FaultyPeer(breaks_on_windows(REFUSALS["1/1/1"])) as port:
        done = running.tool("storescu", LOOPBACK, port, folder, "--async-ops", 4)
        assert done.returncode == 0
        (said,) = running.lines(done, "W")
        assert "requesting again without them" in said
        quiet = running.tool("storescu", LOOPBACK, port, folder, "--async-ops", 4, "-q")
    assert (quiet.returncode, quiet.stderr) == (0, "")
