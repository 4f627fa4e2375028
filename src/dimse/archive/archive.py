"""Archive: a `FileStore` and the index of its files together, which answer C-STORE, C-FIND, C-GET and C-MOVE (PS3.4 B and C).

An instance is acknowledged when its file is safely in the folder, and its row in the index is committed: the next query finds it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from itertools import islice
from threading import BoundedSemaphore, Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

from dimse import uids
from dimse.archive.file_store import FileStore, OnDuplicate
from dimse.archive.gates import DestinationGate
from dimse.archive.index.arriving import REQUIRED_TAGS, Arrivals, arriving_tags
from dimse.archive.index.row import Added
from dimse.archive.layout import OF_AN_ARCHIVE
from dimse.archive.peers import RIGHTS, KnownPeer, Peers, Right
from dimse.archive.question import Question
from dimse.archive.retrieval import files_of
from dimse.archive.stored import NotAcknowledged, Stored
from dimse.errors import DatabaseError, QueryTooLong
from dimse.instances import KnownFile
from dimse.logs import Private
from dimse.logs.notices import notice
from dimse.logs.security_events import Observe, SecurityEvent, ignore
from dimse.matching import Rules, UnfitKey
from dimse.message.status import (
    IDENTIFIER_DOES_NOT_MATCH,
    MOVE_DESTINATION_UNKNOWN,
    NOT_AUTHORIZED,
    OUT_OF_RESOURCES,
    UNABLE_TO_PERFORM_SUB_OPERATIONS,
    Status,
)
from dimse.services.handlers import Handlers
from dimse.services.sources import Transcode
from dimse.settings import Timeouts
from dimse.support.closing import Closing
from dimse.support.pace import brief
from dimse.support.text import one_line
from dimse.support.values import replace, value

if TYPE_CHECKING:
    from dimse.archive.index import Index
    from dimse.association.sinks import Sink
    from dimse.data_set.identifier import Identifier
    from dimse.services.operation_request import OperationRequest
    from dimse.services.query import FindRequest
    from dimse.services.retrieve_scp import MoveTo, RetrieveRequest
    from dimse.services.store_request import StoreRequest
    from dimse.services.verification import EchoRequest
    from dimse.upper_layer.negotiation import Peer

LOGGER = logging.getLogger("dimse.archive")

MOST_FINDS = 8
"""Queries that read the index at one time; others wait for their turn."""

MATCHES_AT_A_TIME = 64
"""Matches for which a query has its turn."""


@value
class Limits:
    """The limits of an archive's answers.

    Attributes:
        matches: The most matches of a C-FIND; the status is A700H after so many. 0 is unlimited.
        retrieved: The most instances of a C-GET or C-MOVE; the status is A701H for more. 0 is unlimited.
        strict_hierarchy: True to refuse identifiers without a unique key of each level above (PS3.4 C.4.1.1.3.1).
        moves_to: "any" destination that is known, the requestor's own AE title ("self") or address ("host") only.
        transcode: The conversion of data sets whose transfer syntax a peer does not accept, unless its `KnownPeer` says another
            one; see `dimse.send`.
        strict_roles: True to fail instances of a C-GET whose class the peer has not negotiated its role for.
        finishes_moves: True to go on with a C-MOVE although the peer that has asked for it is gone.
        serves_while_recovering: True to answer queries and retrievals while the index may lack acknowledged instances.
    """

    matches: int = 10_000
    retrieved: int = 0
    strict_hierarchy: bool = False
    moves_to: str = "any"
    transcode: Transcode = "always"
    strict_roles: bool = False
    finishes_moves: bool = False
    serves_while_recovering: bool = False


class Archive(Closing):
    """A folder of instances with an index: `Server(address, Archive("archive").handlers())`.

    Close it, or use it as a context manager.

    Args:
        folder: The folder of the files; created if it does not exist.
        index: The database of the index: the path of a file for SQLite, or a URL that begins with `postgresql://`. By default it is
            a file beside the folder, with its name and `.sqlite`. An open `Index` is used as it is, and left open.
        ae_title: Our AE title, the Retrieve AE Title of each match.
        peers: The peers with their rights, and the destinations of C-MOVE. By default every peer may do everything, and there is no
            destination. May be replaced while the archive serves.
        rules: The rules of matching that are not negotiated.
        limits: The limits of answers.
        stored: Called with each instance that is kept and indexed, as by `FileStore`.
        tags: The elements whose values `Stored.elements` is to have.
        observe: Called with a `SecurityEvent` when a request is refused because of the peer's rights.
        digest: Make the SHA-256 of each data set, which tells copies of an instance apart without reading them.
        keeps_index: Mark the index as in use, and recover it if the process before has not ended in order. Until then queries and
            retrievals are answered with A700H. False if another process does that.
        timeouts: The deadlines of associations with the destinations of C-MOVEs.
        store: More arguments of `FileStore`, such as `layout`, `durability` and `on_duplicate`.

    Attributes:
        peers: As given.
        ae_title: As given.

    Raises:
        OSError: The folder cannot be created or written to, or another process uses it.
        ValueError: An argument is outside of what it may be.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        index: Index | str | os.PathLike[str] | None = None,
        *,
        ae_title: str = "DIMSE",
        peers: Peers | None = None,
        rules: Rules = Rules(),  # noqa: B008  (frozen)
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        stored: Callable[[Stored], None] | None = None,
        tags: Iterable[int] = (),
        observe: Observe = ignore,
        digest: bool = True,
        keeps_index: bool = True,
        timeouts: Timeouts = Timeouts(),
        **store: Any,
    ) -> None:
        self.ae_title = ae_title
        self.peers = Peers(strangers=KnownPeer("", allow=RIGHTS)) if peers is None else peers
        self._digests, self._keeps_index, self._timeouts = digest, keeps_index, timeouts
        self._rules, self._limits, self._stored, self._observe = rules, limits, stored, observe
        self._on_duplicate: OnDuplicate = store.pop("on_duplicate", "keep-both")
        self._store = FileStore(
            folder,
            stored=self._keep,
            tags=arriving_tags() | set(tags),
            required=REQUIRED_TAGS,
            digest=digest,
            # Of two data sets with one name, the index decides which is served.
            on_duplicate="keep-both",
            **{"layout": OF_AN_ARCHIVE} | store,
        )
        self._database: str | None = None
        self._index: Index | None = None
        if index is None or isinstance(index, (str, os.PathLike)):
            self._database = os.fspath(index) if index is not None else f"{self._store.folder}.sqlite"
        else:
            self._index = index
        self._adds: Arrivals | None = None
        self._recovering: Thread | None = None
        self._gates: dict[str, DestinationGate] = {}
        self._opening, self._finding = Lock(), BoundedSemaphore(MOST_FINDS)

    @property
    def folder(self) -> str:
        """The absolute path of the folder of the files."""
        return self._store.folder

    @property
    def index(self) -> Index:
        """The index. It is opened at its first use, so that a process may be forked before.

        Raises:
            DatabaseError: The database cannot be used.
        """
        with self._opening:
            if self._index is None:
                from dimse.archive.index import Index

                assert self._database is not None
                self._index = Index(self._database, self._store, on_duplicate=self._on_duplicate)
            return self._index

    def close(self) -> None:
        """Close the index and the folder. This is idempotent. Call it after the last request has been answered."""
        if self._database is not None and self._index is not None:
            self._index.close()
            self._index = None
        self._store.close()

    def handlers(self) -> Handlers:
        """Return handlers of C-ECHO, C-STORE, C-FIND, C-GET and C-MOVE; the index is open from here on.

        Raises:
            DatabaseError: The database cannot be used.
        """
        self._start()
        kept = self._store.handlers()
        return replace(
            kept, echo=self.echo, store_begin=self.begin, find=self.find, get=self.get, move=self.move, admit=self.admit
        )

    def _start(self) -> None:
        """Open the index; if the process before has not ended in order, recover it while instances are taken already."""
        index = self.index
        if not self._keeps_index or index.start():
            return
        LOGGER.info("The index is being recovered")
        self._recovering = Thread(target=self._recover, name="dimse-recovery", daemon=True)
        self._recovering.start()

    def _recover(self) -> None:
        try:
            recovered = self.index.recover(digest=self._digests)
        except (DatabaseError, OSError) as error:
            # The archive goes on without it, and the next start tries again.
            LOGGER.error("the index cannot be recovered: %s", one_line(str(error)))
        else:
            LOGGER.info("The index is recovered: %d instances were added to it", recovered.added)
        self._recovering = None

    def unready(self, service: str) -> Status | None:
        """Return the status of a query or retrieval while the index may lack acknowledged instances; None otherwise."""
        if self._recovering is None or self._limits.serves_while_recovering:
            return None
        return Status(OUT_OF_RESOURCES, service=service, comment="the index is being recovered")

    # --- the rights of a peer ---

    def caller(self, peer: Peer) -> KnownPeer:
        """Return what is known of the peer of an association."""
        return self.peers.caller(peer.ae_title, peer.address[0], peer.fingerprint)

    def denied(self, peer: Peer) -> Collection[str]:
        """Return the abstract syntaxes that a peer may not use, of services that give data away: the `deny` of a server."""
        from dimse.services.query_retrieve import sop_classes

        rights = self.caller(peer).allow
        denied = {uid for name in ("find", "get", "move") if name not in rights for uid in sop_classes(name)}
        return denied if "commit" in rights else {*denied, uids.StorageCommitmentPushModel}

    def refusal(self, right: Right, peer: Peer, called_ae_title: str = "") -> Status | None:
        """Return the status that refuses a request of a peer; None if the peer has the right to it."""
        if right in self.caller(peer).allow:
            return None
        service = "storage commitment" if right == "commit" else f"C-{right.upper()}"
        return self._refused(peer, f"{service} is not allowed to it", called_ae_title)

    @brief
    def admit(self, request: OperationRequest) -> int:
        """Return the status that refuses a query or retrieval before its identifier is read; 0000H if the peer may go on."""
        if request.service == "move":
            destination = self._destination(request)
            return destination if isinstance(destination, int) else 0x0000
        refusal = self.refusal(request.service, request.peer, request.called_ae_title)
        return refusal or self.unready(request.service) or 0x0000

    def _refused(self, peer: Peer, why: str, called_ae_title: str = "") -> Status:
        """Log that a request of a peer is refused because of its rights, and return the status."""
        said = one_line(peer.ae_title, 16), one_line(peer.address[0], 64), why
        notice("not authorized", peer.address[0], "refused a request of %s at %s: %s", *said)
        self._observe(SecurityEvent("not authorized", peer.address, peer.ae_title, called_ae_title, peer.user, why))
        return Status(NOT_AUTHORIZED, comment="the peer is not authorized")

    # --- C-ECHO and C-STORE ---

    @brief
    def echo(self, request: EchoRequest) -> int:
        """Answer a C-ECHO: 0000H, or 0124H."""
        return self.refusal("echo", request.peer) or 0x0000

    @brief
    def begin(self, request: StoreRequest) -> int | Sink:
        """Return a sink for the data set of an instance while it arrives, or the status that refuses it."""
        return self.refusal("store", request.peer, request.called_ae_title) or self._store.begin(request)

    def _keep(self, stored: Stored) -> Callable[[], None]:
        """Queue an instance that is safely in the folder for the index, and return a callable that waits until it is there.

        Both raise:
            NotAcknowledged: It is not in the index, so the peer has to send it again.
        """
        try:
            settle = self._arrivals(stored)
        except Exception as error:
            raise _not_acknowledged(stored, error) from error
        return partial(self._finish, stored, settle)

    def _finish(self, stored: Stored, settle: Callable[[], None]) -> None:
        try:
            settle()
        except Exception as error:
            raise _not_acknowledged(stored, error) from error
        if self._stored is not None:
            self._stored(stored)

    @property
    def _arrivals(self) -> Arrivals:
        """The callable that adds an instance to the index."""
        if self._adds is None:
            self._adds = self.index.arrivals(self._added)
        return self._adds

    def _added(self, stored: Stored, added: Added) -> None:
        """Alert the audit trail of a study that came with another patient than before."""
        if "PatientID" in added.differs:
            why = f"the study {one_line(stored.study_instance_uid, 64)} came with another Patient ID than before"
            self._observe(
                SecurityEvent("protocol", stored.peer_address, stored.calling_ae_title, stored.called_ae_title, why=why)
            )

    # --- C-FIND ---

    def find(self, request: FindRequest) -> Iterator[Identifier | int]:
        """Yield the matches of a query, and its final status if that is not success."""
        caller = self.caller(request.peer)
        refusal = self.refusal("find", request.peer, request.called_ae_title) or self.unready("find")
        if refusal is not None:
            yield refusal
            return
        try:
            question = Question(
                request.identifier,
                request.level,
                request.model.levels,
                self._rules_of(request),
                self.ae_title,
                strict=self._limits.strict_hierarchy,
            )
            request.has_unsupported_keys = question.has_unsupported_keys
            request.charset = caller.charset
            most = self._limits.matches if caller.max_matches is None else caller.max_matches
            yield from self._matches(request, question, most)
        except UnfitKey as error:
            request.offending_elements = (error.tag,)
            yield Status(IDENTIFIER_DOES_NOT_MATCH, service="find", comment=str(error)[:64])
        except QueryTooLong:
            yield Status(OUT_OF_RESOURCES, service="find", comment="the query takes too long: ask for less")
        except DatabaseError as error:
            LOGGER.error("a query has failed: %s", Private(one_line(str(error)), "the database cannot be used"))
            yield Status(OUT_OF_RESOURCES, service="find", comment="the index cannot be read")

    def _rules_of(self, request: FindRequest) -> Rules:
        features = request.features
        return replace(
            self._rules,
            date_time=features.date_time,
            fuzzy=features.fuzzy_names,
            empty_values=features.empty_values,
            multiple_values=features.multiple_values,
        )

    def _matches(self, request: FindRequest, question: Question, most: int) -> Iterator[Identifier | int]:
        """Yield the responses to a query, and the status of a failure."""
        root: Literal["patient", "study"] = "patient" if request.model.levels[0] == "PATIENT" else "study"
        entities = self.index.search(
            question.level, question.keys, root=root, rules=self._rules_of(request), limit=most + 1 if most else 0
        )
        number = 0
        while True:
            with self._finding:
                batch = list(islice(entities, MATCHES_AT_A_TIME))
            for entity in batch:
                number += 1
                if most and number > most:
                    yield Status(OUT_OF_RESOURCES, service="find", comment=f"more than {most:,} matches")
                    return
                yield question.response(entity)
            if len(batch) < MATCHES_AT_A_TIME:
                return

    # --- C-GET and C-MOVE ---

    def get(self, request: RetrieveRequest) -> list[KnownFile] | int:
        """Return the files of the instances that a C-GET names, or the status that refuses it."""
        refusal = self.refusal("get", request.peer, request.called_ae_title) or self.unready("get")
        if refusal is not None:
            return refusal
        request.transcode = self.caller(request.peer).transcode or self._limits.transcode
        request.strict_roles = self._limits.strict_roles
        return files_of(request, self.index, self._limits.retrieved, "get")

    def move(self, request: RetrieveRequest) -> MoveTo | int:
        """Return the files of the instances that a C-MOVE names with their destination, or the status that refuses it."""
        from dimse.services.retrieve_scp import MoveTo

        destination = self._destination(request)
        if isinstance(destination, int):
            return destination
        request.transcode = destination.transcode or self._limits.transcode
        files = files_of(request, self.index, self._limits.retrieved, "move")
        if isinstance(files, int):
            return files
        return MoveTo(
            (destination.address, destination.port),
            files,
            called_ae_title=destination.ae_title,
            calling_ae_title=self.ae_title,
            timeouts=self._timeouts,
            tls=destination.tls,
            gate=self._gates[destination.ae_title],
            async_ops=destination.async_ops,
            jobs=destination.move_jobs,
            outlives=self._limits.finishes_moves,
        )

    def _destination(self, request: RetrieveRequest | OperationRequest) -> KnownPeer | Status:
        """Return the destination of a C-MOVE, or the status that refuses it before anything is matched."""
        if (refusal := self.refusal("move", request.peer, request.called_ae_title)) is not None:
            return refusal
        destination = self.peers.destination(request.destination)
        if destination is None:
            LOGGER.error("Unknown Move Destination: %s", one_line(request.destination, 16))
            return Status(MOVE_DESTINATION_UNKNOWN, service="move", comment="the destination is not known here")
        if why := self._forbidden(request, destination):
            return self._refused(request.peer, why, request.called_ae_title)
        if self._gates.setdefault(destination.ae_title, DestinationGate()).is_paused:
            comment = f"destination {destination.ae_title}: it was away too often"
            return Status(UNABLE_TO_PERFORM_SUB_OPERATIONS, service="move", comment=comment)
        return self.unready("move") or destination

    def _forbidden(self, request: RetrieveRequest | OperationRequest, destination: KnownPeer) -> str:
        """Return why a peer may not have instances sent to a destination; empty if it may."""
        moves_to, title = self._limits.moves_to, one_line(destination.ae_title, 16)
        if not self.caller(request.peer).may_move_to(destination.ae_title):
            return f"C-MOVE to {title} is not allowed to it"
        if moves_to == "self" and destination.ae_title != request.peer.ae_title:
            return f"C-MOVE to {title} is not to itself"
        if moves_to == "host" and not self.peers.is_at(destination, request.peer.address[0]):
            return f"C-MOVE to {title} is not to its own host"
        return ""


def _not_acknowledged(stored: Stored, error: Exception) -> NotAcknowledged:
    """Return the error for an instance that is not in the index; the store takes others for those of a user's own code."""
    if isinstance(error, NotAcknowledged):
        return error
    uid, kind = one_line(stored.sop_instance_uid, 64), type(error).__name__
    LOGGER.error("cannot index %s: %s", uid, Private(one_line(f"{kind}: {error}"), kind))
    return NotAcknowledged("the index cannot be written")
