"""echoscu as its user sees it: what it proposes, what it says, and how it ends."""

from __future__ import annotations

import re
import signal

import pytest

import dimse
from dimse import uids
from tests import faulty_peer as scp
from tests.faulty_peer import Connection
from tests.tools import running

EXPLICIT, IMPLICIT = uids.ExplicitVRLittleEndian, uids.ImplicitVRLittleEndian
BIG, DEFLATED = uids.ExplicitVRBigEndian, uids.DeflatedExplicitVRLittleEndian

# Of a response, up to its value.
MESSAGE_ID_ELEMENT = b"\0\0\x20\x01\x02\0\0\0"

SUCCESS = "Received Echo Response (Status: 0x0000 - Success)"


@pytest.mark.sample("options0-*", "options1-*", "options7-*")
@pytest.mark.parametrize(
    ("options", "proposed"),
    [
        ([], [EXPLICIT, IMPLICIT, DEFLATED, BIG]),
        (["-xe"], [EXPLICIT]),
        (["--request-little"], [EXPLICIT]),
        (["-xb"], [BIG]),
        (["--request-big"], [BIG]),
        (["-xi"], [IMPLICIT]),
        (["--request-implicit"], [IMPLICIT]),
        (["-pts", "1"], [IMPLICIT]),
        (["-pts", "2"], [IMPLICIT, EXPLICIT]),
        (["--propose-ts", "3"], [IMPLICIT, EXPLICIT, BIG]),
    ],
)
def test_one_context_is_proposed(options: list[str], proposed: list[str]) -> None:
    (request,) = running.asked("echoscu", "PEER", *options)
    assert request.contexts == [("1.2.840.10008.1.1", proposed)]


def test_one_echo_and_a_release() -> None:
    (request,) = running.asked("echoscu", "PEER")
    assert request.message_ids == [1]
    assert request.connection.messages[0].command_field == 0x0030  # C-ECHO-RQ, PS3.7 E.1
    assert request.connection.pdu_types == [scp.A_ASSOCIATE_RQ, scp.P_DATA_TF, scp.A_RELEASE_RQ]


def test_repeat_counts_message_ids_up_on_one_association() -> None:
    (request,) = running.asked("echoscu", "PEER", "--repeat", 25)
    assert request.message_ids == list(range(1, 26))


def test_abort_ends_the_association_instead_of_release() -> None:
    (request,) = running.asked("echoscu", "PEER", "--abort")
    assert request.connection.pdu_types == [scp.A_ASSOCIATE_RQ, scp.P_DATA_TF, scp.A_ABORT]
    assert request.connection.abort == (0, 0)


@pytest.mark.parametrize(("options", "last"), [([], "Releasing Association"), (["--abort"], "Aborting Association")])
def test_what_verbose_says(options: list[str], last: str) -> None:
    process = running.against(serve, "echoscu", "PEER", "-v", "--repeat", 2, *options)
    assert process.returncode == 0
    *life, times, peer = process.stderr.splitlines()
    assert life == [
        "I: Requesting Association",
        "I: Association Accepted",
        "I: Sending Echo Request: MsgID 1",
        f"I: {SUCCESS}",
        "I: Sending Echo Request: MsgID 2",
        f"I: {SUCCESS}",
        f"I: {last}",
    ]
    milliseconds = r"\d+\.\d ms"
    assert re.fullmatch(
        f"I: Connected in {milliseconds}, associated in {milliseconds}, echo in {milliseconds}, {milliseconds}", times
    )
    assert peer == "I: Peer: ANY-SCP, implementation FAULTY_PEER (1.2.826.0.1.3680043.8.498.1)"


def serve(connection: Connection, status: int = 0) -> None:
    connection.accept()
    connection.serve(status)


def test_many_echoes_are_summed_up() -> None:
    process = running.against(serve, "echoscu", "PEER", "-v", "--repeat", 100)
    assert process.stderr.count(SUCCESS) == 100
    assert re.search(r"echo in \d+\.\d-\d+\.\d ms, median \d+\.\d ms\n", process.stderr)


def test_what_a_peer_calls_itself_is_shown_on_one_line() -> None:
    def forges(connection: Connection) -> None:
        connection.read_request()
        accept = connection.associate_ac()
        accept = accept.replace(scp.item(0x55, b"FAULTY_PEER"), scp.item(0x55, b"EVIL\n\x1b[31m\xff"))
        connection.send(accept)
        connection.serve()

    process = running.against(forges, "echoscu", "PEER", "-v")
    assert process.returncode == 0
    assert r"implementation EVIL\n\x1b[31mÿ (" in process.stderr.splitlines()[-1]


def test_what_debug_says_first() -> None:
    process = running.against(serve, "echoscu", "PEER", "-d")
    assert process.returncode == 0
    lines = process.stderr.splitlines()
    assert lines[:6] == [
        f"D: echoscu.py v{dimse.__version__}",
        "D: ",
        "I: Requesting Association",
        "D: Request Parameters:",
        "D: ======================= OUTGOING A-ASSOCIATE-RQ PDU ========================",
        "D: Our Implementation Class UID:      2.25.215146092437265891204364521487269146372",
    ]
    assert "D: Accept Parameters:" in lines
    assert lines.count('D: pydicom.read_dataset() TransferSyntax="Little Endian Implicit"') == 1
    assert not any("C-ECHO RQ" in line for line in lines)


@pytest.mark.sample("272", "49443")
@pytest.mark.parametrize("status", [0x0110, 0x0122, 0x0210, 0x0211, 0xC123])
def test_a_failure_status_is_exit_status_3(status: int) -> None:
    process = running.against(lambda connection: serve(connection, status), "echoscu", "PEER", "--repeat", 2)
    assert process.returncode == 3
    first, second = running.errors(process)
    assert first == second
    assert first.startswith(f"Echo failed: 0x{status:04X}")


def test_a_status_that_verbose_shows() -> None:
    process = running.against(lambda connection: serve(connection, 0x0122), "echoscu", "PEER", "-v")
    assert "I: Received Echo Response (Status: 0x0122 - Unknown)\n" in process.stderr


def test_an_error_comment_is_shown_on_one_line() -> None:
    def comments(connection: Connection) -> None:
        connection.accept()
        message = connection.read_message()
        connection.respond(message, 0x0110, {scp.ERROR_COMMENT: b"disk\nE: forged "})
        connection.read_pdu()
        connection.send_release_response()

    process = running.against(comments, "echoscu", "PEER")
    assert process.returncode == 3
    (line,) = running.errors(process)
    assert r"disk\nE: forged" in line


@pytest.mark.thorough
def test_message_ids_wrap_after_65535_and_are_never_0() -> None:
    seen: list[int] = []

    def echo_fast(connection: Connection) -> None:
        """Answer by changing the message ID in the bytes of the first response, which makes 70,000 answers a matter of seconds."""
        connection.accept()
        message = connection.read_message()
        seen.append(int.from_bytes(message.elements[scp.MESSAGE_ID], "little"))
        prefix, suffix = connection.response(message).split(MESSAGE_ID_ELEMENT + scp.us(1))
        connection.respond(message)
        while (request := connection.socket.recv(4096))[0] == scp.P_DATA_TF:
            at = request.index(b"\0\0\x10\x01\x02\0\0\0") + 8
            seen.append(int.from_bytes(request[at : at + 2], "little"))
            connection.socket.sendall(prefix + MESSAGE_ID_ELEMENT + request[at : at + 2] + suffix)
        connection.send_release_response()

    process = running.against(echo_fast, "echoscu", "PEER", "--repeat", 65540)
    assert (process.returncode, process.stderr) == (0, "")
    assert seen == [*range(1, 65536), *range(1, 6)]


def test_a_server_that_is_named_by_ipv6_is_reached() -> None:
    try:
        server = dimse.Server(("::1", 0)).__enter__()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback address")
    try:
        assert running.tool("echoscu", "::1", server.address[1]).returncode == 0
    finally:
        server.shutdown()


def test_ctrl_c_between_echoes_aborts() -> None:
    gate = running.Gate()

    def serve_until_interrupted(connection: Connection) -> None:
        connection.accept()
        while True:
            connection.respond(connection.read_message())
            if len(connection.messages) == 10:
                gate.reached.set()

    peer = scp.FaultyPeer(serve_until_interrupted)
    with peer as port, running.start("echoscu", "127.0.0.1", port, "--repeat", 10**9) as process:
        gate.wait()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=running.SECONDS)
    assert process.returncode == 130
    assert (out, err) == ("", "E: Interrupted\n")
    assert peer.connections[0].abort in ((0, 0), None)
    assert peer.connections[0].end in ("FIN", "RST")
