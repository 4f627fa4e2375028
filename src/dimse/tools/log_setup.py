"""Logging as the command line asks for it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable

import dimse
from dimse.logs import show_private
from dimse.logs.notices import LOGGER as NOTICES
from dimse.logs.notices import OncePerMinute
from dimse.support.text import one_line
from dimse.tools.command_line import Parser


def start_logging(parser: Parser, options: argparse.Namespace) -> logging.Logger:
    """Set logging up as the user asked, and return the tool's own logger.

    Raises:
        SystemExit: The logging configuration cannot be used (exit status 2).
    """
    logger = logging.getLogger(f"dimse.tools.{parser.tool}")
    if options.log_config:
        _configure(parser, options)
    else:
        package = logging.getLogger("dimse")
        for handler in _handlers(parser, options):
            package.addHandler(handler)
        package.setLevel(_level(options))
        shows_steps = options.verbose or options.debug or options.log_level in ("info", "debug")
        if (shows_steps or sys.stderr.isatty()) and not options.quiet and options.log_format == "text":
            package.addHandler(_ErrorLines())
    if options.log_phi:
        show_private()
    start_notices(quiet=options.quiet and not options.log_file)
    logger.debug("%s.py v%s", parser.tool, dimse.__version__)
    logger.debug("")
    return logger


class _TextFormatter(logging.Formatter):
    """The formatter of the lines on stderr: the letter of the level, and the message. A tuple is several lines."""

    def __init__(self) -> None:
        super().__init__("%(levelname).1s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        if isinstance(record.msg, tuple):
            head = f"{record.levelname[0]}: "
            return head + f"\n{head}".join(record.msg)
        return super().format(record)


def log_lines(logger: logging.Logger, lines: Iterable[str]) -> None:
    """Log lines at INFO. If stderr alone gets them, they are one record, since a record costs far more than a line."""
    handlers = [each for each in logging.getLogger("dimse").handlers if each.level <= logging.INFO]
    if handlers and all(isinstance(each.formatter, _TextFormatter) for each in handlers):
        logger.info(tuple(lines))
        return
    for line in lines:
        logger.info("%s", line)


def _handlers(parser: Parser, options: argparse.Namespace) -> list[logging.Handler]:
    """Return the handlers of the log: stderr, and the log file if there is one."""
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(_formatter(options.log_format, timed=options.log_time))
    if options.log_file is None:
        if options.log_rotate is not None or options.log_keep != parser.get_default("log_keep"):
            parser.error("--log-rotate and --log-keep are for --log-file")
        return [stderr]
    from dimse.tools.log_file import FileHandler

    # With a log file, `--quiet` is about stderr alone.
    stderr.setLevel(logging.CRITICAL + 1 if options.quiet else logging.WARNING)
    try:
        file = FileHandler(options.log_file, options.log_rotate, options.log_keep, stderr)
    except OSError as error:
        parser.error(f"cannot write the log file {one_line(options.log_file)}: {error.strerror}")
    file.setFormatter(_formatter(options.log_format, timed=True))
    return [stderr, file]


class _ErrorLines(logging.Handler):
    """A handler that keeps the first error lines, whose explanations are named when the tool ends.

    Attributes:
        lines: The lines, without their level.
    """

    MOST = 20

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a record."""
        if len(self.lines) < self.MOST:
            self.lines.append(record.getMessage())


def log_codes() -> None:
    """Log the codes of the explanations of the error lines, if they are read by a person."""
    logger = logging.getLogger("dimse")
    kept = [handler for handler in logger.handlers if isinstance(handler, _ErrorLines)]
    lines = [line for handler in kept for line in handler.lines]
    if not lines:
        return
    from dimse.tools.explanations import codes_of

    if codes := codes_of(lines):
        names = ", ".join(f"DIMSE-{code}" for code in codes)
        logger.error("See %s (dimse explain %s)", names, " ".join(codes))


def _level(options: argparse.Namespace) -> int:
    if options.log_level:
        return logging.getLevelNamesMapping()[options.log_level.upper()]
    if options.quiet and not options.log_file:
        return logging.CRITICAL + 1
    if options.debug:
        return logging.DEBUG
    return logging.INFO if options.verbose else logging.ERROR


def _formatter(log_format: str, *, timed: bool) -> logging.Formatter:
    if log_format == "json":
        from dimse.tools.json_log import Formatter

        return Formatter()
    if timed:
        from dimse.tools.log_file import TimedFormatter

        return TimedFormatter()
    return _TextFormatter()


def _configure(parser: Parser, options: argparse.Namespace) -> None:
    if options.log_format != "text":
        parser.error("--log-config does not go with --log-format: the configuration says what the log looks like")
    for name in ("log_file", "log_rotate", "log_keep", "log_time"):
        if getattr(options, name) != parser.get_default(name):
            parser.error(f"--log-config does not go with --{name.replace('_', '-')}: the configuration names the files")
    try:
        _load_configuration(options.log_config)
    # The logging package raises errors of any class for a configuration that is wrong.
    except Exception as error:
        parser.error(f"cannot use the logging configuration {options.log_config}: {one_line(str(error))}")


def _load_configuration(path: str) -> None:
    import io
    import logging.config

    from dimse.support import content

    text = content.decode(content.read(path))
    if not path.endswith((".json", ".toml")):
        logging.config.fileConfig(io.StringIO(text), disable_existing_loggers=False)
        return
    if path.endswith(".json"):
        import json

        configuration = json.loads(text)
    else:
        import tomllib

        configuration = tomllib.loads(text)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **configuration})


def reopen() -> None:
    """Open the log file again, if there is one: a log rotation may have renamed it."""
    for handler in logging.getLogger("dimse").handlers:
        if (again := getattr(handler, "reopen", None)) is not None:
            again()


def start_notices(*, quiet: bool) -> None:
    """Log notices at every level but with `quiet`; of each kind at most one a minute."""
    for earlier in [each for each in NOTICES.filters if isinstance(each, OncePerMinute)]:
        NOTICES.removeFilter(earlier)
    NOTICES.addFilter(OncePerMinute())
    level = min(logging.getLogger("dimse").getEffectiveLevel(), logging.WARNING)
    NOTICES.setLevel(logging.CRITICAL + 1 if quiet else level)


def flush_notices() -> None:
    """Log how many notices were held back."""
    for each in NOTICES.filters:
        if isinstance(each, OncePerMinute):
            each.flush()


def warn(warning: str) -> None:
    """Log a warning about safety: at every log level, but not with `--quiet`."""
    NOTICES.warning("%s", warning)
