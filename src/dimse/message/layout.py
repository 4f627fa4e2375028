"""Layouts of command sets: a peer writes all messages of one kind alike, so a known layout saves searching for the elements."""

from __future__ import annotations

import struct

from dimse.message.command import Message, decode
from dimse.message.elements import ELEMENTS, MAX_UID, split

# Layouts that are kept for one peer. Its UIDs have a few lengths, and some of its messages have more elements than others.
MAX_LAYOUTS = 16
# Bytes of a command set whose layout is kept. No command set of the Standard needs more.
MAX_SIZE = 1024


class Layout:
    """The layout that several command sets share.

    They have the same length, and the same bytes except for the numbers and UIDs that are fields of the message. These have other
    values, but the same places and lengths. So if one of the command sets is a certain message, the others are that message too.
    """

    __slots__ = ("_common", "_message", "_numbers", "_uids", "_unpack", "_values")

    def __init__(self, data: bytes | memoryview, message: Message) -> None:
        """Find the layout of a command set.

        Args:
            data: The bytes of the command set, of which nothing is kept.
            message: The message that `decode` has made of them.
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
        # The bytes before each value, and behind the last one.
        self._common = self._unpack(data)[::2]
        fields = [(2 * number + 1, vr, field) for number, (_, _, vr, field) in enumerate(varying)]
        self._numbers = [(part, field) for part, vr, field in fields if vr == "US"]
        self._uids = [(part, field) for part, vr, field in fields if vr == "UI"]

    def read(self, data: bytes | memoryview) -> Message | None:
        """Return the message of a command set of the same length; None if its layout differs."""
        parts = self._unpack(data)
        if parts[::2] != self._common:
            return None
        values = self._values.copy()
        for part, field in self._numbers:
            values[field] = parts[part]
        for part, field in self._uids:
            values[field] = uid = parts[part].strip(b"\0 ").decode("latin-1")
            # An empty value counts as absent.
            if not uid:
                return None
        return self._message.of(values)


class Decoder:
    """A decoder for the command sets of one peer, equivalent to `decode`. A known layout takes a fifth of the time."""

    __slots__ = ("_layouts",)

    def __init__(self) -> None:
        self._layouts: dict[int, Layout] = {}  # the last one of each length

    def decode(self, data: bytes | memoryview) -> Message:
        """Return the message in a complete command set. Nothing of `data` is kept.

        Raises:
            RemoteProtocolError, InvalidCommand: See `decode`.
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
