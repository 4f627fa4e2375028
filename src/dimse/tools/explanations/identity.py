"""Explanations of user identities, passwords and tokens."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "User identity and passwords",
    (
        entry(
            "E080",
            "the peer accepted the association without confirming the user identity",
            cause="""`--positive-response` asks the peer to confirm the user identity, and it did not. It may not have looked at
            the identity at all, so the association was aborted.""",
            cure="""Enable user identity (PS3.7 D.3.3.7) at the peer, or leave `--positive-response` out.""",
        ),
        entry(
            "E081",
            "a password or token is not sent: without --tls a machine in between can read it; --allow-plain-password allows that",
            "--password-file makes peers send their passwords, to the plain --also-port {port} too: a machine {hint}",
            "--password-file makes peers send their passwords: without --tls a machine in between can read it; {hint}",
            cause="""Without TLS, passwords and tokens cross the network in the clear.""",
            cure="""Use `--tls`. In a network that you trust, `--allow-plain-password` allows it.""",
        ),
        entry(
            "E082",
            "there is no terminal to ask for the password; {variable} may hold it",
            cause="""`--password -` asks for the password on the terminal, and this run has none, for example in a script.""",
            cure="""Put the password into the environment variable `DIMSE_PASSWORD`.""",
        ),
        entry(
            "E083",
            "--password is for --user",
            "--user is empty",
            "--positive-response needs --user, --jwt, --saml or --kerberos",
            "the type of a user identity is 1 to 5, not {number}",
            "a user identity has a user name, ticket, assertion or token that is not empty",
            "a user name, passcode, ticket, assertion or token has at most {number} bytes",
            cause="""The options for the user identity do not belong together, or one of them has no usable value.""",
            cure="""Give `--user` with `--password`, or one of `--jwt`, `--saml` and `--kerberos` with a file that is not
            empty.""",
        ),
        entry(
            "E084",
            "cannot read {path}: {reason}",
            "{path}: there is no {what} in it",
            cause="""The file with the token, assertion or ticket cannot be read, or is empty.""",
            cure="""Check path and permissions, and fetch a new token. These often expire within minutes.""",
        ),
        entry(
            "E085",
            "cannot use the password file {reason}",
            "{path}: it is not a password file",
            "{path}, line {number}: this user has an earlier line",
            "{place}: it is not user:scrypt$N,r,p$salt$hash",
            cause="""A line of the file of `--password-file` cannot be used. The line names file, line number and fault.""",
            cure="""Make and change this file only with `dimse passwd FILE USER`. It is read again on SIGHUP; if it has a fault
            then, the old passwords stay in force.""",
        ),
        entry(
            "E086",
            "{path}: others than its owner have access to it: chmod 600",
            cause="""Other users of this machine can read or change the password file.""",
            cure="""`chmod 600 FILE`, with the user that runs the listener as owner.""",
        ),
        entry(
            "E087",
            "{path} has no user {user}",
            "the two passwords differ",
            "the password is empty",
            "a user name is printable, has no colon, and does not begin with #: {user}",
            cause="""`dimse passwd` has changed nothing, for the reason in the line.""",
            cure="""Run it again with the right user name, and type the same password twice.""",
        ),
        entry(
            "E088",
            "the verification of a user identity failed: {error}",
            "the verification of a user identity returned {value} instead of bytes or None",
            "the user identity could not be verified",
            "the user identity was not verified in time",
            cause="""The program that verifies user identities raised an error, took too long or returned something else than it
            may. The caller was rejected.""",
            cure="""Mend the function that is given as `identify`. With `-d` the log has its traceback.""",
        ),
        entry(
            "E089",
            "the user identity was not accepted",
            "the request has no user identity",
            cause="""A caller was rejected: its user name or password is wrong, or it gave none.""",
            cure="""Set user and password at the caller. `dimse passwd FILE USER` gives a user a new password; send SIGHUP to
            the listener afterwards.""",
        ),
        entry(
            "W080",
            "--allow-plain-password: a machine in between can read the passwords of peers",
            cause="""The listener takes passwords on connections that are not encrypted.""",
            cure="""Use `--tls` wherever the callers support it.""",
        ),
    ),
)
