"""A study of three CT images, for the tests of getscu and movescu."""

from __future__ import annotations

from pathlib import Path

from dimse import uids
from tests.tools.running import Instance, element, pixel_data

STUDY = "1.2.826.0.1.3680043.10.999.7"
UIDS = [f"{STUDY}.1.{number}" for number in (1, 2, 3)]


def ct(uid: str, study: str = STUDY) -> Instance:
    """Return a CT image of a study of patient P1."""
    rest = (
        element(0x0008, 0x0060, "CS", b"CT")
        + element(0x0010, 0x0010, "PN", b"Doe^Jane")
        + element(0x0010, 0x0020, "LO", b"P1")
        + element(0x0020, 0x000D, "UI", study.encode())
        + element(0x0020, 0x000E, "UI", f"{study}.1".encode())
        + pixel_data(5000)
    )
    return Instance(uid, uids.CTImageStorage, rest=rest)


def write_images(folder: Path) -> list[Path]:
    """Write the files of the study, and return their paths."""
    return [ct(uid).write(folder / f"{uid}.dcm") for uid in UIDS]


def kept(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(file.name for file in folder.iterdir())
