"""Take the pictures of the documentation: `python -m scripts.make_screenshots`.

Each picture shows a real run of a tool on a terminal, against a real peer. rich draws the output as SVG, in a font of the reader.
"""

from __future__ import annotations

import io
import re
import shlex
import tempfile
from contextlib import chdir
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import UID
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from dimse.testing import QueryRetrieveSCP
from tests.tools.listeners import listening
from tests.tools.terminal import ERASE, Terminal

IMAGES = Path(__file__).parent.parent / "docs" / "images"
COLUMNS = 100
# Files that come with pydicom by the folder of their copies, and the number of copies: enough for a bar that is seen.
SOURCES = {"ct": "CT_small.dcm", "mr": "MR_small.dcm"}
COPIES = 1200
PEER = "pacs.example.org 104"
KEYS = ("PatientName", "StudyDate", "StudyDescription", "ModalitiesInStudy")

STUDIES = (
    ("Doe^John", "20260105", "CT Chest", "CT"),
    ("Doe^John", "20260302", "MR Brain", "MR"),
    ("Doe^Jane", "20260311", "CT Abdomen", "CT"),
    ("Doermann^Eva", "20260420", "US Abdomen", "US"),
)

# Pictures have to show the same without a network: the fonts of the reader's machine.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code", "ui-monospace"
)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        write_studies()
        with listening("storescp", "-od", "incoming") as scp:
            draw("progress", f"storescu -r {PEER} disk/", progress("storescu", "-r", scp.host, scp.port, "disk/"))
            few = [f"disk/{modality}/{number:04}.dcm" for modality in SOURCES for number in (1, 2)]
            lines = output("storescu", "--dry-run", scp.host, scp.port, *few)
            draw("dry-run", f"storescu --dry-run {PEER} disk/*/000[12].dcm", lines)
    with QueryRetrieveSCP(map(study, range(len(STUDIES)))) as archive:
        keys = ("-S", "--patient-name", "DOE*", *(word for key in KEYS for word in ("-r", key)), "--format", "table")
        draw("table", f"findscu {PEER} {shlex.join(keys)}", output("findscu", "127.0.0.1", archive.port, *keys))


def write_studies() -> None:
    """Write copies of files into the folder `disk`, each with an instance UID of its own."""
    for index, (modality, name) in enumerate(SOURCES.items(), 1):
        data_set = pydicom.dcmread(str(get_testdata_file(name)))
        Path("disk", modality).mkdir(parents=True)
        for number in range(1, COPIES + 1):
            uid = UID(f"1.2.3.{index}.{number}")
            data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = uid
            data_set.save_as(f"disk/{modality}/{number:04}.dcm")


def study(number: int) -> dict[str, object]:
    """Return the attributes of an instance of a study in the archive."""
    name, date, description, modality = STUDIES[number]
    return {
        "PatientName": name,
        "StudyInstanceUID": f"1.2.3.{number}",
        "StudyDate": date,
        "StudyDescription": description,
        "Modality": modality,
    }


def progress(*arguments: object) -> str:
    """Return the bar of a run that is half done."""
    with Terminal("-m", "dimse", *arguments, columns=COLUMNS, environment={"COLORTERM": "truecolor"}) as terminal:
        terminal.until(f"{COPIES * len(SOURCES):,} files")
        while True:
            terminal.until("left")
            shown = terminal.output.rpartition(ERASE)[2]
            done = re.search(r"([\d,]+) of", shown)
            if done is not None and int(done[1].replace(",", "")) > 0.7 * COPIES:
                return shown


def output(*arguments: object) -> str:
    """Return what a tool prints to a terminal."""
    with Terminal(
        "-m", "dimse", *arguments, columns=COLUMNS, stdout=True, environment={"COLORTERM": "truecolor"}
    ) as terminal:
        assert terminal.end() == 0, terminal.output
        return terminal.output.replace("\r\n", "\n").rstrip()


def draw(name: str, command: str, lines: str) -> None:
    """Draw a command with its output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text("$ ", "bold green") + Text(command, "bold"))
    console.print(Text.from_ansi(lines), no_wrap=True)
    # rich leaves out the last line of a picture.
    console.print()
    console.save_svg(
        str(IMAGES / f"{name}.svg"), title=command.partition(" ")[0], code_format=FORMAT, unique_id=f"terminal-{name}"
    )


if __name__ == "__main__":
    main()
