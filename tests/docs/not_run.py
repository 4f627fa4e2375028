"""The blocks of the documentation that the tests do not run: by page and first line, with the reason."""

from __future__ import annotations

INSTALLED = "`make` installs in the same way, before the tests run"
SYSTEMD = "it needs root and a running systemd; the unit itself is tested in tests/tools"

README = {
    "make demo": "it makes a virtual environment; a test of this folder runs scripts/demo.py",
    "make test": "it runs this test",
    "pip install .                 # from a checkout": INSTALLED,
    "E: Association Rejected": "docs/tutorials/debug-a-connection.md has the command, which runs",
}
RECIPES = {
    "import pandas": "pandas is not installed for the tests",
    "# /etc/cron.d/dicom: every five minutes, a mail if the archive does not answer": "it is for cron",
}
SERVICE = {
    "$ sudo python3 -m venv /opt/dimse && sudo /opt/dimse/bin/pip install .": SYSTEMD,
    "$ sudo systemctl restart storescp": SYSTEMD,
    "$ podman build -t storescp -f deploy/Containerfile .": "it needs podman and a registry",
}
PACS = {"$ sudo python3 -m venv /opt/dimse && sudo /opt/dimse/bin/pip install '.[archive]'": SYSTEMD}
REMOTES = "docs/howto.md has a file of remotes, which runs"
PROGRESS = "━━━━━━━━━━━━━━  34%  6,800 of 20,000 files  104.3 MB/s  0:18 left  4 of 4 jobs  1 retry"

PAGES = {
    "README.md": README,
    "howto.md": RECIPES,
    "receiver-as-a-service.md": SERVICE,
    "small-pacs.md": PACS,
    "archive.md": {"[DEFAULT]": "tests/tools/test_qr_configuration.py reads it"},
    "receiving.md": {
        "2026-03-01T14:02:11.387+01:00 I: 10.1.0.7:41502: accepted CT1 -> ARCHIVE": "it is a line of a log"
    },
    "retrieving.md": {"1.2.840.1  complete  412 of 412  C-GET": "the archive of the tests has no gaps"},
    "sending.md": {
        PROGRESS: "it is a moment of a progress bar",
        "storescu --remote pacs study/": REMOTES,
        "[pacs]": REMOTES,
        'archive = dimse.Remote("pacs.example.org", 104, called_ae_title="ARCHIVE", timeouts=dimse.Timeouts(dimse=60))': REMOTES,
        "def store(request: dimse.StoreRequest) -> int:": "it is a part of a router",
        "async with aio.associate(archive, contexts=dimse.contexts_for(paths)) as association:": "it is a part of a program",
    },
    "start.md": {"$ python3 -m venv dimse-env": INSTALLED},
}

NOT_RUN = {(page, head): reason for page, blocks in PAGES.items() for head, reason in blocks.items()}
