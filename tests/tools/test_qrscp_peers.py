"""The peers of qrscp over TLS and with passwords, C-MOVE over several associations, and what the metrics tell of both."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

import dimse
from dimse.tools.passwords import Hash
from tests.interop import peers
from tests.tls.certificates import Certificates
from tests.tools import running
from tests.tools.listeners import Listener, listening
from tests.tools.test_metrics import scrape, value
from tests.tools.test_qrscp import STUDY, archive, configured, instance

MOVE = "StudyRootQueryRetrieveInformationModelMove"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return a CA, and its certificates."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


def move(listener: Listener, destination: str, study: str = STUDY) -> tuple[int, int, int]:
    """Return status, completed and failed of a C-MOVE."""
    with listener.associate(MOVE) as association:
        moving = association.move({"StudyInstanceUID": study}, destination)
        with suppress(dimse.StatusError):
            list(moving)
        end = moving.result
    assert end is not None and end.status is not None
    return int(end.status), end.completed or 0, end.failed or 0


# --- TLS to a destination


def as_server(certificates: Certificates) -> tuple[object, ...]:
    return "--tls", "--tls-cert", certificates.server.pem, "--tls-ca", certificates.ca


def by_tls(certificates: Certificates, ca: str = "") -> tuple[object, ...]:
    return "--tls-cert", certificates.client.pem, "--tls-ca", ca or certificates.ca


def test_a_destination_is_called_by_tls_where_the_configuration_says_so(
    certificates: Certificates, tmp_path: Path
) -> None:
    """It shows our certificate, which the destination wants, while qrscp itself listens without TLS."""
    with listening("storescp", "-od", tmp_path / "in", *as_server(certificates)) as destination:
        text = f"[SECURE]\naddress: 127.0.0.1\nport: {destination.port}\ntls: yes\n"
        text += f"[PINNED]\naddress: 127.0.0.1\nport: {destination.port}\ntls: {certificates.server.sha256}\n"
        text += f"[PLAIN]\naddress: 127.0.0.1\nport: {destination.port}\n"
        with archive(tmp_path, *configured(tmp_path, text), *by_tls(certificates)) as listener:
            listener.run("storescu", instance(tmp_path))
            assert move(listener, "SECURE") == (0, 1, 0)
            assert move(listener, "PINNED") == (0, 1, 0)
            assert move(listener, "PLAIN") == (0xA702, 0, 1)
    assert len(list((tmp_path / "in").glob("SC.*"))) == 1


def test_a_destination_that_cannot_be_verified_gets_nothing(certificates: Certificates, tmp_path: Path) -> None:
    with listening("storescp", "-od", tmp_path / "in", *as_server(certificates)) as destination:
        text = f"[SECURE]\naddress: 127.0.0.1\nport: {destination.port}\ntls: yes\n"
        tls = by_tls(certificates, certificates.other_ca)
        with archive(tmp_path, *configured(tmp_path, text), *tls) as listener:
            listener.run("storescu", instance(tmp_path))
            assert move(listener, "SECURE") == (0xA702, 0, 1)
            said = listener.end()
    assert any("Unable to associate with destination AE" in line and "certificate" in line for line in said)
    assert list((tmp_path / "in").glob("SC.*")) == []


def test_dcmtk_is_a_destination_by_tls(certificates: Certificates, tmp_path: Path) -> None:
    tls = ("+tls", certificates.server.key, certificates.server.certificate, "+cf", certificates.ca)
    with peers.dcmtk_storescp(tmp_path / "kept", "+xa", "+B", *tls) as destination:
        text = f"[DCMTK]\naddress: 127.0.0.1\nport: {destination.port}\ntls: yes\n"
        with archive(tmp_path, *configured(tmp_path, text), *by_tls(certificates)) as listener:
            listener.run("storescu", instance(tmp_path))
            assert move(listener, "DCMTK") == (0, 1, 0)


# --- user identity


def test_only_the_users_of_a_password_file_query(tmp_path: Path) -> None:
    """They make every peer one that is known, so that strangers may query on every address."""
    users = tmp_path / "users"
    users.touch(0o600)
    users.write_text(f"alice:{Hash.of(b'secret')}\n")
    text = "[OTHER]\naddress: 127.0.0.1\nport: 104\n"
    options = ("-ba", "0.0.0.0", "--password-file", users, "--allow-plain-password")
    alice = ("--user", "alice", "--password", "secret", "--allow-plain-password")
    query = ("-S", "-k", "StudyInstanceUID=", "--format", "uid")
    with archive(tmp_path, *configured(tmp_path, text), *options) as listener:
        listener.where = f"127.0.0.1:{listener.port}"
        listener.run("storescu", instance(tmp_path), *alice)
        assert listener.run("findscu", *query, *alice).stdout.split() == [STUDY]
        done = listener.run("findscu", *query, exit_status=1)
        assert "Association Rejected" in done.stderr
        assert not any("secret" in line for line in listener.end())


# --- C-MOVE over several associations


@pytest.mark.parametrize("peer", ["ours", "DCMTK"])
def test_a_study_goes_over_as_many_associations_as_the_destination_is_given(tmp_path: Path, peer: str) -> None:
    paths: list[Path] = []
    for series in range(4):
        for number in range(3):
            rest = running.element(0x0020, 0x000D, "UI", STUDY.encode())
            rest += running.element(0x0020, 0x000E, "UI", f"{STUDY}.{series}".encode())
            paths.append(
                running.Instance(f"{STUDY}.{series}.{number}", rest=rest).write(tmp_path / f"{len(paths)}.dcm")
            )
    kept = tmp_path / "kept"
    started = (
        peers.dcmtk_storescp(kept, "--fork", "+xa", "+B", "-uf")
        if peer == "DCMTK"
        else listening("storescp", "-v", "-od", kept)
    )
    with started as destination:
        text = f"[THERE]\naddress: 127.0.0.1\nport: {destination.port}\nmove_jobs: 3\nasync_ops: 4\n"
        with archive(tmp_path, *configured(tmp_path, text)) as listener:
            listener.run("storescu", *paths)
            assert move(listener, "THERE") == (0, 12, 0)
        if isinstance(destination, Listener):
            assert sum(": accepted QRSCP -> THERE" in line for line in destination.end()) == 3
    assert sum(path.is_file() and STUDY in path.name for path in kept.rglob("*")) == 12


# --- metrics


def test_queries_and_retrievals_are_counted(tmp_path: Path) -> None:
    with archive(tmp_path, "-v", "--metrics", 0, "--allow-calling", "VIEWER") as listener:
        listener.until("Metrics are at ")
        url = listener.said[-1].rpartition(" ")[2]
        listener.run("storescu", "-aet", "VIEWER", instance(tmp_path, 1), instance(tmp_path, 2))
        listener.run("findscu", "-aet", "VIEWER", "-q", "-S", "-L", "image", "-k", f"StudyInstanceUID={STUDY}")
        next((tmp_path / "instances").rglob("*.dcm")).unlink()
        classes = ("--sop-class", "SecondaryCaptureImageStorage", "--contexts", "list")
        keys = ("-q", "-S", "--study-uid", STUDY, *classes, "-od", tmp_path / "in")
        listener.run("getscu", "-aet", "VIEWER", *keys, exit_status=3)
        found = scrape(url)
    viewer = {"calling_ae_title": "VIEWER"}
    # getscu asks for the instances of the study once more, and queries for them before.
    assert value(found, "matches_total", **viewer) > value(found, "queries_total", **viewer) - 2 > 0
    assert value(found, "retrievals_total", **viewer) == 2
    assert value(found, "instances_sent_total", **viewer) == 1
    assert value(found, "instances_not_sent_total", **viewer) >= 1
