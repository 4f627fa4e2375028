"""Runs the tests that pynetdicom ships for its applications, with other commands in the place of the applications."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from tests.interop import peers

PORT = 11112  # fixed in those tests
SECONDS = 180.0

Command = Sequence[str | os.PathLike[str]]


@contextlib.contextmanager
def the_port() -> Iterator[None]:
    """Hold the one port: against other test runs by a lock; what else has it is a reason not to run."""
    with (Path(tempfile.gettempdir()) / f"pynetdicom-apps-{PORT}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", PORT))
            except OSError as error:
                peers.missing(
                    f"port {PORT}, on which pynetdicom's tests of its applications run, is taken: {error.strerror}"
                )
        yield


def outcomes(application: str, commands: Mapping[str, Command], folder: Path) -> dict[str, str]:
    """Run pynetdicom's tests of one of its applications.

    Args:
        application: "echoscu", "storescu", ...: the tests are those of `test_{application}.py`.
        commands: By the name of the function that starts the application in those tests, the command to start instead.
            Without one, pynetdicom's own is tested.
        folder: Where the run may write.

    Returns:
        By `Class::test`, "" for a test that passed, and for one that failed the reason.
    """
    python = peers.pynetdicom()
    located = subprocess.run(
        [python, "-c", "import pynetdicom.apps.tests as tests; print(*tests.__path__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    configuration, report, log = folder / "pytest.ini", folder / "report.xml", folder / "log.txt"
    # Otherwise pytest would use our configuration, which is above the peers' venv.
    configuration.write_text("[pytest]\n")
    command = [python, "-m", "pytest", f"{located.stdout.strip()}/test_{application}.py", f"--junit-xml={report}"]
    command += ["-p", "pynetdicom_commands", "-p", "no:cacheprovider", "-c", str(configuration)]
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent),
        "COMMANDS": json.dumps(commands, default=os.fspath),
    }
    with the_port(), log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            process.wait(SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                # This also ends an application that hangs.
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(log.read_text(errors="replace"))
    assert process.returncode in {0, 1}, f"pytest ended with {process.returncode}"
    return dict(read_report(report))


def read_report(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the tests that ran, from pytest's report in JUnit's format, with the outcome of each."""
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("skipped") is None:
            reasons = [problem.get("message", "failed") for problem in case if problem.tag in {"failure", "error"}]
            yield f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}", "\n".join(reasons)
