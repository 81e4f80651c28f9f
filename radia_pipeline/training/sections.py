"""What all parts of a recipe share: immutable sections, kinds of numbers, choices from tables. Not here: any option."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema

from radia_pipeline.contracts.choices import Table

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0.0)]


class Section(BaseModel):
    """Base of all parts of a recipe: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def one_of(table: Table) -> GetPydanticSchema:
    """Return the annotation of an option whose values are a table's names: ``Annotated[str, one_of(SCHEDULES)]``."""
    return GetPydanticSchema(lambda _source, handler: handler.generate_schema(Literal[tuple(table)]))
