"""Table 9-10 against two transcriptions that are not ours to print: typed again by event here, and a peer's own table."""

from __future__ import annotations

import json
import subprocess

import pytest

from dimse.upper_layer.fsm import ACTIONS, EVENTS, STATES, TRANSITIONS
from tests.interop import peers

ALL_STATES = tuple(f"Sta{number}" for number in range(1, 14))
ALL_EVENTS = tuple(f"Evt{number}" for number in range(1, 20))

# PS3.8 Table 9-10 by event: which action in which states.
BY_EVENT = {
    "Evt1": {"AE-1": "1"},
    "Evt2": {"AE-2": "4"},
    "Evt3": {"AA-1": "2", "AE-3": "5", "AA-8": "3 6 7 8 9 10 11 12", "AA-6": "13"},
    "Evt4": {"AA-1": "2", "AE-4": "5", "AA-8": "3 6 7 8 9 10 11 12", "AA-6": "13"},
    "Evt5": {"AE-5": "1"},
    "Evt6": {"AE-6": "2", "AA-8": "3 5 6 7 8 9 10 11 12", "AA-7": "13"},
    "Evt7": {"AE-7": "3"},
    "Evt8": {"AE-8": "3"},
    "Evt9": {"DT-1": "6", "AR-7": "8"},
    "Evt10": {"AA-1": "2", "DT-2": "6", "AR-6": "7", "AA-8": "3 5 8 9 10 11 12", "AA-6": "13"},
    "Evt11": {"AR-1": "6"},
    "Evt12": {"AA-1": "2", "AR-2": "6", "AR-8": "7", "AA-8": "3 5 8 9 10 11 12", "AA-6": "13"},
    "Evt13": {"AA-1": "2", "AR-3": "7 11", "AR-10": "10", "AA-8": "3 5 6 8 9 12", "AA-6": "13"},
    "Evt14": {"AR-4": "8 12", "AR-9": "9"},
    "Evt15": {"AA-2": "4", "AA-1": "3 5 6 7 8 9 10 11 12"},
    "Evt16": {"AA-2": "2 13", "AA-3": "3 5 6 7 8 9 10 11 12"},
    "Evt17": {"AA-5": "2", "AA-4": "3 4 5 6 7 8 9 10 11 12", "AR-5": "13"},
    "Evt18": {"AA-2": "2 13"},
    "Evt19": {"AA-1": "2", "AA-8": "3 5 6 7 8 9 10 11 12", "AA-7": "13"},
}
TRANSCRIBED = {
    (event, f"Sta{state}"): action
    for event, actions in BY_EVENT.items()
    for action, states in actions.items()
    for state in states.split()
}

# PS3.8 Tables 9-6 to 9-9 by next state. AE-6 and AR-8 have a second one, which the provider chooses.
BY_NEXT_STATE = {
    "Sta1": "AE-4 AR-3 AR-5 AA-2 AA-3 AA-4 AA-5",
    "Sta2": "AE-5",
    "Sta3": "AE-6",
    "Sta4": "AE-1",
    "Sta5": "AE-2",
    "Sta6": "AE-3 AE-7 DT-1 DT-2",
    "Sta7": "AR-1 AR-6",
    "Sta8": "AR-2 AR-7",
    "Sta9": "AR-8",
    "Sta11": "AR-9",
    "Sta12": "AR-10",
    "Sta13": "AE-8 AR-4 AA-1 AA-6 AA-7 AA-8",
}
SECOND_NEXT_STATE = {"AE-6": "Sta13", "AR-8": "Sta10"}

PEER_TABLES = """
import json
from pynetdicom.fsm import ACTIONS, TRANSITION_TABLE
print(json.dumps({
    "transitions": [[event, state, action] for (event, state), action in TRANSITION_TABLE.items()],
    "next states": {name: action[2] for name, action in ACTIONS.items()},
}))
"""


def cells(table: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """Return all 247 cells; "" where the Standard leaves one undefined."""
    return {(event, state): table.get((event, state), "") for event in ALL_EVENTS for state in ALL_STATES}


def test_the_table_has_13_states_and_19_events() -> None:
    assert tuple(STATES) == ALL_STATES
    assert tuple(EVENTS) == ALL_EVENTS
    assert len(cells(TRANSITIONS)) == 247
    assert len(TRANSITIONS) == 123
    assert TRANSITIONS.keys() <= cells({}).keys()


def test_every_cell_is_as_transcribed_by_event() -> None:
    assert cells(TRANSITIONS) == cells(TRANSCRIBED)


def test_every_action_leads_where_tables_9_6_to_9_9_say() -> None:
    expected = {action: state for state, actions in BY_NEXT_STATE.items() for action in actions.split()}
    assert {name: action.next_state for name, action in ACTIONS.items()} == expected
    assert set(TRANSITIONS.values()) == set(ACTIONS)


@pytest.mark.parametrize(
    ("event", "name"), [("Evt1", "A-ASSOCIATE request (local user)"), ("Evt18", "ARTIM timer expired")]
)
def test_an_event_is_named_in_full(event: str, name: str) -> None:
    assert EVENTS[event] == name


def test_every_cell_and_next_state_is_as_in_a_peers_table() -> None:
    printed = subprocess.run(
        [peers.pynetdicom(), "-c", PEER_TABLES], stdout=subprocess.PIPE, check=True, timeout=50, text=True
    ).stdout
    theirs = json.loads(printed)
    assert cells({(event, state): action for event, state, action in theirs["transitions"]}) == cells(TRANSITIONS)
    for name, action in ACTIONS.items():
        expected = [action.next_state, SECOND_NEXT_STATE[name]] if name in SECOND_NEXT_STATE else action.next_state
        assert theirs["next states"][name] == expected, name
