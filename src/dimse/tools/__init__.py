"""The command line: one module for each tool, and the modules that tools share."""

from __future__ import annotations

# Every tool with its purpose. Its module has the same name.
TOOLS = {
    "echoscu": "verify a DICOM connection with C-ECHO",
    "storescu": "send DICOM files with C-STORE",
    "findscu": "query with C-FIND",
    "getscu": "retrieve instances with C-GET",
    "movescu": "have instances sent to an AE with C-MOVE",
    "retrieve": "retrieve many studies with C-GET or C-MOVE",
    "echoscp": "answer C-ECHO",
    "storescp": "receive DICOM files sent with C-STORE",
    "explain": "explain a line that a tool has printed, or its code",
    "summary": "count files by study and modality",
    "passwd": "manage the password file of echoscp and storescp",
    "certificate": "make a CA and certificates for TLS",
}
