"""summary: count files by study and modality, in folders or in a report."""

from __future__ import annotations

from collections.abc import Sequence

from dimse.tools import log_setup, running
from dimse.tools.command_line import Parser
from dimse.tools.options import add_output, add_rows, common, flag, positional

PATHS = "files, folders (read all the way down) and reports (.json, .jsonl, .csv, and the .part of each)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tool, and return its exit status."""
    parser = Parser(
        "summary",
        "Count files by study and modality. Of files in folders only the headers are read.",
        (
            ("dimse summary /archive", "the studies below the folder /archive"),
            ("dimse summary sent.csv", "the studies in a report of storescu: what was stored, and what failed"),
        ),
        positionals="path ...",
        program="dimse summary",
    )
    add_rows(parser, [positional("path", "+", str, PATHS)])
    add_output(parser, [common(flag("--json", "print one JSON object"))])
    options = parser.read(arguments)
    logger = log_setup.start_logging(parser, options)
    from dimse.tools.summarizing import summarize

    return running.run(lambda: summarize(options, logger), logger)
