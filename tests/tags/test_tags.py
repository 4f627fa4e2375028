"""The data dictionary: its table is pydicom's, and look-ups find what is in it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from dimse import tags

ROOT = Path(__file__).parents[2]


def make_tags() -> ModuleType:
    """Return the script that writes the tables."""
    spec = importlib.util.spec_from_file_location("make_tags", ROOT / "scripts" / "make_tags.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_those_of_the_installed_dictionary() -> None:
    for file, text in make_tags().modules().items():
        assert (ROOT / "src" / "dimse" / "tags" / file).read_text() == text, "run scripts/make_tags.py"


def test_every_tag_has_its_entry_and_its_name() -> None:
    for tag, (vr, vm, name, retired, keyword) in DicomDictionary.items():
        assert tags.entry(tag) == (tag, vr, vm, keyword, retired == "Retired")
        assert tags.name(tag) == name


def test_every_keyword_has_its_tag() -> None:
    for tag, row in DicomDictionary.items():
        if row[4]:
            assert tags.find(row[4]) == tag


@pytest.mark.parametrize("mask", RepeatersDictionary)
@pytest.mark.parametrize("digit", ["0", "2", "E"])
def test_a_tag_of_a_repeating_group_is_found(mask: str, digit: str) -> None:
    tag = int(mask.replace("x", digit), 16)
    if tag in DicomDictionary:
        return
    vr, vm, name, retired, keyword = RepeatersDictionary[mask]
    assert tags.entry(tag) == (tag, vr, vm, keyword, retired == "Retired")
    assert tags.name(tag) == name
    assert tags.find(keyword) is None


@pytest.mark.parametrize(
    ("tag", "vr", "label", "name"),
    [
        (0x00290010, "LO", "(0029,0010)", "Private Creator"),
        (0x00291010, "UN", "(0029,1010)", ""),
        (0x00290001, "UN", "(0029,0001)", ""),
        (0x00080000, "UL", "(0008,0000)", "Group Length"),
        (0x00080FFF, "UN", "(0008,0FFF)", ""),
        (0x60003000, "OB or OW", "OverlayData", "Overlay Data"),
        (0x00100010, "PN", "PatientName", "Patient's Name"),
    ],
)
def test_private_and_unknown_tags_have_what_can_be_said(tag: int, vr: str, label: str, name: str) -> None:
    assert (tags.vr(tag), tags.label(tag), tags.name(tag)) == (vr, label, name)


def test_the_keyword_of_a_tag_is_found() -> None:
    assert tags.keyword(0x00100010) == "PatientName"
    assert tags.keyword(0x00291010) == ""


@pytest.mark.parametrize("text", ["", "R", "PN", "patientname", "Patient", "00100010", "PatientName|", "1-n"])
def test_what_is_not_a_keyword_is_not_found(text: str) -> None:
    assert tags.find(text) is None


def test_a_similar_keyword_is_suggested() -> None:
    assert tags.similar("PatientsName") == "PatientName"
    assert tags.similar("patientname") == "PatientName"
    assert tags.similar("xyzzy") is None


def test_a_look_up_loads_neither_pydicom_nor_the_names() -> None:
    program = (
        "import sys; from dimse import tags; assert 'dimse.tags.table' not in sys.modules; tags.find('PatientName');"
        "assert tags.vr(0x00100010) == 'PN'; assert not {'pydicom', 'dimse.tags.names'} & set(sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50, env=environment)
