"""An archive of ours in a process of its own, which can be killed and started again on the same port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop import peers

# A start takes some 0.3 s.
ATTEMPTS = 20

SERVER = """
import sys
from pathlib import Path
import dimse
from dimse.testing import QueryRetrieveSCP

port, folder, store_port = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
archive = QueryRetrieveSCP(sorted(folder.iterdir()), destinations={"ME": ("127.0.0.1", store_port)})
with dimse.Server(("127.0.0.1", port), archive.handlers()):
    print(port, flush=True)
    sys.stdin.read()
"""


class ArchiveProcess:
    """An archive over the files of a folder, while entered.

    Args:
        folder: The folder of the files.
        store_port: The port on 127.0.0.1 that it moves to, for the destination ME.

    Attributes:
        port: The port on 127.0.0.1, also after it was killed.
    """

    def __init__(self, folder: Path, store_port: int) -> None:
        self.port = peers.free_port()
        self._command = sys.executable, "-c", SERVER, str(self.port), str(folder), str(store_port)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kill()

    def kill_and_start(self) -> None:
        """Kill the process, and return when a new one listens."""
        self._kill()
        self._start()

    def _start(self) -> None:
        # Meanwhile another program may have had the port for a connection of its own.
        for _ in range(ATTEMPTS):
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert self._process.stdout is not None
            if self._process.stdout.readline() == f"{self.port}\n":
                return
            self._kill()
        raise peers.NotListeningError(f"port {self.port} is taken")

    def _kill(self) -> None:
        self._process.kill()
        self._process.communicate()
