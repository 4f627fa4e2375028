"""Explanations of the archive: its index, its configuration, and the rights of its peers."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Archive, index and peers",
    (
        entry(
            "E340",
            "cannot index {UID}: {reason}",
            "the index cannot be written",
            "its file cannot be read: {reason}",
            cause="""The instance is in the folder, and could not be added to the index. So its sender was told that the archive
            is out of resources (A700H), and keeps it.""",
            cure="""Look at the reason: often the disk of the database is full, or the database is gone. The sender can send
            again: the same instance is kept once.""",
        ),
        entry(
            "E341",
            "the database {name} cannot be used: {reason}",
            "the database {name} cannot be created: {reason}",
            "the database {name} is on a network file system ({kind}), whose locks SQLite cannot trust: use a local disk, or"
            " PostgreSQL",
            "this is a database of another program: name another file",
            cause="""The index cannot be opened or written. The disk may be full, the database server may be away, or the file
            belongs to another program.""",
            cure="""Check `--database-location`. The files of the archive are not affected: the index can be built again from
            them.""",
        ),
        entry(
            "E342",
            "{text} is neither the path of a file nor a postgresql:// URL",
            "PostgreSQL needs psycopg: install dimse[postgresql]",
            "qrscp needs SQLAlchemy: pip install 'dimse[archive]'",
            "dimse archive needs SQLAlchemy: pip install 'dimse[archive]'",
            cause="""The index needs a package that is not installed, or `--database-location` does not name a database.""",
            cure="""Install `dimse[archive]`, and `dimse[postgresql]` for PostgreSQL.""",
        ),
        entry(
            "E343",
            "the index {name} has version {version}, and only {version} is supported: update dimse",
            "the index {name} has version {version}, which is too old: reindex",
            cause="""The database was made by another version of dimse.""",
            cure="""Use that version, or build the index again from the files.""",
        ),
        entry(
            "E344",
            "a query of the database {name} took too long",
            "a query found nothing for {seconds} seconds",
            cause="""A query took longer than the archive allows, and was broken off.""",
            cure="""Ask for less: a range of dates, or the beginning of a name. A name that begins with `*` is searched for in
            every patient.""",
        ),
        entry(
            "E345",
            "the commit was broken off: {reason}",
            "on_duplicate is 'keep-both', 'reject' or 'replace', not {value}",
            "update is 'first' or 'latest', not {value}",
            cause="""The index could not be opened, or was closed while an instance was added.""",
            cure="""Nothing is lost: what was not acknowledged is sent again.""",
        ),
        entry(
            "E346",
            "it has no Study Instance UID",
            "it has no Study or Series Instance UID",
            "not in the index: {file}",
            "it has no Series Instance UID",
            "a sequence ends early",
            "sequences are nested too deep",
            "the header ends early",
            "the file ends within its File Meta Information",
            cause="""A file of the archive has no place in its index: it is damaged, or no instance of a study.""",
            cure="""Look at the file with a DICOM viewer. It stays where it is.""",
        ),
        entry(
            "E347",
            "a query has failed: {reason}",
            "a retrieval has failed: {reason}",
            "the index cannot be recovered: {reason}",
            cause="""The index could not be read. The peer was told that the archive is out of resources.""",
            cure="""Look at the reason and at the lines above: often the database is gone or its disk is full. What was stored is
            not affected.""",
        ),
        entry(
            "E348",
            "the file of {UID} is missing",
            "the file of {UID} is gone",
            "an entity of level {level} has no file",
            cause="""The index has an instance whose file is not in the folder. It was removed by another program, or a disk is
            not mounted.""",
            cure="""Mount the disk, or bring the file back from a backup. Its row is kept, and the file is found again.""",
        ),
        entry(
            "E350",
            "cannot use the configuration {file}: {fault}",
            "it is not an INI file: {reason}",
            "[{section}] has an unknown key, {key}: did you mean {key}?",
            "[{section}] has an unknown key, {key}: there are {keys}",
            "[{section}] has an address and no port",
            "{text} is neither yes nor no",
            "{text} is not a Specific Character Set",
            "{text} is not never, lossless or always",
            "two peers have the AE title {title}",
            "the port is 0 to 65535, not {number}",
            cause="""The configuration of qrscp has a fault, which the line names. Nothing was started.""",
            cure="""Mend the line of the section. `[DEFAULT]` has the settings of qrscp itself; every other section is a
            peer.""",
        ),
        entry(
            "E351",
            "[default] allows {services} to every AE, which needs --allow-anyone, --allow-from, --password-file or TLS with client"
            " certificates",
            cause="""The section for unknown peers lets them query or retrieve, on an address that other machines reach. An AE
            title can be invented, so that everybody could read everything.""",
            cure="""Give each peer a section, or name the networks that may connect with `--allow-from`. `--allow-anyone` is
            for networks in which everybody may see all.""",
        ),
        entry(
            "E352",
            "Unknown Move Destination: {title}",
            cause="""A C-MOVE named a destination that is not configured (A801H).""",
            cure="""Add a section with this AE title, `address` and `port` to the configuration. SIGHUP reads the peers
            again.""",
        ),
        entry(
            "E353",
            "is the only key",
            "has more than {number} UIDs",
            "is the unique key of a level below {level}",
            "needs one value: it is the unique key of a level above {level}",
            "must have one value, for there is no relational query at level {level}",
            "is the unique key of level {level}, below {level}",
            "is that of patients of several issuers",
            "{level} is not a level of the {root} root",
            "needs a value: it is the unique key of the level {level}",
            "has several values above the level {level}",
            cause="""The identifier of a query or retrieval does not fit its level, and was refused (A900H).""",
            cure="""Give the unique key of the level, and in a retrieval one value of each level above.""",
        ),
        entry(
            "E354",
            "it is stored with another data set",
            cause="""An instance with the same SOP Instance UID is served, and `--on-duplicate reject` refuses the other
            one.""",
            cure="""Compare both. A program that changes images must give them new SOP Instance UIDs.""",
        ),
        entry(
            "E360",
            "There is no index {file}: name it with --database-location, or make it with import or reindex",
            "There is no folder {folder}: name it with --instance-location",
            cause="""`dimse archive` found no archive at these places. Nothing was made or changed.""",
            cure="""Name the places with `--database-location` and `--instance-location`, or with `-c` and the configuration of
            qrscp. Relative paths begin at the current folder.""",
        ),
        entry(
            "E361",
            "The index is that of the folder {folder}, not of {folder}",
            "another process uses the store {name} for the folder {folder}: each folder needs an index of its own, or a name of its"
            " own in one index",
            "another process uses this index for the folder {folder}: each folder needs an index of its own, or a name of its own"
            " in one index",
            cause="""The index knows the folder of its files, which is still there, and another folder was named.""",
            cure="""Leave `--instance-location` out. If the archive was moved, the folder at the old place must be gone. For a
            copy of the files, name another index and build it with `dimse archive reindex`.""",
        ),
        entry(
            "E362",
            "The archive {folder} is in use by another process, such as qrscp: end it first",
            cause="""Importing, building the index again and cleaning need the archive for themselves.""",
            cure="""End qrscp for that time. To add files meanwhile, send them to it with `storescu`.""",
        ),
        entry(
            "E363",
            "Cannot import {path}: {reason}",
            "The import is given up: run it again once the archive can be written to",
            cause="""The archive could not take a file: its disk is full, read-only or failing, or the index cannot be written.
            After several files in a row the import ends.""",
            cure="""Look at the reason, and run the same command again. What is there already is left alone.""",
        ),
        entry(
            "E364",
            "no Study Instance UID (0020,000D) in its data set",
            "no Series Instance UID (0020,000E) in its data set",
            "its encoding contradicts itself: storescu sends it as it should be",
            cause="""A file has no place in an archive. Without these UIDs no query would find it. With a wrong encoding no peer
            could read it.""",
            cure="""Correct the file. One whose encoding is wrong can be sent to the archive with `storescu`, which encodes it
            anew.""",
        ),
        entry(
            "E365",
            "The archive has no {level} {UID}",
            "The archive has no study {UID}",
            cause="""Nothing was changed, since the archive does not have what was named.""",
            cure="""`dimse archive list` shows the UIDs. Check that it is the right archive.""",
        ),
        entry(
            "E366",
            "The check has {number}",
            "{number} of the archive cannot be in the index",
            cause="""The index and the files of the archive differ, or a file is no instance of a study. The lines of the table
            name them.""",
            cure="""Files without a row, and wrong counts, are mended by `dimse archive reindex`. A file that is missing or has
            other bytes has to come from the backup. Instances that differ in the patient need a person who decides.""",
        ),
        entry(
            "E367",
            "Cannot export {path}: {reason}",
            "export needs a key, such as --study-uid, or --everything",
            "{folder} is in the folder of the archive",
            cause="""Files could not be copied out of the archive, or it was not said which ones.""",
            cure="""Look at the reason. The same command goes on where it ended, since files that are there are left alone.""",
        ),
        entry(
            "E368",
            "Nothing was removed: clean needs yes on a terminal, or --yes",
            "{number} stayed in the folder: the index does not have them",
            "Remove {number} studies with {number} instances and their files from {folder}? [yes/no]",
            cause="""Removing everything needs a clear yes. Files that are not in the index are never removed.""",
            cure="""Answer `yes`, or use `--yes` in a script. Remove other files by hand after a look at them.""",
        ),
        entry(
            "E369",
            "{command} takes these arguments: {arguments}",
            "the level is one of {levels}, not {level}",
            "--format uid goes with list",
            "--full goes with --check or --reindex",
            "--yes goes with --clean",
            "{option} does not go with {command}",
            "the Patient ID is empty",
            cause="""The arguments of `dimse archive`, or the options of qrscp, do not fit the command. Nothing was done.""",
            cure="""Look at the examples of `dimse archive --help`.""",
        ),
        entry(
            "W270",
            "--allow-anyone: every AE that reaches this port may query and retrieve",
            cause="""The archive gives its instances to every peer that can connect.""",
            cure="""Give each peer a section of the configuration, and leave the option out.""",
        ),
        entry(
            "W271",
            "refused a request of {title} at {address}: {reason}",
            cause="""A peer asked for a service that it has no right to (0124H). A peer without a section of its own may only
            send C-ECHO and C-STORE where other machines reach the port.""",
            cure="""If the peer should be allowed it, add a section with its AE title and its address. A peer that calls from
            another address needs `from`.""",
        ),
        entry(
            "W272",
            "the peer {title} has no rights: cannot find the address of {host}: {reason}",
            cause="""The host name of a peer cannot be looked up, so that its calls cannot be told from those of others.""",
            cure="""Configure its IP address, or the networks that it calls from (`from`). SIGHUP looks the name up
            again.""",
        ),
        entry(
            "W273",
            "{UID} differs in {attributes} from what is in force for its study {UID}",
            "{UID} of the study {UID} names another patient: the study stays with its first",
            cause="""Instances of one study have different values for the patient or the study. Queries find what came first. The
            files are kept as they came.""",
            cure="""Find out which value is right. Another Patient ID may mean that two patients were mixed up.""",
        ),
        entry(
            "W276",
            "{UID} came with another data set, {treatment}",
            cause="""An instance came whose SOP Instance UID is that of another data set. `--on-duplicate` decides which of them
            is served; no file is lost.""",
            cure="""Compare both. A program that changes images must give them new SOP Instance UIDs.""",
        ),
        entry(
            "W274",
            "{number} keys of a request of {title} were ignored, because they are no unique keys",
            cause="""A C-GET or C-MOVE has keys besides the unique ones, which select nothing (PS3.4 C.4.2.2.1).""",
            cure="""Nothing has to be done if the right instances come. Otherwise query first, and retrieve by UID.""",
        ),
        entry(
            "W275",
            "{title} at {address} has not negotiated the SCP role, and gets its instances all the same",
            cause="""A C-GET came over an association without the role items that PS3.7 D.3.3.4 wants.""",
            cure="""Nothing has to be done: the instances were sent.""",
        ),
        entry(
            "W280",
            "{path} is kept beside another data set with its SOP Instance UID",
            cause="""An imported file has the SOP Instance UID of an instance that is served, and other bytes. Both are kept, and
            the first one is served.""",
            cure="""`dimse archive duplicates` lists such files. `--on-duplicate` chooses what to do with them.""",
        ),
    ),
)
