"""movescu against an SCP in this process: to a destination, and to itself with --store."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse.testing import QueryRetrieveSCP, StorageSCP
from tests.interop.peers import free_port
from tests.tools.retrieved import STUDY, UIDS, kept, write_images
from tests.tools.running import lines, tool

KEYS = ("--study-uid", STUDY)


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[QueryRetrieveSCP]:
    with QueryRetrieveSCP(write_images(tmp_path / "archive")) as scp:
        yield scp


def test_a_study_is_sent_to_its_destination(scp: QueryRetrieveSCP) -> None:
    with StorageSCP() as destination:
        scp.destinations["WORKSTATION"] = ("127.0.0.1", destination.port)
        done = tool("movescu", "-S", "127.0.0.1", scp.port, *KEYS, "-aem", "WORKSTATION")
    assert done.returncode == 0
    assert destination.sop_instance_uids == UIDS
    said = lines(done, "I")
    assert "Move SCP Response: 1 - 0xFF00 (Pending)" in said
    assert "Move SCP Result: 0x0000 (Success)" in said
    assert any(line.startswith("The peer has sent 3 of 3 instances") for line in said)


def test_a_study_is_received_by_the_program_itself(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    port = free_port()
    scp.destinations["ME"] = ("127.0.0.1", port)
    done = tool(
        "movescu", "-S", "127.0.0.1", scp.port, *KEYS, "--store-port", port, "--store-aet", "ME", "-od", tmp_path / "in",
        "--report", tmp_path / "report.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in UIDS]
    assert any(line.startswith("Retrieved 3 of 3 instances of 1 study") for line in lines(done, "I"))
    *instances, study = csv.DictReader((tmp_path / "report.csv").read_text().splitlines())
    assert [row["study_instance_uid"] for row in instances] == [STUDY] * 3
    assert (study["study_instance_uid"], study["outcome"], study["meaning"]) == (STUDY, "study complete", "3 instances")


def test_what_the_peer_sends_elsewhere_is_missing_here(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    with StorageSCP() as other:
        scp.destinations["STORESCP"] = ("127.0.0.1", other.port)
        done = tool(
            "movescu", "-S", "127.0.0.1", scp.port, *KEYS, "--store-port", "0", "-od", tmp_path / "in", "--settle", "0.1"
        )  # fmt: skip
    assert done.returncode == 3
    assert "3 instances missing of those that the peer says it sent" in lines(done, "E")


@pytest.mark.parametrize("reached", [True, False])
def test_a_destination_that_cannot_be_reached_is_explained(scp: QueryRetrieveSCP, reached: bool) -> None:
    if reached:
        scp.destinations["ELSEWHERE"] = ("127.0.0.1", 1)
    done = tool("movescu", "-S", "127.0.0.1", scp.port, *KEYS, "-aem", "ELSEWHERE")
    assert done.returncode == 3
    said = lines(done, "E")
    assert said[0].startswith("0xA702: " if reached else "0xA801: ")
    assert said[-1].startswith("See DIMSE-E260, ") and "DIMSE-E274" in said[-1]
    assert said[-2].startswith("The peer cannot send to the destination ELSEWHERE: its configuration must hold")


@pytest.mark.parametrize("key", [("--study-uid", ""), ("-k", "StudyInstanceUID=")])
def test_an_empty_unique_key_does_not_ask_for_everything(scp: QueryRetrieveSCP, key: tuple[str, str]) -> None:
    done = tool("movescu", "-S", "127.0.0.1", scp.port, *key, "-aem", "WORKSTATION")
    assert done.returncode == 1
    assert lines(done, "E") == [
        "StudyInstanceUID has no value, which some peers take for everything that they have",
        "See DIMSE-E329 (dimse explain E329)",
    ]
    assert scp.retrievals == []


@pytest.mark.parametrize("text", ["[]", "", "\n"])
def test_an_empty_list_of_queries_does_not_ask_for_everything(scp: QueryRetrieveSCP, text: str, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(text)
    done = tool("movescu", "-S", "127.0.0.1", scp.port, "-f", keys, "-aem", "WORKSTATION")
    assert done.returncode == 1
    assert f"Cannot read input file {keys}: it holds no data set" in lines(done, "E")
    assert scp.retrievals == []


def test_a_port_that_is_taken_is_told_before_the_peer_is_asked(scp: QueryRetrieveSCP, tmp_path: Path) -> None:
    with StorageSCP() as other:
        done = tool(
            "movescu", "-S", "127.0.0.1", scp.port, *KEYS, "--store-port", other.port, "--store-address", "127.0.0.1",
            "-od", tmp_path / "in",
        )  # fmt: skip
    assert done.returncode == 1
    assert lines(done, "E")[0].startswith("Cannot receive here: ")
    assert not scp.retrievals


@pytest.mark.parametrize(
    "option",
    [
        ("--report", "report.csv"),
        ("-od", "in"),
        ("--layout", "{SOPInstanceUID}.dcm"),
        ("--mode", "640"),
        ("--ignore",),
        ("--store-aet", "ME"),
        ("--store-from", "10.0.0.0/8"),
    ],
    ids=" ".join,
)
def test_options_about_instances_that_come_here_need_store(option: tuple[str, ...]) -> None:
    done = tool("movescu", "127.0.0.1", "1", "-k", "PatientID=1", *option)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"movescu: error: {option[0]} goes with --store: without it no instance comes here"
    )
