"""What must hold for any report: invariances, aggregation, denial, and no text that breaks the reader."""

from __future__ import annotations

import random
import time
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.reports.engine import Labeler
from radia_pipeline.reports.french import FRENCH
from radia_pipeline.reports.repair import PLAIN, repair
from radia_pipeline.reports.rules import rulebook
from radia_pipeline_tests.reports.laws import EXEMPT, LAWS, broken
from radia_pipeline_tests.reports.templates import FINDINGS, TEMPLATES, sentence
from radia_pipeline_tests.reports.texts import all_texts, dev_set

RANK = {0: 0, -1: 1, 1: 2}
TEXTS = [text for _, text, _ in dev_set() if text]
WITHOUT_INDICATION = [t for phenomenon, t, _ in dev_set() if t and not phenomenon.startswith("sections_")]
ONE_LINE = [t for t in TEXTS if "\n" not in t and not repair(t)]
"""Without those that transport has damaged: capitals in an entity make another entity, not another way to write it."""
ALL_TEXTS = all_texts()
UNTITLED = [t for t in ONE_LINE if ":" not in t and "\ufffd" not in t]
"""A letter that is lost leaves a whole report unlabelled, whatever else stands in it."""


def labels(text: str) -> dict[str, int]:
    return Labeler.default().read(text).labels


CASES = [(status, template) for status, templates in TEMPLATES.items() for template in templates]


@pytest.mark.parametrize("status,template", CASES, ids=[template for _, template in CASES])
def test_every_finding_gets_the_status_of_its_template(status, template):
    """Each cue of the guide in each position, with every finding: 0 for denials, 1 for statements, -1 for doubts."""
    said = {noun: labels(sentence(template, noun, gender)).get(name) for noun, gender, name in FINDINGS}
    assert said == dict.fromkeys(said, status)


SHORT = [
    case for case in FINDINGS if case[2] in ("Pleural Effusion", "Pneumothorax", "Consolidation", "Nodule", "Fracture")
]
ALONE = [(status, template) for status, template in CASES if template.count(".") == 1 and "," not in template]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(ALONE), st.sampled_from(ALONE), st.sampled_from(SHORT), st.sampled_from(SHORT))
def test_two_statements_keep_their_own_status(one, other, first, second):
    """Two templates about two findings, with a full stop or a semicolon between, say what each says alone."""
    if first[2] == second[2]:
        return
    texts = [sentence(template, noun, gender) for (_, template), (noun, gender, _) in ((one, first), (other, second))]
    for joint in (" ", "\n"):
        said = labels(joint.join(texts))
        assert (said.get(first[2]), said.get(second[2])) == (one[0], other[0])


@pytest.mark.parametrize(
    "indication",
    [
        "Renseignements cliniques : Toux. Éliminer pneumonie. Épanchement? RAPPORT : {}",
        "INDICATION: dyspnée, MPOC, cardiomégalie connue. RÉSULTAT: {}",
        "R.C.: R/O pneumothorax, fracture de côtes. Description : {}",
        "Motif: nodule à l'examen antérieur. ATCD: néoplasie. Rapport: {}",
    ],
)
def test_an_indication_changes_nothing(indication):
    changed = {t: (labels(t), labels(indication.format(t))) for t in WITHOUT_INDICATION}
    assert {t: pair for t, pair in changed.items() if pair[0] != pair[1]} == {}


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(UNTITLED), st.sampled_from(UNTITLED))
def test_two_reports_joined_say_what_both_say(one, other):
    joined = labels(f"RAPPORT: {one}\nRAPPORT: {other}")
    both = {}
    for said in (labels(one), labels(other)):
        for name, value in said.items():
            if name not in both or RANK[value] > RANK[both[name]]:
                both[name] = value
    joined.pop("No Finding", None)
    both.pop("No Finding", None)
    assert joined == both


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read_and_spans_lie_inside(text):
    reading = Labeler.default().read(text)
    for m in reading.mentions:
        assert 0 <= m.start < m.end <= len(text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(sorted({w for t in TEXTS for w in t.split()} | {"\n", "- ", ":", "?", ";", "(", ")"})),
        max_size=60,
    )
)
def test_shuffled_words_are_read_and_evidence_is_the_text_itself(words):
    text = " ".join(words)
    for m in Labeler.default().read(text).mentions:
        assert text[m.start : m.end].strip()
        assert m.cue is None or m.cue in text


@pytest.mark.parametrize("text", TEXTS[:200])
def test_evidence_span_names_the_finding_in_the_original(text):
    for m in Labeler.default().read(text).mentions:
        assert text[m.start : m.end].strip(" .,;:") and m.sentence in text


@pytest.mark.parametrize(
    "unit",
    [
        "Pas d'épanchement. ",
        "épanchement, ",
        "pas de ",
        "a",
        "é\u0301",
        "consolida-\n",
        ". ",
        "?",
        "\n",
        "RAPPORT: ",
        "ou pneumonie ",
        "TDM montrait ",
        "plus d'épanchement ",
        "épanchement, possible ",
        "élargissement possible ",
        "épanchement et nodule exclus ",
        "n'est pas exclu ",
        "ou petit ",
        "Indication: a\n\n",
        "a\n\n",
        "☐ oui ",
        "a / ",
        "masse - ",
        "masse + ",
        "(-) masse ",
        "masse | ",
        "neg. pour a / ",
        "1) a ",
    ],
)
def test_time_grows_linearly_with_length(unit):
    def seconds(times: int) -> float:
        text = unit * times
        begin = time.process_time()
        Labeler.default().read(text)
        return time.process_time() - begin

    size = 20_000 // len(unit)
    seconds(size)
    short = min(seconds(size) for _ in range(3))
    assert min(seconds(size * 8) for _ in range(2)) < 8 * 4 * short + 0.05


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Aucune anomalie au niveau du rachis.", {"No Finding": 1}),
        ("Aucune anomalie poumons.", {"No Finding": 1}),
        ("Pas de masse, aucune anomalie et thorax.", {"Mass": 0, "No Finding": 1}),
        ("Aucune anomalie cœur.", {"Cardiomegaly": 0, "No Finding": 1}),
    ],
)
def test_what_is_not_named_is_denied_of_the_anatomy_behind_it(text, said):
    assert labels(text) == said


LAW_SAMPLES, LAW_SEED = 120, 20261130
"""Texts of the quick test of each law; benchmarks/labeler_laws.py takes them all."""
MOST_EXEMPT = 0.08


@pytest.mark.parametrize("law", LAWS)
def test_law_moves_no_label(law):
    """Of each law a sample in which it changes something; the texts that it leaves alone are drawn again."""
    draw = random.Random(f"{LAW_SEED}{law}")
    texts = draw.sample(ALL_TEXTS, len(ALL_TEXTS))
    changed = ((t, new) for t in texts if isinstance(new := LAWS[law](t), str))
    pairs = {t: (labels(t), labels(new)) for t, new in islice(changed, LAW_SAMPLES)}
    assert pairs, "a law that changes nothing"
    assert {t: pair for t, pair in pairs.items() if pair[0] != pair[1]} == {}


def test_there_are_laws_enough_and_few_texts_are_exempt():
    assert len(LAWS) >= 60
    made = [change(t) for change in LAWS.values() for t in ALL_TEXTS[::7]]
    exempt = sum(one is EXEMPT for one in made)
    assert exempt <= MOST_EXEMPT * (exempt + sum(isinstance(one, str) for one in made))


@pytest.mark.parametrize(
    ("law", "stop"),
    [("a sentence a line", "\n"), ("bullets: dot", "\n"), ("wrapped everywhere", "\n"), ("sentences reversed", ". ")],
)
def test_a_reader_that_breaks_a_law_is_seen(law, stop):
    """One for which only the first line counts breaks the laws of lines; one that reads a sentence, that of order."""
    texts = ALL_TEXTS[:400]
    assert any(broken(lambda text: labels(text.partition(stop)[0]), texts, [law]))


def test_what_a_plain_text_holds_needs_no_repair():
    """Texts that the reader takes for plain are those in which nothing would be repaired."""
    plain = [text for text in ALL_TEXTS if PLAIN.match(text)]
    assert len(plain) > len(ALL_TEXTS) / 4
    assert [text for text in plain if repair(text)] == []
    marks = rulebook(FRENCH).marks
    assert [text for text in plain if marks.rewrite(text) and not marks.may_touch(text)] == []
