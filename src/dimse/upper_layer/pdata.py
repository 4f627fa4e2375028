"""P-DATA-TF (PS3.8 9.3.5, Annex E): cut a message into PDUs to send, and parse PDUs while their bytes arrive.

Every byte of every image takes this path, so the code is written by hand and copies nothing. Slices of the caller's buffer are
sent between prepared headers, and received fragments are slices of the receive buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from dimse.errors import RemoteProtocolError

P_DATA_TF = 0x04

# The bits of the message control header (PS3.8 E.2): a fragment of a command set, else of a data set; the last fragment of it.
COMMAND, LAST = 0x01, 0x02

# PDU type and length, item length, presentation context ID and message control header: each PDU that we send has one PDV.
_HEADERS = Struct(">BxLLBB")
_PDV_HEADER = Struct(">LBB")

# Buffers in one system call. Each of them costs time, and the system accepts at most 1,024.
BATCH = 64

MOST_PDVS_IN_A_PDU = 1024

Buffer = bytes | memoryview


def cut(parts: Iterable[tuple[int, Buffer]], context_id: int, maximum_length: int) -> Iterator[list[Buffer]]:
    """Cut a message into P-DATA-TF PDUs.

    A deflated data set in a file may have an odd length. It gets a NUL behind it (PS3.5 A.5, PS3.8 Annex E), because some peers
    abort if a PDV's value has an odd length.

    Args:
        parts: The parts of the message: `COMMAND` and the encoded command set; 0 and the encoded data set, if there is one. The
            buffers that are yielded are slices of them.
        context_id: The presentation context.
        maximum_length: The most bytes of a PDU after its header of six bytes (PS3.8 D.1), at least
            `settings.LEAST_SEND_LENGTH`.

    Yields:
        Lists of some `BATCH` buffers, each of which ends with a whole PDU. The end of the command set and the start of the data
        set are in one list.
    """
    # A PDV's value has an even length.
    size = (maximum_length - 6) & ~1
    batch: list[Buffer] = []
    for control, data in parts:
        start = 0
        if len(data) > size:
            header = _HEADERS.pack(P_DATA_TF, size + 6, size + 2, context_id, control)
            for start in range(size, len(data), size):
                batch += (header, data[start - size : start])
                if len(batch) >= BATCH:
                    yield batch
                    batch = []
        rest = len(data) - start
        even = rest + (rest & 1)
        batch += (_HEADERS.pack(P_DATA_TF, even + 6, even + 2, context_id, control | LAST), data[start:])
        if even > rest:
            batch.append(b"\0")
    yield batch


# A call makes it, because Python would compile the annotations of a class at every start.
Fragment = NamedTuple("Fragment", [("context_id", int), ("control", int), ("data", memoryview), ("ends", bool)])
"""A piece of a PDV's value that has arrived.

Attributes:
    context_id: The presentation context.
    control: The message control header: `COMMAND`, `LAST`.
    data: A slice of the receive buffer, valid until the next receive.
    ends: True for the last piece of the PDV.
"""


class PDVReader:
    """A parser for the variable field of P-DATA-TF PDUs.

    Attributes:
        left: Bytes of the current PDU that have not arrived; 0 between PDUs.
    """

    __slots__ = ("_context_id", "_control", "_held", "_pdvs", "_value_left", "left")

    def __init__(self) -> None:
        self.left = 0
        # An incomplete PDV header.
        self._held = bytearray()
        # Bytes of the current PDV's value that have not arrived; -1 before its header is complete.
        self._value_left = -1
        self._context_id = self._control = self._pdvs = 0

    def begin(self, length: int) -> None:
        """Begin a PDU of `length` bytes after its header."""
        self.left = length
        self._pdvs = 0

    def read(self, data: memoryview, position: int, take: Callable[[Fragment], object]) -> int:
        """Parse the bytes of the current PDU in `data`, beginning at `position`.

        Args:
            data: The bytes that have arrived.
            position: The position of the rest of the PDU in `data`.
            take: A function that is called with each fragment.

        Returns:
            The position after the PDU's bytes; the end of `data` if all of them belong to the PDU.

        Raises:
            RemoteProtocolError: A PDV's length does not fit its PDU (abort reason 6). The fragments before it have been taken.
        """
        end = min(len(data), position + self.left)
        while position < end:
            if self._value_left < 0:
                position += self._read_header(data, position, end)
                if self._value_left:
                    continue
            here = min(self._value_left, end - position)
            self._value_left -= here
            self.left -= here
            ends = self._value_left == 0
            take(Fragment(self._context_id, self._control, data[position : position + here], ends))
            position += here
            if ends:
                self._value_left = -1
        return position

    def _read_header(self, data: memoryview, position: int, end: int) -> int:
        """Read the PDV header at `position`, as far as it has arrived, and return the number of bytes read."""
        if self._held or end - position < 6:
            taken = min(6 - len(self._held), end - position)
            self._held += data[position : position + taken]
            self.left -= taken
            if len(self._held) < 6:
                if self.left == 0:
                    raise RemoteProtocolError("a P-DATA-TF PDU ends within a PDV's header")
                return taken
            length, self._context_id, self._control = _PDV_HEADER.unpack(self._held)
            self._held.clear()
        else:
            taken = 6
            self.left -= 6
            length, self._context_id, self._control = _PDV_HEADER.unpack_from(data, position)
        self._pdvs += 1
        if not 2 <= length <= self.left + 2:
            raise RemoteProtocolError(f"a PDV length of {length} does not fit its PDU ({self.left + 2} bytes are left)")
        if self._pdvs > MOST_PDVS_IN_A_PDU:
            raise RemoteProtocolError(f"more than {MOST_PDVS_IN_A_PDU} PDVs in one PDU")
        self._value_left = length - 2
        return taken
