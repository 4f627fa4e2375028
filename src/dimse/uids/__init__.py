"""UIDs of the Standard and their names (PS3.6 Table A-1), and the properties of transfer syntaxes (PS3.5 Annex A).

Every UID of the table is an attribute of this module under its keyword: `uids.CTImageStorage`, `uids.JPEG2000Lossless`. The
table is imported and parsed on the first look-up, so that importing this module costs next to nothing.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.uids.keywords import *  # noqa: F403
    from dimse.uids.keywords import SOPClassName as SOPClassName

# The UIDs that the package needs when it is imported, without a look-up in the table.
ApplicationContextName = "1.2.840.10008.3.1.1.1"  # the DICOM one (PS3.7 A.2.1)
Verification = "1.2.840.10008.1.1"
CTImageStorage = "1.2.840.10008.5.1.4.1.1.2"
MRImageStorage = "1.2.840.10008.5.1.4.1.1.4"
StorageCommitmentPushModel = "1.2.840.10008.1.20.1"
MediaStorageDirectoryStorage = "1.2.840.10008.1.3.10"
ImplicitVRLittleEndian = "1.2.840.10008.1.2"
ExplicitVRLittleEndian = "1.2.840.10008.1.2.1"
DeflatedExplicitVRLittleEndian = "1.2.840.10008.1.2.1.99"
ExplicitVRBigEndian = "1.2.840.10008.1.2.2"

STORAGE_SOP_CLASSES: frozenset[str]
"""The SOP classes of the Storage service (PS3.4 Annex B), including retired ones."""
IMAGE_SOP_CLASSES: frozenset[str]
"""The SOP classes of the Storage service whose instances are images, with pixel data of any kind, including retired ones."""
MODALITIES: dict[str, tuple[str, ...]]
"""The storage SOP classes by modality: `MODALITIES["CT"]`. "SC" stands for secondary captures. It must not be changed."""
TRANSFER_SYNTAXES: tuple[str, ...]
"""Every transfer syntax (PS3.5 Annex A), in the order of the table, including retired ones."""
STORABLE_TRANSFER_SYNTAXES: tuple[str, ...]
"""The transfer syntaxes that carry a whole data set as data elements, in the order of the table, including retired ones.

It excludes those that keep pixels elsewhere (JPIP Referenced) or carry video in real time (SMPTE ST 2110). It also excludes MIME,
XML and Papyrus.
"""

PRIVATE_SYNTAXES, ANY_SYNTAX = "private", "any"
"""The words that can stand among accepted transfer syntaxes for every private one, and for every one whatever its UID."""


@value
class RegisteredUID:
    """A line of PS3.6 Table A-1.

    Attributes:
        uid: The UID.
        kind: The type: "SOP Class", "Transfer Syntax", ...
        keyword: The keyword; empty for two retired entries.
        retired: True if the Standard has retired it.
        name: The name; empty for the same two entries.
    """

    uid: str
    kind: str
    keyword: str
    retired: bool
    name: str


@cache
def _lines() -> dict[str, str]:
    """Return the lines of the table by UID. They are not parsed, because a look-up of one UID must be fast."""
    from dimse.uids.table import TABLE_A_1

    return {line.partition("|")[0]: line for line in TABLE_A_1.split("\n")}


def _rows() -> list[list[str]]:
    """Return the rows of the table: UID, type, keyword, "R" or nothing, and name."""
    return [line.split("|", 4) for line in _lines().values()]


@cache
def dictionary() -> dict[str, RegisteredUID]:
    """Return the whole of PS3.6 Table A-1 by UID. It must not be changed."""
    return {
        uid: RegisteredUID(uid, kind, keyword, retired == "R", name) for uid, kind, keyword, retired, name in _rows()
    }


@cache
def by_keyword() -> dict[str, str]:
    """Return the UIDs of the Standard by their keywords (PS3.6 Table A-1). The mapping must not be changed."""
    return {keyword: uid for uid, _, keyword, _, _ in _rows() if keyword}


def name(uid: str) -> str:
    """Return the Standard's name of `uid`, or `uid` itself if the Standard has none."""
    line = _lines().get(uid)
    return line.split("|", 4)[4] or uid if line else uid


_UID_CHARACTERS = frozenset("0123456789.")
_LONGEST = 64


def is_uid(text: str) -> bool:
    """Return True if a text has the characters and the length of a UID (PS3.5 9.1)."""
    return 0 < len(text) <= _LONGEST and not set(text) - _UID_CHARACTERS


def find(text: str) -> str:
    """Return the UID for a UID or a keyword of PS3.6.

    Raises:
        ValueError: The text is neither, or the UID is too long.
    """
    if text and not set(text) - _UID_CHARACTERS:
        if len(text) > _LONGEST:
            raise ValueError(f"a UID has at most {_LONGEST} characters, not {len(text)}: {text!r}")
        return text
    known = by_keyword()
    if text in known:
        return known[text]
    from difflib import get_close_matches

    near = get_close_matches(text, known, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{text!r} is not a UID, nor a keyword of PS3.6{meant}")


def find_syntax(text: str) -> str:
    """Return a name for accepted transfer syntaxes: a UID, or the word `private` or `any`.

    Raises:
        ValueError: The text is neither a UID, nor a keyword of PS3.6, nor one of these words.
    """
    return text if text in (PRIVATE_SYNTAXES, ANY_SYNTAX) else find(text)


def sop_classes(*names: SOPClassName) -> tuple[str, ...]:
    """Return the UIDs of SOP classes, for the `contexts` of an association.

        dimse.associate("pacs.example.org", 104, contexts=dimse.uids.sop_classes("CT", "MR", "SecondaryCaptureImageStorage"))

    Args:
        names: Modalities of `MODALITIES`, each of which stands for several SOP classes, and keywords of SOP classes.

    Returns:
        The UIDs in this order, each once.

    Raises:
        ValueError: A name is neither.
    """
    found: dict[str, None] = {}
    for name in names:
        found.update(dict.fromkeys(_modalities().get(name) or (find(name),)))
    return tuple(found)


def is_private(uid: str) -> bool:
    """Return True if the Standard has not registered this UID (PS3.5 9.2)."""
    return bool(uid) and not uid.startswith("1.2.840.10008.") and not set(uid) - _UID_CHARACTERS


def _is_storage(kind: str, name: str) -> bool:
    # The Standard marks storage SOP classes by their names alone, and the roots of their UIDs hold other services too.
    other = name.startswith(("Storage Commitment", "Media Storage"))
    return kind == "SOP Class" and "Storage" in name.split() and not other


# Images whose keywords do not say so.
_IMAGES = (
    *("EnhancedUSVolumeStorage", "ParametricMapStorage", "SegmentationStorage", "RTDoseStorage"),
    *("OphthalmicThicknessMapStorage", "CornealTopographyMapStorage"),
)


def _is_image(keyword: str) -> bool:
    return "Image" in keyword or keyword in _IMAGES


@cache
def _modalities() -> dict[str, tuple[str, ...]]:
    """Return the storage SOP classes by modality."""
    from dimse.uids.modalities import TABLE

    known = by_keyword()
    lines = (line.split() for line in TABLE.split("\n"))
    return {modality: tuple(known[keyword] for keyword in keywords) for modality, *keywords in lines}


@cache
def _attributes() -> dict[str, Any]:
    """Return the attributes of this module that are made from the table on first use."""
    rows = _rows()
    attributes: dict[str, Any] = dict(by_keyword())
    attributes["STORAGE_SOP_CLASSES"] = frozenset(uid for uid, kind, _, _, name in rows if _is_storage(kind, name))
    attributes["IMAGE_SOP_CLASSES"] = frozenset(
        uid for uid, kind, keyword, _, name in rows if _is_storage(kind, name) and _is_image(keyword)
    )
    syntaxes = [(uid, keyword) for uid, kind, keyword, _, _ in rows if kind == "Transfer Syntax"]
    attributes["TRANSFER_SYNTAXES"] = tuple(uid for uid, _ in syntaxes)
    attributes["STORABLE_TRANSFER_SYNTAXES"] = tuple(uid for uid, key in syntaxes if not key.startswith(_NOT_STORABLE))
    return attributes


# Type checkers know the keywords from the stub: to them another one is a mistake.
if not TYPE_CHECKING:

    def __getattr__(attribute: str) -> Any:
        """Return the UID whose keyword is `attribute`, or one of the collections above."""
        # The import system asks every module for `__path__`, which must not load the table.
        if attribute == "MODALITIES":
            return _modalities()
        if attribute.startswith("_") or attribute not in _attributes():
            raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
        return _attributes()[attribute]

    def __dir__() -> list[str]:
        """Return the keywords of the Standard and the names of this module."""
        return sorted({*globals(), *_attributes(), "MODALITIES"})


@value
class TransferSyntax:
    """The encoding of a data set (PS3.5 Annex A).

    Attributes:
        uid: The UID.
        implicit_vr: True if elements carry no VR.
        little_endian: The byte order of numbers.
        deflated: True if the whole data set is a deflated stream (RFC 1951) of Explicit VR Little Endian.
        encapsulated: True if Pixel Data is a sequence of fragments (PS3.5 A.4).
        lossy: True if the compression may lose information.
        has_elements: True if the bytes, inflated if necessary, are data elements (PS3.5 section 7).
    """

    uid: str
    implicit_vr: bool = False
    little_endian: bool = True
    deflated: bool = False
    encapsulated: bool = False
    lossy: bool = False
    has_elements: bool = True


# The exceptions among transfer syntaxes. The others are Explicit VR Little Endian with encapsulated pixel data, without loss.
_IMPLICIT_VR = ("ImplicitVRLittleEndian", "Papyrus3ImplicitVRLittleEndian")
_BIG_ENDIAN = ("ExplicitVRBigEndian",)
_DEFLATED = ("DeflatedExplicitVRLittleEndian", "JPIPReferencedDeflate", "JPIPHTJ2KReferencedDeflate")
_NATIVE = ("ExplicitVRLittleEndian", "JPIPReferenced", "JPIPHTJ2KReferenced", "RFC2557MIMEEncapsulation", "XMLEncoding")
_LOSSY = (
    *("JPEGBaseline", "JPEGExtended", "JPEGSpectral", "JPEGFull", "JPEGLSNear", "JPEGXLJPEG"),
    *("MPEG", "HEVC", "JPIP"),
)
_MAYBE_LOSSY = ("JPEG2000", "JPEG2000MC", "HTJ2K", "JPEGXL")
_NO_ELEMENTS = ("SMPTE", "RFC2557", "XMLEncoding")
_NOT_STORABLE = (*_NO_ELEMENTS, "JPIP", "Papyrus")


@lru_cache(maxsize=64)
def transfer_syntax(uid: str) -> TransferSyntax | None:
    """Return the properties of a transfer syntax; None for a private one, or one younger than this table."""
    line = _lines().get(uid, "")
    if "|Transfer Syntax|" not in line:
        return None
    key = line.split("|")[2]
    return TransferSyntax(
        uid,
        implicit_vr=key in _IMPLICIT_VR,
        little_endian=key not in _BIG_ENDIAN,
        deflated=key in _DEFLATED,
        encapsulated=key not in _IMPLICIT_VR + _BIG_ENDIAN + _DEFLATED + _NATIVE and not key.startswith("SMPTE"),
        lossy=key.startswith(_LOSSY) or key in _MAYBE_LOSSY,
        has_elements=not key.startswith(_NO_ELEMENTS),
    )
