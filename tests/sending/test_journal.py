"""The journal: what was acknowledged stays acknowledged, and nothing else is taken for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dimse.errors import AssociationAborted, FileError, JournalError, NotSent
from dimse.instances import InstanceFile
from dimse.sending.finding import Finder
from dimse.services.outcome import Outcome
from tests.sending.recording import MTIME, a_file, answered, failed, journal, rows, send, states


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sent.journal"


# ---- what is remembered


@pytest.mark.parametrize("status", [0x0000, 0xB000])
def test_what_the_peer_took_is_acknowledged_to_a_later_run(path: Path, tmp_path: Path, status: int) -> None:
    file = a_file(tmp_path / "1.dcm")
    with journal(path) as first:
        assert first.acknowledged(file) is None
        send(first, file, answered(status))
        assert first.acknowledged(file) == status
    with journal(path) as second:
        acknowledged = second.acknowledged(file)
    assert acknowledged == status
    assert acknowledged is not None and acknowledged.service == "storage"


OUTCOMES: dict[str, tuple[Outcome, str, int | None]] = {
    "refused": (answered(0xA700), "refused", 0xA700),
    "association lost": (failed(AssociationAborted()), "unknown", None),
    "changed while it was sent": (failed(FileError("1.dcm", "changed")), "unknown", None),
    "not sent again": (failed(NotSent("no association")), "unknown", None),
    "not sent": (failed(NotSent("no association"), attempts=0), "queued", None),
    "no file any more": (failed(FileError("1.dcm", "gone"), attempts=0), "queued", None),
    "no association": (failed(AssociationAborted(), attempts=0), "queued", None),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_the_peer_did_not_take_is_sent_again(path: Path, tmp_path: Path, name: str) -> None:
    outcome, state, status = OUTCOMES[name]
    file = a_file(tmp_path / "1.dcm")
    with journal(path) as first:
        send(first, file, outcome)
    with journal(path) as second:
        assert second.acknowledged(file) is None
    (entry,) = rows(path)
    assert (entry.state, entry.status, entry.attempts) == (state, status, outcome.attempts)


def test_an_entry_says_all_of_a_file(path: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path / "1.dcm")
    with journal(path, "PACS.example.org", 11112, "ARCHIVE") as first:
        send(first, file)
    (entry,) = rows(path)
    assert (entry.host, entry.port, entry.called_ae_title) == ("pacs.example.org", 11112, "ARCHIVE")
    assert (entry.sop_instance_uid, entry.transfer_syntax_uid) == ("1.2.3", file.transfer_syntax_uid)
    assert (entry.size, entry.mtime_ns, entry.path) == (file.size, MTIME, file.path)
    assert entry.changed > 1_700_000_000


PEERS = [("PACS", 104, "ANY-SCP"), ("other", 104, "ANY-SCP"), ("pacs", 105, "ANY-SCP"), ("pacs", 104, "OTHER")]


@pytest.mark.parametrize("peer", PEERS)
def test_an_acknowledgement_is_one_peers(path: Path, tmp_path: Path, peer: tuple[str, int, str]) -> None:
    file = a_file(tmp_path / "1.dcm")
    with journal(path) as one, journal(path, *peer) as another:
        send(one, file)
        assert (another.acknowledged(file) is not None) == (peer == PEERS[0])


HERE = ("pacs", 104, "ANY-SCP")


@pytest.mark.parametrize("peer", [("localhost", 104, "ANY-SCP"), ("pacs", 11112, "ANY-SCP"), ("pacs", 104, "OTHER")])
def test_one_notice_says_that_another_peer_has_acknowledged_the_files(
    path: Path, tmp_path: Path, peer: tuple[str, int, str], caplog: pytest.LogCaptureFixture
) -> None:
    files = [a_file(tmp_path / f"{number}.dcm", uid=f"1.2.{number}") for number in range(3)]
    with journal(path, *peer) as earlier:
        for file in files:
            send(earlier, file)
    with journal(path, *HERE) as later:
        assert [later.acknowledged(file) for file in files] == [None, None, None]
    host, port, title = peer
    held = f"{path} holds these files as acknowledged by {host}:{port}, called {title}"
    assert caplog.messages == [f"{held}: they are sent to pacs:104, called ANY-SCP all the same"]


def test_no_notice_is_given_of_other_files_or_of_what_another_peer_has_refused(
    path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, three = (a_file(tmp_path / f"{number}.dcm", uid=f"1.2.{number}") for number in range(3))
    with journal(path, "other") as earlier:
        send(earlier, one, answered(0xA700))
        send(earlier, two)
    with journal(path, *HERE) as later:
        assert later.acknowledged(one) is None
        send(later, two)
        assert later.acknowledged(two) == 0
        assert later.acknowledged(three) is None
    assert caplog.messages == []


def test_an_acknowledged_row_never_changes(path: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path / "1.dcm")
    with journal(path) as first:
        send(first, file)
    (acknowledged,) = rows(path)
    with journal(path) as second:
        for outcome in (failed(AssociationAborted()), answered(0xA700), failed(NotSent(""), attempts=0)):
            send(second, file, outcome)
    assert rows(path) == [acknowledged]


def test_attempts_are_counted_over_all_runs(path: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path / "1.dcm")
    with journal(path) as first:
        first.queue(file)
        for attempt in (1, 2, 3):
            first.sending(file, attempt)
        first.record(file, failed(AssociationAborted(), attempts=3))
    with journal(path) as second:
        second.queue(file)
        second.sending(file, 1)
        assert [(entry.state, entry.attempts) for entry in rows(path)] == [("sending", 4)]
        second.sending(file, 2)
        second.record(file, answered(0x0000, attempts=2))
    assert [(entry.state, entry.attempts) for entry in rows(path)] == [("acked", 5)]


def test_what_is_not_sent_again_stays_as_an_earlier_run_left_it(path: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path / "1.dcm")
    with journal(path) as first:
        send(first, file, answered(0xA700))
    with journal(path) as second:
        second.queue(file)
        second.record(file, failed(NotSent("stopped"), attempts=0))
    assert states(path) == ["refused"]


def test_what_was_under_way_when_its_run_was_killed_is_unknown(path: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path / "1.dcm")
    for host in ("pacs", "other"):
        with journal(path, host) as killed:
            killed.queue(file)
            killed.sending(file, 1)
    with journal(path):
        assert [(entry.host, entry.state, entry.attempts) for entry in rows(path)] == [
            ("other", "sending", 1),
            ("pacs", "unknown", 1),
        ]


def test_a_name_that_is_no_text_is_kept(path: Path, tmp_path: Path) -> None:
    file = a_file(tmp_path / os.fsdecode(b"caf\xe9\n.dcm"))
    with journal(path) as first:
        send(first, file)
        assert first.acknowledged(file) == 0
    assert [entry.path for entry in rows(path)] == [file.path]


def test_what_is_queued_is_written_at_the_latest_when_the_journal_is_closed(path: Path, tmp_path: Path) -> None:
    with journal(path) as first:
        for number in range(3):
            first.queue(a_file(tmp_path / f"{number}.dcm", uid=f"1.2.{number}"))
    assert states(path) == ["queued"] * 3


# ---- which file it was


def moved(folder: Path) -> InstanceFile:
    return a_file((folder / "1.dcm").rename(folder / "2.dcm"))


def a_copy(folder: Path) -> InstanceFile:
    return a_file(Path(shutil.copy2(folder / "1.dcm", folder / "2.dcm")))


def by_another_way(folder: Path) -> InstanceFile:
    return InstanceFile.check(f"{folder}/./1.dcm")


def another_instance(folder: Path) -> InstanceFile:
    return a_file(folder / "2.dcm", "Doe^Joan")


def another_size(folder: Path) -> InstanceFile:
    return a_file(folder / "1.dcm", "Doe^Jane^^Dr")


def another_time(folder: Path) -> InstanceFile:
    os.utime(folder / "1.dcm", ns=(MTIME, MTIME + 1))
    return InstanceFile.check(os.fspath(folder / "1.dcm"))


def another_uid(folder: Path) -> InstanceFile:
    return a_file(folder / "1.dcm", uid="1.2.4")


SAME, DIFFERENT = [moved, a_copy, by_another_way], [another_instance, another_size, another_time, another_uid]


@pytest.mark.parametrize("now", [*SAME, *DIFFERENT])
def test_only_the_very_instance_is_acknowledged(
    path: Path, tmp_path: Path, now: Callable[[Path], InstanceFile]
) -> None:
    with journal(path) as sent:
        send(sent, a_file(tmp_path / "1.dcm"))
        file = now(tmp_path)
        assert (sent.acknowledged(file) is not None) == (now in SAME)
        send(sent, file)
        assert sent.acknowledged(file) == 0


def test_a_path_counts_from_the_root(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        folder: a_file(tmp_path / folder / "1.dcm", name) for folder, name in (("a", "Doe^Jane"), ("b", "Doe^Joan"))
    }
    assert files["a"].size == files["b"].size
    with journal(path) as sent:
        monkeypatch.chdir(tmp_path / "a")
        send(sent, InstanceFile.check("1.dcm"))
        monkeypatch.chdir(tmp_path / "b")
        assert sent.acknowledged(InstanceFile.check("1.dcm")) is None


def test_of_two_that_are_alike_none_is_taken_for_the_other_when_their_folder_was_moved(
    path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a"
    one, other = a_file(folder / "1.dcm", "Doe^Jane"), a_file(folder / "2.dcm", "Doe^Joan")
    with journal(path) as sent:
        send(sent, one)
        send(sent, other, failed(AssociationAborted()))
        folder.rename(tmp_path / "b")
        assert sent.acknowledged(InstanceFile.check(os.fspath(tmp_path / "b" / "2.dcm"))) is None


@pytest.mark.parametrize("outcome", [None, answered(0xA700), failed(NotSent(""), attempts=0)])
def test_what_was_not_acknowledged_was_not_moved_here_when_another_is_deleted(
    path: Path, tmp_path: Path, outcome: Outcome | None
) -> None:
    one, other = a_file(tmp_path / "1.dcm", "Doe^Jane"), a_file(tmp_path / "2.dcm", "Doe^Joan")
    with journal(path) as first:
        send(first, one)
        assert first.acknowledged(other) is None
        if outcome is not None:
            send(first, other, outcome)
        (tmp_path / "1.dcm").unlink()
    with journal(path) as second:
        assert second.acknowledged(other) is None


def test_one_file_is_moved_to_one_place(path: Path, tmp_path: Path) -> None:
    with journal(path) as sent:
        send(sent, a_file(tmp_path / "1.dcm", "Doe^Jane"))
        assert sent.acknowledged(moved(tmp_path)) == 0
        assert sent.acknowledged(a_file(tmp_path / "3.dcm", "Doe^Joan")) is None
    assert [entry.path for entry in rows(path) if entry.state == "acked"] == [os.fspath(tmp_path / "2.dcm")]


def test_two_in_an_archive_are_not_taken_for_one_that_was_moved(path: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for name, patient in (("1.dcm", "Doe^Jane"), ("2.dcm", "Doe^Joan")):
            target.write(a_file(tmp_path / name, patient).path, name)
            (tmp_path / name).unlink()
    with journal(path) as sent:
        one, other = members(archive)
        send(sent, one)
        assert [sent.acknowledged(file) for file in members(archive)] == [0, None]
        send(sent, other)
        assert [sent.acknowledged(file) for file in members(archive.rename(tmp_path / "b.zip"))] == [0, 0]


def members(archive: Path) -> list[InstanceFile]:
    with closing(Finder([archive], recurse=False)) as finder:
        return [file for file in finder if isinstance(file, InstanceFile)]


def test_the_file_is_readable_by_its_owner_only(path: Path) -> None:
    with journal(path):
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.glob("sent.journal*")}
        assert len(modes) > 1
        assert set(modes.values()) == {0o600}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_empty_file_becomes_a_journal(path: Path, tmp_path: Path) -> None:
    path.touch()
    with journal(path) as first:
        send(first, a_file(tmp_path / "1.dcm"))
    assert states(path) == ["acked"]


# ---- what is no journal


def no_database(path: Path) -> str:
    path.write_bytes(b"not a database" * 100)
    return "file is not a database"


def another_database(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE file (host TEXT)")
    connection.close()
    return "is not a journal of a sender"


def a_later_version(path: Path) -> str:
    journal(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    return "has version 2, and only 1 is supported"


def a_folder(path: Path) -> str:
    path.mkdir()
    return "is a folder"


@pytest.fixture(params=[no_database, another_database, a_later_version, a_folder])
def reason(request: pytest.FixtureRequest, path: Path) -> Iterator[str]:
    """Put something else at `path`, yield the error about it, and check that it is not changed."""
    made: Callable[[Path], str] = request.param
    reason = made(path)
    before = path.read_bytes() if path.is_file() else b""
    yield reason
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("use", [journal, rows])
def test_what_is_no_journal_is_left_alone(path: Path, reason: str, use: Callable[[Path], object]) -> None:
    with pytest.raises(JournalError) as raised:
        use(path)
    assert reason in str(raised.value)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_journal_in_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"sent\.journal cannot be used: no such file or directory"):
        journal(tmp_path / "none" / "sent.journal")


def test_a_journal_that_may_not_be_written_is_said_and_can_be_read(path: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may take another user's rights")
    with journal(path) as first:
        send(first, a_file(tmp_path / "1.dcm"))
    path.chmod(0o444)
    folders = [folder for folder in path.parents if not folder.stat().st_mode & stat.S_IXOTH]
    for folder in folders:
        folder.chmod(0o711)
    os.seteuid(65534)
    try:
        with pytest.raises(JournalError, match=r"sent\.journal cannot be used: attempt to write a readonly database"):
            journal(path)
        assert states(path) == ["acked"]
    finally:
        os.seteuid(0)


def test_reading_a_journal_makes_and_changes_nothing(path: Path, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"there is no journal .*sent\.journal"):
        rows(path)
    assert list(tmp_path.iterdir()) == []
    journal(path).close()
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert rows(path) == []
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(tmp_path.iterdir()) == [path]
