"""UIDs of the Standard and their names (PS3.6 Table A-1), and what the transfer syntaxes mean (PS3.5 Annex A).

Every UID of the table is an attribute of this module under its keyword: `uids.CTImageStorage`, `uids.JPEG2000Lossless`. The
table is imported and taken apart when something is first looked up in it, so that importing this module costs next to nothing.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from dimse.support.values import value

if TYPE_CHECKING:
    from dimse.uids.keywords import *  # noqa: F403

# What the package itself names when it is imported: no look-up in the table.
ApplicationContextName = "1.2.840.10008.3.1.1.1"  # the DICOM one (PS3.7 A.2.1)
Verification = "1.2.840.10008.1.1"
CTImageStorage = "1.2.840.10008.5.1.4.1.1.2"
MRImageStorage = "1.2.840.10008.5.1.4.1.1.4"
MediaStorageDirectoryStorage = "1.2.840.10008.1.3.10"
ImplicitVRLittleEndian = "1.2.840.10008.1.2"
ExplicitVRLittleEndian = "1.2.840.10008.1.2.1"
DeflatedExplicitVRLittleEndian = "1.2.840.10008.1.2.1.99"
ExplicitVRBigEndian = "1.2.840.10008.1.2.2"

STORAGE_SOP_CLASSES: frozenset[str]
"""The SOP classes of the Storage service (PS3.4 Annex B), retired ones too."""
TRANSFER_SYNTAXES: tuple[str, ...]
"""Every transfer syntax (PS3.5 Annex A), in the order of the table, retired ones too."""
STORABLE_TRANSFER_SYNTAXES: tuple[str, ...]
"""The transfer syntaxes that carry a whole data set as data elements, in the order of the table, retired ones too.

Not among them are those that leave the pixels elsewhere (JPIP Referenced), those for video in real time (SMPTE ST 2110), MIME, XML,
and Papyrus.
"""

PRIVATE_SYNTAXES, ANY_SYNTAX = "private", "any"
"""Words that stand among accepted transfer syntaxes for every private one, and for every one whatever its UID."""


@value
class Entry:
    """A line of PS3.6 Table A-1.

    Attributes:
        uid: The UID.
        kind: Its type: "SOP Class", "Transfer Syntax", ...
        keyword: Its keyword; empty for two retired entries without one.
        retired: Whether the Standard has retired it.
        name: Its name; empty for the same two.
    """

    uid: str
    kind: str
    keyword: str
    retired: bool
    name: str


@cache
def _lines() -> dict[str, str]:
    """The lines of the table by UID, not taken apart: for one of them that takes too long."""
    from dimse.uids.table import TABLE_A_1

    return {line.partition("|")[0]: line for line in TABLE_A_1.split("\n")}


def _rows() -> list[list[str]]:
    """The table: UID, type, keyword, "R" or nothing, and name of each."""
    return [line.split("|", 4) for line in _lines().values()]


@cache
def dictionary() -> dict[str, Entry]:
    """The whole of PS3.6 Table A-1 by UID. Not to be changed."""
    return {uid: Entry(uid, kind, keyword, retired == "R", name) for uid, kind, keyword, retired, name in _rows()}


@cache
def by_keyword() -> dict[str, str]:
    """Return the UIDs of the Standard by their keywords (PS3.6 Table A-1). Not to be changed."""
    return {keyword: uid for uid, _, keyword, _, _ in _rows() if keyword}


def name(uid: str) -> str:
    """The Standard's name of `uid`; `uid` itself where the Standard has none for it."""
    line = _lines().get(uid)
    return line.split("|", 4)[4] or uid if line else uid


_OF_A_UID = frozenset("0123456789.")
_LONGEST = 64


def is_uid(text: str) -> bool:
    """Return whether a text is of the characters and the length that a UID may have (PS3.5 9.1)."""
    return 0 < len(text) <= _LONGEST and not set(text) - _OF_A_UID


def find(text: str) -> str:
    """Return the UID that a user means by a UID or by a keyword of PS3.6.

    Raises:
        ValueError: The text is neither, or the UID is too long.
    """
    if text and not set(text) - _OF_A_UID:
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
    """Return what stands for an accepted transfer syntax: a UID, or the word `private` or `any`.

    Raises:
        ValueError: The text is neither a UID, nor a keyword of PS3.6, nor one of these words.
    """
    return text if text in (PRIVATE_SYNTAXES, ANY_SYNTAX) else find(text)


def is_private(uid: str) -> bool:
    """Return whether a UID is one that the Standard has not registered (PS3.5 9.2)."""
    return bool(uid) and not uid.startswith("1.2.840.10008.") and not set(uid) - _OF_A_UID


def _is_storage(kind: str, name: str) -> bool:
    # By name: the Standard has no other mark for a storage SOP class, and the roots of their UIDs hold other services too.
    other = name.startswith(("Storage Commitment", "Media Storage"))
    return kind == "SOP Class" and "Storage" in name.split() and not other


@cache
def _attributes() -> dict[str, Any]:
    """What this module has besides what is written here: made when first asked for."""
    rows = _rows()
    attributes: dict[str, Any] = dict(by_keyword())
    attributes["STORAGE_SOP_CLASSES"] = frozenset(uid for uid, kind, _, _, name in rows if _is_storage(kind, name))
    syntaxes = [(uid, keyword) for uid, kind, keyword, _, _ in rows if kind == "Transfer Syntax"]
    attributes["TRANSFER_SYNTAXES"] = tuple(uid for uid, _ in syntaxes)
    attributes["STORABLE_TRANSFER_SYNTAXES"] = tuple(uid for uid, key in syntaxes if not key.startswith(_NOT_STORABLE))
    return attributes


# Type checkers know the keywords from the stub: to them another one is a mistake.
if not TYPE_CHECKING:

    def __getattr__(attribute: str) -> Any:
        """Return the UID whose keyword is `attribute`, or one of the collections above."""
        # The import system asks every module for `__path__`: no reason to look it up in the table.
        if attribute.startswith("_") or attribute not in _attributes():
            raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
        return _attributes()[attribute]

    def __dir__() -> list[str]:
        """Return the keywords of the Standard and the names of this module."""
        return sorted({*globals(), *_attributes()})


@value
class TransferSyntax:
    """How a data set is encoded (PS3.5 Annex A).

    Attributes:
        uid: Its UID.
        implicit_vr: Elements carry no VR.
        little_endian: Byte order of numbers.
        deflated: The whole data set is a deflated stream (RFC 1951) of Explicit VR Little Endian.
        encapsulated: Pixel Data is a sequence of fragments (PS3.5 A.4).
        lossy: Its compression may lose information.
        has_elements: Its bytes, inflated if need be, are data elements (PS3.5 section 7).
    """

    uid: str
    implicit_vr: bool = False
    little_endian: bool = True
    deflated: bool = False
    encapsulated: bool = False
    lossy: bool = False
    has_elements: bool = True


# The transfer syntaxes that are not what the most are: Explicit VR Little Endian with encapsulated pixel data, nothing lost.
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
    """What the Standard says of a transfer syntax; None for a private one, or one younger than this table."""
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
