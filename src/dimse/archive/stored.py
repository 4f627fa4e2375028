"""The instances that a `FileStore` has kept, as it tells of them, and how that may be answered."""

from __future__ import annotations

from collections.abc import Mapping

from dimse.support.values import field, value

PATIENT_ID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID = 0x00100020, 0x0020000D, 0x0020000E


class NotAcknowledged(Exception):
    """Raised by the function that is called with each instance that is kept: the sender is not to be told of success.

    The sender has to send the instance again. It is kept all the same.
    """


@value
class Stored:
    """An instance that is kept: its file has its final name, and the sender is about to be told of success.

    All that comes from the sender, the UIDs too, is data: not checked beyond what is written here, and never to be used in a path
    or a command. Values of the data set are Latin-1 text of their bytes, without padding. No value is known where the transfer
    syntax is private or unknown; of a deflated data set they are found in the first 64 KiB that it inflates to.

    Attributes:
        path: The file, absolute.
        relative_path: The file, relative to the store's folder.
        sop_class_uid: The SOP class UID that the sender stated. That of the data set is the same, if it can be read.
        sop_instance_uid: The SOP instance UID, likewise.
        transfer_syntax_uid: The transfer syntax of the data set.
        size: Bytes of the data set; the file has its File Meta Information besides.
        calling_ae_title: The AE title of the sender.
        called_ae_title: The AE title that the sender called.
        peer_address: Host and port of the sender's end of the connection.
        duplicate: True if the same data set was stored already under this name, and no file was added.
        received: The time when it was kept, in seconds since 1970-01-01 UTC.
        elements: Values of the data set by tag: those of the `tags` of the store, of Patient ID, Study and Series Instance UID. An
            element that the data set does not have is missing.
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
