"""getscu, movescu and retrieve against every behaviour of the evil SCP: an honest exit status, and nothing outside the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.evil.stock import STUDY
from tests.interop.evil_query import BEHAVIOURS, serve
from tests.interop.peers import free_port
from tests.tools.running import tool

# The behaviours after which everything that the peer says it has is here: any other is an exit status of 1 or 3.
HARMLESS = {
    "get": {
        "pdus_of_8_bytes", "extended_negotiation_of_noise", "features_not_asked", "roles_taken_away", "no_sop_class",
        "group_length_of_4_gib", "store_with_traversal_uid", "store_with_absolute_uid", "store_with_nul_in_uid",
        "same_message_id_twice", "stores_without_waiting", "compressed_bytes_on_uncompressed_context", "counts_too_low",
        "counts_absent", "warning_without_failures", "success_after_refused_stores",
    },
    "move": {
        "pdus_of_8_bytes", "extended_negotiation_of_noise", "features_not_asked", "pending_after_final", "no_sop_class",
        "group_length_of_4_gib", "counts_absent", "move_with_traversal_uid", "move_final_between_stores",
        "move_never_releases", "move_over_thirty_associations",
    },
}  # fmt: skip
# A late PDU may come before or behind the release, and a C-STORE that is not waited for before or behind the final response.
EITHER = {"pending_after_final", "two_finals", "two_different_finals", "final_before_store_response"}

CASES = [(name, operation) for operation in HARMLESS for name in BEHAVIOURS if operation in BEHAVIOURS[name].operations]
SECONDS = "0.4"


@pytest.mark.sample("store_with_traversal_uid-get", "counts_too_high-get", "move_stores_late-move")
@pytest.mark.parametrize(("name", "operation"), CASES, ids=lambda part: part)
def test_a_misbehaving_peer_ends_in_an_honest_exit_status(name: str, operation: str, tmp_path: Path) -> None:
    options = ["-td", SECONDS, "-tn", SECONDS, "-ta", SECONDS, "--retrieve-timeout-total", "2"]
    with serve(name, operation, seconds=12) as scp:
        if operation == "move":
            scp.destination = free_port()
            options += ["--store-port", str(scp.destination), "--settle", SECONDS]
        done = tool(
            f"{operation}scu", "-S", "127.0.0.1", scp.port, "--study-uid", STUDY, "-od", tmp_path / "in", *options
        )
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if name not in EITHER:
        assert (done.returncode == 0) is (name in HARMLESS[operation]), done.stderr
    assert done.returncode in (0, 1, 3)
    assert [entry.name for entry in tmp_path.iterdir()] in (["in"], [])
    if done.returncode:
        assert any(line.startswith("E: ") for line in done.stderr.splitlines())


# A study of which nothing comes is not complete, though the peer has broken no promise.
NOTHING_COMES = {"no_sop_class"}

# Behaviours of a C-FIND which the list of a study does not suffer from.
HONEST_LISTS = {"pdus_of_8_bytes", "extended_negotiation_of_noise", "features_not_asked", "match_with_broken_utf_8"}

# With the counts of the peer alone, a bulk retrieval can know no more than getscu and movescu.
BULK = [
    pytest.param(name, operation, marks=() if number % 10 == 0 else pytest.mark.campaign, id=f"{name}-{operation}")
    for number, (name, operation) in enumerate(
        [*CASES, *((name, "find") for name in BEHAVIOURS if "find" in BEHAVIOURS[name].operations)]
    )
]


@pytest.mark.parametrize(("name", "operation"), BULK)
def test_a_study_of_a_misbehaving_peer_is_complete_only_if_it_is(name: str, operation: str, tmp_path: Path) -> None:
    options = ["-td", SECONDS, "-tn", SECONDS, "-ta", SECONDS, "--retrieve-timeout-total", "2"]
    options += ["--expect", "find" if operation == "find" else "count"]
    with serve(name, operation, seconds=12) as scp:
        if operation == "move":
            scp.destination = free_port()
            options += ["--method", "move", "--store-port", str(scp.destination), "--settle", SECONDS]
        done = tool("retrieve", "127.0.0.1", scp.port, STUDY, "-od", tmp_path / "in", *options)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 3)
    assert ("  complete  " in done.stdout) is (done.returncode == 0)
    if operation == "find":
        # It lists one instance of the three that it sends, so nothing that it says is complete is.
        assert "  complete  " not in done.stdout or name in HONEST_LISTS
    elif name not in EITHER:
        assert (done.returncode == 0) is (name in HARMLESS[operation] - NOTHING_COMES), done.stderr
    if done.returncode:
        assert any(line.startswith("E: ") for line in done.stderr.splitlines())
