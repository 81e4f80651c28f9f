"""Pascal VOC: ``Annotations/<image_id>.xml`` for each image, corners in pixels; edges, so that a box over the whole of
a W x H image is (0, 0, W, H)."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from radia_pipeline.labels.box_files.shared import (
    FileBox,
    FileBoxes,
    Members,
    Pictures,
    files_under,
    image_of,
    read_text,
    unfit,
)
from radia_pipeline.lake import atomic

FOLDER = "Annotations"
CORNERS = ("xmin", "ymin", "xmax", "ymax")


def write(pictures: Pictures, members: Members, out_dir: Path) -> Path:
    """Write a file for each image, also for those that show nothing; returns their folder."""
    for picture in pictures:
        root = ElementTree.Element("annotation")
        _put(root, "folder", picture["pool"])
        _put(root, "filename", Path(picture["path"]).name)
        _put(root, "path", picture["path"])
        size = ElementTree.SubElement(root, "size")
        for name, value in (("width", picture["width_px"]), ("height", picture["height_px"]), ("depth", 1)):
            _put(size, name, value)
        for row in members[picture["image_id"]]:
            found = ElementTree.SubElement(root, "object")
            _put(found, "name", row["class"])
            if "score" in row:
                _put(found, "score", repr(float(row["score"])))
            box = ElementTree.SubElement(found, "bndbox")
            x, y, width, height = (float(row[name]) for name in ("x_px", "y_px", "width_px", "height_px"))
            for name, value in zip(CORNERS, (x, y, x + width, y + height), strict=True):
                _put(box, name, repr(value))
        ElementTree.indent(root)
        text = ElementTree.tostring(root, encoding="unicode") + "\n"
        atomic.write_text(out_dir / FOLDER / f"{picture['image_id']}.xml", text)
    return out_dir / FOLDER


def read(path: Path) -> FileBoxes:
    """Read the folder of XML files, or the folder above it. A file that declares entities is refused."""
    folder = path / FOLDER if (path / FOLDER).is_dir() else path
    boxes, images = [], set()
    for file in files_under(folder, "*.xml", "annotations"):
        text = read_text(file)
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise unfit("a declaration of entities", "plain Pascal VOC")
        try:
            root = ElementTree.fromstring(text)
            image = image_of(root.findtext("filename") or file.name)
            frame = (float(root.findtext("size/width") or ""), float(root.findtext("size/height") or ""))
            images.add(image)
            for found in root.iter("object"):
                left, top, right, bottom = (float(found.findtext(f"bndbox/{name}") or "") for name in CORNERS)
                edges = (left, top, right - left, bottom - top)
                boxes.append(FileBox(image, found.findtext("name") or "", edges, frame))
        except (ElementTree.ParseError, TypeError, ValueError):
            raise unfit("an annotation of another form", "Pascal VOC") from None
    return FileBoxes(frozenset(images), tuple(boxes))


def _put(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = str(value)
