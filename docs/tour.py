# %% [markdown]
# # A tour of a lake
#
# Tests count; pictures show what nobody thought of counting. A label can be right in every table and stand on the wrong
# film, a batch can be normalised twice, a box can lie mirrored: each of these has happened, passed every test, and was
# seen in a second by somebody who looked. So look, after each large change and at each new hospital's delivery.
#
# This page is made of `docs/tour.py`, which runs on any lake: `RADIA_LAKE` names it, by default the demo's. Here it is
# the full demo's, whose patients are invented. Pictures of real patients stay in the lake: no notebook with outputs of
# a hospital's lake is passed on.

# %%
import html
import io
import os

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from radia_pipeline import Lake
from radia_pipeline.drawing.montage import Tile, fitted, montage

lake = Lake.open(os.environ.get("RADIA_LAKE", ".radia/demo"), create=False)
manifest = lake.frame("manifest")
manifest.groupby(["source", "pool"]).size().unstack(fill_value=0)

# %% [markdown]
# `Lake.frame` is a table as pandas reads it. Every reading proves that the file is what was published. Restricted
# columns (the text of reports, delivered paths) come only when they are named.
#
# ## One study
#
# Of the training pool, with a report and the most to say.

# %%
labels, images = lake.frame("labels", "ccsmtl"), lake.frame("images", "ccsmtl")
mentions, boxes = lake.frame("report_mentions", "ccsmtl"), lake.frame("pseudo_boxes", "ccsmtl")
placed = manifest[(manifest["source"] == "ccsmtl") & (manifest["pool"] == "train") & manifest["excluded"].isna()]
found = labels[(labels["value"] == 1) & labels["study_id"].isin(placed["study_id"])].groupby("study_id").size()
boxed = boxes.groupby("study_id").size().reindex(found.index, fill_value=0)
study = pd.DataFrame({"boxes": boxed > 0, "found": found}).sort_values(["boxes", "found"]).index[-1]
films = images[images["study_id"] == study]
films[
    ["view", "width_px", "height_px", "bits_stored", "photometric", "manufacturer", "device_model", "flags"]
].transpose()


# %% [markdown]
# Stored pictures are 16-bit grey, bright is dense, whatever the delivered file said. A monitor shows 8 of them: from
# the darkest to the brightest 1 % here.


# %%
def shown(path: str, side_px: int = 460) -> np.ndarray:
    """Return a stored picture as (h, w, 3) uint8."""
    stored = np.asarray(Image.open(lake.root / path)).astype(np.float32)
    low, high = np.percentile(stored, (1, 99))
    grey = (np.clip((stored - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)
    return fitted(np.repeat(grey[..., None], 3, axis=2), side_px)


tiles = [
    Tile([shown(film.path)], [(f"{film.view}, {film.width_px} × {film.height_px} px", "plain")])
    for film in films.itertuples()
]
Image.open(io.BytesIO(montage(tiles, width_px=1000)))

# %% [markdown]
# ## Its report, with the evidence
#
# Each mention is a span of the text: hover to see class and rule. Green is affirmed, red denied, yellow uncertain, grey
# says nothing of today.

# %%
report = lake.frame("reports", "ccsmtl", ["study_id", "report_text"]).set_index("study_id").loc[study, "report_text"]
said = mentions[mentions["study_id"] == study]
INKS = {1: "#bfe5bf", 0: "#f3c4c4", -1: "#f6e7a1"}


class Page(str):
    """HTML that a notebook shows as such."""

    def _repr_html_(self) -> str:
        return str(self)


def marked(text: str) -> Page:
    """Return the report with its mentions marked; where spans overlap the first one counts."""
    parts, at = [], 0
    for one in said.sort_values("span_start").itertuples():
        if one.span_start < at:
            continue
        ink = "#dddddd" if pd.isna(one.status) else INKS[int(one.status)]
        words = html.escape(text[one.span_start : one.span_end])
        parts += [html.escape(text[at : one.span_start])]
        parts += [f'<mark style="background:{ink};color:#000" title="{one[5]}: {one.rule_id}">{words}</mark>']
        at = one.span_end
    return Page(f'<div style="white-space:pre-wrap;max-width:46em">{"".join(parts)}{html.escape(text[at:])}</div>')


marked(report)

# %% [markdown]
# What a rule read, where, and by which words:

# %%
evidence = said.assign(words=[report[a:b] for a, b in zip(said["span_start"], said["span_end"], strict=True)])
evidence[["section", "words", "class", "status", "cue", "rule_id"]]

# %% [markdown]
# ## Its labels
#
# `said` is the report's word, `value` what follows from it: a child that is present raises its parents.

# %%
of_study = labels[(labels["study_id"] == study) & (labels["said"].notna() | labels["value"].notna())]
of_study[["class", "said", "value", "origin"]]

# %% [markdown]
# ## Its pool
#
# Drawn once from a salted hash of the patient's group, and kept for ever.

# %%
splits = lake.frame("splits")
splits[splits["patient_key"] == films["patient_key"].iloc[0]][["pool", "fold", "reason", "excluded"]]

# %% [markdown]
# ## The batch, as the model sees it
#
# Each training writes its first batch as a picture: after the packing to its size, the augmentation and the
# normalisation. Is the film upright and whole? Are left and right where they were? Is the range that of the heading? Do
# the yellow targets fit what is to be seen?

# %%
batches = sorted((lake.previews_dir / "batches").glob("*.png"))
batch = Image.open(batches[0]).convert("RGB")
batch = batch.crop((0, 0, batch.width, min(batch.height, 560)))
batch.resize((1000, round(batch.height * 1000 / batch.width)), Image.Resampling.LANCZOS)

# %% [markdown]
# ## Its boxes
#
# Drawn by nobody: saliency maps of the classifiers, cut where they are strong, for classes that are present. They lie
# in pixels of the stored picture. Look whether they lie on what they name: here not every one does.


# %%
def with_boxes(film, side_px: int = 460) -> Tile:
    """Return a film with its pseudo boxes and their scores."""
    picture = Image.fromarray(shown(film.path, max(film.width_px, film.height_px)))
    pen, captions = ImageDraw.Draw(picture), []
    best = boxes[boxes["image_id"] == film.image_id].sort_values("score", ascending=False).head(4)
    for box in best.to_dict("records"):
        pen.rectangle(
            (box["x_px"], box["y_px"], box["x_px"] + box["width_px"], box["y_px"] + box["height_px"]),
            outline=(240, 220, 60),
            width=2,
        )
        pen.text((box["x_px"] + 3, box["y_px"] + 2), box["class"], fill=(240, 220, 60))
        captions.append((f"{box['class']} {box['score']:.2f}", "accent"))
    return Tile([fitted(np.asarray(picture), side_px)], captions or [("no box", "muted")])


Image.open(io.BytesIO(montage([with_boxes(film) for film in films.itertuples()], width_px=1000)))

# %% [markdown]
# ## A class at a glance
#
# Eight frontal films of the training pool whose label says *Pleural Effusion*, and eight that say there is none. Who
# knows films sees in a moment whether the two rows differ, and whether one film is upside down.


# %%
def row_of(value: int) -> list[Tile]:
    """Return eight films of one label, the same ones every time."""
    frontal = placed[placed["view"] != "LATERAL"]
    chosen = frontal[frontal["Pleural Effusion"] == value].sort_values("image_id").head(8)
    return [Tile([shown(film.path, 118)], [("effusion" if value else "none", "plain")]) for film in chosen.itertuples()]


Image.open(io.BytesIO(montage([*row_of(1), *row_of(0)], width_px=1020)))
