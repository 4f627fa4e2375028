"""storescu: send DICOM files (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from dimse import settings
from dimse.tools import audit, identity, log_setup, requesting, running, tls
from dimse.tools.command_line import Parser
from dimse.tools.options import (
    REPEAT,
    RETRY_WAIT,
    add_group,
    choice,
    common,
    flag,
    number,
    option,
    positional,
    report_path,
    retry,
    seconds,
    transfer_syntax,
    validated,
)

PATHS = "files, folders (read one level deep), DICOMDIRs, ZIP archives; - for a list of paths on stdin"

OUTPUT = (
    flag("--no-progress", "no progress bar on the terminal"),
    common(option("--report F", report_path, None, "the outcome of each file, as .json, .jsonl or .csv")),
    flag("--summary", "at the end print a table by study and modality"),
    audit.OPTION,
)

SYNTAXES = (
    flag(
        "-cx -R --required-contexts",
        "propose exactly the SOP classes and transfer syntaxes of the files, and re-encode nothing",
    ),
)

FILES = (
    common(flag("-r +r --recurse", "read folders all the way down")),
    # DCMTK's option to read folders, which are read in any case.
    (["+sd"], {"action": "store_true", "dest": "_", "help": argparse.SUPPRESS}),
    option(
        "--raw-ts UID",
        transfer_syntax,
        None,
        "the transfer syntax of files that do not name theirs (UID or keyword)",
    ),
    flag("--skip-invalid", "skip files that cannot be sent, with a warning for each"),
    common(flag("--dry-run", "show what would be proposed and sent, without connecting")),
    choice(
        "--transcode",
        ("never", "lossless", "always"),
        "lossless",
        "re-encode a file whose transfer syntax is refused: never, if nothing is lost (%(default)s), or always",
    ),
    choice("--priority", requesting.PRIORITIES, "low", "priority of the C-STORE requests (%(default)s)"),
    REPEAT,
)

SENDING = (
    common(option("--jobs N", number(1, 256), 1, "associations at one time (%(default)s)")),
    flag("--any-order", "with --jobs, spread the instances of a series over associations too"),
    option(
        "--async-ops N",
        validated(settings.validate_async_ops, int),
        1,
        "propose that N requests may wait for their response at one time (%(default)s: propose nothing); 0 is unlimited",
    ),
    common(retry("try again N times when the connection fails or the peer is out of resources")),
    RETRY_WAIT,
    common(
        option("--journal F", str, None, "record in F what the peer has acknowledged, and skip that on the next run")
    ),
    flag("--status", "print what is in the journal, and exit; with -v every file"),
    option("--export F", report_path, None, "write what is in the journal to F, as .json, .jsonl or .csv, and exit"),
    option(
        "--retry-failed F",
        str,
        None,
        "in place of paths: send the files that the journal or report F has as failed; a journal is also used as --journal",
    ),
)

COMMITMENT = (
    flag("--verify", "when everything is sent, ask the peer to commit itself to keeping it"),
    option(
        "--commit-port PORT",
        number(0, 65535),
        None,
        "listen on this port for the peer's answer, if it answers on an association of its own",
    ),
    option("--commit-timeout S", seconds, 60, "the peer's answer: seconds (%(default)s), 0 is unlimited"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = make_parser(sys.argv[1:] if arguments is None else arguments)
    options = parser.read(arguments)
    verify_together(parser, options)
    logger = log_setup.start_logging(parser, options)
    tls.settle(parser, options)
    if options.status:
        from dimse.tools.overview import show_journal

        return running.run(lambda: show_journal(options, logger), logger)
    if options.export is not None:
        from dimse.tools.journal_export import export

        return running.run(lambda: export(options, logger), logger)
    if options.dry_run:
        from dimse.tools.overview import show_what_would_be_sent

        return running.run(lambda: show_what_would_be_sent(options, paths(options), logger), logger)
    identity.settle_requestor(parser, options)
    audit.settle(parser, options, options.calling_aet, sends=True)
    from dimse.tools.sender import Sender

    running.finish_loading()
    if options.retry_failed is not None:
        from dimse.tools.retry_failed import send_again

        return send_again(options, logger, Sender(parser, options, logger).run)
    return Sender(parser, options, logger).run(paths(options))


def make_parser(arguments: Sequence[str]) -> Parser:
    """Return the parser; with `--status` or `--export` among the arguments, peer and files may be left out."""
    parser = Parser(
        "storescu",
        "Send DICOM files: each in its own transfer syntax where the peer accepts it, with its status reported.",
        (
            ("storescu 127.0.0.1 11112 image.dcm", "silent, exit status 0: it is stored"),
            (
                "storescu -r --jobs 4 --retry 3 --journal sent.db pacs.example.org 104 disk/",
                "send the files that are not acknowledged yet, at each run",
            ),
            (
                "storescu -v -r -aec ARCHIVE pacs.example.org 104 study/",
                "send every file below study, and log each outcome",
            ),
        ),
        positionals="addr port path ...",
        prefixes="-+",
    )
    given = {argument.partition("=")[0] for argument in arguments}
    about_journal = not given.isdisjoint(("--status", "--export"))
    needs_paths = not about_journal and "--retry-failed" not in given
    requesting.add_options(
        parser,
        "STORESCU",
        arguments=[positional("path", "+" if needs_paths else "*", str, PATHS)],
        output=OUTPUT,
        syntaxes=SYNTAXES,
        peer_needed=not about_journal,
    )
    add_group(parser, "files", *FILES)
    add_group(parser, "sending", *SENDING)
    add_group(parser, "storage commitment", *COMMITMENT)
    return parser


def paths(options: argparse.Namespace) -> Iterator[str | None]:
    """Yield the paths of the command line, and in place of "-" those on stdin; None when the next one is not there yet."""
    for path in options.path:
        if path == "-":
            from dimse.sending.finding import as_they_come, listed_paths

            # Unbuffered, because a thread that waits in a buffered read keeps the interpreter from ending.
            with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stream:
                yield from as_they_come(listed_paths(stream))
        else:
            yield path


def verify_together(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options that exclude one another, or that lack another one."""
    listens = options.commit_port is not None
    for is_wrong, why in (
        (
            options.repeat > 1 and options.journal,
            "--repeat does not go with --journal: a journal has one entry for each instance",
        ),
        (options.status and not options.journal, "--status needs --journal: it prints what is in it"),
        (options.export and not options.journal, "--export needs --journal: it writes what is in it"),
        (options.retry_failed and options.path, "--retry-failed stands in place of paths"),
        (options.retry_failed and options.dry_run, "--retry-failed does not go with --dry-run"),
        (options.retry_failed and options.repeat > 1, "--repeat does not go with --retry-failed"),
        (
            options.summary and options.dry_run,
            "--summary does not go with --dry-run: dimse summary counts without sending",
        ),
        ("-" in options.path and sys.stdin is None, "- stands for a list of paths on stdin, which is closed"),
        (listens and not options.verify, "--commit-port is for --verify"),
        (
            listens and options.tls and not options.tls_cert,
            "--commit-port with --tls needs --tls-cert: a tool that listens shows a certificate of its own",
        ),
    ):
        if is_wrong:
            parser.error(why)
