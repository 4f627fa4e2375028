"""pynetdicom's own tests of its applications, with our tools in their place: the command line as others measure it.

A script that was written for those applications finds here where ours differ, and why.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.interop import pynetdicom_apps

NEEDED = "proposes what the files need, where 120 contexts are counted"
SERVES = "ends on SIGTERM with exit status 0, where another is expected, and announces 131072 bytes, where 16382 are"
HONEST = "a shortfall is exit status 3, where 0 is expected"

# The function that starts the application by its command, where it is not `start_{application}_cli`.
STARTED_BY = {"findscu": "start_findscu_scli"}

# By application, the tests that fail with ours, each a choice. Every one runs twice: the script and the command line.
KNOWN_DIFFERENCES = {
    "echoscu": {
        "test_flag_td": f"no response came: {HONEST}",
    },
    "storescu": {
        "test_default": NEEDED,
        "test_flag_xe": NEEDED,
        "test_flag_xb": NEEDED,
        "test_flag_xi": NEEDED,
        "test_flag_td": f"no response came: {HONEST}",
        "test_bad_input": f"there was nothing to send: {HONEST}",
        "test_recurse": "two of the six files hold one SOP instance, byte for byte: it is sent once",
    },
    "findscu": {
        "test_default": "proposes the one model that the query needs, where 19 contexts are counted",
        "test_flag_td": f"no response came: {HONEST}",
    },
    "echoscp": {
        "test_default": SERVES,
    },
    "storescp": {
        "test_default": SERVES,
    },
}


@pytest.mark.thorough
@pytest.mark.timeout(pynetdicom_apps.SECONDS + 30)
@pytest.mark.parametrize("application", KNOWN_DIFFERENCES)
def test_only_the_known_differences_fail(application: str, tmp_path: Path) -> None:
    where = [str(pynetdicom_apps.PORT)] if application.endswith("scp") else ["localhost", str(pynetdicom_apps.PORT)]
    commands: dict[str, pynetdicom_apps.Command] = {
        f"start_{application}": [sys.executable, "-m", "dimse", application, *where],
        STARTED_BY.get(application, f"start_{application}_cli"): [Path(sys.executable).with_name(application), *where],
    }
    outcomes = pynetdicom_apps.outcomes(application, commands, tmp_path)
    failed = {name: reason for name, reason in outcomes.items() if reason}
    classes = {name.partition("::")[0] for name in outcomes}
    known = {f"{name}::{test}" for name in classes for test in KNOWN_DIFFERENCES[application]}
    assert len(classes) == len(commands)
    assert {name: reason for name, reason in failed.items() if name not in known} == {}
    assert known - set(failed) == set(), "these differ no longer: take them out of the table"
