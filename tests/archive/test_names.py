"""A peer's bytes become part of a path in one way only, and that way leads nowhere else."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pydicom.uid
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.archive.names import instance_name, safe_component

SAFE = re.compile(r"[0-9A-Za-z._-]{1,64}", re.ASCII)

# What has been tried on receivers that made file names of a peer's UIDs, AE titles and patient data.
ATTACKS: list[str | bytes] = [
    "",
    ".",
    "..",
    "...",
    " ",
    ".hidden",
    "./1.2.3",
    "../../../x",
    "../secret/VICTIM",
    "/abs/x",
    "/etc/passwd",
    "1.2/3",
    "1.2.3/",
    "..\\..\\x",
    "1.2\\..\\3",
    "C:x",
    "1.2\0.3",
    b"\0" * 16,
    b"\xff" * 16,
    "1.2.3\n",
    "1.2.3\r\nE: forged",
    "1.2.3\t",
    "1.2.3 ",
    " 1.2.3",
    "9" * 65,
    "9" * 4000,
    "%2e%2e",
    "%2e%2e%2fx",
    "~root",
    "*",
    "$(id)",
    "`id`",
    '";touch scratch;"',
    "1.2.3;x",
    "1.2.³",
    "１.２",  # full-width digits
    "\u202e1.2",
    "\u2025/x",  # a two dot leader
    "Ångström",
    "\udcff\udc80",
    "\ud800",
    b"\xc0\xae\xc0\xae/x",  # overlong UTF-8 dots
]
KEPT = ["1.2.3", "1", "CON", "nul.dcm", "-rf", "_", "a..b", "1..2", "x-y", "9" * 64, "1.2.840.10008.5.1.4.1.1.2"]

COMPONENTS = st.lists(st.integers(min_value=0, max_value=10**38), min_size=1, max_size=20)
VALID_UIDS = COMPONENTS.map(lambda numbers: ".".join(map(str, numbers))).filter(lambda uid: len(uid) <= 64)
ANYTHING = st.one_of(
    st.binary(max_size=200),
    st.text(st.characters(), max_size=200),
    st.text("./\\\0\n %-_1aZ", max_size=70),
    st.from_regex(SAFE, fullmatch=True),
)


def hashed(raw: str | bytes) -> str:
    data = raw if isinstance(raw, bytes) else raw.encode("latin-1")
    return "x-" + hashlib.blake2b(data, digest_size=16).hexdigest()


def is_safe(component: str) -> bool:
    return SAFE.fullmatch(component) is not None and not component.startswith(".")


@pytest.mark.parametrize("raw", ATTACKS, ids=ascii)
def test_an_attack_becomes_a_hash(raw: str | bytes) -> None:
    assert re.fullmatch(r"x-[0-9a-f]{32}", safe_component(raw))


def test_no_two_attacks_share_a_name() -> None:
    assert len({safe_component(raw) for raw in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("raw", ATTACKS, ids=ascii)
def test_a_file_named_after_an_attack_stays_in_its_directory(raw: str | bytes, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    text = raw if isinstance(raw, str) else raw.decode("latin-1")
    name = instance_name("1.2.840.10008.5.1.4.1.1.2", text)
    (inside / name).write_bytes(b"")
    assert os.listdir(tmp_path) == ["inside"]
    assert os.listdir(inside) == [name]


@pytest.mark.parametrize("raw", KEPT)
def test_what_is_safe_stands_for_itself(raw: str) -> None:
    assert safe_component(raw) == safe_component(raw.encode()) == raw


def test_the_hash_is_of_the_bytes_on_the_wire() -> None:
    assert safe_component("../Å") == safe_component(b"../\xc5") == hashed(b"../\xc5")


@given(ANYTHING)
def test_any_bytes_give_a_safe_component(raw: str | bytes) -> None:
    assert is_safe(safe_component(raw))


@given(ANYTHING)
def test_a_safe_component_is_its_own(raw: str | bytes) -> None:
    component = safe_component(raw)
    assert safe_component(component) == component


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_different_bytes_give_different_names(one: bytes, other: bytes) -> None:
    assert (safe_component(one) == safe_component(other)) == (one == other)


@given(VALID_UIDS)
def test_every_valid_uid_keeps_its_name(uid: str) -> None:
    assert safe_component(uid) == uid


@given(st.binary(max_size=200))
def test_text_stands_for_its_latin_1_bytes(raw: bytes) -> None:
    assert safe_component(raw.decode("latin-1")) == safe_component(raw)


@pytest.mark.parametrize(
    ("sop_class", "prefix"),
    [
        (pydicom.uid.CTImageStorage, "CT"),
        (pydicom.uid.EnhancedCTImageStorage, "CTE"),
        (pydicom.uid.MRImageStorage, "MR"),
        (pydicom.uid.EnhancedMRImageStorage, "MRE"),
        (pydicom.uid.PositronEmissionTomographyImageStorage, "PT"),
        (pydicom.uid.EnhancedPETImageStorage, "PTE"),
        (pydicom.uid.RTImageStorage, "RI"),
        (pydicom.uid.RTDoseStorage, "RD"),
        (pydicom.uid.RTPlanStorage, "RP"),
        (pydicom.uid.RTStructureSetStorage, "RS"),
        (pydicom.uid.ComputedRadiographyImageStorage, "CR"),
        (pydicom.uid.UltrasoundImageStorage, "US"),
        (pydicom.uid.EnhancedUSVolumeStorage, "USE"),
        (pydicom.uid.XRayAngiographicImageStorage, "XA"),
        (pydicom.uid.EnhancedXAImageStorage, "XAE"),
        (pydicom.uid.NuclearMedicineImageStorage, "NM"),
        (pydicom.uid.SecondaryCaptureImageStorage, "SC"),
        (pydicom.uid.DigitalXRayImageStorageForPresentation, "UN"),
        ("1.2.840.10008.1.1", "UN"),  # Verification
        ("", "UN"),
        ("../x", "UN"),
    ],
)
def test_a_stored_instance_is_named_by_its_sop_class(sop_class: str, prefix: str) -> None:
    assert instance_name(sop_class, "1.2.3") == f"{prefix}.1.2.3"


def test_the_name_of_an_instance_uses_the_safe_component() -> None:
    assert instance_name(pydicom.uid.CTImageStorage, "../../x") == "CT." + hashed("../../x")
