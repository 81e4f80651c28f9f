"""Neutral anatomy and what is said of it: normal, enlarged, blunted, free, at the limit, at the wall.

Belongs here: "cœur normal", "élargissement du médiastin", "culs-de-sac libres". Not here: findings (``nouns``).
"""

from __future__ import annotations

from radia_pipeline.reports.kinds import Event, Leaf
from radia_pipeline.reports.sentence.after import After
from radia_pipeline.reports.sentence.clause import (
    AFFIRMED,
    DENIED,
    HEDGED,
    LIGHT,
    NAMES,
    NONE,
    REACH,
    SILENT,
    STATUS,
    K,
    Mention,
)
from radia_pipeline.reports.words import RATIO_ABOVE, RATIO_AT, RATIO_BELOW

_RATIOS = {RATIO_BELOW: 0, RATIO_AT: -1, RATIO_ABOVE: 1}
_RATIO_WITHIN = 8
"""Words between an index and its number."""


class Anatomy(After):
    """Neutral anatomy and what is said of it: normal, enlarged, blunted, free, at the limit, at the wall."""

    __slots__ = ()

    def anatomy(self, event: Event) -> None:
        """Neutral anatomy waits for what is said of it, or takes it from an enlargement named before."""
        leaf = event[3]
        if self.title_group:
            self.group = self.group[self.title_group :]  # "COEUR ET MÉDIASTIN: Le coeur est gros": only the heart is
            self.title_group = 0
        if self.scope == SILENT and self.cue[0] == K["other_exam"] and "examination" in leaf.traits:
            self.scope = NONE
        if "index" in leaf.traits and self.ratio(event):
            return
        if self.enlarging is not None:
            self.enlarged_anatomy(event)
            return
        if self.normal_before is not None and self.normal_before[0] == K["free"] and "angle" not in leaf.traits:
            self.normal_before = None
        if self.normal_before is not None:
            joined = self.sep == "and" and (self.inverted or self.symbols[event[1] - 2] in self.words.partitive)
            if not self.sep or joined:
                self.label(event, 0, self.normal_before)
                self.sep = ""
                return
            self.normal_before = None
        if self.is_denied_with_all(event) or self.is_said_likewise(event):
            return
        if self.sep in ("comma", "and") and (self.verb or self.scope):
            self.scope = NONE if self.intro != "of" and not self.is_told_of_then() else self.scope
            if self.verb:
                self.group = []
        self.group.append(event)
        self.described = ()
        self.verb = False
        self.normal_before = None

    def is_told_of_then(self) -> bool:
        """ "À cette époque, le cœur était normal": not seen now."""
        return self.scope == SILENT and "then" in self.cue[3].traits

    def ratio(self, event: Event) -> bool:
        """ "Index cardiothoracique à 0,56": the number says what the heart is; said whether there is one."""
        symbols, words = self.symbols, self.words
        for token in range(event[2] + 2, min(event[2] + 2 * _RATIO_WITHIN, self.end + 1), 2):
            if symbols[token] in _RATIOS:
                between = symbols[event[2] + 2 : token : 2]
                status = _RATIOS[symbols[token]]
                if status == -1:
                    status = 0 if words.below & set(between) else 1 if words.above & set(between) else -1
                self.label(event, status, event)
                self.says_normal = self.says_normal or status == 0
                return True
        return False

    def is_denied_with_all(self, event: Event) -> bool:
        """ "Aucune anomalie du cœur": what is not named is denied of the anatomy behind it."""
        last = self.mentions[-1] if self.mentions else None
        if last is None or last.status != 0 or "unnamed" not in last.leaf.traits:
            return False
        if self.verb or self.sep not in ("", "and", "or"):
            return False
        self.mentions.pop()
        self.label(event, 0, last.cue)
        self.mentions.append(last)
        return True

    def is_said_likewise(self, event: Event) -> bool:
        """ "Le cœur est normal, de même que le médiastin": what was said of the anatomy before is said of this one."""
        last = self.mentions[-1] if self.mentions and self.described and self.sep == "and" else None
        if last is None or "likewise" not in self.events[self.sep_event][3].traits or self.predicate_ahead():
            return False
        if last.leaf.kind != K["anatomy"] or last.cue is None:
            return False
        self.label(event, last.status, last.cue)
        return True

    def label(self, event: Event, status: int | None, cue: Event | None) -> None:
        """Turn an anatomy into a mention of its classes."""
        leaf = event[3]
        if not leaf.classes or 0 <= self.advice_from <= self.i:
            return
        if "both" in leaf.traits and status != 0:
            leaf = leaf._replace(classes=("Enlarged Cardiomediastinum",))
        rule = cue[3].rule if cue is not None else AFFIRMED
        self.mentions.append(Mention(leaf, event[1], event[2], status, cue, rule, "far"))

    def enlarged_anatomy(self, event: Event) -> None:
        if self.enlarging is None:
            return
        cue, scope = self.enlarging
        if "examination" in event[3].traits or (self.anatomy_between() and self.sep not in ("and", "or")):
            return
        status = STATUS.get(scope, 1)
        if "angle" in event[3].traits:
            return
        if event[3].classes:
            self.label(event, status, cue)
        elif status != 0:
            self.block(cue, status)
        self.fresh = False

    def block(self, cue: Event, status: int | None) -> None:
        """Something without a class is enlarged or abnormal: it only blocks No Finding."""
        leaf = Leaf(K["other"], "other_anatomy")
        self.mentions.append(Mention(leaf, cue[1], cue[2], status, cue, cue[3].rule, "far"))

    def predicate_scope(self) -> int:
        """The scope that covers a predicate: a denial only if it stands right before ("n'est pas élargi")."""
        if self.scope == DENIED and (self.sep or not self.fresh):
            return NONE
        if self.scope == SILENT and self.cue[0] == K["other_exam"] and self.group:
            return NONE
        if self.scope == HEDGED and (self.sep == "comma" or not self.fresh):
            return NONE
        return self.scope

    def normal(self, event: Event) -> None:
        """Normal, said of the anatomy before it (or after: "taille normale du cœur")."""
        if not self.i and self.symbols[event[1]] in self.words.status_post and self.target_ahead():
            self.open(SILENT, event)  # "S/P pneumothorax": status post
            return
        if self.previous_kind() == K["colon"] and self.has_named() and self.is_label_of_a_finding():
            self.back(0, event, event[3].rule, whole=True)  # "Fracture : RAS"
            return
        if self.answers_a_finding(event):
            return
        scope = self.predicate_scope()
        self.says_normal = self.says_normal or scope in (NONE, HEDGED)
        self.normal_texture(event)
        if scope in (DENIED, SILENT):
            self.group = []
            self.search_was_negative(event)
            return
        hedged = scope == HEDGED and self.cue[0] != K["seem"] and not self.says_look()
        bare = not self.group
        for anatomy in self.group or self.still_described():
            self.label(anatomy, -1 if hedged else 0, self.cue if hedged else event)
        if bare and self.previous_kind() != K["device"]:
            self.normal_before = event
        self.inverted = bare and self.next_kind() == K["verb"]
        self.close_predicate(event)

    def is_label_of_a_finding(self) -> bool:
        """ "Fracture :", "opacité de l'apex droit :": whatever anatomy stands before the colon says where it lies."""
        if not self.group:
            return True
        return self.group[0][1] > self.mentions[-1].last and self.lies_before(self.events[self.i - 1][1])

    def answers_a_finding(self, event: Event) -> bool:
        """ "Condensation RAS.", "fracture s.p.": right behind a finding, at the end of its clause, it denies it."""
        last = self.mentions[-1] if self.has_named() and not self.sep and not self.group else None
        if last is None or not self.lies_before(event[1]) or last.rule != AFFIRMED or not last.leaf.classes:
            return False
        is_last = self.ends_here() or self.next_kind() in NAMES or self.next_kind() == K["anatomy"]
        return is_last and bool(self.back(0, event, event[3].rule, whole=False))

    def normal_texture(self, event: Event) -> None:
        """ "Trame bronchovasculaire conservée": no abnormality."""
        last = self.mentions[-1] if self.has_named() and not self.sep else None
        if last is not None and "texture" in last.leaf.traits and last.status == 1 and self.predicate_scope() == NONE:
            last.status, last.cue, last.rule = 0, event, event[3].rule

    def search_was_negative(self, event: Event) -> bool:
        """ "La recherche d'un foyer infectieux est négative" denies what was looked for."""
        if (
            self.scope != SILENT
            or "search" not in self.cue[3].traits
            or self.symbols[event[2]] not in self.words.negative
        ):
            return False
        for mention in self.behind():
            mention.status, mention.cue, mention.rule = 0, event, event[3].rule
        return True

    def still_described(self) -> tuple | list:
        """The anatomy of the last predicate, when another predicate follows: "médiastin centré, non élargi"."""
        return self.described if self.described and self.sep in ("comma", "and") and self.direct() else ()

    def says_look(self) -> bool:
        """ "D'allure normale" is normal."""
        return self.symbols[self.cue[1]] in self.words.look

    def close_predicate(self, event: Event) -> None:
        self.described = self.group or self.described
        self.group = []
        self.verb = False
        if self.scope != SILENT:
            self.scope = NONE
        self.sep, self.sep_event, self.intro = "", -1, ""

    def clear(self, event: Event) -> None:
        """Praise that labels nothing, but frees a costophrenic angle; "pour vérifier sa bonne position" is none."""
        if self.scope == SILENT and self.cue[0] == K["advice"]:
            return
        self.says_normal = True
        self.normal_texture(event)
        self.free_angles(event)
        if self.group:
            self.close_predicate(event)
        elif event[0] == K["free"] and self.next_kind() == K["verb"] and self.predicate_scope() == NONE:
            self.normal_before, self.inverted = event, True  # "libres sont les culs-de-sac"

    def free_angles(self, event: Event) -> None:
        if self.predicate_scope() == DENIED:
            for anatomy in self.group:
                if "angle" in anatomy[3].traits:
                    self.label(anatomy, -1, event)
            return
        for anatomy in self.group:
            if "angle" in anatomy[3].traits:
                self.label(anatomy, 0, event)

    def at_wall(self, event: Event) -> None:
        """Said of a lung: no air around it."""
        lungs = self.group or self.still_described()  # "clairs et à la paroi"
        lung = lungs[-1] if lungs else None
        if lung is None or self.symbols[lung[1]] not in self.words.lungs:
            return
        if self.predicate_scope() != NONE:
            return
        if not self.mentions or self.mentions[-1].first < lung[1]:
            leaf = Leaf(K["fixed"], "lungs_at_wall", ("Pneumothorax",), 0)
            self.mentions.append(Mention(leaf, lung[1], event[2], 0, event, event[3].rule, "far"))
            self.says_normal = True
            self.close_predicate(event)

    def enlarged(self, event: Event) -> None:
        """Augmented, of the anatomy before it; of a finding it only says that it is there."""
        following = self.following()
        if not self.group and self.symbols[event[1]] in self.words.enlarged_words:
            self.group = list(self.still_described())
        if not self.group or (following is not None and following[0] in NAMES and following[1] - event[2] <= 2):
            self.adjective = True
            return
        scope = self.predicate_scope()
        status = STATUS.get(scope, 1)
        for anatomy in self.group:
            if "angle" in anatomy[3].traits:
                continue
            if anatomy[3].classes:
                self.label(anatomy, status, self.cue if scope else event)
            elif status != 0:
                self.block(event, status)
        self.close_predicate(event)

    def limit(self, event: Event) -> None:
        """At the upper limit: uncertain."""
        for anatomy in self.group or self.still_described():
            if "angle" not in anatomy[3].traits:
                self.label(anatomy, -1, event)
        if not self.group and self.has_named() and "heart_size" in self.mentions[-1].leaf.traits:
            self.back(-1, event, event[3].rule, whole=False)
        self.close_predicate(event)

    def blunted(self, event: Event) -> None:
        """A blunted angle is uncertain; "non émoussé" is free."""
        status = 0 if self.predicate_scope() == DENIED else -1
        for anatomy in self.group or self.still_described():
            if "angle" in anatomy[3].traits:
                self.label(anatomy, status, event)
        if self.group:
            self.close_predicate(event)

    def enlargement(self, event: Event) -> None:
        """Élargissement de …: waits for the anatomy."""
        if self.is_over(event):
            self.scope = NONE
        if not self.group and self.described and not self.anatomy_ahead():
            self.group = list(self.described)  # "contours nets, sans élargissement"
        if self.group and not self.anatomy_ahead():
            self.enlarged(event)
            return
        self.enlarging = (self.cue if self.scope else event, self.scope)
        self.enlarging_at = self.i
        self.group = []
        self.sep, self.sep_event = "", -1

    def anatomy_ahead(self) -> bool:
        """Say whether a noun of which the enlargement may be said follows before the clause ends."""
        for event in self.ahead():
            if event[0] == K["anatomy"] or event[0] in NAMES:
                return True
            if event[0] not in LIGHT:
                return False
        return False

    def anatomy_between(self) -> bool:
        return any(e[0] == K["anatomy"] for e in self.events[max(self.enlarging_at, self.i - REACH) : self.i])
