"""Runs EDS-NLP or medspaCy on the texts of benchmarks/labeler.py, inside that library's own environment.

Usage (by labeler.py): PYTHON labeler_others.py edsnlp|medspacy TASK.json OUT.json. TASK: terms (class -> forms),
texts (for labels), timed (name -> texts for speed). OUT: version, labels per text, by name the reports per second of
processor time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

FORWARD_NEGATION = [
    "pas de",
    "pas d'",
    "absence de",
    "absence d'",
    "aucun",
    "aucune",
    "sans",
    "ni",
    "exempt de",
    "libre de",
    "ne",
    "n'",
]
BACKWARD_NEGATION = ["absent", "absente", "non visible", "n'est plus visible", "a disparu"]
FORWARD_HEDGES = [
    "possible",
    "probable",
    "suspicion de",
    "évoquant",
    "pouvant correspondre",
    "pourrait",
    "éventuel",
    "vraisemblable",
]
BACKWARD_HEDGES = ["possible", "probable", "ne peut être exclu", "ne peut être exclue", "à éliminer", "à exclure", "?"]


def edsnlp_reader(terms: dict[str, list[str]]):
    """General French clinical rules: its own negation and hypothesis qualifiers on our terms."""
    import edsnlp

    nlp = edsnlp.blank("eds")
    for name, config in (
        ("eds.normalizer", {}),
        ("eds.sentences", {}),
        ("eds.matcher", {"terms": terms, "attr": "NORM"}),
        ("eds.negation", {}),
        ("eds.hypothesis", {}),
    ):
        nlp.add_pipe(name, config=config)

    def read(text: str) -> list[tuple[str, int]]:
        return [(e.label_, 0 if e._.negation else -1 if e._.hypothesis else 1) for e in nlp(text).ents]

    return edsnlp.__version__, read


def medspacy_reader(terms: dict[str, list[str]]):
    """ConText with French rules written here, on our terms."""
    import medspacy  # noqa: F401
    import spacy
    from medspacy.context import ConTextRule
    from medspacy.ner import TargetRule

    nlp = spacy.blank("fr")
    nlp.add_pipe("sentencizer")
    matcher = nlp.add_pipe("medspacy_target_matcher")
    matcher.add([TargetRule(form, name) for name, forms in terms.items() for form in forms])
    context = nlp.add_pipe("medspacy_context", config={"rules": None})
    rules = [("NEGATED_EXISTENCE", "FORWARD", FORWARD_NEGATION), ("NEGATED_EXISTENCE", "BACKWARD", BACKWARD_NEGATION)]
    rules += [("POSSIBLE_EXISTENCE", "FORWARD", FORWARD_HEDGES), ("POSSIBLE_EXISTENCE", "BACKWARD", BACKWARD_HEDGES)]
    context.add([ConTextRule(phrase, kind, direction=way) for kind, way, phrases in rules for phrase in phrases])
    context.add([ConTextRule(word, "TERMINATE", direction="TERMINATE") for word in ("mais", "toutefois", "cependant")])

    def read(text: str) -> list[tuple[str, int]]:
        return [(e.label_, 0 if e._.is_negated else -1 if e._.is_uncertain else 1) for e in nlp(text).ents]

    from importlib.metadata import version

    return version("medspacy"), read


def main() -> None:
    name, task_path, out_path = sys.argv[1:]
    task = json.loads(Path(task_path).read_text(encoding="utf-8"))
    version, read = {"edsnlp": edsnlp_reader, "medspacy": medspacy_reader}[name](task["terms"])
    said = [read(text) for text in task["texts"]]
    speed = {}
    for kind, timed in task["timed"].items():
        begin = time.process_time()
        for text in timed:
            read(text)
        speed[kind] = len(timed) / (time.process_time() - begin)
    Path(out_path).write_text(
        json.dumps({"version": version, "said": said, "reports_per_second": speed}), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
