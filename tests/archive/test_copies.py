"""Instances of one name with other bytes, thousands of them if a device's counter is stuck: each costs the same, up to a limit."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from dimse.archive import FileStore
from dimse.archive.copies import MOST_COMPARED, MOST_REMEMBERED
from dimse.archive.names import copy_name
from tests.archive.storing import (
    DUPLICATE,
    KEPT,
    data_set,
    in_a_process,
    keep,
    names,
    store_request,
    stored_data_set,
    take,
)
from tests.data_set.test_walk import element as long_element

DCM = "{SOPInstanceUID}.dcm"


def kept(store: FileStore, number: int) -> int:
    """Store one of many data sets of one size with one UID."""
    return keep(store, content=f"{number:08}".encode())


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        ("CT.1.2.3", "CT.1.2.3~2"),
        ("1.2.3.dcm", "1.2.3~2.dcm"),
        ("1.2.3.DCM", "1.2.3~2.DCM"),
        ("a.dcm/1.2.3", "a.dcm/1.2.3~2"),
        ("1.2.3.dcm.x", "1.2.3.dcm.x~2"),
    ],
)
def test_the_number_of_a_copy_stands_before_the_ending(name: str, copy: str) -> None:
    assert copy_name(name, 2) == copy


@pytest.mark.parametrize(("layout", "expected"), [(DCM, "1.2.3~3.dcm"), ("{SOPInstanceUID}", "1.2.3~3")])
def test_copies_are_kept_beside_the_first(folder: Path, layout: str, expected: str) -> None:
    with FileStore(folder, layout=layout) as store:
        assert [kept(store, number) for number in range(3)] == [KEPT] * 3
        assert [kept(store, number) for number in range(3)] == [KEPT] * 3  # each is found again
    assert len(names(folder)) == 3
    assert stored_data_set(folder / expected) == data_set(content=b"00000002")


@pytest.mark.thorough
@pytest.mark.parametrize("durability", ["none", pytest.param("full", marks=pytest.mark.thorough)])
def test_a_thousand_copies_are_kept_and_no_more(
    folder: Path, durability: str, caplog: pytest.LogCaptureFixture
) -> None:
    with FileStore(folder, layout=DCM, durability=durability) as store:  # type: ignore[arg-type]
        statuses = [kept(store, number) for number in range(1_003)]
        assert statuses == [KEPT] * 1_001 + [DUPLICATE] * 2
        status = keep(store, content=b"another one")
        assert (status, status.comment) == (DUPLICATE, "it is stored with 1,001 other data sets")
        assert [kept(store, number) for number in (0, 1, 500, 1_000)] == [KEPT] * 4  # these are there
    assert len(names(folder)) == 1_001
    notices = [record for record in caplog.records if record.name == "dimse.notices"]
    assert len(notices) == 1_003  # one line each
    assert notices[0].getMessage() == "DICOM file already exists with another data set: 1.2.3.dcm, kept as 1.2.3~2.dcm"
    assert (
        notices[-1].getMessage()
        == "DICOM file already exists with another data set: 1.2.3.dcm, and has too many copies"
    )
    assert {getattr(record, "notice", None) for record in notices} == {
        ("192.0.2.1", "duplicate"),
        ("192.0.2.1", "too many copies"),
    }


def test_the_limit_can_be_chosen_and_room_that_is_made_is_used(folder: Path) -> None:
    with FileStore(folder, max_duplicates=2) as store:
        assert [kept(store, number) for number in range(4)] == [KEPT, KEPT, KEPT, DUPLICATE]
        (folder / "CT.1.2.3~3").unlink()
        assert [kept(store, number) for number in (3, 4)] == [KEPT, DUPLICATE]
        (folder / "CT.1.2.3~2").unlink()
        (folder / "CT.1.2.3~3").unlink()
        assert [kept(store, number) for number in (5, 6, 7)] == [KEPT, KEPT, DUPLICATE]
    with FileStore(folder, max_duplicates=0) as store:
        assert [kept(store, number) for number in (0, 8)] == [KEPT, DUPLICATE]


def test_the_last_number_is_known_again_after_a_restart(folder: Path) -> None:
    for last in (1, 2, 3, 4, 5, 8, 9, 20):
        with FileStore(folder, layout=DCM) as store:
            already = len(names(folder))
            assert [kept(store, number) for number in range(already)] == [KEPT] * already
            assert len(names(folder)) == already
            assert [kept(store, number) for number in range(already, last)] == [KEPT] * (last - already)
        assert names(folder) == sorted(["1.2.3.dcm", *(f"1.2.3~{number}.dcm" for number in range(2, last + 1))])


def test_copies_of_earlier_versions_are_found_and_their_numbers_go_on(folder: Path) -> None:
    with FileStore(folder, layout=DCM) as store:
        assert [kept(store, number) for number in range(4)] == [KEPT] * 4
    for number in (2, 3):
        (folder / f"1.2.3~{number}.dcm").rename(folder / f"1.2.3.dcm~{number}")
    with FileStore(folder, layout=DCM) as store:
        assert [kept(store, number) for number in range(5)] == [KEPT] * 5
    assert names(folder) == ["1.2.3.dcm", "1.2.3.dcm~2", "1.2.3.dcm~3", "1.2.3~4.dcm", "1.2.3~5.dcm"]


def test_a_gap_is_filled_and_nothing_behind_it_is_harmed(folder: Path) -> None:
    with FileStore(folder) as store:
        assert [kept(store, number) for number in range(6)] == [KEPT] * 6
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    (folder / "CT.1.2.3~3").unlink()
    with FileStore(folder) as store:
        assert [kept(store, number) for number in range(10, 14)] == [KEPT] * 4
    del before["CT.1.2.3~3"]
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert {stored_data_set(folder / name) for name in names(folder)} == {
        data_set(content=f"{number:08}".encode()) for number in (0, 1, 3, 4, 5, 10, 11, 12, 13)
    }


def test_a_copy_that_was_taken_away_is_kept_again(folder: Path) -> None:
    with FileStore(folder) as store:
        assert [kept(store, number) for number in range(3)] == [KEPT] * 3
        (folder / "CT.1.2.3~2").unlink()
        assert kept(store, 1) == KEPT
        assert stored_data_set(folder / "CT.1.2.3~4") == data_set(content=b"00000001")
        (folder / "CT.1.2.3").unlink()
        assert kept(store, 9) == KEPT
        assert stored_data_set(folder / "CT.1.2.3") == data_set(content=b"00000009")


def test_what_is_no_instance_keeps_its_number(folder: Path) -> None:
    with FileStore(folder) as store:
        assert kept(store, 0) == KEPT
        (folder / "CT.1.2.3~2").mkdir()
        (folder / "CT.1.2.3~3").write_bytes(b"not DICOM")
        (folder / "CT.1.2.3~4").symlink_to("/etc/passwd")
        os.mkfifo(folder / "CT.1.2.3~5")
        assert [kept(store, number) for number in (1, 1)] == [KEPT] * 2
    assert stored_data_set(folder / "CT.1.2.3~6") == data_set(content=b"00000001")
    assert len(names(folder)) == 5


def test_copies_that_look_alike_are_told_apart(folder: Path) -> None:
    """Instances differ in the middle alone, which no fingerprint covers; only `MOST_COMPARED` of them are compared."""

    def alike(number: int) -> bytes:
        return long_element(0x00291010, b"OB", bytes(200_000) + number.to_bytes(2, "little") + bytes(200_000))

    with FileStore(folder, durability="none") as store:
        for number in range(2 * MOST_COMPARED):
            assert take(store, store_request(), data_set(), alike(number)) == KEPT
            assert len(names(folder)) == number + 1
        for number in range(MOST_COMPARED + 1):
            assert take(store, store_request(), data_set(), alike(number)) == KEPT
        assert len(names(folder)) == 2 * MOST_COMPARED
        assert take(store, store_request(), data_set(), alike(MOST_COMPARED + 1)) == KEPT
        # Kept once more rather than compared with all of them.
        assert len(names(folder)) == 2 * MOST_COMPARED + 1


def test_more_names_than_are_remembered_are_found_again(folder: Path) -> None:
    with FileStore(folder, durability="none") as store:
        for _ in range(2):
            for number in range(MOST_REMEMBERED + 10):
                for content in (b"1", b"2", b"3"):
                    assert keep(store, f"1.2.{number}", content) == KEPT
    assert len(names(folder)) == 3 * (MOST_REMEMBERED + 10)


def test_the_same_bytes_with_another_title_are_the_same_copy(folder: Path) -> None:
    with FileStore(folder) as store:
        for title in ("A", "A_LONGER_TITLE", "B"):
            for size in (10, 50_000, 70_000, 200_000):
                for letter in (b"x", b"y"):
                    request = store_request(ae_title=title)
                    assert take(store, request, data_set(content=letter), bytes(size)) == KEPT
    assert len(names(folder)) == 8


def test_many_at_a_time_are_all_kept_once(folder: Path) -> None:
    with FileStore(folder, durability="none") as store, ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda number: kept(store, number % 50), range(200))) == [KEPT] * 200
    assert len(names(folder)) == 50


WORKERS = """
folder = Path(sys.argv[1])
store = FileStore(folder, layout="{SOPInstanceUID}.dcm", durability="none")
children = []
for worker in range(4):
    child = os.fork()
    if not child:
        kept = {int(keep(store, content=b"%08d" % (number * (1 + worker % 2) % 60))) for number in range(120)}
        os._exit(0 if kept == {0} else 1)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""


def test_several_processes_that_share_the_folder_keep_each_once(folder: Path) -> None:
    done = in_a_process(WORKERS, folder)
    assert done.stdout == "[0, 0, 0, 0]\n", done.stderr
    assert {stored_data_set(folder / name) for name in names(folder)} == {
        data_set(content=b"%08d" % number) for number in range(60)
    }
    assert len(names(folder)) == 60


def test_the_log_hides_what_identifies_a_patient(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FileStore(folder, layout="{PatientID}/{SOPInstanceUID}.dcm") as store:
        for content in (b"1", b"2", b"2"):
            assert keep(store, content=content, others={0x00100020: "SECRET"}) == KEPT
    assert (folder / "SECRET" / "1.2.3~2.dcm").exists()
    assert "{PatientID}/1.2.3.dcm, kept as {PatientID}/1.2.3~2.dcm" in caplog.text
    assert "the same data set: {PatientID}/1.2.3~2.dcm" in caplog.text
    assert "SECRET" not in caplog.text


def test_other_names_go_on_while_one_is_published(folder: Path) -> None:
    with FileStore(folder) as store:
        threads = [Thread(target=keep, args=(store, f"1.2.{n % 5}", str(n).encode()), daemon=True) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert len(names(folder)) == 50
