"""The outcome of an instance that was to be stored (PS3.4 Annex B)."""

from __future__ import annotations

from typing import Any, Literal

from dimse.errors import DimseError, FileError, NoPresentationContext, NotSent
from dimse.message.status import Status
from dimse.support.values import field, value
from dimse.upper_layer.negotiation import PresentationContext

State = Literal["stored", "warning", "refused", "unknown", "unsent", "invalid", "already"]


@value
class Outcome:
    """What became of one instance that was to be stored.

    Attributes:
        path: Its file, as given.
        status: The peer's answer; None if there is none.
        error: Why there is no status: the file cannot be sent, no context fits it (the association stands), or the association
            ended before the answer came, and it is unknown whether the peer has the instance.
        sop_instance_uid: Its SOP instance UID; empty where the file was refused before it was known, as for the next two.
        sop_class_uid: Its SOP class UID.
        transfer_syntax_uid: The transfer syntax that it is stored in.
        context: The presentation context that it was sent on, whose transfer syntax it was sent in; None if it was not sent.
        size: Bytes of its data set: as sent, else as stored; 0 where that is not known.
        seconds: From the first byte of its request to the peer's answer; 0 without one.
        attempts: How often it was sent; 0 is never.
        source: The very object that was given.
    """

    path: str
    status: Status | None = None
    error: DimseError | None = None
    sop_instance_uid: str = ""
    sop_class_uid: str = ""
    transfer_syntax_uid: str = ""
    context: PresentationContext | None = None
    size: int = 0
    seconds: float = 0.0
    attempts: int = 0
    source: Any = field(default=None, repr=False)

    @property
    def state(self) -> State:
        """The outcome in one word.

        "stored", "warning" (stored, and there is something to know about it), "refused" by the peer, "unknown" (it may or may not
        have arrived), "unsent" (by no fault of its own), "invalid" (its file), or "already" acknowledged in an earlier run.
        """
        if self.status is None:
            return next((state for errors, state in _STATES if isinstance(self.error, errors)), "unknown")
        if not self.attempts:
            return "already"
        if self.status.is_success:
            return "stored"
        return "warning" if self.status.is_warning else "refused"


_STATES: tuple[tuple[tuple[type[DimseError], ...], State], ...] = (
    ((NoPresentationContext, NotSent), "unsent"),
    ((FileError,), "invalid"),
)
