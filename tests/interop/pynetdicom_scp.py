"""A Verification and Storage SCP on pynetdicom's library, to be run by the Python that has it.

It prints `port N` and serves until it is killed. What it receives goes byte for byte into Part 10 files.
"""

from __future__ import annotations

import argparse
import re
import threading
from pathlib import Path

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("transfer_syntaxes", nargs="*", help="UIDs; by default all that pynetdicom knows")
    parser.add_argument("--status", type=int, default=0)
    parser.add_argument("--maximum-length", type=int, default=16382)
    arguments = parser.parse_args()

    def store(event: evt.Event) -> int:
        name = re.sub(r"[^0-9.]", "_", str(event.request.AffectedSOPInstanceUID))
        (arguments.folder / f"{name}.dcm").write_bytes(event.encoded_dataset())
        return int(arguments.status)

    entity = AE(ae_title="PYNETDICOM")
    entity.maximum_pdu_size = arguments.maximum_length
    entity.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax, arguments.transfer_syntaxes or ALL_TRANSFER_SYNTAXES)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
    print("port", server.socket.getsockname()[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
