"""A store's folder is removed, moved away or put back while it runs: what is acknowledged stands at the path that is told."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dimse.archive import FileStore, Stored
from tests.archive.storing import (
    KEPT,
    OUT_OF_RESOURCES,
    data_set,
    in_a_process,
    keep,
    names,
    store_request,
    stored_data_set,
    take,
)

GONE = "the folder for the files does not exist"


def rotate(folder: Path) -> Path:
    """Move a folder away and make another one in its place, as a rotation by hand does; return where the first is now."""
    old = folder.with_name(f"{folder.name}.old")
    folder.rename(old)
    folder.mkdir()
    return old


@pytest.mark.parametrize("times", [1, 3])
def test_an_incoming_folder_that_a_cleaner_removed_is_made_anew(store: FileStore, folder: Path, times: int) -> None:
    for number in range(times):
        (folder / ".incoming").rmdir()
        assert keep(store, f"1.2.{number}") == KEPT
    assert len(names(folder)) == times


def test_what_was_arriving_when_it_was_removed_is_not_said_to_be_kept(store: FileStore, folder: Path) -> None:
    request = store_request()
    request.sink = sink = store.begin(request)
    sink.write([memoryview(data_set())])
    shutil.rmtree(folder / ".incoming")
    assert keep(store, "1.2.4") == KEPT
    assert store.store(request) == OUT_OF_RESOURCES
    sink.discard()
    assert names(folder) == ["CT.1.2.4"]


def test_an_incoming_folder_that_became_something_else_is_not_followed(
    store: FileStore, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (folder / ".incoming").rmdir()
    (folder / ".incoming").symlink_to(tmp_path / "elsewhere")
    assert keep(store) == OUT_OF_RESOURCES
    (folder / ".incoming").unlink()
    assert keep(store) == KEPT
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("layout", ["{SOPInstanceUID}", "{PatientID}/{SOPInstanceUID}"])
def test_a_folder_that_was_moved_is_left_for_the_one_at_its_path(
    folder: Path, layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Stored] = []
    with FileStore(folder, layout=layout, stored=told.append) as store:
        assert keep(store, "1.2.1") == KEPT
        old = rotate(folder)
        assert keep(store, "1.2.2") == KEPT
        assert Path(told[-1].path).is_file()
        assert len(names(old)) == len(names(folder)) == 1
        assert not (old / ".incoming").exists()
        with pytest.raises(BlockingIOError, match="another storescp or FileStore uses this folder"):
            FileStore(folder)
        FileStore(old).close()  # nothing holds that any more
        assert keep(store, "1.2.2", b"other") == KEPT
    assert len(names(folder)) == 2
    assert caplog.messages[0] == f"The folder {folder} was replaced: new instances are kept in the new one"
    assert caplog.records[0].name == "dimse.notices"


def test_what_arrives_while_it_is_moved_goes_along(store: FileStore, folder: Path) -> None:
    requests = [store_request(f"1.2.{number}") for number in range(3)]
    for request in requests:
        request.sink = store.begin(request)
        request.sink.write([memoryview(data_set(request.sop_instance_uid))])
    old = rotate(folder)
    for request in requests:
        assert store.store(request) == KEPT
        assert request.path and Path(request.path).is_file()
    for request in requests:
        assert request.sink is not None
        request.sink.discard()
    assert names(folder) == ["CT.1.2.0", "CT.1.2.1", "CT.1.2.2"]
    assert names(old) == []


def test_while_the_folder_is_gone_nothing_is_kept_and_then_it_goes_on(
    store: FileStore, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert keep(store, "1.2.1") == KEPT
    shutil.rmtree(folder)
    for _ in range(2):
        status = keep(store, "1.2.2")
        assert (status, status.comment) == (OUT_OF_RESOURCES, GONE)
    assert not folder.exists()
    assert f"The folder {folder} does not exist: nothing can be stored" in caplog.messages
    folder.mkdir()
    assert keep(store, "1.2.2") == KEPT
    assert stored_data_set(folder / "CT.1.2.2") == data_set("1.2.2")


def test_a_folder_that_is_moved_back_goes_on(store: FileStore, folder: Path) -> None:
    away = folder.with_name("away")
    folder.rename(away)
    status = keep(store)
    assert (status, status.comment) == (OUT_OF_RESOURCES, GONE)
    assert names(away) == []
    away.rename(folder)
    assert keep(store) == KEPT
    rotated = rotate(folder)
    assert keep(store, "1.2.4") == KEPT
    folder.rename(away)
    rotated.rename(folder)
    assert keep(store, "1.2.5") == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.5"]


def test_a_folder_above_it_that_is_moved_counts_too(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "store"
    with FileStore(folder) as store:
        assert keep(store, "1.2.1") == KEPT
        (tmp_path / "above").rename(tmp_path / "moved")
        assert keep(store, "1.2.2") == OUT_OF_RESOURCES
        folder.mkdir(parents=True)
        assert keep(store, "1.2.2") == KEPT
    assert names(folder) == ["CT.1.2.2"]


def test_a_link_that_leads_to_another_folder_is_followed(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
    today = tmp_path / "today"
    today.symlink_to("monday")
    with FileStore(today) as store:
        assert keep(store, "1.2.1") == KEPT
        (tmp_path / "next").symlink_to("tuesday")
        os.replace(tmp_path / "next", today)
        assert keep(store, "1.2.2") == KEPT
    assert names(tmp_path / "monday") == ["CT.1.2.1"]
    assert names(tmp_path / "tuesday") == ["CT.1.2.2"]


def test_something_else_at_its_path_is_not_written_to(store: FileStore, folder: Path) -> None:
    folder.rename(folder.with_name("away"))
    folder.write_bytes(b"a file")
    assert keep(store) == OUT_OF_RESOURCES
    assert folder.read_bytes() == b"a file"
    assert names(folder.with_name("away")) == []


def test_a_folder_that_another_store_has_is_not_taken(store: FileStore, folder: Path) -> None:
    rotate(folder)
    with FileStore(folder) as other:
        status = keep(store)
        assert (status, status.comment) == (OUT_OF_RESOURCES, "another storescp or FileStore uses this folder")
        assert keep(other) == KEPT
    assert keep(store, "1.2.4") == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.4"]


def test_copies_are_counted_anew_in_another_folder(store: FileStore, folder: Path) -> None:
    for content in (b"1", b"2", b"3"):
        assert keep(store, content=content) == KEPT
    rotate(folder)
    for content in (b"1", b"2"):
        assert keep(store, content=content) == KEPT
    assert names(folder) == ["CT.1.2.3", "CT.1.2.3~2"]


def test_no_descriptor_is_left_open_by_any_number_of_changes(folder: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    with FileStore(folder) as store:
        for number in range(20):
            shutil.rmtree(rotate(folder))
            assert keep(store, f"1.2.{number}") == KEPT
            (folder / ".incoming").rmdir()
            assert keep(store, f"1.3.{number}") == KEPT
    assert len(os.listdir("/dev/fd")) == before


WORKERS = """
folder = Path(sys.argv[1])
store = FileStore(folder)
(folder.parent / "new").mkdir()
turn = [os.pipe() for _ in range(4)]
children = []
for worker in range(2):
    child = os.fork()
    if not child:
        kept = [int(keep(store, f"1.{worker}.1"))]
        os.write(turn[worker][1], b".")
        os.read(turn[2 + worker][0], 1)
        kept += [int(keep(store, f"1.{worker}.{number}")) for number in (2, 3)]
        os._exit(0 if kept == [0, 0, 0] else 1)
    children.append(child)
for worker in range(2):
    os.read(turn[worker][0], 1)
folder.rename(folder.parent / "old")
(folder.parent / "new").rename(folder)
for worker in range(2):
    os.write(turn[2 + worker][1], b".")
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


def test_each_of_several_processes_goes_on_in_the_new_folder(folder: Path) -> None:
    done = in_a_process(WORKERS, folder)
    assert done.stdout == "[0, 0]\n", done.stderr
    assert names(folder) == ["CT.1.0.2", "CT.1.0.3", "CT.1.1.2", "CT.1.1.3"]
    assert names(folder.with_name("old")) == ["CT.1.0.1", "CT.1.1.1"]


TAKEN_ALONG = """
folder = Path(sys.argv[1])
store = FileStore(folder)
begun, moved = os.pipe(), os.pipe()
child = os.fork()
if not child:
    sink = store.begin(store_request("1.2.1"))
    sink.write([memoryview(b"half")])
    os.write(begun[1], b".")
    os.read(moved[0], 1)
    sink.discard()
    os._exit(0)
os.read(begun[0], 1)
folder.rename(folder.parent / "old")
folder.mkdir()
print(int(keep(store, "1.2.2")), len(os.listdir(folder / ".incoming")))
os.write(moved[1], b".")
os.waitpid(child, 0)
"""


def test_what_another_process_took_along_and_is_lost_on_its_way_is_removed(folder: Path) -> None:
    # Left there it would hold up the announcement of studies.
    done = in_a_process(TAKEN_ALONG, folder)
    assert done.stdout == "0 1\n", done.stderr
    assert names(folder) == ["CT.1.2.2"]


OTHER_DISK = """
import subprocess
folder = Path(sys.argv[1])
store = FileStore(folder / "store")
request = store_request("1.2.2")
request.sink = store.begin(request)
request.sink.write([memoryview(data_set("1.2.2"))])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder / "store")], check=True)
print(int(store.store(request)), int(keep(store, "1.2.3")), names(folder / "store"))
"""


def test_what_arrives_while_another_disk_is_mounted_over_it_fails_and_then_it_goes_on(tmp_path: Path) -> None:
    words = ("unshare", "--mount")
    if not shutil.which("unshare") or subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system")
    done = in_a_process(OTHER_DISK, tmp_path, before=words)
    assert done.stdout == f"{OUT_OF_RESOURCES} 0 ['CT.1.2.3']\n", done.stderr
    assert list((tmp_path / "store").iterdir()) == []


def test_the_hook_for_forks_is_registered_once(tmp_path: Path) -> None:
    code = """
registered = []
import dimse.archive.folders
os.register_at_fork = lambda **hooks: registered.append(hooks)
for number in range(10):
    with FileStore(Path(sys.argv[1]) / str(number)) as store:
        keep(store)
print(registered)
"""
    assert in_a_process(code, tmp_path).stdout == "[]\n"


def test_a_moved_folder_is_noticed_in_the_middle_of_a_data_set(store: FileStore, folder: Path) -> None:
    request = store_request()
    request.sink = store.begin(request)
    request.sink.write([memoryview(data_set()[:20])])
    old = rotate(folder)
    assert take(store, store_request("1.2.4"), data_set("1.2.4")) == KEPT
    request.sink.write([memoryview(data_set()[20:])])
    assert store.store(request) == KEPT
    request.sink.discard()
    assert names(folder) == ["CT.1.2.3", "CT.1.2.4"]
    assert names(old) == []
