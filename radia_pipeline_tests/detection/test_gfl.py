"""A head whose scores say how well a box fits: its losses as published, its network, its outputs, its training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.detection.config import REACH
from radia_pipeline.detection.decode import decode
from radia_pipeline.detection.export import TOLERANCE, export_onnx
from radia_pipeline.detection.gfl import EdgeHead, edges_loss, generalized_focal_loss, overlaps, quality_loss
from radia_pipeline.detection.inference import detect
from radia_pipeline.detection.loss import ImageTarget, Matcher, Targets, sides_from
from radia_pipeline.detection.model import INITIAL_DISTANCE, Detector
from radia_pipeline.detection.recipes import load_config, parse_config
from radia_pipeline.detection.spec import DetectorSpec
from radia_pipeline.detection.store import load_detector
from radia_pipeline.detection.train import train_detector
from radia_pipeline.errors import BadInput, BadRecipe
from radia_pipeline.sources.overlap import iou
from radia_pipeline.training.recipes import load_recipe, replaced
from radia_pipeline_tests.detection.test_decode import SIZE, noise, one_by_one, spec
from radia_pipeline_tests.detection.worlds import small_config

MATCHER = Matcher(SIZE, (8, 16, 32), 1.5, 4.0)
PLACES, CLASSES = len(MATCHER.centres), 3
KIND = {"kind": "gfl", "channels": 32, "convs": 1}


def target(boxes=(), labels=(), known=(True, True, True)) -> ImageTarget:
    corners = np.array(boxes, dtype=float).reshape(-1, 4)
    return ImageTarget(corners, np.array(labels, dtype=int), np.ones(len(labels), np.float32), np.array(known))


def outputs() -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(0)
    shapes = ((1, PLACES, CLASSES), (1, PLACES, 4), (1, PLACES, 4, REACH + 1))
    logits, distances, edges = (torch.randn(shape, generator=random) for shape in shapes)
    return logits.requires_grad_(), distances.relu().requires_grad_(), edges.requires_grad_()


def losses_of(raw, images) -> dict[str, torch.Tensor]:
    return generalized_focal_loss(raw, Targets.of(images, MATCHER), MATCHER)


@given(st.floats(-8, 8), st.floats(0, 1))
def test_quality_loss_is_the_published_one_and_least_where_the_score_is_the_quality(logit, quality):
    score = 1 / (1 + np.exp(-logit))
    published = abs(quality - score) ** 2 * -((1 - quality) * np.log1p(-score) + quality * np.log(score))
    found = quality_loss(torch.tensor([logit], dtype=torch.float64), torch.tensor([quality], dtype=torch.float64))
    assert float(found) == pytest.approx(published, rel=1e-6, abs=1e-12)
    exact = torch.tensor([score], dtype=torch.float64)
    assert float(quality_loss(torch.tensor([logit], dtype=torch.float64), exact)) == pytest.approx(0, abs=1e-9)


@given(st.floats(0, REACH - 0.01), st.integers(0, 2**16))
def test_edges_loss_is_the_published_one(side, seed):
    logits = torch.randn(1, 4, REACH + 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found, shares = edges_loss(logits, torch.full((1, 4), side, dtype=torch.float64)), logits.softmax(dim=2).log()
    below = int(side)
    published = -((below + 1 - side) * shares[..., below] + (side - below) * shares[..., below + 1])
    assert torch.allclose(found, published)


@settings(max_examples=40)
@given(st.lists(st.tuples(*[st.floats(0, 60)] * 8), min_size=1, max_size=6))
def test_overlaps_are_those_of_everywhere_else(rows):
    table = np.array(rows)
    pairs = [
        np.concatenate([part[:, :2], part[:, :2] + part[:, 2:] + 0.1], axis=1) for part in (table[:, :4], table[:, 4:])
    ]
    found = overlaps(*(torch.from_numpy(part) for part in pairs))
    assert np.allclose(found.numpy(), np.diag(iou(*pairs)), atol=1e-6)


def test_a_box_begins_as_large_as_the_other_heads():
    head = EdgeHead(32, 1, lambda channels: torch.nn.GroupNorm(32, channels), INITIAL_DISTANCE)
    with torch.no_grad():
        distances, logits = head([torch.zeros(1, 32, 8, 8), torch.zeros(1, 32, 4, 4)])
    assert distances.shape == (1, 80, 4)
    assert logits.shape == (1, 80, 4, REACH + 1)
    assert torch.allclose(distances, torch.full_like(distances, INITIAL_DISTANCE), atol=0.05)


def test_a_perfect_answer_costs_what_its_edges_cannot_say_more_surely():
    one = target([[10, 10, 50, 40]], [1])
    wanted, _, boxes, weight = MATCHER.targets(one)
    sides = sides_from(torch.from_numpy(boxes)[None], MATCHER, in_strides=True)[0].numpy()
    distances = torch.from_numpy(np.where(weight[:, None] > 0, sides, 0.0)).double()[None]
    logits = torch.from_numpy(np.where(wanted > 0, 15.0, -15.0))[None]
    edges = torch.full((1, PLACES, 4, REACH + 1), -30.0, dtype=torch.float64)
    below = distances.clamp(min=0, max=REACH - 1e-3).long()
    for step, share in ((0, 1 - (distances - below)), (1, distances - below)):
        edges.scatter_(3, (below + step)[..., None], share.clamp(min=1e-12).log()[..., None])
    losses = losses_of((logits, distances, edges), [one])
    assert float(losses["classes"]) < 1e-4
    assert float(losses["boxes"]) < 1e-4
    share = torch.from_numpy(np.modf(sides[weight > 0])[0])
    entropy = -(torch.special.xlogy(share, share) + torch.special.xlogy(1 - share, 1 - share)).mean()
    assert float(losses["edges"]) == pytest.approx(0.25 * float(entropy), rel=1e-3)


def test_a_score_is_wanted_to_be_the_overlap_of_the_positions_own_box():
    one, (logits, distances, edges) = target([[16, 16, 48, 48]], [0]), outputs()
    losses_of((logits, distances, edges), [one])["classes"].backward()
    taken = torch.from_numpy(MATCHER.match(np.array([[16.0, 16, 48, 48]]))[:, 0])
    assert taken.any()
    for place in torch.nonzero(taken).flatten().tolist():
        centre, step = MATCHER.centres[place], MATCHER.steps[place]
        reach = distances[0, place].detach().numpy() * step
        said = np.concatenate([centre - reach[:2], centre + reach[2:]])
        quality = iou(said[None], np.array([[16.0, 16, 48, 48]]))[0, 0]
        score = float(torch.sigmoid(logits[0, place, 0].detach()))
        assert np.sign(float(logits.grad[0, place, 0])) == np.sign(score - quality)
    assert distances.grad is None, "a score that fits does not move the box"


def test_what_is_not_known_teaches_nothing_and_no_box_moves_none():
    raw = outputs()
    losses = losses_of(raw, [target(known=(True, False, True))])
    assert losses["boxes"].item() == losses["edges"].item() == 0.0
    sum(losses.values()).backward()
    gradient = raw[0].grad.abs().sum(dim=(0, 1))
    assert gradient[1] == 0
    assert (gradient[[0, 2]] > 0).all()
    assert all(part.grad is not None for part in raw)


def test_network_says_two_outputs_and_in_training_what_its_edges_are_made_of():
    config = parse_config({"name": "other", "input": {"size_px": 64}, "head": KIND})
    recipe = load_recipe("demo_linear")
    detector = Detector(DetectorSpec.of(config, recipe.model_dump(), ("Cardiomegaly", "Mass"), {}))
    images = torch.zeros(2, recipe.input.channel_count, 64, 64)
    with torch.no_grad():
        whole, raw = detector.train()(images), detector.eval()(images)
    assert [part.shape for part in raw] == [(2, PLACES, 2), (2, PLACES, 4)]
    assert whole[2].shape == (2, PLACES, 4, REACH + 1)
    assert torch.allclose(whole[1], raw[1])


@pytest.mark.parametrize("threshold", [0.3, 0.6])
def test_its_scores_are_read_as_those_of_a_head_that_is_sure_of_every_centre(threshold):
    logits, distances, _ = noise(0)
    found = decode([logits, distances], spec(head="gfl", max_boxes=1000), threshold)
    sure = [logits, distances, np.full((*logits.shape[:2], 1), 60.0, np.float32)]
    for image in range(3):
        mine = found.take(found.image == image)
        rows = zip(mine.label, mine.score, mine.corners)
        assert {(label, round(float(s), 4), *np.round(box, 2)) for label, s, box in rows} == one_by_one(
            sure, image, threshold
        )


def test_outputs_of_the_other_head_are_refused():
    with pytest.raises(BadInput, match="Raw outputs of shapes"):
        decode(noise(0), spec(head="gfl"), 0.1)
    with pytest.raises(BadRecipe, match=r"head\.kind"):
        parse_config({"head": {"kind": "yolo"}})


def test_an_input_whose_boxes_no_level_could_reach_is_refused():
    strides = {"kind": "gfl", "strides": [8, 16, 32]}
    assert parse_config({"input": {"size_px": 1024}, "head": strides}).head.kind == "gfl"
    with pytest.raises(BadRecipe, match="stride 64 or more"):
        parse_config({"input": {"size_px": 2048}, "head": strides})


def test_it_trains_repeatably(trained, tmp_path):
    lake = trained.world.lake
    config = small_config(head={**KIND, "strides": [8, 16, 32]})
    first, again = (train_detector(lake, config, run_dir=tmp_path / name) for name in "ab")
    weights = [load_detector(one.model_dir).state_dict() for one in (first, again)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    losses = [line["train_loss"] for line in first.history]
    assert losses[-1] < losses[0]


def test_the_detector_for_a_gpu_trains_finds_boxes_and_is_exported_as_it_is(trained, tmp_path):
    """``full`` with its own head, rates and augmentation; only input, batch and number of images are a test's."""
    lake = trained.world.lake
    few = {
        "input.size_px": 64,
        "recipe": "toy",
        "training.batch_size": 2,
        "training.max_epochs": 1,
        "data.max_images": 4,
        "data.max_validation_images": 2,
        "decoding.false_images": 2,
    }
    config = parse_config(replaced(load_config("full").as_dict(), {**few, "export_onnx": False}))
    assert (config.head.kind, config.head.channels, config.head.convs) == ("gfl", 256, 4)
    found = train_detector(lake, config, run_dir=tmp_path)
    assert np.isfinite(found.history[0]["train_loss"])
    rows = lake.read("manifest").slice(0, 6)
    plain = detect(lake, rows, model_dir=tmp_path)
    assert plain.num_rows > 0
    assert export_onnx(tmp_path).max_difference <= TOLERANCE
    exported = detect(lake, rows, model_dir=tmp_path)
    for name in ("class", "image_id"):
        assert sorted(plain[name].to_pylist()) == sorted(exported[name].to_pylist())
    best = {one: max(row["score"] for row in table.to_pylist()) for one, table in (("a", plain), ("b", exported))}
    assert best["a"] == pytest.approx(best["b"], abs=1e-4)
