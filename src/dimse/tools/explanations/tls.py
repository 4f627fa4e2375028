"""Explanations of failures of TLS and of certificates."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "TLS and certificates",
    (
        entry(
            "E050",
            "TLS handshake failed: {reason}",
            "TLS was not agreed on",
            "the connection ended",
            cause="""The TCP connection was made, and both sides did not agree on TLS. The text after the colon has the
            reason.""",
            cure="""Look up the reason with `dimse explain`. `--tls-info` prints what was negotiated, and the certificate of the
            peer.""",
            is_general=True,
        ),
        entry(
            "E051",
            "the peer speaks DICOM without TLS: both sides have to speak TLS, or none",
            "the peer does not speak TLS{detail}",
            cause="""This side speaks TLS and the other one does not.""",
            cure="""Use the peer's port for TLS, which is often 2762, or leave `--tls` out. On a listener, the caller must be
            set to TLS.""",
        ),
        entry(
            "E052",
            "the peer closed the connection: does it speak TLS on this port?",
            "the peer closed the connection",
            cause="""The peer closed the connection during the TLS handshake, without a reason. A service without TLS often does
            so.""",
            cure="""Check that this port is the one for TLS. Read the log of the peer: it may want a certificate of ours
            (`--tls-cert`).""",
        ),
        entry(
            "E053",
            "is signed by a CA that is not trusted: if it should be, name the CA's certificate ({option})",
            cause="""The certificate of the peer is signed by a certificate authority (CA) that this machine does not trust.
            Hospitals often have a CA of their own.""",
            cure="""Get the certificate of that CA as a PEM file from a source that you trust, and name it with `--tls-ca F`. If
            the peer leaves intermediate certificates out, add them to its configuration.""",
        ),
        entry(
            "E054",
            "is self-signed and not trusted: make sure that it is the peer's, then trust it ({option}) or pin it ({option})",
            cause="""The peer shows a certificate that it has signed itself, and this machine has no reason to trust it.""",
            cure="""Compare its SHA-256, which `--tls-info` prints, with the one that the administrator of the peer tells you.
            Then use `--tls-pin SHA256`, or save the certificate as a PEM file and name it with `--tls-ca`.""",
        ),
        entry(
            "E055",
            "is not for {name}: {hint}",
            cause="""The certificate of the peer is valid, and it is for another host name than the one that was connected to.
            Without this check any owner of a certificate of this CA could answer.""",
            cure="""Connect to the name that the certificate is for, or give that name with `--tls-server-name`.""",
        ),
        entry(
            "E056",
            "has expired: the peer needs a new one",
            "is not valid yet: are the clocks of both machines right?",
            cause="""The dates in the certificate of the peer do not include the present time of this machine.""",
            cure="""Check the clock of this machine with `date`. If it is right, the peer needs a new certificate.""",
        ),
        entry(
            "E057",
            "has been revoked by its CA",
            "cannot be looked up{reason}",
            cause="""The certificate of the peer is in the list of revoked certificates (`--tls-crl`), or that list cannot be
            used for it.""",
            cure="""A revoked certificate must be replaced at the peer. For a list that has expired or belongs to another CA,
            fetch the present list of each CA in the chain.""",
        ),
        entry(
            "E058",
            "has a key that is too short: RSA needs 2048 bits",
            "is signed by a CA whose key is too short: RSA needs 2048 bits",
            "is signed with a weak algorithm, SHA-1 or MD5",
            cause="""The certificate of the peer, or one above it, has a key or signature that is considered broken (BCP
            195).""",
            cure="""The peer needs a new certificate with RSA of 2048 bits or more, or an elliptic curve, signed with
            SHA-256.""",
        ),
        entry(
            "E059",
            "is not meant for a {side}: its extended key usage lacks {usage}",
            "the peer's certificate is refused: {reason}",
            "the peer's certificate {fault}",
            cause="""The certificate of the peer does not fulfil the rules for certificates (RFC 5280), as the line says.""",
            cure="""The peer needs another certificate. Its extended key usage must hold `serverAuth` for a listener and
            `clientAuth` for a caller.""",
        ),
        entry(
            "E060",
            "the peer's certificate is not the one that is pinned: {what}",
            cause="""`--tls-pin` names the SHA-256 of another certificate than the one that the peer shows. Either the peer has
            a new certificate, or another machine answers in its place.""",
            cure="""Ask the administrator of the peer for the SHA-256 of the new certificate. Change the pin only if it is the
            one in the line.""",
        ),
        entry(
            "E061",
            "the peer refused our certificate",
            "the peer refused our certificate: {reason}",
            "the peer closed the connection after the TLS handshake: perhaps it refused our certificate, or wants one ({option})",
            "the peer requires a certificate of ours ({option})",
            cause="""The peer wants to know this machine by a certificate, and did not accept what it got. It has none, or one
            that is expired, revoked, or signed by a CA that the peer does not trust.""",
            cure="""Name a certificate with `--tls-cert` and its key with `--tls-key`. Have its CA added to those that the peer
            trusts. The intermediate certificates belong into the file of `--tls-cert`.""",
        ),
        entry(
            "E062",
            "the peer showed no certificate, and one is required",
            cause="""A caller came without a certificate. This listener requires one from each caller.""",
            cure="""Give the caller a certificate that is signed by a CA of `--tls-ca`. Use `--tls-no-client-cert` only where
            every machine that reaches the port may connect.""",
        ),
        entry(
            "E063",
            "there is no {what} that both sides allow",
            "the peer's versions of TLS are too old: TLS 1.2 is the least",
            "the peer allows no version of TLS that we do, 1.2 and 1.3",
            "the peer allows none of our cipher suites, or wants a certificate of ours ({option})",
            "the peer finds our cipher suites too weak",
            cause="""Both sides have no version or cipher suite of TLS in common. This side follows BCP 195: TLS 1.2 with
            forward secrecy, or TLS 1.3.""",
            cure="""Update the peer, or enable TLS 1.2 with ECDHE and AES-GCM there. If the peer follows the older profile of
            PS3.15 B.13, use `--tls-profile modified`.""",
        ),
        entry(
            "E064",
            "a device in between changes {what}",
            cause="""What arrives is not what was sent: a device between both machines changes it, for example a proxy that
            inspects TLS.""",
            cure="""Exempt this connection from the inspection, or connect without that device.""",
        ),
        entry(
            "E065",
            "the peer does not know the server name that we asked for",
            cause="""The peer serves several names, and the one that was asked for is not among them.""",
            cure="""Connect to a name that the peer serves, or give it with `--tls-server-name`.""",
        ),
        entry(
            "E066",
            "the peer has key updates of TLS answered without end, and does not read the answers",
            "the peer sends records of TLS without end, and no data in them",
            "an element is longer than what it is in",
            cause="""The peer uses TLS in a way that only consumes memory or time. It is broken, or it attacks.""",
            cure="""Find out which machine it is, and keep it away with a firewall or `--allow-from`.""",
        ),
        entry(
            "E067",
            "cannot use TLS: {reason}",
            "there is no {what} in it in PEM form",
            "a {what} in it is damaged",
            "it begins with a byte order mark, which OpenSSL does not read: save it without",
            "cannot be used with {file}: damaged, or the password is wrong",
            cause="""A file that a TLS option names cannot be used, so nothing was connected. The line names the file.""",
            cure="""Look up the reason with `dimse explain`. A PEM file holds lines such as `-----BEGIN CERTIFICATE-----`;
            convert others with `openssl x509 -inform DER -in F -out F.pem`.""",
        ),
        entry(
            "E068",
            "this private key does not belong to the certificate in {file}",
            "a private key is of no use without its certificate ({option})",
            cause="""Certificate and private key are not a pair, or one of them is missing.""",
            cure="""Name the key that the certificate was requested with. `openssl x509 -pubkey -noout -in CERT` and `openssl
            pkey -pubout -in KEY` print the same for a pair.""",
        ),
        entry(
            "E069",
            "the private key is encrypted, and its password is not given ({option})",
            cause="""The private key is protected by a password.""",
            cure="""Put the password into the environment variable `DIMSE_TLS_PASSWORD`, or decrypt the key with `openssl pkey`
            and protect the file with mode 600.""",
        ),
        entry(
            "E070",
            "others than its owner may read the private key (mode {mode}): chmod 600 it",
            cause="""The file with the private key can be read by other users of this machine, who could then pose as it.""",
            cure="""`chmod 600 FILE`, with the user that runs the tool as owner. If others may have read it, make a new key.""",
        ),
        entry(
            "E071",
            "the key is too short: RSA needs 2048 bits",
            "the certificate in {file} is signed with a weak algorithm",
            cause="""Our own certificate is too weak for BCP 195, and peers would refuse it.""",
            cure="""Make a new one with RSA of 2048 bits or more, or an elliptic curve, signed with SHA-256.""",
        ),
        entry(
            "E072",
            "a server needs a certificate of its own to speak TLS ({option})",
            "--tls needs --tls-cert: a server shows a certificate of its own",
            "--commit-port with --tls needs --tls-cert: a tool that listens shows a certificate of its own",
            cause="""A listener with TLS must show a certificate, and no option names one.""",
            cure="""Name it with `--tls-cert`, and its private key with `--tls-key`.""",
        ),
        entry(
            "E073",
            "clients can be pinned only where they are asked for a certificate",
            "a revocation list is of no use where chains are not verified: trust a CA ({option})",
            "--tls-insecure verifies nothing: it does not go with --tls-ca, -crl, -pin or -server-name",
            cause="""Two TLS options contradict each other.""",
            cure="""Leave out `--tls-no-client-cert` where clients are pinned. Give `--tls-ca` together with `--tls-crl`. Leave
            out `--tls-insecure`, which is for tests only.""",
        ),
        entry(
            "E074",
            "a pin is the SHA-256 of a certificate, {number} hexadecimal digits, not {value}",
            'the TLS profile is "bcp195" or "modified", not {value}',
            cause="""The value of a TLS option is not one that it may have.""",
            cure="""`openssl x509 -in CERT -noout -fingerprint -sha256` prints the digits of a pin; colons between them are
            allowed.""",
        ),
        entry(
            "E075",
            "--{option} is for --tls",
            cause="""An option for TLS is given, and `--tls` itself is not. Without it the connection would not be encrypted.""",
            cure="""Add `--tls`, or leave the option out.""",
        ),
        entry(
            "E076",
            "{file}: {subject}: it has expired",
            "{file}: {subject}: it is not valid before {time} UTC",
            cause="""`dimse certificate show` read a certificate whose dates do not include the present time of this machine.""",
            cure="""Check the clock. Issue another certificate with `dimse certificate issue --force`, and send SIGHUP to the
            listener that uses it.""",
        ),
        entry(
            "E077",
            "{folder} has no ca.pem: make a CA with dimse certificate ca {folder}",
            "{file}: it does not belong to {file}",
            "{file}: it has expired: make another CA in another folder",
            "{file}: it is encrypted with a password",
            "{file}: it is neither an EC nor an RSA key",
            "{file}: it is not the certificate of a CA",
            cause="""The folder of the CA cannot be used to issue a certificate, for the reason in the line.""",
            cure="""Name the folder that `dimse certificate ca` made, or make another CA in an empty folder. Each machine that
            trusts the old CA must get the new `ca.pem`.""",
        ),
        entry(
            "E078",
            "issue needs FOLDER and NAME",
            "{option} is not for {action}",
            "a name has 1 to {number} printable characters: {name}",
            "it is neither a host name nor an IP address: {name}",
            "the files named ca are those of the CA",
            "the name of a certificate is that of its files, and does not begin with . or -: {name}",
            cause="""The arguments of `dimse certificate` do not fit the action. Nothing was written.""",
            cure="""Look at the examples of `dimse certificate --help`. A host is a name or an address without a port.""",
        ),
        entry(
            "E079",
            "the package cryptography is missing: pip install 'dimse[certificates]'",
            cause="""`dimse certificate` makes keys and certificates with the package cryptography, which is not installed.""",
            cure="""Install it with `pip install 'dimse[certificates]'`, or make the certificates with openssl.""",
        ),
        entry(
            "W050",
            "--tls-insecure: the peer's certificate is not verified, so a machine in between can read and change what is sent",
            cause="""The connection is encrypted, and it is not known with whom.""",
            cure="""Use this for tests only. Otherwise trust the CA of the peer with `--tls-ca`, or pin its certificate with
            `--tls-pin`.""",
        ),
        entry(
            "W051",
            "--tls-no-client-cert: every client that reaches this port may connect, without a certificate",
            cause="""The listener speaks TLS and does not ask callers for a certificate.""",
            cure="""Restrict the callers with `--allow-from`, `--allow-calling` or `--password-file`, or require
            certificates.""",
        ),
        entry(
            "W052",
            "no --tls-ca: clients may have their certificate from any CA that this system trusts",
            cause="""Without `--tls-ca` the CAs of the operating system count. Every person can get a certificate from one of
            those.""",
            cure="""Name the CA that signs the certificates of your callers with `--tls-ca`, or pin them with `--tls-pin`.""",
        ),
        entry(
            "W053",
            "{file}: {subject}: it ends in {days} days: issue another one (dimse certificate issue --force)",
            "{CA} ends on {date}, and this certificate with it",
            cause="""A certificate is about to expire. Connections by TLS fail from that day on.""",
            cure="""Issue another one in time, and send SIGHUP to the listeners that use it.""",
        ),
        entry(
            "W054",
            "verify = false: the peer's certificate is not verified, so a machine in between can read and change what is sent",
            cause="""The entry of this remote turns the verification of its certificate off. The connection is encrypted, and it is
            not known with whom.""",
            cure="""Use this for tests only. Otherwise name the CA of the peer in the entry.""",
        ),
    ),
)
