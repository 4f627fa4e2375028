"""Explanations of queries, retrievals and their keys."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Query and retrieve",
    (
        entry(
            "E250",
            "Exception raised trying to parse the supplied keywords: {reason}",
            "{value} stands where `=`, `.` or nothing should",
            "{key} is neither a keyword of PS3.6 nor a tag such as 0010,0020",
            "{VR} is not a VR",
            "an item has its number in brackets, from [0] on",
            "{element} is not a private element that may have a creator",
            "{keyword} is of a repeating group: write its tag, (gggg,eeee)",
            "{keyword} is not a sequence{detail}",
            "{keyword} is a sequence, and has no value of its own: name an attribute in it",
            "{keyword} has {number} items so far: a key skips at most {number}",
            "which item of {keyword}? Write {keyword}[0] for the first",
            "the block of {element} is that of another private creator, {creator}",
            "a private creator stands between [ and ]",
            cause="""A key of `-k` cannot be understood. Nothing was sent.""",
            cure="""Write a key as `PatientID=123`, `0010,0020=123`, or only `StudyDate=` for what should be returned. An
            attribute in a sequence is `ScheduledProcedureStepSequence[0].Modality=CT`. Quote keys with `*` or blanks.""",
        ),
        entry(
            "E251",
            "{value} is not {kind}, as VR {VR} has it",
            "a value of VR {VR} is written in hexadecimal digits, two a byte",
            "{element} has characters that are not in {character_set}",
            "not in the character sets",
            "{element} is longer than an element of VR {VR} can be: {number} bytes",
            "{VR} has no room for one of the numbers",
            "this is not a number that DS can hold",
            "{value} is not a whole number",
            "{value} is not a character set of PS3.3 C.12.1.1.2",
            cause="""The value of a key does not fit the value representation (VR) of its attribute. Nothing was sent.""",
            cure="""Write the value as its VR has it: dates as 20240131, times as 134500. For names outside ASCII, give `-k
            SpecificCharacterSet=ISO_IR 192` if the peer knows UTF-8.""",
        ),
        entry(
            "E252",
            "a range of dates has a first or a last day",
            "{range}: the range ends before it begins",
            "{value} is not a date such as 2024-01-31, a range of dates, or today",
            cause="""The value of `--study-date` or a similar option is not a date or a range of dates.""",
            cure="""Write `2024-01-31`, `2024-01-01..2024-01-31` or `today`; the help of the tool has more examples.""",
        ),
        entry(
            "E253",
            "Cannot read input file {path}: {reason}",
            "it is longer than {number} bytes",
            "it holds no data set",
            "its File Meta Information is cut short, or its transfer syntax is not known",
            "File Meta Information needs a {attribute}",
            "a value of {number} bytes does not fit File Meta element (0002,{number})",
            "cannot write transfer syntax {syntax}",
            cause="""The file with keys (`-f`) cannot be read, or holds neither a DICOM data set nor DICOM JSON.""",
            cure="""Check the path. A dump in text form must be converted first, for example with `dump2dcm` of DCMTK.""",
        ),
        entry(
            "E254",
            "-f and/or -k must be specified",
            "name studies, or give a list (--from) or keys",
            cause="""A query without any key would ask for everything.""",
            cure="""Give at least one key, such as `-k StudyDate=20240131`, or an option such as `--patient-id`.""",
        ),
        entry(
            "E255",
            "--format uid: the information model {model} has no unique key at this level",
            "{name} is not an information model; there are {names}",
            "the information model {model} has no {what}",
            "{level} is not a level of the information model {model}, which has {levels}",
            cause="""The information model and the level or option do not go together.""",
            cure="""Use `-S` (Study Root) with the levels STUDY, SERIES or IMAGE, or `-P` (Patient Root) with PATIENT too.""",
        ),
        entry(
            "E256",
            "Nothing matched",
            cause="""The peer answered that nothing matches the keys. This counts as a failure because of `--fail-empty`.""",
            cure="""Ask with fewer keys. Many peers compare names exactly: try `PatientName=DOE*`. Some show each AE title only
            a part of their data.""",
        ),
        entry(
            "E257",
            "The query would mean something else: it is not sent",
            cause="""A feature that the keys need (extended negotiation, PS3.4 C.5) was not accepted by the peer. Without it the
            peer would search for something else.""",
            cure="""Leave out the option for that feature, or write the keys so that they need none.""",
        ),
        entry(
            "E258",
            "The peer has sent as many matches as it sends at most (--peer-limit): there may be more",
            "The query cannot be split: {reason}",
            "The peer cuts short what it has of {part}",
            cause="""The peer limits the number of matches, so that the result is not complete.""",
            cure="""Ask with narrower keys, such as one day (`StudyDate`) or one modality. `--split auto` asks day by day where
            the keys allow it.""",
        ),
        entry(
            "E259",
            "Studies without a {attribute} cannot be reached (--empty-values)",
            cause="""A query in parts asks for ranges of dates. Studies without a date are in no range, and the peer was not
            asked for empty values.""",
            cure="""Add `--empty-values` if the peer supports it, or accept that such studies are missing.""",
        ),
        entry(
            "E260",
            "0x{status}: {meaning}",
            "Offending elements: {elements}",
            cause="""The peer ended the query or retrieval with a failure status. The line has its number, its meaning and the
            comment of the peer.""",
            cure="""`A7xx` means that the peer is out of resources: ask for less. `A9xx` or `Cxxx` means that it does not
            understand the keys: leave out unusual ones, above all the offending elements. `A801` concerns the destination of a
            move.""",
        ),
        entry(
            "E261",
            "A match cannot be written: {reason}",
            "The matches cannot be written: {reason}",
            cause="""The peer answered, and the matches could not be written to the file or to standard output.""",
            cure="""Check the folder or file of `-od` and `--extract-json`, and the space on the disk.""",
        ),
        entry(
            "E262",
            "has {number} {what}, more than {number}",
            "has more than {number} characters",
            "has several values, which a key of VR {VR} has not",
            "has VR {VR}, of which values are not matched",
            "has {number} items, and a key has one",
            "is nested more than {number} sequences deep",
            "is one of more than {number} keys",
            "question marks in more than {number} characters",
            "more than {number} runs of asterisks",
            cause="""A key of a query is beyond what is matched here (PS3.4 C.2.2.2), or beyond a limit that protects a
            server.""",
            cure="""Write the key with fewer values or wildcards.""",
        ),
        entry(
            "E263",
            "the query took more than {seconds} s",
            cause="""The peer sent matches or pauses for so long that the time for the whole query ran out. What came until then
            was printed.""",
            cure="""Ask with narrower keys, or give more time; the help of the tool names the option.""",
        ),
        entry(
            "E270",
            "No final response came: {instances} stored, and it is not known what is missing",
            cause="""The association ended in the middle of a retrieval. The lines above say how.""",
            cure="""Run the command again: what is stored already makes no second copy.""",
        ),
        entry(
            "E271",
            "The peer has not sent {number} of {instances}",
            "the peer could not send it",
            "Not sent: {number} more",
            "The peer has left {instances} out",
            "The peer does not say how many sub-operations have failed",
            cause="""The peer itself reports that it could not send some instances. Often it has them in a transfer syntax or
            SOP class that was not proposed, or its files are missing.""",
            cure="""For getscu, propose the SOP classes with `--sop-class`, and read the log of the peer for the UIDs in the
            next lines. Then run the command again.""",
        ),
        entry(
            "E272",
            "{instances} came and could not be stored",
            cause="""Instances arrived and could not be stored here. The lines above have the reasons.""",
            cure="""Look up these reasons with `dimse explain`: usually the disk or the permissions of the folder.""",
        ),
        entry(
            "E273",
            "{instances} missing of those that the peer says it sent",
            "{instances} came without being asked for",
            cause="""What the peer says that it sent, and what arrived, differ. For movescu the instances may have gone to
            another machine, since the peer looks up the destination by its AE title.""",
            cure="""Check the host and port that the peer has for the AE title of `-aem`. Give slow peers more time with
            `--settle`.""",
        ),
        entry(
            "E274",
            "The peer cannot send to the destination {title}: its configuration must hold this AE title, {address}",
            cause="""In a C-MOVE the peer opens an association to the destination, which it looks up by its AE title. It does
            not know that title, or cannot reach the address that it has for it.""",
            cure="""Register the AE title with the address and port of the destination at the peer. getscu needs no such
            configuration.""",
        ),
        entry(
            "E275",
            "{name} SCP: {instance} was not sent: {reason}",
            "Move SCP: Unable to associate with destination AE: {reason}",
            "no instance of them can be read",
            "refused a {message} from {peer}: {reason}",
            "{number} SOP classes need more than {number} presentation contexts",
            cause="""As a server, this program could not send an instance that a peer had asked for, or could not reach the
            destination.""",
            cure="""Look up the reason with `dimse explain`. Check the destination of a move with echoscu from this machine.""",
        ),
        entry(
            "E276",
            "{study} is incomplete: {reason}",
            "{study} is not here: {reason}",
            "Missing: {UID}",
            "Missing: {number} more",
            "it did not come",
            "{number} of {studies} complete, {number} MB in {seconds} s",
            cause="""A study is not here as a whole. The reason stands behind the colon, and the next lines name the instances
            that are missing.""",
            cure="""Look up the reason with `dimse explain`. Run the same command again: with `--journal F` it fetches only what
            is missing.""",
            is_general=True,
        ),
        entry(
            "E277",
            "{number} of its instances did not come",
            "it is not known that all its instances came",
            "the retrieval was stopped",
            "the peer lists {number} of its instances, and has sent {number}",
            cause="""The retrieval of a study ended, and what came is not all that the peer lists, or the peer gave no count to
            compare with.""",
            cure="""Run the same command again, with `--retry 3` for short failures. If the same instances are missing each
            time, read the log of the peer: it may lack their files.""",
        ),
        entry(
            "E278",
            "the peer lists no instance of it",
            cause="""The peer was asked for the instances of the study and named none. It does not have the study, or does not
            show it to our AE title.""",
            cure="""Check the Study Instance UID with `findscu -S ADDR PORT --study-uid UID`.""",
        ),
        entry(
            "E279",
            "the peer accepts no C-GET of the model {model}",
            "the peer accepts no C-MOVE of the model {model}",
            cause="""The peer does not offer this way to retrieve. Many archives do C-MOVE only.""",
            cure="""Use `dimse retrieve --method move` with `--store-aet`, after the peer knows that AE title by our address and
            port. Or enable C-GET at the peer.""",
        ),
        entry(
            "E280",
            "The peer is given up: no association for several studies in a row",
            cause="""The peer accepted no association for several studies one after the other, so that the rest was not
            tried.""",
            cure="""Look at the lines above for the reason. Run the same command again when the peer is back, with
            `--journal`.""",
        ),
        entry(
            "E281",
            "Cannot retrieve: {reason}",
            "method 'move' needs a destination",
            cause="""Nothing was retrieved, because the folder, the journal or the port for C-MOVE cannot be used.""",
            cure="""Look up the reason with `dimse explain`.""",
            is_general=True,
        ),
        entry(
            "E282",
            "Cannot read the list {path}: {reason}",
            "{path}, line {number}: {value} is not a UID",
            "{path}, line {number}: more than a study and a series",
            "{value} is not a UID",
            cause="""The list of studies (`--from`) cannot be read, or a line of it has no Study Instance UID.""",
            cure="""Write one UID a line, or use the CSV or JSON lines of findscu with the column `StudyInstanceUID`.""",
        ),
        entry(
            "W257",
            "The peer ignores the key {attribute}: what is retrieved may not match it",
            cause="""A key with a value was to select studies, and no answer of the peer has a value for it. Such a peer takes no
            notice of the key, and returns studies that do not match it.""",
            cure="""Look at what `findscu` prints with the same keys. Select the studies by other keys, or give their Study
            Instance UIDs in a list (`--from`).""",
        ),
        entry(
            "W260",
            "The peer does not match the modality: {matches} left out",
            cause="""Studies were asked for by modality, and the peer has returned others too, with their modalities. Those are
            not retrieved.""",
            cure="""Nothing has to be done.""",
        ),
        entry(
            "W250",
            "the peer did not accept the feature {feature}",
            "the peer does not support every optional key",
            "the peer does not match {attribute}",
            "{key}: what the peer sends is not checked",
            "{attribute} has a value that VR {VR} does not allow",
            cause="""The peer supports the query only in part, so that it may return more than was asked for. Matches that
            contradict the keys are left out here.""",
            cure="""Read the conformance statement of the peer for the keys that it matches. Nothing has to be done if the
            result is right.""",
        ),
        entry(
            "W251",
            "The peer cut the result short: the query is sent in parts",
            cause="""The peer limits the number of matches. The query is sent again for shorter ranges of dates, until each part
            is complete.""",
            cure="""Nothing has to be done. Narrower keys make it faster.""",
        ),
        entry(
            "W252",
            "{path} is there already: it is kept, and the number goes on",
            cause="""A file of an earlier run has the name that a match would get. It is kept.""",
            cure="""Use an empty folder with `-od` to get numbers from 1 on.""",
        ),
        entry(
            "W253",
            "{UID} was not asked for: its {attribute} is another",
            cause="""The peer sent an instance that belongs to another study, series or patient than was asked for. It was
            stored.""",
            cure="""Look at the instance before it is used. Report it to the vendor of the peer.""",
        ),
        entry(
            "W254",
            "refused an instance from {address}, which was not asked: --store-from allows it",
            cause="""With `--store`, instances are taken only from the peer that was asked, and from this machine.""",
            cure="""If the peer sends from another address, add that with `--store-from`.""",
        ),
        entry(
            "W261",
            "refused {UID} from {address}, which was not asked for: --take-all keeps it",
            cause="""An instance came to the port for C-MOVE, and neither its Move Originator nor its UIDs are those of a C-MOVE
            under way. It was refused with 0124H.""",
            cure="""Find out what sends it. `--take-all` keeps such instances, where the peer sends more than it is asked for.""",
        ),
        entry(
            "W255",
            "the peer sends data sets with its pending responses: they are ignored",
            "the list of failed SOP instances cannot be read: {reason}",
            "the peer sends instances though it has not accepted that we are SCP: they are taken",
            cause="""The peer does not follow PS3.4 C.4 in a detail that does no harm.""",
            cure="""Nothing has to be done.""",
        ),
        entry(
            "W256",
            "{instances} came of no study that was asked for",
            cause="""Instances of other studies arrived, by C-GET, or at the port for C-MOVE. They were stored.""",
            cure="""Look at them before they are used. Other machines may send to this port too: `--store-from` says which
            may.""",
        ),
        entry(
            "W258",
            "what did not come cannot be asked for once more: {reason}",
            cause="""Some instances of a C-GET did not come. The association on which getscu asks for them once more was not
            established, or ended.""",
            cure="""Run the same command again later. For many studies, `dimse retrieve --retry 3` does so by itself.""",
        ),
        entry(
            "W259",
            "{host} allows fewer associations than there are jobs: some wait for the others",
            cause="""The peer has rejected an association for now, while it serves another one of this run. A job that is
            rejected asks again twice a second.""",
            cure="""Nothing has to be done. `--jobs` with the number that the peer allows is as fast.""",
        ),
    ),
)
