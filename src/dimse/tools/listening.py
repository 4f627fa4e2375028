"""What the tools that listen share: their options, signals, worker processes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from types import FrameType, TracebackType
from typing import NoReturn, Self, TypeAlias

import dimse
from dimse import settings, uids
from dimse.happenings import ignore
from dimse.text import host_and_port, one_line
from dimse.tools import audit, common, identity, tls
from dimse.tools.ready import announce

UNCOMPRESSED = (uids.ExplicitVRLittleEndian, uids.ExplicitVRBigEndian, uids.ImplicitVRLittleEndian)


def add_options(parser: common.Parser, ae_title: str, *, needs_port: bool = True) -> None:
    """Where to listen, who may come in, and how long things may take."""
    parser.add_argument(
        "port",
        nargs=None if needs_port else "?",
        type=common.number(0, 65535),
        help="port to listen on; 0 picks a free one",
    )
    audit.add_option(common.add_logging(parser))
    group = parser.add_argument_group("listening")
    group.add_argument(
        "-ba", "--bind-address", metavar="A", default="0.0.0.0", help="address to listen on (%(default)s, every one)"
    )
    group.add_argument("--ready-file", metavar="F", help="write HOST:PORT there once connections are taken")
    group.add_argument(
        "--drain",
        metavar="S",
        type=common.seconds,
        default=30,
        help="at the end (SIGTERM, Ctrl-C), let messages under way be answered for S seconds (%(default)s)",
    )
    group.add_argument(
        "--workers", metavar="N", type=common.number(1, 256), default=1, help="processes on the port (%(default)s)"
    )
    group = parser.add_argument_group("association")
    group.add_argument(
        "-aet", "--ae-title", metavar="A", type=common.ae_title, default=ae_title, help="our AE title (%(default)s)"
    )
    group.add_argument("--require-called", action="store_true", help="reject who calls another AE title than ours")
    group.add_argument(
        "--allow-calling",
        metavar="A",
        type=common.ae_title,
        action="append",
        default=[],
        help="let only this AE title call; again for more",
    )
    group.add_argument(
        "--allow-from",
        metavar="NET",
        type=common.validated(_network),
        action="append",
        default=[],
        help="let only this network connect (10.1.0.0/16); again for more",
    )
    group.add_argument(
        "--max-associations",
        metavar="N",
        type=common.number(1, 100_000),
        default=settings.Limits().associations,
        help="at one time in each worker; more are rejected (%(default)s)",
    )
    group.add_argument(
        "--max-per-address",
        metavar="N",
        type=common.number(0, 100_000),
        help="associations from one address, in each worker; more are rejected (90 %% of --max-associations), 0 is no limit",
    )
    common.add_waits(group, connecting=False)
    group.add_argument(
        "--idle-timeout",
        metavar="S",
        type=common.seconds,
        default=settings.Timeouts().idle,
        help="a request from an association that is silent: seconds (%(default)s), 0 is unlimited",
    )
    group.add_argument(
        "-pdu",
        "--max-pdu",
        metavar="N",
        type=common.maximum_length,
        default=settings.ACCEPTOR_MAXIMUM_LENGTH,
        help="largest P-DATA PDU that we receive: 0 (unlimited) or 4096 and more bytes (%(default)s)",
    )
    group.add_argument(
        "--async-ops",
        metavar="N",
        type=common.number(0, 65535),
        default=settings.ASYNC_OPS,
        help="let a requestor that asks have N operations outstanding (%(default)s);"
        f" 0 and more than {settings.Limits().queued_requests} are {settings.Limits().queued_requests}",
    )
    tls.add_options(parser, server=True)
    identity.add_acceptor_options(parser)
    preference = parser.add_argument_group("transfer syntaxes").add_mutually_exclusive_group()
    for short, long, first, words in (
        ("-x=", "--prefer-uncompr", UNCOMPRESSED[0], "prefer uncompressed ones, in this machine's byte order"),
        ("-xe", "--prefer-little", UNCOMPRESSED[0], "prefer Explicit VR Little Endian"),
        ("-xb", "--prefer-big", UNCOMPRESSED[1], "prefer Explicit VR Big Endian"),
    ):
        preference.add_argument(short, long, action="store_const", const=first, dest="preferred", help=words)
    preference.add_argument("-xi", "--implicit", action="store_true", help="accept Implicit VR Little Endian only")


def _network(text: str) -> str:
    from ipaddress import ip_network

    ip_network(text)
    return text


def make_server(
    options: argparse.Namespace,
    handlers: dimse.Handlers,
    *,
    contexts: set[str] | None = None,
    only: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
) -> dimse.Server:
    """The server that the options ask for.

    Args:
        options: As parsed.
        handlers: What answers.
        contexts: The abstract syntaxes that are accepted; None: what the handlers are for.
        only: Transfer syntaxes, if no others are to be accepted.
        more: Transfer syntaxes that are accepted besides, or the words of `dimse.uids` for private ones and for any.
    """
    accepted = only or uids.STORABLE_TRANSFER_SYNTAXES
    if options.implicit:
        accepted = (uids.ImplicitVRLittleEndian,)
    elif options.preferred:
        known = accepted
        accepted = tuple(dict.fromkeys((options.preferred, *UNCOMPRESSED, *known)))
        accepted = tuple(uid for uid in accepted if uid in known)
    return dimse.Server(
        (options.bind_address, options.port),
        handlers,
        ae_title=options.ae_title,
        contexts=contexts,
        transfer_syntaxes=(*accepted, *more),
        prefer_ours=bool(options.preferred),
        timeouts=settings.Timeouts(
            acse=options.acse_timeout,
            dimse=options.dimse_timeout,
            network=options.network_timeout,
            idle=options.idle_timeout,
        ),
        limits=settings.Limits(associations=options.max_associations, per_address=options.max_per_address),
        maximum_length=options.max_pdu,
        require_called=options.require_called,
        calling_ae_titles=options.allow_calling,
        networks=options.allow_from,
        accept_unknown=getattr(options, "accept_unknown", False),
        async_ops=options.async_ops,
        share_port=options.workers > 1,
        identify=options.passwords.identify if options.passwords else None,
        tls=options.tls,
        observe=options.trail.observe if options.trail else ignore,
    )


class Ending:
    """SIGTERM and SIGINT: the first ends the tool in order, a second one at once.

    The handler only notes it and tells the workers: an exception out of it could break into whatever is under way. The system
    may give a signal to any thread, and handlers run in the main one, which has to be woken: hence the pipe that `wait` reads.

    Args:
        reloads: SIGHUP does not end the tool, but has it read its certificates and passwords again.

    Attributes:
        begun: Has the first of them come?
        workers: Processes that end with this one.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, *, reloads: bool = False) -> None:
        self.begun = False
        self._reloads, self._to_reload = reloads, False
        self.workers: set[int] = set()

    def __enter__(self) -> Self:
        self._open_pipe()
        self._before = {number: signal.signal(number, self._begin) for number in self.SIGNALS}
        if self._reloads:
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._reload)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self._close_pipe()

    def _open_pipe(self) -> None:
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker)

    def _close_pipe(self) -> None:
        os.close(self._woken)
        os.close(self._waker)

    def _begin(self, number: int, frame: FrameType | None) -> None:
        for each in self.SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.begin()

    def _reload(self, number: int, frame: FrameType | None) -> None:
        self._to_reload = True
        self._tell_workers(signal.SIGHUP)

    def begin(self) -> None:
        """End the tool in order, as the first signal does; harmless twice."""
        self.begun = True
        self.end_workers()

    def end_workers(self) -> None:
        """Ask every worker to end in order."""
        self._tell_workers(signal.SIGTERM)

    def _tell_workers(self, number: int) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                os.kill(worker, number)

    def become_worker(self, supervisor: int) -> None:
        """In a worker's process: end in order on the supervisor's SIGTERM, and at once when the supervisor has ended.

        Signals of a terminal or a service manager may reach every process, and the supervisor passes its own on: here the same
        signal twice is no second one.

        Args:
            supervisor: A pipe whose other end the supervisor alone holds.
        """
        self.workers.clear()
        self._close_pipe()  # which is the supervisor's
        self._open_pipe()
        signal.signal(signal.SIGINT, lambda number, frame: None)
        signal.signal(signal.SIGTERM, lambda number, frame: self.begin())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)

        def watch() -> None:
            os.read(supervisor, 1)
            os._exit(common.NO_ASSOCIATION)

        threading.Thread(target=watch, name="dimse-supervisor", daemon=True).start()

    def wait(self, reload: Callable[[], None]) -> None:
        """Wait for the first of them; `reload` is called after each SIGHUP until then."""
        while not self.begun:
            if self._to_reload:
                self._to_reload = False
                reload()
            os.read(self._woken, 1)


Serving: TypeAlias = "Callable[[], AbstractContextManager[dimse.Server]]"


def run(
    options: argparse.Namespace,
    logger: logging.Logger,
    shared: Callable[[argparse.Namespace], AbstractContextManager[Serving]],
) -> int:
    """Serve until a signal ends it; returns the exit status.

    Args:
        options: As parsed.
        logger: The tool's.
        shared: What all workers have in common, such as the folder; gives what each of them does: it enters with a server that
            listens.
    """
    why = ""
    common.loaded()
    try:
        with Ending(reloads=bool(options.tls or options.passwords)) as ending, shared(options) as serving:
            if options.workers > 1:
                status = _supervise(options, logger, serving, ending)
                why = "a worker has ended" if status else ""
                return status
            with serving() as server, announce(server.address, options.ready_file):
                _say_ready(options, logger, server.address)
                ending.wait(partial(_reload, options, logger, server))
                server.shutdown(options.drain)
    except (OSError, ValueError, dimse.DimseError) as error:
        why = _words(error)
        common.say(logger, [why])
        common.say_traceback(logger, error)
        return common.NO_ASSOCIATION
    finally:
        common.flush_notices()
        if options.trail is not None:
            options.trail.stopped(why)
            options.trail.close()
    return common.SUCCESS


def _reload(options: argparse.Namespace, logger: logging.Logger, server: dimse.Server) -> None:
    """Read again what SIGHUP is for; what cannot be used stays as it was."""
    reloads = {
        "certificates": options.tls and server.reload_tls,
        "passwords": options.passwords and options.passwords.reload,
    }
    for what, reload in reloads.items():
        if reload:
            try:
                reload()
            except (OSError, ValueError, dimse.TLSConfigurationError) as error:
                logger.error("the %s are used as they were before: %s", what, _words(error))
            else:
                logger.info("%s read again", what.capitalize())


def _words(error: Exception) -> str:
    """What went wrong, without the number that `OSError` puts before it."""
    match error:
        case OSError(strerror=str(why), filename=str(path)):
            return one_line(f"{path}: {why}")
        case OSError(strerror=str(why)):
            return one_line(why)
        case _:
            return one_line(str(error))


def _say_ready(options: argparse.Namespace, logger: logging.Logger, address: tuple[str, int]) -> None:
    if address[0] in ("0.0.0.0", "::") and not (options.allow_calling or options.allow_from):
        common.warn(
            "Listening on every address, and any AE may associate: -ba 127.0.0.1 keeps it to this machine,"
            " --allow-from and --allow-calling to known peers",
        )
    logger.info("Listening on %s", host_and_port(*address))
    if options.trail is not None:
        options.trail.started()


# --- several processes on one port ---


def _supervise(options: argparse.Namespace, logger: logging.Logger, serving: Serving, ending: Ending) -> int:
    """Run workers that share the port until a signal comes, or one of them ends."""
    with _claim(options.bind_address, options.port) as claim:
        host, options.port = claim.getsockname()[:2]
        ready, tell = os.pipe()
        supervisor, held = os.pipe()  # this end is held as long as this process lives
        signal.pthread_sigmask(signal.SIG_BLOCK, Ending.SIGNALS)  # until who gets one knows what to do with it
        for _ in range(options.workers):
            worker = os.fork()
            if not worker:
                os.close(held)
                ending.become_worker(supervisor)
                _work(options, logger, serving, ending, tell)
            ending.workers.add(worker)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, Ending.SIGNALS)
        os.close(tell)
        if ending.begun:  # before they were there to be told
            ending.end_workers()
        with open(ready, "rb") as each_is_ready:
            if len(each_is_ready.read(options.workers)) == options.workers:
                with announce((host, options.port), options.ready_file):
                    _say_ready(options, logger, (host, options.port))
                    return _wait_for_workers(logger, ending)
        ending.end_workers()
        return _wait_for_workers(logger, ending)


def _claim(host: str, port: int) -> socket.socket:
    """A socket that holds the port for the workers, and takes no connections.

    Raises:
        OSError: The address cannot be bound.
    """
    from dimse.server import saying_where

    def bound(*options: int) -> socket.socket:
        with saying_where(host, port) as family:
            bound = socket.socket(family)
            try:
                for option in options:
                    bound.setsockopt(socket.SOL_SOCKET, option, 1)
                if family == socket.AF_INET6:
                    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # as the workers' listeners are
                bound.bind((host, port))
            except OSError:
                bound.close()
                raise
            return bound

    if port:  # where somebody else's workers share it, the system would let us in among them
        bound(socket.SO_REUSEADDR).close()
    return bound(socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _work(options: argparse.Namespace, logger: logging.Logger, serving: Serving, ending: Ending, tell: int) -> NoReturn:
    """What a worker does, from its start to its end."""
    status = common.NO_ASSOCIATION
    try:
        with serving() as server:
            os.write(tell, b".")
            os.close(tell)
            ending.wait(partial(_reload, options, logger, server))
            server.shutdown(options.drain)
        status = common.SUCCESS
    except (OSError, ValueError, dimse.DimseError) as error:
        common.say(logger, [_words(error)])
    finally:
        common.flush_notices()
        if options.trail is not None:
            options.trail.close()
        logging.shutdown()
        os._exit(status)  # nothing of the supervisor's is to be closed here


def _wait_for_workers(logger: logging.Logger, ending: Ending) -> int:
    status = common.SUCCESS
    while ending.workers:
        worker, how = os.wait()
        ending.workers.discard(worker)
        if how or not ending.begun:
            status = common.NO_ASSOCIATION
        if not ending.begun:
            logger.error("a worker has ended (%d): the others are ended too", os.waitstatus_to_exitcode(how))
            ending.begin()
    return status
