"""The record of an instance that a `FileStore` has kept, and the exception that withholds its acknowledgement."""

from __future__ import annotations

from dimse.support.values import value


class NotAcknowledged(Exception):
    """An instance must not be acknowledged, so the peer has to send it again; a `stored` callable raises this.

    The instance is kept nevertheless.
    """


@value
class Stored:
    """An instance that is kept: its file has its final name, and its success is about to be reported.

    Values from the peer, including UIDs, are data. They are checked only as described here, and must never be used in a path or a
    command. Elements that the data set lacks are empty. All of them are empty in a private or unknown transfer syntax. In a
    deflated data set they are found in the first 64 KiB of the inflated bytes.

    Attributes:
        path: The absolute path of the file.
        relative_path: The path of the file relative to the store's folder.
        sop_class_uid: The UID in the command. The data set has the same, if it can be read.
        sop_instance_uid: The UID in the command. The data set has the same, if it can be read.
        study_instance_uid: (0020,000D) of the data set.
        series_instance_uid: (0020,000E) of the data set.
        patient_id: (0010,0020) of the data set, its bytes as Latin-1 without padding.
        transfer_syntax_uid: The transfer syntax of the data set.
        size: The bytes of the data set, without the file's File Meta Information.
        calling_ae_title: The AE title of the sender.
        called_ae_title: The AE title that the sender called.
        peer_address: Host and port of the peer's end of the connection.
        duplicate: True if it was already stored with the same data set, under this name, so that no file was added.
        received: The time when it was kept, in seconds since 1970-01-01 UTC.
    """

    path: str
    relative_path: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    transfer_syntax_uid: str
    size: int
    calling_ae_title: str
    called_ae_title: str
    peer_address: tuple[str, int]
    duplicate: bool
    received: float
