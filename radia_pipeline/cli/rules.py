"""``radia rules``: what the rules of the report labeler do, form by form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from radia_pipeline.cli.options import FilePath, json_option
from radia_pipeline.cli.output import print_result

if TYPE_CHECKING:
    from radia_pipeline.reports.explain import Explanation


@click.group()
def rules() -> None:
    """See what a form of the report rules does."""


@rules.command("show")
@click.argument("form")
@click.option("--texts", type=FilePath(), help="Reports to look through, a file as `radia label` takes it.")
@click.option("--most", default=5, show_default=True, help="Texts that are shown of those that a form decides.")
@json_option
def show(form: str, texts: Path | None, most: int, as_json: bool) -> None:
    """Say what FORM does and where it decides.

    FORM is written as in lexicon.yaml or cues.yaml, or is what a report says ("pas d'argument pour"). Each form that
    stands for it is shown: its rule and kind, a sentence that is read otherwise without it, the written sentences of
    the rule, and which texts have other labels without it: of all rules' written sentences, or of --texts.
    """
    from radia_pipeline.reports.explain import explain, find, written_texts
    from radia_pipeline.reports.files import read_report_file
    from radia_pipeline.reports.french import FRENCH
    from radia_pipeline.reports.rules import rulebook

    looked = [text for _, text in read_report_file(texts)] if texts else written_texts(FRENCH)
    found = [explain(rule, form, FRENCH, looked) for rule, form in find(form, rulebook(FRENCH))]
    content = [as_content(one) for one in found]
    print_result({"forms": content}, "\n\n".join(shown(one, most, len(looked)) for one in content), as_json)


def as_content(one: Explanation) -> dict[str, Any]:
    """Return an explanation as it goes into JSON."""
    return {
        "rule": one.rule.id,
        "kind": one.rule.kind,
        "does": one.does,
        "reason": one.rule.reason,
        "classes": list(one.rule.classes),
        "form": one.form,
        "example": None if one.example is None else vars(one.example),
        "fires": [{"text": text, "labels": said} for text, said in one.written.fires],
        "spares": [{"text": text, "labels": said} for text, said in one.written.spares],
        "decides": [vars(decided) for decided in one.decides],
    }


def shown(one: Mapping[str, Any], most: int, texts: int) -> str:
    """Return an explanation as a person reads it."""
    classes = f" ({', '.join(one['classes'])})" if one["classes"] else ""
    lines = [
        f"{one['form']}",
        f"  rule {one['rule']}{classes}: {one['reason']}",
        f"  kind {one['kind']}: {one['does']}",
    ]
    if one["example"] is not None:
        lines += ["  for example", *_decided(one["example"])]
    for key, title in (("fires", "the rule decides in"), ("spares", "and not in")):
        lines.append(f"  {title}")
        lines += [f"    {row['text']}  →  {_said(row['labels'])}" for row in one[key]]
    lines.append(f"  decides {len(one['decides'])} of {texts} texts")
    for decided in one["decides"][:most]:
        lines += _decided(decided)
    return "\n".join(lines)


def _decided(row: Mapping[str, Any]) -> list[str]:
    with_it, without = _said(row["labels"]), _said(row["without"])
    if row["labels"] == row["without"]:
        with_it += f" ({', '.join(row['rules'])})"
        without = f"the same labels by other rules ({', '.join(row['rules_without'])})"
    return [f"    {' '.join(row['text'].split())}  →  {with_it}", f"      without it: {without}"]


def _said(labels: Mapping[str, int | None]) -> str:
    return ", ".join(f"{name} {'blank' if value is None else value}" for name, value in labels.items()) or "no label"
