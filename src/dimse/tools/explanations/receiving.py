"""Explanations of instances that were not kept, and of disks, folders and names."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Receiving and storing",
    (
        entry(
            "E180",
            "cannot store {instance} in {folder}: {reason}",
            "Cannot store in {folder}: {reason}",
            "Cannot receive here: {reason}",
            cause="""The operating system could not write to the folder for the files: no space, no permission, a read-only disk
            or a failing one. The sender got a failure status and can send again.""",
            cure="""Check the folder with `df` and `ls -ld`, as the user that runs the tool. Free space, or set the permissions
            right. Nothing that was acknowledged is lost.""",
            is_general=True,
        ),
        entry(
            "E181",
            "no space left on the disk except its reserve",
            cause="""The disk is nearly full. The rest is kept back so that files under way can be finished and the machine
            keeps working.""",
            cure="""Free space, or choose another folder with `-od`. Senders that retry continue by themselves.""",
        ),
        entry(
            "E182",
            "the data set is larger than {number} bytes",
            cause="""An instance is larger than the limit of this receiver, and was refused.""",
            cure="""Raise `FileStore(largest=...)` if objects of this size are expected.""",
        ),
        entry(
            "E183",
            "another storescp or FileStore uses this folder",
            cause="""Two receivers must not manage the same folder, since each tidies up what it takes for left over.""",
            cure="""End the other one, or choose another folder. `fuser -v FOLDER` shows the process.""",
        ),
        entry(
            "E184",
            "not on the same file system",
            cause="""The hidden folder for arriving files is on another disk than the folder itself. A file could not get its
            final name in one step.""",
            cure="""Remove the mount or link at the path in the line, so that it is an ordinary folder.""",
        ),
        entry(
            "E185",
            "the folder for the files does not exist",
            cause="""The folder was removed, or its disk is no longer mounted. Nothing can be stored, and senders get a failure
            status.""",
            cure="""Mount the disk or make the folder again. The receiver then goes on by itself.""",
        ),
        entry(
            "E186",
            "refused {UID} from {sender}: {reason}",
            cause="""An instance was not stored, and its sender got a failure status with the reason in the line. Its data set
            is damaged or cut short, or it exists already with another data set.""",
            cure="""Look up the reason with `dimse explain`. Have the sender repeat the transfer, and mend the source if it
            fails again. `--accept-cut-short` and `--on-duplicate` change what is refused.""",
        ),
        entry(
            "E187",
            "kept {path}, but not acknowledged: {reason}",
            "cannot note that its study waits: {reason}",
            cause="""The file is in the folder, and what should happen after it could not be recorded. So the sender got a
            failure and will send it again, which makes no second copy.""",
            cure="""Look for the reason: usually the disk is full, or the folder of waiting studies cannot be written.""",
        ),
        entry(
            "E188",
            "the sink of this instance does not give back what it took",
            "it is not one of {values}",
            cause="""A program asked for the bytes of an instance whose sink does not keep them.""",
            cure="""Use the sink that the library gives, or read the data set where the sink has put it.""",
        ),
        entry(
            "E189",
            "mode {mode}: from 400 to 777, and the owner must be able to read the files",
            "{value} is not 400 to 777, octal, so that the owner can read the files",
            "max_duplicates {number} is less than 0",
            cause="""An option for the files has a value that it may not have.""",
            cure="""Give permissions in octal digits, such as `--mode 640`, and a number from 0 on for `--max-duplicates`.""",
        ),
        entry(
            "E190",
            "the layout {layout} cannot be read: {reason}",
            "the layout {layout} has {fault}",
            "the layout {layout} names {field}; there are {fields}",
            cause="""The text of `--layout` is not a path with names of attributes in braces, or could make two instances one
            file.""",
            cure="""Take an example such as `{StudyInstanceUID}/{SOPInstanceUID}.dcm`, in quotes. `storescp --help` lists the
            names.""",
        ),
        entry(
            "W180",
            "DICOM file already exists with the same data set: {path}",
            cause="""An instance came again, byte for byte the same. The file that exists counts, and the sender got success.""",
            cure="""Nothing has to be done.""",
        ),
        entry(
            "W181",
            "DICOM file already exists with another data set: {path}, kept as {path}",
            "DICOM file already exists with another data set: {path} ({policy})",
            cause="""An instance came with a SOP Instance UID that is stored already, and with other bytes. `--on-duplicate`
            decides: both are kept, the new one is refused, or it replaces the old one.""",
            cure="""Compare both. A program that changes images must give them new SOP Instance UIDs. Sending again with another
            transfer syntax also changes the bytes.""",
        ),
        entry(
            "W182",
            "DICOM file already exists with another data set: {path}, and has too many copies",
            cause="""So many different data sets with one SOP Instance UID are stored that one more was refused
            (`--max-duplicates`).""",
            cure="""Find the sender that changes this instance again and again, and remove the copies that are wrong.""",
        ),
        entry(
            "W183",
            "{UID} from {sender} is kept though it is {fault}",
            cause="""The data set ends inside an element, and was kept because `--accept-cut-short` allows it. The sender got a
            warning status.""",
            cure="""Look at the file: a part of it is missing. Have it sent again.""",
        ),
        entry(
            "W184",
            "The folder {folder} does not exist: nothing can be stored",
            cause="""The folder for the files was removed, or its disk is no longer mounted. Senders get a failure status.""",
            cure="""Mount the disk or make the folder again. The receiver then goes on by itself.""",
        ),
        entry(
            "W185",
            "The folder {folder} was replaced: new instances are kept in the new one",
            cause="""At the path of the folder there is another one than at the start: it was renamed, or a disk was mounted
            over it.""",
            cure="""Nothing has to be done if it was meant so. Otherwise look for the earlier instances in the old folder.""",
        ),
        entry(
            "W186",
            "{UID} from {sender}: {number} bytes of elements of group 0002 led its data set and were dropped",
            cause="""The sender put File Meta Information into the data set, where PS3.10 forbids it. It was dropped, and the
            rest was stored.""",
            cure="""Report it to the vendor of the sender.""",
        ),
    ),
)
