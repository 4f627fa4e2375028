"""The common part of echoscp and storescp as users see it: address, admission, timeouts and end."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from tests import faulty_peer as peer
from tests.interop import ours
from tests.tools import listeners, running
from tests.tools.listeners import Listener, Requestor, listening

LISTENERS = pytest.mark.parametrize("name", ["echoscp", "storescp"])
SHORT = 0.2  # seconds
# Its source is the service user, because we want it.
ABORT = (peer.A_ABORT, bytes(4))
SEVERAL = ("--workers", 2)
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shares connections among the workers")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, where storescp keeps its files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)


# --- where ---


@pytest.mark.sample("1-localhost", "2-::1")
@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "0.0.0.0", pytest.param("::1", marks=ours.WITH_IPV6)])
@pytest.mark.parametrize("workers", [1, 2])
def test_port_0_is_a_free_one_and_the_address_is_told(address: str, workers: int) -> None:
    with listening("echoscp", "-v", "-ba", address, "--workers", workers) as listener:
        assert listener.echo().is_success
        listener.until("I: Listening on ")
        assert listener.said[-1] == f"I: Listening on {listener.where}"
        assert listener.host == {"localhost": "127.0.0.1"}.get(address, address)
        listener.end()


@pytest.mark.sample("-")
@pytest.mark.parametrize("first", [(), SEVERAL], ids=["", "several"])
@pytest.mark.parametrize("second", [(), SEVERAL], ids=["", "several"])
def test_a_port_that_is_taken(first: tuple[object, ...], second: tuple[object, ...]) -> None:
    with listening("echoscp", *first) as listener:
        taken = running.tool("echoscp", listener.port, "-ba", "127.0.0.1", *second)
        assert taken.returncode == 1
        assert running.errors(taken) == [f"cannot listen on {listener.where}: Address already in use"]
        listener.end()


@pytest.mark.sample("192.0.2.1-*-")
@pytest.mark.parametrize("workers", [(), SEVERAL], ids=["", "several"])
@pytest.mark.parametrize(
    ("address", "where", "words"),
    [
        ("192.0.2.1", "192.0.2.1:0", "Cannot assign requested address"),
        ("no-such-host.invalid", "no-such-host.invalid:0", ""),
        pytest.param("2001:db8::1", "[2001:db8::1]:0", "Cannot assign requested address", marks=ours.WITH_IPV6),
    ],
)
def test_an_address_that_is_not_ours(workers: tuple[object, ...], address: str, where: str, words: str) -> None:
    done = running.tool("echoscp", 0, "-ba", address, *workers)
    assert done.returncode == 1
    (line,) = running.errors(done)
    assert line.startswith(f"cannot listen on {where}: {words}")
    assert "Unknown error" not in line


@pytest.mark.parametrize("workers", [(), SEVERAL], ids=["", "several"])
def test_a_port_that_was_closed_with_a_connection_on_it_can_be_taken_again(workers: tuple[object, ...]) -> None:
    with listening("echoscp", "--drain", 0) as listener, listener.associate() as association:
        # It closes first, so its end of the connection stays for a while.
        listener.end()
        port = listener.port
        association.abort()
    with listening("echoscp", *workers, port=port) as listener:
        assert listener.echo().is_success
        listener.end()


@pytest.mark.sample("0.0.0.0-*-storescp", "-*-echoscp")
@LISTENERS
@pytest.mark.parametrize(
    ("address", "amount"),
    [
        ("0.0.0.0", []),
        ("", ["-v"]),
        ("0", ["-d"]),
        pytest.param("::", ["-ll", "critical"], marks=ours.WITH_IPV6),
    ],
)
def test_an_open_listener_is_warned_of(name: str, address: str, amount: list[str]) -> None:
    with listening(name, f"-ba={address}", *amount) as listener:
        warnings = [line for line in listener.end() if line.startswith("W: ")]
        assert len(warnings) == 1
        assert warnings[0].startswith(f"W: {listeners.OPEN}")


@pytest.mark.sample("-ba 127.0.0.1")
@pytest.mark.parametrize(
    "options",
    [
        ["-ba", "127.0.0.1"],
        ["-ba", "0.0.0.0", "-q"],
        ["-ba", "0.0.0.0", "--allow-from", "10.0.0.0/8"],
        ["-ba", "0.0.0.0", "--allow-calling", "CT1"],
    ],
    ids=" ".join,
)
def test_there_is_no_warning_where_it_is_not_open_or_nothing_is_to_be_said(options: list[str]) -> None:
    with listening("echoscp", *options) as listener:
        assert listener.end() == []


# --- ready ---


@pytest.mark.sample("1-storescp", "2-echoscp")
@LISTENERS
@pytest.mark.parametrize("workers", [1, 2])
def test_the_ready_file_is_there_while_it_listens(name: str, workers: int, tmp_path: Path) -> None:
    path = tmp_path / "ready"
    # The last ready file counts; that it is there is told by the service manager's socket.
    with manager(tmp_path) as told, running.start(name, 0, "-ba", "127.0.0.1", "--ready-file", path) as process:
        assert told.recv(4096).startswith(b"READY=1\nSTATUS=Listening on 127.0.0.1:")
        assert Listener(process, path.read_text().strip()).echo().is_success
        process.terminate()
        assert told.recv(4096) == b"STOPPING=1"
        assert process.wait(running.SECONDS) == 0
        assert not path.exists()
        told.setblocking(False)
        with pytest.raises(BlockingIOError):  # once, however many workers there are
            told.recv(4096)


@pytest.mark.parametrize("workers", [(), SEVERAL], ids=["", "several"])
def test_a_ready_file_that_cannot_be_written(workers: tuple[object, ...]) -> None:
    done = running.tool("echoscp", 0, "-ba", "127.0.0.1", "--ready-file", "none/ready", *workers)
    assert done.returncode == 1
    assert running.errors(done) == ["none/ready: No such file or directory"]


@contextmanager
def manager(folder: Path) -> Iterator[socket.socket]:
    """Listen as a service manager does; processes started in here are told its address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, pytest.MonkeyPatch.context() as patch:
        channel.bind(os.fspath(folder / "notify"))
        channel.settimeout(running.SECONDS)
        patch.setenv("NOTIFY_SOCKET", os.fspath(folder / "notify"))
        yield channel


# --- whom it lets in ---

PERMANENT_CALLED, PERMANENT_CALLING = (1, 1, 7), (1, 1, 3)


@pytest.mark.sample("options0-*", "options1-*")
@pytest.mark.parametrize(
    ("options", "titles", "rejected"),
    [
        ([], {}, None),
        (["--require-called"], {"called_ae_title": "ANY-SCP"}, PERMANENT_CALLED),
        (["--require-called", "-aet", "ARCHIVE"], {"called_ae_title": "ARCHIVE"}, None),
        (["--require-called", "--ae-title", "ARCHIVE"], {"called_ae_title": "archive"}, PERMANENT_CALLED),
        (["--allow-calling", "CT1"], {"calling_ae_title": "CT2"}, PERMANENT_CALLING),
        (["--allow-calling", "CT1", "--allow-calling", "CT2"], {"calling_ae_title": "CT2"}, None),
    ],
)
def test_ae_titles(options: list[str], titles: dict[str, str], rejected: tuple[int, int, int]) -> None:
    with listening("echoscp", *options) as listener:
        assert why_rejected(listener, **titles) == rejected
        listener.end()


@LISTENERS
def test_its_own_ae_title_is_its_name(name: str) -> None:
    with listening(name, "--require-called") as listener:
        assert why_rejected(listener, called_ae_title=name.upper()) is None
        listener.end()


def why_rejected(listener: Listener, **options: Any) -> tuple[int, int, int] | None:
    """Result, source and reason of the A-ASSOCIATE-RJ; None if the association was accepted."""
    try:
        assert listener.echo(**options).is_success
    except dimse.AssociationRejected as rejected:
        return rejected.result, rejected.source, rejected.reason
    return None


def test_networks() -> None:
    with listening("echoscp", "--allow-from", "192.0.2.0/24", "--allow-from", "127.0.0.0/8") as listener:
        assert listener.echo().is_success
        listener.end()
    with listening("echoscp", "-v", "--allow-from", "192.0.2.0/24") as listener, Requestor(listener) as requestor:
        assert requestor.read() == (0, b"")  # not even an A-ABORT
        listener.until("closed, for its address is in no network that may connect")
        assert listener.said[-1].startswith("W: 127.0.0.1:")
        listener.end()


@LISTENERS
def test_more_associations_than_there_may_be_are_rejected_for_now(name: str) -> None:
    # Every peer here has one address, and by default one address may not have all of them.
    with listening(name, "--max-associations", 2, "--max-per-address", 0) as listener:
        first, second = listener.associate(), listener.associate()
        assert why_rejected(listener) == (2, 3, 2)
        assert first.echo().is_success
        first.release()
        while why_rejected(listener) is not None:  # its thread ends a moment later
            pass
        second.release()
        listener.end()


@LISTENERS
def test_one_address_has_so_many_associations_and_no_more(name: str) -> None:
    with listening(name, "--max-per-address", 1) as listener:
        first = listener.associate()
        assert why_rejected(listener) == (2, 3, 2)
        listener.until("rejected DIMSE -> ANY-SCP: its address has as many associations as one address may have (1)")
        first.release()
        listener.end()


def test_callers_that_are_refused_are_told_without_being_asked_for_and_health_checks_are_not() -> None:
    options = "-aet", "ARCHIVE", "--require-called", "--allow-calling", "CT1", "--idle-timeout", SHORT, "-xi"
    with listening("echoscp", *options) as listener:
        for _ in range(3):
            with Requestor(listener):
                pass
        titles = {"called_ae_title": "ARCHIVE", "calling_ae_title": "CT1"}
        assert why_rejected(listener, called_ae_title="STORE", calling_ae_title="CT1") == PERMANENT_CALLED
        assert why_rejected(listener, called_ae_title="ARCHIVE", calling_ae_title="CT2") == PERMANENT_CALLING
        with pytest.raises(dimse.RefusedContexts):
            explicit = dimse.ProposedContext(dimse.Verification, (uids.ExplicitVRLittleEndian,))
            listener.associate(explicit, **titles)
        idle = listener.associate(**titles)
        listener.until("the peer sent no request within the idle timeout of")
        idle.abort()
        said = [line.split(" ", 2)[2] for line in listener.said if line.startswith("W: 127.0.0.1:")]
        listener.end()
    assert said == [
        "rejected CT1 -> STORE: the called AE title 'STORE' is not ours, which is 'ARCHIVE'",
        "rejected CT2 -> ARCHIVE: the calling AE title 'CT2' is not among those that may associate",
        "refused contexts of CT1 -> ARCHIVE: Transfer Syntax Not Supported: Verification SOP Class"
        " (Explicit VR Little Endian)",
        f"aborted CT1 -> ARCHIVE: the peer sent no request within the idle timeout of {SHORT} s",
    ]


# --- how long it waits ---


@pytest.mark.sample("-ta-0")
@pytest.mark.parametrize(("option", "said"), [("-ta", 0), ("--acse-timeout", 1), ("-ta", 100)])
def test_a_request_has_to_be_complete_in_time(option: str, said: int) -> None:
    with listening("echoscp", option, SHORT) as listener, Requestor(listener) as requestor:
        requestor.socket.sendall(requestor.request[:said])
        assert requestor.read() == (0, b"")
        assert listener.echo().is_success
        listener.end()


def test_an_idle_association_is_aborted() -> None:
    with listening("echoscp", "--idle-timeout", SHORT) as listener, Requestor(listener) as requestor:
        assert requestor.associate().read() == ABORT
        listener.end()


@pytest.mark.thorough
@pytest.mark.parametrize("option", ["-tn", "--network-timeout"])
def test_a_message_under_way_has_to_move(option: str) -> None:
    instance = running.Instance()
    with (
        listening("storescp", option, SHORT) as listener,
        Requestor(listener, instance.sop_class_uid) as requestor,
    ):
        requestor.associate().begin_store(instance)
        assert requestor.read() == ABORT
        assert any("network" in line.lower() for line in listener.end())


@LISTENERS
def test_0_is_unlimited(name: str) -> None:
    with listening(name, "-ta", 0, "-td", 0, "-tn", 0, "--idle-timeout", 0, "--drain", 0) as listener:
        assert listener.echo().is_success
        listener.end()


# --- what it accepts ---


@pytest.mark.sample("options0-*-storescp", "options1-*-echoscp")
@LISTENERS
@pytest.mark.parametrize(
    ("options", "announced"),
    [([], 131072), (["-pdu", "4096"], 4096), (["--max-pdu", "123456"], 123456), (["-pdu", "0"], 0)],
)
def test_the_maximum_length_that_is_announced(name: str, options: list[str], announced: int) -> None:
    with listening(name, *options) as listener:
        said = listener.run("echoscu", "-d").stderr.splitlines()
        assert f"D: Their Max PDU Receive Size:  {announced}" in said
        listener.end()


@pytest.mark.sample("options0-*-storescp", "options1-*-echoscp")
@LISTENERS
@pytest.mark.parametrize(
    ("options", "granted"),
    [
        ([], 4),
        (["--async-ops", "1"], 1),
        (["--async-ops", "7"], 7),
        (["--async-ops", "0"], 64),
        (["--async-ops", "1000"], 64),
    ],
)
def test_the_operations_that_may_be_outstanding(name: str, options: list[str], granted: int) -> None:
    with listening(name, *options) as listener:
        with listener.associate(async_ops=0) as association:
            assert association._association.negotiated.invoked == granted
            assert association.echo().is_success
        assert listener.end() == []


EXPLICIT, BIG, IMPLICIT = uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian, uids.ImplicitVRLittleEndian
DEFLATED = uids.DeflatedExplicitVRLittleEndian


@pytest.mark.sample("*-option0-*", "*-option1-*")
@pytest.mark.parametrize(
    ("name", "option", "chosen"),
    [
        ("echoscp", [], [DEFLATED, IMPLICIT, DEFLATED]),
        ("storescp", [], [DEFLATED, IMPLICIT, DEFLATED]),
        ("echoscp", ["-x="], [EXPLICIT, IMPLICIT, DEFLATED]),
        ("storescp", ["--prefer-uncompr"], [EXPLICIT, IMPLICIT, DEFLATED]),
        ("echoscp", ["-xe"], [EXPLICIT, IMPLICIT, DEFLATED]),
        ("storescp", ["--prefer-little"], [EXPLICIT, IMPLICIT, DEFLATED]),
        ("echoscp", ["-xb"], [BIG, IMPLICIT, DEFLATED]),
        ("storescp", ["--prefer-big"], [BIG, IMPLICIT, DEFLATED]),
        ("echoscp", ["-xi"], [IMPLICIT, IMPLICIT, ""]),
        ("storescp", ["--implicit"], [IMPLICIT, IMPLICIT, ""]),
    ],
)
def test_the_transfer_syntax_that_it_chooses(name: str, option: list[str], chosen: list[str]) -> None:
    proposed = ((DEFLATED, IMPLICIT, BIG, EXPLICIT), (IMPLICIT, DEFLATED), (DEFLATED,))
    with listening(name, *option) as listener:
        contexts = [dimse.ProposedContext(dimse.Verification, syntaxes) for syntaxes in proposed]
        with listener.associate(*contexts) as association:
            assert [context.transfer_syntax for context in association.contexts] == chosen
            assert [context.result for context in association.contexts] == [0 if uid else 4 for uid in chosen]
        listener.end()


# --- what it is told ---


def test_a_logging_configuration(tmp_path: Path) -> None:
    with listening("echoscp", *log_with_processes(tmp_path)) as listener:
        assert listener.echo().is_success
        assert listener.end() == []
        assert {line.split()[0] for line in logged(tmp_path)} == {str(listener.process.pid)}


def log_with_processes(folder: Path) -> list[object]:
    """Return options that begin every line of the log with the process that wrote it."""
    path = folder / "logging.json"
    handler = {"class": "logging.FileHandler", "filename": str(folder / "log"), "formatter": "with_process"}
    configuration = {
        "formatters": {"with_process": {"format": "%(process)d %(message)s"}},
        "handlers": {"file": handler},
        "loggers": {"dimse": {"handlers": ["file"], "level": "INFO"}},
    }
    path.write_text(json.dumps(configuration))
    return ["-lc", path]


def logged(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return (folder / "log").read_text().splitlines()
    return []


WRONG: list[list[str]] = [
    *([], ["x"], ["-1"], ["65536"], ["0", "1"], ["0", "--no-such-option"], ["@none"], ["0", "-lc", "none.ini"]),
    *(["0", "-q", "-v"], ["0", "-v", "-d"], ["0", "-ll", "loud"], ["0", "-xe", "-xi"], ["0", "-x=", "-xb"]),
    *(["0", "-pdu", "1"], ["0", "-pdu", "-1"], ["0", "-ta", "-1"], ["0", "-tn", "nan"], ["0", "-td", "inf"]),
    *(["0", "--idle-timeout", "x"], ["0", "--drain", "-1"], ["0", "--workers", "0"], ["0", "--max-associations", "0"]),
    *(["0", "-aet", ""], ["0", "-aet", "SEVENTEENCHARSLNG"], ["0", "--allow-calling", "a\\b"]),
    *(["0", "--allow-from", "127.0.0.1/8"], ["0", "--allow-from", "here"], ["0", "-to", "1"], ["0", "--ready-file"]),
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from dimse.__main__ import main

    for name in ("echoscp", "storescp"):
        with pytest.raises(SystemExit) as ended:
            main([name, *arguments])
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        assert err.splitlines()[-1].startswith(f"{name}: error: ")


# --- how it ends ---

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
WORKERS = pytest.mark.parametrize("workers", [1, 2])


@pytest.mark.sample("15-1-storescp", "2-2-echoscp")
@LISTENERS
@WORKERS
@SIGNALS
def test_a_signal_ends_it(name: str, workers: int, number: int) -> None:
    with listening(name, "-v", "--workers", workers) as listener:
        assert listener.echo().is_success
        assert "I: Association Released" in listener.end(number)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((listener.host, listener.port))


@ON_LINUX
def test_a_signal_that_is_given_to_another_thread_ends_it() -> None:
    with listening("echoscp") as listener:
        *_, thread = sorted(map(int, os.listdir(f"/proc/{listener.process.pid}/task")))
        assert thread != listener.process.pid
        # The signal is the process's, and this thread comes first.
        os.kill(thread, signal.SIGTERM)
        listener.end(None)


@pytest.mark.sample("15-1", "2-2")
@WORKERS
@SIGNALS
def test_an_association_without_a_message_under_way_is_aborted_at_once(workers: int, number: int) -> None:
    with listening("echoscp", "--workers", workers) as listener, Requestor(listener) as requestor:
        requestor.associate()
        listener.end(number)
        assert requestor.read() == ABORT


@pytest.mark.sample("1")
@WORKERS
def test_a_message_under_way_is_finished(workers: int, tmp_path: Path) -> None:
    instance = running.Instance("1.2.3")
    with (
        listening("storescp", "-v", "--workers", workers) as listener,
        Requestor(listener, instance.sop_class_uid) as requestor,
    ):
        rest = requestor.associate().begin_store(instance)
        listener.until("Received Store Request")
        listener.process.terminate()
        listener.until_closed()
        requestor.socket.sendall(rest)
        assert requestor.read_status() == 0x0000
        assert requestor.read() == ABORT
        listener.end(None)
    assert (tmp_path / "SC.1.2.3").read_bytes().endswith(instance.data_set)


@WORKERS
def test_a_message_that_takes_too_long_at_the_end_is_aborted(workers: int, tmp_path: Path) -> None:
    instance = running.Instance()
    with (
        listening("storescp", "-v", "--workers", workers, "--drain", SHORT) as listener,
        Requestor(listener, instance.sop_class_uid) as requestor,
    ):
        requestor.associate().begin_store(instance)
        listener.until("Received Store Request")
        listener.end()
        assert requestor.read() == ABORT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sample("15-1")
@WORKERS
@SIGNALS
def test_a_second_signal_ends_it_at_once(workers: int, number: int) -> None:
    instance = running.Instance()
    with (
        listening("storescp", "-v", "--workers", workers) as listener,
        Requestor(listener, instance.sop_class_uid) as requestor,
    ):
        requestor.associate().begin_store(instance)
        listener.until("Received Store Request")
        listener.process.send_signal(number)
        listener.until_closed()
        listener.end(number, status=-number)
        with suppress(ConnectionResetError):
            assert requestor.read() == (0, b"")


# --- several processes ---


@ON_LINUX
def test_every_worker_serves(tmp_path: Path) -> None:
    with listening("echoscp", *SEVERAL, *log_with_processes(tmp_path)) as listener:
        served = serving_processes(listener, tmp_path)
        assert len(served) == 2
        assert listener.process.pid not in served
        assert listener.end() == []


@pytest.mark.sample("9")
@ON_LINUX
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_when_a_worker_ends_all_do(number: int, tmp_path: Path) -> None:
    with listening("echoscp", *SEVERAL, *log_with_processes(tmp_path)) as listener:
        victim, other = serving_processes(listener, tmp_path)
        os.kill(victim, number)
        listener.end(None, status=1)
        assert not runs(other)
        assert any("a worker has ended" in line for line in logged(tmp_path))


@ON_LINUX
def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    with listening("echoscp", *SEVERAL, *log_with_processes(tmp_path)) as listener:
        assert len(serving_processes(listener, tmp_path)) == 2
        # Its end is seen when the last of the processes has closed its stderr.
        listener.end(signal.SIGKILL, status=-signal.SIGKILL)
        listener.until_closed()


@pytest.mark.thorough
@SIGNALS
def test_a_signal_to_all_of_them_is_one_signal(number: int) -> None:
    instance = running.Instance()
    with (
        listening("storescp", "-v", *SEVERAL) as listener,
        Requestor(listener, instance.sop_class_uid) as requestor,
    ):
        rest = requestor.associate().begin_store(instance)
        listener.until("Received Store Request")
        os.killpg(listener.process.pid, number)  # Ctrl-C in a terminal
        listener.until_closed()
        requestor.socket.sendall(rest)
        assert requestor.read_status() == 0x0000
        assert requestor.read() == ABORT
        listener.end(None)


def serving_processes(listener: Listener, folder: Path) -> set[int]:
    """Return the processes that accepted associations, once there are two, or after many echoes."""
    for _ in range(200):
        assert listener.echo().is_success
        accepted = {int(line.split()[0]) for line in logged(folder) if "Accepting Association" in line}
        if len(accepted) == 2:
            return accepted
    return accepted


def runs(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False
