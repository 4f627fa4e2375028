"""P-DATA-TF (PS3.8 9.3.5, Annex E): cut a message into PDUs to send, and take PDUs apart as their bytes arrive.

This is the path of every byte of every image, so it is written by hand and copies nothing: what is sent are slices of the
caller's buffer between ready-made headers, what is received are slices of the receive buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from dimse.errors import RemoteProtocolError
from dimse.upper_layer.pdv import LAST

P_DATA_TF = 0x04

# PDU type and length, then item length, presentation context ID and message control header: one PDV in each PDU that we send.
_HEADERS = Struct(">BxLLBB")
_PDV_HEADER = Struct(">LBB")

# Buffers in one system call: each costs, and the system takes no more than 1,024.
BATCH = 64

MOST_PDVS_IN_A_PDU = 1024

Buffer = bytes | memoryview


def cut(parts: Iterable[tuple[int, Buffer]], context_id: int, maximum_length: int) -> Iterator[list[Buffer]]:
    """Cut a message into P-DATA-TF PDUs.

    A data set of odd length, which a deflated one in a file may have, gets a NUL behind it (PS3.5 A.5, PS3.8 Annex E): there are
    peers that abort where a PDV's value is odd.

    Args:
        parts: Message control header and bytes of what it consists of: `COMMAND` and the encoded command set; 0 and the encoded
            data set, if there is one. Slices of them are what comes out.
        context_id: The presentation context.
        maximum_length: The most bytes of a PDU after its header of six (PS3.8 D.1), at least
            `settings.LEAST_SEND_LENGTH`.

    Yields:
        Lists of `BATCH` buffers or few more, each list ending with a whole PDU; the end of the command set and the start of the
        data set are in one list.
    """
    size = (maximum_length - 6) & ~1  # a PDV's value has an even length
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


# Made by a call, here and elsewhere: to a class with annotations Python would compile each of them anew, at every start.
Fragment = NamedTuple("Fragment", [("context_id", int), ("control", int), ("data", memoryview), ("ends", bool)])
"""A piece of a PDV's value, as much of it as has arrived.

Attributes:
    context_id: The presentation context.
    control: The message control header: `COMMAND`, `LAST`.
    data: A slice of the receive buffer, valid until the next receive.
    ends: Is this the PDV's last piece?
"""


class PDVReader:
    """Takes the variable field of P-DATA-TF PDUs apart.

    Attributes:
        left: Bytes of the current PDU that have not arrived; 0 between PDUs.
    """

    __slots__ = ("_context_id", "_control", "_held", "_pdvs", "_value_left", "left")

    def __init__(self) -> None:
        self.left = 0
        self._held = bytearray()  # a PDV header that has arrived in part
        self._value_left = -1  # bytes of the current PDV's value to come; -1 while its header is
        self._context_id = self._control = self._pdvs = 0

    def begin(self, length: int) -> None:
        """A PDU of `length` bytes after its header starts."""
        self.left = length
        self._pdvs = 0

    def read(self, data: memoryview, position: int, take: Callable[[Fragment], object]) -> int:
        """Take what belongs to the current PDU from `data`, beginning at `position`.

        Args:
            data: What has arrived.
            position: Where in it the rest of the PDU begins.
            take: Called with each fragment.

        Returns:
            Where what does not belong to the PDU begins: the end of `data`, if all does.

        Raises:
            RemoteProtocolError: A PDV's length does not fit its PDU (abort reason 6); the fragments before it stand.
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
        """Take the PDV header at `position`, or the part of it that is here; returns the number of bytes taken."""
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
