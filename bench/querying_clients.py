"""Four clients that query an archive without pause until the process is told to end.

    python -m bench.querying_clients PORT

Each has a thread and a standing association. It asks in turn for a study by its UID, for those of a day, and for those of a
patient. At SIGTERM the process prints, as JSON, how many queries were answered, and the milliseconds of the longest.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import dimse
from bench.processes import Running
from bench.rows import study_uid
from dimse import uids

CLIENTS = 4
ASKING = "asking"
KEYS = (
    {"StudyInstanceUID": study_uid(1), "PatientName": "", "StudyDate": ""},
    {"StudyDate": "20240101", "StudyInstanceUID": "", "PatientName": "", "ModalitiesInStudy": ""},
    {"PatientID": "BENCH", "StudyInstanceUID": "", "StudyDate": ""},
)


def command(port: int) -> list[str]:
    """Return the command of the process."""
    return [sys.executable, "-m", "bench.querying_clients", str(port)]


def until_asking(log: Path) -> None:
    """Wait until a process that writes to `log` has all its associations."""
    deadline = time.monotonic() + 20
    while ASKING not in log.read_text():
        if time.monotonic() > deadline:
            sys.exit(f"the clients do not query: {log.read_text()}")
        time.sleep(0.01)


def stop(running: Running, log: Path) -> tuple[int, float]:
    """End a process, and return its queries and the milliseconds of the longest."""
    os.kill(running.pid, signal.SIGTERM)
    if running.wait(20).status:
        sys.exit(f"the clients failed: {log.read_text()[-2000:]}")
    said = json.loads(log.read_text().splitlines()[-1])
    return int(said["queries"]), float(said["worst"])


def main(port: int) -> None:
    """Query until SIGTERM, and print the result."""
    over, counts, worst = threading.Event(), [0] * CLIENTS, [0.0] * CLIENTS
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    connected = threading.Barrier(CLIENTS + 1)

    def query(number: int) -> None:
        contexts = [uids.StudyRootQueryRetrieveInformationModelFind]
        with dimse.associate("127.0.0.1", port, contexts=contexts) as association:
            connected.wait()
            while not over.is_set():
                start = time.perf_counter()
                for _ in association.find(KEYS[counts[number] % len(KEYS)], model="study", level="STUDY"):
                    pass
                worst[number] = max(worst[number], time.perf_counter() - start)
                counts[number] += 1

    threads = [threading.Thread(target=query, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    connected.wait()
    print(ASKING, flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps({"queries": sum(counts), "worst": 1000 * max(worst)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
