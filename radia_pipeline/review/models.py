"""The models of a lake, opened once and warm: answers for studies of the lake and for films that were sent, and maps.

What is computed is ``usecases``'; here is what one server keeps of it: open models, the latest answers and maps of
studies of the lake (of films that were sent nothing is kept), and the ledger's entry where test studies are shown.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.errors import NotTrained
from radia_pipeline.evaluation.pool_uses import note_use
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.studies import LATERAL
from radia_pipeline.usecases import looking, native_pixels
from radia_pipeline.usecases.asking import Call, Wish, head_of, open_reader, together
from radia_pipeline.usecases.held_bytes import HeldBytes
from radia_pipeline.usecases.lake_studies import LakeStudies
from radia_pipeline.usecases.looking import Looked

if TYPE_CHECKING:
    from radia_pipeline.usecases.answers import Reader
    from radia_pipeline.usecases.film_maps import FilmMaps

T = TypeVar("T")
MOST_ANSWERS, MOST_MAPS = 256, 64
"""Answers (some 10 kB each) and films' maps (some 300 kB) that are kept."""
SHOWN = "shown to a reader"


class Kept:
    """The latest results of something, at most so many; several threads may ask, and may make the same one twice."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._held: OrderedDict[Hashable, Any] = OrderedDict()

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is kept under a key, made where nothing is."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        made = make()
        with self._lock:
            self._held[key] = made
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made


@dataclass(frozen=True)
class Answered:
    """An answer to films that were sent, with what came of each film by its name."""

    answer: dict[str, Any]
    films: dict[str, Looked]


def _names(held: HeldBytes) -> list[str]:
    """Return how films that were sent are called."""
    return [f"image {number}" for number in range(1, len(held.paths) + 1)]


class Models:
    """What answers in one server; before ``open`` it answers nothing, nor in a lake without an ensemble."""

    def __init__(self, lake: Lake, studies: LakeStudies) -> None:
        self._lake, self._studies = lake, studies
        self._reader: Reader | None = None
        self._film_maps: FilmMaps | None = None
        self._answers, self._maps = Kept(MOST_ANSWERS), Kept(MOST_MAPS)
        self._noted: set[str] = set()
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether there are models and they are open."""
        return self._reader is not None

    @property
    def reader(self) -> Reader:
        """The models; raises NotTrained where there are none."""
        if self._reader is None:
            raise NotTrained("This lake has no ensemble yet", do="train it with `radia run` or `radia demo`")
        return self._reader

    def open(self) -> None:
        """Open models and codecs, and answer once, so that the first request is as fast as the next."""
        looking.get_ready(reads_text=True)
        looking.get_ready(reads_text=False)
        native_pixels.get_ready()
        try:
            reader = open_reader(self._lake)
        except NotTrained:
            return
        from radia_pipeline.usecases.film_maps import FilmMaps

        self._film_maps, self._reader = FilmMaps(self._lake, reader), reader
        self._warm_up()

    def _warm_up(self) -> None:
        """Take a film of the lake through models, maps and workers; nothing is kept, and nobody is shown it."""
        for row in self._studies.some_images():
            film = self._looked(row)
            if film.reason is None:
                self.reader.answer(1, [(row["image_id"], film)])
                self._maps_of(row["image_id"], film)
            with HeldBytes([self._studies.stored_path(row).read_bytes()]) as held:
                for ocr in ("auto", "off"):
                    list(self._call(held, Wish(ocr=ocr)).answers())
                native_pixels.native_film(held.paths[0])

    def head(self) -> dict[str, Any] | None:
        """Return what stands above every answer: notice, model and versions; None where there are no models."""
        return head_of(self.reader) if self._reader is not None else None

    # --- the lake's own studies -------------------------------------------------------------------------------------
    def answer(self, study_id: str, who: str) -> dict[str, Any] | None:
        """Return the answer to a study of the lake as ``answer.schema.json`` has it; None for no study.

        That ``who`` is shown what the models say of a test study is noted in the ledger of the test pool.
        """
        from radia_pipeline.usecases.lake_answers import answer_of

        rows, reader = self._studies.images_of(study_id), self.reader
        if not rows:
            return None
        self._note(rows[0], who)
        key = (study_id, tuple(row["pixel_sha256"] for row in rows))
        return self._answers.of(key, lambda: answer_of(reader, [(row["image_id"], self._looked(row)) for row in rows]))

    def maps(self, row: dict[str, Any], who: str) -> dict[str, Any] | None:
        """Return the maps of an image of the lake; None for a lateral one, and for one that no model looks at."""
        _ = self.reader
        film = None if row["view"] == LATERAL else self._looked(row)
        if film is None or film.reason is not None:
            return None
        self._note(row, who)
        key = (row["image_id"], row["pixel_sha256"])
        return self._maps.of(key, lambda: self._maps_of(row["image_id"], film))

    def _looked(self, row: dict[str, Any]) -> Looked:
        from radia_pipeline.usecases.lake_answers import looked_of

        return looked_of(row, self._studies.stored_path(row), self.reader.sides_px)

    def _note(self, row: dict[str, Any], who: str) -> None:
        """Write down, once for each study of a server's life, that scores of the test pool are shown."""
        study = row["study_id"]
        with self._lock:  # what could not be noted is not shown, neither now nor when it is asked for again
            if study in self._noted:
                return
            if self._studies.pool_of(row) == TEST:
                note_use(self._lake, SHOWN, self.reader.ready.using.ensemble_version, 1, who=who)
            self._noted.add(study)

    # --- films that were sent ---------------------------------------------------------------------------------------
    def answer_films(self, held: HeldBytes, wish: Wish) -> Answered:
        """Answer films that are held in memory; they are called ``image 1`` and so on."""
        call = self._call(held, wish)
        films: dict[str, Looked] = {}
        studies = []
        for answer, found in call.answers_with_films():
            studies.append(answer)
            films |= dict(found)
        return Answered(together(call.head(), studies), films)

    def _call(self, held: HeldBytes, wish: Wish) -> Call:
        return Call(self._lake, held.paths, wish, reader=self.reader, names=_names(held))

    def map_pictures(self, found: Answered) -> None:
        """Put pictures of the maps of called classes into an answer, as data addresses."""
        import base64

        from radia_pipeline.usecases.answer_maps import pictures

        for study in found.answer["studies"]:
            if study["status"] == "answered":
                named = [(file["file"], found.films[file["file"]]) for file in study["files"]]
                study["maps"] = [
                    {**told, "picture": "data:image/png;base64," + base64.b64encode(png).decode("ascii")}
                    for _, told, png in pictures(self._maps_opened, study, named)
                ]

    def film_objects(self, found: Answered, held: HeldBytes, kinds: Sequence[str]) -> list[tuple[str, bytes]]:
        """Return the DICOM objects of studies with their Content-IDs, by which the answer then names them."""
        from radia_pipeline.usecases.dicom_objects import GSPS, ObjectMaker

        maker = ObjectMaker(head_of(self.reader), kinds, self._maps_opened if GSPS in kinds else None)
        paths, objects = dict(zip(_names(held), held.paths, strict=True)), []
        for study in found.answer["studies"]:
            names = [file["file"] for file in study["files"]]
            made, lack = maker.make(study, [(paths[name], name, found.films[name]) for name in names])
            study["objects"] = []
            if lack is not None:
                study["no_objects"] = lack
            for one in made:
                name = f"study{study['study']}.film{one.film or 0}.{one.kind}@radia"
                objects.append((name, one.content))
                study["objects"].append({"kind": one.kind, "file": f"cid:{name}"})
        return objects

    def film_maps(self, name: str, film: Looked) -> dict[str, Any] | None:
        """Return the maps of a film that was sent; None for a lateral one."""
        return None if film.view == LATERAL or film.reason is not None else self._maps_of(name, film)

    @property
    def _maps_opened(self) -> FilmMaps:
        _ = self.reader
        return cast("FilmMaps", self._film_maps)  # whoever opens the reader opens them

    def _maps_of(self, name: str, film: Looked) -> dict[str, Any]:
        from radia_pipeline.localisation.benchmark import boxed_classes
        from radia_pipeline.usecases.lake_answers import told_maps

        return told_maps(name, film, self._maps_opened.of(film, boxed_classes()))
