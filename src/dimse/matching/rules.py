"""The rules of matching: those that an association has negotiated, and those that a server is configured with."""

from __future__ import annotations

from dimse.support.values import value


@value
class Rules:
    """The rules by which keys are matched.

    The first four are negotiated (PS3.4 C.5); without negotiation they are off.

    Attributes:
        date_time: Two keys that are ranges of a date and of its time are matched together, as one range.
        fuzzy: Names match by their words too.
        empty_values: A key of two quotation marks matches an attribute without a value.
        multiple_values: All values of a key must match, not just one.
        match_case: Text other than names is compared with regard to case, whatever its VR.
        match_unknown: An attribute without a value matches every key (PS3.4 C.2.2.1.2). Off by default, because a query for one
            Patient ID would then return every study without a Patient ID.
        utc_offset: Minutes that local time is ahead of UTC, for date-times that do not say theirs.
    """

    date_time: bool = False
    fuzzy: bool = False
    empty_values: bool = False
    multiple_values: bool = False
    match_case: bool = False
    match_unknown: bool = False
    utc_offset: int = 0
