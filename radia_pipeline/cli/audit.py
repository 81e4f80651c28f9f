"""``radia audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from radia_pipeline.cli.options import FilePath, json_option, ocr_option, pool_option
from radia_pipeline.cli.output import print_json, print_result
from radia_pipeline.errors import BadInput

_FILE = FilePath(dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, required=True, type=FilePath())
@click.option("--source", default="ccsmtl", show_default=True, help="Whose de-identification policy applies.")
@click.option("--explain", is_flag=True, help="Show which rule judged which bytes of each DICOM file.")
@click.option("--propose", is_flag=True, help="Write a policy that would admit this delivery's devices, to --out.")
@click.option("--out", type=_FILE, help="Where --propose writes: a new file outside the lake.")
@click.option("--policy", type=_FILE, help="Try a policy file: how many files pass, and what stops the rest.")
@ocr_option("auto", "Search pixels for burned-in text; off looks at headers only.")
@pool_option
@json_option
def audit(files: tuple[Path, ...], source: str, ocr: str, pool_address: str | None, as_json: bool, **ways: Any) -> None:
    """Are these files de-identified? Exit code 1 if not.

    FILES are DICOM files, report tables (CSV), and folders of them. A line for each finding names place and rule, never
    the value. --explain, --propose and --policy tell and do not judge.
    """
    if sum(map(bool, (ways["explain"], ways["propose"], ways["policy"]))) > 1 or bool(ways["out"]) != ways["propose"]:
        raise BadInput(
            "These options do not go together", accepted="--explain, or --propose with --out FILE, or --policy FILE"
        )
    if ways["propose"]:
        _propose(files, source, ways["out"], as_json)
    elif ways["policy"]:
        _try(files, ways["policy"], as_json)
    elif ways["explain"]:
        _explain(files, source, as_json)
    else:
        _judge(files, source, ocr, pool_address, as_json)


def _judge(files: tuple[Path, ...], source: str, ocr: str, pool_address: str | None, as_json: bool) -> None:
    from radia_pipeline.usecases.audit import audit_files
    from radia_pipeline.usecases.given_files import shown

    found = {}
    for file, findings in audit_files(files, source, ocr_mode=ocr, pool_address=pool_address):
        found[shown(file)] = findings
        if not as_json:
            click.echo(f"{shown(file)}: " + (f"{len(findings)} findings" if findings else "de-identified"))
            for finding in findings:
                click.echo(f"  {finding}")
    if as_json:
        print_json({"files": found})
    if any(found.values()):
        raise click.exceptions.Exit(1)


def _explain(files: tuple[Path, ...], source: str, as_json: bool) -> None:
    from radia_pipeline.drawing.text import table
    from radia_pipeline.usecases.audit import explain
    from radia_pipeline.usecases.given_files import shown

    ledgers = {shown(path): lines for path, lines in explain(files, source)}
    names = ["element", "rule", "verdict", "bytes"]
    told = (f"{path}\n" + table(names, lines) for path, lines in ledgers.items())
    rows = {path: [dict(zip(names, line, strict=True)) for line in lines] for path, lines in ledgers.items()}
    print_result({"files": rows}, "\n\n".join(told), as_json)


def _propose(files: tuple[Path, ...], source: str, out: Path, as_json: bool) -> None:
    from radia_pipeline.usecases.policy_proposal import propose

    made = propose(files, source, out)
    print_result(
        vars(made),
        f"{made.files} files: {made.values} values that the policy does not admit, {made.admitted} of them proposed.\n"
        f"Policy: {out}; every value with its counts: {out}.seen.csv",
        as_json,
    )


def _try(files: tuple[Path, ...], policy: Path, as_json: bool) -> None:
    from radia_pipeline.usecases.policy_proposal import try_policy

    trial = try_policy(files, policy)
    stops = "".join(f"\n  {count} files: {stop}" for stop, count in trial.stops.items())
    shown = f"{trial.passed} of {trial.files} DICOM files pass (headers and codestreams){stops}"
    print_result(vars(trial), shown, as_json)
