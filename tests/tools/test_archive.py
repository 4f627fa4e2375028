"""`dimse archive` as its users see it: every command on real files, and beside wrong paths, other processes and bad disks."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pydicom.data
import pytest

import dimse
from tests.files import Part10File, data_set_offset, pydicom_files, read_part10
from tests.tools import running
from tests.tools.listeners import listening
from tests.tools.running import Instance
from tests.tools.terminal import Terminal

SAMPLES = Path(pydicom.data.__path__[0]) / "test_files"
DISK = SAMPLES / "dicomdirtests"
STUDY = "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.1"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """Return a folder with pydicom's disk: more than 80 instances, and DICOMDIRs."""
    shutil.copytree(DISK, tmp_path / "disk")
    return tmp_path / "disk"


def places(folder: Path) -> tuple[object, ...]:
    return "--instance-location", folder / "instances", "--database-location", folder / "index.sqlite"


def archive(folder: Path, command: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command on the archive in a folder."""
    return running.tool("archive", command, *arguments, *places(folder), **options)


def done(folder: Path, command: str, *arguments: object, status: int = 0) -> str:
    """Run a command that has to end with a status, and return what it prints."""
    result = archive(folder, command, *arguments)
    assert result.returncode == status, result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    return result.stdout


def numbers(folder: Path, command: str, *arguments: object, status: int = 0) -> dict[str, Any]:
    """Run a command that prints an object of JSON, and return it."""
    found: dict[str, Any] = json.loads(done(folder, command, *arguments, "--format", "json", status=status))
    return found


def rows(folder: Path, command: str, *arguments: object, status: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done(folder, command, *arguments, "--format", "json", status=status))
    return found


def uids(folder: Path, *arguments: object) -> list[str]:
    """Return the UIDs that a list has."""
    return done(folder, "list", *arguments, "--format", "uid").split()


def is_checked(folder: Path) -> bool:
    """Return True if the archive has nothing to find fault with."""
    return rows(folder, "check", "--full") == []


def stored(folder: Path) -> dict[str, Part10File]:
    """Return the files of an archive that are served, by SOP Instance UID."""
    paths = [path for path in (folder / "instances").rglob("*.dcm") if "~" not in path.name]
    files = [read_part10(path.read_bytes(), path) for path in paths]
    return {file.sop_instance_uid: file for file in files}


def small(folder: Path, count: int, study: str = "1.2.3") -> Path:
    """Write files of a few bytes, ten of each series."""
    for number in range(count):
        series = f"{study}.{number // 10}"
        rest = running.element(0x0010, 0x0020, "LO", b"P1") + running.element(0x0020, 0x000D, "UI", study.encode())
        rest += running.element(0x0020, 0x000E, "UI", series.encode())
        Instance(f"{series}.{number}", rest=rest).write(folder / f"{number // 100}" / f"{number}.dcm")
    return folder


# ---- import


def test_files_are_imported_byte_for_byte_and_found(disk: Path, tmp_path: Path) -> None:
    said = numbers(tmp_path, "import", disk)
    sent = [file for file in pydicom_files().sendable if file.path.is_relative_to(DISK)]
    found = stored(tmp_path)
    assert said["imported"] == len(found) > 80
    assert said["failed"] == said["damaged"] == 0
    assert said["not_dicom"] >= 2
    for file in sent:
        assert found[file.sop_instance_uid].data_set == file.data_set
        assert found[file.sop_instance_uid].transfer_syntax == file.transfer_syntax
    assert set(uids(tmp_path, "image")) == found.keys()
    assert is_checked(tmp_path)


def test_every_file_that_pydicom_ships_is_imported_or_named(tmp_path: Path) -> None:
    result = archive(tmp_path, "import", SAMPLES, "--format", "json")
    said = json.loads(result.stdout)
    assert result.returncode == 3
    assert said["files"] == sum(1 for path in SAMPLES.rglob("*") if path.is_file() and not path.name.startswith("."))
    assert result.stderr.count("E: Bad DICOM file: ") == said["damaged"] > 0
    assert said["failed"] == 0
    assert is_checked(tmp_path)
    found = stored(tmp_path)
    assert said["imported"] == len(found)
    by_data_set = {file.data_set for file in pydicom_files().sendable + pydicom_files().repeated}
    assert all(file.data_set in by_data_set for file in found.values() if file.transfer_syntax)


def test_an_import_again_finds_everything_there(disk: Path, tmp_path: Path) -> None:
    first = numbers(tmp_path, "import", disk)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "instances").rglob("*.dcm")}
    again = numbers(tmp_path, "import", disk)
    assert again["imported"] == again["duplicate"] == again["bytes"] == 0
    assert again["there"] == first["imported"] + first["there"] + first["duplicate"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "instances").rglob("*.dcm")} == before


def test_links_copy_no_bytes(disk: Path, tmp_path: Path) -> None:
    said = numbers(tmp_path, "import", "--link", disk)
    assert said["linked"] == said["imported"] > 80
    modes = {path: path.stat().st_mode for path in disk.rglob("*")}
    inodes = {path.stat().st_ino for path in disk.rglob("*")}
    assert {path.stat().st_ino for path in (tmp_path / "instances").rglob("*.dcm")} <= inodes
    assert {path: path.stat().st_mode for path in disk.rglob("*")} == modes
    assert is_checked(tmp_path)
    assert numbers(tmp_path, "import", "--link", disk)["linked"] == 0


def test_files_of_another_file_system_are_copied_in_place_of_links(disk: Path, tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    folder = other / f"dimse-archive-{os.getpid()}"
    try:
        shutil.copytree(disk, folder)
        said = numbers(tmp_path, "import", "--link", folder)
        assert said["imported"] > 80
        assert said["linked"] == 0
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("policy", ["keep-both", "replace", "reject"])
def test_other_bytes_with_a_known_uid_are_treated_as_asked(tmp_path: Path, policy: str) -> None:
    first, second = tmp_path / "first" / "1.dcm", tmp_path / "second" / "1.dcm"
    rest = running.element(0x0020, 0x000D, "UI", b"1.2") + running.element(0x0020, 0x000E, "UI", b"1.3")
    Instance("1.4", rest=rest).write(first)
    Instance("1.4", rest=running.element(0x0010, 0x0010, "PN", b"Other") + rest).write(second)
    done(tmp_path, "import", first)
    status = 3 if policy == "reject" else 0
    said = numbers(tmp_path, "import", "--on-duplicate", policy, second, status=status)
    assert said[{"keep-both": "duplicate", "replace": "replaced", "reject": "rejected"}[policy]] == 1
    (row,) = rows(tmp_path, "duplicates")
    assert row["sop_instance_uid"] == "1.4"
    served = second if policy == "replace" else first
    done(tmp_path, "export", tmp_path / "out", "--everything")
    (path,) = (tmp_path / "out").rglob("*.dcm")
    content = path.read_bytes()
    assert content[data_set_offset(content) :] == served.read_bytes()[data_set_offset(served.read_bytes()) :]


def test_what_is_no_dicom_is_counted_and_a_named_file_is_an_error(tmp_path: Path) -> None:
    source = small(tmp_path / "source", 3)
    (source / "notes.txt").write_text("hello")
    said = numbers(tmp_path, "import", source)
    assert (said["imported"], said["not_dicom"]) == (3, 1)
    assert numbers(tmp_path, "import", source / "notes.txt", status=3)["damaged"] == 1
    (source / "0" / "cut.dcm").write_bytes((source / "0" / "1.dcm").read_bytes()[:-3])
    result = archive(tmp_path, "import", source)
    assert result.returncode == 3
    assert f"E: Bad DICOM file: {source}/0/cut.dcm: cut short" in result.stderr


def test_a_folder_without_dicom_files_is_a_shortfall(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = archive(tmp_path, "import", tmp_path / "empty")
    assert (result.returncode, result.stderr) == (3, "E: No suitable DICOM files found\n")


def test_a_path_that_is_not_there_leaves_the_others(tmp_path: Path) -> None:
    source = small(tmp_path / "source", 3)
    result = archive(tmp_path, "import", tmp_path / "none", source, "--format", "json")
    assert result.returncode == 3
    assert result.stderr == f"E: Cannot access path: {tmp_path}/none: no such file or directory\n"
    assert json.loads(result.stdout)["imported"] == 3


def test_an_import_of_the_archive_itself_takes_nothing(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 3))
    assert numbers(tmp_path, "import", tmp_path, status=0)["imported"] == 0
    assert len(uids(tmp_path, "image")) == 3


@pytest.mark.parametrize("link", [(), ("--link",)], ids=["copies", "links"])
def test_an_import_that_is_killed_is_gone_on_with(tmp_path: Path, link: tuple[str, ...]) -> None:
    count = 400
    source = small(tmp_path / "source", count)
    instances = tmp_path / "instances"
    for least in (1, 60, 150):
        with running.start("archive", "import", source, *link, *places(tmp_path)) as process:
            _until(lambda least=least: len(list(instances.rglob("*.dcm"))) >= least, process)
            process.kill()
            process.communicate()
    said = numbers(tmp_path, "import", source, *link)
    assert said["imported"] + said["there"] == count
    assert is_checked(tmp_path)
    assert len(stored(tmp_path)) == len(uids(tmp_path, "image")) == count
    assert list(tmp_path.rglob("*.part")) == []


def test_ctrl_c_ends_an_import_with_its_numbers(tmp_path: Path) -> None:
    source = small(tmp_path / "source", 1500)
    with running.start("archive", "import", source, "--format", "json", *places(tmp_path)) as process:
        _until(lambda: any((tmp_path / "instances").rglob("*.dcm")), process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=running.SECONDS)
    assert (process.returncode, err) == (130, "E: Interrupted\n")
    imported = json.loads(out)["imported"]
    assert imported <= len(uids(tmp_path, "image")) < 1500
    assert is_checked(tmp_path)


def _until(condition: Any, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + running.SECONDS
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        os.sched_yield()


# ---- disks


def test_a_folder_that_cannot_be_written_to_takes_no_import(tmp_path: Path) -> None:
    source = small(tmp_path / "source", 3)
    done(tmp_path, "import", source)
    before = uids(tmp_path, "image")
    words = running.command("archive", "import", source, *places(tmp_path))
    folder = tmp_path / "instances"
    folder.chmod(0o500)
    try:
        result = running.run(*running.unprivileged(), *words)
    finally:
        folder.chmod(0o700)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"E: {folder}: Permission denied\n"
    assert uids(tmp_path, "image") == before


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a few bytes."""
    folder.mkdir()
    mounted = (
        running.run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
        if shutil.which("mount")
        else None
    )
    if mounted is None or mounted.returncode:
        pytest.skip("no file system can be mounted")
    try:
        yield folder
    finally:
        running.run("umount", "-l", str(folder))


def test_a_full_disk_ends_the_import_and_keeps_what_is_there(tmp_path: Path) -> None:
    source = small(tmp_path / "source", 600)
    with small_disk(tmp_path / "disk", "1200k") as folder:
        result = archive(folder, "import", source, "--format", "json")
        assert result.returncode in (1, 3)
        assert "No space left on the disk" in result.stderr.replace("no space", "No space") or "full" in result.stderr
        assert "Traceback" not in result.stderr
        assert len(result.stderr.splitlines()) < 200


# ---- places


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("stats",),
        ("duplicates",),
        ("check",),
        ("delete", "study", "1.2"),
        ("move-study", "1.2", "P"),
        ("clean", "--yes"),
    ],
    ids=lambda command: command[0],
)
def test_a_command_makes_no_archive_where_there_is_none(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = archive(tmp_path, *command)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"E: There is no index {tmp_path}/index.sqlite: ")
    assert list(tmp_path.iterdir()) == []


def test_an_export_makes_no_archive_where_there_is_none(tmp_path: Path) -> None:
    result = archive(tmp_path, "export", tmp_path / "out", "--everything")
    assert (result.returncode, result.stdout) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_a_reindex_of_no_folder_makes_nothing(tmp_path: Path) -> None:
    result = archive(tmp_path, "reindex")
    assert (result.returncode, result.stdout) == (1, "")
    assert list(tmp_path.iterdir()) == []


def test_an_index_knows_its_folder(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 3))
    only_index = "--database-location", tmp_path / "index.sqlite"
    found = running.tool("archive", "stats", *only_index, "--format", "json")
    assert json.loads(found.stdout)["folder"] == str(tmp_path / "instances")
    (tmp_path / "other").mkdir()
    refused = running.tool("archive", "list", *only_index, "--instance-location", tmp_path / "other")
    assert refused.returncode == 1
    assert refused.stderr == f"E: The index is that of the folder {tmp_path}/instances, not of {tmp_path}/other\n"
    (tmp_path / "other").rmdir()
    (tmp_path / "instances").rename(tmp_path / "other")
    moved = running.tool("archive", "check", *only_index, "--instance-location", tmp_path / "other")
    assert moved.returncode == 0, moved.stderr


def test_the_configuration_of_qrscp_names_the_places(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 3))
    config = tmp_path / "archive.ini"
    config.write_text(
        f"[DEFAULT]\ninstance_location: {tmp_path}/instances\ndatabase_location: {tmp_path}/index.sqlite\n"
    )
    found = running.tool("archive", "list", "image", "-c", config, "--format", "uid")
    assert len(found.stdout.split()) == 3


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (value TEXT)")
    connection.close()
    (tmp_path / "instances").mkdir()
    before = path.read_bytes()
    for command in (("list",), ("reindex",), ("import", small(tmp_path / "source", 1))):
        result = archive(tmp_path, *map(str, command))
        assert (result.returncode, result.stdout) == (1, "")
        assert "this is a database of another program" in result.stderr
    assert path.read_bytes() == before


# ---- beside a qrscp


def test_a_serving_archive_is_read_and_changed_and_not_imported_into(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)
    with listening("qrscp", *places(tmp_path)) as listener:
        for command in (("import", disk), ("reindex",), ("clean", "--yes")):
            result = archive(tmp_path, *map(str, command))
            assert result.returncode == 1, result.stdout
            assert (
                result.stderr
                == f"E: The archive {tmp_path}/instances is in use by another process, such as qrscp: end it first\n"
            )
        studies = uids(tmp_path)
        assert STUDY in studies
        assert numbers(tmp_path, "stats")["studies"] == len(studies)
        assert is_checked(tmp_path)
        assert done(tmp_path, "export", tmp_path / "out", "--study-uid", STUDY).startswith("Exported 4 files")
        done(tmp_path, "move-study", STUDY, "NEW")
        assert _asked(listener.port, PatientID="NEW", StudyInstanceUID="") == [STUDY]
        done(tmp_path, "delete", "study", STUDY)
        assert _asked(listener.port, StudyInstanceUID=STUDY) == []
        assert not (tmp_path / "instances" / STUDY).exists()
        # What was deleted may come again.
        sent = running.tool("storescu", "127.0.0.1", listener.port, "-r", DISK / "77654033" / "CT2")
        assert sent.returncode == 0, sent.stderr
        assert _asked(listener.port, StudyInstanceUID=STUDY, PatientID="") == [STUDY]
        assert uids(tmp_path, "--patient-id", "NEW") == []
        assert is_checked(tmp_path)


def _asked(port: int, **keys: str) -> list[str]:
    """Return the UIDs of the studies that a C-FIND finds."""
    with dimse.associate("127.0.0.1", port, contexts=["StudyRootQueryRetrieveInformationModelFind"]) as association:
        return [
            match.identifier.text(0x0020000D) for match in association.find(keys, level="STUDY") if match.identifier
        ]


# ---- list, stats, export


def test_a_list_has_the_keys_that_are_asked_for(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)
    text = done(tmp_path, "list", "--patient-name", "doe^arch*", "--sort", "StudyDate", "--format", "csv")
    found = list(csv.DictReader(StringIO(text)))
    assert [row["StudyDate"] for row in found] == ["19950903", "20010101"]
    assert {row["PatientName"] for row in found} == {"Doe^Archibald"}
    (study,) = json.loads(done(tmp_path, "list", "--study-uid", STUDY, "-r", "StudyDescription", "--format", "json"))
    assert study["00081030"]["Value"] == ["CT, HEAD/BRAIN WO CONTRAST"]
    assert len(done(tmp_path, "list", "series", "--modality", "MR", "--format", "jsonl").splitlines()) == 7
    assert uids(tmp_path, "patient", "--patient-id", "77654033") == ["77654033"]
    assert len(uids(tmp_path, "image", "--study-uid", STUDY, "--limit", "3")) == 3
    table = done(tmp_path, "list", "--modality", "CR")
    assert "XR C Spine Comp Min 4 Views" in table
    assert len(table.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "folder"), "the level is one of patient, study, series, image, instance, not 'folder'"),
        (("list", "--link"), "--link does not go with list"),
        (("delete", "patient", "1"), "the level is one of study, series, image, instance, not 'patient'"),
        (("delete", "study"), "delete takes these arguments: LEVEL UID"),
        (("stats", "--format", "uid"), "--format uid goes with list"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = archive(tmp_path, *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"dimse archive: error: {words}"


def test_a_key_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    result = archive(tmp_path, "list", "-k", "Nonsense=1")
    assert result.returncode == 1
    assert result.stderr.startswith("E: Exception raised trying to parse the supplied keywords: ")


def test_the_numbers_are_those_of_the_files(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)
    said, files = numbers(tmp_path, "stats"), stored(tmp_path)
    assert said["instances"] == len(files)
    assert said["size"] == sum(len(file.data_set) for file in files.values())
    assert sum(each["instances"] for each in said["modalities"].values()) == said["instances"]
    assert (said["first_study_date"], said["last_study_date"]) == ("19950903", "20200913")
    table = done(tmp_path, "stats")
    assert table.splitlines()[0].split() == ["modality", "studies", "series", "instances"]


def test_an_export_copies_what_keys_select_and_goes_on_where_it_ended(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)
    out = tmp_path / "out"
    layout = "{Modality}/{SOPInstanceUID}.dcm"
    for _ in range(2):
        said = done(tmp_path, "export", out, "--patient-id", "77654033", "--modality", "CT", "--layout", layout)
        assert said.startswith("Exported 4 files, ")
    exported = sorted((out / "CT").iterdir())
    assert [path.stem for path in exported] == sorted(uids(tmp_path, "image", "--study-uid", STUDY))
    known = stored(tmp_path)
    assert all(read_part10(path.read_bytes(), path).data_set == known[path.stem].data_set for path in exported)
    linked = numbers(tmp_path, "export", tmp_path / "links", "--link", "--everything")
    assert linked["linked"] == len(known)
    assert done(tmp_path, "export", tmp_path / "none", "--study-uid", "1.2", status=3).startswith("Exported 0 files")


def test_an_export_goes_neither_into_the_archive_nor_without_a_key(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 3))
    inside = archive(tmp_path, "export", tmp_path / "instances" / "out", "--everything")
    assert (inside.returncode, inside.stderr) == (1, f"E: {tmp_path}/instances/out is in the folder of the archive\n")
    assert archive(tmp_path, "export", tmp_path / "out").returncode == 1
    assert not (tmp_path / "out").exists()


# ---- check, reindex


def test_a_check_names_what_is_wrong(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 4))
    missing, other, new = (tmp_path / f"instances/1.2.3/1.2.3.0/1.2.3.0.{number}.dcm" for number in (1, 2, 9))
    shutil.copy(missing, new)
    missing.unlink()
    content = bytearray(other.read_bytes())
    content[-1:] = b"x"
    other.write_bytes(content)
    quick = {(row["kind"], row["entity"]) for row in rows(tmp_path, "check", status=3)}
    assert quick == {("file missing", "1.2.3.0.1"), ("no row", "1.2.3/1.2.3.0/1.2.3.0.9.dcm")}
    full = archive(tmp_path, "check", "--full")
    assert full.returncode == 3
    assert "E: The check has 3 findings" in full.stderr
    assert "digest" in full.stdout


@pytest.mark.parametrize("damage", ["nothing", "gone", "damaged"])
def test_a_reindex_makes_the_index_of_the_files(disk: Path, tmp_path: Path, damage: str) -> None:
    done(tmp_path, "import", disk)
    before = {level: sorted(uids(tmp_path, level)) for level in ("patient", "study", "series", "image")}
    index = tmp_path / "index.sqlite"
    if damage == "gone":
        index.unlink()
    elif damage == "damaged":
        content = bytearray(index.read_bytes())
        content[4096:20000] = bytes(20000 - 4096)
        index.write_bytes(content)
    (row,) = rows(tmp_path, "reindex", "--full")
    assert row["instances"] == len(before["image"])
    assert row["skipped"] == 0
    assert {level: sorted(uids(tmp_path, level)) for level in before} == before
    assert is_checked(tmp_path)


def test_ctrl_c_in_a_reindex_leaves_the_old_index(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 1000), "--durability", "none")
    with running.start("archive", "reindex", "--jobs", 2, *places(tmp_path)) as process:
        _until((tmp_path / "index.sqlite.new").exists, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=running.SECONDS)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert len(uids(tmp_path, "image")) == 1000
    done(tmp_path, "reindex")
    assert len(uids(tmp_path, "image")) == 1000


# ---- changes


def test_a_moved_study_stays_with_its_patient_after_a_reindex(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)
    other = "98890234"
    studies = uids(tmp_path, "--patient-id", other)
    done(tmp_path, "move-study", STUDY, other)
    assert sorted(uids(tmp_path, "--patient-id", other)) == sorted([*studies, STUDY])
    done(tmp_path, "reindex")
    assert sorted(uids(tmp_path, "--patient-id", other)) == sorted([*studies, STUDY])
    done(tmp_path, "delete", "study", STUDY)
    done(tmp_path, "import", disk)
    assert STUDY in uids(tmp_path, "--patient-id", "77654033")


def test_a_study_moves_to_a_patient_who_is_not_there_with_the_name(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)
    done(tmp_path, "move-study", STUDY, "NEW", "--issuer", "HERE")
    text = done(tmp_path, "list", "-k", "IssuerOfPatientID=HERE", "--format", "csv")
    (row,) = csv.DictReader(StringIO(text))
    assert (row["PatientID"], row["PatientName"]) == ("NEW", "Doe^Archibald")
    assert "77654033" in uids(tmp_path, "patient")
    assert is_checked(tmp_path)


def test_what_is_not_there_is_neither_moved_nor_deleted(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 3))
    for command in (("delete", "study", "9.9"), ("delete", "image", "9.9"), ("move-study", "9.9", "P")):
        result = archive(tmp_path, *command)
        assert (result.returncode, result.stdout) == (3, "")
        assert result.stderr.startswith("E: The archive has no ")
    assert archive(tmp_path, "move-study", "1.2.3", "").returncode == 1
    assert len(uids(tmp_path, "image")) == 3


def test_a_series_and_an_instance_are_deleted_with_their_files(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 25))
    (row,) = rows(tmp_path, "delete", "series", "1.2.3.1")
    assert (row["instances"], row["files"], row["studies"]) == (10, 10, "1.2.3")
    done(tmp_path, "delete", "instance", "1.2.3.0.0")
    assert len(uids(tmp_path, "image")) == len(stored(tmp_path)) == 14
    assert is_checked(tmp_path)


def test_everything_is_removed_after_a_yes(tmp_path: Path) -> None:
    done(tmp_path, "import", small(tmp_path / "source", 12))
    refused = archive(tmp_path, "clean")
    assert refused.returncode == 1
    assert refused.stderr.endswith("Nothing was removed: clean needs yes on a terminal, or --yes\n")
    assert len(stored(tmp_path)) == 12
    (tmp_path / "instances" / "mine.txt").write_text("mine")
    result = archive(tmp_path, "clean", "--yes")
    assert (result.returncode, result.stderr) == (1, "E: 1 file stayed in the folder: the index does not have them\n")
    assert [path.name for path in (tmp_path / "instances").rglob("*")] == ["mine.txt"]
    assert uids(tmp_path) == []


# ---- the bar


def test_an_import_shows_a_bar_on_a_terminal(tmp_path: Path) -> None:
    source = small(tmp_path / "source", 3000)
    with Terminal("-m", "dimse", "archive", "import", source, *places(tmp_path), columns=100) as terminal:
        terminal.until("+ files")


# ---- qrscp's options


def test_qrscp_has_the_upkeep_as_options(disk: Path, tmp_path: Path) -> None:
    done(tmp_path, "import", disk)

    def qrscp(*arguments: object) -> subprocess.CompletedProcess[str]:
        return running.tool("qrscp", *arguments, *places(tmp_path))

    assert json.loads(qrscp("--check", "--full", "--format", "json").stdout) == []
    (row,) = json.loads(qrscp("--reindex", "--format", "json").stdout)
    assert row["instances"] == len(stored(tmp_path))
    assert json.loads(qrscp("--duplicates", "--format", "json").stdout) == rows(tmp_path, "duplicates")
    assert qrscp("--move-study", STUDY, "NEW").returncode == 0
    assert uids(tmp_path, "--patient-id", "NEW") == [STUDY]
    assert qrscp("--delete", "study", STUDY).returncode == 0
    assert qrscp("--delete", "study", STUDY).returncode == 3
    assert qrscp("--clean").returncode == 1
    assert qrscp("--clean", "--yes").returncode == 0
    assert uids(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--check", "--clean"), "argument --clean: not allowed with argument --check"),
        (("--full",), "--full goes with --check or --reindex"),
        (("--yes",), "--yes goes with --clean"),
        (("--delete", "patient", "1"), "the level is one of study, series, image, instance, not 'patient'"),
    ],
)
def test_wrong_upkeep_of_qrscp_is_told(arguments: tuple[str, ...], words: str) -> None:
    result = running.tool("qrscp", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"qrscp: error: {words}"
