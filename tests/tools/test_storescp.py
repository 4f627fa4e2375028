"""storescp as its user sees it: it listens, stores, says so, and ends on a signal."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse import uids
from tests.files import part10_files
from tests.interop import ours
from tests.interop.peers import free_port
from tests.tools import running
from tests.tools.running import Instance

WARNING = "W: Listening on every address, and any AE may associate: -ba 127.0.0.1 keeps it to this machine"


@contextmanager
def storescp(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """Run storescp -v on a free port; the process, its port, and what it said until it listened."""
    with running.start("storescp", 0, "-v", *arguments) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line.rstrip("\n"))
            if line.startswith("I: Listening on "):
                break
        yield process, int(said[-1].rpartition(":")[2]), said


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> list[str]:
    """End it by a signal; what else it said."""
    process.send_signal(number)
    out, err = process.communicate(timeout=running.SECONDS)
    assert out == ""
    assert "Traceback" not in err
    return err.splitlines()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_stores_and_ends_on_a_signal(tmp_path: Path, number: int) -> None:
    sent = [Instance(f"1.2.{index}", uids.CTImageStorage).write(tmp_path / "sent" / f"{index}") for index in range(3)]
    with storescp("-ba", "127.0.0.1", "-od", tmp_path / "incoming") as (process, port, said):
        assert said == [f"I: Listening on 127.0.0.1:{port}"]
        assert running.tool("echoscu", "127.0.0.1", port).returncode == 0
        assert running.tool("storescu", "127.0.0.1", port, *sent).returncode == 0
        then_said = end(process, number)
        assert process.returncode == 0
    assert then_said.count("I: Accepting Association") == 2
    assert then_said.count("I: Received Store Request") == 3
    assert "I: Storing DICOM file: CT.1.2.0" in then_said
    kept = part10_files(tmp_path / "incoming")
    assert [(file.path.name, file.data_set) for file in kept] == [
        (f"CT.1.2.{index}", Instance(f"1.2.{index}", uids.CTImageStorage).data_set) for index in range(3)
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_associations_that_stand(tmp_path: Path, number: int) -> None:
    with storescp("-ba", "127.0.0.1", "-od", tmp_path) as (process, port, _):
        association = dimse.associate(
            "127.0.0.1", port, contexts=[dimse.Verification], timeouts=ours.TIMEOUTS, called_ae_title="ANY"
        )
        assert association.echo().is_success
        end(process, number)
        assert process.returncode == 0
        with pytest.raises(dimse.AssociationError):
            association.echo()


def test_without_verbose_it_says_nothing_but_the_warning(tmp_path: Path) -> None:
    with running.start("storescp", 0, "-od", tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == WARNING + "\n"
        assert end(process) == []
        assert process.returncode == 0


@pytest.mark.parametrize("level", [["-ll", "critical"], ["-v"], ["-d"], ["-ll", "error"]])
def test_an_open_listener_is_warned_of_at_every_level(tmp_path: Path, level: list[str]) -> None:
    with running.start("storescp", 0, "-od", tmp_path, *level) as process:
        assert process.stderr is not None
        assert WARNING + "\n" in process.stderr
        end(process)


def test_there_is_no_warning_where_it_keeps_to_this_machine_nor_in_quiet(tmp_path: Path) -> None:
    with storescp("-ba", "127.0.0.1", "-od", tmp_path) as (process, _, said):
        assert not any(line.startswith("W: ") for line in [*said, *end(process)])

    with socket.create_server(("127.0.0.1", 0)) as taken:  # quiet until its end, which comes at once
        done = running.tool("storescp", taken.getsockname()[1], "-q", "-od", tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_quiet_listener_says_nothing(tmp_path: Path) -> None:
    port = free_port()
    with running.start("storescp", port, "-q", "-od", tmp_path) as process:
        while process.poll() is None:
            if running.tool("echoscu", "127.0.0.1", port, "-q").returncode == 0:
                break
        assert end(process) == []
        assert process.returncode == 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = running.tool("storescp", port, "-ba", "127.0.0.1", "-od", tmp_path)
    assert process.returncode == 1
    assert running.errors(process) == [f"cannot listen on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.parametrize("address", ["192.0.2.1", "no-such-host.invalid", "x"])
def test_an_address_that_is_not_ours(tmp_path: Path, address: str) -> None:
    process = running.tool("storescp", 0, "-ba", address, "-od", tmp_path)
    assert process.returncode == 1
    (line,) = running.errors(process)
    assert address in line


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process = running.tool("storescp", 0, "-od", tmp_path / "file" / "below")
    assert process.returncode == 1
    assert len(running.errors(process)) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["-1"], ["65536"], ["x"], ["0", "-pdu", "1"], ["0", "-aet", "SEVENTEENCHARSLNG"], ["0", "1"]]
)
def test_wrong_usage(arguments: list[str]) -> None:
    process = running.tool("storescp", *arguments)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.splitlines()[-1].startswith("storescp: error: ")


def test_what_it_announces(tmp_path: Path) -> None:
    with storescp("-ba", "127.0.0.1", "-od", tmp_path, "-aet", "ARCHIVE", "-pdu", 65536) as (process, port, _):
        echoscu = running.tool("echoscu", "127.0.0.1", port, "-d")
        end(process)
    assert "D: Their Max PDU Receive Size:  65536" in echoscu.stderr.splitlines()
