"""Explanations of instances that were not stored, of storage commitment, and of the journal and reports."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Sending, storage commitment, journal and report",
    (
        entry(
            "E130",
            "Store failed: {path}: {status} - {category}: {meaning}",
            "Store failed: {path}: {status}: {meaning}",
            cause="""The peer answered the C-STORE of this file with a failure status, so it has not stored it. The line has the
            status, its meaning and the comment of the peer.""",
            cure="""The status tells the kind of failure, and the log of the peer has more. Send the files again when the cause
            is mended; with `--journal` only those that failed are sent.""",
            is_general=True,
        ),
        entry(
            "E131",
            "Store failed: {path}: 0xA7{digits}",
            cause="""The peer is out of resources (A7xxH): its disk is full, or it is overloaded.""",
            cure="""Free space at the peer. `--retry 3` tries again after a pause. If storescp is the peer, its log names the
            folder and the reason.""",
        ),
        entry(
            "E132",
            "Store failed: {path}: 0xA9{digits}",
            "Store failed: {path}: 0xC{digits}",
            cause="""The peer could not accept the content: the data set does not match the SOP class (A9xxH), or the peer does
            not understand it (Cxxx).""",
            cure="""Read the comment and the log of the peer: it often names an attribute. The same file will fail again until
            the file or the peer changes.""",
        ),
        entry(
            "E133",
            "Store failed: {path}: 0x0111",
            cause="""The peer has an instance with this SOP Instance UID and does not want another one (0111H).""",
            cure="""If it is the same image, nothing has to be done. If the image was changed, it needs a new SOP Instance
            UID.""",
        ),
        entry(
            "E134",
            "Store failed: {path}: 0x0122",
            "Store failed: {path}: 0x0124",
            cause="""The peer does not store this SOP class (0122H), or does not allow it to us (0124H).""",
            cure="""Enable the SOP class, or the rights of our AE title or user, in the configuration of the peer.""",
        ),
        entry(
            "E135",
            "Store failed: {path}: it is unknown whether the peer has it",
            cause="""The association ended after the file was sent and before its response came. The lines above say how it
            ended.""",
            cure="""Send the file again. A peer that has it will keep one copy, since the SOP Instance UID is the same.""",
        ),
        entry(
            "E136",
            "Store failed: {path}",
            "Store failed: {path}: {reason}",
            cause="""This file was not stored. The reason stands behind the path or in the line above.""",
            cure="""Look up the reason with `dimse explain`. The exit status is 3, and a report (`--report F.csv`) lists every
            file.""",
            is_general=True,
        ),
        entry(
            "E137",
            "Not sent: {path}",
            "Not sent: {number} files, from {path}",
            "Not sent: {number} files found so far, from {path}",
            "not sent: {reason}",
            "the sending was stopped",
            "the forwarder is closed",
            cause="""These files have no fault, and there was no association left to send them on. The lines above say why.""",
            cure="""Mend the cause and run the command again, with `--journal F` so that only the rest is sent. `--retry 3` gets
            over short failures.""",
            is_general=True,
        ),
        entry(
            "E138",
            "No suitable DICOM files found",
            cause="""Nothing was found that could be sent. The warnings above count what was left out.""",
            cure="""Check the paths. Use `-r` for subfolders, and `--raw-ts` for data sets without File Meta Information.""",
        ),
        entry(
            "E139",
            "Interrupted",
            "Interrupted: {number} stored, the rest was not sent or is unknown",
            "Interrupted while waiting for storage commitment",
            cause="""Ctrl-C or a signal ended the tool. It aborted its associations. What was acknowledged before is stored.""",
            cure="""Run the same command again. With `--journal F`, storescu continues where it stopped.""",
        ),
        entry(
            "E140",
            "Echo failed: {status}: {meaning}",
            cause="""The association stands, and the peer answered the C-ECHO with a failure status.""",
            cure="""Read the log of the peer. Most peers answer 0000H whenever they run at all.""",
        ),
        entry(
            "E150",
            "Storage commitment failed: {reason}",
            cause="""The files are stored, and the peer could not be asked to commit itself to keeping them. The reason stands
            behind the colon.""",
            cure="""Look up the reason with `dimse explain`. Many peers do storage commitment at another port or AE title, or
            not at all.""",
        ),
        entry(
            "E151",
            "Storage commitment was not requested: {reason}",
            cause="""The port of `--commit-port` cannot be listened on, so the peer could not have answered.""",
            cure="""Choose a free port, and register it at the peer for our AE title. Ports below 1024 need privileges.""",
        ),
        entry(
            "E152",
            "No storage commitment report within the time given (instances requested: {number})",
            "no report on {transaction} came on this association within {number} seconds",
            "the peer released the association without a report on {transaction}",
            cause="""The peer took the request and sent no report. Many peers report on an association of their own, to the host
            and port that they have for our AE title.""",
            cure="""Use `--commit-port` with the port that the peer has for us, and give more time with `--commit-timeout`. The
            files are stored in any case.""",
        ),
        entry(
            "E153",
            "Not committed: {path}: {reason}",
            "Not committed: {path}: the peer's report does not name it",
            cause="""The peer has answered that it does not commit itself to keeping this instance, or did not name it. The
            instance must not be deleted here.""",
            cure="""Send the file again and ask again. `No such object instance` means that the peer does not have it.""",
        ),
        entry(
            "E154",
            "refused a storage commitment report from {peer}: {reason}",
            "longer than {number} bytes",
            "it has no Transaction UID",
            "{number} zero bytes in a row are no part of it",
            "storage commitment is requested for 1 to {number} instances, not {number}",
            "a UID has 1 to {number} characters of ASCII: {value}",
            "a Failure Reason is 0 to 0xFFFF",
            cause="""The report of the peer on storage commitment breaks a rule, as the line says, and was refused.""",
            cure="""Report it to the vendor of the peer. The instances do not count as committed.""",
        ),
        entry(
            "E155",
            "refused a storage commitment request from {peer}: {reason}",
            cause="""A peer asked for storage commitment, and its request breaks a rule or is too long, as the line says. It got
            a failure status, and gets no report.""",
            cure="""Report it to the vendor of the peer. It must not delete the instances.""",
        ),
        entry(
            "E156",
            "the file of the acknowledged instance {UID} is missing",
            "the file of the acknowledged instance {UID} cannot be read: {reason}",
            "the file of the acknowledged instance {UID} is damaged: {reason}",
            "the file of the acknowledged instance {UID} is cut short: {number} bytes",
            "the file of the acknowledged instance {UID} is too long: {number} bytes",
            cause="""A peer asked for storage commitment for an instance that was stored here, and its file is not as it was
            acknowledged. The peer is told that there is no commitment (0110H).""",
            cure="""Another program or a person has changed the folder, or the disk has lost data. Check the disk, and have the
            instance sent again.""",
        ),
        entry(
            "E157",
            "storage commitment reports are not delivered: {reason}",
            cause="""The transactions of storage commitment cannot be read or written. The reason stands behind the colon.""",
            cure="""Mend the database that the reason names. The reports go out afterwards, up to a day after the request.""",
        ),
        entry(
            "E158",
            "storescp --commit needs SQLAlchemy: pip install 'dimse[archive]'",
            cause="""Storage commitment needs an index of the files, which is kept by the package SQLAlchemy. It is not
            installed.""",
            cure="""Install it with `pip install 'dimse[archive]'`, or leave `--commit` out.""",
        ),
        entry(
            "E159",
            "{UID} is not acknowledged: it cannot be added to the index: {reason}",
            "another data set has its SOP Instance UID",
            cause="""The file of the instance is in the folder, and the index of the folder could not take it. The sender got
            a failure status, so that it sends the instance again.""",
            cure="""Mend what the line names: the space on the disk, or the permissions of the index. It is the file
            `.index.sqlite` in the folder.""",
        ),
        entry(
            "E160",
            "there is no journal {path}",
            cause="""`--status` reads a journal, and this file does not exist.""",
            cure="""Name the file that was given with `--journal` before.""",
        ),
        entry(
            "E161",
            "the journal {path} cannot be used: {reason}",
            cause="""The journal cannot be opened or written. Nothing was sent, because it could not have been recorded.""",
            cure="""Check the permissions of the file and of its folder, and the space on the disk. Another storescu may use the
            journal at this moment.""",
        ),
        entry(
            "E162",
            "{path} is not a journal of a sender: name another file",
            "the journal {path} has version {number}, and only {number} is supported",
            cause="""The file exists, and it is another file than a journal, or one of another version of dimse.""",
            cure="""Name another file; a new journal is made then. Files that were acknowledged are sent once more.""",
        ),
        entry(
            "E163",
            "cannot write the report {path}: {reason}",
            "The report was not written: {path}: {reason}",
            "the report cannot be written: {reason}",
            cause="""The report could not be written. The work itself was done as the other lines say.""",
            cure="""Check the folder, its permissions and the space on the disk. With a journal, a second run costs little.""",
        ),
        entry(
            "E164",
            "a report ends with {endings}, and {path} does not",
            "a report ends with {endings}, not {path}",
            cause="""The ending of the name of a report chooses its format.""",
            cure="""Let the name end with `.json`, `.jsonl` or `.csv`.""",
        ),
        entry(
            "E165",
            "{path} is neither a journal nor a report",
            "{path} is not a report: {reason}",
            "a row of it has more cells than the heading",
            "a row of it has no file and no outcome",
            "a row of it has a {name} that is not a text",
            "a row of it has bytes that are not a number",
            cause="""The file of `--retry-failed`, or of `dimse summary`, is not one that the tools have written, or was
            changed.""",
            cure="""Name a journal, or a report as `.json`, `.jsonl` or `.csv`. A report that was cut short has the name
            `F.part` and can be used.""",
        ),
        entry(
            "E166",
            "The journal was not exported: {path}: {reason}",
            cause="""The file of `--export` could not be written. The journal is unchanged.""",
            cure="""Check the folder, its permissions and the space on the disk, and run the command again.""",
        ),
        entry(
            "E167",
            "another process is writing it",
            cause="""Another run writes the same report at this moment.""",
            cure="""Wait for its end, or name another file with `--report`.""",
        ),
        entry(
            "W130",
            "Stored with a warning: {path}: {status}: {meaning}",
            cause="""The peer has stored the instance and remarks something (B0xxH), for example that it changed an element. It
            counts as stored.""",
            cure="""Read the meaning of the status. Nothing has to be done if the peer may change what it stores.""",
        ),
        entry(
            "W131",
            "{reason}; trying again in {seconds} s",
            "{reason}; going on with another association",
            cause="""An association failed or was not established, and storescu tries again. Files without response are sent
            again.""",
            cure="""Nothing has to be done unless it comes often. Then look up its reason with `dimse explain`.""",
        ),
        entry(
            "W132",
            "{reason}; other associations have sent the files",
            cause="""Of several associations (`--jobs`) some were refused. The others have sent everything.""",
            cure="""Use a smaller `--jobs`, or raise the limit of the peer.""",
        ),
        entry(
            "W133",
            "{peer}: {UID} was not forwarded: {reason}",
            cause="""A `Forwarder` could not send an instance to its destination. The sender got a failure status, so that it
            can send the instance again.""",
            cure="""Look up the reason with `dimse explain`, and check the destination with echoscu.""",
        ),
        entry(
            "W134",
            "{journal} holds these files as acknowledged by {peer}, called {title}: they are sent to {peer}",
            cause="""The journal counts what was acknowledged by an address, a port and an AE title. These files were
            acknowledged under other ones, for example `localhost` in place of the address, so that they are sent again.""",
            cure="""Use the same address and AE title as before if it is the same peer. Otherwise nothing has to be done.""",
        ),
        entry(
            "W150",
            "storage commitment report: {number} {what}, such as {UID}",
            cause="""The report of the peer names instances that were not asked about, or leaves out some that were.""",
            cure="""Only what was asked about counts. What is missing does not count as committed.""",
        ),
        entry(
            "W152",
            "no commitment is possible for {UID}: {reason}",
            cause="""An instance without Study or Series Instance UID was stored, and has no place in the index. A peer that
            asks for commitment to it is told that it does not exist (0112H).""",
            cure="""Report it to the vendor of the sender: both UIDs are required in every image.""",
        ),
        entry(
            "W151",
            "{AE} has not taken the report on storage commitment {transaction}",
            "{AE} has not taken the report on storage commitment {transaction}: {reason}; it is given up",
            "{AE} has not taken the report on storage commitment {transaction}: {reason}; the next attempt is in {number} seconds",
            "no address is known of {AE}",
            cause="""A peer asked for storage commitment, and could not be given the report. It is tried again for a day, at
            growing intervals.""",
            cure="""The peer must listen for the report. Its AE title, host and port must be known here: `storescp --report-to`,
            or a section of the configuration of an archive. If the report was given up, the peer must ask again.""",
        ),
    ),
)
