"""What has changed: gone, lessened, partly gone, the same.

Belongs here: résolution, régression, inchangé. Does not belong here: plain negation (``denial``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event
from radia_pipeline.reports.sentence.clause import DENIED, HEDGED, NONE, PRESENT, SILENT, UNREAD, K
from radia_pipeline.reports.sentence.others import Others


class Change(Others):
    """What has changed: gone, lessened, partly gone, the same."""

    __slots__ = ()

    def resolved(self, event: Event) -> None:
        """Disparition de: denies, unless partial, under way or itself denied."""
        if self.scope == SILENT:
            return
        denied = self.at_once_denied()
        if denied or K["partial"] in (self.next_kind(), self.previous_kind()):
            self.present()
            return
        if not self.target_ahead() and self.back(0, event, event[3].rule, whole=False):
            return
        self.open(DENIED, event, full=True)

    def lessened(self, event: Event) -> None:
        """Régression: still there; complete: gone."""
        if self.scope == SILENT:
            return
        denied = self.at_once_denied()
        self.present()
        gone = not denied and self.next_kind() == K["complete"]
        if gone and (self.target_ahead() or not self.back(0, event, event[3].rule, whole=False)):
            self.open(DENIED, event, full=True)

    def resolved_after(self, event: Event) -> None:
        """A disparu: gone, unless nearly or not."""
        if (
            self.previous_kind() == K["partial"]
            or self.negated
            or (self.previous_kind() == K["complete"] and self.before_previous_partial())
        ):
            self.undo_unread()
            self.present()
            return
        if self.has_named() and not self.is_healed(event) and not self.other_side_is_there(event):
            self.back(0, event, event[3].rule, whole=True)

    def is_healed(self, event: Event) -> bool:
        """A healed fracture is an old fracture."""
        return "heals" in self.mentions[-1].leaf.traits and self.symbols[event[2]] in self.words.healed

    def before_previous_partial(self) -> bool:
        return self.i > 1 and self.events[self.i - 2][0] == K["partial"]

    def change(self, event: Event) -> None:
        """Pas de changement de X ou de Y: both are there."""
        if self.at_once_denied():
            self.open(PRESENT, event)
        else:
            self.present()

    def state(self, event: Event) -> None:
        """Inchangé, connu: said of what is there."""
        self.undo_unread()
        self.other_side_stays(event)
        if "likewise" in event[3].traits and self.has_named():
            self.same_as_before(event)
        if self.scope == HEDGED and self.cue[0] == K["seem"]:
            self.scope = NONE
        if self.group and not self.sep and self.next_kind() != K["and"]:
            self.described, self.group = self.group, []
        self.opened = False

    def same_as_before(self, event: Event) -> None:
        """ "Épanchement : non, pneumothorax : idem": the same as in an earlier report, or denied too: unread."""
        last = self.mentions[-1]
        if last.status == 1 and len(self.mentions) > 1 and self.mentions[-2].status == 0:
            last.status, last.cue, last.rule = None, event, UNREAD
