"""The announcement that a listener is ready: a file with its address, and a notification for systemd."""

from __future__ import annotations

import logging
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from dimse.support.text import host_and_port

LONGEST_NOTICE = 1.0
"""Seconds that the service manager may take to receive a notification."""

LOGGER = logging.getLogger("dimse.tools")


@contextmanager
def announce(
    address: tuple[str, int], ready_file: str | None = None, also: Iterable[tuple[str, int]] = ()
) -> Iterator[None]:
    """Announce that a listener is ready when the body begins, and that it is stopping when the body ends.

    Args:
        address: The host and port of the listener.
        ready_file: A file that gets the line `HOST:PORT` (an IPv6 address in brackets). It appears complete, and is removed at the
            end. A path that exists and is not a regular file (a FIFO, `/dev/stdout`) is written to and stays.
        also: Its other addresses; each is another line of the file.

    Raises:
        OSError: The file cannot be written.
    """
    where = [host_and_port(*each) for each in (address, *also)]
    replaced = ready_file is not None and _write(ready_file, "".join(f"{each}\n" for each in where).encode())
    notify(f"READY=1\nSTATUS=Listening on {', '.join(where)}")
    try:
        yield
    finally:
        notify("STOPPING=1")
        if ready_file is not None and replaced:
            with suppress(FileNotFoundError):
                os.unlink(ready_file)


def notify(state: str) -> None:
    """Notify the service manager if it expects that (sd_notify(3)); a failure is logged as a warning.

    Args:
        state: Assignments such as `READY=1`, one a line.
    """
    path = os.environb.get(b"NOTIFY_SOCKET", b"")
    # Other addresses are those of a manager on another machine, or empty.
    if not path.startswith((b"/", b"@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            # A manager that hangs must not keep the tool from handling signals.
            channel.settimeout(LONGEST_NOTICE)
            channel.connect(b"\0" + path[1:] if path.startswith(b"@") else path)
            channel.send(state.encode())
    except OSError as error:
        LOGGER.warning("cannot notify the service manager: %s", error.strerror or error)


def watchdog_seconds() -> float:
    """Return the interval in seconds at which the service manager expects a notification; 0 if it expects none.

    See sd_watchdog_enabled(3).
    """
    microseconds, process = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or (process and process != str(os.getpid())):
        return 0.0
    return int(microseconds) / 1e6


def _write(path: str, content: bytes) -> bool:
    """Write a file atomically and return True; return False for a path that is not a regular file, and is only written to."""
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
