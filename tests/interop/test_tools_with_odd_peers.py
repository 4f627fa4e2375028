"""findscu, getscu, movescu and retrieve with each odd peer: they find and fetch the study, or tell what is missing."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.files import part10_files
from tests.interop.evil.stock import INSTANCES, STUDY
from tests.interop.evil_query import EvilSCP
from tests.interop.odd_peers import ODD_PEERS, serve_odd
from tests.interop.peers import free_port
from tests.tools.running import tool

UIDS = sorted(instance.uid for instance in INSTANCES)
SERIES = INSTANCES[0].series
IMAGE_KEYS = ("-L", "image", "--study-uid", STUDY, "--series-uid", SERIES, "-k", "SOPInstanceUID=")

# Peers that stop at two matches: the exit status of findscu, which cannot know of a silent limit.
LIMITED = {"stops_in_silence": 0, "stops_with_a700": 3, "stops_with_b001": 3}

on_each = pytest.mark.parametrize("peer", ODD_PEERS)
some = pytest.mark.sample("plain", "no_roles", "one_move_an_association")


def ask(name: str, scp: EvilSCP, *arguments: object) -> CompletedProcess[str]:
    """Run a tool, which never fails without an error line."""
    done = tool(name, "127.0.0.1", scp.port, *arguments)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0 or "E: " in done.stderr
    return done


def kept(folder: Path) -> list[str]:
    """Return the SOP Instance UIDs in a folder, after a check that each data set is what the peer holds."""
    found = {file.sop_instance_uid: file for file in part10_files(folder)}
    held = {instance.uid: instance for instance in INSTANCES}
    for uid, file in found.items():
        assert file.sop_class_uid == held[uid].sop_class
    return sorted(found)


@on_each
@some
def test_the_study_is_found(peer: str) -> None:
    with serve_odd(peer) as scp:
        done = ask("findscu", scp, "-S", "--study-uid", STUDY, "-r", "PatientName,StudyDate", "--format", "uid")
    assert (done.returncode, set(done.stdout.split())) == (0, {STUDY})


@on_each
@some
def test_its_images_are_found(peer: str) -> None:
    with serve_odd(peer) as scp:
        done = ask("findscu", scp, "-S", *IMAGE_KEYS, "--format", "uid")
    found = sorted(set(done.stdout.split()))
    assert (done.returncode, found) == (LIMITED.get(peer, 0), UIDS[:2] if peer in LIMITED else UIDS)


@on_each
@some
def test_a_study_comes_by_c_get(peer: str, tmp_path: Path) -> None:
    with serve_odd(peer) as scp:
        done = ask("getscu", scp, "-S", "--study-uid", STUDY, "-od", tmp_path)
    assert (done.returncode, kept(tmp_path)) == (0, UIDS), done.stderr


@on_each
@some
def test_a_study_comes_by_c_move(peer: str, tmp_path: Path) -> None:
    port = free_port()
    with serve_odd(peer, destination=port) as scp:
        done = ask("movescu", scp, "-S", "--study-uid", STUDY, "--store-port", port, "-od", tmp_path)
    assert (done.returncode, kept(tmp_path)) == (0, UIDS), done.stderr


@on_each
@some
def test_images_come_by_a_request_each(peer: str, tmp_path: Path) -> None:
    with serve_odd(peer) as scp:
        keys = "-k", "SOPInstanceUID=" + "\\".join(UIDS[1:])
        done = ask("getscu", scp, "-S", *IMAGE_KEYS[:6], *keys, "-od", tmp_path)
    assert (done.returncode, kept(tmp_path)) == (0, UIDS[1:]), done.stderr


@on_each
@pytest.mark.sample("*scu-plain")
@pytest.mark.parametrize("name", ["getscu", "movescu"])
def test_a_study_that_the_peer_has_not_is_no_success_with_files(name: str, peer: str, tmp_path: Path) -> None:
    status = ODD_PEERS[peer].unknown_study_get if name == "getscu" else ODD_PEERS[peer].unknown_study_move
    port = free_port()
    with serve_odd(peer, destination=port) as scp:
        receiving = ["--store-port", port] if name == "movescu" else []
        done = ask(name, scp, "-S", "--study-uid", "1.2.3", "-od", tmp_path, *receiving)
        assert (done.returncode, kept(tmp_path)) == (3 if status else 0, [])
        assert ask(name, scp, "-S", "--study-uid", "1.2.3", "-od", tmp_path, "--fail-empty", *receiving).returncode == 3


@on_each
@pytest.mark.sample("*-plain")
@pytest.mark.parametrize("method", ["get", "move"])
def test_a_bulk_retrieval_is_complete(method: str, peer: str, tmp_path: Path) -> None:
    port = free_port()
    with serve_odd(peer, destination=port) as scp:
        receiving = ["--store-port", port] if method == "move" else []
        done = ask("retrieve", scp, STUDY, "--method", method, "-od", tmp_path, *receiving)
    came = kept(tmp_path)
    if peer.startswith("stops_"):
        # The list of its instances is cut short, or has fewer than came.
        assert (done.returncode, "  complete  " in done.stdout) == (3, False), done.stderr
        assert came in ([], UIDS)
    else:
        assert (done.returncode, came) == (0, UIDS), done.stderr
        assert done.stdout.startswith(f"{STUDY}  complete  ")
