"""Explanations of listeners: their port, their callers, their threads and processes."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Listening and callers",
    (
        entry(
            "E210",
            "cannot listen on {address}: {reason}",
            cause="""The port cannot be opened. Another program listens on it, or the address is not one of this machine. A port
            below 1024 needs privileges.""",
            cure="""`ss -ltnp` shows what listens on the port. For port 104 use `AmbientCapabilities=CAP_NET_BIND_SERVICE` in
            the unit of systemd, or a port from 1024 on.""",
            is_general=True,
        ),
        entry(
            "E211",
            "the server has failed and listens no more: {error}",
            "the server cannot start: {error}",
            "the listening socket was closed",
            cause="""An error that was not expected ended the listener. Its associations were aborted; what was acknowledged is
            stored.""",
            cure="""Start it again; a service manager does so by itself. Please report the line with its traceback, which `-d`
            logs.""",
        ),
        entry(
            "E212",
            "the association was ended, for the server failed",
            "an association was ended, for the server failed",
            "an association did not end in order",
            "an association was not ended in order",
            "the connection was closed, for the server failed",
            "a connection was closed, for the server failed",
            "a round of {what} failed",
            "what is told of the failure of a server failed",
            cause="""An error that was not expected concerned one connection or one round of work. The others go on.""",
            cure="""Please report the line with its traceback, which `-d` logs. The caller can send again.""",
        ),
        entry(
            "E213",
            "{associations} left behind, for the handler has not returned",
            "the listening thread is left behind, for what observes the server has not returned",
            cause="""The listener ended while a function of your program still ran, and could not wait any longer.""",
            cure="""Look for a handler that hangs or takes long. `--drain` gives associations more time at the end.""",
        ),
        entry(
            "E214",
            "what observes the server failed: {error}",
            cause="""The function that is given as `observe` raised an error. The connection is not affected.""",
            cure="""Mend that function.""",
        ),
        entry(
            "E215",
            "the event loop of the server has been blocked for {seconds} s",
            cause="""A function of your program ran for a long time where it must not wait, so that no association could go
            on.""",
            cure="""Let handlers that compute or wait run as plain functions, which run in threads, or await in them.""",
        ),
        entry(
            "E216",
            "a worker has ended ({status}): shutting the others down",
            cause="""One of the processes of `--workers` ended by itself. The tool ends, so that a service manager starts it
            again as a whole. A negative number is the signal that killed the process.""",
            cure="""For -9, look for the kernel's out-of-memory killer with `dmesg`. Otherwise look at the lines above.""",
        ),
        entry(
            "E217",
            "no answer from {what}: the watchdog of the service manager is not notified",
            cause="""A listener or worker did not react in time. The service manager is not told that all is well, so that it
            can start the service again.""",
            cure="""Look at the lines above for what blocks it: often a disk that hangs.""",
        ),
        entry(
            "E218",
            "the {what} stay as they were: {reason}",
            cause="""On SIGHUP, certificates or passwords are read again. The new files have a fault, so that the old content
            stays in force.""",
            cure="""Mend the file, and send SIGHUP again.""",
        ),
        entry(
            "E219",
            "connection reset by peer",
            "broken pipe",
            cause="""The other side closed the connection in the middle of something, without release or abort.""",
            cure="""Look into the log of the other side for that time. Port scanners and health checks cause such lines too;
            `--allow-from` keeps them away.""",
        ),
        entry(
            "W210",
            "{peer}: rejected {titles}: {reason}",
            "the called AE title '{title}' is not ours, which is '{title}'",
            "the calling AE title '{title}' is not among those that may associate",
            "its calling AE title is empty",
            "its application context name '{name}' is not that of DICOM",
            cause="""A caller asked for an association and was rejected. The line has its address, both AE titles and the
            reason.""",
            cure="""If the caller should be admitted, set its titles right, or add it with `--allow-calling`. `--require-called`
            rejects callers that use another title than ours.""",
            is_general=True,
        ),
        entry(
            "W211",
            "there are as many associations as there may be at one time ({number})",
            "its address has as many associations as one address may have ({number})",
            cause="""A caller was rejected because the limit of associations is reached, altogether or for its address.""",
            cure="""Raise `--max-associations` or `--max-per-address` if that many are expected. Otherwise look for a caller
            that opens associations and does not end them: `--idle-timeout` limits that.""",
        ),
        entry(
            "W212",
            "{peer}: refused contexts of {titles}: {contexts}",
            cause="""The association stands, and some SOP classes or transfer syntaxes that the caller proposed were refused. It
            cannot send these here.""",
            cure="""Use `--accept-syntax UID` for a transfer syntax, `--accept-unknown` for private SOP classes. A caller often
            proposes more than it needs; then nothing has to be done.""",
        ),
        entry(
            "W213",
            "{peer}: closed, for its address is in no network that may connect",
            cause="""The caller's address is in none of the networks of `--allow-from`. Its connection was closed unread.""",
            cure="""Add its network with `--allow-from` if it should be admitted.""",
        ),
        entry(
            "W214",
            "{peer}: closed before it was associated: {number} wait for that, the most at one time, and its address has most",
            cause="""Very many connections wait without an association request. Of the address with the most of them one was
            closed, so that other callers get through.""",
            cure="""Find out what that address does: a load balancer, a port scanner or an attack. Keep it away with
            `--allow-from` or a firewall.""",
        ),
        entry(
            "W215",
            "{peer}: aborted {titles}: {reason}",
            cause="""An association was aborted by this listener, for the reason in the line; usually it was idle for too
            long.""",
            cure="""Nothing is lost. Raise `--idle-timeout` for callers that pause between images.""",
        ),
        entry(
            "W216",
            "cannot accept a connection: {reason}",
            cause="""The operating system gives no new connection, usually because the process has too many open files. It is
            tried again until it succeeds.""",
            cure="""Raise the limit of open files (`ulimit -n`, `LimitNOFILE=` of systemd), or lower `--max-associations`.""",
        ),
        entry(
            "W217",
            "blocked for {seconds} s in {place}: other associations go on",
            "goes on after {seconds} s",
            cause="""One association kept its thread busy for long, at the place in the line: usually a slow disk, or a handler
            of your program.""",
            cure="""If the place is a system call on a file, check the disk. If it is your function, make it faster or run its
            work elsewhere.""",
        ),
        entry(
            "W218",
            "Listening on every address, and any AE may associate: {hint}",
            cause="""The listener is open to every machine that can reach it.""",
            cure="""Use `-ba 127.0.0.1` for this machine only, or `--allow-from` and `--allow-calling` for known callers.""",
        ),
        entry(
            "W219",
            "cannot notify the service manager: {reason}",
            cause="""The socket of `NOTIFY_SOCKET` could not be reached, so that systemd does not learn that the tool is
            ready.""",
            cure="""Check `NotifyAccess=` of the unit, and that the socket is visible in a container.""",
        ),
        entry(
            "W220",
            "{line} (and {number} more {what} since)",
            cause="""Lines of one kind about one peer appear once a minute. The number counts those that were held back. They
            are logged with `-v`.""",
            cure="""Look up the text in front of the parenthesis with `dimse explain`.""",
        ),
    ),
)
