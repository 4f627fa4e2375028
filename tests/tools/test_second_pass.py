"""The second pass of getscu: what did not come is asked for once more, and the exit status is that of both passes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import dimse
from dimse import uids
from dimse.instances import InstanceFile
from dimse.services.sources import Storable
from dimse.testing import QueryRetrieveSCP
from tests.tools.retrieved import STUDY, UIDS, ct, kept, write_images
from tests.tools.running import Instance, lines, tool

# A class that is not among those that are proposed without a question.
RARE = uids.StereometricRelationshipStorage
RARE_UID = f"{STUDY}.1.9"


class Forgetful(QueryRetrieveSCP):
    """An archive whose first answers to retrievals fail for some instances.

    Args:
        files: Its instances.
        failing: The SOP Instance UIDs of those that fail.
        times: The number of answers in which they do.
    """

    def __init__(self, files: Sequence[Path], failing: Sequence[str] = (), times: int = 1) -> None:
        super().__init__(files)
        self._failing, self._times = failing, times

    def matching_instances(self, request: dimse.RetrieveRequest) -> list[Storable] | int:
        """Return the instances, with files that are gone for those that fail."""
        found = super().matching_instances(request)
        if isinstance(found, int) or len(self.retrievals) > self._times:
            return found
        gone = [each for each in found if any(str(each).endswith(f"{uid}.dcm") for uid in self._failing)]
        return [each for each in found if each not in gone] + [unreadable(Path(str(each))) for each in gone]


def unreadable(path: Path) -> InstanceFile:
    """Return an instance whose UIDs are known, and whose file is gone."""
    copy = path.with_name(f"gone.{path.name}")
    copy.write_bytes(path.read_bytes())
    found = InstanceFile.check(str(copy))
    copy.unlink()
    return found


def levels(scp: QueryRetrieveSCP) -> list[str]:
    """Return the level of each retrieval."""
    return [request.level for request in scp.retrievals]


def getscu(scp: QueryRetrieveSCP, folder: Path, *options: object, keys: Sequence[str] = ("--study-uid", STUDY)) -> Any:
    return tool("getscu", *(() if "-P" in options else ("-S",)), "127.0.0.1", scp.port, *keys, "-od", folder, *options)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "archive")


@pytest.mark.parametrize(
    "keys",
    [
        ("--study-uid", STUDY),
        ("-P", "--patient-id", "P1"),
        ("-P", "--patient-id", "P1", "--study-uid", STUDY),
        ("--study-uid", STUDY, "--series-uid", f"{STUDY}.1"),
        ("--study-uid", STUDY, "--series-uid", f"{STUDY}.1", "-k", f"SOPInstanceUID={UIDS[0]}\\{UIDS[1]}"),
    ],
)
def test_an_instance_that_failed_is_asked_for_once_more(
    files: list[Path], keys: tuple[str, ...], tmp_path: Path
) -> None:
    with Forgetful(files, UIDS[1:2]) as scp:
        options = [key for key in keys if key == "-P"]
        done = getscu(scp, tmp_path / "in", *options, keys=[key for key in keys if key != "-P"])
    assert done.returncode == 0, done.stderr
    wanted = UIDS[:2] if "-k" in keys else UIDS
    assert kept(tmp_path / "in") == [f"CT.{uid}" for uid in wanted]
    assert levels(scp)[1:] == ["IMAGE"]
    assert scp.retrievals[1].identifier["SOPInstanceUID"] == UIDS[1]
    assert lines(done, "E") == []
    assert [line for line in lines(done, "I") if "once more" in line] == [
        "Asking once more for 1 instances that did not come"
    ]


def test_it_is_not_asked_for_a_third_time(files: list[Path], tmp_path: Path) -> None:
    with Forgetful(files, UIDS[1:2], times=9) as scp:
        done = getscu(scp, tmp_path / "in", "--report", tmp_path / "report.json")
    assert (done.returncode, levels(scp)) == (3, ["STUDY", "IMAGE"])
    assert kept(tmp_path / "in") == [f"CT.{UIDS[0]}", f"CT.{UIDS[2]}"]
    assert f"Not sent: {UIDS[1]}" in lines(done, "E")
    rows = json.loads((tmp_path / "report.json").read_text())["files"]
    assert sorted(row["outcome"] for row in rows) == ["stored", "stored", "study partial", "unsent"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_class_that_was_not_proposed_is_proposed_then(files: list[Path], compressed: bool, tmp_path: Path) -> None:
    rare = Instance(RARE_UID, RARE, rest=ct(UIDS[0]).rest)
    with Forgetful([*files, rare.write(tmp_path / "archive" / f"{RARE_UID}.dcm")]) as scp:
        done = getscu(scp, tmp_path / "in", "--contexts", "list")
    assert done.returncode == 0, done.stderr
    assert len(kept(tmp_path / "in")) == 4
    assert levels(scp) == ["STUDY", "IMAGE"]


def test_classes_that_the_user_does_not_want_are_not_asked_for(files: list[Path], tmp_path: Path) -> None:
    rare = Instance(RARE_UID, RARE, rest=ct(UIDS[0]).rest)
    with Forgetful([*files, rare.write(tmp_path / "archive" / f"{RARE_UID}.dcm")]) as scp:
        done = getscu(scp, tmp_path / "in", "--sop-class", "CTImageStorage")
    assert (done.returncode, levels(scp)) == (3, ["STUDY"])


def test_what_this_side_has_refused_is_not_asked_for(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"CT.{UIDS[0]}").write_bytes(b"another file")
    with Forgetful(files) as scp:
        done = getscu(scp, tmp_path / "in", "--on-duplicate", "reject")
    assert (done.returncode, levels(scp)) == (3, ["STUDY"])


@pytest.mark.parametrize("options", [("--cancel", 1), ("--ignore",)])
def test_there_is_no_second_pass_of_what_is_cancelled_or_not_kept(
    files: list[Path], options: tuple[object, ...], tmp_path: Path
) -> None:
    with Forgetful(files, UIDS[:1]) as scp:
        getscu(scp, tmp_path / "in", *options)
    assert levels(scp) == ["STUDY"]


def test_each_retrieval_has_its_own_second_pass(files: list[Path], tmp_path: Path) -> None:
    with Forgetful(files, UIDS[1:2]) as scp:
        done = getscu(scp, tmp_path / "in", "--repeat", 2)
    assert (done.returncode, levels(scp)) == (0, ["STUDY", "IMAGE", "STUDY"])
