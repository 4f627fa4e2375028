"""The end of one C-FIND of findscu."""

from __future__ import annotations

import dimse
from dimse.support.values import value


@value
class Found:
    """The end of a C-FIND.

    Attributes:
        status: The status of the final response; None if no final response came.
        offending: The tags of the keys that the peer has refused.
        failure: The error of a status that is no success.
        is_limited: True if we have ended it after as many matches as the user wants.
        is_cancelled: True if a C-CANCEL went out, or the user has interrupted the program.
        is_cut: True if the peer has cut the result short.
    """

    status: dimse.Status | None
    offending: tuple[int, ...]
    failure: dimse.StatusError | None
    is_limited: bool
    is_cancelled: bool
    is_cut: bool
