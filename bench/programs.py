"""The senders and receivers, their settings, and the pairs of them that are measured."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import security

ROOT = Path(__file__).parents[1]
LOOPBACK = "127.0.0.1"


class MissingError(Exception):
    """A program that is measured, or needed for measuring, is not installed."""


def openssl() -> str:
    """Return the path of the openssl command, which makes a certificate.

    Raises:
        MissingError: It is not installed.
    """
    if path := shutil.which("openssl"):
        return path
    raise MissingError("the openssl command is not installed")


def ours(tool: str) -> str:
    """Return the path of a tool of ours: the script that pip installed beside this Python."""
    return str(Path(sys.executable).with_name(tool))


def dcmtk(program: str) -> str:
    """Return the path of a program of DCMTK, found beside its dcmdump, because the first echoscu of the path may be ours.

    Raises:
        MissingError: It is not installed.
    """
    dcmdump = shutil.which("dcmdump")
    if path := dcmdump and shutil.which(program, path=str(Path(dcmdump).parent)):
        return path
    raise MissingError(f"DCMTK's {program} is not installed")


def pynetdicom(application: str) -> list[str]:
    """Return the command of an application of pynetdicom, run by the Python of DIMSE_PEERS or of scripts/peers.

    Raises:
        MissingError: There is no such Python.
    """
    path = os.environ.get("DIMSE_PEERS") or str(ROOT / ".venv-peers" / "bin" / "python")
    if found := shutil.which(path):
        return [found, "-m", "pynetdicom", application]
    raise MissingError(f"no Python with pynetdicom at {path}: run scripts/peers, or set DIMSE_PEERS")


def dcmtk_profiles() -> str:
    """Return the path of DCMTK's own association profiles, without which dcmrecv accepts nothing.

    Raises:
        MissingError: It is not installed.
    """
    for folder in ("/etc/dcmtk", "/usr/share/dcmtk", "/usr/local/etc/dcmtk", "/opt/homebrew/etc/dcmtk"):
        if (path := Path(folder) / "storescp.cfg").exists():
            return str(path)
    raise MissingError("DCMTK's storescp.cfg is not installed")


def dcmtk_version() -> list[str]:
    """Return the command that prints the version of DCMTK.

    Raises:
        MissingError: It is not installed.
    """
    return [dcmtk("dcmsend"), "--version"]


def pynetdicom_version() -> list[str]:
    """Return the command that prints the version of pynetdicom.

    Raises:
        MissingError: It is not installed.
    """
    return [pynetdicom("")[0], "-c", "import pynetdicom; print(pynetdicom.__version__)"]


@dataclass(frozen=True)
class Setting:
    """A setting of the programs of a pair.

    Attributes:
        name: The name in results.
        nodelay: True for TCP_NODELAY=1 in the environment, without which DCMTK leaves Nagle's algorithm on.
        dcmtk: The options of both programs, if they are DCMTK's.
        receiver: The options of the receiver.
        sender: The options of the sender, if it is ours.
        ours: The options of both programs, if they are ours.
        tls: True to use TLS, with the certificate of `security`.
    """

    name: str
    nodelay: bool
    dcmtk: tuple[str, ...] = ()
    receiver: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    tls: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the programs. Python's programs may keep their compiled modules, as they do for every user."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TCP_NODELAY"))}
        return mine | ({"TCP_NODELAY": "1"} if self.nodelay else {})


LONG = ("-pdu", "131072")

BEST = Setting("", nodelay=True, dcmtk=LONG)
SHORT_PDUS = Setting("default PDUs", nodelay=True)
LONG_PDUS = Setting("131072-byte PDUs, no TCP_NODELAY", nodelay=False, dcmtk=LONG)
AS_IT_COMES = Setting("as it comes", nodelay=False)
BIT_PRESERVING = Setting("+B", nodelay=True, dcmtk=LONG, receiver=("+B",))
DURABLE = Setting("--durability full", nodelay=True, dcmtk=LONG, receiver=("--durability", "full"))
NOT_DURABLE = Setting("--durability none", nodelay=True, dcmtk=LONG, receiver=("--durability", "none"))

ONE_AT_A_TIME = Setting("--async-ops 1", nodelay=True, sender=("--async-ops", "1"))
FOUR_AT_A_TIME = Setting("--async-ops 4", nodelay=True, sender=("--async-ops", "4"))

# Both sides show one certificate and trust it, so that both verify equally much.
TLS = Setting(
    "TLS",
    nodelay=True,
    dcmtk=(*LONG, "+tls", str(security.KEY), str(security.CERTIFICATE), "+cf", str(security.CERTIFICATE)),
    ours=(
        *("--tls", "--tls-key", str(security.KEY), "--tls-cert", str(security.CERTIFICATE)),
        *("--tls-ca", str(security.CERTIFICATE)),
    ),
    tls=True,
)

Command = Callable[[Setting, str, str], list[str]]

SENDERS: Mapping[str, Command] = {
    "ours": lambda setting, port, files: [ours("storescu"), *setting.ours, *setting.sender, LOOPBACK, port, files],
    "dcmsend": lambda setting, port, files: [dcmtk("dcmsend"), *setting.dcmtk, LOOPBACK, port, "+sd", files],
    "storescu": lambda setting, port, files: [dcmtk("storescu"), *setting.dcmtk, "-R", LOOPBACK, port, "+sd", files],
    "pynetdicom": lambda setting, port, files: [*pynetdicom("storescu"), "-cx", LOOPBACK, port, files],
}
"""The commands of senders: they get a setting and a port, and send all files of a folder."""

RECEIVERS: Mapping[str, Command] = {
    "ours": lambda setting, port, folder: [ours("storescp"), *setting.ours, *setting.receiver, port, "-od", folder],
    "dcmrecv": lambda setting, port, folder: [
        *(dcmtk("dcmrecv"), *setting.dcmtk, *setting.receiver, "-xf", dcmtk_profiles(), "AllDICOM"),
        *("-od", folder, port),
    ],
    "storescp": lambda setting, port, folder: [
        *(dcmtk("storescp"), *setting.dcmtk, *setting.receiver, "+xa", "-pm"),
        *("-od", folder, port),
    ],
    "pynetdicom": lambda setting, port, folder: [*pynetdicom("storescp"), port, "-od", folder],
}
"""The commands of receivers: they get a setting and a port, and receive into a folder."""


def sender(name: str, setting: Setting, port: int, files: Path) -> list[str]:
    """Return the command that sends all files of a folder.

    Raises:
        MissingError: It is not installed.
    """
    return SENDERS[name](setting, str(port), str(files))


def receiver(name: str, setting: Setting, port: int, folder: Path) -> list[str]:
    """Return the command that receives into a folder.

    Raises:
        MissingError: It is not installed.
    """
    return RECEIVERS[name](setting, str(port), str(folder))


@dataclass(frozen=True)
class Group:
    """A group of pairs that are measured equally often.

    Attributes:
        name: The name for the option `--only`.
        title: The addition to the work's title above its results. Groups of one title are in one table.
        runs: The most runs that count; None for the number that the user asks for.
        shares: The share of each work that is sent, if it is not the whole. Results are scaled up.
        on_disk: True to receive on a disk; otherwise in memory.
    """

    name: str
    title: str = ""
    runs: int | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    on_disk: bool = False


HEADLINE = Group("headline")
DCMTK = Group("dcmtk")
PYNETDICOM = Group("pynetdicom", runs=3)
AS_THEY_COME = Group("as-they-come", ", DCMTK as it comes", runs=3)
DISK = Group("disk", ", received on a disk", on_disk=True)
SECURED = Group("tls", ", over TLS")

# Both sides wait for each other's delayed acknowledgements, 50 to 90 ms for every object.
WAITING = replace(PYNETDICOM, shares={"small": 0.25})
STALLED = replace(AS_THEY_COME, shares={"ct": 0.1, "small": 0.025, "mixed": 0.25})


@dataclass(frozen=True)
class Pair:
    """A sender and a receiver.

    Attributes:
        sender, receiver: The names in `SENDERS` and `RECEIVERS`.
        group: The group, which decides how often it is measured, and where.
        setting: The setting of both programs.
        works: The names of the works.
    """

    sender: str
    receiver: str
    group: Group
    setting: Setting = BEST
    works: tuple[str, ...] = ("ct", "small", "large", "mixed")

    @property
    def name(self) -> str:
        """The name in results."""
        words = [f"{self.sender} → {self.receiver}", self.setting.name, "on a disk" * self.group.on_disk]
        return ", ".join(filter(None, words))

    @property
    def reference(self) -> Pair:
        """The pair of DCMTK that it is compared with."""
        if self.setting.tls:
            return DCMTK_SECURED
        return DCMTK_ON_DISK if self.group.on_disk else DCMTK_BEST


# DCMTK's storescu proposes no compressed transfer syntaxes by default.
UNCOMPRESSED = ("ct", "small", "large")

OURS = Pair("ours", "ours", HEADLINE)
OUR_SENDER = Pair("ours", "dcmrecv", HEADLINE)
OUR_RECEIVER = Pair("dcmsend", "ours", HEADLINE)
DCMTK_BEST = Pair("dcmsend", "dcmrecv", HEADLINE)
# No programs, but the limit of the machine: see loopback.py.
LOOPBACK_LIMIT = Pair("sendfile", "write", HEADLINE)
DCMTK_ON_DISK = Pair("dcmsend", "dcmrecv", DISK)
# dcmsend does not support TLS.
OURS_SECURED = Pair("ours", "ours", SECURED, TLS, ("ct", "small"))
OUR_SENDER_SECURED = Pair("ours", "storescp", SECURED, TLS, ("ct", "small"))
OUR_RECEIVER_SECURED = Pair("storescu", "ours", SECURED, TLS, ("ct", "small"))
DCMTK_SECURED = Pair("storescu", "storescp", SECURED, TLS, ("ct", "small"))
PYNETDICOM_BOTH = Pair("pynetdicom", "pynetdicom", WAITING)

PAIRS = (
    OURS,
    OUR_SENDER,
    OUR_RECEIVER,
    DCMTK_BEST,
    LOOPBACK_LIMIT,
    Pair("ours", "ours", DCMTK, ONE_AT_A_TIME),
    Pair("ours", "ours", DCMTK, FOUR_AT_A_TIME),
    Pair("ours", "storescp", DCMTK),
    Pair("storescu", "ours", DCMTK, works=UNCOMPRESSED),
    Pair("storescu", "storescp", DCMTK, works=UNCOMPRESSED),
    Pair("dcmsend", "dcmrecv", DCMTK, SHORT_PDUS),
    Pair("dcmsend", "dcmrecv", DCMTK, BIT_PRESERVING),
    Pair("ours", "pynetdicom", PYNETDICOM),
    Pair("pynetdicom", "ours", PYNETDICOM),
    PYNETDICOM_BOTH,
    Pair("ours", "dcmrecv", AS_THEY_COME, AS_IT_COMES),
    Pair("dcmsend", "ours", AS_THEY_COME, AS_IT_COMES),
    Pair("dcmsend", "dcmrecv", STALLED, AS_IT_COMES),
    Pair("dcmsend", "dcmrecv", STALLED, LONG_PDUS),
    Pair("storescu", "ours", AS_THEY_COME, AS_IT_COMES, UNCOMPRESSED),
    Pair("storescu", "storescp", STALLED, AS_IT_COMES, UNCOMPRESSED),
    Pair("ours", "ours", DISK, DURABLE),
    Pair("ours", "ours", DISK, NOT_DURABLE),
    Pair("dcmsend", "ours", DISK, DURABLE),
    DCMTK_ON_DISK,
    OURS_SECURED,
    OUR_SENDER_SECURED,
    OUR_RECEIVER_SECURED,
    DCMTK_SECURED,
)
"""Every pair that is measured, in the order of the results."""
