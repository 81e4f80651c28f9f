"""What makes no label although it names a finding: history, other examinations, advice.

Belongs here: scopes without a status. Does not belong here: whole sections (``reports.sections``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event
from radia_pipeline.reports.sentence.clause import NAMES, REACH, SILENT, Clause, K


class Silence(Clause):
    """What makes no label although it names a finding: history, other examinations, advice."""

    def no_label(self, event: Event) -> None:
        self.open(SILENT, event)

    def other_exam(self, event: Event) -> None:
        """What another examination shows is not on this radiograph, unless both are named together."""
        if self.has_named():
            return  # "nodule décrit à la TDM"
        if not any("examination" in anatomy[3].traits for anatomy in self.group):
            self.open(SILENT, event)

    def showed(self, event: Event) -> None:
        """ "La TDM démontrait …", "l'examen antérieur montrait …": not seen now."""
        if self.mentions:
            return  # a case told from a radiograph to a scan
        others = self.words.other_exams
        if any(
            e[0] == K["prior"] or self.symbols[e[1]] in others for e in self.events[max(0, self.i - REACH) : self.i]
        ):
            self.open(SILENT, event)

    def advice(self, event: Event) -> None:
        self.open(SILENT, event)

    def suggests(self, event: Event) -> None:
        """ "Suggère" without an examination to be done is a hedge."""
        if self.advice_from < 0 and self.symbols[event[1]] in self.words.suggests:
            self.hedge_before(event)

    def imperative(self, event: Event) -> None:
        """An order at the start of a sentence asks; "contrôle" and "suivi" do so up to a comma."""
        follows_up = self.symbols[event[1]] in self.words.follow_up
        if not self.i and (follows_up or self.next_kind() in NAMES | {K["of"], K["article"], K["modifier"]}):
            self.open(SILENT, event)
