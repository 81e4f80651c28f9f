"""Reads recipe files: ``training/recipes/*.yaml``, a lake's own ``recipes/*.yaml``, or any path.

What a recipe may say is in ``recipe_schema``.

Light on purpose (yaml and pydantic only): the Dagster code location lists recipes through this module.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadRecipe
from radia_pipeline.training.choices import TASKS
from radia_pipeline.training.fold_members import fold_member, parted
from radia_pipeline.training.named_files import NamedFiles, as_schema, named_by
from radia_pipeline.training.recipe_schema import Recipe
from radia_pipeline.training.sections import Section

RECIPES_DIR = Path(__file__).parent / "recipes"
OWN = "recipes"
"""Folder of a lake in which its own recipes lie."""
FIRST_VOCABULARY = "1.0.0"
"""What a recipe speaks that names classes and no version: so it was before there was another."""
FILES = NamedFiles(
    "recipe", RECIPES_DIR, OWN, also="one of them with _fold0 to _fold4 at its end; or the path of a .yaml file"
)


def recipe_names(lake_root: Path | None = None) -> tuple[str, ...]:
    """Return the shipped recipes' names, sorted, then those of a lake's own folder."""
    return FILES.names(lake_root)


def own_recipe_names(lake_root: Path | None) -> tuple[str, ...]:
    """Return the names of the recipes that lie in a lake, sorted; none without a lake."""
    return FILES.own_names(lake_root)


def load_recipe(name_or_path: str | Path, lake_root: Path | None = None) -> Recipe:
    """Return a recipe by name, shipped or of the lake, one of its fold members, or the recipe in a YAML file by path.

    Raises UnknownName for a name that nobody has and BadRecipe for a file that cannot be followed.
    """
    member = parted(str(name_or_path))
    if member and str(name_or_path) not in recipe_names(lake_root):
        return without_fold(load_recipe(member[0], lake_root), member[1])
    path = FILES.locate(name_or_path, lake_root)
    content = FILES.read(path, lake_root)
    if content["name"] != path.stem:
        raise BadRecipe(
            f"Recipe {path.name} calls itself {content['name']!r}", accepted=f"the file's name, {path.stem}"
        )
    return parse_recipe(content)


def parse_recipe(content: dict[str, Any]) -> Recipe:
    """Validate a recipe's mapping; raises BadRecipe that names each key, what it held and what is accepted."""
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(described(problem, Recipe) for problem in error.errors()[:6])
        name = content.get("name", "?") if isinstance(content, dict) else "?"
        raise BadRecipe(
            f"Recipe {name}: {problems}",
            accepted="the keys and values of training/recipes/recipe.schema.json",
            do="correct the recipe file",
        ) from None
    _check_classes(recipe)
    _check_left_out(recipe)
    _check_sweep(recipe)
    return recipe


def with_options(recipe: Recipe, options: dict[str, Any]) -> Recipe:
    """Return the recipe with some options replaced, given by dotted path (``{"optimizer.lr": 1e-3}``)."""
    return parse_recipe(replaced(recipe.model_dump(mode="json"), options))


def replaced(content: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested options, of which some are replaced by dotted path; raises BadRecipe for a section that is none."""
    content = copy.deepcopy(content)
    for dotted, value in options.items():
        *parents, last = dotted.split(".")
        section = content
        for part in parents:
            if not isinstance(section.get(part), dict):
                raise BadRecipe(f"Unknown option {dotted!r}", accepted="a dotted path such as optimizer.lr")
            section = section[part]
        section[last] = value
    return content


def with_settings(recipe: Recipe, settings: Mapping[str, str]) -> Recipe:
    """Return the recipe with options as a command line gives them, ``{"optimizer.lr": "1e-3"}``; values are YAML.

    It bears a name of its own, made of the settings unless ``name`` is among them: the recipe's own models stay.
    """
    if not settings:
        return recipe
    return with_options(recipe, named_by(recipe.name, settings))


def without_fold(recipe: Recipe, fold: int) -> Recipe:
    """Return the recipe's member that learns from the other folds of the training pool.

    One that starts from another recipe's weights starts from that one's member of the same fold, or it would have
    learned from the fold after all. Raises BadRecipe for a fold that is none, or a recipe that leaves one out already.
    """
    if recipe.data.fold is not None:
        raise BadRecipe(f"Recipe {recipe.name} leaves out fold {recipe.data.fold} already", do="take the whole recipe")
    options = {"name": fold_member(recipe.name, fold), "title": f"{recipe.title} (without fold {fold})"}
    if recipe.init_from:
        options["init_from"] = fold_member(recipe.init_from, fold)
    if recipe.labels.teacher:
        options["labels.teacher"] = fold_member(recipe.labels.teacher, fold)
    return with_options(recipe, {**options, "data.fold": fold})


def json_schema() -> dict[str, Any]:
    """Return the JSON schema that editors use to check and complete recipe files."""
    extends = "Recipe, shipped or the lake's, whose options are the defaults."
    return as_schema(Recipe.model_json_schema(), title="RadIA training recipe", extends=extends) | {"required": []}


def described(problem: Mapping[str, Any], whole: type[Section]) -> str:
    """Return one of pydantic's complaints about options of ``whole`` in words, with the option that was meant."""
    named = [str(part) for part in problem["loc"] if not set("[-") & set(str(part))]  # not pydantic's words for a kind
    where = ".".join(named) or "recipe"
    if problem["type"] == "extra_forbidden":
        return f"{where} is not an option{_suggestion(problem['loc'], whole)}"
    held = problem.get("input")
    shown = "" if isinstance(held, dict) else f" = {held!r}"[:200]  # a whole section would hide what is said of it
    return f"{where}{shown}: {problem['msg']}"[:400]


def _suggestion(place: tuple[str | int, ...], whole: type[Section]) -> str:
    """Name the option that was meant: the closest one of its section, else the same word in another section."""
    section, wrong = [option for found in _sections(place[:-1], whole) for option in found], str(place[-1])
    near = difflib.get_close_matches(wrong, section, n=1, cutoff=0.6)
    if near:
        return f" (did you mean {near[0]}?)"
    everywhere = ((name, found) for name in whole.model_fields for found in _sections((name,), whole))
    elsewhere = [f"{name}.{wrong}" for name, found in everywhere if wrong in found]
    if elsewhere:
        return f" (did you mean {elsewhere[0]}?)"
    return f" ({', '.join(section)})" if section else ""


def _sections(place: tuple[str | int, ...], whole: type[Section]) -> list[list[str]]:
    """Return the options of the section at a place, in a list; an empty list where there is no section."""
    model: Any = whole
    for part in place:
        if isinstance(part, int):  # an entry of a list has its list's section
            continue
        model = getattr(model, "model_fields", {}).get(part)
        kinds = (model.annotation, *get_args(model.annotation)) if model is not None else ()
        model = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
    return [list(model.model_fields)] if model is not None else []


def _check_classes(recipe: Recipe) -> None:
    """Refuse classes that are none, and classes of another vocabulary; a recipe that names none goes with any."""
    named = set(recipe.task.class_weight) | set(recipe.classes.leave_out)
    if isinstance(recipe.task.pos_weight, dict):
        named |= set(recipe.task.pos_weight)
    words = vocabulary()
    if spoken := recipe.vocabulary or (FIRST_VOCABULARY if named else None):
        way = f"change the classes that it names and set `vocabulary: {words.version}` in it"
        words.require(spoken, f"Recipe {recipe.name}", do=way)
    if unknown := sorted(named - set(vocabulary().classes)):
        raise BadRecipe(
            f"Recipe {recipe.name} names unknown classes: {', '.join(unknown)}",
            accepted=", ".join(vocabulary().classes),
        )


def _check_left_out(recipe: Recipe) -> None:
    """Refuse to leave out a class by which another one's probability is made: it answers with the pool's odds alone."""
    words, left = vocabulary(), set(recipe.classes.leave_out)
    chained = recipe.task.inference == "hierarchy" or TASKS[recipe.task.kind].only_below_positive_parents
    children = sorted(name for name in words.classes if name not in left and left & set(words.parents(name)))
    if chained and children:
        raise BadRecipe(
            f"Recipe {recipe.name} leaves out a parent of {', '.join(children)}, whose probability is made with it",
            do="leave these out too, or set task.inference: plain and task.kind: bce",
        )


def _check_sweep(recipe: Recipe) -> None:
    content = recipe.model_dump(mode="json")
    for dotted in recipe.sweep:
        section: Any = content
        for part in dotted.split("."):
            if not isinstance(section, dict) or part not in section:
                raise BadRecipe(f"Recipe {recipe.name} sweeps over {dotted!r}, which is no option")
            section = section[part]
