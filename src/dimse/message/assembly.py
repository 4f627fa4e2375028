"""Assembly of a message from its fragments (PS3.7 6.3.1, PS3.8 Annex E): the command set, then its data set."""

from __future__ import annotations

from dimse.errors import InvalidCommand, RemoteProtocolError
from dimse.message.command import Message
from dimse.message.elements import MAX_COMMAND_SET
from dimse.message.layout import Decoder
from dimse.support.values import value
from dimse.upper_layer.pdata import COMMAND, LAST

# Successive empty PDVs. They are legal, but an endless sequence of them is an attack.
MAX_EMPTY_PDVS = 64


@value
class CommandSet:
    """A complete command set.

    Attributes:
        context_id: The presentation context of the command set, and of its data set.
        message: The message, or `InvalidCommand` if it is unknown. The latter is answered once its data set has been drained.
        has_data_set: True if a data set follows.
    """

    context_id: int
    message: Message | InvalidCommand
    has_data_set: bool


@value
class DataSetPart:
    """A statement that the last fragment belongs to the current data set: `DATA_SET_PART` or `DATA_SET_END`.

    Attributes:
        last: True if the data set ends with this fragment, which may be empty.
    """

    last: bool


DATA_SET_PART = DataSetPart(last=False)
DATA_SET_END = DataSetPart(last=True)

Fragment = CommandSet | DataSetPart | None
"""A result of `Assembler.feed`. None: the fragment belongs to an incomplete command set."""


class Assembler:
    """A classifier for the fragments of one association, as they arrive.

    The bytes of a data set are not touched. `feed` returns one of two constants for them, and the caller passes them on. After a
    `RemoteProtocolError` nothing more may be fed.
    """

    __slots__ = ("_command", "_command_context", "_data_set_context", "_decode", "_empty_pdvs", "_pdv_has_value")

    def __init__(self) -> None:
        self._command = bytearray()
        # The context of an incomplete command set.
        self._command_context: int | None = None
        # The context of a data set that is expected.
        self._data_set_context: int | None = None
        self._empty_pdvs = 0
        self._pdv_has_value = False
        self._decode = Decoder().decode

    @property
    def expecting_data_set(self) -> bool:
        """True until the last command's data set has ended."""
        return self._data_set_context is not None

    @property
    def between_messages(self) -> bool:
        """True if no message has arrived in part."""
        return self._data_set_context is None and self._command_context is None

    def feed(self, context_id: int, control: int, data: bytes | memoryview, ends: bool) -> Fragment:
        """Take a presentation data value, or a piece of one.

        Args:
            context_id: The PDV's presentation context ID.
            control: The PDV's message control header; only the two defined bits count.
            data: The bytes of the value that have arrived since the last call. Only parts of a command set are kept, as a copy.
            ends: True if the PDV ends with these bytes.

        Returns:
            A complete `CommandSet`, or None while it is incomplete. `DATA_SET_PART` or `DATA_SET_END` if `data` belongs to the data
            set.

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
            raise _not_allowed(f"a command begun on context {self._command_context} continues on {context_id}")
        if len(self._command) + len(data) > MAX_COMMAND_SET:
            raise _not_allowed(f"a command set of more than {MAX_COMMAND_SET} bytes")
        if not complete:
            self._command_context = context_id
            self._command += data
            return None
        # Usually a command set arrives whole, and is not copied.
        if self._command:
            data = bytes(self._command + data)
            self._command.clear()
        if not data:
            raise _not_allowed("an empty command set")
        command = self._command_set(context_id, data)
        if command.has_data_set:
            self._data_set_context = context_id
        # Only now: at no moment may a message under way be overlooked.
        self._command_context = None
        return command

    def _command_set(self, context_id: int, data: bytes | memoryview) -> CommandSet:
        try:
            message = self._decode(data)
        except InvalidCommand as invalid:
            # The frames of its traceback would keep the caller's receive buffer alive.
            return CommandSet(context_id, invalid.with_traceback(None), bool(invalid.elements["has_data_set"]))
        return CommandSet(context_id, message, message.has_data_set)

    def _misplaced_data_set(self, context_id: int) -> RemoteProtocolError:
        if self._data_set_context is None:
            return _not_allowed(f"a data set fragment on context {context_id} where none is due")
        return _not_allowed(f"a data set fragment on context {context_id}, its command was on {self._data_set_context}")


def _not_allowed(reason: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"unexpected message fragment: {reason}", abort_source=0, abort_reason=0)
