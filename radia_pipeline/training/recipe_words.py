"""A recipe in words for people: what Dagster shows of a classifier. Nothing here changes a training."""

from __future__ import annotations

from radia_pipeline.training.choices import CHANNELS, TRAINED, UNCERTAIN
from radia_pipeline.training.recipe_schema import Recipe


def key_settings(recipe: Recipe) -> dict[str, str]:
    """Return the settings that tell recipes apart, as words for people."""
    model, task, data, training = recipe.model, recipe.task, recipe.data, recipe.training
    shown = CHANNELS[recipe.input.channels]
    channels = "1 channel" if shown.count == 1 else f"{shown.count} channels ({shown.words})"
    weights = (
        "ImageNet weights" if model.pretrained else f"weights {model.weights}" if model.weights else "from scratch"
    )
    weight = task.pos_weight if isinstance(task.pos_weight, str) else "given"
    low, high = recipe.labels.uncertain_range
    told = (
        f"; {' and '.join(recipe.labels.teacher_answers)} answered by {recipe.labels.teacher}"
        if recipe.labels.teacher
        else ""
    )
    told += f"; doubt {recipe.labels.doubt:g}" if recipe.labels.doubt else ""
    uncertain = recipe.labels.uncertain + (
        f" in {low:g} to {high:g}" if UNCERTAIN[recipe.labels.uncertain].gives_shares else ""
    )
    augmentation = recipe.augmentation.model_dump(exclude={"also"})
    steps = [*augmentation.items(), *((also.name, also.options) for also in recipe.augmentation.also)]
    changes = [f"{name} {section['p']:g}" for name, section in steps if section["p"] > 0]
    amount = f"{data.samples_per_epoch} samples an epoch" if data.samples_per_epoch else "each study once an epoch"
    finer = "" if model.map_stride is None else f" on a map of {model.map_stride} px a position"
    return {
        "starts": f"from {recipe.init_from}" if recipe.init_from else weights,
        "network": f"{model.backbone}, {model.head} head{finer}, dropout {model.dropout:g}"
        + ("" if TRAINED[model.train_only] else ", the head alone is trained"),
        "input": f"{recipe.input.size_px} px, {channels}, {recipe.input.normalisation_words} normalisation",
        "views": f"{recipe.views.use}, {recipe.views.weights} weights, {recipe.views.combine}",
        "task": f"{task.kind}, inference {task.inference}, pos_weight {weight} (at most {task.pos_weight_cap:g})",
        "labels": f"uncertain: {uncertain}; blank: {recipe.labels.blank}{told}",
        "augmentation": ", ".join(changes) or "none",
        "data": f"{', '.join(data.sources) if data.sources else 'every source'}; {data.sampler}, {amount}",
        "optimizer": f"{recipe.optimizer.name}, learning rate {recipe.optimizer.lr:g}, decay "
        f"{recipe.optimizer.weight_decay:g}, {recipe.schedule.name}",
        "length": f"at most {training.max_epochs} epochs of batch {training.batch_size}, {training.precision}; "
        f"ends after {recipe.stopping.patience} without better {recipe.stopping.metric}",
    }
