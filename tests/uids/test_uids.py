"""The UID table says what PS3.6 says: as pydicom has it, and with the transfer syntaxes that are younger than pydicom's table."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from dimse import uids
from scripts import make_uids

YOUNGER = {row.partition("|")[0] for rows in make_uids.YOUNGER.values() for row in rows}


def test_every_uid_has_the_name_that_pydicom_gives_it() -> None:
    assert {uid: uids.name(uid) for uid in UID_dictionary} == {uid: UID(uid).name or uid for uid in UID_dictionary}


def test_the_table_has_type_keyword_and_retirement_of_every_uid() -> None:
    known = uids.dictionary().values()
    ours = {entry.uid: (entry.kind, entry.keyword, entry.retired) for entry in known if entry.uid in UID_dictionary}
    assert ours == {uid: (kind, key, retired != "") for uid, (_, kind, _, retired, key) in UID_dictionary.items()}


@pytest.mark.parametrize("uid", ["1.2.3", "", "no UID"])
def test_an_unknown_uid_is_its_own_name(uid: str) -> None:
    assert uids.name(uid) == uid


def test_every_keyword_is_an_attribute() -> None:
    keywords = {keyword: uid for uid, (*_, keyword) in UID_dictionary.items() if keyword}
    assert {keyword: getattr(uids, keyword) for keyword in keywords} == keywords


def test_type_checkers_and_editors_know_the_keywords() -> None:
    assert make_uids.stub() == make_uids.STUB.read_text(encoding="utf-8"), "run scripts/make_uids.py"
    assert {"CTImageStorage", "Verification", "STORAGE_SOP_CLASSES", "find"} <= set(dir(uids))


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchStorage"):
        uids.NoSuchStorage  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("keyword", "is_storage"),
    [
        ("CTImageStorage", True),
        ("UltrasoundImageStorageRetired", True),
        ("DigitalXRayImageStorageForPresentation", True),
        ("RTBeamsDeliveryInstructionStorage", True),
        ("HangingProtocolStorage", True),
        ("Verification", False),
        ("StorageCommitmentPushModel", False),
        ("MediaStorageDirectoryStorage", False),
        ("ProtocolApprovalInformationModelFind", False),
        ("InventoryCreation", False),
    ],
)
def test_storage_sop_classes_are_those_of_the_storage_service(keyword: str, is_storage: bool) -> None:
    assert (getattr(uids, keyword) in uids.STORAGE_SOP_CLASSES) is is_storage


def test_all_storage_sop_classes_are_counted() -> None:
    assert len(uids.STORAGE_SOP_CLASSES) > 200


def test_the_table_has_nothing_besides_but_younger_transfer_syntaxes() -> None:
    assert uids.dictionary().keys() == UID_dictionary.keys() | YOUNGER
    assert make_uids.table() == make_uids.MODULE.read_text(encoding="utf-8").split('"""')[3].removeprefix("\\\n")


@pytest.mark.parametrize("uid", sorted(YOUNGER - UID_dictionary.keys()))
def test_a_younger_transfer_syntax_is_encapsulated_explicit_vr_little_endian(uid: str) -> None:
    syntax = uids.transfer_syntax(uid)
    assert syntax is not None
    assert (syntax.encapsulated, syntax.little_endian, syntax.has_elements) == (True, True, True)
    assert (syntax.implicit_vr, syntax.deflated) == (False, False)


def test_what_carries_a_whole_data_set_can_be_stored() -> None:
    """JPEG XL, HTJ2K and frames that are deflated too; not what leaves the pixels elsewhere, nor video in real time, nor text."""
    left_out = [uids.name(uid) for uid in uids.TRANSFER_SYNTAXES if uid not in uids.STORABLE_TRANSFER_SYNTAXES]
    assert left_out == [
        "JPIP Referenced",
        "JPIP Referenced Deflate",
        "JPIP HTJ2K Referenced",
        "JPIP HTJ2K Referenced Deflate",
        "RFC 2557 MIME encapsulation",
        "XML Encoding",
        "SMPTE ST 2110-20 Uncompressed Progressive Active Video",
        "SMPTE ST 2110-20 Uncompressed Interlaced Active Video",
        "SMPTE ST 2110-30 PCM Digital Audio",
        "Papyrus 3 Implicit VR Little Endian",
    ]
    younger = [f"1.2.840.10008.1.2.{end}" for end in ("4.110", "4.111", "4.112", "4.201", "4.202", "4.203", "8.1")]
    assert set(younger) <= set(uids.STORABLE_TRANSFER_SYNTAXES)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1.2.840.10008.1.2.5", uids.RLELossless),
        ("RLELossless", uids.RLELossless),
        ("1.2.840.113619.5.2", "1.2.840.113619.5.2"),
        ("private", "private"),
        ("any", "any"),
    ],
)
def test_a_transfer_syntax_is_meant_by_uid_keyword_or_word(said: str, meant: str) -> None:
    assert uids.find_syntax(said) == meant


@pytest.mark.parametrize("said", ["", "RLE", "rlelossless", "1.2.x", "STORAGE_SOP_CLASSES", "Any"])
def test_what_means_no_uid_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="is not a UID, nor a keyword"):
        uids.find_syntax(said)


@pytest.mark.parametrize(
    "uid",
    [uid for uid, entry in uids.dictionary().items() if entry.kind == "Transfer Syntax" and uid in UID_dictionary],
)
def test_a_transfer_syntax_means_what_pydicom_reads_it_as(uid: str) -> None:
    syntax, oracle = uids.transfer_syntax(uid), UID(uid)
    assert syntax is not None
    assert syntax.uid == uid
    assert syntax.little_endian is oracle.is_little_endian
    # pydicom takes what it does not handle for encapsulated Explicit VR Little Endian
    not_handled = oracle.keyword.startswith(("JPIP", "SMPTE", "RFC2557", "XML", "Papyrus"))
    assert not_handled or (syntax.implicit_vr, syntax.deflated) == (oracle.is_implicit_VR, oracle.is_deflated)
    assert syntax.encapsulated is (oracle.is_encapsulated and not not_handled)


@pytest.mark.parametrize(
    ("keyword", "lossy"),
    [
        ("ImplicitVRLittleEndian", False),
        ("DeflatedExplicitVRLittleEndian", False),
        ("RLELossless", False),
        ("JPEGBaseline8Bit", True),
        ("JPEGExtended12Bit", True),
        ("JPEGLosslessSV1", False),
        ("JPEGLossless", False),
        ("JPEGLSLossless", False),
        ("JPEGLSNearLossless", True),
        ("JPEG2000Lossless", False),
        ("JPEG2000", True),
        ("JPEG2000MCLossless", False),
        ("HTJ2KLosslessRPCL", False),
        ("HTJ2K", True),
        ("JPEGXLLossless", False),
        ("JPEGXLJPEGRecompression", True),
        ("JPEGXL", True),
        ("DeflatedImageFrameCompression", False),
        ("MPEG4HP41", True),
        ("HEVCMP51", True),
    ],
)
def test_lossy_transfer_syntaxes_are_marked(keyword: str, lossy: bool) -> None:
    syntax = uids.transfer_syntax(getattr(uids, keyword))
    assert syntax is not None
    assert syntax.lossy is lossy


def test_a_private_transfer_syntax_is_unknown() -> None:
    assert uids.transfer_syntax("1.2.840.113619.5.2") is None


def test_the_names_need_no_pydicom() -> None:
    program = "import sys, dimse.uids as u; print(u.name(u.CTImageStorage), 'pydicom' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "CT Image Storage False\n"


def test_the_table_is_loaded_by_the_first_look_up_only() -> None:
    program = (
        "import sys, dimse.tools.echoscu, dimse.tools.storescu\n"
        "from dimse import uids\n"
        "before = 'dimse.uids.table' in sys.modules\n"
        "print(before, uids.RLELossless, 'dimse.uids.table' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False 1.2.840.10008.1.2.5 True\n"


def test_a_modality_stands_for_its_sop_classes() -> None:
    assert uids.sop_classes("CT", "Verification", "MRImageStorage", "CT") == (
        *uids.MODALITIES["CT"],
        uids.Verification,
        uids.MRImageStorage,
    )
    assert uids.MODALITIES["CT"][0] == uids.CTImageStorage
    with pytest.raises(
        ValueError, match=r"'CTImageStroage' is not a UID, nor a keyword of PS3.6; did you mean CTImageStorage\?"
    ):
        uids.sop_classes("CTImageStroage")  # type: ignore[arg-type]


def test_every_sop_class_of_a_modality_is_stored_and_not_retired() -> None:
    for modality, sop_classes in uids.MODALITIES.items():
        assert sop_classes, modality
        assert set(sop_classes) <= uids.STORAGE_SOP_CLASSES, modality
        assert not any(uids.dictionary()[uid].retired for uid in sop_classes), modality


def test_images_are_the_stored_objects_with_pixels() -> None:
    assert uids.IMAGE_SOP_CLASSES < uids.STORAGE_SOP_CLASSES
    assert {uids.CTImageStorage, uids.RTDoseStorage, uids.SegmentationStorage} < uids.IMAGE_SOP_CLASSES
    assert not {uids.RTPlanStorage, uids.BasicTextSRStorage, uids.RawDataStorage} & uids.IMAGE_SOP_CLASSES
