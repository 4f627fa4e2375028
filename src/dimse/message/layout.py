"""Layouts of command sets: a peer writes all of one kind alike, so what was found in one is not looked for in the next."""

from __future__ import annotations

import struct

from dimse.message.command import Message, decode
from dimse.message.elements import ELEMENTS, MAX_UID, split

MAX_LAYOUTS = (
    16  # that are kept of one peer: its UIDs have a few lengths, and some of its messages more elements than others
)
MAX_SIZE = 1024  # bytes of a command set whose layout is kept; none that the Standard describes needs more


class Layout:
    """What the command sets that are laid out like a certain one have in common.

    They are as long, and byte by byte the same but for the numbers and UIDs that are fields of the message: those have other
    values, in the same places and as long. So what was true of that one is true of them: what message it is, and that it is one.
    """

    __slots__ = ("_common", "_message", "_numbers", "_uids", "_unpack", "_values")

    def __init__(self, data: bytes | memoryview, message: Message) -> None:
        """Find the layout of a command set.

        Args:
            data: Its bytes, of which nothing is kept.
            message: What `decode` has made of them.
        """
        spans, self._values = split(data), message.__dict__.copy()
        self._message = type(message)
        varying = sorted(
            (*spans[tag], vr, field)
            for field, (tag, vr) in ELEMENTS.items()
            if field in self._values and (vr == "US" or (vr == "UI" and spans[tag][1] <= MAX_UID))
        )
        parts, position = "<", 0
        for start, length, vr, _ in varying:
            parts += f"{start - position}s" + ("H" if vr == "US" else f"{length}s")
            position = start + length
        self._unpack = struct.Struct(f"{parts}{len(data) - position}s").unpack
        self._common = self._unpack(data)[::2]  # what stands before each of the values, and behind the last
        fields = [(2 * number + 1, vr, field) for number, (_, _, vr, field) in enumerate(varying)]
        self._numbers = [(part, field) for part, vr, field in fields if vr == "US"]
        self._uids = [(part, field) for part, vr, field in fields if vr == "UI"]

    def read(self, data: bytes | memoryview) -> Message | None:
        """The message of a command set that is as long; None if it is laid out otherwise."""
        parts = self._unpack(data)
        if parts[::2] != self._common:
            return None
        values = self._values.copy()
        for part, field in self._numbers:
            values[field] = parts[part]
        for part, field in self._uids:
            values[field] = uid = parts[part].strip(b"\0 ").decode("latin-1")
            if not uid:  # which counts as absent
                return None
        return self._message.of(values)


class Decoder:
    """Decodes the command sets of one peer, as `decode` does; one that is laid out like one before it in a fifth of the time."""

    __slots__ = ("_layouts",)

    def __init__(self) -> None:
        self._layouts: dict[int, Layout] = {}  # of each length the last

    def decode(self, data: bytes | memoryview) -> Message:
        """The message that a complete command set says. Nothing of `data` is kept.

        Raises:
            RemoteProtocolError, InvalidCommand: As of `decode`.
        """
        layout = self._layouts.get(len(data))
        message = layout.read(data) if layout else None
        return message or self._learn(data)

    def _learn(self, data: bytes | memoryview) -> Message:
        message = decode(data)
        if len(data) <= MAX_SIZE:
            if len(self._layouts) == MAX_LAYOUTS:
                self._layouts.clear()
            self._layouts[len(data)] = Layout(data, message)
        return message
