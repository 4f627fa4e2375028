"""storescp --commit: storage commitment for the instances in its folder, as its user and its peers see it."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dimse
from dimse import uids
from tests.interop.peers import free_port
from tests.tools import running
from tests.tools.listeners import Listener, listening
from tests.tools.running import Instance
from tests.tools.test_storescp import SERIES, STUDY, ct

PUSH_MODEL = uids.StorageCommitmentPushModel


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run storescp in an empty folder; what is to be sent is elsewhere."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@contextmanager
def committing(*options: object) -> Iterator[Listener]:
    with listening("storescp", "--commit", "-od", "in", *options) as listener:
        yield listener


def asked(*instances: Instance) -> list[tuple[str, str]]:
    return [(instance.sop_class_uid, instance.sop_instance_uid) for instance in instances]


def ask(listener: Listener, *instances: Instance) -> dimse.Commitment:
    """Ask for commitment to instances."""
    with dimse.associate(listener.host, listener.port, contexts=[PUSH_MODEL]) as association:
        return association.request_commitment(asked(*instances), wait=20)


def store(listener: Listener, folder: Path, *instances: Instance) -> set[int]:
    """Send instances, and return the statuses."""
    paths = [instance.write(folder / f"{index}") for index, instance in enumerate(instances)]
    with listener.associate(uids.CTImageStorage, uids.MRImageStorage) as association:
        return {int(association.store(path)) for path in paths}


def test_storescu_verifies_what_it_has_sent(tmp_path: Path) -> None:
    instances = [ct(f"1.2.{index}") for index in range(3)]
    paths = [instance.write(tmp_path / f"{index}") for index, instance in enumerate(instances)]
    with committing() as listener:
        done = listener.run("storescu", "-v", "--verify", *paths)
        assert "I: The peer commits itself to 3 of 3 instances" in done.stderr.splitlines()
        assert listener.end() == []


def test_storescu_gets_its_report_on_an_association_of_ours(tmp_path: Path) -> None:
    port = free_port()
    path = ct().write(tmp_path / "sent")
    with committing("--report-to", f"ME=127.0.0.1:{port}", "-v") as listener:
        # It waits for one second on its own association, and releases that.
        done = listener.run("storescu", "-v", "-aet", "ME", "--verify", "--commit-port", port, path)
        assert "I: The peer commits itself to 1 of 1 instance" in done.stderr.splitlines()
        said = listener.end()
    assert "I: Sending Storage Commitment Report: MsgID 1, 1 instance committed, 0 failed" in said


def test_each_instance_is_looked_for(tmp_path: Path) -> None:
    safe, gone, short, never = ct("1.2.1"), ct("1.2.2"), ct("1.2.3"), ct("1.2.4")
    other = Instance("1.2.5", uids.MRImageStorage, rest=STUDY + SERIES)
    with committing() as listener:
        store(listener, tmp_path / "sent", safe, gone, short, other)
        os.unlink("in/CT.1.2.2")
        os.truncate("in/CT.1.2.3", Path("in/CT.1.2.3").stat().st_size - 2)
        commitment = ask(listener, safe, gone, short, never, ct("1.2.5"))
        assert commitment.committed == {"1.2.1"}
        assert commitment.failed == {"1.2.2": 0x0110, "1.2.3": 0x0110, "1.2.4": 0x0112, "1.2.5": 0x0119}
        said = listener.end()
    assert sorted(line for line in said if line.startswith("E:"))[:2] == [
        "E: the file of the acknowledged instance 1.2.2 is missing",
        f"E: the file of the acknowledged instance 1.2.3 is cut short: {Path('in/CT.1.2.3').stat().st_size} bytes",
    ]


@pytest.mark.thorough
def test_a_restart_remembers_what_was_stored(tmp_path: Path) -> None:
    with committing() as listener:
        store(listener, tmp_path / "sent", ct())
        os.killpg(listener.process.pid, signal.SIGKILL)
    with committing() as listener:
        assert ask(listener, ct()).committed == {"1.2.3"}


def test_a_report_is_delivered_after_a_restart(tmp_path: Path) -> None:
    port = free_port()
    options = ["--report-to", f"ME=127.0.0.1:{port}"]
    with committing(*options) as listener:
        store(listener, tmp_path / "sent", ct())
        association = dimse.associate(listener.host, listener.port, contexts=[PUSH_MODEL], calling_ae_title="ME")
        transaction_uid = association.begin_commitment(asked(ct()))
        os.killpg(listener.process.pid, signal.SIGKILL)
        association.abort()
    with sqlite3.connect("in/.index.sqlite") as index:
        # As if the time of the attempt had come.
        index.execute("UPDATE commitment SET next_at = 0")
    index.close()
    reports = threading.Event(), list[dimse.Commitment]()

    def take(commitment: dimse.Commitment) -> int:
        reports[1].append(commitment)
        reports[0].set()
        return 0x0000

    with dimse.Server(("127.0.0.1", port), dimse.Handlers(commitment=take), ae_title="ME"), committing(*options):
        assert reports[0].wait(20)
    [report] = reports[1]
    assert report.transaction_uid == transaction_uid
    assert report.committed == {"1.2.3"}


@pytest.mark.thorough
def test_copies_with_other_bytes_do_not_matter(tmp_path: Path) -> None:
    with committing() as listener:
        store(listener, tmp_path / "sent", ct())
        store(listener, tmp_path / "again", ct())
        store(listener, tmp_path / "other", ct(patient=b"Other"))
        assert ask(listener, ct()).committed == {"1.2.3"}


@pytest.mark.thorough
def test_a_replaced_instance_is_committed(tmp_path: Path) -> None:
    with committing("--on-duplicate", "replace") as listener:
        store(listener, tmp_path / "sent", ct())
        store(listener, tmp_path / "other", ct(patient=b"A longer name"))
        assert ask(listener, ct()).committed == {"1.2.3"}


@pytest.mark.thorough
def test_an_instance_without_a_study_is_kept_and_not_committed(tmp_path: Path) -> None:
    with committing() as listener:
        store(listener, tmp_path / "sent", ct(more=SERIES))
        assert ask(listener, ct()).failed == {"1.2.3": 0x0112}
        said = listener.end()
    assert Path("in/CT.1.2.3").exists()
    assert "W: no commitment is possible for 1.2.3: it has no Study Instance UID" in said


def test_an_instance_that_the_index_cannot_take_is_not_acknowledged(tmp_path: Path) -> None:
    with committing() as listener:
        with sqlite3.connect("in/.index.sqlite") as index:
            index.execute("DROP TABLE instance")
        index.close()
        assert store(listener, tmp_path / "sent", ct()) == {0xA700}
        said = listener.end()
    assert any(line.startswith("E: 1.2.3 is not acknowledged: it cannot be added to the index: ") for line in said)


@pytest.mark.thorough
def test_workers_share_the_index(tmp_path: Path) -> None:
    instances = [ct(f"1.2.{index}") for index in range(8)]
    with committing("--workers", 2) as listener:
        for index, instance in enumerate(instances):
            assert store(listener, tmp_path / f"{index}", instance) == {0x0000}
        assert ask(listener, *instances).committed == {instance.sop_instance_uid for instance in instances}


# --- the command line ---


def test_without_the_option_it_offers_no_commitment(tmp_path: Path) -> None:
    with listening("storescp", "-od", "in") as listener, pytest.raises(dimse.RefusedContexts):
        ask(listener, ct())
    assert not Path("in/.index.sqlite").exists()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--commit", "--ignore"], "--commit does not go with --ignore: nothing is kept that could be reported"),
        (["--report-to", "A=host:104"], "--report-to needs --commit"),
        (["--commit", "--report-to", "A=104"], "'A=104' is not AET=HOST:PORT"),
        (["--commit", "--report-to", "A=host:0"], "'A=host:0' is not AET=HOST:PORT"),
        (["--commit", "--report-to", "host:104"], "'host:104' is not AET=HOST:PORT"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: list[str], line: str) -> None:
    done = running.tool("storescp", *options, 0)
    assert done.returncode == 2
    assert line in done.stderr


def test_without_its_package_it_names_the_extra(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['sqlalchemy'] = None\n")
    done = running.tool(
        "storescp", "--commit", 0, env=os.environ | {"PYTHONPATH": f"{hidden}:{os.pathsep.join(sys.path)}"}
    )
    assert done.returncode == 1
    assert done.stderr == "E: storescp --commit needs SQLAlchemy: pip install 'dimse[archive]'\n"
