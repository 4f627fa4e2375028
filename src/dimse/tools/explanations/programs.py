"""Explanations of commands for instances and studies, of handlers, and of logs and audit trails."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Commands, handlers, logs and audit",
    (
        entry(
            "E230",
            "command {program} for {what}: {reason}",
            "exit status {number}, {printed}",
            "killed by signal {number}, {printed}",
            "killed after {number} seconds, {printed}",
            "killed, because the program is ending, {printed}",
            "{reason}, {number} bytes printed",
            "{reason}, unknown what it printed",
            "command {program}: {reason}",
            "it cannot be run: {reason}",
            cause="""A program of `--exec` or `--exec-study` failed: it ended with another exit status than 0, was killed, or
            could not be started. The instances are stored in any case.""",
            cure="""Run the program by hand with the same `DIMSE_...` variables. What it prints is not logged, since it may hold
            patient data; let it write a log of its own.""",
        ),
        entry(
            "E231",
            "{failure}; given up after {number} attempts",
            "{failure}; given up after {number} attempts: `storescp --pending-studies` lists it, and the next start tries again",
            cause="""The program for a study failed at each of its attempts. The study stays in the list of pending studies.""",
            cure="""Mend the program, and start storescp again: it runs the program for each study that waits. `storescp
            --pending-studies -od FOLDER` lists them.""",
        ),
        entry(
            "E232",
            "{failure}; given up, because the program is ending",
            "it was not run, because the program is ending",
            cause="""The listener ended before the program for this study or instance could run to its end.""",
            cure="""For `--exec-study`, the next start runs it again. For `--exec`, run the program by hand for the files in the
            line.""",
        ),
        entry(
            "E233",
            "cannot announce study {study} now: {reason}",
            cause="""The record of a waiting study could not be read or written. It is tried again.""",
            cure="""Check the disk and the permissions of the hidden folder for waiting studies.""",
        ),
        entry(
            "E234",
            "the call for {what} failed: {error}",
            "the call after storing {path} failed: {error}",
            cause="""A function of your program that is called for a stored instance or study raised an error. The instance is
            stored and was acknowledged.""",
            cure="""Mend the function; `-d` logs its traceback.""",
        ),
        entry(
            "E235",
            "the command {command} cannot be split into arguments: {reason}",
            "the command is empty",
            "there is no program {program}",
            "the program {program} is not executable: chmod +x makes it so",
            "a deadline of {number} seconds",
            "workers {number}, waiting {number} or study_timeout {number} is too small",
            cause="""The command of `--exec` or `--exec-study` cannot be used as it is written. It runs without a shell, so that
            no text of a peer can become a command.""",
            cure="""Give the path of a program that is executable, and its arguments in quotes. For a shell, write a script and
            name that.""",
        ),
        entry(
            "E290",
            "the handler of {request} failed: {error}",
            "the handler of {request} called sys.exit({number}): the association ends",
            cause="""A function of your program that answers a request raised an error. The peer got the status 0110H,
            processing failure.""",
            cure="""Mend the function; `-d` logs its traceback. It should return a status for what it cannot do.""",
        ),
        entry(
            "E291",
            "the handler of {request} returned {value} instead of a status",
            cause="""A handler must return a status as a number, such as 0 for success. None, True and False are refused,
            because a forgotten `return` must not become a success.""",
            cure="""Let the function return `0` or a `dimse.Status`.""",
        ),
        entry(
            "E300",
            "the audit trail has gaps: {reason}",
            cause="""An audit message could not be written to its destination, so that it is missing from the trail.""",
            cure="""Check the disk or the syslog server of `--audit`. Note the time of the gap where the trail is required by
            law.""",
        ),
        entry(
            "E301",
            "the audit trail does not reach {server}: {reason}",
            "audit messages that were not sent: {number}",
            "too many audit messages wait for the syslog server",
            cause="""The syslog server of `--audit` cannot be reached. Messages wait, up to a limit, and are sent later.""",
            cure="""Check name, port and TLS of the syslog server. Use a file as destination where no message may be lost.""",
        ),
        entry(
            "E302",
            "cannot keep the audit trail {where}: {reason}",
            "--audit is a file, syslog:HOST[:PORT] (UDP) or syslog+tls:HOST[:PORT]",
            "{value} does not name a syslog server: {scheme}:HOST[:PORT]",
            cause="""The destination of `--audit` cannot be used, so that the tool did not start.""",
            cure="""Name a file that can be written, or a server in the form `syslog+tls:HOST`.""",
        ),
        entry(
            "E303",
            "only {number} of {number} bytes of a line were written to {path}",
            cause="""A line of a report or audit trail was written in part, because the disk is full.""",
            cure="""Free space. The next line begins on a line of its own.""",
        ),
        entry(
            "E304",
            "the output cannot be written: {reason}",
            cause="""Standard output is a file on a full disk, or a device that takes no data. A part of the output is missing,
            and the exit status is 120.""",
            cure="""Free space, or write the output elsewhere, and run the command again.""",
        ),
        entry(
            "E305",
            "See {codes} (dimse explain {codes})",
            cause="""This line ends the output of a tool that failed, on a terminal or with `-v`. It names the explanations of
            the lines above it.""",
            cure="""Type the command in the parentheses. Any line of the tools can be given too: `dimse explain "LINE"`.""",
        ),
        entry(
            "E306",
            "cannot rotate the log file {path}, which grows: {reason}",
            "cannot write the log file {path}, and go on without it: {reason}",
            "cannot write the log file {path}: {reason}",
            cause="""The file of `--log-file` cannot be written or renamed. A listener goes on without it, and says so on
            stderr.""",
            cure="""Check the space on the disk. The user that runs the tool needs permissions for the file and its folder.
            SIGHUP opens the file again.""",
        ),
        entry(
            "E310",
            "no space left on device",
            "disk quota exceeded",
            "file too large",
            cause="""The disk is full, or the user has reached a quota or a limit for the size of files.""",
            cure="""`df -h PATH` shows the space, `df -i PATH` the number of files that are left. Free space, and run the
            command again. What was acknowledged is complete.""",
        ),
        entry(
            "E311",
            "permission denied",
            "operation not permitted",
            "read-only file system",
            cause="""The user that runs the tool may not read or write the file or folder in the line, or its disk is mounted
            read-only. For a port below 1024 the user lacks the privilege to listen.""",
            cure="""Look at owner and mode with `ls -ld`, and at the mount with `findmnt -T PATH`. Give the permission to that
            user; do not run the tool as root for it.""",
        ),
        entry(
            "E312",
            "no such file or directory",
            "is a directory",
            "not a directory",
            "file name too long",
            cause="""The path in the line does not exist, or is a folder where a file is needed, or the other way round.""",
            cure="""Correct the path. A relative path counts from the folder in which the tool was started.""",
        ),
        entry(
            "E313",
            "too many open files",
            cause="""The process has reached its limit of open files and connections.""",
            cure="""Raise it with `ulimit -n 4096`, or `LimitNOFILE=` of systemd. Fewer `--jobs` or `--max-associations` need
            fewer.""",
        ),
        entry(
            "E314",
            "address already in use",
            cause="""Another program listens on this port, or this tool runs already.""",
            cure="""`ss -ltnp` shows the program. End it, or choose another port.""",
        ),
        entry(
            "E315",
            "input/output error",
            "stale file handle",
            "transport endpoint is not connected",
            cause="""The disk or the network share with the file has failed.""",
            cure="""Look at the messages of the kernel with `dmesg`, and at the state of the disk or share. Run the command
            again when it is mended.""",
        ),
        entry(
            "W230",
            "{failure}; it is tried again in {time}",
            "{failure}; the next start runs it again",
            cause="""The program for a study failed, and is run again after 10 seconds, 1, 10 and 60 minutes.""",
            cure="""Look up the failure with `dimse explain`. If the program needs a database or a share, check that.""",
        ),
        entry(
            "W231",
            "events are dropped: too many wait, or the program is ending",
            "events dropped: {number}",
            cause="""More instances came than the programs of `--exec` can follow. For the number in the line, no program was
            run. All instances are stored.""",
            cure="""Make the program faster, or use `--exec-study`, which runs once a study and drops nothing.""",
        ),
        entry(
            "W232",
            "{studies} still waiting for a program: --exec-study runs one, --pending-studies lists them",
            "{studies} left in the folder that was {folder} before: storescp on that folder runs the program",
            cause="""Earlier runs of storescp with `--exec-study` have left studies whose program has not succeeded.""",
            cure="""Start storescp with the same folder and `--exec-study`, and the programs are run.""",
        ),
        entry(
            "W233",
            "removed the empty file of a waiting study: {name}",
            cause="""After a power failure, the record of a waiting study was empty. It held nothing that could be used.""",
            cure="""Compare the studies that came at that time with what your program has processed.""",
        ),
        entry(
            "W234",
            "{lines} of this log dropped, because nothing read stderr",
            cause="""What reads stderr of this listener stood still, so that lines of the log were dropped. The listener itself
            went on.""",
            cure="""Look at the program that reads the log. `--log-file` writes to a file without it.""",
        ),
        entry(
            "E236",
            "an observer failed: {kind}: {words}",
            cause="""A function of the program that observes associations has raised an exception. The association is not
            affected.""",
            cure="""Mend the function. With `-d` the log has its traceback.""",
        ),
    ),
)
