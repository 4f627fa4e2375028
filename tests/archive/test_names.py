"""A peer's bytes become part of a path in one way only, and that way leads nowhere else."""

from __future__ import annotations

import hashlib
import re

import pydicom.uid
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.archive.names import modality_prefix, safe_component

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
    "-rf",  # like an option of a command
    "-",
    b"--",
]
KEPT = ["1.2.3", "1", "CON", "nul.dcm", "_", "1-rf", "a..b", "1..2", "x-y", "9" * 64, "1.2.840.10008.5.1.4.1.1.2"]

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
    return SAFE.fullmatch(component) is not None and not component.startswith((".", "-"))


@pytest.mark.parametrize("raw", ATTACKS, ids=ascii)
def test_an_attack_becomes_a_hash(raw: str | bytes) -> None:
    assert re.fullmatch(r"x-[0-9a-f]{32}", safe_component(raw))


def test_no_two_attacks_share_a_name() -> None:
    assert len({safe_component(raw) for raw in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("raw", KEPT)
def test_what_is_safe_stands_for_itself(raw: str) -> None:
    assert safe_component(raw) == safe_component(raw.encode()) == raw


def test_the_hash_is_of_the_bytes_on_the_wire() -> None:
    assert safe_component("../Å") == safe_component(b"../\xc5") == hashed(b"../\xc5")


@given(ANYTHING)
def test_any_bytes_give_a_safe_component(raw: str | bytes) -> None:
    assert is_safe(safe_component(raw))


@given(ANYTHING, st.integers(65, 250))
def test_a_longer_one_is_as_safe(raw: str | bytes, longest: int) -> None:
    component = safe_component(raw, longest)
    assert re.fullmatch(r"[0-9A-Za-z_-][0-9A-Za-z._-]*", component)
    assert len(component) <= longest
    assert component in (raw, safe_component(raw)) or component.encode() == raw


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
def test_a_sop_class_has_its_letters(sop_class: str, prefix: str) -> None:
    assert modality_prefix(sop_class) == prefix
