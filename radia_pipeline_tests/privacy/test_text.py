"""The gate of reports: every planted identity is found, nothing else is, and no finding shows a value."""

from __future__ import annotations

import cProfile
import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline.privacy import text as text_module
from radia_pipeline.privacy.policy import SITE_CHOICES, ReportPolicy, report_policy_of
from radia_pipeline.privacy.text import Breach, breaches, passed
from radia_pipeline.privacy.wording import TRADE, names, trade_words
from radia_pipeline.reports.ingest import ingest_reports
from radia_pipeline.sources.base import REPORT_SCHEMA, Delivered
from radia_pipeline_tests.phantom.samples import sample_reports
from radia_pipeline_tests.reports.texts import dev_set

POLICY = report_policy_of("ccsmtl")
PLANTED = {
    "health_insurance_number": ["TREM 5403 1299", "TREM54031299", "trem 540312 99", "NAM: TREM-5403-1299",
                                "ＴＲＥＭ 5403 1299", "TREM\u00a05403\u00a01299", "TR\u200bEM 5403 1299",
                                "RAMQ TREM 54 03 12 99"],
    "phone_number": ["514-555-0134", "(514) 555-0134", "514 555 0134", "+1 514.555.0134", "5145550134",
                     "tél.: 555-0134", "téléphone 4 55 01", "514‑555‑0134"],
    "social_insurance_number": ["123 456 789", "123-456-789"],
    "mail_address": ["m.tremblay@exemple.qc.ca"],
    "postal_code": ["H2X 1Y4", "h2x1y4", "G1R-2B3"],
    "street_address": ["1250 rue Sherbrooke", "12, avenue des Pins", "8 boul. Saint-Laurent"],
    "record_number": ["dossier 123456", "No de dossier : 88213", "MRN 0045123", "requête #553211", "A 1234567"],
    "name_with_caret": ["TREMBLAY^MARIE", "Gagnon^Jean"],
    "date_of_birth": ["née le 12 mars 1954", "né le 1954-03-12", "DDN: 12/03/1954", "Date de naissance 1954 03 12",
                      "née en 1954"],
    "date_without_examination": ["Reçu 12/03/2021", "2021-03-12 14h", "le 3 avril 2020", "20210312"],
    "titled_name": ["Mme Xzyqowska", "M. Okonkwo-Diallo", "Monsieur Ramirez", "MADAME TREMBLAY", "mme tremblay"],
    "patient_name": ["la patiente Okonkwo", "Patient: Okonkwo, Chidi", "PATIENTE : OKONKWO ADA"],
    "labelled_name": ["Nom: okonkwo", "Prénom : Ada", "Nom du patient = X. Okonkwo", "une dame nommée Okonkwo"],
    "physician_name": ["Dr Okonkwo", "Dre A. Okonkwo", "Docteur Tremblay", "DR TREMBLAY", "Okonkwo, M.D."],
    "capitalised_words": ["vu avec Chidi Okonkwo hier", "Okonkwo C. en salle"],
    "person_subject": ["Okonkwo, 74 ans, toux", "Okonkwo tousse"],
    "signature": ["Transcrit par: LL / OKONKWO", "Dicté par okonkwo"], "staff_name": ["Interne: Okonkwo"],
    "listed_name": ["TREMBLAY MARIE", "Gagnon, Jean", "Marie-Ève Bouchard", "Pierre Roy", "vu par Lévesque",
                    "TREMBLAY"],
}  # fmt: skip
CLEAN = [
    "Comparaison avec l'examen du 12 mars 2021.", "Radiographie du 2021-03-12: pas de changement.",
    "Lobectomie en mars 2021.", "Patiente de 68 ans, connue pour MPOC.",
    "PATIENTE DE 68 ANS CONNUE POUR MPOC. PAS D'ÉPANCHEMENT.", "Patient: Connu MPOC.",
    "Syndrome de Claude Bernard-Horner.", "Cathéter de Swan-Ganz en place.",
    "Lignes B de Kerley. Hernie de Bochdalek.", "S1Q3T3 à l'ECG.", "Fractures des arcs costaux 10-11-12.",
    "Nodule de 12 x 14 x 9 mm, 120 kV, 2,5 mAs.", "Côté droit: normal.", "D-dimères (3547,94 ng/ml).",
    "Nouveau-né. Madame présente une dyspnée.", "Tassement de T8 à T12, L1-L2.", "Rose, claire.",
    "Discuté avec le médecin traitant.", "Contrôle dans 6 à 8 semaines.", "Volume de 3 M. Pas d'épanchement.",
    "# 4-5-6e côtes gauches.", "Stade IIIB, T3N2M0.", "G2P1A0 à 34 semaines.", "Filtre Günther Tulip en place.",
    "CF CT 120345.", "Défibrillateur Boston Scientific.", "DRS. Éliminer pneumothorax.", "Mycobacterium Kansasii.",
    "Drain retiré le 12/03/2022.", "Spondylarthrite de Pierre Marie.", "12e côte droite.",
    "FRATCURE DÉPLACÉE DE LA SIXIÈME CÔTE DU CÔTÉ GAUCHE.", "Patiente tousse depuis hier.", "Enfant tousse.",
    "Dyspnée, 74 ans.", "Fumeuse, 74 ans, toux.",
]  # fmt: skip
FRAME = ("Renseignements: toux. {}", "{}. Pas d'épanchement pleural.", "POUMONS: clairs.\n{}\nCONCLUSION: normal")


@pytest.mark.parametrize(("rule", "planted"), [(rule, text) for rule, texts in PLANTED.items() for text in texts])
def test_planted_identities_are_found_and_never_shown(rule: str, planted: str) -> None:
    for frame in FRAME:
        found = breaches(frame.format(planted), POLICY)
        assert rule in {breach.rule for breach in found}
        shown = " ".join(map(str, found))
        assert not any(word in shown for word in planted.split() if len(word) > 4)


def test_numbers_and_names_drawn_at_random_are_found_in_phantom_reports() -> None:
    rnd = random.Random(4)
    names = ["Tremblay", "Gagnon", "Côté", "Bouchard", "Lévesque", "Nguyen", "St-Pierre", "Okonkwo", "Hernandez"]
    for text, _ in sample_reports(300, 7):
        name, digits = rnd.choice(names), "".join(rnd.choices("0123456789", k=10))
        planted = rnd.choice(
            [
                f"Mme {name} {digits[:2]} ans",
                f"{name[:2].upper()}XX {digits[:4]} {digits[4:8]}",
                f"{digits[:3]}-{digits[3:6]}-{digits[6:]}",
                f"née le {int(digits[0]) + 1} mai 19{digits[1:3]}",
                f"Patient: {name}, Ada",
            ]
        )
        sentences = text.split(". ")
        sentences.insert(rnd.randrange(len(sentences) + 1), planted)
        assert breaches(". ".join(sentences), POLICY), planted.replace(name, "NAME")


@pytest.mark.parametrize("text", CLEAN)
def test_ordinary_sentences_pass(text: str) -> None:
    assert breaches(text, POLICY) == []


def test_no_false_alarm_on_phantom_reports_and_the_development_set() -> None:
    texts = [text for text, _ in sample_reports(500, 3)] + [text for _, text, _ in dev_set() if "Dr " not in text]
    assert [breach for text in texts for breach in breaches(text, POLICY)] == []


def test_no_false_alarm_on_real_reports_and_sentences(real_root: Path) -> None:
    with (real_root / "ccsmtl" / "reports.csv").open(encoding="utf-8", newline="") as handle:
        texts = [row["report"] for row in csv.DictReader(handle)]
    lines = (real_root / "french" / "chest_radiograph_sentences.jsonl").read_text(encoding="utf-8").splitlines()
    texts += [json.loads(line)["text"] for line in lines]
    assert len(texts) == 254
    assert [str(breach) for text in texts for breach in breaches(text, POLICY)] == []


def test_reports_may_name_a_patient_as_headers_may(tmp_path: Path, monkeypatch) -> None:
    """Pseudonyms of the policy and of the profiles that it names, in both of their spellings."""
    for folder, name, said in (
        ("sources", "elsewhere_deid", {"profiles": ["tool"], "pseudonym": {"patient": "S[0-9]{3}"}}),
        ("deid_profiles", "tool", {"pseudonym": {"patients": ["T[0-9]{3}", "U[0-9]{3}"]}}),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.yaml").write_text(json.dumps(said))
    monkeypatch.setattr("radia_pipeline.privacy.policy.contracts_root", lambda: tmp_path)
    pattern = report_policy_of("elsewhere").patient
    assert all(pattern.fullmatch(name) for name in ("S123", "T123", "U123"))
    assert not pattern.fullmatch("V123")


def test_a_site_declares_what_it_keeps() -> None:
    kept = ReportPolicy(physicians="allow", exam_dates="refuse")
    assert breaches("Discuté avec Dr Tremblay.", kept) == []
    assert [b.rule for b in breaches("Examen du 12 mars 2021.", kept)] == ["date_without_examination"]
    assert [b.rule for b in breaches("Mme Tremblay, vue par Dr Roy.", kept)] == ["titled_name", "listed_name"]


REDACTS = ReportPolicy(on_identity="redact")


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("Mme Ouattarabi tousse. Poumons clairs.", "«NOM» tousse. Poumons clairs."),
        ("Née le 4 juillet 1958, toux.", "«DATE», toux."),
        ("Rappeler au 418-555-0187. Pas de masse.", "Rappeler au «TÉLÉPHONE». Pas de masse."),
        ("POUMONS CLAIRS. BRZOSTEK OKSANA. PAS DE MASSE.", "POUMONS CLAIRS. «NOM». PAS DE MASSE."),
        ("Brzo\u200bstek Oks\u200bana tousse. Œdème.", "«NOM» tousse. Œdème."),
        ("Dossier 778123. Cœur normal.", "«NUMÉRO». Cœur normal."),
        ("Dicté par Z. Mbarekou. Normal.", "«NOM». Normal."),
    ],
)
def test_a_kind_takes_the_place_of_what_names_a_person_and_the_rest_stays(written: str, left: str) -> None:
    entered = passed(written, REDACTS)
    assert (entered.text, entered.breaches, sum(entered.replaced.values())) == (left, (), 1)
    assert breaches(left, REDACTS) == []


def test_a_redacted_text_enters_only_where_what_is_left_passes_again() -> None:
    for text, _ in sample_reports(60, 11):
        for rule, planted in ((rule, planted) for rule, texts in PLANTED.items() for planted in texts[:1]):
            entered = passed(f"{text}\n{planted}", REDACTS)
            assert entered.text or entered.breaches, rule
            assert breaches(entered.text, REDACTS) == []


@pytest.mark.parametrize(
    ("key", "text", "left"),
    [
        ("web_addresses", "Voir www.exemple.qc.ca/x pour la suite.", "Voir «LIEN» pour la suite."),
        ("places", "Réside à Chicoutimi.", "«LIEU»."),
        ("institutions", "Transférée de la Clinique Pimparé.", "Transférée de la «ÉTABLISSEMENT»."),
        ("rooms", "Chambre 412, lit du fond.", "«LOCAL», lit du fond."),
        ("typist_initials", "Poumons clairs. OB/mt", "Poumons clairs. «INITIALES»"),
        ("ages_above_89", "Femme de 97 ans.", "Femme de «ÂGE»."),
        ("first_names", "Suzanne va mieux.", "«NOM» va mieux."),
    ],
)
def test_a_site_keeps_refuses_or_has_replaced_what_is_its_own_choice(key: str, text: str, left: str) -> None:
    rule, _ = SITE_CHOICES[key]
    kept, refused, replaced = (ReportPolicy(choices={rule: choice}) for choice in ("keep", "refuse", "redact"))
    assert (passed(text, kept).text, breaches(text, kept)) == (text, [])
    assert passed(text, refused).text == "" and [breach.rule for breach in breaches(text, refused)] == [rule]
    assert (passed(text, replaced).text, passed(text, replaced).replaced) == (left, {rule: 1})


def test_what_a_corpus_of_planted_identities_is_expected_to_come_to() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "identities.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["expected"] != "site"]
    for expected, least in (("refuse", 0.98), ("keep", 0.98)):
        judged = [bool(breaches(row["text"], POLICY)) for row in rows if row["expected"] == expected]
        right = sum(judged) if expected == "refuse" else len(judged) - sum(judged)
        assert right >= least * len(judged)


class TwoStudies:
    name = "ccsmtl"

    def __init__(self, second: str) -> None:
        self.second = second

    def reports(self, root: Path) -> Delivered:
        rows = [
            ("s1", "CC0001", "Pas d'épanchement."),
            ("s2", "CC0002", "Cardiomégalie."),
            ("s2", "CC0002", self.second),
        ]
        return Delivered(pa.Table.from_pylist([dict(zip(REPORT_SCHEMA.names, row)) for row in rows], REPORT_SCHEMA))


def test_mentions_point_into_the_redacted_text(tmp_path: Path, monkeypatch) -> None:
    from radia_pipeline.reports import ingest as reports_ingest
    from radia_pipeline.reports.engine import Labeler

    monkeypatch.setattr(reports_ingest, "report_policy_of", lambda _: REDACTS)
    lake, keys = Lake.open(tmp_path / "lake"), Pseudonymizer(b"k" * 32)
    result = ingest_reports(TwoStudies("Mme Ouattarabi, 514-555-0134. Épanchement droit."), tmp_path, lake, keys)
    assert (result.refused, result.redacted) == (0, 1)
    assert result.replaced_by_rule == {"phone_number": 1, "titled_name": 1}
    rows = {row["study_id"]: row for row in lake.read("reports", "ccsmtl").to_pylist()}
    text = rows[keys.study_id("ccsmtl", "s2")]["report_text"]
    found = [m for m in Labeler.default().read(text).mentions if text[m.start : m.end].startswith("Épanchement")]
    assert "Ouattarabi" not in text and found


def test_a_refused_report_stays_outside_with_rule_and_place_and_comes_in_when_mended(tmp_path: Path) -> None:
    lake, keys = Lake.open(tmp_path / "lake"), Pseudonymizer(b"k" * 32)
    result = ingest_reports(TwoStudies("Mme Tremblay, 514-555-0134."), tmp_path, lake, keys)
    assert (result.found, result.studies, result.refused) == (3, 2, 1)
    assert result.refused_by_rule == {"listed_name": 1, "phone_number": 1, "titled_name": 1}
    rows = {row["study_id"]: row for row in lake.read("reports", "ccsmtl").to_pylist()}
    refused = rows[keys.study_id("ccsmtl", "s2")]
    assert refused["report_text"] == "" and "phone_number at character" in refused["refusal"]
    assert rows[keys.study_id("ccsmtl", "s1")]["refusal"] is None
    assert not any(b"Tremblay" in path.read_bytes() for path in lake.root.rglob("*") if path.is_file())
    assert ingest_reports(TwoStudies("Pas de masse."), tmp_path, lake, keys).refused == 0
    assert "masse" in lake.read("reports", "ccsmtl").to_pylist()[0]["report_text"] + str(
        lake.read("reports").to_pylist()
    )


def test_words_of_medicine_are_words_and_nobodys_name() -> None:
    """Whatever stands in this list is no strange word any more: it was once gathered by a program, comments and all."""
    listed = TRADE.read_text(encoding="utf-8").split()
    assert listed == sorted(set(listed))
    assert all(word.isascii() and word.isalpha() and word.islower() for word in listed)
    assert not trade_words() & names().keys()
    assert not trade_words() & {"bonneau", "delage", "larcher", "gauchet", "bright", "unicodedata", "adjective"}


@pytest.mark.parametrize(
    "text",
    ["jean.xx(AT)chum.qc.ca", "jean.xx[At]chum.qc.ca", "jean.xx (arobase) chum.qc.ca", "jean.xx[arobase]chum.ca"],
)
def test_an_at_sign_is_one_however_it_is_written(text: str) -> None:
    assert {breach.rule for breach in breaches(text, POLICY)} == {"mail_address"}


@pytest.mark.parametrize("end", ["-\n", "- \n", "-\n  ", "-\r\n", "- \r\n\t"])
def test_a_name_that_a_line_end_parts_goes_whole(end: str) -> None:
    policy = replace(POLICY, on_identity="redact")
    told = passed(f"Mme Tremb{end}lay tousse.", policy)
    assert "remb" not in told.text
    assert "lay" not in told.text


@pytest.mark.parametrize(
    "text",
    [
        "L&#8217;image est inchang&#233;e, pas d&#8217;&eacute;panchement.",
        "Pas d&amp;#8217;&amp;#233;panchement &amp; pas d&#x2019;opacit&#xE9;.",
        "Nodule &lt; 8 mm &agrave; l&#8217;apex &; &#; &#99999999;",
    ],
)
def test_an_entity_is_a_letter_and_no_number(text: str) -> None:
    assert breaches(text, POLICY) == []


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("Dossier &#49;&#50;&#51;&#52;&#53;&#54;&#55;&#56; vu.", "«NUMÉRO» vu."),
        ("Pas d&#8217;&#233;panchement. M. &#84;rembl&#x61;y tousse.", "Pas d&#8217;&#233;panchement. «NOM» tousse."),
        ("Mme Andr&amp;eacute; tousse.", "«NOM» tousse."),
    ],
)
def test_entities_hide_nothing(hidden: str, shown: str) -> None:
    assert passed(hidden, REDACTS).text == shown


@pytest.mark.parametrize("unit", ["12 mai 2020, ", "12 mai 2020 ", "Tremblay ", "Tremblay. ", "d&#8217;&amp;eacute; "])
def test_time_grows_as_the_text_does(unit: str) -> None:
    """Judged by the calls that a profiler counts, which no other process can change."""

    def calls(count: int) -> int:
        watched = cProfile.Profile()
        watched.runcall(breaches, unit * count, POLICY)
        return sum(entry.callcount for entry in watched.getstats())

    calls(10)
    assert calls(400) < 2.5 * calls(200)


def test_a_kind_takes_the_place_of_a_name_with_its_accents() -> None:
    """An accent that is a character of its own goes with its letter."""
    assert (
        passed("Vu avec Mme Andre\u0301. Pas d'e\u0301panchement.", REDACTS).text
        == "Vu avec «NOM». Pas d'e\u0301panchement."
    )


def test_what_is_left_of_a_redacted_text_is_placed_in_the_text_as_written(monkeypatch) -> None:
    """What comes to light only beside a kind is told where the reader of the report finds it."""
    spans = text_module._spans

    def with_one_more(text: str, policy: ReportPolicy) -> list:
        found = spans(text, policy)
        return [*found, text_module.Span(text.index("poumons"), len(text), "postal_code")] if "«NOM»" in text else found

    monkeypatch.setattr(text_module, "_spans", with_one_more)
    written = "Mme Xzyqowska tousse, poumons clairs."
    assert [str(b) for b in passed(written, REDACTS).breaches] == [
        str(Breach(written.index("poumons") + 1, "postal_code"))
    ]
