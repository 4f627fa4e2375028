"""The command line: one module a tool, what they share in `common`."""

from __future__ import annotations

# Every tool, and what it is for; its module has the same name.
TOOLS = {
    "echoscu": "verify a DICOM connection with C-ECHO",
    "storescu": "send DICOM files with C-STORE",
    "echoscp": "answer C-ECHO",
    "storescp": "receive DICOM files sent with C-STORE",
    "passwd": "keep the passwords that echoscp and storescp ask for",
}
