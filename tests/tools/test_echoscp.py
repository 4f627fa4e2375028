"""echoscp as its user sees it: it answers C-ECHO and nothing else, and says what happened. `test_listening` has its options."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dimse
from dimse import uids
from dimse.__main__ import main
from tests import faulty_peer as peer
from tests.tools.listeners import C_ECHO_RQ, Requestor, listening

# Options, the words that are logged, and the levels of all lines.
SAID: list[tuple[list[str], list[str], set[str]]] = [
    ([], [], set()),
    (["-q"], [], set()),
    (["-v"], ["Accepting Association", "Received Echo Request (MsgID 1)", "Association Released"], {"I"}),
    (["-ll", "info"], ["Accepting Association"], {"I"}),
    (["-d"], ["echoscp.py v", "pydicom.read_dataset()", "Accept Parameters:", "Accepting Association"], {"I", "D"}),
    (["--log-level", "debug"], ["C-ECHO RQ"], {"I", "D"}),
    (["-d", "-ll", "warn"], [], set()),
]


@pytest.mark.sample("options0-*", "options4-*")
@pytest.mark.parametrize(("options", "words", "levels"), SAID)
def test_what_it_says(options: list[str], words: list[str], levels: set[str]) -> None:
    with listening("echoscp", *options) as listener:
        assert listener.echo().is_success
        said = listener.end()
        assert [word for word in words if not any(word in line for line in said)] == []
        assert {line[0] for line in said} == levels


def without_ports(lines: list[str]) -> list[str]:
    """Return the lines without the ports of peers, which the system chooses."""
    return [re.sub(r"^(\w: 127\.0\.0\.1):\d+", r"\1", line) for line in lines]


def test_every_line_of_a_verification_in_its_order() -> None:
    with listening("echoscp", "-v", "-aet", "VERIFIER") as listener:
        listener.run("echoscu", "--repeat", 2)
        # The address and the titles of each peer are told: a user wants to see each peer.
        assert without_ports(listener.end()[1:]) == [
            "I: Accepting Association",
            "I: 127.0.0.1: accepted ECHOSCU -> ANY-SCP",
            "I: Received Echo Request (MsgID 1)",
            "I: Received Echo Request (MsgID 2)",
            "I: Association Released",
        ]


def test_an_association_that_is_aborted_is_said_to_be() -> None:
    with listening("echoscp", "-v") as listener:
        listener.run("echoscu", "--abort")
        listener.until("Association Aborted")
        assert without_ports(listener.end()[1:]) == [
            "I: Accepting Association",
            "I: 127.0.0.1: accepted ECHOSCU -> ANY-SCP",
            "I: Received Echo Request (MsgID 1)",
            "I: Association Aborted",
        ]


def test_it_accepts_nothing_but_verification() -> None:
    with listening("echoscp") as listener:
        with listener.associate(dimse.Verification, uids.CTImageStorage, "1.2.3.4") as association:
            assert [context.result for context in association.contexts] == [0, 3, 3]
            assert association.echo().is_success
        with pytest.raises(dimse.RefusedContexts):
            listener.associate(uids.CTImageStorage)
        listener.end()


def test_associations_one_after_the_other_and_side_by_side() -> None:
    with listening("echoscp") as listener:
        together = [listener.associate() for _ in range(20)]
        for association in together:
            assert association.echo().is_success
        for association in together:
            association.release()
            assert listener.echo().is_success
        listener.end()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "does not speak DICOM"),
        (peer.pdu(peer.A_RELEASE_RQ, bytes(4)), ""),
        (peer.pdu(peer.P_DATA_TF, peer.pdv(1, 3, b"")), ""),
    ],
)
def test_what_is_no_association_request_is_aborted_and_one_line(sent: bytes, said: str) -> None:
    with listening("echoscp") as listener, Requestor(listener) as requestor:
        requestor.socket.sendall(sent)
        assert requestor.read() == (peer.A_ABORT, bytes(4))
        requestor.socket.close()
        assert listener.echo().is_success
        (line,) = listener.end()
        assert line.startswith("E: 127.0.0.1:")
        assert said in line


def test_a_connection_without_a_byte_is_not_logged() -> None:
    with listening("echoscp", "-v") as listener:
        for _ in range(10):
            Requestor(listener).socket.close()
        assert listener.echo().is_success
        assert not any(line[0] in "EW" for line in listener.end())


def test_a_broken_echo_ends_only_its_association() -> None:
    # It has no message ID, so it cannot be answered.
    broken = peer.command_set(
        {
            peer.AFFECTED_SOP_CLASS_UID: peer.ui(uids.Verification),
            peer.COMMAND_FIELD: peer.us(C_ECHO_RQ),
            peer.COMMAND_DATA_SET_TYPE: peer.us(peer.NO_DATA_SET),
        }
    )
    with listening("echoscp") as listener, Requestor(listener) as requestor, listener.associate() as other:
        requestor.associate().socket.sendall(peer.pdu(peer.P_DATA_TF, peer.pdv(1, 3, broken)))
        assert requestor.read()[0] == peer.A_ABORT
        requestor.socket.close()
        assert other.echo().is_success
        other.release()
        assert any(line.startswith("E: ") for line in listener.end())


@pytest.mark.parametrize("name", ["echoscp", "storescp"])
def test_help_and_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option, said in (("--help", f"usage: {name} "), ("--version", f"{name}.py v{dimse.__version__}\n")):
        with pytest.raises(SystemExit) as ended:
            main([name, option])
        assert ended.value.code == 0
        out, err = capsys.readouterr()
        assert out.startswith(said)
        assert err == ""


def test_the_tools_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert "  echoscp " in listed
    assert "  storescp " in listed


def test_arguments_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "options").write_text("-v\n-pdu\n65536\n")
    with listening("echoscp", f"@{tmp_path / 'options'}") as listener:
        assert "D: Their Max PDU Receive Size:  65536" in listener.run("echoscu", "-d").stderr.splitlines()
        assert "I: Accepting Association" in listener.end()


def test_a_log_that_nothing_reads_does_not_stop_it() -> None:
    with listening("echoscp", "-d") as listener:
        # Their lines are more than a pipe holds.
        for _ in range(100):
            assert listener.echo().is_success
        listener.until("Association Released")
        assert listener.echo().is_success
        said = listener.end()
    warnings = [line for line in said if line.startswith("W: ")]
    assert re.fullmatch(r"W: [\d,]+ lines? of this log dropped, because nothing read stderr", warnings[0])
    assert listener.process.returncode == 0
