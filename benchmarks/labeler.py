"""The report labeler against EDS-NLP and medspaCy: quality on the development set, speed on reports that never repeat.

    .venv/bin/python benchmarks/labeler.py [--edsnlp-python PY] [--medspacy-python PY]

Each other library runs in its own environment (``pip install edsnlp`` / ``pip install "medspacy>=1.3" "numpy<2"``),
on the same texts, with our terms; only its context rules are compared. F1 per class, blanks apart: mention (named),
negation (said 0), uncertainty (said -1), macro over classes that occur. The rules were mended on both sets of texts, so
our figures on them are in-sample; what each blind batch scored before that stands in results/labeler_heldout.json.

Speed is that of processor time on texts that are read once, with an empty memory of sentences, in one run for all. In
the timed reports no sentence comes twice, but its words do with another number, as in dictation ("stock"); in those
"of new words" no sentence has the words of an earlier one, and memory is of no use: real reports lie between.
Results go to benchmarks/results/labeler.json. ``--bulk N`` reads N reports into a lake on all cores instead.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from radia_pipeline.contracts.label_values import strongest_by_class  # noqa: E402
from radia_pipeline.reports.engine import Labeler  # noqa: E402
from radia_pipeline.reports.french import FRENCH  # noqa: E402
from radia_pipeline.reports.rules import rulebook  # noqa: E402
from radia_pipeline_tests.reports.texts import blind_set, dev_set  # noqa: E402

REPORT_CHARACTERS = 300
FEW = 300
"""Reports that the others are timed on, and all of those of new words."""
MEMORY = ("RUSAGE_SELF", "RUSAGE_CHILDREN")
FINDINGS = [
    "épanchement pleural",
    "pneumothorax",
    "consolidation",
    "cardiomégalie",
    "atélectasie",
    "infiltrat interstitiel",
    "opacité alvéolaire",
    "nodule",
    "masse hilaire",
    "œdème pulmonaire",
    "fracture costale",
    "hernie hiatale",
]
PLACES = [
    "à la base droite",
    "à la base gauche",
    "au lobe moyen",
    "en péri-hilaire",
    "au sommet droit",
    "de la lingula",
]
SENTENCES = [
    "Pas de signe de {f}, de {g} ni de {h} le {n}.",
    "Possible petit {f} {p} mesurant {n} mm.",
    "On note un discret {f} {p} inchangé depuis le cliché {n}.",
    "La silhouette cardiaque est de taille normale, index {n}.",
    "Absence de {f} significatif {p} comparativement au {n}.",
    "{f} {p} pouvant correspondre à une {g} de {n} mm.",
    "Le médiastin est sans particularité à l'examen {n}.",
]


def unrepeated_reports(count: int, seed: int = 7, *, new_words: bool = False) -> list[str]:
    """Return reports of 300 characters in which no sentence occurs twice (each carries a number of its own).

    ``new_words``: nor does one without its number; there are enough words for some 300 reports.
    """
    rng, reports, number, said = random.Random(seed), [], 1000, set()
    for _ in range(count):
        text = ""
        while len(text) < REPORT_CHARACTERS:
            number += 1
            f, g, h = rng.sample(FINDINGS, 3)
            words = rng.choice(SENTENCES).format(f=f, g=g, h=h, p=rng.choice(PLACES), n="{n}")
            if not (new_words and words in said):
                said.add(words)
                text += words.format(n=number) + " "
        reports.append(text[:REPORT_CHARACTERS])
    return reports


def terms() -> dict[str, list[str]]:
    """Return our surface forms per class, so that all three look for the same words."""
    found: dict[str, set[str]] = {}
    book = rulebook(FRENCH)
    for rule in book.rules.values():
        if rule.kind in ("finding", "fixed_finding"):
            for name in rule.classes:
                found.setdefault(name, set()).update(" ".join(w) for f in rule.forms for w in book.forms.expand(f))
    accented = {
        f: c
        for c, f in (
            ("Pleural Effusion", "épanchement"),
            ("Cardiomegaly", "cardiomégalie"),
            ("Atelectasis", "atélectasie"),
            ("Edema", "oedème"),
            ("Lung Opacity", "opacité"),
            ("Emphysema", "emphysème"),
        )
    }
    for form, name in accented.items():
        found[name].add(form)
    return {name: sorted(forms) for name, forms in sorted(found.items())}


def f1(pairs: list[tuple[bool, bool]]) -> float | None:
    """F1 of (wanted, got); None where nothing is wanted."""
    hits = sum(w and g for w, g in pairs)
    wanted, got = sum(w for w, _ in pairs), sum(g for _, g in pairs)
    return 2 * hits / (wanted + got) if wanted else None


def quality(wanted: list[dict], got: list[dict]) -> dict:
    """Per class and macro F1 of mention, negation and uncertainty."""
    tests = {"mention": lambda v: v is not None, "negation": lambda v: v == 0, "uncertainty": lambda v: v == -1}
    classes = sorted({c for w in wanted for c in w} - {"No Finding"})
    per = {
        k: {c: f1([(t(w.get(c)), t(g.get(c))) for w, g in zip(wanted, got, strict=True)]) for c in classes}
        for k, t in tests.items()
    }
    macro = {
        k: sum(v for v in d.values() if v is not None) / sum(v is not None for v in d.values()) for k, d in per.items()
    }
    return {"macro": macro, "per_class": per}


def by_phenomenon(rows: list[tuple], got: list[dict]) -> dict[str, str]:
    """Texts right in all classes, by phenomenon (No Finding apart)."""
    counts: dict[str, list[int]] = {}
    for (phenomenon, _, want), said in zip(rows, got, strict=True):
        pair = counts.setdefault(phenomenon, [0, 0])
        drop = {"No Finding"}
        pair[0] += {c: v for c, v in want.items() if c not in drop} == {c: v for c, v in said.items() if c not in drop}
        pair[1] += 1
    return {p: f"{a}/{b}" for p, (a, b) in counts.items()}


def ours(texts: list[str], timed: dict[str, list[str]]) -> dict:
    read = Labeler.default().read
    said = [read(t).labels for t in texts]
    return {
        "version": Labeler.default().version,
        "labels": said,
        "reports_per_second": {name: speed_of_ours(reports) for name, reports in timed.items()},
    }


def speed_of_ours(timed: list[str]) -> float:
    """Reports a second, each read once; the better of two passes, before both of which all sentences are forgotten."""
    labeler, best = Labeler.default(), 0.0
    for text in timed[:50]:
        labeler.read(text)
    for _ in range(2):
        labeler.book.statements.clear()
        begin = time.process_time()
        for text in timed:
            labeler.read(text)
        best = max(best, len(timed) / (time.process_time() - begin))
    return best


def other(name: str, python: str, texts: list[str], timed: dict[str, list[str]]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        task, out = Path(folder) / "task.json", Path(folder) / "out.json"
        task.write_text(json.dumps({"terms": terms(), "texts": texts, "timed": timed}), encoding="utf-8")
        subprocess.run([python, str(HERE / "labeler_others.py"), name, str(task), str(out)], check=True)
        result = json.loads(out.read_text(encoding="utf-8"))
    return {**result, "labels": [strongest_by_class(map(tuple, s)) for s in result["said"]]}


def bulk(count: int) -> dict:
    """Read ``count`` unrepeated reports into a lake on all cores, as the pipeline does; wall time and memory."""
    import resource

    from radia_pipeline.lake.lake import Lake
    from radia_pipeline.reports.extract import extract_mentions

    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.open(Path(folder) / "lake")
        lake.write("reports", report_rows(unrepeated_reports(count)), "ccsmtl")
        begin = time.perf_counter()
        result = extract_mentions("ccsmtl", lake)
        seconds = time.perf_counter() - begin
    memory = {who: resource.getrusage(getattr(resource, who)).ru_maxrss // 1024 for who in MEMORY}
    return {"reports": count, "mentions": result.mentions, "seconds": round(seconds, 1), "peak_mb": memory}


def report_rows(texts: list[str]):
    import pyarrow as pa

    keys = [f"{number:032x}" for number in range(len(texts))]
    count = len(texts)
    return pa.table(
        {
            "source": ["ccsmtl"] * count,
            "study_id": keys,
            "patient_key": keys,
            "report_text": texts,
            "text_sha256": [f"{number:064x}" for number in range(count)],
            "text_count": [1] * count,
        }
    )


def compare(results: dict[str, dict], groups: dict[str, list[tuple]]) -> dict:
    """Speed ratios and quality of each library, per group of texts."""
    kept = {}
    for name, result in results.items():
        speeds, at, by_group = result["reports_per_second"], 0, {}
        for group, rows in groups.items():
            said = result["labels"][at : at + len(rows)]
            at += len(rows)
            by_group[group] = {
                "quality": quality([w for _, _, w in rows], said),
                "right_by_phenomenon": by_phenomenon(rows, said),
            }
        times = {k: round(results["radia"]["reports_per_second"][k] / speed, 2) for k, speed in speeds.items()}
        kept[name] = {
            "version": result["version"],
            "reports_per_second": {k: round(speed) for k, speed in speeds.items()},
            "ours_is_times_as_fast": times,
            **by_group,
        }
        print(f"{name} {result['version']}: {kept[name]['reports_per_second']} reports/s; radia × {times}")
        for group in groups:
            macro = ", ".join(f"{k} F1 {v:.3f}" for k, v in by_group[group]["quality"]["macro"].items())
            print(f"   {group} ({len(groups[group])} texts): {macro}")
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--edsnlp-python")
    parser.add_argument("--medspacy-python")
    parser.add_argument("--reports", type=int, default=3000)
    parser.add_argument("--bulk", type=int, default=0)
    options = parser.parse_args()
    path = HERE / "results" / "labeler.json"
    path.parent.mkdir(exist_ok=True)
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if options.bulk:
        kept["bulk"] = bulk(options.bulk)
        print(kept["bulk"])
    else:
        groups = {"development": list(dev_set()), "blind": list(blind_set())}
        texts = [t for rows in groups.values() for _, t, _ in rows]
        timed = {
            "stock": unrepeated_reports(options.reports),
            "of_new_words": unrepeated_reports(FEW, new_words=True),
        }
        few = {name: reports[:FEW] for name, reports in timed.items()}
        results = {"radia": ours(texts, timed)}
        for name, python in (("edsnlp", options.edsnlp_python), ("medspacy", options.medspacy_python)):
            if python:
                results[name] = other(name, python, texts, few)
        again = ours(texts, timed)["reports_per_second"]
        best = results["radia"]["reports_per_second"]
        results["radia"]["reports_per_second"] = {k: max(again[k], best[k]) for k in best}
        kept = {**compare(results, groups), **({"bulk": kept["bulk"]} if "bulk" in kept else {})}
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
