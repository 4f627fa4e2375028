"""getscu and movescu with --resolve, against an SCP that retrieves by UID only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
from dimse.testing import QueryRetrieveSCP
from tests.interop.peers import free_port
from tests.tools.retrieved import kept
from tests.tools.running import Instance, element, lines, tool

IDENTIFIER_DOES_NOT_MATCH = 0xA900


def write_archive(folder: Path) -> list[Path]:
    """Write two studies of one accession number and one of another, each with two series of two images."""
    folder.mkdir()
    return [
        Instance(
            f"1.2.{study}.{series}.{number}", uids.CTImageStorage,
            rest=element(0x0008, 0x0050, "SH", b"A1" if study < 3 else b"A2") + element(0x0008, 0x0060, "CS", b"CT")
            + element(0x0010, 0x0020, "LO", b"P1") + element(0x0020, 0x000D, "UI", f"1.2.{study}".encode())
            + element(0x0020, 0x000E, "UI", f"1.2.{study}.{series}".encode())
            + element(0x0020, 0x0013, "IS", str(number).encode()),
        ).write(folder / f"{study}{series}{number}.dcm")
        for study in (1, 2, 3) for series in (1, 2) for number in (1, 2)
    ]  # fmt: skip


class ByUID(QueryRetrieveSCP):
    """An SCP that retrieves by the unique keys of the levels, and refuses every other key."""

    def get(self, request: RetrieveRequest) -> Any:
        return super().get(request) if self._names_uids(request) else dimse.Status(IDENTIFIER_DOES_NOT_MATCH)

    def move(self, request: RetrieveRequest) -> MoveTo | int:
        return super().move(request) if self._names_uids(request) else dimse.Status(IDENTIFIER_DOES_NOT_MATCH)

    def _names_uids(self, request: RetrieveRequest) -> bool:
        keys = {
            "PATIENT": "PatientID",
            "STUDY": "StudyInstanceUID",
            "SERIES": "SeriesInstanceUID",
            "IMAGE": "SOPInstanceUID",
        }
        return bool(request.identifier.text(keys[request.level])) and not request.identifier.text("AccessionNumber")


@pytest.fixture
def scp(tmp_path: Path) -> Iterator[ByUID]:
    with ByUID(write_archive(tmp_path / "archive")) as scp:
        yield scp


def names(*studies: int, series: tuple[int, ...] = (1, 2), images: tuple[int, ...] = (1, 2)) -> list[str]:
    return [f"CT.1.2.{study}.{one}.{image}" for study in studies for one in series for image in images]


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_studies_are_retrieved_by_their_accession_number(scp: ByUID, model: str, tmp_path: Path) -> None:
    patient = ("--patient-id", "P1", "-L", "study") if model == "-P" else ()
    arguments = ("getscu", model, "127.0.0.1", scp.port, *patient, "--accession", "A1", "-od", tmp_path / "in")
    assert tool(*arguments).returncode == 3
    done = tool(*arguments, "--resolve")
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == names(1, 2)
    assert "2 matches found at the level STUDY" in lines(done, "I")


@pytest.mark.parametrize(
    ("keys", "found", "requests"),
    [
        (("-L", "series", "--study-uid", "1.2.1", "--modality", "CT"), names(1), 2),
        (("-L", "image", "--study-uid", "1.2.1", "-k", "InstanceNumber=2"), names(1, images=(2,)), 2),
        (("--study-uid", "1.2.3"), names(3), 1),
    ],
)
def test_each_level_is_resolved(
    scp: ByUID, keys: tuple[str, ...], found: list[str], requests: int, tmp_path: Path
) -> None:
    done = tool("getscu", "-S", "127.0.0.1", scp.port, *keys, "--resolve", "-od", tmp_path / "in")
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == found
    assert len(scp.retrievals) == requests


def test_movescu_resolves_too(scp: ByUID, tmp_path: Path) -> None:
    port = free_port()
    scp.destinations["ME"] = ("127.0.0.1", port)
    own = ("--store-aet", "ME", "--store-port", port, "-od", tmp_path / "in")
    done = tool("movescu", "-S", "127.0.0.1", scp.port, "--accession", "A2", "--resolve", *own)
    assert done.returncode == 0, done.stderr
    assert kept(tmp_path / "in") == names(3)


def test_nothing_is_retrieved_where_nothing_matches(scp: ByUID, tmp_path: Path) -> None:
    arguments = ("getscu", "-S", "127.0.0.1", scp.port, "--accession", "A9", "--resolve", "-od", tmp_path / "in")
    assert tool(*arguments).returncode == 0
    done = tool(*arguments, "--fail-empty")
    assert (done.returncode, lines(done, "E")[0]) == (3, "Nothing matched")
    assert scp.retrievals == []


def test_a_result_that_is_cut_short_is_an_exit_status_of_3(tmp_path: Path) -> None:
    statuses = [dimse.Status(0xA700, service="find", comment="enough")]
    with ByUID(write_archive(tmp_path / "archive"), statuses=statuses) as scp:
        done = tool("getscu", "-S", "127.0.0.1", scp.port, "--accession", "A2", "--resolve", "-od", tmp_path / "in")
    assert done.returncode == 3
    assert "enough" in lines(done, "E")[0]
    assert kept(tmp_path / "in") == names(3)


def test_wrong_usage() -> None:
    done = tool("getscu", "-M", "composite-instance", "127.0.0.1", 1, "--sop-uid", "1.2", "--resolve")
    assert done.returncode == 2
    assert "has no C-FIND with levels" in " ".join(done.stderr.split())
