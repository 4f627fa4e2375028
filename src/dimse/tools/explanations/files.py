"""Explanations of files, folders and archives that cannot be sent."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Files to send",
    (
        entry(
            "E100",
            "Cannot access path: {path}: {reason}",
            "Cannot access path: {path}: no such file or directory",
            "Cannot access path: {path}: permission denied",
            cause="""A path of the command line leads to nothing that can be read. It does not exist, or the user that runs the
            tool has no permission. The other files were sent.""",
            cure="""Correct the path. `namei -l PATH` shows the permissions of each folder on the way. In scripts, quote paths
            with blanks.""",
        ),
        entry(
            "E101",
            "Bad DICOM file: {path}: {reason}",
            cause="""A file that was named on the command line, or ends in `.dcm`, cannot be sent. The reason stands behind the
            path. Nothing of this file was sent, and the other files were.""",
            cure="""Look up the reason with `dimse explain`. `--skip-invalid` makes such files a warning, so that the exit
            status is 0 if all others are stored.""",
            is_general=True,
        ),
        entry(
            "E102",
            "not DICOM: {reason}",
            "empty file",
            cause="""The file does not begin as a DICOM file (PS3.10 7.1): it is of another kind, empty or damaged.""",
            cure="""If it is a data set without File Meta Information, give its transfer syntax with `--raw-ts`. Otherwise leave
            the file out, or get a new copy.""",
        ),
        entry(
            "E103",
            "cut short: {what}",
            "cut short while it was being sent; the association was aborted",
            "{element} ends early: the {what} is cut short, or a length is wrong",
            "the deflated data set is cut short",
            "the data set ends inside the header of an element",
            cause="""The data set ends before its last element does: a part of the file is missing. Usually a copy or a download
            was interrupted, or a disk is full or damaged.""",
            cure="""Compare the size with the original, and copy the file again. A file that another program still writes can be
            sent when it is complete.""",
        ),
        entry(
            "E104",
            "{element} at offset {number} is not an element of a data set",
            "{element} at offset {number} is too long: {number} bytes",
            "{element} at offset {number} is of undefined length, which {VR} may not be",
            "{element} at offset {number} where an Item of {element} is due",
            "{element} at offset {number} does not belong in a data set, like {number} before it",
            "{element} at offset {number} is not an element",
            "{element} is where a {part} should be",
            "{element} stands where {part} should",
            "{element} appears twice in one data set, with two values",
            "{element} has {value} where its VR should be",
            "{element} has undefined length and is not a sequence",
            "{element} has no VR",
            "{element} has the unknown VR {VR}: its byte order cannot be changed",
            "{element} has {number} bytes, not a whole number of {VR} values",
            "{element} is longer than an element can be: {number} bytes",
            "the deflated data set cannot be inflated: {reason}",
            "the deflated data set does not inflate: {reason}",
            "its UIDs are not among the first {number} bytes that it inflates to",
            "an Item of {element}",
            "a fragment of {element}",
            "elements of group 0002 lead it, and do not end within {number} bytes",
            "a data set in {syntax} cannot be re-encoded",
            "its transfer syntax is not known",
            cause="""The data set is damaged, or its transfer syntax is another one than its File Meta Information says. The
            line names the element and the place where reading had to stop.""",
            cure="""Get a new copy of the file. If all files of one source have this fault, report it to the vendor of that
            source. A file with a wrong transfer syntax can be sent with `--raw-ts` after its File Meta Information is
            removed.""",
        ),
        entry(
            "E105",
            "sequences are nested more than {number} deep",
            "more elements than can be surveyed in {number} s",
            "the data set has {number} bytes, more than {number}",
            "the data set has more than {number} {what}",
            cause="""The data set exceeds a limit that protects against input made to exhaust memory or time. No ordinary
            instance comes near these limits.""",
            cure="""Look at the file with another program. If it is genuine, please report it.""",
        ),
        entry(
            "E106",
            "no {UID} in its data set",
            "the {UID} in its data set is of {number} characters, and at most 64 are allowed",
            "the SOP Class UID (0008,0016) in its data set is not a UID: {value}",
            cause="""Without a valid SOP Class UID and SOP Instance UID in its data set, an instance cannot be identified and
            sent. The File Meta Information does not count for that.""",
            cure="""Have the program that made the file write (0008,0016) and (0008,0018) into the data set.""",
        ),
        entry(
            "E107",
            "no Transfer Syntax UID in its File Meta Information, and{fault}",
            cause="""The file does not say in which transfer syntax it is, and it cannot be told from its first elements.""",
            cure="""Give the transfer syntax with `--raw-ts`, for example `--raw-ts ImplicitVRLittleEndian`.""",
        ),
        entry(
            "E108",
            "changed while being read",
            "{reason}: what the peer has stored may be damaged",
            cause="""Another program changed the file while it was sent. What the peer has stored may be a mixture of both.""",
            cure="""Wait until the other program has finished, and send the file again. Have programs write under another name
            and rename the file at the end.""",
        ),
        entry(
            "E109",
            "not a regular file",
            cause="""The path leads to a device, a socket or a pipe.""",
            cure="""Name files and folders only. For a report, name a file on a disk.""",
        ),
        entry(
            "E110",
            "a DICOMDIR, which is no SOP instance",
            "a DICOMDIR cannot be in {syntax}",
            "not all of it can be read: {reason}",
            'it lists "{name}", which is not a File ID',
            "no such file or directory, and {path} lists it",
            "it lists {path}, which leads out of its folder",
            cause="""A DICOMDIR, the directory of a disk, is damaged, or lists files that do not exist or that it must not list.
            What it lists correctly was sent.""",
            cure="""If files are missing, the disk may have been copied in part. To send every file that is there, name the
            folder with `-r` and not the DICOMDIR.""",
        ),
        entry(
            "E111",
            "it cannot be read as a ZIP archive: {reason}",
            "a ZIP archive in a ZIP archive",
            "encrypted",
            "compressed by method {number}, and only {methods} are read",
            "not the {number} bytes that the ZIP archive gives as its size",
            "it cannot be inflated into a temporary file in {folder}: {reason}",
            "its members {member} overlap",
            "overlaps its directory",
            "it is cut short in its member {member}",
            cause="""A ZIP archive, or a file in it, cannot be read here. The members that can be read were sent.""",
            cure="""Unpack the archive into a folder with another program, and send the folder with `-r`. For a full temporary
            folder, point the variable `TMPDIR` to a larger disk.""",
        ),
        entry(
            "E112",
            "no decoder for {syntax} is installed: pip install {package}",
            cause="""The peer does not accept the compressed transfer syntax of this file, and nothing is installed that can
            decompress it. The file was not sent.""",
            cure="""Install the decoders with `pip install "dimse[codecs]"`, or enable the transfer syntax at the peer.""",
        ),
        entry(
            "E113",
            "Pixel Data cannot be decompressed {reason}",
            "Pixel Data of {a} transfer syntax is {fault}",
            "Pixel Data has {number} frames, Number of Frames says {number}",
            "Number of Frames is {value}",
            "no Photometric Interpretation describes the decompressed pixels ({values})",
            "compressed Pixel Data of {number} bits allocated cannot be decompressed",
            "the compressed samples have more than the {number} bits of Bits Allocated",
            "a JPEG 2000 frame is a JP2 file {fault}",
            "its Pixel Data is compressed, which it may not be in {syntax}",
            "the byte order of Pixel Data of more than 16 bits is uncertain in Explicit VR Big Endian",
            cause="""The peer does not accept the transfer syntax of this file, and its pixels cannot be decompressed. The
            attributes that describe them are missing, or they contradict the compressed data.""",
            cure="""Enable the transfer syntax of the file at the peer, so that nothing has to be decompressed. Otherwise the
            program that made the file has to write it again.""",
        ),
        entry(
            "E114",
            "Pixel Data may be lossy compressed ({syntax}): decompressed only where that is asked for (transcode: always)",
            "the peer does not accept {syntax}, and what it compressed with loss is decompressed only where that is asked for",
            "its data set would have to be re-encoded, which is not asked for",
            cause="""The peer does not accept the transfer syntax of this file. Decompressing it was not asked for, since a
            lossy image that looks like an original could mislead a reader.""",
            cure="""Enable the transfer syntax at the peer, or use `--transcode always`. Lossy Image Compression stays set
            then.""",
        ),
        entry(
            "E115",
            "its bytes were in memory, and were dropped when its outcome was known",
            "reading it gives {kind}, not bytes",
            cause="""An instance was given to the library in memory. Its bytes are dropped once its outcome is known, so that memory
            does not grow; an open file has to be binary.""",
            cure="""Keep the data set yourself if you need it again, and open files with mode "rb".""",
        ),
        entry(
            "W100",
            "Skipped: {reason}",
            cause="""A file was left out for the reason in the line. Either `--skip-invalid` allows it, or a folder has files of
            other kinds.""",
            cure="""If the file should have been sent, look up its reason with `dimse explain`.""",
        ),
        entry(
            "W101",
            "Skipped: {path}: a ZIP archive: name it to send what it holds",
            cause="""A folder holds a ZIP archive. Archives are opened only if they are named on the command line.""",
            cure="""Name the archive as a path of its own.""",
        ),
        entry(
            "W102",
            "{number} file skipped: not DICOM",
            "{number} files skipped: not DICOM",
            cause="""Folders hold files that neither begin as DICOM files nor end in `.dcm`. They were left out.""",
            cure="""Nothing has to be done for viewers and pictures on a disk. For data sets without File Meta Information, give
            `--raw-ts`.""",
        ),
        entry(
            "W103",
            "{number} subfolder not read: use {option} to send what is in subfolders",
            "{number} subfolders not read: use {option} to send what is in subfolders",
            cause="""A folder is read one level deep, and there are folders in it.""",
            cure="""Add `-r` to read folders all the way down.""",
        ),
        entry(
            "W104",
            "{number} hidden file skipped",
            "{number} hidden files skipped",
            "{folder}: the folder is empty",
            cause="""A folder holds only files whose names begin with a dot, or nothing at all.""",
            cure="""Check that the folder is the right one and that its disk is mounted.""",
        ),
        entry(
            "W105",
            "Sent once: {path} is the same instance as {path}",
            cause="""Two files have the same SOP Instance UID and the same data set. One of them was sent.""",
            cure="""Nothing has to be done.""",
        ),
        entry(
            "W106",
            "Both are sent: {path} has the SOP instance UID of {path}, and another data set",
            cause="""Two files claim to be the same instance and differ. Both were sent; the peer decides which one it keeps.""",
            cure="""Find out which one is right. A program that changes images must give them new SOP Instance UIDs.""",
        ),
        entry(
            "W107",
            "{UID} is {value} in the File Meta Information and {value} in the data set, which counts",
            cause="""The File Meta Information names another UID than the data set. Programs that anonymise files often forget
            it. Only the data set is sent, so the peer gets the right UID.""",
            cure="""Nothing has to be done for sending. The program that wrote the file should be mended.""",
        ),
        entry(
            "W108",
            "the data set is in {syntax}, and its transfer syntax is said to be {syntax}",
            "no Transfer Syntax UID: the data set is in {syntax}",
            "some elements of the data set have a VR and others have none: it is re-encoded",
            cause="""The file names a wrong transfer syntax, or none. The right one was found from the elements, and the data
            set is sent in it, or re-encoded.""",
            cure="""Nothing has to be done for sending. The program that wrote the file should be mended.""",
        ),
        entry(
            "W109",
            "elements of group 0002 stand in the data set, and are left out",
            cause="""Elements that belong into the File Meta Information stand in the data set, where PS3.10 forbids them. Many
            peers refuse that, so they were left out.""",
            cure="""Nothing has to be done for sending. The program that wrote the file should be mended.""",
        ),
    ),
)
