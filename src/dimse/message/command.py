"""Command sets (PS3.7 6.3.1, 9.3 and 10.3): the 23 messages, and their bytes.

A message is a class whose fields are command elements. A field without a default is mandatory. One codec writes and reads all
messages from these declarations and the table in `elements`.

`decode` tolerates harmless faults of real peers: a missing or wrong group length, elements in any order, unknown elements (even
retired ones), and padding. Empty values count as absent. It is strict about the rest. It distinguishes a stream that can no
longer be read from a message that can be answered with a failure status.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, ClassVar, Self, dataclass_transform

from dimse.errors import InvalidCommand
from dimse.message.elements import WRITERS, Writer, command_set, read
from dimse.message.status import MISTYPED_ARGUMENT, UNRECOGNIZED_OPERATION
from dimse.support.values import Value

# Priority (0000,0700)
MEDIUM, HIGH, LOW = 0x0000, 0x0001, 0x0002

RESPONSE = 0x8000  # a bit of Command Field (0000,0100)

# The data set of a message, as its declaration has it.
ALWAYS, NEVER, MAY = True, False, None


# --- the messages, declared ------------------------------------------------------------------------------------------


# The encoding of a message class. First its elements in tag order, encoded with their defaults, or empty without one. Then for each
# field its place among them, and its writer.
_Writing = tuple[list[bytes], Mapping[str, tuple[int, Writer]]]


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=True)
class _Declared(Value):
    """A value with keyword-only fields, whose declarations become the tables that the codec needs.

    Most fields of most messages are absent, so an instance holds only the fields that were given.
    """

    name: ClassVar[str]
    """The name in the Standard, such as "C-STORE-RQ"."""
    command_field: ClassVar[int]
    """Command Field (0000,0100)."""
    data_set: ClassVar[bool | None]
    """The data set that goes with the command: `ALWAYS`, `NEVER` or `MAY`."""
    fields: ClassVar[frozenset[str]] = frozenset()
    """The names of all fields."""
    mandatory: ClassVar[frozenset[str]] = frozenset()
    """The names of the fields without a default."""
    # None until the first message of the class is written.
    _writing: ClassVar[_Writing | None]

    def __init_subclass__(cls, *, name: str = "", command_field: int = 0, data_set: bool | None = NEVER) -> None:
        cls.name, cls.command_field, cls.data_set = name, command_field, data_set
        declared = cls.__annotations__.keys() & WRITERS.keys()
        cls.fields |= declared
        cls.mandatory = (cls.mandatory | declared) - vars(cls).keys()
        if data_set is ALWAYS:
            type.__setattr__(cls, "has_data_set", True)
        cls._writing = None

    def __init__(self, **values: Any) -> None:
        if None in values.values():
            values = {field: value for field, value in values.items() if value is not None}
        if not self.mandatory <= values.keys():
            raise TypeError(f"{self.name} lacks {', '.join(sorted(self.mandatory - values.keys()))}")
        if not values.keys() <= self.fields:
            raise TypeError(f"{self.name} has no {', '.join(sorted(values.keys() - self.fields))}")
        if "has_data_set" in values and self.data_set is not MAY and values["has_data_set"] != self.data_set:
            raise ValueError(f"{self.name} {'always' if self.data_set else 'never'} carries a data set")
        _set_values(self, values)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Self:
        """Make a message of values that are known to be complete; the message owns them from now on."""
        message = cls.__new__(cls)
        _set_values(message, values)
        return message

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field) for field in self.fields)

    def __repr__(self) -> str:
        given = ", ".join(f"{field}={self.__dict__[field]!r}" for field in WRITERS if field in self.__dict__)
        return f"{type(self).__name__}({given})"


# Assigning to `__dict__` is refused, since a message is immutable.
_set_values = vars(_Declared)["__dict__"].__set__


class Message(_Declared):
    """The base class of all 23 messages.

    A field that is given as None counts as absent.

    Raises:
        TypeError: A mandatory field is missing, or the message has no such field.
        ValueError: `has_data_set` contradicts the declaration of the message.
    """

    has_data_set: bool = False
    """True if a data set follows the command: Command Data Set Type (0000,0800) is not 0101H."""

    is_request: ClassVar[bool] = True


class Request(Message):
    """A request, which is answered by its message ID."""

    message_id: int


class Response(Message):
    """A response, with the fields that every response may carry, including those that Annex C relates to a status."""

    is_request: ClassVar[bool] = False

    message_id_being_responded_to: int
    status: int
    affected_sop_class_uid: str | None = None
    affected_sop_instance_uid: str | None = None
    offending_element: tuple[int, ...] | None = None
    error_comment: str | None = None
    error_id: int | None = None
    attribute_identifier_list: tuple[int, ...] | None = None


class CStoreRQ(Request, name="C-STORE-RQ", command_field=0x0001, data_set=ALWAYS):
    """The C-STORE-RQ message (PS3.7 Table 9.3-1)."""

    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    priority: int = MEDIUM
    move_originator_application_entity_title: str | None = None
    move_originator_message_id: int | None = None


class CStoreRSP(Response, name="C-STORE-RSP", command_field=0x8001, data_set=NEVER):
    """The C-STORE-RSP message (PS3.7 Table 9.3-2)."""


class _QueryRetrieveRQ(Request):
    """A request whose data set is an Identifier."""

    affected_sop_class_uid: str
    priority: int = MEDIUM


class CFindRQ(_QueryRetrieveRQ, name="C-FIND-RQ", command_field=0x0020, data_set=ALWAYS):
    """The C-FIND-RQ message (PS3.7 Table 9.3-3)."""


class CFindRSP(Response, name="C-FIND-RSP", command_field=0x8020, data_set=MAY):
    """The C-FIND-RSP message (PS3.7 Table 9.3-4). Each pending response carries an Identifier, the last does not."""


class CGetRQ(_QueryRetrieveRQ, name="C-GET-RQ", command_field=0x0010, data_set=ALWAYS):
    """The C-GET-RQ message (PS3.7 Table 9.3-6)."""


class _RetrieveRSP(Response):
    """A response that counts sub-operations, and may carry the Failed SOP Instance UID List."""

    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None


class CGetRSP(_RetrieveRSP, name="C-GET-RSP", command_field=0x8010, data_set=MAY):
    """The C-GET-RSP message (PS3.7 Table 9.3-7)."""


class CMoveRQ(_QueryRetrieveRQ, name="C-MOVE-RQ", command_field=0x0021, data_set=ALWAYS):
    """The C-MOVE-RQ message (PS3.7 Table 9.3-9)."""

    move_destination: str


class CMoveRSP(_RetrieveRSP, name="C-MOVE-RSP", command_field=0x8021, data_set=MAY):
    """The C-MOVE-RSP message (PS3.7 Table 9.3-10)."""


class CEchoRQ(Request, name="C-ECHO-RQ", command_field=0x0030, data_set=NEVER):
    """The C-ECHO-RQ message (PS3.7 Table 9.3-12)."""

    affected_sop_class_uid: str


class CEchoRSP(Response, name="C-ECHO-RSP", command_field=0x8030, data_set=NEVER):
    """The C-ECHO-RSP message (PS3.7 Table 9.3-13)."""


class CCancelRQ(Message, name="C-CANCEL-RQ", command_field=0x0FFF, data_set=NEVER):
    """The C-CANCEL-RQ message (PS3.7 Tables 9.3-5, 9.3-8, 9.3-11).

    It ends the C-FIND, C-GET or C-MOVE that it names, and is itself not answered.
    """

    message_id_being_responded_to: int


class NEventReportRQ(Request, name="N-EVENT-REPORT-RQ", command_field=0x0100, data_set=MAY):
    """The N-EVENT-REPORT-RQ message (PS3.7 Table 10.3-1)."""

    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    event_type_id: int


class NEventReportRSP(Response, name="N-EVENT-REPORT-RSP", command_field=0x8100, data_set=MAY):
    """The N-EVENT-REPORT-RSP message (PS3.7 Table 10.3-2)."""

    event_type_id: int | None = None


class _InstanceRQ(Request):
    """A request about a SOP instance that exists."""

    requested_sop_class_uid: str
    requested_sop_instance_uid: str


class NGetRQ(_InstanceRQ, name="N-GET-RQ", command_field=0x0110, data_set=NEVER):
    """The N-GET-RQ message (PS3.7 Table 10.3-3)."""

    attribute_identifier_list: tuple[int, ...] | None = None


class NGetRSP(Response, name="N-GET-RSP", command_field=0x8110, data_set=MAY):
    """The N-GET-RSP message (PS3.7 Table 10.3-4)."""


class NSetRQ(_InstanceRQ, name="N-SET-RQ", command_field=0x0120, data_set=ALWAYS):
    """The N-SET-RQ message (PS3.7 Table 10.3-5)."""


class NSetRSP(Response, name="N-SET-RSP", command_field=0x8120, data_set=MAY):
    """The N-SET-RSP message (PS3.7 Table 10.3-6)."""


class NActionRQ(_InstanceRQ, name="N-ACTION-RQ", command_field=0x0130, data_set=MAY):
    """The N-ACTION-RQ message (PS3.7 Table 10.3-7)."""

    action_type_id: int


class NActionRSP(Response, name="N-ACTION-RSP", command_field=0x8130, data_set=MAY):
    """The N-ACTION-RSP message (PS3.7 Table 10.3-8)."""

    action_type_id: int | None = None


class NCreateRQ(Request, name="N-CREATE-RQ", command_field=0x0140, data_set=MAY):
    """The N-CREATE-RQ message (PS3.7 Table 10.3-9). Without an instance UID, the SCP chooses one."""

    affected_sop_class_uid: str
    affected_sop_instance_uid: str | None = None


class NCreateRSP(Response, name="N-CREATE-RSP", command_field=0x8140, data_set=MAY):
    """The N-CREATE-RSP message (PS3.7 Table 10.3-10)."""


class NDeleteRQ(_InstanceRQ, name="N-DELETE-RQ", command_field=0x0150, data_set=NEVER):
    """The N-DELETE-RQ message (PS3.7 Table 10.3-11)."""


class NDeleteRSP(Response, name="N-DELETE-RSP", command_field=0x8150, data_set=NEVER):
    """The N-DELETE-RSP message (PS3.7 Table 10.3-12)."""


RESPONSES: Mapping[type[Request], type[Response]] = {
    CStoreRQ: CStoreRSP,
    CFindRQ: CFindRSP,
    CGetRQ: CGetRSP,
    CMoveRQ: CMoveRSP,
    CEchoRQ: CEchoRSP,
    NEventReportRQ: NEventReportRSP,
    NGetRQ: NGetRSP,
    NSetRQ: NSetRSP,
    NActionRQ: NActionRSP,
    NCreateRQ: NCreateRSP,
    NDeleteRQ: NDeleteRSP,
}
"""The response class of each request that has one: all but C-CANCEL-RQ."""

_ALL: tuple[type[Message], ...] = (*RESPONSES, *RESPONSES.values(), CCancelRQ)

MESSAGES: Mapping[int, type[Message]] = {message.command_field: message for message in _ALL}
"""The 23 messages by Command Field (0000,0100)."""


def encode(message: Message) -> bytes:
    """Return the command set of `message`, including Command Group Length.

    Raises:
        ValueError: A field cannot be encoded: a UID or AE title is too long or empty, or a number is out of range.
    """
    defaults, places = message._writing or _writing_of(type(message))
    elements = defaults.copy()
    try:
        for field, value in message.__dict__.items():
            place, write = places[field]
            elements[place] = write(value)
        return command_set(elements)
    except struct.error as error:
        raise ValueError(f"{message!r} cannot be encoded: {error}") from error


def _writing_of(message: type[Message]) -> _Writing:
    """Return the encoding of a message class, and store it in the class."""
    written = [field for field in WRITERS if field == "command_field" or field in message.fields]
    defaults = [getattr(message, field, None) for field in written]
    elements = [b"" if value is None else WRITERS[field](value) for field, value in zip(written, defaults, strict=True)]
    message._writing = elements, {field: (place, WRITERS[field]) for place, field in enumerate(written)}
    return message._writing


def decode(data: bytes | memoryview) -> Message:
    """Return the message in a complete command set. Nothing of `data` is kept.

    Raises:
        RemoteProtocolError: The stream behind it can no longer be read (`elements.read`).
        InvalidCommand: The command set is well framed and not a message. The status is 0211H for an unknown Command Field. It is
            0212H if an element is missing or mistyped, or the data set is not as declared. `elements` has "has_data_set" too.
    """
    values, fault = read(data)
    if "command_field" not in values:
        raise InvalidCommand(fault or "no command_field", status=MISTYPED_ARGUMENT, elements=values)
    message = MESSAGES.get(values["command_field"])
    if message is None:
        fault = f"unknown command field 0x{values['command_field']:04X}"
        raise InvalidCommand(fault, status=UNRECOGNIZED_OPERATION, elements=values)
    if not fault and not message.mandatory <= values.keys():
        fault = f"no {', '.join(sorted(message.mandatory - values.keys()))}"
    if not fault and message.data_set is not MAY and values["has_data_set"] != message.data_set:
        fault = "no data set" if message.data_set else "a data set where none is due"
    if fault:
        raise InvalidCommand(f"{message.name}: {fault}", status=MISTYPED_ARGUMENT, elements=values)
    fields = message.fields
    return message.of({field: value for field, value in values.items() if field in fields})


# --- answering -------------------------------------------------------------------------------------------------------


def respond(request: Request, status: int, *, error_comment: str | None = None, **fields: Any) -> Response:
    """Return the response to `request`, with its message ID and SOP class and instance UIDs.

    Args:
        request: The request to answer.
        status: The DIMSE status.
        error_comment: The reason, if there is more to say.
        **fields: Further fields of the response, which also override those copied from the request.

    Raises:
        TypeError: The response has no such field.
        ValueError: `has_data_set` contradicts the declaration of the response.
    """
    response, values = RESPONSES[type(request)], _answer(request.__dict__, status)
    if error_comment is not None:
        values["error_comment"] = error_comment
    return response(**(values | fields)) if fields else response.of(values)


def refusal(invalid: InvalidCommand) -> bytes | None:
    """Return the command set that answers an unreadable request, with its status, and the fault as Error Comment.

    Returns:
        None if no answer is possible: for a response, a C-CANCEL-RQ, or without a readable Command Field or Message ID.
    """
    said: Any = invalid.elements
    command_field = said.get("command_field", RESPONSE)
    if command_field & RESPONSE or command_field == CCancelRQ.command_field or "message_id" not in said:
        return None
    answer = _answer(said, invalid.status)
    answer |= {"command_field": command_field | RESPONSE, "has_data_set": False, "error_comment": str(invalid)}
    return command_set([write(answer[field]) for field, write in WRITERS.items() if field in answer])


def _answer(said: Mapping[str, Any], status: int) -> dict[str, Any]:
    """Return the fields that a response repeats from its request (PS3.7 9.1 and 10.1), and its status."""
    answer = {"message_id_being_responded_to": said["message_id"], "status": status}
    if sop_class := said.get("affected_sop_class_uid") or said.get("requested_sop_class_uid"):
        answer["affected_sop_class_uid"] = sop_class
    if sop_instance := said.get("affected_sop_instance_uid") or said.get("requested_sop_instance_uid"):
        answer["affected_sop_instance_uid"] = sop_instance
    return answer
