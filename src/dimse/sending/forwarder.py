"""A forwarder: it sends received instances on to another peer, over associations that it opens when it needs them.

with Forwarder("next.example.org", 104) as forwarder:
    with Server(("0.0.0.0", 11112), Handlers(store=forwarder.store)) as server:
        server.serve_forever()

An `Association` never reconnects by itself, so that its program notices the end. A forwarder is for programs that run on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, Unpack, cast, overload

from dimse import services, uids
from dimse.errors import DimseError, FileError, NoPresentationContext, NotSent, RefusedContexts
from dimse.instances.received import ReceivedInstance
from dimse.logs.notices import notice
from dimse.message.status import CANNOT_UNDERSTAND, OUT_OF_RESOURCES, SOP_CLASS_NOT_SUPPORTED, Status
from dimse.sending.associations import options_in_full
from dimse.services.sources import FALL_BACK, Storable, source_of
from dimse.settings import MOST_CONTEXTS, ProposedContext, arguments, proposed
from dimse.settings.keywords import InFull
from dimse.support.closing import Closing
from dimse.support.text import host_and_port, one_line
from dimse.transport.threaded import connect, run

if TYPE_CHECKING:
    from dimse.sending.options import AssociationOptions
    from dimse.services import Association
    from dimse.settings.remote import Remote


class Forwarder(Closing):
    """A handler of C-STORE that sends each instance on as it came, without decoding it.

    It opens associations on demand, keeps them while there is something to send, and releases those that were idle for `idle`
    seconds. Where an association that was kept fails before a request has gone out whole, the request is sent once more over a
    new association. An instance whose outcome is unknown is not sent again: its sender gets A700H, and decides.

    Args:
        host: The next peer's name or address; or a `Remote`, which stands for host, port and the options of its fields.
        port: Its port; left out with a `Remote`.
        contexts: The presentation contexts to propose, as for `dimse.associate`. By default they are those of the instances that
            have come so far.
        associations: The most associations to the next peer at one time; further instances wait for one.
        idle: Seconds after which an association without work is released.
        options: As for `dimse.associate`: AE titles, timeouts, TLS, identity.

    Raises:
        TypeError, ValueError: An argument is wrong.
        TLSConfigurationError: `tls` cannot be used.
    """

    __signature__ = InFull(options_in_full)

    @overload
    def __init__(
        self,
        host: str,
        port: int,
        contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext] | None = None,
        *,
        associations: int = 4,
        idle: float = 30.0,
        **options: Unpack[AssociationOptions],
    ) -> None: ...

    @overload
    def __init__(
        self,
        host: Remote,
        *,
        contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext] | None = None,
        associations: int = 4,
        idle: float = 30.0,
        **options: Unpack[AssociationOptions],
    ) -> None: ...

    def __init__(
        self,
        host: str | Remote,
        port: int | None = None,
        contexts: Iterable[str | tuple[str, Iterable[str]] | ProposedContext] | None = None,
        *,
        associations: int = 4,
        idle: float = 30.0,
        **options: Unpack[AssociationOptions],
    ) -> None:
        from dimse.settings.remote import address_and_options

        self._address, completed = address_and_options("Forwarder", host, port, cast("dict[str, Any]", options))
        options = cast("AssociationOptions", completed)
        if associations < 1 or not idle >= 0:
            raise ValueError(
                f"a forwarder has at least one association, idle for 0 seconds or more: {associations}, {idle}"
            )
        self._learns = contexts is None
        given = arguments.many("contexts", contexts or (), "contexts=[dimse.uids.CTImageStorage]")
        self._contexts = dict.fromkeys(proposed(context) for context in given)
        self._idle, self._options = idle, options
        _verify(options)
        self._places = threading.Semaphore(associations)
        self._changed = threading.Condition()
        # With the moment at which each of them became idle, the longest idle first.
        self._spare: deque[tuple[float, Association]] = deque()
        self._in_use: set[Association] = set()
        self._releaser: threading.Thread | None = None
        self._closed = False

    def store(self, request: Storable) -> Status:
        """Send an instance on; a handler for `dimse.Handlers(store=...)`.

        Args:
            request: The request that brought the instance, which is sent as it came. Or another instance as for
                `dimse.Association.store`: a pydicom data set that a handler has made of it, for one.

        Returns:
            The next peer's status, unchanged. A700H if the instance could not be sent, or its outcome is unknown. 0122H if the
            next peer does not accept the SOP class in this transfer syntax, or accepts nothing that was proposed. C000H if a file
            or data set cannot be sent, as for `FileError`.
        """
        name, needs = "", Needs()
        with self._places:
            try:
                instance, name, needs = _prepared(request)
                return self._forward(instance, needs)
            except FileError as error:
                return self._failed(name or error.path, CANNOT_UNDERSTAND, f"not forwarded: {error.reason}", error)
            except (NoPresentationContext, RefusedContexts) as error:
                # The comment has 64 characters, so it names only the transfer syntax: the sender knows the SOP class.
                syntax = uids.name(needs[0].transfer_syntaxes[0])
                return self._failed(name, SOP_CLASS_NOT_SUPPORTED, f"the next peer refuses it in {syntax}", error)
            except DimseError as error:
                return self._failed(name, OUT_OF_RESOURCES, f"not forwarded: {one_line(str(error))}", error)

    def close(self) -> None:
        """Release the associations that are idle, and abort the others: their instances are answered with A700H."""
        with self._changed:
            self._closed = True
            spare, self._spare = self._spare, deque()
            in_use = list(self._in_use)
            self._changed.notify_all()
        for association in in_use:
            association.abort()
        for _, association in spare:
            _release(association)

    def _forward(self, instance: Storable, needs: Needs) -> Status:
        """Send an instance over an association that is idle, or over a new one.

        Raises:
            NoPresentationContext: The next peer does not take it.
            DimseError: It could not be sent, or its outcome is unknown.
        """
        if self._learns:
            for needed in needs:
                self._learn(needed)
        while (association := self._take()) is not None:
            if self._learns and not all(_has_proposed(association, needed) for needed in needs):
                # The association is older than this context; a new one proposes it.
                self._in_use.discard(association)
                _release(association)
                continue
            try:
                return self._store(association, instance)
            except NoPresentationContext:
                raise
            except DimseError:
                if association.is_unanswered or self._closed:
                    raise
        if self._closed:
            raise NotSent("the forwarder is closed")
        return self._store(self._open(), instance)

    def _store(self, association: Association, instance: Storable) -> Status:
        try:
            return run(association.store(instance))
        finally:
            self._give_back(association)

    def _open(self) -> Association:
        with self._changed:
            contexts = tuple(self._contexts)
        association = run(services.associate(connect, *self._address, contexts=contexts, **self._options))
        with self._changed:
            self._in_use.add(association)
            # `close` has looked for associations to abort before this one was there.
            if self._closed:
                association.abort()
        return association

    def _learn(self, needed: ProposedContext) -> None:
        """Add a context to those that are proposed; of more than 128 the least recently used one is dropped."""
        with self._changed:
            self._contexts.pop(needed, None)
            self._contexts[needed] = None
            if len(self._contexts) > MOST_CONTEXTS:
                del self._contexts[next(iter(self._contexts))]

    def _failed(self, name: str, status: int, comment: str, error: DimseError) -> Status:
        notice(
            "not forwarded", self._address[0], "%s: %s was not forwarded: %s",
            host_and_port(*self._address), one_line(name), one_line(str(error)),
        )  # fmt: skip
        return Status(status, service="storage", comment=comment)

    # --- associations that are kept ---

    def _take(self) -> Association | None:
        """Return the association that was in use last, if one is idle."""
        with self._changed:
            while self._spare:
                _, association = self._spare.pop()
                if association.open:
                    self._in_use.add(association)
                    return association
        return None

    def _give_back(self, association: Association) -> None:
        with self._changed:
            self._in_use.discard(association)
            if self._closed or not association.open:
                return
            self._spare.append((time.monotonic(), association))
            if self._releaser is None:
                self._releaser = threading.Thread(target=self._release_idle, name="dimse-forwarder", daemon=True)
                self._releaser.start()

    def _release_idle(self) -> None:
        """Release associations when their time is over, until there is no idle one left."""
        while True:
            with self._changed:
                while self._spare and (left := self._spare[0][0] + self._idle - time.monotonic()) > 0:
                    self._changed.wait(left)
                if not self._spare:
                    self._releaser = None
                    return
                _, association = self._spare.popleft()
            _release(association)


Needs: TypeAlias = tuple[ProposedContext, ...]


def _prepared(given: Storable) -> tuple[Storable, str, Needs]:
    """Return an instance that is looked at and encoded, its name, and the presentation contexts that it needs.

    Raises:
        FileError: It cannot be sent.
        TypeError: It is not an instance.
    """
    if isinstance(given, ReceivedInstance):
        own = ProposedContext(given.sop_class_uid, (given.transfer_syntax_uid,))
        return given, given.sop_instance_uid, (own,)
    source = source_of(given)
    file = source.check()
    assert file is not None
    own = ProposedContext(file.sop_class_uid, (file.transfer_syntax_uid,))
    return file, source.name, (own, ProposedContext(file.sop_class_uid, FALL_BACK))


class _Verified(Exception):
    """A signal that the options are right, raised instead of connecting."""


async def _stop(*_: object, **__: object) -> NoReturn:
    raise _Verified


def _verify(options: AssociationOptions) -> None:
    """Check the options of associations at once, not at the first instance.

    Raises:
        TypeError, ValueError: One of them is wrong.
        TLSConfigurationError: `tls` cannot be used.
    """
    with suppress(_Verified):
        run(services.associate(_stop, "localhost", 104, contexts=[uids.Verification], **options))


def _has_proposed(association: Association, needed: ProposedContext) -> bool:
    return any(
        context.abstract_syntax == needed.abstract_syntax
        and needed.transfer_syntaxes[0] in context.proposed_transfer_syntaxes
        for context in association.contexts
    )


def _release(association: Association) -> None:
    """Release an association. A release that fails does not concern instances that were forwarded."""
    with suppress(DimseError):
        run(association.release())
