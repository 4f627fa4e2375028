"""The helpers for users' own tests: the storage SCP, the faulty peer and the fixture, as a user's test has them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.testing import LOOPBACK, Fault, StorageSCP, faulty_peer, storage_scp  # noqa: F401  (the fixture)
from tests.drivers import CT_IN_EXPLICIT_VR, Instance, make_instance, open_descriptors
from tests.tools import running

AT_ONCE = 5.0  # seconds: far below every deadline
SOON = 0.2  # seconds: a deadline to pass


def associate(port: int, **options: Any) -> dimse.Association:
    return dimse.associate(LOOPBACK, port, contexts=[dimse.Verification, CT_IN_EXPLICIT_VR], **options)


@pytest.fixture
def instances(tmp_path: Path) -> list[Instance]:
    return [make_instance(tmp_path, number) for number in (1, 2, 3)]


# --- the storage SCP ---


def test_it_has_what_it_was_sent(instances: list[Instance]) -> None:
    with StorageSCP(ae_title="ARCHIVE") as scp:
        with associate(scp.port, calling_ae_title="ME", called_ae_title="ARCHIVE") as association:
            assert association.echo() == 0
            assert [association.store(instance.path) for instance in instances] == [0, 0, 0]
        assert scp.echoes == 1
    assert scp.sop_instance_uids == [instance.sop_instance_uid for instance in instances]
    first = scp.instances[0]
    assert first.data_set == instances[0].data_set
    assert first.size == len(instances[0].data_set)
    assert first.sop_class_uid == uids.CTImageStorage
    assert first.transfer_syntax == uids.ExplicitVRLittleEndian
    assert (first.calling_ae_title, first.called_ae_title) == ("ME", "ARCHIVE")
    assert [instance.message_id for instance in scp.instances] == [2, 3, 4]
    assert first.dataset().SOPInstanceUID == instances[0].sop_instance_uid


def test_it_answers_as_it_is_told(instances: list[Instance]) -> None:
    for status, answers in (
        (0xA700, [0xA700, 0xA700, 0xA700]),
        ([0xA700, 0xB000], [0xA700, 0xB000, 0x0000]),
        (lambda instance: 0xC000 if instance.sop_instance_uid.endswith("2") else 0x0000, [0x0000, 0xC000, 0x0000]),
    ):
        with StorageSCP(status) as scp, associate(scp.port) as association:
            assert [association.store(instance.path) for instance in instances] == answers
        assert len(scp.instances) == 3


def test_it_accepts_every_sop_class_unless_it_is_told_which() -> None:
    private = ["1.2.826.0.1.3680043.10.999"]
    with StorageSCP() as scp, dimse.associate(LOOPBACK, scp.port, contexts=private) as association:
        assert association.contexts[0].accepted
    with StorageSCP(contexts=[dimse.Verification]) as scp, pytest.raises(dimse.RefusedContexts):
        dimse.associate(LOOPBACK, scp.port, contexts=private)


def test_a_tool_sends_to_it(instances: list[Instance]) -> None:
    with StorageSCP() as scp:
        done = running.tool("storescu", LOOPBACK, scp.port, *(instance.path for instance in instances))
    assert done.returncode == 0, done.stderr
    assert [instance.data_set for instance in scp.instances] == [instance.data_set for instance in instances]


def test_one_can_wait_for_what_comes_in_the_background(instances: list[Instance]) -> None:
    with StorageSCP() as scp:

        def send() -> None:
            with associate(scp.port) as association:
                for instance in instances:
                    association.store(instance.path)

        thread = threading.Thread(target=send)
        thread.start()
        assert len(scp.wait(3)) == 3
        thread.join()
        with pytest.raises(TimeoutError, match="3 of 4 instances came"):
            scp.wait(4, seconds=SOON)


def test_it_has_a_port_while_it_is_entered() -> None:
    descriptors, threads = open_descriptors(), threading.active_count()
    scp = StorageSCP()
    with pytest.raises(RuntimeError):
        scp.port
    with scp:
        assert scp.port > 0
    assert (open_descriptors(), threading.active_count()) == (descriptors, threads)


# --- the faulty peer ---

FAULTS: dict[Fault, type[dimse.DimseError]] = {
    # what comes of an echo
    "never answers": dimse.OperationTimeout,
    "aborts": dimse.AssociationAborted,
    "closes": dimse.ConnectionLost,
    "nonsense": dimse.RemoteProtocolError,
}
SHORT = dimse.Timeouts(acse=SOON, dimse=SOON)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("after", [0, 2])
def test_it_fails_as_it_is_told_and_when(fault: Fault, after: int) -> None:
    with faulty_peer(fault, after=after) as port, associate(port, timeouts=SHORT) as association:
        for _ in range(after):
            assert association.echo() == 0
        with pytest.raises(FAULTS[fault]):
            association.echo()


def test_it_answers_with_the_wrong_status(instances: list[Instance]) -> None:
    with faulty_peer("fails", after=1, status=0xA700) as port, associate(port) as association:
        assert [association.store(instance.path) for instance in instances] == [0x0000, 0xA700, 0xA700]
        assert association.echo() == 0xA700


def test_it_accepts_no_association() -> None:
    with faulty_peer("rejects") as port, pytest.raises(dimse.AssociationRejected):
        associate(port)
    with faulty_peer("silent") as port, pytest.raises(dimse.OperationTimeout):
        associate(port, timeouts=SHORT)


def test_it_leaves_nothing() -> None:
    descriptors, threads = open_descriptors(), threading.active_count()
    started = time.monotonic()
    for fault in (*FAULTS, "fails", "rejects", "silent"):
        with faulty_peer(fault):
            pass
    assert (open_descriptors(), threading.active_count()) == (descriptors, threads)
    assert time.monotonic() - started < AT_ONCE


def test_an_unknown_fault_raises_with_the_known_ones() -> None:
    fault: Any = "explodes"
    with (
        pytest.raises(ValueError, match=r"'explodes' is not a fault; choose from silent, rejects, never answers"),
        faulty_peer(fault),
    ):
        pass


# --- pytest ---


def test_the_fixture_listens(storage_scp: StorageSCP, instances: list[Instance]) -> None:  # noqa: F811
    with associate(storage_scp.port) as association:
        assert association.store(instances[0].path) == 0
    assert storage_scp.sop_instance_uids == [instances[0].sop_instance_uid]


@pytest.mark.sample("from dimse.testing *")
@pytest.mark.parametrize("conftest", ["pytest_plugins = ['dimse.testing']", "from dimse.testing import storage_scp"])
def test_a_users_project_has_the_fixture(tmp_path: Path, conftest: str) -> None:
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_user.py").write_text(
        "import dimse\n\n"
        "def test_it(storage_scp):\n"
        "    with dimse.associate('127.0.0.1', storage_scp.port, contexts=[dimse.Verification]) as association:\n"
        "        assert association.echo().is_success\n"
        "    assert storage_scp.echoes == 1\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_without_the_fixture_pytest_is_not_loaded() -> None:
    code = "import sys, dimse.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=50, check=False).returncode == 0


def test_it_has_no_other_names() -> None:
    import dimse.testing

    assert "storage_scp" in dir(dimse.testing)
    with pytest.raises(AttributeError, match="no attribute 'storage_scu'"):
        dimse.testing.storage_scu
