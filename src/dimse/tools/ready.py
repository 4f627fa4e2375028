"""Telling who started a listener that it is ready: a file with its address, and systemd's notification."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dimse.support.text import host_and_port

LONGEST_NOTICE = 1.0
"""Seconds that the service manager may take to receive what it is told."""

LOGGER = logging.getLogger("dimse.tools")


@contextmanager
def announce(address: tuple[str, int], ready_file: str | None = None) -> Iterator[None]:
    """Say that a listener is ready, for as long as the body runs; when it ends, say that it is stopping.

    Args:
        address: Host and port that are listened on.
        ready_file: Gets the line `HOST:PORT` (an IPv6 address in brackets) when a connection is possible, as a whole at once, and
            is removed at the end. What exists and is no file (a FIFO, `/dev/stdout`) is written to and stays.

    Raises:
        OSError: The file cannot be written.
    """
    where = host_and_port(*address)
    replaced = ready_file is not None and _write(ready_file, f"{where}\n".encode())
    notify(f"READY=1\nSTATUS=Listening on {where}")
    try:
        yield
    finally:
        notify("STOPPING=1")
        if ready_file is not None and replaced:
            with suppress(FileNotFoundError):
                os.unlink(ready_file)


def notify(state: str) -> None:
    """Tell the service manager, if there is one that wants to know (sd_notify(3)); a failure is a warning.

    Args:
        state: Assignments, a line each: `READY=1`.
    """
    path = os.environb.get(b"NOTIFY_SOCKET", b"")
    if not path.startswith((b"/", b"@")):  # no manager, or one of another machine
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            # A manager that hangs is not to keep the tool from its signals.
            channel.settimeout(LONGEST_NOTICE)
            channel.connect(b"\0" + path[1:] if path.startswith(b"@") else path)
            channel.send(state.encode())
    except OSError as error:
        LOGGER.warning("cannot notify the service manager: %s", error.strerror or error)


def watchdog_seconds() -> float:
    """Return within how many seconds the service manager wants to hear that all is well; 0 if it does not.

    See sd_watchdog_enabled(3).
    """
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (process and process != str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6


def _write(path: str, content: bytes) -> bool:
    """Put `content` under a name at once; False if the name stands for what cannot be replaced, and was written to."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "wb", buffering=0) as there:
                there.write(content)
            return False
    temporary = f"{path}.{os.urandom(8).hex()}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        raise OSError(error.errno, error.strerror, path) from error
    return True
