"""Explanations of failures to connect, and of peers that do not speak DICOM."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Connecting",
    (
        entry(
            "E001",
            "Association request failed: unable to connect to remote",
            cause="""There is no TCP connection to the peer, so nothing of DICOM was sent. The next line, `TCP Initialisation
            Error`, has the reason from the operating system.""",
            cure="""Compare host name and port with the peer's configuration. Try `echoscu ADDR PORT` from this machine and from
            another one. If only this machine fails, a firewall is the usual cause.""",
            is_general=True,
        ),
        entry(
            "E002",
            "TCP Initialisation Error: Connection refused",
            cause="""The machine answers, and no program listens on this port.""",
            cure="""Start the peer's DICOM service, or correct the port. Usual ports are 104, 11112 and 4242; 2762 is for TLS.
            On the peer, `ss -ltn` lists the ports on which a program listens.""",
        ),
        entry(
            "E003",
            "TCP Initialisation Error: Connection timed out",
            "TCP Initialisation Error: Operation timed out",
            cause="""No answer came within the time for connecting, which is 10 seconds unless `--timeout` says otherwise.
            Either the address is wrong, or the machine is off, or a firewall drops the packets.""",
            cure="""Check the address with `ping`, and ask for the firewall between both machines to be opened for this port.
            For a slow line, give more seconds with `--timeout`.""",
        ),
        entry(
            "E004",
            "TCP Initialisation Error: Name or service not known",
            "TCP Initialisation Error: nodename nor servname provided",
            "TCP Initialisation Error: Temporary failure in name resolution",
            "the name {host} could not be looked up in time",
            cause="""The host name of the peer could not be translated into an address. It is misspelt, or the name server does
            not know it or does not answer.""",
            cure="""Correct the name, or use the IP address. `getent hosts NAME` shows whether this machine can look it up.""",
        ),
        entry(
            "E005",
            "TCP Initialisation Error: No route to host",
            "TCP Initialisation Error: Network is unreachable",
            cause="""This machine knows no way to the network of the peer, or the peer's machine is switched off.""",
            cure="""Check the address, the cable or VPN, and the routes of this machine. A firewall that rejects connections may
            give this answer too.""",
        ),
        entry(
            "E006",
            "TCP Initialisation Error: {reason}",
            cause="""The operating system could not connect to the peer, for the reason in the line.""",
            cure="""Check host name, port and network. `Cannot assign requested address` means that the peer's address does not
            exist in this network or that all local ports are in use.""",
        ),
        entry(
            "E007",
            "the peer does not speak DICOM (it sent {text})",
            cause="""A program listens on this port that speaks another protocol. The line has its first bytes; `HTTP` stands
            for a web server.""",
            cure="""Use the port of the peer's DICOM service. Web services of a PACS (DICOMweb) have a port of their own.""",
        ),
        entry(
            "E008",
            "the peer does not speak DICOM, but TLS: both sides have to speak it, or none",
            cause="""One side speaks TLS and the other one speaks plain DICOM.""",
            cure="""Add `--tls` if the peer wants TLS, or use the peer's port without TLS. On a listener, this line means that
            the caller uses TLS and `--tls` is missing here.""",
        ),
        entry(
            "E009",
            "Peer closed the connection without an answer",
            "Perhaps it wants TLS (--tls), or it does not admit this address or AE title (-aec, -aet)",
            "Perhaps it does not admit this address or AE title (-aec, -aet)",
            cause="""The TCP connection was made, and the peer closed it without an answer to the association request. Many
            products do so with callers that are not in their configuration. A service that wants TLS does so too.""",
            cure="""Ask the administrator of the peer to register this AE title together with the address of this machine. Check
            the titles given with `-aec` and `-aet`. Try `--tls` if the port may be one for TLS.""",
        ),
        entry(
            "E010",
            "Association request failed: {reason}",
            cause="""The association was not established, for the reason in the line.""",
            cure="""Look up the reason after the colon with `dimse explain`. The line that begins with `Peer:` names the address
            and the AE titles that were used.""",
            is_general=True,
        ),
        entry(
            "E011",
            "Peer: {peer}, called {title}, calling {title}",
            cause="""This line ends the lines about an association that was not established. It names the address and port that
            were used, the AE title of the peer (called) and our own (calling).""",
            cure="""Compare all four with the configuration of the peer. Most peers compare AE titles exactly, including upper
            and lower case. The lines above this one have the reason.""",
            is_general=True,
        ),
    ),
)
