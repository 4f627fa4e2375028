"""A Storage Commitment SCU on pynetdicom's library, to be run by the Python that has it.

It asks for commitment, and prints the status as a line of JSON. Then it waits for the report: on the association that asked, or on
a port of its own with `--listen`. It prints the report as a second line: event type, transaction, committed UIDs, reasons by UID.
"""

from __future__ import annotations

import argparse
import json
import queue
import threading

from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

SECONDS = 15


def action_information(transaction_uid: str, instances: list[str]) -> Dataset:
    """Return the request for instances, each as CLASS=UID."""
    information = Dataset()
    information.TransactionUID = transaction_uid
    information.ReferencedSOPSequence = []
    for instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = instance.split("=")
        information.ReferencedSOPSequence.append(item)
    return information


def main() -> None:
    """Ask, and wait for the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("transaction_uid")
    parser.add_argument("instances", nargs="+", metavar="CLASS=UID")
    parser.add_argument("--listen", type=int, metavar="PORT", help="wait for the report on this port")
    parser.add_argument("--role", action="store_true", help="propose the SCU role")
    parser.add_argument("--called", default="ANY-SCP", help="the AE title to call")
    arguments = parser.parse_args()
    reports: queue.Queue[list[object]] = queue.Queue()

    def take(event: evt.Event) -> tuple[int, None]:
        information = event.event_information
        committed = [item.ReferencedSOPInstanceUID for item in information.get("ReferencedSOPSequence", [])]
        failed = {
            item.ReferencedSOPInstanceUID: item.FailureReason for item in information.get("FailedSOPSequence", [])
        }
        reports.put([event.event_type, information.TransactionUID, committed, failed])
        return 0x0000, None

    released = threading.Event()
    handlers = [(evt.EVT_N_EVENT_REPORT, take)]
    server_handlers = [*handlers, (evt.EVT_RELEASED, lambda _: released.set())]
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context(StorageCommitmentPushModel)
    entity.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    if arguments.listen is not None:
        entity.start_server(("127.0.0.1", arguments.listen), block=False, evt_handlers=server_handlers)
    roles = [build_role(StorageCommitmentPushModel, scu_role=True)] if arguments.role else []
    association = entity.associate(
        "127.0.0.1", arguments.port, ae_title=arguments.called, ext_neg=roles, evt_handlers=handlers
    )
    status, _ = association.send_n_action(
        action_information(arguments.transaction_uid, arguments.instances),
        1,
        StorageCommitmentPushModel,
        StorageCommitmentPushModelInstance,
    )
    print(json.dumps(status.get("Status")), flush=True)
    if arguments.listen is not None:
        association.release()
    print(json.dumps(reports.get(timeout=SECONDS)), flush=True)
    if association.is_established:
        association.release()
    else:
        # Only now the response to the report has gone out.
        released.wait(SECONDS)
    entity.shutdown()


if __name__ == "__main__":
    main()
