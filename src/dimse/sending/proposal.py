"""Proposals for the files that wait to be sent, of at most 128 presentation contexts each (PS3.8 7.1.1.13)."""

from __future__ import annotations

from collections.abc import Iterable

from dimse.instances import InstanceFile
from dimse.services.sources import FALL_BACK
from dimse.settings import MOST_CONTEXTS, ProposedContext
from dimse.support.values import value


@value
class Syntaxes:
    """The rule for the transfer syntaxes to propose for a SOP class.

    By default there is a context for each transfer syntax of its files, and one more as the fall-back.

    Attributes:
        chosen: The transfer syntaxes of a single context, whatever those of the files are.
        exact: True to propose only the transfer syntaxes of the files, without a fall-back.
    """

    chosen: tuple[str, ...] = ()
    exact: bool = False

    def contexts(self, sop_class_uid: str, own: Iterable[str]) -> list[ProposedContext]:
        """Return the contexts for a SOP class with files in these transfer syntaxes, at most 128, with the fall-back."""
        if self.chosen:
            return [ProposedContext(sop_class_uid, self.chosen)]
        contexts = [ProposedContext(sop_class_uid, (syntax,)) for syntax in own]
        if self.exact:
            return contexts[:MOST_CONTEXTS]
        return [*contexts[: MOST_CONTEXTS - 1], ProposedContext(sop_class_uid, FALL_BACK)]


Need = tuple[str, str]
"""SOP class and transfer syntax of a file, by UID."""


def need_of(file: InstanceFile) -> Need:
    """Return SOP class and transfer syntax of a file."""
    return file.sop_class_uid, file.transfer_syntax_uid


class Proposal:
    """A proposal for one association: the contexts, and the files that they are for.

    Args:
        syntaxes: The rule for the transfer syntaxes to propose.
        needs: The needs of the files to send, in order of urgency. Those that do not fit are left for another association.
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
                # The fall-back covers no need: its files would be re-encoded, and another association need not do so.
                own_contexts = (
                    context.transfer_syntaxes[0] for context in group if len(context.transfer_syntaxes) == 1
                )
                self._covered.update((sop_class_uid, uid) for uid in (("",) if self._any_syntax else own_contexts))

    def covers(self, need: Need) -> bool:
        """Return True if files with this need are sent over the association, whichever contexts the peer accepts."""
        sop_class_uid, transfer_syntax_uid = need
        return (sop_class_uid, "" if self._any_syntax else transfer_syntax_uid) in self._covered
