"""What a recipe offers by name is what the tables hold: in the schema, in the errors, in the numbers on record."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any

import pytest
import torch
from pydantic import BaseModel

from radia_pipeline.contracts.choices import Table
from radia_pipeline.errors import BadRecipe
from radia_pipeline.training import choices
from radia_pipeline.training.optimizers import OPTIMIZERS
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.recipes import json_schema, parse_recipe
from radia_pipeline.training.schedules import SCHEDULES, Moment, ScheduleSection, cycled_momentum, learning_rate
from radia_pipeline.training.sections import Section, one_of
from radia_pipeline.training.validation import Figures
from radia_pipeline_tests.training import golden

OPTIONS = {
    "input.channels": choices.CHANNELS,
    "input.normalisation": choices.NORMALISATIONS,
    "views.use": choices.VIEWS,
    "views.weights": choices.BRANCHES,
    "views.combine": choices.COMBINATIONS,
    "model.head": choices.HEADS,
    "model.train_only": choices.TRAINED,
    "task.kind": choices.TASKS,
    "task.inference": choices.INFERENCES,
    "task.pos_weight": choices.POSITIVE_WEIGHTS,
    "labels.uncertain": choices.UNCERTAIN,
    "labels.blank": choices.BLANK,
    "data.sampler": choices.SAMPLERS,
    "optimizer.name": OPTIMIZERS,
    "schedule.name": SCHEDULES,
    "stopping.metric": choices.STOPPING,
    "training.precision": choices.PRECISIONS,
    "labels.teacher_answers": choices.OPEN_CELLS,
    "labels.asked_blank": choices.ASKED_BLANK,
    "views.test_time": choices.TEST_TIME,
}
"""Option -> its table."""
LISTS = {"labels.teacher_answers"}
"""Options that take several words."""
OTHER_ARITHMETIC = {"training.precision": {"fp32", "bf16", "fp16", "tf32"}}
"""Too coarse for numbers on record."""


def words_of(recipe: Recipe, option: str) -> tuple[Any, ...]:
    section, name = option.split(".")
    value = getattr(getattr(recipe, section), name)
    return value if option in LISTS else (value,)


def chosen_by_name(model: type[BaseModel] = Recipe, prefix: str = "") -> Iterator[str]:
    """Yield every option of a recipe whose values are words of a list."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from chosen_by_name(kind, f"{prefix}{name}.")
        elif "enum" in str(model.model_json_schema()["properties"].get(name, {})):
            yield prefix + name


def test_every_option_with_a_list_of_words_has_a_table():
    assert set(chosen_by_name()) == set(OPTIONS)
    tables = {id(one) for one in vars(choices).values() if isinstance(one, Table)}
    assert tables <= {id(table) for table in OPTIONS.values()}, "a table that no option offers"


@pytest.mark.parametrize("option", OPTIONS)
def test_the_schema_offers_exactly_the_tables_names_in_their_order(option):
    section, name = option.split(".")
    place = json_schema()["$defs"][Recipe.model_fields[section].annotation.__name__]["properties"][name]
    place = place.get("items", place)
    shown = place.get("enum") or next(part["enum"] for part in place["anyOf"] if "enum" in part)
    assert shown == list(OPTIONS[option])


@pytest.mark.parametrize("option", OPTIONS)
def test_a_word_that_no_table_holds_is_refused_with_those_that_it_holds(option):
    section, name = option.split(".")
    with pytest.raises(BadRecipe, match=rf"{section}.{name}") as caught:
        parse_recipe({"name": "x", section: {name: ["nothing"] if option in LISTS else "nothing"}})
    assert all(repr(word) in str(caught.value) for word in OPTIONS[option])


@pytest.mark.parametrize("option", OPTIONS)
def test_the_numbers_on_record_use_every_choice(option):
    """A choice that is added without a case could change its numbers unseen."""
    used = {word for case in golden.CASES for word in words_of(golden.recipe_of(case), option)}
    assert used | OTHER_ARITHMETIC.get(option, set()) == set(OPTIONS[option])


def test_a_name_that_is_added_to_a_table_is_offered_at_once():
    table = Table("schedule", {**dict(SCHEDULES.items()), "polynomial": SCHEDULES["constant"]})

    class Next(Section):
        name: Annotated[str, one_of(table)] = "constant"

    assert Next(name="polynomial").name == "polynomial"
    assert "polynomial" in Next.model_json_schema()["properties"]["name"]["enum"]


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_no_schedule_falls_back_to_a_constant_rate(name):
    section, total = ScheduleSection(name=name, step_epochs=1), 40
    rates = {learning_rate(section, 0.1, Moment(step, 5, total)) for step in range(total)}
    assert (len(rates) == 1) == (name == "constant")
    assert all(0 <= rate <= 0.1 for rate in rates)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_what_an_optimizer_cycles_is_an_option_of_it(name):
    rule = OPTIMIZERS[name]
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    made = rule.make([{"params": [parameter], "weight_decay": 0.0}], parse_recipe({"name": "x"}).optimizer)
    assert rule.cycled is None or rule.cycled in made.param_groups[0]


def test_only_onecycle_cycles_momentum():
    now = Moment(3, 5, 40)
    cycling = [name for name in SCHEDULES if cycled_momentum(ScheduleSection(name=name), now) is not None]
    assert cycling == ["onecycle"]


def test_stopping_metrics_are_figures_of_validation():
    assert set(choices.STOPPING) <= {field.name for field in fields(Figures)}


@pytest.mark.parametrize("name", list(choices.PRECISIONS))
def test_precisions_name_types_of_torch(name):
    chosen = choices.PRECISIONS[name]
    for word in filter(None, (chosen.weights, chosen.autocast)):
        assert isinstance(getattr(torch, word), torch.dtype)


def test_reading_a_recipe_loads_no_torch():
    heavy = ("torch", "timm", "cv2", "pyarrow", "numpy")
    code = (
        "import sys; from radia_pipeline.training import recipe_schema; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
