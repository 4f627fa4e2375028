"""The record of an instance that a `FileStore` has kept, and the exception that withholds its acknowledgement."""

from __future__ import annotations

from collections.abc import Mapping

from dimse.support.values import field, value

PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E


class NotAcknowledged(Exception):
    """An instance must not be acknowledged, so the peer has to send it again; a `stored` callable raises this.

    The instance is kept nevertheless.

    Attributes:
        status: The status of the answer, A700H by default.
    """

    def __init__(self, message: str, *, status: int = 0xA700) -> None:
        super().__init__(message)
        self.status = status


@value
class Stored:
    """An instance that is kept: its file has its final name, and its success is about to be reported.

    Values from the peer, including UIDs, are data. They are checked only as described here, and must never be used in a path or a
    command. No element is known in a private or unknown transfer syntax. In a deflated data set they are found in the first 64 KiB
    of the inflated bytes.

    Attributes:
        path: The absolute path of the file.
        relative_path: The path of the file relative to the store's folder.
        sop_class_uid: The UID in the command. The data set has the same, if it can be read.
        sop_instance_uid: The UID in the command. The data set has the same, if it can be read.
        transfer_syntax_uid: The transfer syntax of the data set.
        size: The bytes of the data set, without the file's File Meta Information.
        calling_ae_title: The AE title of the sender.
        called_ae_title: The AE title that the sender called.
        peer_address: Host and port of the peer's end of the connection.
        duplicate: True if it was already stored with the same data set, under this name, so that no file was added.
        received: The time when it was kept, in seconds since 1970-01-01 UTC.
        elements: Values of the data set by tag: those that the `tags` of the store name, Patient ID, Study and Series Instance UID.
            An element that the data set lacks is missing. Values of group 0028 are those of the bytes, in Latin-1.
        digest: The SHA-256 over transfer syntax UID and data set, if the store makes it; else empty.
        pixel_data: The offset of the value of Pixel Data in the data set, and its length as written, if `tags` name it. It is None
            without it, and in a deflated data set.
    """

    path: str
    relative_path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    size: int
    calling_ae_title: str
    called_ae_title: str
    peer_address: tuple[str, int]
    duplicate: bool
    received: float
    elements: Mapping[int, str] = field(default_factory=dict, repr=False)
    digest: bytes = field(default=b"", repr=False)
    pixel_data: tuple[int, int] | None = None

    @property
    def patient_id(self) -> str:
        """The Patient ID (0010,0020) of the data set; empty if it has none."""
        return self.elements.get(PATIENT_ID, "")

    @property
    def study_instance_uid(self) -> str:
        """The Study Instance UID (0020,000D) of the data set; empty if it has none."""
        return self.elements.get(STUDY_INSTANCE_UID, "")

    @property
    def series_instance_uid(self) -> str:
        """The Series Instance UID (0020,000E) of the data set; empty if it has none."""
        return self.elements.get(SERIES_INSTANCE_UID, "")
