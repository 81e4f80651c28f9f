"""What the page may send: the forms of JSON bodies, and each as the reading that it becomes.

What makes a reading acceptable is ``readings.reading``'s; here is only that a body has the form, with bounds on sizes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from radia_pipeline.readings.reading import ANSWERS, ReadBox, Shown
from radia_pipeline.review.problems import Problem

MOST_COMMENT_CHARACTERS = 500
WRONG_ABOUT = ("prediction", "label", "box", "map", "other")
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
RequestKey = Annotated[str, Field(pattern=r"^[\w.:-]{8,128}$")]
ListId = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
Answer = Literal["present", "absent", "uncertain"]
Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e7, le=1e7)]
ClassName = Annotated[str, Field(max_length=64)]
Setting = Annotated[str, Field(max_length=64)]
Comment = Annotated[str, Field(max_length=MOST_COMMENT_CHARACTERS)]
_T = TypeVar("_T", bound=BaseModel)


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, populate_by_name=True)


class PostedBox(_Form):
    """A box in pixels of the stored image."""

    image_id: Key
    class_name: ClassName = Field(alias="class")
    x_px: Number
    y_px: Number
    width_px: Number
    height_px: Number


class PostedShown(_Form):
    """What stood on the screen. ``images``: those that were painted."""

    images: list[Key] = Field(default_factory=list, max_length=32)
    is_native: bool = False
    windows: list[tuple[Number, Number]] = Field(default_factory=list, max_length=32)
    zoom: Number = 1.0
    is_one_to_one: bool = False
    language: Setting = ""
    screen: Setting = ""

    @property
    def as_shown(self) -> Shown:
        """As a reading holds it; images and views are the server's to fill in."""
        return Shown(
            is_native=self.is_native,
            windows=tuple(self.windows),
            zoom=self.zoom,
            is_one_to_one=self.is_one_to_one,
            language=self.language,
            screen=self.screen,
        )


class _Answered(_Form):
    request_key: RequestKey
    not_assessable: Setting | None = None
    comment: Comment = ""
    boxes: list[PostedBox] = Field(default_factory=list, max_length=64)

    @property
    def read_boxes(self) -> tuple[ReadBox, ...]:
        """The boxes as a reading holds them."""
        return tuple(
            ReadBox(one.image_id, one.class_name, one.x_px, one.y_px, one.width_px, one.height_px) for one in self.boxes
        )


class PostedReading(_Answered):
    """``POST /page/readings``."""

    list_id: ListId
    position: int = Field(ge=0, le=10**7)
    role: Literal["reader", "adjudicator"] = "reader"
    study_id: Key
    answers: dict[ClassName, Answer] = Field(default_factory=dict, max_length=64)
    shown: PostedShown = Field(default_factory=PostedShown)
    active_s: Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)] | None = None
    supersedes: int | None = None
    is_reread: bool = False

    @property
    def values(self) -> dict[str, int]:
        """The answers as values of labels."""
        return {name: ANSWERS[said] for name, said in self.answers.items()}


class PostedWrong(_Answered):
    """``POST /page/studies/{study}/wrong``."""

    class_name: ClassName = Field(alias="class")
    answer: Answer | None = None
    about: Literal["prediction", "label", "box", "map", "other"] = "prediction"
    language: Setting = ""
    screen: Setting = ""

    @property
    def values(self) -> dict[str, int]:
        """The answer as a value of a label; none of a study that is not assessable."""
        return {} if self.answer is None else {self.class_name: ANSWERS[self.answer]}

    @property
    def said(self) -> str:
        """What is wrong, and the words that were typed."""
        return f"wrong {self.about}: {self.comment}" if self.comment else f"wrong {self.about}"


class PostedUndo(_Form):
    """``POST /page/readings/undo``."""

    sequence: int = Field(ge=1)


def parsed(form: type[_T], content: dict[str, Any]) -> _T:
    """Return a body in its form; raises Problem that names the field, never what it held."""
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        known = {name for one in _forms(form) for name in one}
        where = ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in known)
        raise Problem("bad_json", f"{where or 'a field'}: {first['type']}") from None


def _forms(form: type[BaseModel]) -> list[set[str]]:
    return [{field.alias or name for name, field in one.model_fields.items()} for one in (form, PostedBox, PostedShown)]
