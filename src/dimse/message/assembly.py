"""Fragments of a message put together (PS3.7 6.3.1, PS3.8 Annex E): command set first, then where its data set goes."""

from __future__ import annotations

from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message.command import Message
from dimse.message.elements import MAX_COMMAND_SET
from dimse.message.layout import Decoder
from dimse.support.values import value
from dimse.upper_layer.pdv import COMMAND, LAST

MAX_EMPTY_PDVS = 64  # one after the other: fragments that carry nothing are legal, a stream of them is an attack


@value
class CommandSet:
    """A complete command set.

    Attributes:
        context_id: The presentation context it came on, and that its data set must come on.
        message: The message; `InvalidCommand` where it is none we know: to be answered once its data set is drained.
        has_data_set: Whether a data set follows.
    """

    context_id: int
    message: Message | InvalidCommand
    has_data_set: bool


@value
class DataSetPart:
    """Says that what was just fed belongs to the data set of the last command: `DATA_SET_PART` or `DATA_SET_END`.

    Attributes:
        last: Whether the data set ends with it. What was fed may be empty.
    """

    last: bool


DATA_SET_PART = DataSetPart(last=False)
DATA_SET_END = DataSetPart(last=True)

Fragment = CommandSet | DataSetPart | None
"""What `Assembler.feed` says of a fragment; None: part of a command set that is not complete."""


class Assembler:
    """Tells what each fragment of one association is, as it arrives.

    The bytes of a data set are not touched: `feed` answers with one of two constants, and the caller, who holds the
    bytes, passes them on. After a `RemoteProtocolError` there is nothing more to feed.
    """

    __slots__ = ("_command", "_command_context", "_data_set_context", "_decode", "_empty_pdvs", "_pdv_has_value")

    def __init__(self) -> None:
        self._command = bytearray()
        self._command_context: int | None = None  # while a command set is incomplete
        self._data_set_context: int | None = None  # while a data set is due
        self._empty_pdvs = 0
        self._pdv_has_value = False
        self._decode = Decoder().decode

    @property
    def expecting_data_set(self) -> bool:
        """Whether the last command's data set has not ended yet."""
        return self._data_set_context is not None

    @property
    def between_messages(self) -> bool:
        """Whether nothing of a message has come that is not complete."""
        return self._data_set_context is None and self._command_context is None

    def feed(self, context_id: int, control: int, data: bytes | memoryview, ends: bool) -> Fragment:
        """Take a presentation data value, or a piece of one.

        Args:
            context_id: The PDV's presentation context ID.
            control: Its message control header, of which only the two bits that are defined count.
            data: The bytes of its value that have arrived since the last call; nothing of them is kept but parts of a
                command set, by copy.
            ends: Whether the PDV is complete with them.

        Returns:
            A `CommandSet` when one is complete, None while it is not; `DATA_SET_PART` or `DATA_SET_END` where `data`
            belongs to the data set.

        Raises:
            RemoteProtocolError: The fragment is not allowed here, or the command set is broken.
        """
        if data:
            self._pdv_has_value = True
        if ends:
            if not self._pdv_has_value:
                self._count_empty_pdv()
            elif self._empty_pdvs:
                self._empty_pdvs = 0
            self._pdv_has_value = False
        if control & COMMAND:
            return self._feed_command(context_id, data, ends and bool(control & LAST))
        if context_id != self._data_set_context:
            raise self._misplaced_data_set(context_id)
        if ends and control & LAST:
            self._data_set_context = None
            return DATA_SET_END
        return DATA_SET_PART

    def _count_empty_pdv(self) -> None:
        self._empty_pdvs += 1
        if self._empty_pdvs > MAX_EMPTY_PDVS:
            raise _not_allowed(f"more than {MAX_EMPTY_PDVS} empty PDVs one after the other")

    def _feed_command(self, context_id: int, data: bytes | memoryview, complete: bool) -> CommandSet | None:
        if self._data_set_context is not None:
            raise _not_allowed(f"a command on context {context_id} where a data set is due on {self._data_set_context}")
        if self._command_context is not None and self._command_context != context_id:
            raise _not_allowed(f"a command begun on context {self._command_context} goes on on {context_id}")
        if len(self._command) + len(data) > MAX_COMMAND_SET:
            raise _not_allowed(f"a command set of more than {MAX_COMMAND_SET} bytes")
        if not complete:
            self._command_context = context_id
            self._command += data
            return None
        if self._command:  # it came in pieces; usually it comes whole, and is not copied
            data = bytes(self._command + data)
            self._command.clear()
        if not data:
            raise _not_allowed("an empty command set")
        self._command_context = None
        command = self._command_set(context_id, data)
        if command.has_data_set:
            self._data_set_context = context_id
        return command

    def _command_set(self, context_id: int, data: bytes | memoryview) -> CommandSet:
        try:
            message = self._decode(data)
        except InvalidCommand as invalid:
            # As a value it must not hold the caller's receive buffer by the frames of its traceback.
            return CommandSet(context_id, invalid.with_traceback(None), bool(invalid.elements["has_data_set"]))
        return CommandSet(context_id, message, message.has_data_set)

    def _misplaced_data_set(self, context_id: int) -> RemoteProtocolError:
        if self._data_set_context is None:
            return _not_allowed(f"a data set fragment on context {context_id} where none is due")
        return _not_allowed(f"a data set fragment on context {context_id}, its command was on {self._data_set_context}")


def _not_allowed(reason: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"unexpected message fragment: {reason}", abort_source=0, abort_reason=0)
