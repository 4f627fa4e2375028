"""A Storage and Storage Commitment SCP on pynetdicom's library, to be run by the Python that has it.

It prints `port N` and serves until it is killed. It commits to what it was sent, and to nothing else.
"""

from __future__ import annotations

import argparse
import threading

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

COMMITTED, FAILURES_EXIST = 1, 2
NO_SUCH_OBJECT_INSTANCE = 0x0112


def event_information(request: Dataset, stored: set[str]) -> Dataset:
    """Return the report about the instances of a request."""
    information = Dataset()
    information.TransactionUID = request.TransactionUID
    information.ReferencedSOPSequence = [
        item for item in request.ReferencedSOPSequence if item.ReferencedSOPInstanceUID in stored
    ]
    failed = [item for item in request.ReferencedSOPSequence if item.ReferencedSOPInstanceUID not in stored]
    for item in failed:
        item.FailureReason = NO_SUCH_OBJECT_INSTANCE
    if failed:
        information.FailedSOPSequence = failed
    return information


def send(association: evt.Association, information: Dataset) -> None:
    """Report, and print the status that answers it."""
    event_type = FAILURES_EXIST if "FailedSOPSequence" in information else COMMITTED
    status, _ = association.send_n_event_report(
        information, event_type, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    print("report answered", f"0x{status.Status:04X}" if "Status" in status else "not at all", flush=True)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report-to", type=int, metavar="PORT", help="report on an association of its own")
    parser.add_argument("--lose", metavar="UID", help="answer that this instance is stored, and do not keep it")
    parser.add_argument("--role", action="store_true", help="propose the SCP role on that association")
    arguments = parser.parse_args()
    stored: set[str] = set()
    entity = AE(ae_title="PYNETDICOM")
    entity.add_requested_context(StorageCommitmentPushModel)
    entity.add_supported_context(StorageCommitmentPushModel)
    for context in AllStoragePresentationContexts:
        entity.add_supported_context(context.abstract_syntax)

    def store(event: evt.Event) -> int:
        if event.request.AffectedSOPInstanceUID != arguments.lose:
            stored.add(event.request.AffectedSOPInstanceUID)
        return 0x0000

    def report(asked_on: evt.Association, information: Dataset) -> None:
        if arguments.report_to is None:
            send(asked_on, information)
            return
        roles = [build_role(StorageCommitmentPushModel, scp_role=True)] if arguments.role else []
        association = entity.associate("127.0.0.1", arguments.report_to, ext_neg=roles)
        if not arguments.role:
            # Without the role its library sends nothing; peers are found that do.
            for context in association.accepted_contexts:
                context._as_scp = True
        send(association, information)
        association.release()

    def action(event: evt.Event) -> tuple[int, None]:
        information = event_information(event.action_information, stored)
        threading.Thread(target=report, args=(event.assoc, information)).start()
        return 0x0000, None

    handlers = [(evt.EVT_C_STORE, store), (evt.EVT_N_ACTION, action)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    print("port", server.socket.getsockname()[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
