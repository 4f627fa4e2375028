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
    "getscu": {
        "test_default": "proposes one model and 125 storage contexts, where 123 contexts and 120 roles are counted",
        "test_flag_td": f"no response came: {HONEST}",
        "test_flag_ignore": f"the sub-operation fails, since its SCP has no context for the instance: {HONEST}",
    },
    "movescu": {
        "test_default": "proposes the one model that the retrieval needs, where 13 contexts are counted",
        "test_flag_td": f"no response came: {HONEST}",
    },
    "echoscp": {
        "test_default": SERVES,
    },
    "storescp": {
        "test_default": SERVES,
    },
}


INSTANCES = "counts a response for each instance at a level above, where ours gives one for each entity"

# By suite of the tests of the archive, likewise.
KNOWN_DIFFERENCES_OF_THE_ARCHIVE = {
    "qrscp_echo": {"test_default": SERVES},
    "qrscp_find": {
        "test_pr_level_patient": INSTANCES,
        "test_pr_level_patient_req": INSTANCES,
        "test_pr_level_study": INSTANCES,
        "test_pr_level_study_req": INSTANCES,
        "test_pr_level_series": INSTANCES,
        "test_pr_level_series_req": INSTANCES,
        "test_pr_query": INSTANCES,
        "test_sr_query": INSTANCES,
    },
    "qrscp_get": {},
    "qrscp_move": {},
    "qrscp_store": {},
}


@pytest.mark.thorough
@pytest.mark.timeout(pynetdicom_apps.SECONDS + 30)
@pytest.mark.parametrize("suite", KNOWN_DIFFERENCES_OF_THE_ARCHIVE)
def test_only_the_known_differences_of_the_archive_fail(suite: str, tmp_path: Path) -> None:
    commands: dict[str, pynetdicom_apps.Command] = {
        "start_qrscp": [sys.executable, "-m", "dimse", "qrscp"],
        "start_qrscp_cli": [Path(sys.executable).with_name("qrscp")],
    }
    verify(pynetdicom_apps.outcomes(suite, commands, tmp_path), KNOWN_DIFFERENCES_OF_THE_ARCHIVE[suite])


@pytest.mark.thorough
@pytest.mark.timeout(pynetdicom_apps.SECONDS + 30)
@pytest.mark.parametrize("application", KNOWN_DIFFERENCES)
def test_only_the_known_differences_fail(application: str, tmp_path: Path) -> None:
    where = [str(pynetdicom_apps.PORT)] if application.endswith("scp") else ["localhost", str(pynetdicom_apps.PORT)]
    commands: dict[str, pynetdicom_apps.Command] = {
        f"start_{application}": [sys.executable, "-m", "dimse", application, *where],
        STARTED_BY.get(application, f"start_{application}_cli"): [Path(sys.executable).with_name(application), *where],
    }
    verify(pynetdicom_apps.outcomes(application, commands, tmp_path), KNOWN_DIFFERENCES[application])


def verify(outcomes: dict[str, str], differences: dict[str, str]) -> None:
    """Verify that the tests which failed are those that are known to differ, for the script and the command line alike."""
    failed = {name: reason for name, reason in outcomes.items() if reason}
    classes = {name.partition("::")[0] for name in outcomes}
    known = {f"{name}::{test}" for name in classes for test in differences}
    assert len(classes) == 2
    assert {name: reason for name, reason in failed.items() if name not in known} == {}
    assert known - set(failed) == set(), "these differ no longer: take them out of the table"
