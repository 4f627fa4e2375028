"""What to propose for the files that wait to be sent (PS3.8 7.1.1.13): at most 128 presentation contexts at a time."""

from __future__ import annotations

from collections.abc import Iterable

from dimse.instances import InstanceFile
from dimse.services.sources import FALL_BACK
from dimse.settings import MOST_CONTEXTS, ProposedContext
from dimse.support.values import value


@value
class Syntaxes:
    """How transfer syntaxes are chosen for a SOP class; by default its files' own, one a context, and one more as the fall-back.

    Attributes:
        chosen: These, in one context, whatever the files are in.
        exact: The files' own only: no fall-back.
    """

    chosen: tuple[str, ...] = ()
    exact: bool = False

    def contexts(self, sop_class_uid: str, own: Iterable[str]) -> list[ProposedContext]:
        """The contexts for a SOP class with files in these transfer syntaxes; of more than 128 the first and the fall-back."""
        if self.chosen:
            return [ProposedContext(sop_class_uid, self.chosen)]
        contexts = [ProposedContext(sop_class_uid, (syntax,)) for syntax in own]
        if self.exact:
            return contexts[:MOST_CONTEXTS]
        return [*contexts[: MOST_CONTEXTS - 1], ProposedContext(sop_class_uid, FALL_BACK)]


Need = tuple[str, str]
"""SOP class and transfer syntax of a file, by UID."""


def need_of(file: InstanceFile) -> Need:
    """What a file needs to be accepted."""
    return file.sop_class_uid, file.transfer_syntax_uid


class Proposal:
    """Contexts for one association, and which files they are for.

    Args:
        syntaxes: How transfer syntaxes are chosen.
        needs: What is to be sent, in order of urgency: what does not fit any more is left for another association.
    """

    def __init__(self, syntaxes: Syntaxes, needs: Iterable[Need]) -> None:
        classes: dict[str, dict[str, None]] = {}
        for sop_class_uid, transfer_syntax_uid in needs:
            classes.setdefault(sop_class_uid, {})[transfer_syntax_uid] = None
        self.contexts: list[ProposedContext] = []
        self._any_syntax = bool(syntaxes.chosen)
        self._covered: set[Need] = set()
        for sop_class_uid, own in classes.items():
            group = syntaxes.contexts(sop_class_uid, own)
            if len(self.contexts) + len(group) <= MOST_CONTEXTS:
                self.contexts += group
                # The fall-back covers nothing by itself: what it alone is for would be re-encoded, though it need not be.
                own_contexts = (
                    context.transfer_syntaxes[0] for context in group if len(context.transfer_syntaxes) == 1
                )
                self._covered.update((sop_class_uid, uid) for uid in (("",) if self._any_syntax else own_contexts))

    def covers(self, need: Need) -> bool:
        """Is such a file to be sent over this association, whatever the peer accepts of it?"""
        sop_class_uid, transfer_syntax_uid = need
        return (sop_class_uid, "" if self._any_syntax else transfer_syntax_uid) in self._covered
