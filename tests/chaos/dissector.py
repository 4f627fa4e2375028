"""Recorded conversations as tshark dissects them, which shares no code with the package.

tshark does not check the maximum length, nor what follows a release, and skips bytes that it does not take for DICOM. This module
checks all that from tshark's PDUs.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.pcap import PORT
from tests.interop import peers

SECONDS = 50.0  # for a file
HEADER = 6  # bytes of a PDU's header

# It takes the fragments of encapsulated pixel data for elements, and says of them, and of the response that follows, that they are
# incomplete. In a conversation without these it is a fault.
INCOMPLETE = "dicom.data.tag.missing"

# What it finds wrong, by the names of its fields.
WRONG = (
    *("_ws.malformed", INCOMPLETE, "tcp.analysis.flags", "dicom.assoc.item.len.invalid"),
    *("dicom.pdv.ctx.invalid", "dicom.pdv.flags.invalid", "dicom.pdv.fragment.error"),
    *("dicom.no_abstract_syntax", "dicom.no_abstract_syntax_uid", "dicom.multiple_abstract_syntax"),
    *("dicom.no_transfer_syntax", "dicom.multiple_transfer_syntax"),
)

A_ASSOCIATE_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RQ, A_RELEASE_RP, A_ABORT = range(1, 8)


@dataclass
class Stream:
    """A conversation, PDU by PDU.

    Attributes:
        types: How many PDUs of each type there are.
        maximum: The maximum lengths that requestor and acceptor have announced; 0 is unlimited.
        longest: The length of the longest P-DATA-TF of each.
    """

    types: Counter[int] = field(default_factory=Counter)
    maximum: dict[int, int] = field(default_factory=dict)
    longest: Counter[int] = field(default_factory=Counter)

    def take(self, sender: int, pdu_type: int, length: int, maximum: str) -> Iterator[str]:
        """Take the next PDU in; what is wrong with it."""
        if self.types[A_RELEASE_RP]:
            yield "a PDU behind the A-RELEASE-RP"
        self.types[pdu_type] += 1
        if maximum:
            self.maximum[sender] = int(maximum)
        if pdu_type == P_DATA_TF:
            self.longest[sender] = max(self.longest[sender], length)
            if length > self.maximum.get(1 - sender, 0) > 0:
                yield f"a P-DATA-TF of {length} bytes"


def dissect(pcap: Path) -> tuple[list[Stream], list[str]]:
    """Return every conversation of a file, and the faults in them: the number of the conversation, and words."""
    wrong = []
    for number, *found in tshark(pcap, " || ".join(WRONG), "tcp.stream", *WRONG):
        names = [name for name, value in zip(WRONG, found, strict=True) if value]
        wrong += [f"{number}: {name}" for name in names if INCOMPLETE not in names or name != "_ws.malformed"]
    streams: dict[str, Stream] = {}
    # Bytes outside any PDU, by conversation and sender.
    left: Counter[tuple[str, str]] = Counter()
    fields = "tcp.stream", "tcp.srcport", "tcp.len", "dicom.pdu.type", "dicom.pdu.len", "dicom.max_pdu_len"
    for number, port, segment, types, lengths, maximum in tshark(pcap, "tcp.len > 0", *fields):
        stream = streams.setdefault(number, Stream())
        left[number, port] += int(segment)
        for pdu_type, length in zip(numbers(types), numbers(lengths), strict=True):
            left[number, port] -= HEADER + length
            words = stream.take(int(port) == PORT, pdu_type, length, maximum)
            wrong += [f"{number}: {word}" for word in words]
    wrong += [f"{number}: {count} bytes that are no PDU" for (number, _), count in left.items() if count]
    return list(streams.values()), wrong


def numbers(text: str) -> list[int]:
    """Return the numbers, decimal or hexadecimal, that tshark prints for a repeated field of a packet."""
    return [int(word, 0) for word in text.split(",") if word]


def tshark(pcap: Path, only: str, *fields: str) -> list[list[str]]:
    """Return these fields of each packet that passes a display filter."""
    words = [word for name in fields for word in ("-e", name)]
    done = subprocess.run(
        [peers.tshark(), "-r", pcap, "-d", f"tcp.port=={PORT},dicom", "-Y", only, "-T", "fields", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]
