"""A cue that stands after its findings: which of them it speaks of.

Belongs here: reach backward over lists, "et" and "ou". Does not belong here: which status the cue gives.
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event
from radia_pipeline.reports.sentence.clause import REACH, UNREAD, K, Mention
from radia_pipeline.reports.sentence.reach import Reach


class After(Reach):
    """A cue that stands after its findings: which of them it speaks of."""

    __slots__ = ()

    def back(
        self, status: int | None, cue: Event | None, rule: str, *, whole: bool, strong: bool = False
    ) -> list[Mention]:
        """Give ``status`` to the finding before a cue and to those joined with it; return them.

        ``whole``: also over "et" and the commas of its list; else only over "ou". ``strong`` overrides a denial.
        """
        changed: list[Mention] = []
        listed = False
        behind = self.behind()
        for k, mention in enumerate(behind):
            if mention.link == "at":
                continue
            if k and mention.leaf.kind == K["anatomy"]:
                break  # "cœur limite sup, plaques pleurales ? non"
            doubted = mention.status == -1 and status == 0 and not self.is_not_excluded(mention)
            open_to_change = mention.rule == UNREAD or mention.status == 1 or doubted
            if (open_to_change or strong) and mention.leaf.kind != K["fixed"]:
                mention.status, mention.cue, mention.rule = status, cue, rule
                changed.append(mention)
            link = mention.link
            if link in ("adj", "or") or (link == "gloss" and status == 0):
                listed = listed or link == "or"
                continue
            if not whole or k + 1 == len(behind):
                break
            earlier = behind[k + 1]
            in_list = link == "comma" and listed and mention.first - earlier.last <= 4
            if not in_list and not (link == "and" and self.said_of_both(earlier, mention, cue)):
                break
            listed = True
        return changed

    def is_not_excluded(self, mention: Mention) -> bool:
        """ "Sans qu'on puisse l'écarter, un épanchement n'est pas démontré": a doubt that no denial behind it lifts."""
        return mention.cue is not None and "not_excluded" in mention.cue[3].traits

    def speaks_of_the_cause(self, event: Event) -> bool:
        """ "Opacité d'origine virale probable", "secondaire à un possible bouchon": the finding itself is there."""
        last = self.mentions[-1] if len(self.mentions) > self.clause else None
        if last is None:
            return False
        between = self.symbols[max(last.last + 2, event[1] - REACH) : event[1] : 2]
        return not self.words.causes.isdisjoint(between)

    def said_of_both(self, first: Mention, last: Mention, cue: Event | None) -> bool:
        """Say whether a cue after "X et Y" speaks of both: in the plural, or without a verb and both are bare nouns."""
        if cue is None:
            return True
        symbols, words = self.symbols, self.words
        between = set(symbols[last.last + 2 : cue[2] + 1 : 2])
        if between & words.plural:
            return True
        if between & words.singular:
            return False
        articled = self.is_article(first.first - 2), self.is_article(last.first - 2)
        apart = last.first - first.last > 4 + 2 * articled[1]
        return articled[0] == articled[1] and not apart

    def is_article(self, token: int) -> bool:
        return token > 0 and self.symbols[token] in self.words.articles
