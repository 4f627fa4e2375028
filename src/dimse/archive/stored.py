"""What a `FileStore` says of each instance that it has kept, and what may be answered to that."""

from __future__ import annotations

from dimse.support.values import value


class NotAcknowledged(Exception):
    """Raised by what is called for each instance that is kept: its success must not be said, and the peer has to send it again.

    The instance is kept all the same.
    """


@value
class Stored:
    """One instance that is kept: its file stands under its final name, and its success is about to be said.

    What the peer said, the UIDs too, is data: not checked beyond what is written here, and never to be used in a path or a command.
    Elements that the data set does not have are empty, and so are all of them where its transfer syntax is private or unknown. Of a
    deflated data set they are found in the first 64 KiB that it inflates to.

    Attributes:
        path: The file, absolute.
        relative_path: The file, relative to the store's folder.
        sop_class_uid: Of the command, and of the data set: they agree, where the data set can be read.
        sop_instance_uid: Likewise.
        study_instance_uid: (0020,000D) of the data set.
        series_instance_uid: (0020,000E) of the data set.
        patient_id: (0010,0020) of the data set, its bytes as Latin-1 without padding.
        transfer_syntax_uid: The data set's.
        size: Bytes of the data set; the file has its File Meta Information besides.
        calling_ae_title: Who sent it, as the peer calls itself.
        called_ae_title: Whom the peer called.
        peer_address: Host and port of the peer's end of the connection.
        duplicate: It was stored already with the same data set, under this name, and no file was added.
        received: When it was kept, in seconds since 1970-01-01 UTC.
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
