"""The user information of a peer (PS3.7 D.3.3): which item counts if one is missing, repeated or contradictory.

docs/tolerance.md has the rule for each item. Each function adds the faults that it tolerated to `Oddities`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TypeVar

from dimse.errors import UnusableMaximumLength
from dimse.settings import LEAST_SEND_LENGTH, ExtendedNegotiation
from dimse.upper_layer import pdu
from dimse.upper_layer.codec import Oddities

DEFAULT_MAXIMUM_LENGTH = 16384
"""The most bytes of a P-DATA-TF PDU if the peer does not announce its maximum length."""


_Item = TypeVar("_Item", bound=pdu.UserInformationItem)


def find(items: Iterable[pdu.UserInformationItem], kind: type[_Item]) -> _Item | None:
    """Return the user information item of a kind, or None."""
    return next((item for item in items if isinstance(item, kind)), None)


def find_all(items: Iterable[pdu.UserInformationItem], kind: type[_Item]) -> list[_Item]:
    """Return every user information item of a kind."""
    return [item for item in items if isinstance(item, kind)]


def selected_roles(items: Iterable[pdu.UserInformationItem], odd: Oddities) -> dict[str, pdu.RoleSelection]:
    """Return the peer's role selection for each SOP class. A role counts if all items for the class have it as 1."""
    selected: dict[str, pdu.RoleSelection] = {}
    for item in find_all(items, pdu.RoleSelection):
        uid = item.sop_class_uid
        if max(item.scu_role, item.scp_role) > 1:
            odd.add(f"SCP/SCU Role Selection (54H) of {uid} with another value than 0 and 1: it counts as 0")
        role = pdu.RoleSelection(uid, int(item.scu_role == 1), int(item.scp_role == 1))
        if uid in selected:
            odd.add(f"SCP/SCU Role Selection (54H) of {uid} comes more than once: the narrower one counts")
            before = selected[uid]
            role = pdu.RoleSelection(uid, before.scu_role & role.scu_role, before.scp_role & role.scp_role)
        selected[uid] = role
    return selected


def first(items: Iterable[pdu.UserInformationItem], kind: type[_Item], name: str, odd: Oddities) -> _Item | None:
    """Return the first user information item of a kind, or None."""
    found = find_all(items, kind)
    if len(found) > 1:
        odd.add(f"{name} comes {len(found)} times: the first one counts")
    return found[0] if found else None


def window_of(items: Iterable[pdu.UserInformationItem], odd: Oddities) -> pdu.AsynchronousOperationsWindow | None:
    """Return the peer's asynchronous operations window, the narrower one of several, or None."""
    windows = find_all(items, pdu.AsynchronousOperationsWindow)
    if not windows:
        return None
    if len(windows) > 1:
        odd.add(f"Asynchronous Operations Window (53H) comes {len(windows)} times: the smaller one counts")
    return pdu.AsynchronousOperationsWindow(
        reduce(narrower, [window.maximum_invoked for window in windows]),
        reduce(narrower, [window.maximum_performed for window in windows]),
    )


def narrower(one: int, other: int) -> int:
    """Return the narrower of two asynchronous operations windows; 0 is unlimited (PS3.7 D.3.3.3)."""
    return min(one, other) if one and other else one or other


def send_length(items: Iterable[pdu.UserInformationItem], cap: int, odd: Oddities) -> int:
    """Return the most bytes of a PDU to send: the peer's maximum length, at most `cap`.

    It does not include the PDU's header, and 0 means no limit (PS3.8 D.1).

    Raises:
        UnusableMaximumLength: The peer's maximum length is too small to send anything.
    """
    announced = [item.length for item in find_all(items, pdu.MaximumLength)]
    if not announced:
        odd.add(f"Maximum Length (51H) is missing: {DEFAULT_MAXIMUM_LENGTH} bytes are taken")
        announced = [DEFAULT_MAXIMUM_LENGTH]
    if len(announced) > 1:
        odd.add(f"Maximum Length (51H) comes {len(announced)} times: the smallest that is not 0 counts")
    length = min((one for one in announced if one), default=0)
    if 0 < length < LEAST_SEND_LENGTH:
        raise UnusableMaximumLength(f"the peer's maximum length of {length} bytes is too small to send anything in")
    return min(length, cap) if length else cap


def extended(items: Iterable[pdu.UserInformationItem], odd: Oddities) -> tuple[ExtendedNegotiation, ...]:
    """Return the peer's application information: the first item for each SOP class."""
    found = find_all(items, pdu.SOPClassExtendedNegotiation)
    kept: dict[str, ExtendedNegotiation] = {}
    for item in found:
        kept.setdefault(item.sop_class_uid, ExtendedNegotiation(item.sop_class_uid, item.information))
    if len(kept) < len(found):
        odd.add("SOP Class Extended Negotiation (56H) of one SOP class comes more than once: the first one counts")
    return tuple(kept.values())
