"""Never fall open: whatever the layout, a finding that is denied is never read as present."""

from __future__ import annotations

import pytest

from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.reports.denials import denied, drawn, findings
from radia_pipeline_tests.reports.flat_tables import tables
from radia_pipeline_tests.reports.templates import FINDINGS

SEED, SAMPLES = 20261129, 6_000
TABLES = 4_000
TITLES = ("", "PLÈVRE: ", "Poumons : ", "Rapport: ", "COEUR ET MÉDIASTIN: ", "Conclusion : ")
PT, CO, PE, FX, EM, AT, CM = (
    "Pneumothorax", "Consolidation", "Pleural Effusion", "Fracture", "Emphysema", "Atelectasis", "Cardiomegaly",
)  # fmt: skip
LINES = (
    ("PNO | non Condensation | non", {PT: 0, CO: 0}),
    ("PNO | non Condensation | oui Épanchement | absent", {PT: 0, CO: 1, PE: 0}),
    ("RAPPORT : PNO / non / Condensation / Ø / Épanchement / (+)", {PT: 0, CO: 0, PE: 1}),
    ("non | PNO | oui | Condensation | non | Épanchement", {PT: 0, CO: 1, PE: 0}),
    ("PNO = 0 ; Condensation = + ; Épanchement = 0", {PT: 0, CO: 1, PE: 0}),
    ("PNO … non Condensation … oui", {PT: 0, CO: 1}),
    ("PNO -> Ø, Condensation -> oui, Épanchement -> Ø", {PT: 0, CO: 1, PE: 0}),
    ("Pneumothorax non condensation non épanchement oui", {PT: 0, CO: 0, PE: 1}),
    ("Signe | Présence | PNO | non | Condensation | oui", {PT: 0, CO: 1}),
    ("Cœur | N | Plèvre | N | PNO | N", {CM: 0}),
    ("non | PNO | non | Condensation | non", {}),
    ("PNO | non | Condensation | non | Épanchement", {}),
    ("PNO : n/a", {}),
    ("PNO | voir TDM", {}),
    ("Condensation / aucune", {CO: 0}),
    ("Condensation aucune", {CO: 0}),
    ("Signe | Oui | Non\nPNO | | X\nÉpanchement | X |", {PT: 0, PE: 1}),
    ("Oui\tNon\nPNO\t\tX\nÉpanchement\tX\t", {PT: 0, PE: 1}),
    ("Signe | Oui | Non | PNO | | X | Épanchement | X |", {}),
    ("Emphysème : présent\nRotation : aucune", {EM: 1}),
    ("Atélectasie présente, sonde absente", {AT: 1}),
    ("Épanchement présent hier, absent aujourd'hui", {PE: 0}),
    ("☐ PNO ☐\nCondensation ☒ Fracture", {PT: 0, CO: 0, FX: 1}),
    ("PNO ☐ Condensation ☐ Fracture\n☒ Épanchement ☐", {PT: 0, CO: 0, FX: 1, PE: 0}),
    ("PNO ☐ Condensation\n☐ Fracture ☒", {PT: 0, CO: 0, FX: 1}),
    ("Épanchement non\ncloisonné, stable", {PE: 1}),
    ("Masse : ---", {}),
    ("Masse :\nNodule : non", {"Nodule": 0}),
    ("PNO | | Condensation | |", {}),
    ("Fracture pas", {}),
    ("Épanchement nul. Atélectasie aucune.", {PE: 0, AT: 0}),
    ("Épanchement ni liquidien ni gazeux n'est vu.", {PE: 0, PT: 0}),
    ("Atélectasie basale, ni ronde ni en bande.", {AT: 1}),
    ("Épanchement :\n- à droite, 2 cm\n- à gauche, minime", {PE: 1}),
    ("On ne retrouve pas :\n- de nodule\n\nA noter :\n- epanchement", {"Nodule": 0, PE: 1}),
    ("Négatif : épanchement, pneumothorax.\nPositif : atélectasie.", {PE: 0, PT: 0, AT: 1}),
    ("absent | épanchement, pneumothorax | présent | atélectasie", {PE: 0, PT: 0, AT: 1}),
    ("Épanchement, pneumothorax : ND", {}),
    ("RAPPORT : Nul doute : consolidation.", {CO: 1}),
    ("A droite : nodule ; A gauche : epanchement", {"Nodule": 1, PE: 1}),
    ("Surinfection : non exclue.", {"Pneumonia": -1}),
    ("PNO : je n'en vois pas.", {PT: 0}),
    ("Condensation : je n'en retrouve aucune, épanchement : il y en a un.", {CO: 0, PE: 1}),
    ("Fracture - on n'en décèle pas.", {FX: 0}),
    ("Atélectasie, je n'en vois pas. Emphysème ? Je n'en vois pas non plus.", {AT: 0, EM: 0}),
    ("D'épanchement, nous n'en voyons pas.", {PE: 0}),
    ("- Fracture : je n'en vois pas\n- PNO : je n'en vois pas", {FX: 0, PT: 0}),
    ("Condensation | on n'en voit pas\nPNO | oui", {CO: 0, PT: 1}),
    ("Fracture, je n'en saisis aucune.", {}),
    ("Épanchement - je n'en saisis pas.", {}),
    ("Épanchement droit, je n'en vois pas à gauche.", {PE: 1}),
    ("Cardiomégalie, le cliché antérieur n'en montrait pas.", {CM: 1}),
    ("Opacité de la base, qui n'évolue pas.", {"Lung Opacity": 1}),
    ("PNO, présent, sonde, absente,", {PT: 1}),
    ("emphyseme, absent, atelectasie, presente, rotation, absente", {EM: 0, AT: 1}),
    ("Opacité, présente, à la base droite.", {"Lung Opacity": 1}),
    ("Distension l hemithorax Non neoplasique Non.", {EM: 0, "Lung Lesion": 0}),
    ("Nodule Non calcifie Oui", {"Nodule": 1}),
    ("Nodule non calcifié, stable.", {"Nodule": 1}),
    ("Nodule non calcifie epanchement non", {"Nodule": 1, PE: 0}),
    ("Nodule non calcifié épanchement non", {"Nodule": 1, PE: 0}),
    ("PNO non masse non necrosee epanchement non", {PT: 0, "Mass": 1, PE: 0}),
    ("Fractures non deplacees - PNO non", {FX: 1, PT: 0}),
    ("Fracture : non deplacee condensation : non", {FX: 1, CO: 0}),
    ("FRACTURE NON DEPLACEE PNO OUI CONDENSATION NON", {FX: 1, PT: 1, CO: 0}),
    ("Fracture non consolidation non", {FX: 0, CO: 0}),
    ("Épanchement non cloisonné non", {PE: 0}),
    ("PNO non epanchement cloisonne non", {PT: 0, PE: 0}),
    ("☒ Fracture\n☐ Condensation / PNO\n☐ Emphysème", {FX: 1, CO: 0, PT: 0, EM: 0}),
    ("Signe | 12 mai | Ce jour\nPNO D | petit | absent\nÉpanchement | non | oui", {PT: 0, PE: 1}),
    ("Plèvres, on ne voit pas :\n- d'épanchement\n- de PNO", {PE: 0, PT: 0}),
    ("Signe          Oui   Non\nPNO                   x\nÉpanchement     x\nFracture", {PT: 0, PE: 1, FX: 1}),
    ("PNO;non;\nCondensation;probable;base G", {PT: 0, CO: -1}),
    ("| Condensation | non | oui, au sommet |\n| PNO | non | non |\n", {CO: 1, PT: 0}),
    ("Il n'y a pas d'augmentation de l'épanchement ni du PNO.", {PE: 1, PT: 1}),
    ("PNO de 6 mm, absent au contrôle immédiat.", {PT: 1}),
    ("Sans qu'on puisse l'affirmer, petit PNO apical.", {PT: -1}),
)
PROSE = (
    "Aucun {f}", "Aucun signe {de}", "Pas {de}", "Absence {de}", "Il n'y a pas {de}", "On ne voit pas {de}", "Sans {f}",
)  # fmt: skip


def test_a_denied_finding_is_never_present():
    """All that the lexicon names is drawn, in forms of denial and layouts of every kind."""
    read = Labeler.default().read
    assert len(findings()) > 800
    opened = []
    for text, classes in drawn(SEED, SAMPLES):
        labels = read(text).labels
        if any(labels.get(name) == 1 for name in classes):
            opened.append(text)
    assert not opened, f"{len(opened)} of {SAMPLES} fell open (seed {SEED}): {opened[:10]}"


def test_a_table_on_one_line_neither_falls_open_nor_runs_on():
    """Values, separators, orders of all kinds; what is understood is said, what is not is listed."""
    read = Labeler.default().read
    wrong, said, told, unread = [], 0, 0, 0
    for table in tables(SEED, TABLES):
        reading = read(table.text)
        if table.opened(reading.labels) or table.ran_on(reading.labels):
            wrong.append(table.text)
        denied_alone = table.denied - table.affirmed - table.unknown
        told += len(denied_alone)
        said += sum(reading.labels.get(name) == 0 for name in denied_alone)
        unread += bool(table.unknown) and not reading.attributes.unread_count
    assert not wrong, f"{len(wrong)} of {TABLES} (seed {SEED}): {wrong[:10]}"
    assert said > 0.9 * told and unread < 0.1 * TABLES


@pytest.mark.parametrize("text, labels", LINES)
def test_a_value_answers_its_own_label(text, labels):
    found = Labeler.default().read(text).labels
    assert {name: value for name, value in found.items() if name != "No Finding"} == labels


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("case", [str, str.upper, str.lower], ids=["mixed", "capitals", "small"])
def test_a_denial_goes_on_over_a_line_that_wraps(title, case):
    read = Labeler.default().read
    opened = []
    for noun, _, name in FINDINGS:
        for form in PROSE:
            words = f"{title}{denied(form, noun)}. Hiles sans particularité.".split(" ")
            for at in range(1, len(words) - 3):
                text = case(" ".join(words[:at]) + "\n" + " ".join(words[at:]))
                if read(text).labels.get(name) == 1:
                    opened.append(text)
    assert opened == []
