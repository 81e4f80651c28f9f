"""What a phrase can be: the closed lists of kinds and traits that a language's rules name and the reader acts on.

Belongs here: kinds, traits, and the leaf that a matched phrase stands for. Does not belong here: words (a language's
files), and what happens at a phrase of a kind (``sentence``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

KINDS = {
    # names
    "finding": "names its classes; what stands around it says whether it is there",
    "fixed_finding": "a finding with a value of its own where nothing is said of it",
    "fixed": "a whole statement with its value",
    "quality": "an adjective that adds its classes to a finding named before (`after`: which)",
    "place": "like quality, said of where a finding lies",
    "other": "an abnormality without a class: it only blocks No Finding",
    "excluded": "looks like a finding and is none",
    "anatomy": "stands for its classes when it is said to be normal or enlarged",
    "device": "a device (`value`: its kind); it blocks nothing",
    "misplaced": "said of a device: it lies wrong, and blocks No Finding",
    "removed": "said of a device: it is gone",
    "mimic": "what a finding may be instead",
    # said of anatomy
    "normal": "normal",
    "clear": "praise of an anatomy: labels nothing, but frees a costophrenic angle",
    "free": "the same, and no statement where the anatomy is not named",
    "at_wall": "said of a lung: no air around it",
    "enlarged": "enlarged, as a predicate",
    "enlargement": "enlargement, as a noun that waits for its anatomy",
    "blunted": "said of an angle: uncertain",
    "limit": "at the upper limit: uncertain",
    # negation
    "deny": "denies what follows",
    "nor": "goes on with a denied list, or opens one",
    "not": "a bare negation: denies its object",
    "no_more": "denies with a particle before it, or at the start of a sentence",
    "particle": "opens a negation and decides nothing alone",
    "deny_after": "denies what stands before it",
    "none_after": "the answer no, behind a colon",
    "yes_after": "the answer yes, behind a colon",
    "exclude_word": "excluding: denies, and hedges where it is denied itself",
    "contrast": "a new statement begins",
    "presence": "says that what follows is there, unless it stands under a cue",
    "that_one": "another of what was named last: a finding of its own",
    "same": "the one that is known: an exception to a denial",
    # change
    "prior": "names an earlier examination",
    "resolved": "gone, before its finding",
    "resolved_after": "gone, behind its finding",
    "lessened": "less, and still there",
    "partial": "undoes a resolution",
    "complete": "makes a lessening a resolution",
    "change": "change: denied, it says that its finding is there",
    "state": "said of what is there: unchanged, known",
    # doubt
    "hedge_near": "hedges the noun beside it",
    "hedge_before": "hedges what follows",
    "hedge_verb": "hedges its object",
    "hedge_after": "hedges what stands before it",
    "seem": "hedges what is said",
    "or": "makes alternatives",
    # silence
    "no_label": "history: named and not seen now",
    "it": "takes up what an earlier examination showed",
    "other_exam": "another examination or organ",
    "foreign": "a word of another language: alone in a sentence, only short denials and doubts are read",
    "showed": "what another examination showed",
    "advice": "what one wants to know",
    "imperative": "an order: asks at the start of a sentence",
    "advice_subject": "what may be advised",
    "advice_verb": "advises",
    "remark": "what a report says about itself",
    # small words and punctuation
    "link": "keeps the status of what stands before it",
    "explain": "explains, and is no object of a hedge",
    "with": "adds a finding of its own",
    "of": "the partitive: a denied list goes on",
    "article": "opens a noun of its own",
    "and": "joins",
    "verb": "closes its subject",
    "modifier": "describes; may stand inside a phrase",
    "filler": "an expression that does nothing",
    "punctuation": "a dictated mark (`value`: comma, colon, stop)",
    "comma": "the mark",
    "colon": "the mark",
    "open": "an opening bracket",
    "close": "a closing bracket",
    "semicolon": "the mark",
    "dash": "the mark",
}
"""Kind -> what the reader makes of it. The last six are marks that are typed; no rule spells them."""

KIND = {name: number for number, name in enumerate(KINDS)}

TRAITS = {
    # of names
    "angle": "a costophrenic angle: free, blunted, never enlarged",
    "both": "heart and mediastinum in one: enlarged it is the mediastinum alone",
    "heart_size": "an enlarged heart, which may lie at the limit",
    "examination": "the examination itself: nothing is enlarged, and other examinations are not meant",
    "unnamed": "an abnormality that is not named: a denial of it covers the anatomy behind it",
    "pattern": "a sign whose absence is a sign",
    "of_the_pleura": "a finding only where the pleura heads its statement",
    "of_the_lung": "a finding only where it is said of a lung; of kind other: where it is denied of one",
    "texture": "a pattern that may be normal, and blocks nothing then",
    "sign": "a sign and no diagnosis: no alternative to one",
    "suspicious": "may look suspicious, and is there then",
    "heals": "healed, it is there still",
    "breaks": "may be said of a device instead",
    "index": "an index of the heart, which a number may follow",
    "anywhere": "may lie outside the chest: no label in a section on another region",
    "masculine": "a masculine noun, which tells a participle from an adjective of the same letters",
    "as_written": "its words are too near to others to be corrected",
    # of cues
    "frees": "of kind deny: its list goes on over definite articles",
    "lacks": "of kind deny: may say that a pattern is missing",
    "takes_up": "of kind deny_after: denies what was named last, in the clause or the sentence before too",
    "not_excluded": "an exclusion that was not achieved",
    "overrides": "of kind hedge_after: stronger than a denial",
    "unlike": "of kind filler: what an examination behind it showed is not seen now",
    "likewise": "of kind and, state: goes on with what was said behind the noun before",
    "unseen": "of kind hedge_after: tells what the examination may miss; no label",
    "turns": "of kind contrast: nothing begins where its own negation follows",
    "past": "of kind no_label: the history of a finding, which blocks No Finding",
    "request": "of kind no_label: asked for; what stands next to it is not seen",
    "search": "of kind no_label: something was looked for, and may have been negative",
    "fronted": "of kind no_label: told before what is seen, over at the comma",
    "then": "of kind no_label: all of its sentence was so at another time",
}
"""Trait -> what sets a rule apart from others of its kind; the reader asks for traits, never for a rule's name."""


def kinds(names: str) -> frozenset[int]:
    """Return the numbers of kinds, named apart by spaces."""
    return frozenset(KIND[name] for name in names.split())


READABLE = kinds("finding fixed_finding fixed quality other anatomy misplaced")

READS, SAYS_NORMAL, HAS_DEVICE, HAS_ADVICE, IS_FOREIGN, ANSWERS, IS_SPOKEN = 1, 2, 4, 8, 16, 32, 64
_BITS = {
    **{KIND[k]: SAYS_NORMAL for k in ("normal", "clear")},
    KIND["device"]: HAS_DEVICE,
    KIND["advice_verb"]: HAS_ADVICE,
    KIND["foreign"]: IS_FOREIGN,
    KIND["none_after"]: ANSWERS,
    KIND["deny"]: ANSWERS,
    KIND["deny_after"]: ANSWERS,
    KIND["yes_after"]: ANSWERS,
    KIND["punctuation"]: IS_SPOKEN,
    KIND["remark"]: IS_SPOKEN,
}
BITS = tuple(READS if n in READABLE else _BITS.get(n, 0) for n in range(len(KINDS)))
"""What the presence of a kind means for its sentence, as flags; IS_SPOKEN is of no sentence: a mark or a remark."""


class Leaf(NamedTuple):
    """What a matched phrase stands for. ``value``: fixed status, punctuation or attribute; ``after``: see quality."""

    kind: int
    rule: str
    classes: tuple[str, ...] = ()
    value: Any = None
    after: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()


Event = tuple[int, int, int, Leaf]
"""One phrase of a sentence: (kind, first token, last token, leaf). Tokens are odd, separators even, from the one before
the sentence. A bare tuple, since making one is most of what scanning costs."""
