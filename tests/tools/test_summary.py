"""dimse summary and the reports that it reads: nothing on a disk makes it wait, or end with a traceback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse.__main__ import main
from tests.tools import running

DEPTH = 1200


@pytest.fixture
def deep_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder whose only file is deeper than functions can be nested; then remove it, which pytest cannot."""
    monkeypatch.chdir(tmp_path)
    for _ in range(DEPTH):
        os.mkdir("a")
        os.chdir("a")
    running.Instance("1.2.3").write(Path("1.dcm"))
    os.chdir(tmp_path)
    try:
        yield tmp_path / "a"
    finally:
        for _ in range(DEPTH):
            os.chdir("a")
        os.unlink("1.dcm")
        for _ in range(DEPTH):
            os.chdir("..")
            os.rmdir("a")


@pytest.mark.thorough
def test_a_tree_deeper_than_functions_can_be_nested_is_read(
    deep_tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["summary", str(deep_tree)]) == 0
    assert "1 file, " in capsys.readouterr().out


def test_what_is_no_file_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "report.csv")
    os.symlink("loop", tmp_path / "loop")
    os.symlink(".", tmp_path / "here")
    os.symlink("/dev/zero", tmp_path / "zero")
    running.Instance("1.2.3").write(tmp_path / "1.dcm")
    # The loop is a fault, and ends nothing.
    assert main(["summary", str(tmp_path)]) == 3
    said = capsys.readouterr()
    assert "1 file, " in said.out
    assert said.err.count("Cannot access path") == 1
    for name in ("fifo", "report.csv", "loop", "zero"):
        assert main(["summary", str(tmp_path / name)]) == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"file": "x", "outcome": ' + "[" * 100_000),
        ("a.json", '{"files": ' + "[" * 100_000),
        ("a.jsonl", '{"file": "x", "outcome": "stored", "bytes": "y"}'),
        ("a.jsonl", '{"file": "x", "outcome": "stored", "bytes": 1e400}'),
        ("a.jsonl", '{"file": "x", "outcome": "stored", "bytes": NaN}'),
        ("a.jsonl", '{"file": "x", "outcome": "stored", "bytes": [1]}'),
        ("a.jsonl", '{"file": "x", "outcome": []}'),
        ("a.jsonl", '{"file": "x", "outcome": "stored", "modality": [1]}'),
        ("a.jsonl", '{"file": "x", "outcome": "stored", "study_instance_uid": {"a": 1}}'),
        ("a.csv", "file,outcome,bytes\nx,stored,-\n"),
        ("a.csv", f"file,outcome,bytes\nx,stored,{'9' * 5000}\n"),
        ("a.csv", f"file,outcome\n{'x' * 200_000},stored\n"),
    ],
)
@pytest.mark.parametrize("arguments", [["summary"], ["storescu", "127.0.0.1", "1", "--retry-failed"]])
def test_a_report_that_is_none_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, arguments: list[str]
) -> None:
    path = tmp_path / name
    path.write_text(content + "\n")
    try:
        status = main([*arguments, str(path)])
    except SystemExit as exit:
        status = int(str(exit.code))
    said = capsys.readouterr().err
    assert status in (2, 3)
    assert f"{path} is not a report: " in said


def test_a_list_with_values_that_are_nested_too_deep_has_no_uid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.txt"
    path.write_text('{"a": ' + "[" * 100_000 + "\n")
    assert main(["retrieve", "127.0.0.1", "1", "--from", str(path), "-od", str(tmp_path / "in")]) == 3
    assert f"{path}, line 1: " in capsys.readouterr().err
