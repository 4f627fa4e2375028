"""P-DATA-TF: how a message is cut into PDUs, and how PDUs are taken apart, whatever they claim and however they arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from struct import pack, unpack_from

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimse.errors import RemoteProtocolError
from dimse.upper_layer.pdata import BATCH, COMMAND, LAST, MOST_PDVS_IN_A_PDU, Fragment, PDVReader, cut

MAXIMUM_LENGTHS = (8, 9, 127, 128, 4096, 16384, 131072, 262144, 2**32 - 1)


# ---------------------------------------------------------------------------------------------------------------------
# Out


def pdus(sent: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Length, context ID, message control header and value of each PDU, which has one PDV."""
    position = 0
    while position < len(sent):
        pdu_type, reserved, length, item_length, context_id, control = unpack_from(">BBLLBB", sent, position)
        assert (pdu_type, reserved) == (4, 0)
        assert item_length == length - 4
        value = sent[position + 12 : position + 6 + length]
        assert len(value) == item_length - 2
        yield length, context_id, control, value
        position += 6 + length


def sizes_around_the_borders(maximum_length: int) -> list[int]:
    value = min(maximum_length, 1 << 18) - 6
    borders = (0, value, 2 * value, BATCH // 2 * value, BATCH * value)
    return sorted({max(0, border + offset) for border in borders if border < 1 << 21 for offset in (-2, -1, 0, 1, 2)})


@pytest.mark.parametrize("maximum_length", MAXIMUM_LENGTHS)
@pytest.mark.parametrize("kind", [COMMAND, 0])
def test_a_message_is_cut_into_pdus_that_the_peer_takes(maximum_length: int, kind: int) -> None:
    for size in sizes_around_the_borders(maximum_length):
        data = bytes(size % 251 + index % 3 for index in range(10)) * (size // 10) + bytes(size % 10)
        batches = list(cut([(kind, memoryview(data))], 5, maximum_length))
        assert all(0 < len(batch) <= BATCH + 3 for batch in batches)
        for batch in batches:
            list(pdus(b"".join(batch)))  # each ends with a whole PDU
        parts = list(pdus(b"".join(b"".join(batch) for batch in batches)))
        assert all(8 <= length <= maximum_length or (length == 6 and not data) for length, *_ in parts)
        assert all(context_id == 5 for _, context_id, _, _ in parts)
        assert [control for *_, control, _ in parts] == [kind] * (len(parts) - 1) + [kind | LAST]
        assert all(len(value) % 2 == 0 for *_, value in parts)
        assert b"".join(value for *_, value in parts) == data + b"\0" * (size % 2)
        # No more PDUs than it takes.
        assert len(parts) == max(1, -(-size // ((maximum_length - 6) & ~1)))


def test_a_command_set_goes_out_with_the_first_of_its_data_set() -> None:
    (alone,) = cut([(COMMAND, b"command!")], 1, 12)
    before = b"".join(alone)
    first, *rest = cut([(COMMAND, b"command!"), (0, bytes(1000))], 1, 12)
    assert b"".join(first).startswith(before + pack(">BxLLBB", 4, 12, 8, 1, 0))
    assert before not in b"".join(b"".join(batch) for batch in rest)
    parts = list(pdus(b"".join(first) + b"".join(b"".join(batch) for batch in rest)))
    assert [control for *_, control, _ in parts] == [1, 3, *[0] * 166, 2]
    (both,) = cut([(COMMAND, b"command!"), (0, b"")], 1, 12)
    assert b"".join(both) == before + pack(">BxLLBB", 4, 6, 2, 1, 2)


def test_nothing_is_copied() -> None:
    memory = bytearray(3001)
    sent = [
        buffer for batch in cut([(0, memoryview(memory))], 1, 128) for buffer in batch if isinstance(buffer, memoryview)
    ]
    memory[:] = b"\x01" * len(memory)
    assert b"".join(sent) == memory
    assert all(buffer.obj is memory for buffer in sent)


# ---------------------------------------------------------------------------------------------------------------------
# In


def read(reader: PDVReader, chunks: Iterable[bytes]) -> tuple[list[tuple[int, int, bytes]], bytes, str]:
    """Return the PDVs that were read, the piece of one that has not ended, and the error."""
    values: list[tuple[int, int, bytes]] = []
    value, why = b"", ""
    for chunk in chunks:
        fragments: list[Fragment] = []
        try:
            taken = reader.read(memoryview(chunk), 0, fragments.append)
            assert taken == len(chunk)
        except RemoteProtocolError as error:
            assert (error.abort_source, error.abort_reason) == (2, 6)
            why = str(error)
        for fragment in fragments:
            value += fragment.data
            if fragment.ends:
                values.append((fragment.context_id, fragment.control, value))
                value = b""
        if why:
            break
    return values, value, why


def pieces(data: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[start:end] for start, end in pairwise(bounds)]


def read_pdu(body: bytes, places: Iterable[int] = ()) -> tuple[list[tuple[int, int, bytes]], bytes, str]:
    reader = PDVReader()
    reader.begin(len(body))
    return read(reader, pieces(body, places))


def pdvs(*values: tuple[int, int, bytes]) -> bytes:
    return b"".join(pack(">LBB", len(value) + 2, context_id, control) + value for context_id, control, value in values)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 10, 11, 2**32 - 1])
@pytest.mark.parametrize("context_id", [0, 1, 2, 3, 255])
def test_a_pdv_length_is_taken_if_it_fits_and_the_rest_is_not_looked_at(length: int, context_id: int) -> None:
    """To judge the presentation context and the message control header takes the message, so it is left to its reader."""
    for control in range(256):
        body = pack(">LBB", length, context_id, control) + b"12345678"
        values, piece, why = read_pdu(body)
        assert piece == b""
        if length == 10:
            assert (values, why) == ([(context_id, control, b"12345678")], "")
        elif length in (2, 3):
            # What follows it is read as a PDV, of some 800 MB.
            assert values == [(context_id, control, b"12345678"[: length - 2])]
            assert why.startswith(f"a PDV length of {0x31323334 if length == 2 else 0x32333435} does not fit")
        else:
            assert values == []
            assert why == f"a PDV length of {length} does not fit its PDU (10 bytes are left)"


MANY = (
    ((1, 3, b"command"), (1, 0, b"data"), (1, 2, b"")),
    ((1, 1, b""), (1, 3, b""), (3, 2, b"odd")),
    tuple((index % 256, index % 5, bytes(index % 4)) for index in range(1000)),
    tuple((1, 0, b"") for _ in range(MOST_PDVS_IN_A_PDU)),
)


@pytest.mark.parametrize("values", MANY, ids=range(len(MANY)))
def test_many_pdvs_come_in_one_pdu(values: Sequence[tuple[int, int, bytes]]) -> None:
    body = pdvs(*values)
    assert read_pdu(body) == (list(values), b"", "")
    assert read_pdu(body, range(len(body))) == (list(values), b"", "")


def test_one_pdv_more_than_the_limit_is_refused_and_the_next_pdu_counts_anew() -> None:
    value = (1, 0, b"x")
    values, piece, why = read_pdu(pdvs(*[value] * (MOST_PDVS_IN_A_PDU + 1)))
    assert (len(values), piece) == (MOST_PDVS_IN_A_PDU, b"")
    assert why == f"more than {MOST_PDVS_IN_A_PDU} PDVs in one PDU"
    reader = PDVReader()
    body = pdvs(*[value] * MOST_PDVS_IN_A_PDU)
    for _ in range(3):
        reader.begin(len(body))
        assert read(reader, [body]) == ([value] * MOST_PDVS_IN_A_PDU, b"", "")
        assert reader.left == 0


@pytest.mark.parametrize("trailing", range(1, 6))
def test_a_pdu_that_ends_within_a_pdv_header_is_refused(trailing: int) -> None:
    body = pdvs((1, 3, b"ab")) + bytes(trailing)
    for places in ((), range(len(body))):
        assert read_pdu(body, places) == ([(1, 3, b"ab")], b"", "a P-DATA-TF PDU ends within a PDV's header")


@pytest.mark.parametrize("split", range(1, 12))
def test_a_header_may_be_split_anywhere(split: int) -> None:
    body = pdvs((7, 3, b"ab"), (9, 2, b"cdef"))
    for other in range(split, len(body)):
        assert read_pdu(body, (split, other)) == ([(7, 3, b"ab"), (9, 2, b"cdef")], b"", "")


def test_a_value_is_handed_on_as_it_arrives() -> None:
    reader, fragments = PDVReader(), list[Fragment]()
    body = pdvs((1, 2, b"abcdef"))
    reader.begin(len(body))
    assert reader.read(memoryview(body[:8]), 0, fragments.append) == 8
    assert fragments == [Fragment(1, 2, memoryview(b"ab"), False)]
    assert reader.left == 4
    # The next PDU is left to the caller.
    assert reader.read(memoryview(b"xcdef" + b"\x05\0\0\0"), 1, fragments.append) == 5
    assert fragments[1:] == [Fragment(1, 2, memoryview(b"cdef"), True)]
    assert reader.left == 0


def test_a_fragment_is_a_slice_of_what_was_received() -> None:
    memory = bytearray(pdvs((1, 2, b"abcdef")))
    reader, fragments = PDVReader(), list[Fragment]()
    reader.begin(len(memory))
    reader.read(memoryview(memory), 0, fragments.append)
    assert fragments[0].data.obj is memory


@given(
    values=st.lists(
        st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=20)), min_size=1, max_size=8
    ),
    flips=st.lists(st.tuples(st.integers(0, 199), st.integers(0, 255)), max_size=2),
    places=st.lists(st.integers(1, 200), max_size=20),
)
def test_it_does_not_matter_how_a_pdu_is_cut(
    values: list[tuple[int, int, bytes]], flips: list[tuple[int, int]], places: list[int]
) -> None:
    body = bytearray(pdvs(*values))
    for place, octet in flips:
        body[place % len(body)] = octet
    whole = read_pdu(bytes(body))
    assert read_pdu(bytes(body), places) == whole
    assert read_pdu(bytes(body), range(len(body))) == whole
    if not flips:
        assert whole == (values, b"", "")
