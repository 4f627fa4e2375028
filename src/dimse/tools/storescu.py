"""storescu: send DICOM files (PS3.4 Annex B)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence

from dimse import settings, uids
from dimse.tools import audit, common, identity, tls


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool; returns its exit status."""
    parser = make_parser(sys.argv[1:] if arguments is None else arguments)
    options = parser.read(arguments)
    verify_together(parser, options)
    logger = common.start_logging(parser, options)
    tls.settle(parser, options, logger)
    if options.status:
        from dimse.tools.overview import show_journal

        return common.run(lambda: show_journal(options, logger), logger)
    if options.dry_run:
        from dimse.tools.overview import show_what_would_be_sent

        return common.run(lambda: show_what_would_be_sent(options, paths(options), logger), logger)
    identity.settle_requestor(parser, options)
    audit.settle(parser, options, options.calling_aet, sends=True)
    from dimse.tools.sender import Sender

    common.loaded()
    return Sender(parser, options, logger).run(paths(options))


def paths(options: argparse.Namespace) -> Iterator[str | None]:
    """The paths of the command line; "-" stands for those that come on stdin."""
    for path in options.path:
        if path == "-":
            from dimse.sending.finding import as_they_come, listed_paths

            # Unbuffered: a thread that still waits for a list must not keep the interpreter from ending.
            with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stream:
                yield from as_they_come(listed_paths(stream))
        else:
            yield path


def make_parser(arguments: Sequence[str]) -> common.Parser:
    """The options; with `--status` among the arguments no peer and no file needs to be named."""
    parser = common.Parser(
        "storescu",
        "Send DICOM files: each in its own transfer syntax where the peer accepts it, and reported by the status it got.",
        (
            ("storescu 127.0.0.1 11112 image.dcm", "silent, exit status 0: it is stored"),
            (
                "storescu -v -r -aec ARCHIVE pacs.example.org 104 study/",
                "every file below study, and what becomes of each",
            ),
            (
                "storescu -r --jobs 4 --retry 3 --journal sent.db pacs.example.org 104 disk/",
                "what was not acknowledged yet, however often it is run",
            ),
        ),
        positionals="addr port path ...",
        prefixes="-+",
    )
    about_journal = "--status" in arguments
    common.add_peer(parser, needed=not about_journal)
    parser.add_argument(
        "path",
        nargs="*" if about_journal else "+",
        help="files, folders (read one level deep), DICOMDIRs, ZIP archives; - for a list of paths on stdin",
    )
    group = common.add_logging(parser)
    group.add_argument("--no-progress", action="store_true", help="no progress bar on the terminal")
    group.add_argument(
        "--report",
        metavar="F",
        type=common.validated(report_path),
        help="what became of each file, as .json, .jsonl or .csv",
    )
    audit.add_option(group)
    common.add_network(parser, "STORESCU")
    tls.add_options(parser, server=False)
    identity.add_requestor_options(parser)
    add_syntaxes(parser)
    add_files(parser)
    add_sending(parser)
    add_commitment(parser)
    return parser


def add_syntaxes(parser: common.Parser) -> None:
    """What is proposed, and whether files are re-encoded."""
    syntaxes = common.add_syntaxes(parser)
    syntaxes.add_argument(
        "-cx",
        "-R",
        "--required-contexts",
        action="store_true",
        help="propose exactly what the files are, and re-encode nothing",
    )


def add_files(parser: common.Parser) -> None:
    """What is sent."""
    group = parser.add_argument_group("files")
    group.add_argument("-r", "+r", "--recurse", action="store_true", help="read folders all the way down")
    group.add_argument("+sd", action="store_true", dest="_", help=argparse.SUPPRESS)  # DCMTK's: folders are read anyway
    group.add_argument(
        "--raw-ts",
        metavar="UID",
        type=common.validated(transfer_syntax),
        help="take files that do not say their transfer syntax as data sets in this one (UID or keyword)",
    )
    group.add_argument(
        "--skip-invalid", action="store_true", help="skip files that cannot be sent, with a warning for each"
    )
    group.add_argument(
        "--dry-run", action="store_true", help="show what would be proposed and sent, and do not connect"
    )
    group.add_argument(
        "--transcode",
        choices=("never", "lossless", "always"),
        default="lossless",
        help="re-encode a file whose transfer syntax is refused: never, if nothing is lost (%(default)s), or always",
    )
    group.add_argument(
        "--priority", choices=common.PRIORITIES, default="low", help="of the C-STORE requests (%(default)s)"
    )
    group.add_argument(
        "--repeat", metavar="N", type=common.number(1, 1e9), default=1, help="send each file N times (%(default)s)"
    )


def add_sending(parser: common.Parser) -> None:
    """How it is sent, and how count is kept."""
    group = parser.add_argument_group("sending")
    group.add_argument(
        "--jobs", metavar="N", type=common.number(1, 256), default=1, help="associations at one time (%(default)s)"
    )
    group.add_argument(
        "--any-order", action="store_true", help="with --jobs, spread the instances of a series over associations too"
    )
    group.add_argument(
        "--async-ops",
        metavar="N",
        type=common.validated(settings.validate_async_ops, int),
        default=1,
        help="propose that N requests may wait for their response at one time (%(default)s: propose nothing); 0 is unlimited",
    )
    group.add_argument(
        "--retry",
        metavar="N",
        type=common.number(0, 1000),
        default=0,
        help="try again N times when the connection fails or the peer is out of resources (%(default)s)",
    )
    group.add_argument(
        "--retry-wait",
        metavar="S",
        type=common.seconds,
        default=1.0,
        help="before the first new attempt; then four times as long, up to a minute: seconds (%(default)s)",
    )
    group.add_argument(
        "--journal", metavar="F", help="record in F what the peer has acknowledged, and skip that on the next run"
    )
    group.add_argument(
        "--status", action="store_true", help="print what is in the journal, and exit; with -v every file"
    )


def add_commitment(parser: common.Parser) -> None:
    """Storage Commitment (PS3.4 Annex J)."""
    group = parser.add_argument_group("storage commitment")
    group.add_argument(
        "--verify", action="store_true", help="when everything is sent, ask the peer to commit itself to keeping it"
    )
    group.add_argument(
        "--commit-port",
        metavar="PORT",
        type=common.number(0, 65535),
        help="listen on this port for the peer's answer, if it answers on an association of its own",
    )
    group.add_argument(
        "--commit-timeout",
        metavar="S",
        type=common.seconds,
        default=60,
        help="the peer's answer: seconds (%(default)s), 0 is unlimited",
    )


def verify_together(parser: common.Parser, options: argparse.Namespace) -> None:
    """Options that exclude or need one another."""
    if options.repeat > 1 and options.journal:
        parser.error("--repeat does not go with --journal: a journal has one entry for each instance")
    if options.status and not options.journal:
        parser.error("--status needs --journal: it prints what is in it")
    if "-" in options.path and sys.stdin is None:
        parser.error("- stands for a list of paths on stdin, which is closed")
    if options.commit_port is not None and not options.verify:
        parser.error("--commit-port is for --verify")
    if options.commit_port is not None and options.tls and not options.tls_cert:
        parser.error("--commit-port with --tls needs --tls-cert: a tool that listens shows a certificate of its own")


def transfer_syntax(text: str) -> str:
    """The UID of a transfer syntax, given by UID or keyword.

    Raises:
        ValueError: There is none of that name.
    """
    for uid, entry in uids.dictionary().items():
        if entry.kind == "Transfer Syntax" and text in (uid, entry.keyword):
            return uid
    raise ValueError(f"{text!r} is no transfer syntax of PS3.6, by UID or keyword")


def report_path(path: str) -> str:
    """A path whose suffix says what format the report has.

    Raises:
        ValueError: It says none.
    """
    if os.path.splitext(path)[1].lower() not in (".json", ".jsonl", ".csv"):
        raise ValueError(f"a report ends with .json, .jsonl or .csv, and {path!r} does not")
    return path
