"""Names of files and folders made from text of a peer: the only way for a peer's bytes to become part of a path."""

from __future__ import annotations

_ALLOWED = b"-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_NOT_IN_FRONT = b"-."  # marks of options and hidden files
_LONGEST = 64  # as for a UID (PS3.5 9.1)

_ENDING = ".dcm"

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_OTHER_PREFIX = "UN"
# The Storage SOP classes (PS3.4 B.5) that have a prefix of their own.
_PREFIXES = {
    _STORAGE + "1": "CR",  # Computed Radiography Image
    _STORAGE + "2": "CT",  # CT Image
    _STORAGE + "2.1": "CTE",  # Enhanced CT Image
    _STORAGE + "4": "MR",  # MR Image
    _STORAGE + "4.1": "MRE",  # Enhanced MR Image
    _STORAGE + "6.1": "US",  # Ultrasound Image
    _STORAGE + "6.2": "USE",  # Enhanced US Volume
    _STORAGE + "7": "SC",  # Secondary Capture Image
    _STORAGE + "12.1": "XA",  # X-Ray Angiographic Image
    _STORAGE + "12.1.1": "XAE",  # Enhanced XA Image
    _STORAGE + "20": "NM",  # Nuclear Medicine Image
    _STORAGE + "128": "PT",  # Positron Emission Tomography Image
    _STORAGE + "130": "PTE",  # Enhanced PET Image
    _STORAGE + "481.1": "RI",  # RT Image
    _STORAGE + "481.2": "RD",  # RT Dose
    _STORAGE + "481.3": "RS",  # RT Structure Set
    _STORAGE + "481.5": "RP",  # RT Plan
}


def safe_component(raw: str | bytes, longest: int = _LONGEST) -> str:
    """Return a component of a path that stands for `raw` and cannot lead out of its folder.

    A text stands for itself if it has 1 to `longest` ASCII letters, digits, dots, hyphens and underscores. The first of them must
    not be a dot or a hyphen. So every valid UID keeps its name, and no two share one. Any other text becomes `x-` and the
    BLAKE2b-128 of its bytes. So no name is a hidden file's, or reads as an option of a command.

    Args:
        raw: A text of the peer: a UID, an AE title. A `str` stands for its Latin-1 bytes, as on the wire, or for its UTF-8 bytes if
            it has other characters.
        longest: The most characters of a name that stands for itself, at least 64, which is enough for every UID.
    """
    data = raw if isinstance(raw, bytes) else _bytes_of(raw)
    if 0 < len(data) <= longest and data[0] not in _NOT_IN_FRONT and not data.translate(None, _ALLOWED):
        return data.decode("ascii")
    # hashlib loads OpenSSL, which takes long.
    from hashlib import blake2b

    return "x-" + blake2b(data, digest_size=16).hexdigest()


def copy_name(name: str, number: int) -> str:
    """Return the name of a copy of the file `name`: `X~2.dcm` for `X.dcm`, or `X~2` without such an ending.

    Args:
        name: The name of the file.
        number: 2 for the first copy.
    """
    stem = len(name) - len(_ENDING) if name.lower().endswith(_ENDING) else len(name)
    return f"{name[:stem]}~{number}{name[stem:]}"


def former_copy_name(name: str, number: int) -> str:
    """Return the name that earlier versions gave a copy: `X.dcm~2`."""
    return f"{name}~{number}"


def copy_number(name: str) -> int:
    """Return the number of a copy, by the name or the path of its file; 1 for that of the first instance."""
    stem = name[: -len(_ENDING)] if name.lower().endswith(_ENDING) else name
    number = stem.rpartition("~")[2] if "~" in stem else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < _LONGEST else 1


def modality_prefix(sop_class_uid: str) -> str:
    """Return the letters before the name of an instance of a SOP class: `CT` for a CT image, `UN` for a class without letters."""
    return _PREFIXES.get(sop_class_uid, _OTHER_PREFIX)


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        # Any string must get a name, even with lone surrogates.
        return text.encode("utf-8", "surrogatepass")
