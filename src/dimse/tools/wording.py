"""The lines that the tools log when something has failed."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable

import dimse
from dimse.support.text import host_and_port, one_line

NO_ANSWER = "Perhaps it wants TLS (--tls), or it does not admit this address or AE title (-aec, -aet)"
NO_ANSWER_TLS = "Perhaps it does not admit this address or AE title (-aec, -aet)"


def explain_request(error: dimse.DimseError, options: argparse.Namespace) -> list[str]:
    """Return the lines for an association that was not established; the last one names the peer."""
    from dimse.meanings import meaning_of

    where = host_and_port(options.addr, options.port)
    peer = f"Peer: {where}, called {options.called_aet}, calling {options.calling_aet}"
    meaning = meaning_of(error)
    hint = [NO_ANSWER_TLS if options.tls else NO_ANSWER] if meaning.is_silent else []
    return [*meaning.request(error), *hint, one_line(peer)]


def explain(error: dimse.DimseError) -> list[str]:
    """Return the lines for an association that ended unexpectedly."""
    from dimse.meanings import meaning_of

    return meaning_of(error).ended(error)


def explain_unusable(outcome: dimse.Outcome) -> str:
    """Return the line for a path of the command line that cannot be sent."""
    assert isinstance(outcome.error, dimse.FileError)
    fault = "Cannot access path" if isinstance(outcome.error, dimse.InaccessiblePath) else "Bad DICOM file"
    return f"{fault}: {one_line(outcome.path)}: {one_line(outcome.error.reason)}"


def explain_status(status: dimse.Status) -> str:
    """Return a status with its meaning and the peer's comment, on one line."""
    words = f"0x{int(status):04X}: {status.meaning}"
    return f"{words}: {one_line(status.comment)}" if status.comment else words


def reason(error: BaseException) -> str:
    """Return the words of an error on one line, for an `OSError` without its number and path."""
    return one_line(getattr(error, "strerror", None) or str(error))


def reason_with_path(error: Exception) -> str:
    """Return the words of an error on one line, for an `OSError` with its path but without its number."""
    path = error.filename if isinstance(error, OSError) else None
    return f"{one_line(path)}: {reason(error)}" if isinstance(path, str) else reason(error)


def log_failure(logger: logging.Logger, lines: Iterable[str], error: BaseException | None = None) -> None:
    """Log each line at ERROR, and the traceback of the error behind it as `log_traceback` does."""
    for line in lines:
        logger.error("%s", line)
    if error is not None:
        log_traceback(logger, error)


def log_traceback(logger: logging.Logger, error: BaseException) -> None:
    """Log the traceback of an error at DEBUG."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("the error was raised here:", exc_info=error)


def log_not_released(logger: logging.Logger, error: dimse.DimseError) -> None:
    """Warn that the release of an association has failed, at a time when all requests are answered."""
    logger.warning("the association was not released: %s", one_line(str(error)))
