"""The command line: one module for each tool, and the modules that tools share."""

from __future__ import annotations

# Every tool with its purpose and the arguments that it is given most often. Its module has the same name.
TOOLS = {
    "echoscu": ("verify a DICOM connection with C-ECHO", "-v pacs.example.org 104"),
    "storescu": ("send DICOM files with C-STORE", "-r pacs.example.org 104 study/"),
    "findscu": ("query with C-FIND", "pacs.example.org 104 --patient-name 'DOE*' -r @study"),
    "getscu": ("retrieve instances with C-GET", "-S pacs.example.org 104 --study-uid 1.2.3 -od study"),
    "movescu": (
        "have instances sent to an AE with C-MOVE",
        "-S -aem VIEWER pacs.example.org 104 --study-uid 1.2.3",
    ),
    "retrieve": ("retrieve many studies with C-GET or C-MOVE", "pacs.example.org 104 1.2.3 1.2.4 -od studies"),
    "echoscp": ("answer C-ECHO", "11112"),
    "storescp": ("receive DICOM files sent with C-STORE", "11112 -od incoming"),
    "qrscp": ("keep DICOM files in an archive, and answer queries and retrievals", "-c archive.ini"),
    "archive": ("fill, list, check and repair the archive of a qrscp", "import /mnt/disk"),
    "explain": ("explain a line that a tool has printed, or its code", "E002"),
    "summary": ("count files by study and modality", "study/"),
    "passwd": ("manage the password file of echoscp and storescp", "users modality1"),
    "certificate": ("make a CA and certificates for TLS", "ca tls"),
}
