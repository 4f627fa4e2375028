"""findscu --expand: the series of each study, or their images, as rows of one output."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.testing import QueryRetrieveSCP
from tests.tools import running

IMAGES = [
    {
        "PatientID": "P1",
        "PatientName": "Doe^Jane",
        "StudyInstanceUID": f"1.2.{study}",
        "StudyDate": f"2024010{study}",
        "SeriesInstanceUID": f"1.2.{study}.{series}",
        "Modality": modality,
        "SOPInstanceUID": f"1.2.{study}.{series}.{number}",
        "SOPClassUID": uids.CTImageStorage,
        "InstanceNumber": str(number),
    }
    for study in (1, 2)
    for series, modality in ((1, "CT"), (2, "SR"))
    for number in (1, 2)
]


@pytest.fixture
def scp() -> Iterator[QueryRetrieveSCP]:
    with QueryRetrieveSCP(IMAGES) as scp:
        yield scp


def findscu(scp: QueryRetrieveSCP, *arguments: Any, model: str = "-S") -> Any:
    return running.tool("findscu", model, "127.0.0.1", scp.port, *arguments)


def rows(done: Any) -> list[dict[str, str]]:
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_each_series_has_a_row_with_its_study(scp: QueryRetrieveSCP, model: str) -> None:
    done = findscu(
        scp,
        "--patient-id",
        "P1",
        "-r",
        "PatientName,StudyDate,Modality",
        "--expand",
        "series",
        "--format",
        "csv",
        model=model,
    )
    found = rows(done)
    assert [(row["SeriesInstanceUID"], row["Modality"], row["StudyDate"]) for row in found] == [
        ("1.2.1.1", "CT", "20240101"),
        ("1.2.1.2", "SR", "20240101"),
        ("1.2.2.1", "CT", "20240102"),
        ("1.2.2.2", "SR", "20240102"),
    ]
    assert {row["PatientName"] for row in found} == {"Doe^Jane"}
    assert [request.level for request in scp.requests] == ["STUDY", "SERIES", "SERIES"]
    # Each query has the keys of its own level, and the unique keys of those above.
    assert "Modality" not in scp.requests[0].identifier
    assert "StudyDate" not in scp.requests[1].identifier
    assert ("PatientID" in scp.requests[1].identifier) == (model == "-P")


def test_each_image_has_a_row(scp: QueryRetrieveSCP) -> None:
    done = findscu(scp, "--study-uid", "1.2.1", "--expand", "image", "--format", "jsonl")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["00080018"]["Value"][0] for each in found] == [
        f"1.2.1.{series}.{image}" for series in (1, 2) for image in (1, 2)
    ]
    assert {each["00080052"]["Value"][0] for each in found} == {"IMAGE"}
    assert {each["00080060"]["Value"][0] for each in found} == {"CT", "SR"}


def test_keys_below_studies_select(scp: QueryRetrieveSCP) -> None:
    done = findscu(scp, "--modality", "SR", "-r", "@study", "--expand", "series", "--format", "uid")
    assert (done.returncode, done.stdout.split()) == (0, ["1.2.1.2", "1.2.2.2"])
    assert scp.requests[0].identifier["ModalitiesInStudy"] == "SR"


def test_numbers_are_of_rows_and_limits_of_studies(scp: QueryRetrieveSCP) -> None:
    done = findscu(scp, "-r", "PatientID", "--expand", "image", "--limit", 1, "--count")
    assert (done.returncode, done.stdout) == (0, "4\n")
    done = findscu(scp, "--patient-id", "P2", "--expand", "series", "--fail-empty", "--count")
    assert (done.returncode, done.stdout) == (3, "0\n")


def test_a_study_without_series_has_a_row_itself() -> None:
    def find(request: dimse.FindRequest) -> Iterator[dict[str, str]]:
        if request.level == "STUDY":
            yield {"StudyInstanceUID": "1.2", "StudyDate": "20240101"}

    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(find=find)) as server:
        keys = ("-r", "StudyDate", "--expand", "series", "--format", "csv", "--columns", "StudyDate,SeriesInstanceUID")
        done = running.tool("findscu", "-S", "127.0.0.1", server.address[1], *keys)
    assert done.stdout == "StudyDate,SeriesInstanceUID\n20240101,\n"


def test_a_query_below_that_fails_is_an_exit_status_of_3() -> None:
    def find(request: dimse.FindRequest) -> Iterator[Any]:
        if request.level == "STUDY":
            yield {"StudyInstanceUID": "1.2"}
            yield {"StudyInstanceUID": "1.3"}
        elif request.identifier["StudyInstanceUID"] == "1.2":
            yield dimse.Status(0xC001, comment="lost")
        else:
            yield {"SeriesInstanceUID": "1.3.1", "StudyInstanceUID": "1.3"}

    with dimse.Server(("127.0.0.1", 0), dimse.Handlers(find=find)) as server:
        keys = ("-r", "StudyDate", "--expand", "series", "--format", "uid")
        done = running.tool("findscu", "-S", "127.0.0.1", server.address[1], *keys)
    assert (done.returncode, done.stdout) == (3, "1.3.1\n")
    assert "lost" in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("-W",), "has no levels"), (("-O",), "has no levels"), (("-L", "series"), "goes with --level study only")],
)
def test_wrong_usage(options: tuple[str, ...], reason: str) -> None:
    done = running.tool("findscu", "127.0.0.1", 1, "--patient-id", "1", "--expand", "series", *options)
    assert done.returncode == 2
    assert reason in " ".join(done.stderr.split())
