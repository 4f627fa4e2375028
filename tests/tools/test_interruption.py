"""Ctrl-C in findscu, getscu and movescu while the peer is silent: it gets a C-CANCEL soon, and the association survives."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

import dimse
from tests.faulty_peer import MESSAGE_ID_BEING_RESPONDED_TO, Connection, FaultyPeer
from tests.tools.running import start

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
CANCELLED, C_CANCEL = 0xFE00, 0x0FFF


def cancellable(connection: Connection) -> None:
    """Take a request, say nothing until it is cancelled, and then say that it is."""
    connection.accept()
    request = connection.read_message()
    cancel = connection.read_message()
    assert cancel.command_field == C_CANCEL
    connection.respond(request, CANCELLED)
    connection.serve()


def deaf(connection: Connection) -> None:
    """Take a request, and say nothing, not even when it is cancelled."""
    connection.accept()
    connection.read_message()
    connection.read_message()
    connection.drain()


@pytest.mark.parametrize(
    ("tool", "options"),
    [("findscu", ("-r", "PatientID")), ("getscu", ("--contexts", "list")), ("movescu", ())],
)
def test_a_signal_cancels_a_request_that_the_peer_does_not_answer(
    tool: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    peer = FaultyPeer(cancellable)
    folder = ("-od", tmp_path) if tool == "getscu" else ()
    with peer as port:
        with start(tool, "-S", "127.0.0.1", port, "--study-uid", "1.2", *options, *folder, "-td", "300") as process:
            assert process.stderr is not None
            while "Request: MsgID" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=10)
        request, cancel = peer.connections[0].messages
    assert process.returncode == 130
    assert "I: Sending C-CANCEL request" in said
    assert "E: " not in said
    assert cancel.elements[MESSAGE_ID_BEING_RESPONDED_TO] == request.elements[0x0110]
    assert peer.connections[0].abort is None


def test_a_peer_that_does_not_answer_a_cancellation_has_the_dimse_timeout(tmp_path: Path) -> None:
    with FaultyPeer(deaf) as port, start(
        "getscu", "-S", "127.0.0.1", port, "--study-uid", "1.2", "--contexts", "list", "-td", "0.3",
        "--retrieve-timeout", "300", "-od", tmp_path,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while "Request: MsgID" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130


def test_another_thread_may_cancel_a_query() -> None:
    with FaultyPeer(cancellable) as port, dimse.associate("127.0.0.1", port, contexts=[FIND]) as association:
        matches = association.find({"StudyInstanceUID": ""})
        timer = threading.Timer(0.1, matches.cancel_soon)
        timer.start()
        assert list(matches) == []
        timer.join()
    assert matches.status == CANCELLED
