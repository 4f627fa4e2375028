"""Explanations of associations that are rejected, aborted or lost, and of faults of the protocol."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Associations",
    (
        entry(
            "E020",
            "Association Rejected",
            "Result: {result}, Source: {source}",
            "Association Rejected: {result}, {source}, {reason}",
            cause="""The peer speaks DICOM and does not want this association. The line that begins with `Reason:` says why.""",
            cure="""Look up the reason with `dimse explain`. `Rejected Transient` may succeed later: `storescu --retry 3` tries
            again. `Rejected Permanent` needs a change of the configuration, here or at the peer.""",
            is_general=True,
        ),
        entry(
            "E021",
            "Reason: Called AE title not recognised",
            cause="""The peer has another AE title than the one that was called.""",
            cure="""Give the peer's AE title with `-aec`, exactly as its configuration has it. Without the option, ANY-SCP is
            called.""",
        ),
        entry(
            "E022",
            "Reason: Calling AE title not recognised",
            cause="""The peer does not know our AE title, or does not accept it from the address of this machine.""",
            cure="""Ask the administrator of the peer to register our AE title with the address of this machine. Or give a
            registered title with `-aet`.""",
        ),
        entry(
            "E023",
            "Reason: Temporary congestion",
            "Reason: Local limit exceeded",
            cause="""The peer has no room for one more association at this moment.""",
            cure="""Try again later, or with `--retry 3`. Use fewer associations with a smaller `--jobs`. If it happens often,
            raise the limit of the peer; for storescp these are `--max-associations` and `--max-per-address`.""",
        ),
        entry(
            "E024",
            "Reason: No reason given",
            "Reason: {reason}",
            cause="""The peer rejected the association, and the line has all that it said about the reason.""",
            cure="""Read the log of the peer: most products write the reason there. Unknown AE titles, unknown addresses and a
            missing user identity are the usual causes.""",
        ),
        entry(
            "E025",
            "Association Aborted",
            "the association was aborted by the {source}",
            cause="""The peer, or its network layer, ended the association with an A-ABORT. Everything that it has acknowledged
            before remains valid. A request without a response has an unknown outcome.""",
            cure="""Read the log of the peer for the time of the abort. Run the command again; `storescu --journal F` skips what
            is acknowledged. If it happens with one file only, send it alone with `-d` and look at the last message.""",
        ),
        entry(
            "E026",
            "No accepted presentation contexts",
            cause="""The peer accepts none of the SOP classes and transfer syntaxes that were proposed. The next lines list each
            of them with the answer of the peer.""",
            cure="""`Abstract Syntax Not Supported` means that the peer does not store or answer this kind of object: enable the
            SOP class at the peer. `Transfer Syntaxes Not Supported` means that it wants another encoding: leave out `-xe`,
            `-xi`, `-pts` and `-cx`.""",
        ),
        entry(
            "E027",
            "No presentation context for '{SOP class}' has been accepted by the peer",
            cause="""The peer accepts other SOP classes or transfer syntaxes, and not the one that this file or request needs.
            The file was not sent; others may have been.""",
            cure="""Enable the SOP class at the peer. If only the transfer syntax is refused, leave `--transcode` at `lossless`,
            or allow `--transcode always` for files with lossy compression. `storescu --dry-run` shows what is proposed.""",
        ),
        entry(
            "E028",
            "... and {number} more",
            cause="""This line ends a list that is longer than what is printed. It counts the entries that are left out.""",
            cure="""Look at the lines above it. With `-d`, or in a report, every entry is listed.""",
            is_general=True,
        ),
        entry(
            "E029",
            "ACSE timeout reached while waiting for response to association request",
            cause="""The peer took the connection and did not answer the association request in time, which is 30 seconds unless
            `--acse-timeout` says otherwise.""",
            cure="""The peer may be overloaded, or another kind of service may listen on this port. Check with `echoscu -v`.
            Give a slow peer more time with `--acse-timeout`.""",
        ),
        entry(
            "E030",
            "ACSE timeout reached while waiting for response to release request",
            cause="""Everything was done, and the peer did not confirm the end of the association. All responses that came
            before count.""",
            cure="""Nothing is lost. If it happens each time, report it to the vendor of the peer, or shorten the wait with
            `--acse-timeout`.""",
        ),
        entry(
            "E031",
            "DIMSE timeout reached while waiting for message response",
            "DIMSE timeout reached while waiting for the final response after a C-CANCEL",
            "not complete after {seconds} s",
            cause="""A request was sent completely and no response came in time, which is 30 seconds unless `--dimse-timeout`
            says otherwise. It is unknown whether the peer has carried it out.""",
            cure="""A peer that stores or searches slowly needs more time: `--dimse-timeout 300`. Then run the command again:
            with `--journal`, storescu sends only what is not acknowledged.""",
        ),
        entry(
            "E032",
            "Network timeout reached",
            cause="""A message was under way, and no byte moved in either direction for the network timeout, which is 30 seconds
            unless `--network-timeout` says otherwise. The peer hangs, or the connection is broken without notice.""",
            cure="""Check the network between both machines: a firewall or VPN may forget idle connections. Then run the command
            again, with `--retry` if it happens often.""",
        ),
        entry(
            "E033",
            "Connection closed while waiting for DIMSE message",
            "Connection closed while sending: {reason}",
            "Connection closed",
            "Connection closed: {reason}",
            cause="""The peer, or a device in between, closed the TCP connection without release or abort. The outcome of a
            request without response is unknown.""",
            cure="""Read the log of the peer: it may have crashed, been restarted or reached a limit. Run the command again, for
            storescu with `--journal` and `--retry`.""",
        ),
        entry(
            "E034",
            "the peer released the association instead of responding",
            "the association has been released",
            cause="""The peer ended the association in order although a request had no response yet.""",
            cure="""Run the command again. If the peer does so regularly, it may limit the number of requests of an association:
            use `storescu --retry 1`, which continues on another association.""",
        ),
        entry(
            "E035",
            "the peer sent no request within the idle timeout of {seconds} s",
            cause="""A peer kept an association open without a request for the idle timeout of this listener. It was aborted
            then, so that others find a place.""",
            cure="""Nothing is lost. If the peer pauses for long between images, raise `--idle-timeout`; 0 is unlimited.""",
        ),
        entry(
            "E036",
            "Received an invalid A-ASSOCIATE response from the peer",
            "presentation context {id} is answered twice with different content",
            cause="""The answer to the association request breaks the rules of DICOM, as the next line says. The association
            cannot be used.""",
            cure="""Run the command with `-d`, which prints the answer, and send that to the vendor of the peer.""",
        ),
        entry(
            "E037",
            "Received an invalid {message} response from the peer",
            "it came on presentation context {id}, not {id}",
            "it came on presentation context {id}, which was not accepted",
            "it is a {message}",
            "it is the second response to one request",
            "it answers message ID {id}, which is not outstanding",
            "its {element} is {value}, not {value}",
            "its data set is {fault}",
            "it is one of more than {number}",
            "a pending response has no identifier",
            "its identifier cannot be read: {fault}",
            cause="""The peer answered with something that is not a valid response to the request. The association was aborted,
            and the outcome of the request is unknown: it does not count as stored.""",
            cure="""Run the command again for what is not confirmed. If it happens again, run it with `-d` and send the last
            messages to the vendor of the peer.""",
        ),
        entry(
            "E038",
            "The peer broke the protocol: {fault}",
            "it is not allowed in this state: {event}",
            "PDU type {type}H is not {known}",
            "a PDU of type {type}H whose length is not {number} bytes",
            "a P-DATA-TF PDU {fault}",
            "a PDV length of {number} does not fit its PDU ({number} bytes are left)",
            "more than {number} PDVs in one PDU",
            "more than {number} values in one field",
            "more than {number} items",
            "{number} items of type {type}H{fault}",
            "{number} bytes are due and {number} are there",
            "{number} bytes too many",
            "its ID is 0",
            "{field} of {number} characters, not {number} to {number}",
            "unexpected message fragment: {fault}",
            "more than {number} empty PDVs one after the other",
            "a command on context {id} where a data set is due on {id}",
            "a command begun on context {id} continues on {id}",
            "a command set of more than {number} bytes",
            "an empty command set",
            "a data set fragment on context {id}{fault}",
            "the protocol version is not supported",
            cause="""The peer sent bytes that DICOM does not allow at this point (PS3.8). The association was aborted. A broken
            program, a device that changes the data, or an attack may be the cause.""",
            cure="""Read the log of the peer. Run the command with `-d` to see the last messages, or record the connection with
            `tcpdump`, and send both to the vendor of the peer.""",
        ),
        entry(
            "E039",
            "refused a message from {peer}: {fault}",
            "invalid command set: {fault}",
            "unknown command field 0x{number}",
            "a data set where none is due",
            "no data set",
            "no command_field",
            "no command_data_set_type (0000,0800)",
            "{message} cannot be encoded: {fault}",
            "{message} always carries a data set",
            "{message} never carries a data set",
            "{number} bytes where {number} are due",
            "{number} characters where {number} are the most",
            "{value} is not 1 to {number} characters long",
            "{number} bytes are not a whole number of tags",
            "{number} bytes long, more than {number}",
            "{number} elements, more than {number}",
            "{element} is not a command element",
            "(0000,{element}){fault}",
            "cut short inside the header of an element at byte {number}",
            "cut short inside the value of {element}",
            cause="""The command set of a message breaks the rules of PS3.7. A request is refused with a status, and the
            association goes on if it can.""",
            cure="""Read which element is at fault, and report it to the vendor of the peer. `-d` prints the message.""",
        ),
        entry(
            "E040",
            "the peer's maximum length of {number} bytes is too small to send anything in",
            cause="""The peer announces that it takes PDUs of this length only, which have no room for a command.""",
            cure="""Raise the maximum PDU size in the configuration of the peer. 16384 bytes and more are usual.""",
        ),
        entry(
            "E041",
            "{wait} timeout reached",
            cause="""A wait took longer than its timeout: connect, acse, dimse, network or idle.""",
            cure="""Raise the timeout with the option of that name, for example `--dimse-timeout 300`, if the peer is only
            slow.""",
        ),
        entry(
            "W020",
            "the association was not released: {reason}",
            cause="""All requests were answered, and the end of the association did not go as DICOM wants it. The answers
            count.""",
            cure="""Nothing has to be done. If it comes each time, the vendor of the peer may want to know.""",
        ),
        entry(
            "W021",
            "{peer}: {fault}; it may not support asynchronous operations; requesting again without them",
            cause="""The peer ended an association for which asynchronous operations were proposed (`--async-ops`). It is asked
            again without them.""",
            cure="""Leave `--async-ops` out for this peer. The files are sent in any case.""",
        ),
    ),
)
