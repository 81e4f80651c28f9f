"""What a recipe offers by name, beside schedules and optimizers (which have files of their own): one table for each.

Light: what needs torch or pixels is named by its place and imported when it is used. A name without an implementation
fails a test; an implementation without a name cannot be chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from radia_pipeline.contracts.choices import Later, Table

HERE = "radia_pipeline.training"


@dataclass(frozen=True)
class Channels:
    """``count`` planes, made by ``planes``: (S, S) float32 in 0..1 -> list of them; ``words`` name them in order."""

    count: int
    planes: Later
    words: str


CHANNELS = Table(
    "choice of channels",
    {
        "gray": Channels(1, Later(f"{HERE}.inputs:grey_plane"), "min-max"),
        "clahe": Channels(3, Later(f"{HERE}.inputs:clahe_planes"), "min-max, CLAHE clip 2, CLAHE clip 4"),
    },
)


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation of three channels; one grey channel takes the mean of the three."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


NORMALISATIONS = Table(
    "normalisation",
    {
        "imagenet": Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        "half": Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        "none": Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    },
)

VIEWS = Table(
    "choice of views",
    {
        "frontal": Later(f"{HERE}.studies:one_frontal"),
        "frontal_lateral": Later(f"{HERE}.studies:one_of_each"),
        "all": Later(f"{HERE}.studies:every_view"),
    },
)
"""(frontals, laterals, most), both best first -> the rows of the slots, None for an empty one."""

BRANCHES = Table("sharing of weights", {"shared": 1, "separate": 2})
"""Backbones and heads; of two the second is the laterals'."""

COMBINATIONS = Table(
    "combination of views",
    {
        "sum": Later(f"{HERE}.views:total"),
        "mean": Later(f"{HERE}.views:mean"),
        "max": Later(f"{HERE}.views:highest"),
        "logsumexp": Later(f"{HERE}.views:log_mean_exp"),
    },
)
"""(logits (B, V, classes), mask (B, V, 1)) -> (B, classes)."""

TEST_TIME = Table(
    "way of looking again", {"none": Later(f"{HERE}.views:never"), "flip": Later(f"{HERE}.views:mirrored")}
)
"""images (N, C, S, S) -> the other forms in which they are looked at outside training."""

HEADS = Table("head", {"linear": Later(f"{HERE}.heads:LinearHead"), "pcam": Later(f"{HERE}.heads:PcamHead")})
"""(features, classes, dropout) -> head."""

TRAINED = Table("choice of what is trained", {"all": True, "head": False})
"""Whether the backbone is trained too."""


@dataclass(frozen=True)
class TaskKind:
    """``make``: (section, counted) -> task. What else depends on the kind of task stands beside it.

    ``weighs_positives``: pos_weight multiplies the odds that are learned. ``takes_shares``: a target between 0 and 1
    can be learned from. ``only_below_positive_parents``: a class counts only where all its parents are positive.
    """

    make: Later
    weighs_positives: bool
    takes_shares: bool
    only_below_positive_parents: bool = False


TASKS = Table(
    "task",
    {
        "bce": TaskKind(Later(f"{HERE}.tasks:BinaryTask"), weighs_positives=True, takes_shares=True),
        "conditional": TaskKind(
            Later(f"{HERE}.tasks:ConditionalTask"),
            weighs_positives=True,
            takes_shares=True,
            only_below_positive_parents=True,
        ),
        "auc_margin": TaskKind(Later(f"{HERE}.tasks:AucMarginTask"), weighs_positives=False, takes_shares=False),
    },
)

INFERENCES = Table(
    "inference", {"plain": Later(f"{HERE}.hierarchy:as_it_is"), "hierarchy": Later(f"{HERE}.hierarchy:chain_down")}
)
"""(own log P (B, classes), parents' columns) -> log P (B, classes)."""

POSITIVE_WEIGHTS = Table(
    "weighing of positives",
    {"none": Later(f"{HERE}.counted:equal_weights"), "auto": Later(f"{HERE}.counted:balancing_weights")},
)
"""(counted) -> weight of a positive per class, before the cap."""


@dataclass(frozen=True)
class Policy:
    """What an uncertain value teaches: ``target``: (draws, policy) -> targets, or None: nothing, it is masked.

    ``gives_shares``: targets lie between 0 and 1.
    """

    target: Later | None
    gives_shares: bool = False


UNCERTAIN = Table(
    "policy for uncertain labels",
    {
        "uniform": Policy(Later(f"{HERE}.targets:drawn"), gives_shares=True),
        "ones": Policy(Later(f"{HERE}.targets:positive")),
        "zeros": Policy(Later(f"{HERE}.targets:negative")),
        "ignore": Policy(None),
    },
)

OPEN_CELLS = Table(
    "kind of cell",
    {
        "uncertain": Later(f"{HERE}.targets:is_uncertain"),
        "blank": Later(f"{HERE}.targets:is_blank"),
        "unlabelled": Later(f"{HERE}.targets:is_unlabelled"),
    },
)
"""(values, labelled) -> which cells of a study a teacher may answer for, bool."""

ASKED_BLANK = Table("policy for blanks that the indication asks for", {"as_blank": True, "ignore": False})
"""Whether what was asked for and never answered is a blank like others; else it is masked."""
BLANK = Table("policy for blank labels", {"negative": True, "ignore": False})
"""Whether a blank teaches that the class is absent; else it is masked."""


@dataclass(frozen=True)
class Sampler:
    """``order``: (studies, section, generator, count) -> study numbers. ``weighs``: by the studies' weights."""

    order: Later
    weighs: bool


SAMPLERS = Table(
    "sampler",
    {
        "shuffle": Sampler(Later(f"{HERE}.sampler:shuffled"), weighs=False),
        "weighted": Sampler(Later(f"{HERE}.sampler:drawn_by_weight"), weighs=True),
    },
)

STOPPING = Table("stopping metric", {"auc": 1.0, "f1": 1.0, "loss": -1.0, "p4": 1.0, "cf1": 1.0})
"""Sign that makes a higher figure the better one."""


@dataclass(frozen=True)
class Precision:
    """Names of torch's types: of the weights, and of arithmetic under autocast (None: that of the weights).

    ``is_tf32``: a GPU may round the factors of float32 products to 10 bits.
    """

    weights: str
    autocast: str | None = None
    scales_loss: bool = False
    is_tf32: bool = False


PRECISIONS = Table(
    "precision",
    {
        "fp32": Precision("float32"),
        "bf16": Precision("float32", "bfloat16"),
        "fp16": Precision("float32", "float16", scales_loss=True),
        "fp64": Precision("float64"),
        "tf32": Precision("float32", is_tf32=True),
    },
)
