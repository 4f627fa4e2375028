"""An experiment on keeping an instance through a power cut, on a real disk: the calls that name it, and those that sync it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

from bench.experiments.comparing import Spent, alone, compare

PLACE = Path(__file__).parents[2] / ".bench"  # presumably on a disk
OBJECTS = 160
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL

Sync = Callable[[int], None]
# It gets the incoming folder, the final one, a name and the content.
Keep = Callable[[int, int, str, bytes], None]


def no_sync(file: int) -> None:
    """Leave the sync to the system."""


def linked(sync_file: Sync, sync_folder: Sync, incoming: int, folder: int, name: str, data: bytes) -> None:
    """Write under a temporary name, sync, link the final name, sync the folder: the way in use."""
    file = os.open(name, NEW, 0o600, dir_fd=incoming)
    os.write(file, data)
    sync_file(file)
    os.link(name, name, src_dir_fd=incoming, dst_dir_fd=folder)
    sync_folder(folder)
    os.unlink(name, dir_fd=incoming)
    os.close(file)


def renamed(incoming: int, folder: int, name: str, data: bytes) -> None:
    """Rename instead of linking, which would replace an existing file of the final name."""
    file = os.open(name, NEW, 0o600, dir_fd=incoming)
    os.write(file, data)
    os.fsync(file)
    os.rename(name, name, src_dir_fd=incoming, dst_dir_fd=folder)
    os.fsync(folder)
    os.close(file)


def unnamed(incoming: int, folder: int, name: str, data: bytes) -> None:
    """Use no name before the final one."""
    file = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600, dir_fd=incoming)
    os.write(file, data)
    os.fsync(file)
    os.link(f"/proc/self/fd/{file}", name, dst_dir_fd=folder, follow_symlinks=True)
    os.fsync(folder)
    os.close(file)


def name_first(incoming: int, folder: int, name: str, data: bytes) -> None:
    """Use the final name before any sync. After a power cut it may stand for a part of the bytes, or for none."""
    file = os.open(name, NEW, 0o600, dir_fd=folder)
    os.write(file, data)
    os.fsync(file)
    os.fsync(folder)
    os.close(file)


def store(keep: Keep, threads: int, size: int) -> Spent:
    """Keep objects in new folders, in several threads at a time."""
    with tempfile.TemporaryDirectory(dir=PLACE) as place:
        for name in ("incoming", "folder"):
            Path(place, name).mkdir()
        incoming, folder = (os.open(Path(place, name), os.O_RDONLY) for name in ("incoming", "folder"))
        data, numbers = os.urandom(size), count()
        os.sync()

        def some() -> None:
            for _ in range(OBJECTS // threads):
                keep(incoming, folder, f"{next(numbers):08}", data)

        def all_of_them() -> None:
            with ThreadPoolExecutor(threads) as executor:
                for future in [executor.submit(some) for _ in range(threads)]:
                    future.result()

        spent = alone(all_of_them)
        os.close(incoming)
        os.close(folder)
        return spent


def main() -> None:
    """Print a table for each size and number of threads."""
    PLACE.mkdir(exist_ok=True)
    ways: dict[str, Keep] = {
        "fsync, link, fsync of the folder, unlink": partial(linked, os.fsync, os.fsync),
        "fdatasync, link, fsync, unlink": partial(linked, os.fdatasync, os.fsync),
        "fsync, rename, fsync": renamed,
        "O_TMPFILE, fsync, link, fsync": unnamed,
        "final name, fsync, fsync": name_first,
        "link, unlink, nothing synced": partial(linked, no_sync, no_sync),
    }
    for size in (8 << 10, 525_000):
        for threads in (1, 8):
            compare(
                f"objects of {size:,} bytes, {threads} at a time",
                {name: partial(store, keep, threads, size) for name, keep in ways.items()},
                count=OBJECTS,
            )


if __name__ == "__main__":
    main()
