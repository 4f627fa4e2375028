"""An SCP for C-FIND over many studies that stops after a number of matches, and says so or does not.

    with serve_limited(studies(1000, days=30), limit=100, status=0xA700) as scp:
        ...  # an SCU that asks 127.0.0.1:scp.port

It matches Study Date and Study Time, and the empty value where that was negotiated, with the second implementation of
matching. Every request with its keys is on record in `scp.requests`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, timedelta

from tests.faulty_peer import ERROR_COMMENT
from tests.interop.evil import stock
from tests.interop.evil.conversation import EXTENDED_NEGOTIATION, PENDING, SUCCESS, Conversation, Request
from tests.interop.evil.registry import FIND, Behaviour
from tests.interop.evil_query import EvilSCP, serve
from tests.matching.reference import Element, Options, element, matches

STUDY_TIME = 0x00080030
VRS = {stock.STUDY_DATE: "DA", STUDY_TIME: "TM", stock.STUDY_UID: "UI", stock.PATIENT_ID: "LO"}

# The place of empty value matching among the features of extended negotiation (PS3.4 C.5.1.1).
EMPTY_VALUE = 5


@dataclass(frozen=True)
class Study:
    """A study: its UID, and date and time, each of which may be empty."""

    uid: str
    date: str
    time: str

    @property
    def values(self) -> dict[int, str]:
        """The values by tag."""
        return {stock.STUDY_DATE: self.date, STUDY_TIME: self.time, stock.STUDY_UID: self.uid, stock.PATIENT_ID: "P1"}


def studies(count: int, *, days: int = 365, undated: int = 0, first: date = date(2024, 1, 1)) -> list[Study]:
    """Return studies that are spread evenly over days and over the minutes of a day, the newest first.

    Args:
        count: How many.
        days: Over how many days, from `first` on; 1 puts all on one.
        undated: How many more have neither date nor time.
        first: The first day.
    """
    found = []
    for number in range(count):
        day = first + timedelta(days=number * days // count)
        minute = number * 7 % 1440
        found.append(Study(f"1.2.3.{number + 1}", f"{day:%Y%m%d}", f"{minute // 60:02}{minute % 60:02}00"))
    found.sort(key=lambda study: (study.date, study.time), reverse=True)
    return found + [Study(f"1.2.4.{number + 1}", "", "") for number in range(undated)]


def serve_limited(
    stored: Sequence[Study],
    limit: int,
    status: int = SUCCESS,
    *,
    comment: bytes = b"",
    empty_values: bool = False,
    seconds: float = 15.0,
) -> AbstractContextManager[EvilSCP]:
    """Serve studies on a free port of 127.0.0.1 until left.

    Args:
        stored: The studies, in the order of the matches.
        limit: The number of matches after which it stops; 0: none.
        status: The status it then ends with: A700H, B001H, or Success for a peer that stops in silence.
        comment: The Error Comment beside that status.
        empty_values: It accepts empty value matching where that is proposed.
        seconds: The longest that an association may last.
    """

    def accept(talk: Conversation) -> None:
        talk.read_request()
        proposed = [content for kind, content in talk.negotiation if kind == EXTENDED_NEGOTIATION]
        items = [(EXTENDED_NEGOTIATION, _accepted(content)) for content in proposed] if empty_values else []
        talk.send(talk.acceptance(negotiation=items))

    def act(talk: Conversation, request: Request) -> None:
        options = Options(empty_values=empty_values and _is_negotiated(talk))
        found = [study for study in stored if _matches(request, study, options)]
        for study in found[: limit or None]:
            talk.take_input()
            if request.message_id in talk.cancels:
                talk.final(request, 0xFE00)
                return
            talk.respond_to(request, PENDING, _identifier(request, study))
        cut = 0 < limit < len(found)
        padded = comment + b" " * (len(comment) % 2)
        talk.respond_to(request, status if cut else SUCCESS, changes={ERROR_COMMENT: padded} if cut and comment else {})

    return serve(Behaviour("limited", "Stop after a number of matches.", (FIND,), act, accept), FIND, seconds=seconds)


def _features(content: bytes) -> tuple[bytes, bytes]:
    """Return the SOP class UID with its length, and the features, of an extended negotiation item."""
    end = 2 + int.from_bytes(content[:2])
    return content[:end], content[end:]


def _accepted(content: bytes) -> bytes:
    """Return the answer to an item: empty value matching as proposed, and no other feature."""
    uid, proposed = _features(content)
    answer = bytearray(len(proposed))
    if len(proposed) > EMPTY_VALUE:
        answer[EMPTY_VALUE] = proposed[EMPTY_VALUE]
    return uid + bytes(answer)


def _is_negotiated(talk: Conversation) -> bool:
    items = [_features(content)[1] for kind, content in talk.negotiation if kind == EXTENDED_NEGOTIATION]
    return any(len(features) > EMPTY_VALUE and features[EMPTY_VALUE] == 1 for features in items)


def _matches(request: Request, study: Study, options: Options) -> bool:
    """Return True if the study matches the keys that the peer knows."""
    for tag, vr in VRS.items():
        key = request.keys.get(tag, (vr, b""))[1].decode("latin-1")
        stored: Element = element(vr, study.values[tag])
        if not matches(element(vr, key), stored, options, "PatientID" if tag == stock.PATIENT_ID else ""):
            return False
    return True


def _identifier(request: Request, study: Study) -> bytes:
    found = {tag: (VRS.get(tag, vr), study.values.get(tag, "")) for tag, (vr, _) in request.keys.items()}
    found[stock.LEVEL] = ("CS", request.level)
    return stock.encode(((tag, vr, value) for tag, (vr, value) in sorted(found.items())), explicit=request.explicit)
