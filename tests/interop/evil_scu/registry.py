"""The table of attacks on an archive by name: functions of the victim, which verify the answers to the attacker."""

from __future__ import annotations

from collections.abc import Callable

from tests.interop.evil_scu.victim import Victim

Attack = Callable[[Victim], None]

ATTACKS: dict[str, Attack] = {}


def enter(name: str, attack: Attack) -> None:
    """Enter an attack into the table."""
    assert name not in ATTACKS, name
    ATTACKS[name] = attack


def attack(function: Attack) -> Attack:
    """Enter the decorated function into the table under its name."""
    enter(function.__name__, function)
    return function
