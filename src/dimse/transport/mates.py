"""The threads of a crew."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dimse import turns
from dimse.transport.served import Served
from dimse.transport.suspending import Job
from dimse.turns import Round, Turn

if TYPE_CHECKING:
    from dimse.transport.crew import Crew


class Mate(threading.Thread):
    """A thread of a crew.

    Attributes:
        crew: Whose.
        turn: Its place among those who take turns.
        serving: What it goes on with, or does a job for, at the moment.
        job: What it is to do.
        called: A lock that is released when the thread is given the watch, or a job.
    """

    def __init__(self, crew: Crew, round_: Round) -> None:
        super().__init__(name="dimse-server", daemon=True)
        self.crew = crew
        self.turn = MatesTurn(round_, self)
        self.serving: Served | None = None
        self.job: Job | None = None
        self.called = threading.Lock()
        self.called.acquire()

    def run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            if self.serving is not None:
                # Its job is not done, and will not be.
                self.serving.has_job = False
            self.crew.give_up(error)
            self.crew.leave(self)

    def _serve(self) -> None:
        if self.crew.takes_turns:
            turns.HERE.turn = self.turn
        while True:
            if self.job is not None:
                self.crew.work(self, self.job)
            self.crew.keep_watch(self)
            if not self.crew.rest(self):
                return


class MatesTurn(Turn):
    """The turn of a thread of a crew: who steps aside hands the watch on too."""

    __slots__ = ("mate",)

    def __init__(self, round_: Round, mate: Mate) -> None:
        super().__init__(round_)
        self.mate = mate

    def step_aside(self) -> bool:
        if not self.end():
            return False
        self.mate.crew.hand_on(self.mate)
        return True
