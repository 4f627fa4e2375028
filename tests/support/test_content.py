"""Files that are read as a whole: with a limit, and private ones only if they are private."""

from __future__ import annotations

from pathlib import Path

import pytest

from dimse.support import content

FILE = b"\xef\xbb\xbfone\r\ntwo\n"


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(FILE)
    assert content.read(tmp_path / "file") == FILE
    assert content.decode(FILE) == "one\ntwo\n"


def test_a_device_without_an_end_is_refused() -> None:
    with pytest.raises(OSError, match="it has more than 67,108,864 bytes"):
        content.read("/dev/zero")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o601])
def test_a_private_file_is_its_owners(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(FILE)
    file.chmod(0o600)
    assert content.read(file, private=True) == FILE
    file.chmod(mode)
    with pytest.raises(ValueError, match="others than its owner have access to it"):
        content.read(file, private=True)
