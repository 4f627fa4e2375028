"""A demonstration of dimse: a storage SCP on a free port, verified with echoscu, and DICOM files sent to it with storescu.

`make demo` runs it. Every command is printed before it runs, as one would type it in a shell in this folder. The files are
some of those that pydicom ships.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pydicom

ROOT = Path(__file__).parents[1]
RECEIVED = Path(".demo")
DIMSE = Path(sys.executable).with_name("dimse")
FILES = (
    "CT_small.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "JPEG2000.dcm",
    "rtplan.dcm",
    "waveform_ecg.dcm",
    "examples_ybr_color.dcm",
)


def main() -> int:
    """Run the demonstration, and return 0 if all files have arrived."""
    os.chdir(ROOT)
    shutil.rmtree(RECEIVED, ignore_errors=True)
    RECEIVED.mkdir()
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    files = [str(folder / name) for name in FILES]

    server = subprocess.Popen(
        shown(DIMSE, "storescp", "-v", "-ba", "127.0.0.1", "-od", RECEIVED, "0"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        port = listening_port(server.stderr)
        verified = subprocess.run(shown(DIMSE, "echoscu", "-v", "127.0.0.1", port), check=False).returncode
        stored = subprocess.run(shown(DIMSE, "storescu", "-v", "127.0.0.1", port, files=files), check=False).returncode
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    log = server.stderr.read()
    print(f"\nWhat storescp said, until it was ended with SIGTERM (exit status {server.returncode}):\n{log}")

    arrived = sorted(path for path in RECEIVED.rglob("*") if path.is_file())
    print(f"What arrived in {RECEIVED}:\n\n  {'bytes':>9}  name")
    for path in arrived:
        print(f"  {path.stat().st_size:9,}  {path.relative_to(RECEIVED)}")
    complete = len(arrived) == len(files)
    print(f"\n{len(arrived)} of {len(files)} files sent are there.")
    return 0 if complete and (verified, stored, server.returncode) == (0, 0, 0) else 1


def shown(*command: str | os.PathLike[str], files: Sequence[str] = ()) -> list[str]:
    """Print a command as one would type it, with relative paths and one line for each file, and return it."""
    words, paths = (
        [os.path.relpath(word) if os.path.isabs(word) else os.fspath(word) for word in part]
        for part in (command, files)
    )
    print("\n$ " + " \\\n      ".join([shlex.join(words), *map(shlex.quote, paths)]), flush=True)
    return words + paths


def listening_port(output: IO[str]) -> str:
    """Return the port that storescp has chosen, from its line `I: Listening on 127.0.0.1:41234`."""
    for line in output:
        print(line, end="", flush=True)
        if "istening" in line:
            return str(re.findall(r"\d+", line.rpartition(":")[2])[0])
    raise SystemExit("storescp ended before it listened")


if __name__ == "__main__":
    sys.exit(main())
