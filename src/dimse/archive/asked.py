"""The instances that the destination of C-MOVEs takes: those that this process has asked for (PS3.4 C.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from threading import Lock
from typing import Any

from dimse import uids
from dimse.archive.sink import FileSink
from dimse.archive.stored import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID
from dimse.logs.notices import notice
from dimse.message.status import NOT_AUTHORIZED, Status
from dimse.services.handlers import Handlers
from dimse.services.information_models import UNIQUE_KEYS
from dimse.services.store_request import StoreRequest
from dimse.support.pace import brief, is_brief
from dimse.support.text import one_line
from dimse.support.values import replace, value

Network = IPv4Network | IPv6Network
# The unique keys of studies, series and instances.
_UIDS = tuple(UNIQUE_KEYS[level] for level in ("STUDY", "SERIES", "IMAGE"))


@value
class _Request:
    """A C-MOVE under way.

    Attributes:
        message_id: Its message ID.
        uids: The UIDs that its identifier names; empty if it names none.
    """

    message_id: int
    uids: frozenset[str]


class Asked:
    """The rule by which a destination takes an instance or refuses it with 0124H.

    Instances come from the addresses of the peers that were asked, from this machine, and from networks that the user allows. Each
    has to belong to a C-MOVE under way: by its Move Originator, its UIDs, or its message ID. Many peers do not send the Move
    Originator, and some send their own AE title in it.

    Args:
        ae_title: The AE title that asks.
        networks: Networks that instances are taken from too: "10.1.0.0/16".
        take_all: True to take every instance from these addresses, whether it was asked for or not.
    """

    def __init__(self, ae_title: str, networks: Iterable[str], *, take_all: bool) -> None:
        self._ae_title, self._take_all = ae_title, take_all
        self._near: list[Network] = [ip_network("127.0.0.0/8"), ip_network("::1/128")]
        self._far: list[Network] = [ip_network(network) for network in networks]
        self._lock = Lock()
        self._requests: list[_Request] = []

    def allow(self, addresses: Iterable[str]) -> None:
        """Take instances from these IP addresses too: those of peers that are asked."""
        for address in addresses:
            network = ip_network(address.partition("%")[0])
            if network not in self._near:
                self._near.append(network)

    @contextmanager
    def asking(self, message_id: int, text: Callable[[int], str]) -> Iterator[None]:
        """Take what a C-MOVE asks for, until the block ends.

        Args:
            message_id: The message ID of the C-MOVE.
            text: Returns the text of an attribute of its identifier, by tag.
        """
        named = (uid.strip(" \0") for tag in _UIDS for uid in text(tag).split("\\"))
        request = _Request(message_id, frozenset(uid for uid in named if uid and not set(uid) & set("*?")))
        with self._lock:
            self._requests.append(request)
        try:
            yield
        finally:
            with self._lock:
                self._requests.remove(request)

    def checking(self, handlers: Handlers) -> Handlers:
        """Return the handlers of a store, made to refuse instances that were not asked for."""
        begin, store = handlers.store_begin, handlers.store
        assert begin is not None and store is not None

        def check_address(request: StoreRequest) -> Any:
            return begin(request) if self._is_allowed(request) else Status(NOT_AUTHORIZED, service="storage")

        checked = replace(handlers, store_begin=brief(check_address) if is_brief(begin) else check_address)
        return checked if self._take_all else replace(checked, store=_Checked(store, self._is_asked))

    def _is_allowed(self, request: StoreRequest) -> bool:
        if self._is_in(request, self._near) or self._is_in(request, self._far):
            return True
        address = one_line(request.peer_address[0])
        notice("address", address, "refused an instance from %s, which was not asked: --store-from allows it", address)
        return False

    def _is_in(self, request: StoreRequest, networks: list[Network]) -> bool:
        address = ip_address(request.peer_address[0].partition("%")[0])
        # An IPv4 address that came to a socket of IPv6.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in networks)

    def _is_asked(self, request: StoreRequest) -> bool:
        """Return True if an instance belongs to a C-MOVE under way; if it does not, log that."""
        with self._lock:
            requests = list(self._requests)
        message_ids = {each.message_id for each in requests}
        if request.move_originator is not None:
            ae_title, message_id = request.move_originator
            if ae_title.strip() == self._ae_title and message_id in message_ids:
                return True
        named = frozenset[str]().union(*(each.uids for each in requests))
        if named and not named.isdisjoint(_uids_of(request)):
            return True
        if self._is_in(request, self._near):
            # A peer may name itself as the Move Originator.
            if request.move_originator is not None and request.move_originator[1] in message_ids:
                return True
            if len(requests) == 1 and not requests[0].uids:
                return True
        address, uid = request.peer_address[0], one_line(request.sop_instance_uid, 64)
        words = "refused %s from %s, which was not asked for: --take-all keeps it"
        notice("not asked for", address, words, uid, one_line(address))
        return False


class _Checked:
    """A handler that stores an instance if a rule takes it; it blocks as the handler of the store does."""

    def __init__(self, store: Callable[[StoreRequest], Any], is_taken: Callable[[StoreRequest], bool]) -> None:
        self._store, self._is_taken = store, is_taken

    def __call__(self, request: StoreRequest) -> Any:
        return self._store(request) if self._is_taken(request) else Status(NOT_AUTHORIZED, service="storage")

    @property
    def is_brief(self) -> bool:
        """True if the next call is expected not to block."""
        return is_brief(self._store)


def _uids_of(request: StoreRequest) -> set[str]:
    """Return the UIDs of an instance, of its series and of its study, as far as its data set shows them."""
    found = {request.sop_instance_uid}
    syntax, sink = uids.transfer_syntax(request.transfer_syntax_uid), request.sink
    if syntax is not None and syntax.has_elements and isinstance(sink, FileSink) and sink.error is None:
        with suppress(OSError):
            values = sink.survey(syntax, (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)).values
            found |= {each.strip(" \0") for each in values.values()}
    return found
