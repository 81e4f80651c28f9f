"""The notebook of the tour is that of its script, and says nothing of the machine on which it was made.

That every cell runs on a lake and shows something: ``defs/test_end_to_end.py``.
"""

from __future__ import annotations

import base64
import io
import json

import numpy as np
from PIL import Image

from radia_pipeline_tests.tour import NOTEBOOK, cells

BOOK = json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def test_the_notebook_has_the_cells_of_the_script_with_what_they_show():
    assert [(one["cell_type"] == "code", "".join(one["source"])) for one in BOOK["cells"]] == cells()
    assert all(one["outputs"] for one in BOOK["cells"] if one["cell_type"] == "code")
    assert NOTEBOOK.stat().st_size < 700_000


def test_its_pictures_show_something_and_no_path_stands_in_it():
    shown = [out["data"] for one in BOOK["cells"] for out in one.get("outputs", ())]
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(one["image/png"]))).convert("L"))
        for one in shown
        if "image/png" in one
    ]
    assert len(pictures) == 4
    assert all(picture.std() > 20 for picture in pictures)
    assert not [one for one in shown if "/home/" in str(one.get("text/html")) or "/tmp/" in str(one.get("text/html"))]
