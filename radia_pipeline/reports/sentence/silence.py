"""What makes no label although it names a finding: history, other examinations, advice.

Belongs here: scopes without a status. Does not belong here: whole sections (``reports.sections``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from radia_pipeline.reports.kinds import Event, Leaf, kinds
from radia_pipeline.reports.sentence.clause import (
    AFFIRMED,
    DENIED,
    NAMES,
    NONE,
    REACH,
    SILENT,
    UNREAD,
    Clause,
    K,
    Mention,
)

MISPLACED = Leaf(K["other"], "misplaced_device")
"""What a device that lies wrong stands for."""
_RUN_ON = NAMES | kinds("modifier")
"""Right before a device that nothing joins to them: it begins a statement."""


class Silence(Clause):
    """What makes no label although it names a finding: history, other examinations, advice."""

    __slots__ = ()

    if TYPE_CHECKING:  # what other parts of the reader do

        def hedge_before(self, event: Event) -> None: ...

        def hedge_after(self, event: Event) -> None: ...

    def no_label(self, event: Event) -> None:
        """History covers what follows; behind a finding, in brackets or at the end, what stands before it."""
        if "request" in event[3].traits and self.previous_kind() == K["colon"] and self.has_named():
            last = self.mentions[-1]  # "épanchement : non évaluable"
            last.status, last.cue, last.rule = None, event, UNREAD
            return
        ends = self.next_kind() in (K["close"], -1)
        if ends and event[2] <= self.events[-1][2] and event[2] + 2 > self.end - 1 and len(self.mentions) > self.clause:
            last = self.mentions[-1]
            requested = "request" in event[3].traits
            if event[1] - last.last <= 4 and (last.status == 1 or (requested and last.status == -1)):
                last.status, last.cue, last.rule = None, event, event[3].rule
                self.tells_history = self.tells_history or not requested
                return
        self.open(SILENT, event)

    def misplaced(self, event: Event) -> None:
        """A device that lies wrong is an abnormality without a class."""
        device = any(e[0] == K["device"] for e in self.events)
        said_before = self.device_before and not any(e[0] in NAMES for e in self.events)
        if not (device or said_before) or self.in_denial() or self.scope == SILENT:
            return
        if self.i and self.previous_kind() == K["none_after"] and event[1] - self.events[self.i - 1][2] == 2:
            return  # "sonde non malpositionnée"
        self.mentions.append(Mention(MISPLACED, event[1], event[2], 1, event, event[3].rule, "far"))

    def device(self, event: Event) -> None:
        """ "Radiographie faite après la pose d'un drain": told, and no finding."""
        self.shows_device = self.shows_device or self.scope != SILENT
        if self.scope == DENIED and not self.fresh and not self.sep and self.previous_kind() in _RUN_ON:
            self.scope = NONE  # "aucun pneumothorax drain thoracique en place épanchement résiduel"

    def it(self, event: Event) -> None:
        """ "L'examen antérieur montrait un nodule, celui-ci …": the nodule is spoken of now."""
        for mention in self.behind():
            if mention.status is None and mention.cue is not None and mention.cue[0] in (K["showed"], K["no_label"]):
                mention.status, mention.cue, mention.rule = 1, None, AFFIRMED
        self.scope = NONE

    def other_exam(self, event: Event) -> None:
        """What another examination shows is not on this radiograph, unless both are named together."""
        if self.has_named():
            return  # "nodule décrit à la TDM"
        if not any("examination" in anatomy[3].traits for anatomy in self.group):
            self.open(SILENT, event)

    def showed(self, event: Event) -> None:
        """ "La TDM démontrait …", "l'examen antérieur montrait …": not seen now."""
        is_unlike = self.is_unlike()
        if self.mentions and not is_unlike:
            return  # a case told from a radiograph to a scan
        others = self.words.other_exams
        if is_unlike or any(
            e[0] == K["prior"] or self.symbols[e[1]] in others for e in self.events[max(0, self.i - REACH) : self.i]
        ):
            self.open(SILENT, event)

    def is_unlike(self) -> bool:
        """ "Pas de masse, contrairement à l'examen antérieur qui montrait un nodule"."""
        behind = self.events[max(0, self.i - REACH) : self.i]
        since = self.mentions[-1].last if self.mentions else -1
        return any("unlike" in e[3].traits and e[1] > since for e in behind)

    def advice(self, event: Event) -> None:
        self.open(SILENT, event)

    def suggests(self, event: Event) -> None:
        """ "Suggère" without an examination to be done is a hedge."""
        if self.advice_from < 0 and self.symbols[event[1]] in self.words.suggests:
            self.hedge_before(event)
        elif self.advice_from < 0 and self.symbols[event[2]] in self.words.considers:
            self.hedge_after(event)  # "une pneumonie serait à considérer"

    def imperative(self, event: Event) -> None:
        """An order at the start of a sentence, or behind a comma, asks; "contrôle" and "suivi" do so up to a comma."""
        follows_up = self.symbols[event[1]] in self.words.follow_up
        begins = not self.i or (self.previous_kind() == K["comma"] and not follows_up)  # "opacité, r/o pneumonie"
        if begins and (follows_up or self.next_kind() in NAMES | {K["of"], K["article"], K["modifier"]}):
            self.open(SILENT, event)
