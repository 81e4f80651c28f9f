"""The words of French chest reports: noun phrases of each class, adjectives, places, neutral and boilerplate sentences.

Data and agreement only. How sentences are made of them, and which label each makes, is in ``sentences``.
"""

from __future__ import annotations

from dataclasses import dataclass

ADJECTIVES = {
    "petit": ("petit", "petite", "petits", "petites"),
    "léger": ("léger", "légère", "légers", "légères"),
    "discret": ("discret", "discrète", "discrets", "discrètes"),
    "minime": ("minime", "minime", "minimes", "minimes"),
    "important": ("important", "importante", "importants", "importantes"),
    "volumineux": ("volumineux", "volumineuse", "volumineux", "volumineuses"),
    "modéré": ("modéré", "modérée", "modérés", "modérées"),
    "sévère": ("sévère", "sévère", "sévères", "sévères"),
    "inchangé": ("inchangé", "inchangée", "inchangés", "inchangées"),
    "stable": ("stable", "stable", "stables", "stables"),
    "connu": ("connu", "connue", "connus", "connues"),
    "résiduel": ("résiduel", "résiduelle", "résiduels", "résiduelles"),
    "présent": ("présent", "présente", "présents", "présentes"),
    "absent": ("absent", "absente", "absents", "absentes"),
    "aucun": ("aucun", "aucune", "aucun", "aucune"),
    "franc": ("franc", "franche", "francs", "franches"),
    "définitif": ("définitif", "définitive", "définitifs", "définitives"),
    "évident": ("évident", "évidente", "évidents", "évidentes"),
    "significatif": ("significatif", "significative", "significatifs", "significatives"),
    "suspect": ("suspect", "suspecte", "suspects", "suspectes"),
    "possible": ("possible", "possible", "possibles", "possibles"),
    "probable": ("probable", "probable", "probables", "probables"),
    "vraisemblable": ("vraisemblable", "vraisemblable", "vraisemblables", "vraisemblables"),
    "douteux": ("douteux", "douteuse", "douteux", "douteuses"),
    "suspecté": ("suspecté", "suspectée", "suspectés", "suspectées"),
    "exclu": ("exclu", "exclue", "exclus", "exclues"),
    "droit": ("droit", "droite", "droits", "droites"),
    "gauche": ("gauche", "gauche", "gauches", "gauches"),
    "bilatéral": ("bilatéral", "bilatérale", "bilatéraux", "bilatérales"),
    "nouveau": ("nouveau", "nouvelle", "nouveaux", "nouvelles"),
}
"""Masculine, feminine and their plurals."""
BEFORE = ("petit", "léger", "discret", "minime", "important", "volumineux")
AFTER = ("modéré", "sévère", "minime", "discret")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase without article. ``also``: further classes that it names; ``place``: which places fit it."""

    text: str
    gender: str = "m"
    is_plural: bool = False
    also: tuple[str, ...] = ()
    place: str = "lung"
    weight: float = 1.0

    @property
    def _elides(self) -> bool:
        return self.text[0].lower() in "aeéèêiîoôœuyOAE" or self.text.startswith(("hydro", "hémo", "hyper"))

    def agree(self, adjective: str) -> str:
        """Return the adjective in this phrase's gender and number."""
        return ADJECTIVES[adjective][(1 if self.gender == "f" else 0) + (2 if self.is_plural else 0)]

    def bare(self) -> str:
        """« de » + phrase, as after a negation."""
        return f"d'{self.text}" if self._elides else f"de {self.text}"

    def a(self, body: str | None = None) -> str:
        """Indefinite article + phrase (or a qualified form of it)."""
        article = "des" if self.is_plural else ("une" if self.gender == "f" else "un")
        return f"{article} {body or self.text}"

    def of_a(self, body: str | None = None) -> str:
        """« de » + indefinite article + phrase."""
        body = body or self.text
        if self.is_plural:
            return f"d'{body}" if body[0].lower() in "aeéèêiîoôœu" else f"de {body}"
        return f"d'une {body}" if self.gender == "f" else f"d'un {body}"

    def the(self) -> str:
        """Definite article + phrase."""
        if self.is_plural:
            return f"les {self.text}"
        if self._elides:
            return f"l'{self.text}"
        return f"{'la' if self.gender == 'f' else 'le'} {self.text}"

    def of_the(self) -> str:
        """« de » + definite article + phrase."""
        the = self.the()
        if the.startswith("le "):
            return "du " + the[3:]
        return "des " + the[4:] if the.startswith("les ") else "de " + the


def _p(
    text: str,
    gender: str = "m",
    weight: float = 1.0,
    *,
    plural: bool = False,
    also: tuple[str, ...] = (),
    place: str = "lung",
) -> Phrase:
    return Phrase(text, gender, plural, also, place, weight)


PHRASES: dict[str, tuple[Phrase, ...]] = {
    "Cardiomegaly": (_p("cardiomégalie", "f", place="none"),),
    "Emphysema": (
        _p("emphysème", place="none", weight=2), _p("emphysème centrolobulaire", place="none"),
        _p("bulles d'emphysème", "f", plural=True, place="upper"), _p("hyperinflation pulmonaire", "f", place="none"),
        _p("hyperinflation", "f", place="none"), _p("distension thoracique", "f", place="none"),
        _p("bulles apicales", "f", plural=True, place="none"),
    ),
    "Pneumothorax": (_p("pneumothorax", weight=3, place="side"), _p("pneumothorax apical", place="side")),
    "Pleural Effusion": (
        _p("épanchement pleural", weight=3, place="side"), _p("épanchement", weight=3, place="side"),
        _p("épanchements pleuraux", plural=True, weight=0.6, place="both"), _p("hydrothorax", weight=0.3, place="side"),
        _p("pleurésie", "f", weight=0.3, place="side"),
    ),
    "Edema": (
        _p("œdème pulmonaire", weight=3, place="none"), _p("œdème interstitiel pulmonaire", weight=0.5, place="none"),
        _p("surcharge", "f", weight=1.5, place="none"), _p("surcharge pulmonaire", "f", place="none"),
        _p("surcharge vasculaire", "f", place="none"), _p("congestion pulmonaire", "f", place="none"),
        _p("redistribution vasculaire", "f", place="none"), _p("OAP", weight=0.6, place="none"),
        _p("insuffisance cardiaque", "f", weight=0.6, place="none"), _p("décompensation cardiaque", "f",
        weight=0.4, place="none"),
        _p("lignes de Kerley", "f", plural=True, weight=0.5, place="none"),
    ),
    "Atelectasis": (
        _p("atélectasie", "f", weight=3), _p("atélectasies", "f", plural=True), _p("atélectasie en bande", "f"),
        _p("atélectasie linéaire", "f"), _p("atélectasie planiforme", "f"), _p("perte de volume", "f", weight=0.6),
        _p("trouble de ventilation", weight=0.8), _p("troubles de ventilation", plural=True, weight=0.5),
    ),
    "Consolidation": (
        _p("consolidation", "f", weight=3), _p("condensation", "f"), _p("foyer de consolidation"),
        _p("comblement alvéolaire", weight=0.8), _p("consolidation alvéolaire", "f", weight=0.5),
    ),
    "Pneumonia": (
        _p("pneumonie", "f", weight=4), _p("foyer infectieux", weight=1.5), _p("processus infectieux"),
        _p("bronchopneumonie", "f"),
        _p("pneumopathie", "f", weight=0.6), _p("foyer de pneumonie"), _p("surinfection", "f", weight=0.4),
        _p("infiltrat infectieux", also=("Infiltration",), weight=0.25),
    ),
    "Infiltration": (
        _p("infiltrat", weight=2), _p("infiltrats", plural=True, weight=2), _p("infiltration", "f"),
        _p("infiltrat réticulaire"), _p("infiltrats réticulaires", plural=True),
    ),
    "Nodule": (
        _p("nodule", weight=2), _p("nodule pulmonaire", weight=2), _p("nodules pulmonaires", plural=True),
        _p("micronodule", weight=0.5),
        _p("image nodulaire", "f", weight=0.7), _p("opacité nodulaire", "f", also=("Lung Opacity",)),
    ),
    "Mass": (_p("masse", "f", weight=2), _p("masse pulmonaire", "f", weight=2), _p("masse parenchymateuse", "f")),
    "Pleural Other": (
        _p("épaississement pleural", weight=2, place="side"), _p("plaques pleurales", "f", plural=True, place="none"),
        _p("plaques pleurales calcifiées", "f", plural=True, place="none"), _p("plaque pleurale", "f", place="side"),
        _p("pachypleurite", "f", place="side"), _p("calcifications pleurales", "f", plural=True, place="none"),
    ),
    "Fracture": (
        _p("fracture costale", "f", weight=2, place="side"), _p("fractures costales", "f", plural=True, weight=2,
        place="side"),
        _p("fracture de côte", "f", place="side"), _p("fracture de la clavicule", "f", weight=0.6, place="side"),
        _p("fracture déplacée de la sixième côte", "f", place="side"), _p("tassement vertébral", weight=0.4,
        place="none"),
    ),
    "Hernia": (_p("hernie hiatale", "f", weight=4, place="none"), _p("hernie diaphragmatique", "f", weight=0.5,
               place="none")),
    "Lung Opacity": (_p("opacité", "f", weight=2), _p("opacité parenchymateuse", "f"), _p("opacité pulmonaire", "f")),
    "Lung Lesion": (_p("lésion pulmonaire", "f"), _p("lésion parenchymateuse", "f"), _p("néoplasie", "f", weight=0.5)),
    "Enlarged Cardiomediastinum": (_p("élargissement du médiastin", place="none"),),
}  # fmt: skip

ORGAN = {
    "Cardiomegaly": "heart",
    "Enlarged Cardiomediastinum": "heart",
    "Hernia": "heart",
    "Pneumothorax": "pleura",
    "Pleural Effusion": "pleura",
    "Pleural Other": "pleura",
    "Fracture": "bone",
}
"""Where a report speaks of a class; the lungs where not listed."""

STATED: dict[tuple[str, int], tuple[str, ...]] = {
    ("Cardiomegaly", 1): (
        "La silhouette cardiaque est augmentée de volume",
        "Silhouette cardiaque augmentée",
        "Volume cardiaque augmenté",
        "Le volume cardiaque est augmenté",
        "Index cardiothoracique augmenté",
        "L'index cardiothoracique est augmenté à 0,58",
    ),
    ("Cardiomegaly", 0): (
        "Cœur de taille normale",
        "Le cœur est de taille normale",
        "Silhouette cardiaque normale",
        "Volume cardiaque normal",
        "Silhouette cardiaque dans les limites de la normale",
        "Silhouette cardiaque sans particularité",
        "Silhouette cardiaque non élargie",
        "Index cardiothoracique dans les limites de la normale",
        "L'index cardiothoracique est normal",
        "Le cœur est normal",
        "Cœur s.p.",
    ),
    ("Cardiomegaly", -1): (
        "Cœur à la limite supérieure de la normale",
        "Silhouette cardiaque à la limite supérieure de la normale",
        "Le cœur paraît augmenté de volume",
        "La silhouette cardiaque semble augmentée de volume",
    ),
    ("Enlarged Cardiomediastinum", 0): (
        "Médiastin sans particularité",
        "Médiastin normal",
        "Le médiastin est sans particularité",
        "Médiastin non élargi",
        "Médiastin s.p.",
        "Le médiastin est dans les limites de la normale",
    ),
    ("Pleural Effusion", 1): (
        "Émoussement du cul-de-sac costophrénique {side} par un épanchement",
        "Comblement du cul-de-sac {side} par un épanchement",
    ),
    ("Pleural Effusion", 0): (
        "Culs-de-sac costophréniques libres",
        "Les culs-de-sac sont libres",
        "Angles costophréniques libres",
        "Les angles costophréniques sont libres",
        "Culs-de-sac pleuraux libres",
        "Culs-de-sac costophréniques normaux",
    ),
    ("Pleural Effusion", -1): (
        "Émoussement du cul-de-sac costophrénique {side}",
        "Discret émoussement du cul-de-sac {side}",
        "Comblement du cul-de-sac {side}",
        "Le cul-de-sac costophrénique {side} est émoussé",
    ),
    ("Pneumothorax", 0): ("Poumons à la paroi", "Les poumons sont à la paroi", "Les deux poumons sont à la paroi"),
    ("Emphysema", 1): ("Signes de MPOC", "Changements de MPOC"),
}
"""Whole sentences that say a class without its noun phrase, by (class, status)."""

HEART_AND_MEDIASTINUM = (
    "Silhouette cardiomédiastinale normale",
    "Silhouette cardiomédiastinale sans particularité",
    "Cœur et médiastin normaux",
    "La silhouette cardio-médiastinale est dans les limites de la normale",
    "Cœur et médiastin: s.p.",
    "La silhouette cardiomédiastinale est normale",
)
NEUTRAL = {
    "lung": (
        "Plages pulmonaires claires",
        "Les poumons sont clairs",
        "Poumons clairs",
        "Hiles sans particularité",
        "Parenchyme pulmonaire sans particularité",
        "Les hiles sont normaux",
        "Bonne inspiration",
        "Pas de foyer",
    ),
    "pleura": ("Plèvre sans particularité",),
    "bone": ("Structures osseuses sans particularité", "Os sans particularité", "Pas de lésion osseuse suspecte"),
    "device": (
        "Pacemaker en place",
        "Tube endotrachéal en bonne position",
        "Sonde nasogastrique en place",
        "Cathéter central jugulaire droit dont l'extrémité se projette à la veine cave supérieure",
        "Fils de sternotomie en place",
        "PICC-line par voie brachiale gauche",
    ),
}
"""True sentences that label nothing and do not block No Finding: normal anatomy and devices."""
BLOCKING = {
    "lung": (
        "Accentuation de la trame interstitielle",
        "Syndrome interstitiel bilatéral",
        "Adénopathies hilaires bilatérales",
        "Cicatrices apicales",
    ),
    "heart": (
        "Aorte déroulée",
        "Aorte déroulée et calcifiée",
        "Calcifications de la crosse aortique",
        "Calcifications aortiques",
    ),
    "bone": ("Légère scoliose dorsale", "Scoliose dorsale"),
}
"""Other abnormalities: no class, yet not a normal chest."""
LOOKALIKES = (
    "Emphysème sous-cutané {side}",
    "Petit épanchement péricardique",
    "Pneumomédiastin",
    "Hernie discale opérée",
    "Masse médiastinale antérieure",
    "Épanchement articulaire à l'épaule {side}",
    "Œdème des tissus mous",
)
"""Abnormalities whose words resemble a class; written only where some class is positive anyway."""
NORMAL_EXAM = (
    "Examen normal",
    "Radiographie pulmonaire normale",
    "Radiographie du thorax sans anomalie",
    "Pas d'anomalie pulmonaire",
    "Examen dans les limites de la normale",
    "RAS",
    "Radiographie pulmonaire sans particularité",
)
UNREADABLE = (
    "Examen inchangé.",
    "Inchangé.",
    "Voir TDM.",
    "Voir TDM du même jour.",
    "Voir rapport de la TDM thoracique.",
)
"""Reports without findings: the study is unlabelled."""
INDICATION_TITLES = (
    "Renseignements cliniques:",
    "Renseignement clinique:",
    "R.C.:",
    "Indication:",
    "Motif:",
    "Histoire:",
)
SYMPTOMS = (
    "Dyspnée",
    "Toux",
    "Fièvre",
    "Douleur thoracique",
    "Toux et fièvre",
    "Chute",
    "Désaturation",
    "Bilan préopératoire",
    "Perte de poids",
)
TECHNIQUES = (
    "Radiographie pulmonaire PA et latérale",
    "Radiographie pulmonaire de face",
    "Examen réalisé en AP au lit",
    "Légère rotation vers la droite",
    "Inspiration sous-optimale",
    "Examen de qualité limitée",
    "Comparaison faite avec l'examen antérieur",
)
FINDINGS_TITLES = ("Rapport:", "Description:", "Résultat:", "RAPPORT:", "DESCRIPTION:")
CONCLUSION_TITLES = ("Conclusion:", "CONCLUSION:", "Conclusion :", "Impression:")
ORGAN_TITLES = {
    "lung": "POUMONS:",
    "pleura": "PLÈVRE:",
    "heart": "CŒUR ET MÉDIASTIN:",
    "bone": "OS:",
    "device": "TUBES ET CATHÉTERS:",
}
NEGATIVE_CONCLUSIONS = ("Pas de pathologie pulmonaire active", "Pas d'anomalie aiguë", "Examen sans particularité")
SIGNATURES = ("CONCORDANCE IMPOSSIBLE", "Signé sans relecture du radiologue.", "Dicté mais non relu.")
TYPING_ERRORS = {
    "cardiomégalie": ("cardiomégali", "cardiomegalie", "cardiomégallie"),
    "pneumothorax": ("pneumotorax", "pneumothorx", "pneumohtorax"),
    "épanchement": ("épanchemnt", "épanchment", "épenchement"),
    "consolidation": ("consolidaton", "consoldation", "consolidatoin"),
    "pneumonie": ("pnemonie", "pneumonei", "penumonie"),
    "atélectasie": ("atélectasi", "atelectasie", "atéléctasie"),
    "emphysème": ("emphyseme", "emphysèm", "enphysème"),
    "infiltrat": ("infitrat", "infiltra"),
    "fracture": ("fractrue", "fratcure"),
    "épaississement": ("épaisissement", "épaississment"),
    "nodule": ("nodlue", "nodul"),
    "hernie": ("herni", "hernei"),
    "surcharge": ("surchage", "surcharg"),
}
