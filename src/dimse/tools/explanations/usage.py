"""Explanations of wrong usage: options and values that cannot be used. The exit status is 2, and nothing was done."""

from __future__ import annotations

from dimse.tools.explanations.entry import Subject, entry

SUBJECT = Subject(
    "Wrong usage",
    (
        entry(
            "E320",
            "unknown option {option}: did you mean {option}?",
            "unknown option {option}: see --help",
            "there is no tool {tool}; there are {tools}",
            "there is no code {code}; near it are {codes}",
            "no line of the tools looks like {line}: see dimse explain --list",
            cause="""There is no such option, tool, code or line.""",
            cure="""Use the one that the line suggests, or look at `--help`. A path that begins with a hyphen stands behind
            `--`.""",
        ),
        entry(
            "E321",
            "cannot read arguments from {path}: {reason}",
            cause="""`@FILE` in front of the first argument stands for the arguments in that file, and the file cannot be
            read.""",
            cure="""Correct the name. A path that begins with `@` can be written as `./@name`.""",
        ),
        entry(
            "E322",
            "{value} is not a number",
            "{value} is not {least} to {most}",
            "{name} needs a port from {least} to {most}, not {value}",
            "{name} needs the name or the address of a host, not {value}",
            "the maximum length is 0 (unlimited) or 4096 to 4294967295 bytes, not {number}",
            "the longest PDU to send has {number} to 4294967295 bytes, not {number}",
            "the asynchronous operations window is 0 (unlimited) to 65535, not {number}",
            "the {wait} timeout is 0 (unlimited) or a number of seconds, not {value}",
            "retries and waits are not negative: {values}",
            "at least 1 check of a user identity runs at one time, not {number}",
            "the associations of one address are 0 (no limit) or more, not {number}",
            "there is at least one job, not {number}",
            "there is at least one job, and each file is sent at least once: {number} and {number}",
            "a forwarder has at least one association, idle for 0 seconds or more: {number}, {number}",
            "an association has 1 to {number} presentation contexts, not {number}",
            "{name} is one of {values}, not {value}",
            "{value} is not one of {values}",
            "{value} is not a status of 16 bits",
            "no transfer syntax is proposed for {class}",
            cause="""A value is outside the range that it may have.""",
            cure="""Give a value within the range that the line names. 0 stands for unlimited where the line says so.""",
        ),
        entry(
            "E323",
            "an AE title has 1 to 16 characters, not {number}: {title}",
            "an AE title has printable ASCII characters and no backslash: {title}",
            cause="""An AE title follows PS3.5: 1 to 16 ASCII characters, no backslash, and not only blanks.""",
            cure="""Use a shorter title without special characters, such as `MY_STATION`.""",
        ),
        entry(
            "E324",
            "{value} is not a UID, nor a keyword of PS3.6",
            "a UID has at most {number} characters, not {number}: {value}",
            "{value} is not a transfer syntax of PS3.6, by UID or keyword",
            cause="""A SOP class or transfer syntax is given that does not exist in PS3.6.""",
            cure="""Give its UID or its keyword, such as `CTImageStorage` or `JPEG2000Lossless`. The line suggests a similar one
            if there is one.""",
        ),
        entry(
            "E325",
            "--log-config does not go with --log-format: the configuration says what the log looks like",
            "cannot use the logging configuration {path}: {reason}",
            cause="""The file of `--log-config` has a fault, or contradicts another option.""",
            cure="""Check it by the documentation of Python's `logging.config`. The loggers are below `dimse`.""",
        ),
        entry(
            "E326",
            "--repeat does not go with --journal: a journal has one entry for each instance",
            "a journal has one entry for each instance: it does not go with repeat",
            "--status needs --journal: it prints what is in it",
            "- stands for a list of paths on stdin, which is closed",
            "--commit-port is for --verify",
            "--report goes with --store: without it no instance comes here",
            "--{option} does not go with --ignore: nothing is kept that could be reported",
            "--{option} goes with --format table or csv",
            "--log-config does not go with --{option}: the configuration names the files",
            "--log-rotate and --log-keep are for --log-file",
            cause="""Two options exclude one another, or one needs the other.""",
            cure="""Leave one of them out, or add the one that the line names.""",
        ),
        entry(
            "E327",
            "--also-port names a port that is listened on already",
            "{value} is neither PORT nor PORT,tls",
            "{value} is not [HOST:]PORT",
            "{value} is neither a size of 1K or more, such as 10M, nor daily",
            cause="""The value of an option of a listener cannot be used.""",
            cure="""Write `--also-port 2762,tls`, `--metrics 9100` or `--log-rotate 10M`. Each port may be named once.""",
        ),
        entry(
            "E328",
            "--metrics needs prometheus-client: pip install 'dimse[metrics]'",
            cause="""Metrics are counted by the package prometheus-client, which is not installed.""",
            cure="""Install it with `pip install 'dimse[metrics]'`, or leave `--metrics` out.""",
        ),
    ),
)
