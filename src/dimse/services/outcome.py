"""Outcomes of instances that were to be stored (PS3.4 Annex B)."""

from __future__ import annotations

from typing import Any, Literal

from dimse.errors import DimseError
from dimse.message.status import Status
from dimse.support.values import field, value
from dimse.upper_layer.negotiation import PresentationContext

State = Literal["stored", "warning", "refused", "unknown", "unsent", "invalid", "already"]


@value
class Outcome:
    """The outcome of one instance that was to be stored.

    Attributes:
        path: Its file, as given.
        status: The peer's answer; None without one.
        error: The reason why there is no status. Either the file cannot be sent, or no context fits it; then the association
            stands. Or the association ended before the answer came, and it is unknown whether the peer has the instance.
        sop_instance_uid: Its SOP instance UID; empty if the file was refused before it was known, as for the next two.
        sop_class_uid: Its SOP class UID.
        transfer_syntax_uid: The transfer syntax that it is stored in.
        context: The presentation context that it was sent on, whose transfer syntax it was sent in; None if it was not sent.
        size: Bytes of its data set: as sent, else as stored; 0 where that is not known.
        seconds: From the first byte of its request to the peer's answer; 0 without one.
        attempts: The number of times that it was sent; 0 is never.
        source: The object that the caller gave.
        started: The time when its request began to go out, seconds since 1970; 0 if it was not sent.
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
    started: float = 0.0

    @property
    def state(self) -> State:
        """The outcome in one word.

        "stored", or "warning" if the peer has stored it with a remark. "refused" by the peer. "unknown": it may or may not have
        arrived. "unsent", by no fault of its own. "invalid": its file cannot be sent. "already" acknowledged in an earlier run.
        """
        if self.status is None:
            from dimse.meanings import meaning_of

            return "unknown" if self.error is None else meaning_of(self.error).state
        if not self.attempts:
            return "already"
        if self.status.is_success:
            return "stored"
        return "warning" if self.status.is_warning else "refused"
