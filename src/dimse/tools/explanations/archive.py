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
    ),
)
