"""Generate `docs/troubleshooting.md` from the explanations in the package: `python scripts/make_troubleshooting.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dimse.tools.explanations import SUBJECTS
from dimse.tools.explanations.entry import Entry, Subject

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"

HEAD = """\
# Troubleshooting by message

This page explains every line that the tools print at `E:` (error) and `W:` (warning), and every usage error of ours. It is
generated from the table that `dimse explain` prints, which needs no network:

```console
$ dimse explain E002
$ dimse explain 'E: TCP Initialisation Error: Connection refused'
$ dimse explain --list
```

On a terminal, or with `-v`, a tool that failed ends with a line such as `E: See DIMSE-E002 (dimse explain E002)`. With
`--log-format json`, each warning and error has its code in the member `code`. A code never changes its meaning.

## Exit statuses

| status | meaning |
|---|---|
| 0 | everything that was asked for succeeded; warning statuses of the peer count as success |
| 1 | there was something to do, and there was never a usable association; for a listener: it cannot listen |
| 2 | wrong usage: nothing was done |
| 3 | any other shortfall: a failure status, a lost association, a file that could not be sent, nothing to send |
| 120 | the output cannot be written |
| 130, 143 | ended by Ctrl-C or by SIGTERM, after the associations were aborted; a listener ends with 0 then |

### What to do with exit status 1

Nothing reached the peer. The last `E:` line names address, port and AE titles; the lines above it have the reason. Mend that,
and run the same command again.

### What to do with exit status 3

A part of the work is done, and another part is not. Everything that was acknowledged is stored.

1. Read the `E:` lines. Each names a file or a peer. `dimse explain 'LINE'` tells what to do about it.
2. Get the whole list with `--report F.csv`: it has a row for each file, with its status and its reason.
3. Mend the cause: files that are damaged stay damaged, while a full disk or a lost connection passes.
4. Run the same command again. With `--journal F`, storescu sends only what has not been acknowledged. `--retry 3` gets over short
   failures by itself.
5. Where damaged files are expected, `--skip-invalid` makes them warnings, so that exit status 3 stands for other failures only.

In a script, treat 1 as "try later", 2 as a fault of the script, and 3 as "look at the report".

## Subjects

| subject | codes |
|---|---|
"""


def page() -> str:
    """Return the page."""
    contents = "".join(
        f"| [{subject.title}](#{_anchor(subject.title)}) | {_links(subject)} |\n" for subject in SUBJECTS
    )
    return HEAD + contents + "".join(line for subject in SUBJECTS for line in _section(subject))


def _links(subject: Subject) -> str:
    return ", ".join(f"[{entry.code}](#{_anchor(entry.name)})" for entry in subject.entries)


def _anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MkDocs make it."""
    return "-".join("".join(char for char in heading.lower() if char.isalnum() or char in " -").split())


def _section(subject: Subject) -> Iterator[str]:
    yield f"\n## {subject.title}\n"
    for entry in subject.entries:
        yield _explanation(entry)


def _explanation(entry: Entry) -> str:
    lines = "\n".join(entry.templates)
    return f"\n### {entry.name}\n\n```text\n{lines}\n```\n\n{entry.cause}\n\n**What to do:** {entry.cure}\n"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
