"""A qrscp under attack, with an honest user that asks it all the time, and with destinations that misbehave as they are told."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faulty_peer import Connection, PeerGoneError
from tests.hostile_scu import private
from tests.interop.evil import stock
from tests.interop.evil.stock import FOREIGN_STUDY, INSTANCES, SOP_INSTANCE_UID, Instance
from tests.interop.evil_scu.attacker import STUDY_KEYS, Attacker, encoded
from tests.interop.peers import free_port
from tests.tools.listeners import Listener, listening

OTHERS = 400
"""Studies of one instance besides the one that the honest user asks for."""
SLOWEST = 2.0
"""Seconds within which the honest user has its answers, whatever the others do."""
MOST_MEMORY = 160 * 1024 * 1024
"""Bytes of private memory."""
DESTINATIONS = 60

Behaviour = Callable[[Connection], None]


class Destination:
    """A storage SCP on a port of its own that treats each connection as it is told, in a thread of its own.

    Attributes:
        port: Its port.
        behaviour: The function of a connection that comes.
        connections: Each connection that came since they were cleared.
    """

    def __init__(self) -> None:
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # A window that does not grow: a peer that stops reading is felt after some hundred KB.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        self.behaviour: Behaviour = honest
        self.connections: list[Connection] = []
        self.leaving = threading.Event()
        threading.Thread(target=self._listen, name="destination", daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        self.leaving.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                accepted = self._listener.accept()[0]
                threading.Thread(target=self._meet, args=(accepted, self.behaviour), daemon=True).start()

    def _meet(self, accepted: socket.socket, behaviour: Behaviour) -> None:
        with accepted:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(accepted, self.leaving, time.monotonic() + 30)
            self.connections.append(connection)
            with suppress(PeerGoneError, OSError):
                behaviour(connection)
                if accepted.fileno() != -1 and not connection.end:
                    connection.drain()


def honest(connection: Connection) -> None:
    """Store everything."""
    connection.accept()
    connection.serve()


@dataclass
class Victim:
    """A qrscp that is attacked.

    Attributes:
        listener: Its process.
        folder: The folder that it works in: of its configuration, its log, its index and its files.
        destination: The destination that its peers D0 to D59 stand for, each a title of the same port.
        sockets: The number of sockets of its process before any attack.
        away: The number of the next of these titles.
        acknowledged: The data sets by SOP Instance UID that it has acknowledged to attackers.
    """

    listener: Listener
    folder: Path
    destination: Destination
    away: int = 0
    sockets: int = 0
    acknowledged: dict[bytes, set[bytes]] = field(default_factory=dict)
    _slowest: float = 0.0
    _failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _logged: int = 0

    @property
    def port(self) -> int:
        """The port of the archive."""
        return self.listener.port

    def attacker(self, **options: object) -> Attacker:
        """Return a requestor with an association as the peer HOSTILE."""
        attacker = Attacker(self.port, **options)  # type: ignore[arg-type]
        answer = attacker.greet()
        assert answer == "A-ASSOCIATE-AC", answer
        return attacker

    def next_destination(self, behaviour: Behaviour) -> bytes:
        """Return the AE title of a destination with this behaviour, which no other C-MOVE has named before."""
        self.destination.behaviour = behaviour
        self.destination.connections.clear()
        self.away += 1
        return b"D%d" % ((self.away - 1) % DESTINATIONS)

    def keep(self, uid: bytes, data_set: bytes) -> None:
        """Note that a data set has been acknowledged."""
        self.acknowledged.setdefault(uid, set()).add(data_set)

    # ---- the honest user

    def watch(self) -> None:
        """Ask again and again for a study, each time on a new association, until stopped."""
        while not self._stop.wait(0.1):
            began = time.monotonic()
            with suppress(OSError):
                self._ask()
            self._slowest = max(self._slowest, time.monotonic() - began)

    def _ask(self) -> None:
        try:
            with Attacker(self.port, seconds=10, source="127.0.0.2") as scu:
                answer = scu.greet(b"WATCH")
                found = scu.ask_and_read("find", STUDY_KEYS) if answer == "A-ASSOCIATE-AC" else (answer, 0)
                if found != ("0000H", 1) or b" ".join(scu.data_sets).count(b"3 ") != 1:
                    self._failures.append(f"{answer}, {found}, {scu.data_sets}")
                scu.release()
                scu.line()
        except TimeoutError:
            self._failures.append("no answer within 10 s")

    def is_well(self) -> None:
        """Verify that the archive serves others in time and in full, within its memory, and has lost nothing."""
        self._ask()
        slowest, failures, kept = self._slowest, self._failures, self.acknowledged
        self._slowest, self._failures, self.acknowledged = 0.0, [], {}
        assert not failures, failures[:3]
        assert slowest < SLOWEST, f"an honest user waited for {slowest:.1f} s"
        with Attacker(self.port, source="127.0.0.2", seconds=60) as scu:
            scu.greet(b"WATCH")
            assert scu.ask_and_read("get", STUDY_KEYS)[0] == "0000H"
            assert sorted(scu.stored) == sorted(encoded(one.attributes()) for one in INSTANCES)
            there = self._files() if kept else []
            for number, (uid, data_sets) in enumerate(kept.items(), 2):
                _verify_kept(scu, number, uid, data_sets)
                assert all(any(file.endswith(one) for file in there) for one in data_sets), uid
        memory = private(self.listener.process.pid)
        assert memory < MOST_MEMORY, f"{memory >> 20} MiB"
        assert self.listener.process.poll() is None
        self._verify_log()
        assert {entry.name for entry in self.folder.iterdir()} <= NAMES

    def _files(self) -> list[bytes]:
        """Return the content of each file in the archive's folder."""
        return [path.read_bytes() for path in (self.folder / "instances").rglob("*") if path.is_file()]

    def _verify_log(self) -> None:
        text = (self.folder / "log").read_text(errors="replace")
        new, self._logged = text[self._logged :], len(text)
        assert "Traceback" not in new and "the handler of" not in new, new[-2000:]
        assert not any("\0" in line or "\x1b" in line for line in new.splitlines()), new[-2000:]


def _verify_kept(scu: Attacker, number: int, uid: bytes, data_sets: set[bytes]) -> None:
    """Verify that an acknowledged instance is found, and that one of its data sets is served."""
    keys: list[stock.Attribute] = [(SOP_INSTANCE_UID, "UI", uid), (stock.LEVEL, "CS", "IMAGE")]
    found = scu.ask_and_read("find", keys, number)
    assert found == ("0000H", 1), (uid, found)
    scu.stored.clear()
    got = scu.ask_and_read("get", keys, number)
    assert got[0] == "0000H", (uid, got)
    assert len(scu.stored) == 1 and scu.stored[0] in data_sets, uid


NAMES = {"archive.ini", "instances", "index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "log"}


def _configuration(destination: int) -> str:
    sections = {
        "default": "allow: echo, store",
        "HOSTILE": f"address: 127.0.0.1\nport: {free_port()}",
        "WATCH": "address: 127.0.0.2\nport: 11112",
        "ELSEWHERE": "address: 10.9.8.7\nport: 104",
        "SEALED": f"address: 127.0.0.1\nport: 104\ntls: {'ab' * 32}",
        "LIMITED": "address: 127.0.0.1\nport: 104\nallow: find, move\nmove_to: LIMITED",
        **{f"D{number}": f"address: 127.0.0.1\nport: {destination}" for number in range(DESTINATIONS)},
    }
    return "".join(f"[{name}]\n{text}\n" for name, text in sections.items())


def sockets(pid: int) -> int:
    """Return the number of sockets of a process."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            count += os.readlink(entry).startswith("socket:")
    return count


@contextmanager
def victim(folder: Path) -> Iterator[Victim]:
    """Start a qrscp with a stock of instances, and the honest user that watches it."""
    destination = Destination()
    (folder / "archive.ini").write_text(_configuration(destination.port))
    options = ("-c", "archive.ini", "--instance-location", "instances", "--database-location", "index.sqlite")
    limits = ("-tn", 2, "-td", 2, "-ta", 2, "--idle-timeout", 20, "--durability", "none", "--log-file", "log")
    with _in(folder), listening("qrscp", *options, *limits) as listener:
        attacked = Victim(listener, folder, destination)
        _fill(attacked)
        attacked.sockets = sockets(listener.process.pid)
        watching = threading.Thread(target=attacked.watch, name="watch", daemon=True)
        watching.start()
        try:
            yield attacked
        finally:
            attacked._stop.set()
            watching.join(15)
            destination.close()
        listener.end()


@contextmanager
def _in(folder: Path) -> Iterator[None]:
    """Work in a folder until left."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _fill(attacked: Victim) -> None:
    others = [
        Instance(1, f"{FOREIGN_STUDY}.{number}", f"{FOREIGN_STUDY}.{number}.1") for number in range(1, OTHERS + 1)
    ]
    with attacked.attacker() as scu:
        for number, one in enumerate((*INSTANCES, *others), 1):
            assert scu.store_and_read(encoded(one.attributes()), one.uid.encode(), number) == "0000H"
