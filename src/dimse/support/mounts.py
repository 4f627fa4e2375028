"""The kinds of mounted file systems."""

from __future__ import annotations

import os

MOUNTS = "/proc/self/mountinfo"
"""The list of mounted file systems that Linux keeps (proc(5))."""

NETWORK = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.ceph", "fuse.cephfs", "fuse.glusterfs", "fuse.sshfs"),
        *("glusterfs", "gfs2", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs"),
    }
)
"""The kinds of file systems that several hosts may share."""


def network_file_system(path: str) -> str:
    """Return the kind of the network file system that a path lies on; empty if it is local, or its kind is not known.

    Args:
        path: A file or a folder, which exists.
    """
    try:
        device = os.stat(path).st_dev
        with open(MOUNTS, encoding="utf-8", errors="replace") as mounts:
            lines = mounts.read().splitlines()
    except OSError:
        return ""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in lines:
        # Optional fields end with a hyphen, and the kind comes after it.
        fields, _, rest = line.partition(" - ")
        kind = rest.partition(" ")[0]
        if fields.split(" ", 3)[2:3] == [number] and kind in NETWORK:
            return kind
    return ""
