"""Answers in words for a terminal. The cut of each class stands in the middle of its bar: right of it is called."""

from __future__ import annotations

from typing import Any

from radia_pipeline.drawing.text import table
from radia_pipeline.evaluation.champion import STANDINGS
from radia_pipeline.evaluation.in_use import CHAMPION

BAR = 20
"""Characters of a bar; its half is the class's threshold."""
MOST_BOXES = 5
LEGEND = (
    "P: calibrated probability. Cut: from there on a class is called (●); it stands in the middle of the bar.\n"
    "So far: how many of the validation studies with about this probability had it (95 %)."
)
_FULL, _REST, _CUT = "█", "·", "┃"


def as_text(answer: dict[str, Any]) -> str:
    """Return a whole answer: each study, likeliest class first in its part, and at the end who answered."""
    studies = answer["studies"]
    parts = [study_text(study, len(studies)) for study in studies]
    told = [LEGEND] if answer["counted"]["answered"] else []
    return "\n\n".join([*parts, *told, foot(answer)])


def counts_text(answer: dict[str, Any]) -> str:
    """Return what became of answers that were written into a file."""
    counted = answer["counted"]
    told = f"{counted['studies']} studies: {counted['answered']} answered, {counted['refused']} refused."
    return f"{told} {answer['out']}\n{foot(answer)}"


def foot(answer: dict[str, Any]) -> str:
    """Return who answered, and what it is for."""
    model, versions = answer["model"], answer["versions"]
    members = ", ".join(f"{name} {fingerprint[:8]}" for name, fingerprint in model["members"].items())
    detector = f", detector {model['detector'][:8]}" if model["detector"] else ""
    return (
        f"Model: {_who(model)} ({model['rule']} of {members}){detector}\n"
        f"Vocabulary {versions['vocabulary']}, rules {versions['rules']}, radia {versions['radia']}\n"
        f"{answer['notice'].capitalize()}."
    )


def _who(model: dict[str, Any]) -> str:
    if model["kind"] != CHAMPION:
        return f"ensemble {model['ensemble'][:8]}"
    shift = f"; stated shift: {model['stated_shift']}" if model["stated_shift"] else ""
    return f"champion {model['release'][:8]}, {STANDINGS[model['standing']]}{shift}"


def study_text(study: dict[str, Any], of: int) -> str:
    """Return one study."""
    head = f"Study {study['study']} of {of}" if of > 1 else "Study"
    lines = [head + (f": {', '.join(study['views'])}" if study["views"] else ": no answer")]
    lines += [line for file in study["files"] for line in _file_lines(file)]
    if study["status"] == "answered":
        lines.append(_figures(study))
        lines += [_box_line(box) for box in study["boxes"] if box["class"] in study["called"]][:MOST_BOXES]
        lines += [_map_line(one) for one in study.get("maps", ())]
    lines += [f"  Object {one['kind']}: {one['file']}" for one in study.get("objects", ())]
    if lack := study.get("no_objects"):
        lines.append(f"  No DICOM object: {lack['means']}. Do: {lack['do']}")
    return "\n".join(lines)


def _file_lines(file: dict[str, Any]) -> list[str]:
    if file["reason"] is not None:
        detail = f" ({file['detail']})" if file["detail"] else ""
        return [f"  {file['file']}: refused, {file['reason']}{detail}: {file['means']}", f"    Do: {file['do']}"]
    used = "" if file["used"] else ", not used"
    lines = [f"  {file['file']}: {file['view']}{used}"]
    return lines + [f"    Flag {flag['flag']}: {flag['means']}. Do: {flag['do']}" for flag in file["flags"]]


def _figures(study: dict[str, Any]) -> str:
    """Normal and abnormal first, then groups, then pathologies."""
    parts = [[study["abnormal"], study["normal"]], _ordered(study["groups"]), _ordered(study["classes"])]
    rows = [_row(row) for part in parts for row in part]
    title = "not called".rjust(BAR // 2) + _CUT + "called"
    return table(["", "class", title, "P", "cut", "so far"], rows)


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -1.0 if row["probability"] is None else row["probability"], reverse=True)


def _row(row: dict[str, Any]) -> list[object]:
    if row["status"] == "unknown":
        return ["", row["class"], "unknown: no source labels it", "", "", ""]
    mark = "●" if row["called"] else ""
    cut = "–" if row["threshold"] is None else f"{row['threshold']:.3f}"
    shown = bar(row["probability"], row["threshold"]) if row["threshold"] is not None else "no positive to judge it by"
    return [mark, row["class"], shown, f"{row['probability']:.3f}", cut, _so_far(row["so_far"])]


def bar(probability: float, threshold: float) -> str:
    """Return a bar whose middle is the threshold: its left half is 0 to the cut, its right half the cut to 1."""
    half = BAR // 2
    if probability < threshold:
        full = min(half, int(half * probability / threshold))
        return _FULL * full + _REST * (half - full) + _CUT + _REST * half
    beyond = 1.0 if threshold >= 1 else (probability - threshold) / (1 - threshold)
    full = min(half, int(half * beyond))
    return _FULL * half + _CUT + _FULL * full + _REST * (half - full)


def _so_far(found: dict[str, Any] | None) -> str:
    """Return how many of the validation studies of about this probability had the finding."""
    if found is None:
        return "too few"
    return f"{found['share']:.0%} ({found['low']:.0%}–{found['high']:.0%}) of {found['studies']}"


def _box_line(box: dict[str, Any]) -> str:
    place = ", ".join(f"{box[name]:.0f}" for name in ("x_px", "y_px", "width_px", "height_px"))
    return f"  Box {box['class']} {box['score']:.2f} at {place} px of {box['file']}"


def _map_line(one: dict[str, Any]) -> str:
    warning = f": {one['warning']}" if one["warning"] else ""
    return f"  Map {one['class']}: {one['picture']}{warning}"
