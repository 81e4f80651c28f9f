"""One call for answers: files told apart by study, judged in worker processes, shown to the models, answered in order.

The one path that a person's call, a program's and the review page take. Files are judged as the ingest judges them, and
only what was let in is shown to the models. Nothing of a file is stored; of identified files not even a name is echoed.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radia_pipeline.errors import BadInput, NotTrained
from radia_pipeline.evaluation.in_use import in_use
from radia_pipeline.lake.lake import Lake
from radia_pipeline.lake.settings import LOCAL
from radia_pipeline.processes.pool import default_workers
from radia_pipeline.processes.where import HERE, where_of
from radia_pipeline.usecases.given_files import files_below, shown
from radia_pipeline.usecases.looking import Asked, Looked, get_ready, looked_at

if TYPE_CHECKING:
    from radia_pipeline.usecases.answer_maps import Mapper
    from radia_pipeline.usecases.answers import Reader
    from radia_pipeline.usecases.dicom_objects import ObjectMaker
    from radia_pipeline.usecases.film_maps import FilmMaps

SCHEMA = "radia answer 1"
ACCEPTED = "DICOM, PNG or JPEG files, and folders of them"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Wish:
    """How files are taken in and what is made of them.

    ``source``: whose de-identification policy holds. ``identified``: files straight from a PACS. ``one_study``: all
    files are films of one study. ``ocr``: one of the policies' modes. ``maps``: a folder for pictures of maps.
    ``wants_pictures``: the stored pictures too, of what was let in. ``dicom``: kinds of DICOM objects that are made of
    answers; ``dicom_out``: a folder for them. ``pool_address``: where files are looked at, None as the lake's settings
    say; identified files stay on this machine.
    """

    source: str = "ccsmtl"
    identified: bool = False
    one_study: bool = False
    ocr: str = "auto"
    maps: Path | None = None
    workers: int | None = None
    pool_address: str | None = LOCAL
    wants_pictures: bool = False
    dicom: tuple[str, ...] = ()
    dicom_out: Path | None = None

    def intake(self) -> dict[str, Any]:
        """Return what decides whether a file is let in and to which study it belongs."""
        return {name: getattr(self, name) for name in ("source", "identified", "one_study", "ocr")}


@dataclass
class Counted:
    """How many studies came to what."""

    studies: int = 0
    answered: int = 0
    refused: int = 0

    def with_(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Count a study's answer and return it."""
        self.studies += 1
        self.answered += answer["status"] == "answered"
        self.refused += answer["status"] == "refused"
        return answer


def together(head: dict[str, Any], studies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return answers to studies as one, below what stands above them and how many came to what."""
    counted = Counted()
    told = [counted.with_(study) for study in studies]
    return {**head, "counted": vars(counted), "studies": told}


@dataclass
class _List:
    """The files of one call, in order, and which of them make up each study: ``studies`` holds places in ``paths``."""

    paths: list[Path]
    studies: list[list[int]] = field(default_factory=list)


class Call:
    """One call: files told apart by study, answers one by one; models are opened at first need."""

    def __init__(
        self,
        lake: Lake,
        given: Sequence[Path | str],
        wish: Wish,
        on_progress: Progress = lambda *_: None,
        *,
        reader: Reader | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        """``reader``: models that are open already. ``names``: how the files are called in answers, one for each."""
        _require_sense(wish)
        in_use(lake)  # raises where nothing answers
        # The header of an identified file names the person anyway.
        self._may_read_text = not wish.identified and wish.ocr != "off"
        self._where = HERE if wish.identified else where_of(lake, wish.pool_address, reads=_folders(given))
        if self._where.is_local:
            get_ready(reads_text=self._may_read_text)
        self._reads_text, self._settled = _about_print(lake, wish)
        self._lake, self._wish, self._on_progress = lake, wish, on_progress
        self.list = _List(_files(given, wish.identified))
        self._workers = min(wish.workers or default_workers(), len(self.list.paths))
        self._salt = secrets.token_hex(16)
        self._reader, self._names = reader, names
        self._drawing: Mapper | None = None
        self._maps_opened: FilmMaps | None = None
        self._objects: ObjectMaker | None = None
        self._tell_apart()

    @property
    def reader(self) -> Reader:
        """The models that answer, opened at first need."""
        if self._reader is None:
            self._reader = open_reader(self._lake, threads=1 if len(self.list.paths) > self._workers else 0)
        return self._reader

    def head(self) -> dict[str, Any]:
        """Return what stands above the answers: notice, model and versions."""
        return head_of(self.reader)

    def answers(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the studies' answers in the order of their first files, from the study numbered ``start`` on."""
        return (answer for answer, _ in self.answers_with_films(start))

    def answers_with_films(self, start: int = 0) -> Iterator[tuple[dict[str, Any], list[tuple[str, Looked]]]]:
        """Do as ``answers`` does; yield (answer, (name, what came of the file) in order) of each study."""
        studies, reader = self.list.studies[start:], self.reader
        total = sum(map(len, studies))
        looked = looked_at(
            (self._asked(place) for study in studies for place in study),
            workers=self._workers,
            reads_text=self._may_read_text,
            settled=self._settled,
            where=self._where,
        )
        done = 0
        for number, study in enumerate(studies, start + 1):
            found = [(self._name(place), next(looked)) for place in study]
            yield self._answer(reader, number, study, found), found
            done += len(study)
            self._on_progress("films", done, total)

    def names(self, study: int) -> list[str]:
        """Return how the files of a study are called in answers."""
        return [self._name(place) for place in self.list.studies[study]]

    def _answer(
        self, reader: Reader, number: int, places: list[int], found: list[tuple[str, Looked]]
    ) -> dict[str, Any]:
        answer = reader.answer(number, found)
        if self._wish.maps is not None and answer["status"] == "answered":
            answer["maps"] = self._mapper(self._wish.maps).draw(answer, found)
        if self._wish.dicom_out is not None:
            self._file_objects(self._wish.dicom_out, answer, places, found)
        return answer

    def _mapper(self, folder: Path) -> Mapper:
        if self._drawing is None:
            from radia_pipeline.usecases.answer_maps import Mapper

            self._drawing = Mapper(self._film_maps, folder)
        return self._drawing

    def _file_objects(
        self, folder: Path, answer: dict[str, Any], places: list[int], found: list[tuple[str, Looked]]
    ) -> None:
        """Write a study's DICOM objects; the answer says where they are, or why there are none."""
        from radia_pipeline.usecases.dicom_objects import ObjectMaker, opened_folder, write_objects

        if self._objects is None:
            maps = self._film_maps if "gsps" in self._wish.dicom else None
            self._objects = ObjectMaker(self.head(), self._wish.dicom, maps)
        films = [(self.list.paths[place], name, looked) for place, (name, looked) in zip(places, found, strict=True)]
        made, lack = self._objects.make(answer, films)
        answer["objects"] = write_objects(opened_folder(folder), answer["study"], made)
        if lack is not None:
            answer["no_objects"] = lack

    @property
    def _film_maps(self) -> FilmMaps:
        """What finds maps, opened at first need; needs torch."""
        if self._maps_opened is None:
            from radia_pipeline.usecases.film_maps import FilmMaps

            self._maps_opened = FilmMaps(self._lake, self.reader)
        return self._maps_opened

    def _asked(self, place: int, *, only_study: bool = False) -> Asked:
        sides = () if only_study else self.reader.sides_px
        wish = self._wish
        return Asked(
            str(self.list.paths[place].absolute()),
            wish.source,
            wish.identified,
            self._reads_text,
            sides,
            wish.maps is not None or wish.wants_pictures or bool(wish.dicom),
            self._salt,
            only_study,
            threads=max(1, default_workers() // self._workers),
            wants_seal=bool(wish.dicom),
        )

    def _name(self, place: int) -> str:
        if self._names is not None:
            return self._names[place]
        return f"image {place + 1}" if self._wish.identified else shown(self.list.paths[place])

    def _tell_apart(self) -> None:
        """Gather the files of each study by the UIDs in their headers; a file without one is a study of its own."""
        places = range(len(self.list.paths))
        if self._wish.one_study or len(places) == 1:
            self.list.studies = [list(places)]
            return
        studies: dict[str, list[int]] = {}
        asked = (self._asked(place, only_study=True) for place in places)
        for place, looked in enumerate(
            looked_at(asked, workers=self._workers, reads_text=self._may_read_text, where=self._where)
        ):
            studies.setdefault(looked.study or f"file {place}", []).append(place)
            self._on_progress("headers", place + 1, len(places))
        self.list.studies = list(studies.values())


def _folders(given: Sequence[Path | str]) -> list[Path]:
    """Return the folders that nodes must see to read what was given."""
    return sorted({path if path.is_dir() else path.absolute().parent for path in map(Path, given)})


def head_of(reader: Reader) -> dict[str, Any]:
    """Return what stands above the answers of these models: notice, model and versions."""
    from radia_pipeline import __version__
    from radia_pipeline.contracts.vocabulary import vocabulary
    from radia_pipeline.dicom.rules_version import RULES_VERSION
    from radia_pipeline.usecases.answers import NOTICE

    ready = reader.ready
    threshold = ready.threshold
    return {
        "schema": SCHEMA,
        "notice": NOTICE,
        "model": reader.model(),
        "versions": {"radia": __version__, "vocabulary": vocabulary().version, "rules": RULES_VERSION},
        "unfamiliar": {
            "false_alarms": round(threshold.false_alarms, 6),
            "low": round(threshold.low, 6),
            "high": round(threshold.high, 6),
            "films": threshold.films,
        },
    }


def open_reader(lake: Lake, *, threads: int = 0) -> Reader:
    """Open what answers: the ensemble and, where the lake has one, its detector; makes what is missing, once."""
    from radia_pipeline.detection.identity import latest_detector
    from radia_pipeline.detection.onnx_model import ONNX_FILE, OnnxDetector
    from radia_pipeline.evaluation.answering import answering
    from radia_pipeline.processes.progress import say
    from radia_pipeline.usecases.answers import Reader

    ready = answering(lake, threads=threads, speak=say)
    try:
        folder = latest_detector(lake)
    except NotTrained:
        return Reader(ready)
    if not (folder / ONNX_FILE).exists():
        from radia_pipeline.detection.export import export_onnx

        export_onnx(folder)
    return Reader(ready, OnnxDetector.load(folder, threads=threads), folder.name)


def _about_print(lake: Lake, wish: Wish) -> tuple[bool, frozenset[str]]:
    """Return whether print is looked for, and the hashes of the files of which a person has said that it is clean."""
    from radia_pipeline.dicom.settlements import settled
    from radia_pipeline.privacy.policy import reads_pixels

    reads_text = reads_pixels(wish.source, wish.ocr) and not wish.identified
    return reads_text, settled(lake, wish.source) if reads_text else frozenset()


def _require_sense(wish: Wish) -> None:
    if wish.identified and wish.maps is not None:
        raise BadInput(
            "Maps of identified films would be written", do="leave out --maps: nothing of them is ever written"
        )


def _files(given: Sequence[Path | str], is_identified: bool) -> list[Path]:
    """Return the files named, and those inside folders, in order; raises BadInput where nothing is there."""
    if "" in given:
        raise BadInput("A path is empty", accepted=ACCEPTED)
    paths = list(map(Path, given))
    if is_identified and not all(map(os.path.lexists, paths)):
        raise BadInput("There is no file of a name that was given", accepted=ACCEPTED)
    found = files_below(paths)
    if not found:
        raise BadInput("There are no files", accepted=ACCEPTED)
    return found
