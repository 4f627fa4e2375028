"""A fuzz target for DICOM files: the head of a file, and a walk over its data set.

An input is two bytes of choice, `how` and `cut`, and the file. `how` selects the transfer syntax of the data set from
`TRANSFER_SYNTAXES`. With bit 6 set (40H) the data set is repeated, with bit 7 set (80H) it is deflated first. `cut` is the position
at which the head is cut.
"""

from __future__ import annotations

from contextlib import suppress

from dimse import uids
from dimse.data_set import group_two, walk
from dimse.data_set.encoding import deflate
from dimse.data_set.survey import survey
from dimse.media import part10

TRANSFER_SYNTAXES = (
    None,  # as the file says
    uids.transfer_syntax(uids.ImplicitVRLittleEndian),
    uids.transfer_syntax(uids.ExplicitVRLittleEndian),
    uids.transfer_syntax(uids.ExplicitVRBigEndian),
    uids.transfer_syntax(uids.DeflatedExplicitVRLittleEndian),
    uids.transfer_syntax(uids.JPEGBaseline8Bit),
    uids.transfer_syntax("1.2.3"),  # None: private
)
_DEFLATED = uids.transfer_syntax(uids.DeflatedExplicitVRLittleEndian)
LONGEST = 256 * 1024  # bytes of a repeated data set
TIMES = 64


class Reads:
    """A file that counts how much of it is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.calls = self.octets = 0

    def __call__(self, offset: int, size: int) -> bytes:
        assert offset >= 0
        assert 0 <= size <= walk.WINDOW
        piece = self.content[offset : offset + size]
        self.calls += 1
        self.octets += len(piece)
        return piece

    def test(self, size: int) -> None:
        """Test that the reads were in proportion to the size, with one look behind the end for each sequence."""
        assert self.calls <= 16 + 4 * walk.MAXIMUM_NESTING + size // 64
        assert self.octets <= walk.WINDOW + 2 * size


def _head(content: bytes, cut: int) -> part10.FileMeta | None:
    """Return the File Meta Information, and test that a part of the head gives the same, or asks for more."""
    meta: part10.FileMeta | None = None
    wrong = ""
    try:
        meta = part10.parse(content)
    except part10.NotPart10 as error:
        wrong = str(error)
    try:
        sooner = part10.parse(memoryview(content)[:cut])
    except part10.NotPart10:
        assert wrong
    else:
        assert sooner is None or sooner == meta
    assert "\n" not in wrong
    if meta is not None:
        # A file may have neither preamble nor prefix.
        assert 0 < meta.data_set_offset <= min(len(content), part10.MAXIMUM_SIZE)
        _test_written_again(meta)
    return meta


def _test_written_again(meta: part10.FileMeta) -> None:
    try:
        written = part10.encode(meta)
    except ValueError:  # a required element is missing
        return
    again = part10.parse(written + bytes(8))
    assert again is not None
    assert again.data_set_offset == len(written)
    for field in ("media_storage_sop_instance_uid", "transfer_syntax_uid", "sending_application_entity_title"):
        assert getattr(again, field) == getattr(meta, field)


def _walk(content: bytes, start: int, syntax: uids.TransferSyntax | None) -> None:
    reads, end = Reads(content), len(content)
    try:
        outline = walk.walk(reads, start, end, syntax)
    except walk.MalformedDataSet as error:
        assert "\n" not in str(error)
    else:
        assert start <= outline.end <= end
        assert all("\n" not in line for line in outline.warnings)
        assert len(outline.warnings) <= 3
        for uid in (outline.sop_class_uid, outline.sop_instance_uid, outline.series_instance_uid):
            assert uid is None or 0 < len(uid) <= 1024
    reads.test(end - start)


def _peek(data_set: bytes, syntax: uids.TransferSyntax | None) -> None:
    """Test that a peek does not raise, whatever the bytes."""
    for tags in ({0x00080016, 0x00080018}, {0x0020000D, 0x0020000E, 0x00100020}):
        reads = Reads(data_set)
        found = walk.peek(reads, len(data_set), syntax, tags)
        assert found.keys() <= tags
        reads.test(len(data_set))


def _survey(data_set: bytes, syntax: uids.TransferSyntax) -> None:
    """Survey a data set as a receiver does. If a sender finds it complete, it must not be cut short, and has the same UIDs."""
    reads, tags = Reads(data_set), {0x00080016, 0x00080018}
    found = survey(reads, len(data_set), syntax, tags, data_set[:100])
    assert found.values.keys() <= tags
    assert all("\n" not in line for line in (found.cut_short, *found.remarks))
    reads.test(len(data_set))
    with suppress(walk.MalformedDataSet):
        size = group_two.leading_size(data_set, syntax)
        assert size is None or 0 <= size <= group_two.MAXIMUM_SIZE
    if syntax.deflated:
        return
    try:
        whole = walk.walk(Reads(data_set), 0, len(data_set), syntax)
    except walk.MalformedDataSet:
        return
    if data_set[whole.end :].strip(b"\0") == b"":
        assert not found.cut_short
        assert found.values.get(0x00080018, "") == (whole.sop_instance_uid or "")


def one(data: bytes) -> None:
    """Test a file as the head of this module describes.

    Raises:
        Exception: A promise was broken; any exception means that.
    """
    if len(data) < 3:
        return
    how, cut, content = data[0], data[1], data[2:]
    meta = _head(content, 2 * cut)
    start = meta.data_set_offset if meta else 0
    syntax = TRANSFER_SYNTAXES[(how & 0x3F) % len(TRANSFER_SYNTAXES)]
    if how & 0x3F == 0 and meta and meta.transfer_syntax_uid:
        syntax = uids.transfer_syntax(meta.transfer_syntax_uid)
    data_set = content[start:]
    if how & 0x40:
        data_set = (data_set * TIMES)[:LONGEST]
    if how & 0x80:
        data_set, syntax = deflate([data_set]), _DEFLATED
    _walk(content[:start] + data_set, start, syntax)
    _peek(data_set, syntax)
    if syntax is not None:
        _survey(data_set, syntax)
    if syntax is not None and not syntax.deflated:
        reads = Reads(data_set)
        try:
            walk.values_within(reads, 0, len(data_set), syntax, 0x00041220, 0x00041511)
        except walk.MalformedDataSet as error:
            assert "\n" not in str(error)
        reads.test(len(data_set))
