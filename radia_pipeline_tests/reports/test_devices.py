"""Devices by kind, and which of them lie wrong: attributes of a report, by which evaluation sets films apart."""

from __future__ import annotations

import pytest

from radia_pipeline.reports.engine import Labeler

READ = Labeler.default().read

KINDS = (
    ("Drain thoracique droit en place.", "chest_tube"),
    ("Tube de thoracostomie gauche.", "chest_tube"),
    ("Drain en queue de cochon à la base.", "chest_tube"),
    ("TET à 4 cm de la carène.", "endotracheal_tube"),
    ("Sonde trachéale en place.", "endotracheal_tube"),
    ("Canule de trachéostomie centrée.", "tracheostomy"),
    ("Sonde gastrique dans l'estomac.", "gastric_tube"),
    ("Tube d'alimentation sous la coupole gauche.", "gastric_tube"),
    ("Sonde nasogastrique en place.", "gastric_tube"),
    ("KTC jugulaire droit.", "central_line"),
    ("Port-à-cath sous-clavier droit.", "central_line"),
    ("Pile de stimulateur pectorale gauche.", "pacemaker"),
    ("Électrodes de stimulation en place.", "pacemaker"),
    ("Ballon de contre-pulsion sous la crosse.", "support"),
    ("Sutures métalliques sternales intactes.", "sternal_wires"),
    ("Prothèse valvulaire aortique.", "valve"),
    ("Plaque et vis de la clavicule droite.", "hardware"),
    ("Lunettes nasales. Poumons clairs.", "other"),
    ("TET, SNG et drain pleural en place.", "chest_tube endotracheal_tube gastric_tube"),
    ("Drain retiré depuis hier.", ""),
    ("Pas de sonde ni de drain.", ""),
    ("Fracture de la tête humérale droite.", ""),
    ("La tête de l'humérus est en place.", ""),
)
MISPLACED = (
    ("Sonde gastrique malpositionnée.", "gastric_tube"),
    ("Drains malpositionnés.", "chest_tube"),
    ("Malpositionnement du cathéter central.", "central_line"),
    ("Mauvaise position de la sonde nasogastrique.", "gastric_tube"),
    ("Cathéter jugulaire en position incorrecte.", "central_line"),
    ("Tube endotrachéal mal situé.", "endotracheal_tube"),
    ("Drain : malpositionné", "chest_tube"),
    ("TUBE ENDOTRACHEAL MALPOSITIONNE", "endotracheal_tube"),
    ("Tube endotrachéal et sonde nasogastrique malpositionnés.", "endotracheal_tube gastric_tube"),
    ("Tube endotrachéal bien placé, sonde gastrique malpositionnée.", "gastric_tube"),
    ("Tube endotrachéal en place, malposition de la sonde gastrique.", "gastric_tube"),
    ("Tube endotrachéal trop haut, sonde gastrique en place.", "endotracheal_tube"),
    ("Cathéter central dans la VCS, sonde gastrique à repositionner.", "gastric_tube"),
    ("Pacemaker : électrode déplacée.", "pacemaker"),
    ("Sonde nasogastrique. Trop haute.", "gastric_tube"),
    ("Sonde gastrique non malpositionnée.", ""),
    ("Sonde gastrique malpositionnée : non.", ""),
    ("Sonde gastrique malpositionnée ? Non.", ""),
    ("Le drain n'est ni coudé ni malpositionné.", ""),
    ("Drain sans malposition.", ""),
    ("Drain droit en place, pneumothorax controlatéral.", ""),
)
NOT_OF_A_DEVICE = (
    ("Patient malpositionné. Pas d'épanchement.", {"Pleural Effusion": 0, "No Finding": 1}, True),
    ("Mauvais positionnement du patient. Pas d'épanchement.", {"Pleural Effusion": 0, "No Finding": 1}, True),
    ("Tête humérale malpositionnée. Pas d'épanchement.", {"Pleural Effusion": 0}, False),
    ("Malposition de la clavicule. Pas d'épanchement.", {"Pleural Effusion": 0}, False),
    ("Fracture malpositionnée de la clavicule.", {"Fracture": 1, "No Finding": 0}, False),
    ("Fracture de la tête humérale.", {"Fracture": 1, "No Finding": 0}, False),
)


@pytest.mark.parametrize(("text", "kinds"), KINDS)
def test_devices_are_told_by_kind(text, kinds):
    attributes = READ(text).attributes
    assert attributes.devices == kinds
    assert attributes.misplaced_devices == ""


@pytest.mark.parametrize(("text", "kinds"), MISPLACED)
def test_misplaced_is_the_device_of_which_it_is_said(text, kinds):
    reading = READ(f"{text} Poumons clairs.")
    assert reading.attributes.misplaced_devices == kinds
    assert set(kinds.split()) <= set(reading.attributes.devices.split())
    found = any(value for name, value in reading.labels.items() if name != "No Finding")
    assert reading.labels.get("No Finding") == (0 if found else None if kinds else 1)


@pytest.mark.parametrize(("text", "labels", "is_quality"), NOT_OF_A_DEVICE)
def test_what_else_lies_wrong_is_no_device(text, labels, is_quality):
    """A patient that lies wrong limits the film, a bone is an abnormality without a class."""
    reading = READ(text)
    assert reading.labels == labels
    assert reading.attributes.is_quality_limited == is_quality
    assert (reading.attributes.devices, reading.attributes.misplaced_devices) == ("", "")
