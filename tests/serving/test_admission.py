"""Admission: one address keeps no other out, and the log of a server says which callers it refused, and why."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

import dimse
from dimse import uids
from dimse.errors import OperationTimeout
from dimse.serving import places
from dimse.serving.admission import refused_contexts
from dimse.settings import Limits, Timeouts
from dimse.upper_layer.negotiation import PresentationContext
from tests.drivers import LOOPBACK, Driver, Face, on_both_faces, on_each_driver, running, serving
from tests.faulty_peer import item
from tests.hostile_scu import (
    ABORT,
    CONTEXTS,
    IMPLICIT,
    RELEASE_RQ,
    USER_INFORMATION,
    VERIFICATION,
    HostileSCU,
    associate_rq,
    context,
    echo,
)

# Two peers whom the system tells apart without anything being set up.
GREEDY, POLITE = "127.0.0.2", LOOPBACK
SOON = 0.3  # seconds: a deadline to pass
LONG = 10.0  # seconds: more than anything takes here


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def notices(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the notices, each without the host and port of its peer."""
    records = [record for record in caplog.records if record.name == "dimse.notices"]
    return [record.getMessage().partition(": ")[2] for record in records]


def until(condition: Callable[[], bool]) -> None:
    """Wait until something that happens elsewhere has happened."""
    give_up = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0)


def verify(port: int) -> None:
    with HostileSCU(port) as scu:
        scu.associate(associate_rq(CONTEXTS[:1]))
        scu.send(echo() + RELEASE_RQ)
        assert scu.answers() == ["C-ECHO-RSP 0000H", "A-RELEASE-RP"]


# --- what is said of callers ---

WRONG = [
    ({"calling": b"FOE"}, "FOE -> ARCHIVE: the calling AE title 'FOE' is not among those that may associate"),
    ({"calling": b""}, " -> ARCHIVE: its calling AE title is empty"),
    ({"called": b"archive"}, "FRIEND -> archive: the called AE title 'archive' is not ours, which is 'ARCHIVE'"),
    (
        {"user_information": item(0x58, b"")},
        "FRIEND -> ARCHIVE: its user identity (58H) is empty or cannot be read",
    ),
    ({"application_context": "1.2.3"}, "FRIEND -> ARCHIVE: its application context name '1.2.3' is not that of DICOM"),
]


@on_both_faces
@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_a_rejection_says_what_was_wrong(
    face: Face, changes: dict[str, bytes], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"calling": b"FRIEND", "called": b"ARCHIVE", **changes}
    with (
        serving(face, ae_title="ARCHIVE", require_called=True, calling_ae_titles=["FRIEND"]) as port,
        HostileSCU(port) as scu,
    ):
        scu.send(associate_rq(**options))  # type: ignore[arg-type]
        assert scu.answers()[0].startswith("A-ASSOCIATE-RJ 1/1/")
    assert notices(caplog) == [f"rejected {said}"]


@on_both_faces
def test_an_association_is_told_with_its_address_and_titles(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face) as port, HostileSCU(port) as scu:
        scu.associate(associate_rq(CONTEXTS[:1]))
        scu.send(RELEASE_RQ)
        assert scu.answers() == ["A-RELEASE-RP"]
        assert f"{scu.address}: accepted HOSTILE -> ANY-SCP" in caplog.messages
    assert notices(caplog) == []


@on_both_faces
def test_a_connection_that_closes_without_a_byte_is_no_line(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face) as port:
        for _ in range(3):
            HostileSCU(port).reset()
            HostileSCU(port).socket.close()
        # The first line is about the one that comes after them.
        verify(port)
    assert caplog.messages[0] == "Accepting Association"


@on_both_faces
def test_refused_contexts_are_told_by_name_in_one_notice(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    contexts = (
        context(1, VERIFICATION, IMPLICIT),
        context(3, uids.CTImageStorage, IMPLICIT),
        context(5, VERIFICATION, uids.JPEGBaseline8Bit),
        context(7, "1.2.3.4\n", IMPLICIT),
    )
    with serving(face, contexts=[VERIFICATION], transfer_syntaxes=[IMPLICIT]) as port, HostileSCU(port) as scu:
        scu.associate(associate_rq(contexts))
        scu.send(echo() + RELEASE_RQ)
        assert scu.answers() == ["C-ECHO-RSP 0000H", "A-RELEASE-RP"]
    assert notices(caplog) == [
        "refused contexts of HOSTILE -> ANY-SCP: Abstract Syntax Not Supported: CT Image Storage, 1.2.3.4\\n;"
        " Transfer Syntax Not Supported: Verification SOP Class (JPEG Baseline (Process 1))"
    ]


def test_many_refused_contexts_are_still_one_short_line() -> None:
    contexts = [PresentationContext(2 * n + 1, f"1.2.{n}", 3) for n in range(120)]
    assert refused_contexts(contexts) == "Abstract Syntax Not Supported: 1.2.0, 1.2.1, 1.2.2, 1.2.3, 1.2.4 and 115 more"
    syntaxes = tuple(f"1.3.{n}" for n in range(7))
    assert refused_contexts([PresentationContext(1, "1.2", 4, "", syntaxes)] * 2) == (
        "Transfer Syntax Not Supported: 1.2 (1.3.0, 1.3.1, 1.3.2, 1.3.3, 1.3.4 and 2 more)"
    )
    assert refused_contexts([PresentationContext(1, "1.2", 0, IMPLICIT)]) == ""


def test_a_refused_context_that_lacks_its_syntaxes_is_told_so() -> None:
    contexts = [PresentationContext(1, "", 3, "", (IMPLICIT,)), PresentationContext(3, "1.2", 4, "", ())]
    assert refused_contexts(contexts) == (
        "Abstract Syntax Not Supported: no abstract syntax; Transfer Syntax Not Supported: 1.2 (no transfer syntax)"
    )


@on_both_faces
def test_an_idle_peer_is_named_so(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face, timeouts=Timeouts(idle=SOON)) as port, HostileSCU(port) as scu:
        scu.associate(associate_rq(CONTEXTS[:1]))
        assert scu.answers() == ["A-ABORT 0/0"]
        until(lambda: bool(notices(caplog)))
    assert notices(caplog) == [
        f"aborted HOSTILE -> ANY-SCP: the peer sent no request within the idle timeout of {SOON} s"
    ]
    assert "Network timeout reached" not in caplog.text


@on_both_faces
def test_a_peer_that_stands_still_within_a_message_is_not_idle(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face, timeouts=Timeouts(idle=SOON)) as port, HostileSCU(port) as scu:
        scu.associate(associate_rq(CONTEXTS[:1]))
        scu.send(echo()[:-1])
        assert scu.answers() == ["A-ABORT 0/0"]
        until(lambda: "Network timeout reached" in caplog.text)
    assert notices(caplog) == []
    assert "Network timeout reached" in caplog.text


@on_each_driver
async def test_waiting_for_requests_ends_by_the_idle_timeout(driver: Driver) -> None:
    with serving() as port:
        association = await driver.associate(port, timeouts=Timeouts(idle=SOON), handlers=dimse.Handlers())
        with pytest.raises(
            OperationTimeout, match=r"the peer sent no request within the idle timeout of 0\.3 s"
        ) as late:
            await association.serve()
        assert late.value.wait == "idle"


# --- one address does not keep others out ---


@on_both_faces
def test_one_address_has_not_all_associations(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    with serving(face, limits=Limits(associations=5)) as port, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(HostileSCU(port, source=GREEDY)).associate(associate_rq(CONTEXTS[:1]))
        for _ in range(3):
            with HostileSCU(port, source=GREEDY) as scu:
                scu.send(associate_rq())
                assert scu.answers() == ["A-ASSOCIATE-RJ 2/3/2"]
        assert (
            notices(caplog)
            == ["rejected HOSTILE -> ANY-SCP: its address has as many associations as one address may have (4)"] * 3
        )
        verify(port)


@on_both_faces
def test_a_place_of_an_address_is_free_again_when_its_association_has_ended(face: Face) -> None:
    with running(face, limits=Limits(associations=5, per_address=1)) as server:
        for end in (ABORT, RELEASE_RQ, b"\xff" * 10, b""):
            with HostileSCU(server.address[1]) as scu:
                scu.associate()
                scu.send(end)
            until(lambda: server.associations == 0)


@on_both_faces
@pytest.mark.parametrize("says", [b"", b"\1", associate_rq()[:100], b"GET / HTTP/1.1\r\n\r\n"])
def test_one_address_does_not_push_out_the_half_open_connections_of_another(face: Face, says: bytes) -> None:
    with serving(face, limits=Limits(half_open=6)) as port, HostileSCU(port) as polite, ExitStack() as stack:
        polite.send(associate_rq()[:10])
        greedy = [stack.enter_context(HostileSCU(port, source=GREEDY)) for _ in range(20)]
        for scu in greedy:
            scu.send(says)
        # The first of them have given way to the last.
        while greedy[0].read() != "closed":
            pass
        verify(port)
        polite.associate(associate_rq()[10:])


@on_both_faces
def test_one_address_does_not_push_out_the_requests_of_another_by_their_size(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    half = b"\1\0" + (200_000).to_bytes(4, "big") + bytes(100_000)
    with (
        serving(face, limits=Limits(half_open_bytes=250_000)) as port,
        HostileSCU(port) as polite,
        HostileSCU(port, source=GREEDY) as first,
        HostileSCU(port, source=GREEDY) as second,
        HostileSCU(port, source=GREEDY) as third,
    ):
        polite.send(associate_rq()[:-1])
        for scu in (first, second, third):
            scu.send(half)
        assert first.read() == "closed"
        polite.associate(associate_rq()[-1:])
    assert notices(caplog)[0] == (
        "closed before it was associated: requests of 250000 bytes wait for that, the most at one time, and its address has most"
    )


@on_both_faces
def test_bytes_behind_a_request_are_not_counted_for_ever(face: Face) -> None:
    """The rest of a PDU behind each request must not stay in the sum, or in the end no peer could come in."""
    behind = b"\7\0\0\0\0\4\0\0\0"
    with serving(face, limits=Limits(half_open_bytes=400)) as port:
        for _ in range(50):
            with HostileSCU(port) as scu:
                scu.send(associate_rq(CONTEXTS[:1]) + behind)
                assert scu.read() == "A-ASSOCIATE-AC"


# --- a peer that guesses passwords does not keep others out ---


def as_user(user: bytes, password: bytes) -> bytes:
    """Return an A-ASSOCIATE-RQ with a user identity (PS3.7 D.3.3.7)."""
    fields = len(user).to_bytes(2, "big") + user + len(password).to_bytes(2, "big") + password
    return associate_rq(CONTEXTS[:1], user_information=USER_INFORMATION + item(0x58, b"\2\0" + fields))


RIGHT, WRONG_ONE = as_user(b"alice", b"sesame"), as_user(b"mallory", b"guess")


class Slow:
    """A check of identities that takes until `go_on` for all but alice.

    Attributes:
        go_on: Lets those that wait go on.
        running: How many checks run now.
        most: How many ran at one time at the most.
        asked: How many there were.
    """

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.running = self.most = self.asked = 0
        self._lock = threading.Lock()

    def __call__(self, who: dimse.UserIdentity) -> bytes | None:
        with self._lock:
            self.running += 1
            self.asked += 1
            self.most = max(self.most, self.running)
        try:
            if who.primary != b"alice":
                self.go_on.wait(LONG)
            return b"" if (who.primary, who.secondary) == (b"alice", b"sesame") else None
        finally:
            with self._lock:
                self.running -= 1


def let_in(port: int, source: str = POLITE) -> None:
    with HostileSCU(port, source=source) as scu:
        scu.associate(RIGHT)
        scu.send(echo() + RELEASE_RQ)
        assert scu.answers() == ["C-ECHO-RSP 0000H", "A-RELEASE-RP"]


@contextmanager
def guessing(port: int, count: int, source: str = GREEDY) -> Iterator[list[HostileSCU]]:
    """Yield so many connections that have sent a wrong password."""
    with ExitStack() as stack:
        scus = [stack.enter_context(HostileSCU(port, source=source)) for _ in range(count)]
        for scu in scus:
            scu.send(WRONG_ONE)
        yield scus


@on_both_faces
def test_one_address_runs_half_of_the_checks_and_others_come_in_meanwhile(face: Face) -> None:
    check = Slow()
    with serving(face, identify=check, limits=Limits(identity_checks=4)) as port, guessing(port, 20):
        until(lambda: check.running == 2)
        for _ in range(3):
            let_in(port)
        assert check.running == 2
        check.go_on.set()
        until(lambda: check.asked == 23)
    assert check.most <= 3


@on_both_faces
def test_another_user_of_the_same_address_waits_for_one_check(face: Face) -> None:
    check = Slow()
    turns: list[bytes] = []

    def note(who: dimse.UserIdentity) -> bytes | None:
        turns.append(who.primary)
        return check(who)

    with serving(face, identify=note, limits=Limits(identity_checks=1)) as port, guessing(port, 20, POLITE):
        until(lambda: check.running == 1)
        with HostileSCU(port) as right:
            right.send(RIGHT)
            # What comes behind it shows that it has been taken in.
            with HostileSCU(port) as later:
                later.send(associate_rq(calling=b""))
                assert later.answers() == ["A-ASSOCIATE-RJ 1/1/3"]
            check.go_on.set()
            assert right.read() == "A-ASSOCIATE-AC"
    assert turns.index(b"alice") <= 3


@on_both_faces
def test_a_password_that_was_right_before_is_checked_first(face: Face) -> None:
    check = Slow()
    turns: list[bytes] = []

    def note(who: dimse.UserIdentity) -> bytes | None:
        turns.append(who.secondary)
        return check(who)

    with serving(face, identify=note, limits=Limits(identity_checks=1)) as port:
        let_in(port)
        with guessing(port, 1, POLITE), ExitStack() as stack:
            until(lambda: check.running == 1)
            # The guesses are for the user that comes in, from its address.
            for _ in range(20):
                stack.enter_context(HostileSCU(port)).send(as_user(b"alice", b"guess"))
            right = stack.enter_context(HostileSCU(port))
            right.send(RIGHT)
            later = stack.enter_context(HostileSCU(port))
            later.send(associate_rq(calling=b""))
            assert later.answers() == ["A-ASSOCIATE-RJ 1/1/3"]
            check.go_on.set()
            assert right.read() == "A-ASSOCIATE-AC"
    assert turns[:3] == [b"sesame", b"guess", b"sesame"]


@on_both_faces
def test_those_that_wait_for_their_check_hold_no_place(face: Face) -> None:
    check = Slow()
    limits = Limits(associations=2, per_address=0)
    with running(face, identify=check, limits=limits) as server, guessing(server.address[1], 20, POLITE):
        until(lambda: check.running == 2)
        assert server.associations == 0
        with HostileSCU(server.address[1], source=GREEDY) as scu:
            scu.associate(RIGHT)
            assert server.associations == 1
        check.go_on.set()


@on_both_faces
def test_failed_checks_delay_their_own_answers_alone(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    delays = (0.1, 0.2, LONG)
    monkeypatch.setattr(places, "DELAYS", delays)
    monkeypatch.setattr("dimse.serving.waiting_room.DELAYS", delays)
    check = Slow()
    check.go_on.set()
    with serving(face, identify=check) as port:
        for seconds in delays[:2]:
            with HostileSCU(port) as wrong:
                started = time.monotonic()
                wrong.send(WRONG_ONE)
                assert wrong.read() == "A-ASSOCIATE-RJ 1/1/1"
                assert time.monotonic() - started >= seconds
        with guessing(port, 3, POLITE):
            until(lambda: check.asked == 5)
            started = time.monotonic()
            let_in(port)
            assert time.monotonic() - started < LONG / 2


@on_both_faces
def test_a_requestor_that_leaves_while_it_waits_is_not_checked(face: Face) -> None:
    check = Slow()
    with serving(face, identify=check, limits=Limits(identity_checks=2)) as port, guessing(port, 1):
        until(lambda: check.running == 1)
        with guessing(port, 5) as waiting:
            waiting[1].send(ABORT)
            assert waiting[1].read() == "closed"
            # Data before the association is accepted is an unexpected PDU (PS3.8 Table 9-10, AA-8).
            waiting[2].send(echo())
            assert waiting[2].answers() == ["A-ABORT 2/2"]
            waiting[0].reset()
        let_in(port)
        check.go_on.set()
        let_in(port, GREEDY)
    assert check.asked <= 4


@on_both_faces
def test_a_requestor_whose_check_comes_too_late_may_try_again(face: Face, caplog: pytest.LogCaptureFixture) -> None:
    check = Slow()
    with serving(face, identify=check, timeouts=Timeouts(acse=SOON)) as port, guessing(port, 3) as waiting:
        for scu in waiting:
            assert scu.answers() == ["A-ASSOCIATE-RJ 2/3/1"]
        check.go_on.set()
        let_in(port, GREEDY)
    assert set(notices(caplog)) == {
        "rejected HOSTILE -> ANY-SCP: its user identity was not checked in time, for too many wait for that"
    }


@on_both_faces
def test_a_full_server_checks_no_identity(face: Face) -> None:
    check = Slow()
    with serving(face, identify=check, limits=Limits(associations=1)) as port, HostileSCU(port) as scu:
        scu.associate(RIGHT)
        with guessing(port, 3) as late:
            for each in late:
                assert each.answers() == ["A-ASSOCIATE-RJ 2/3/2"]
    assert check.asked == 1


@on_both_faces
def test_a_requestor_that_waits_for_its_check_gives_way_last(face: Face) -> None:
    check = Slow()
    with (
        serving(face, identify=check, limits=Limits(half_open=4, identity_checks=1)) as port,
        guessing(port, 1, POLITE),
        HostileSCU(port) as right,
    ):
        until(lambda: check.running == 1)
        right.send(RIGHT)
        # Once a later connection is answered, the request has been received.
        with HostileSCU(port) as other:
            other.send(b"GET / HTTP/1.1\r\n\r\n")
            assert other.read() == "A-ABORT 0/0"
        with ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(HostileSCU(port)).send(b"\1")
            check.go_on.set()
            assert right.read() == "A-ASSOCIATE-AC"


@on_both_faces
def test_the_end_of_the_server_does_not_wait_for_those_that_wait(face: Face) -> None:
    check = Slow()
    with ExitStack() as stack:
        with serving(face, identify=check, limits=Limits(identity_checks=1)) as port:
            waiting = stack.enter_context(guessing(port, 5))
            until(lambda: check.running == 1)
            check.go_on.set()
        for scu in waiting:
            assert scu.read() == "closed"
    assert check.asked <= 5


@on_both_faces
def test_the_next_association_has_the_place_of_one_that_is_released_and_not_closed(face: Face) -> None:
    with serving(face, limits=Limits(associations=1)) as port, HostileSCU(port) as first, HostileSCU(port) as second:
        first.associate()
        first.send(RELEASE_RQ)
        assert first.read() == "A-RELEASE-RP"
        second.associate()
        second.send(RELEASE_RQ)
        assert second.read() == "A-RELEASE-RP"
        # Both connections stand, and no more than one may without a place.
        with HostileSCU(port) as third:
            third.send(associate_rq())
            assert third.read() == "A-ASSOCIATE-RJ 2/3/2"
