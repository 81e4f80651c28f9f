"""Saliency maps beside those of the package grad-cam: equal where it is right; where it is not, how and why.

The package's raw maps are compared, before it stretches them to 0..1 and to the picture's size.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from radia_pipeline.localisation import maps
from radia_pipeline_tests.localisation.worlds import TinyClassifier

os.environ.setdefault("TQDM_DISABLE", "1")
package = pytest.importorskip("pytorch_grad_cam", reason="grad-cam is what saliency maps are compared with")

RIGHT = {
    "gradcam": "GradCAM",
    "hirescam": "HiResCAM",
    "layercam": "LayerCAM",
    "elementwise": "GradCAMElementWise",
    "xgradcam": "XGradCAM",
}
"""Methods in which the package is right on what a ReLU gives."""


class Shown(TinyClassifier):
    """A classifier whose map under the head is the picture itself: (N, F, S, S) is what it explains."""

    def __init__(self, head: str = "linear", features: int = 3, seed: int = 0) -> None:
        super().__init__(head, features=features, seed=seed)
        self.body = nn.Identity()

    def finer_stages(self, slot: int = 0) -> tuple[list[nn.Module], bool]:
        return [], False


class Whole(nn.Module):
    """A classifier as the package wants it: its map a module, its answers logits."""

    def __init__(self, classifier: TinyClassifier) -> None:
        super().__init__()
        self.body, self.head = classifier.body, classifier.heads[0]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(images))


def theirs(kind: str, classifier: TinyClassifier, image: torch.Tensor, k: int) -> torch.Tensor:
    """The package's raw map (h, w) of class k, its negative part too."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    whole = Whole(classifier).eval()
    with getattr(package, kind)(model=whole, target_layers=[whole.body]) as method:
        seen, found = method.activations_and_grads, []

        def raw(images, targets, *_):
            slope = seen.gradients[0].numpy() if seen.gradients else None
            found.append(method.get_cam_image(images, whole.body, targets, seen.activations[0].numpy(), slope, False))
            return [np.zeros((1, 1, 4, 4), dtype=np.float32)]

        method.compute_cam_per_layer = raw
        method(input_tensor=image.clone().requires_grad_(), targets=[ClassifierOutputTarget(k)])
    return torch.as_tensor(found[0][0]).float()


def ours(method: str, classifier: TinyClassifier, image: torch.Tensor, k: int) -> torch.Tensor:
    return maps.explain(classifier, image, (method,))[1][method][0, k]


def away(mine: torch.Tensor, other: torch.Tensor) -> float:
    """Largest difference, of the highest value of the first."""
    return float((mine - other).abs().max() / mine.abs().max().clamp(min=1e-12))


def picture(seed: int = 1, channels: int = 1, side: int = 16) -> torch.Tensor:
    return torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("head", ["linear", "pcam"])
@pytest.mark.parametrize("method", RIGHT)
def test_where_the_package_is_right_the_maps_are_its(method, head):
    classifier = TinyClassifier(head)
    for k in range(len(classifier.class_names)):
        other = theirs(RIGHT[method], classifier, picture(), k).clamp(min=0)
        assert away(ours(method, classifier, picture(), k), other) < 1e-4


def test_xgradcam_of_a_feature_that_sums_to_nought_is_all_there_is_in_the_packages():
    """Its weight is sum(g a) / (sum a + 1e-7): of a feature that is as much below nought as above it a ten millionth
    divides, and its map, which should weigh nothing, is the whole."""
    classifier, image = Shown("pcam"), picture(2, 3, 4).abs()
    image[0, 0] = torch.tensor([1.0, -1.0]).repeat(8).reshape(4, 4)
    assert image[0, 0].sum() == 0
    assert theirs("XGradCAM", classifier, image, 2).abs().max() > 1e4
    assert ours("xgradcam", classifier, image, 2).max() < 1e3


@pytest.mark.parametrize("scale, is_same", [(1e3, True), (1e-3, False)])
def test_gradcam_plus_of_the_package_is_ruled_by_its_eps_where_gradients_are_small(scale, is_same):
    """alpha = g^2 / (2 g^2 + sum(a) g^3): the package adds 1e-6 below, which is much where g is a thousandth, as it is
    behind a mean over positions. Its squares divided out, ours is 1 / (2 + sum(a) g) and has no such size."""
    classifier = TinyClassifier("linear")
    classifier.heads[0].layer.weight.data.mul_(scale)
    other = theirs("GradCAMPlusPlus", classifier, picture(), 1).clamp(min=0)
    mine = ours("gradcam++", classifier, picture(), 1)
    assert (away(mine, other) < 1e-3) == is_same


@pytest.mark.parametrize("k", range(5))
def test_ablationcam_of_the_package_divides_by_the_logit_and_turns_over_where_that_is_negative(k):
    """Its weight is (y - y without the feature) / y."""
    classifier = TinyClassifier("pcam")
    logit = float(classifier.head(classifier.feature_map(picture())).detach()[0, k])
    other = theirs("AblationCAM", classifier, picture(), k)
    mine = ours("ablationcam", classifier, picture(), k)
    assert away(mine, (other * logit).clamp(min=0)) < 1e-4
    if logit < 0 and mine.max() > 0:
        assert away(mine, other.clamp(min=0)) > 0.1


def test_ablationcam_of_the_package_puts_minus_ten_millions_where_a_map_has_no_nought():
    """What is taken away should be nought; where the lowest value of the map is another, it puts that less 1e7."""
    classifier, image = Shown("linear"), picture(3, 3, 4).abs() + 0.5
    logit = float(classifier.head(image).detach()[0, 0])
    assert away(ours("ablationcam", classifier, image, 0), (theirs("AblationCAM", classifier, image, 0) * logit)) > 1e3


@pytest.mark.parametrize("method, kind", [("eigencam", "EigenCAM"), ("eigengradcam", "EigenGradCAM")])
def test_components_of_the_package_are_ours_but_for_a_sign_that_is_its_decompositions(method, kind):
    """A component u and -u are one; the package takes what LAPACK gives. Ours goes with the sum of what is decomposed:
    of twenty pictures the package shows some where there is least to see."""
    turned = 0
    for seed in range(20):
        classifier = TinyClassifier("pcam", seed=seed)
        other = theirs(kind, classifier, picture(seed), 2)
        mine = ours(method, classifier, picture(seed), 2)
        assert min(away(mine, (sign * other).clamp(min=0)) for sign in (1, -1)) < 1e-4
        turned += away(mine, other.clamp(min=0)) > 0.1
    assert turned > 0


def test_scorecam_of_the_package_is_ours_where_masks_need_not_be_enlarged():
    """It enlarges masks with aligned corners, which moves them by up to half a position; the paper's code does not."""
    same, other = Shown("pcam"), TinyClassifier("pcam")
    image = picture(4, 3, 8).abs()
    assert away(ours("scorecam", same, image, 1), theirs("ScoreCAM", same, image, 1).clamp(min=0)) < 1e-4
    assert away(ours("scorecam", other, picture(), 1), theirs("ScoreCAM", other, picture(), 1).clamp(min=0)) > 1e-3


# --- FullGrad: its map is of the picture's size, and it looks for its layers itself ----------------------------------
class Plain(TinyClassifier):
    """Two convolutions of one stride, so that no map is enlarged."""

    def __init__(self, width: int, between: type[nn.Module] = nn.Identity) -> None:
        super().__init__("linear", features=width)
        torch.manual_seed(5)
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), between(), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        for part in self.body.parameters():
            nn.init.uniform_(part, 0.5, 1.5)
        self.heads[0].layer.weight.data.mul_(1e4)  # what is added below to divide by is of no size then


def their_fullgrad(classifier: TinyClassifier, image: torch.Tensor, k: int) -> torch.Tensor:
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    layer = classifier.heads[0].layer
    last = nn.Linear(layer.in_channels, layer.out_channels)
    last.weight.data, last.bias.data = layer.weight.data.flatten(1), layer.bias.data
    whole = nn.Sequential(*classifier.body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last).eval()
    method = package.FullGrad(model=whole, target_layers=[])
    return torch.as_tensor(method(input_tensor=image, targets=[ClassifierOutputTarget(k)])[0])


def to_one(one: torch.Tensor) -> torch.Tensor:
    return (one - one.min()) / (one.max() - one.min())


class Scaled(nn.Module):
    """A layer normalisation over the features of a position, as ConvNeXt's."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)
        nn.init.normal_(self.norm.bias, generator=torch.Generator().manual_seed(1))

    def forward(self, found: torch.Tensor) -> torch.Tensor:
        return self.norm(found.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_fullgrad_of_the_package_is_ours_where_a_layer_has_one_channel():
    image = picture(6)
    mine = ours("fullgrad", Plain(1), image, 0)
    assert away(to_one(mine), their_fullgrad(Plain(1), image, 0)) < 1e-4


def test_fullgrad_of_the_package_stretches_each_channel_by_itself():
    """Then a channel that adds a thousandth shows as much as one that adds all; the authors' code stretches a layer."""
    classifier, image = Plain(4), picture(6)
    classifier.body[3].bias.data[0] = 1e-4
    assert away(to_one(ours("fullgrad", classifier, image, 0)), their_fullgrad(classifier, image, 0)) > 0.02


def test_fullgrad_of_the_package_leaves_biases_of_layer_normalisations_out():
    """It knows convolutions and batch normalisations, by their type: timm's, with an activation inside, is none."""
    from pytorch_grad_cam.utils.find_layers import find_layer_predicate_recursive
    from timm.layers import BatchNormAct2d

    classifier = Plain(4, Scaled)
    method = package.FullGrad(model=nn.Sequential(*classifier.body), target_layers=[])
    assert len(method.bias_data) == 2
    assert away(to_one(ours("fullgrad", classifier, picture(6), 0)), their_fullgrad(classifier, picture(6), 0)) > 0.02
    fused = find_layer_predicate_recursive(
        nn.Sequential(BatchNormAct2d(4)), lambda layer: type(layer) in (nn.Conv2d, nn.BatchNorm2d)
    )
    assert fused == []
