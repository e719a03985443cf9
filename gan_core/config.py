"""GANConfig: everything that defines a run, in one flat, frozen, validated object of strings and numbers.

Each field says what it is (help), what it may be (range or registry), where it belongs in the form (group) and where
it comes from (source). The form, the command line and the validation are all made from this; there is no second list.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from .conditions import CONDITIONS
from .data import DATASETS
from .errors import ConfigError, quotable
from .latents import LATENTS
from .losses import LOSSES
from .networks import NETWORKS
from .optim import OPTIMIZERS
from .penalties import PENALTIES
from .remedies import SCHEDULES
from .rules import problems
from .source import Source

GROUPS = ("Data", "Model", "Objective", "Optimiser", "Remedies", "Run")
MAX_MEMBERS = 256
SHOWN = 60  # characters of a name or a value that a sentence repeats
SENTENCES = 12  # about unknown names at once


@dataclass(frozen=True)
class Choice:
    """A choice that has no implementation of its own to describe it."""

    title: str
    text: str = ""


PARTS = {"discriminator": Choice("Discriminator"), "generator": Choice("Generator"), "both": Choice("Both")}
CONSTRAINED = {"none": Choice("Off"), "discriminator": Choice("Discriminator"), "both": Choice("Both networks")}
NORMALISED = {"none": Choice("None"), "generator": Choice("Generator"), "both": Choice("Both networks")}
INITS = {
    "torch": Choice("As torch.nn.Linear", "Uniform in ±1/√inputs, which is small: deep networks start nearly flat."),
    "he": Choice("He", "Uniform with variance 2 / ((1 + 0.2²) inputs), which keeps the size of activations: He et al. 2015."),
}
AUGMENTS = {
    "none": Choice("Off"),
    "diffaugment": Choice("Always (DiffAugment)", "Colour, shift and cutout on every image."),
    "ada": Choice("As needed (ADA)", "The same, with a probability that rises while the discriminator is too sure."),
}
DEVICES = {
    "auto": Choice("Automatic"),
    "cpu": Choice("CPU"),
    "cuda": Choice("GPU (CUDA)"),
    "mps": Choice("GPU (Apple)"),
}


@dataclass(frozen=True)
class Meta:
    """What the form needs to know of a field beside pydantic's own range and description.

    Attributes:
        group: heading it stands under, one of GROUPS.
        source: paper or origin of the idea or the default.
        choices: registry whose keys are the allowed values.
        primary: shown without unfolding.
        live: may be changed while the run trains.
        member: may differ between the members of one trainer.
        applies: whether the field is read at all under the given config.
        scientific: show as 1e-4 rather than 0.0001.
        typed: text that a person may type in; else it is made by other means.
        formula, use, cost: what exactly it does, when to use it, what it costs; for remedies, which `catalogue` lists.
    """

    group: str
    source: str = ""
    formula: str = ""
    use: str = ""
    cost: str = ""
    choices: Mapping[str, Any] | None = None
    primary: bool = False
    live: bool = False
    member: bool = False
    applies: Callable[[GANConfig], bool] = lambda config: True
    scientific: bool = False
    typed: bool = True


def _is_images(config: GANConfig) -> bool:
    return DATASETS[config.dataset].kind == "images"


def _is_game(config: GANConfig) -> bool:
    """Whether two networks play; PixelCNN has only one."""
    return NETWORKS[config.network].adversarial


def _can_tell(config: GANConfig) -> bool:
    return DATASETS[config.dataset].classes > 0


class GANConfig(BaseModel):
    """Settings of one GAN. Frozen: `config.model_copy(update=...)` does not validate, `config.but(name=value)` does.

    Raises:
        ConfigError: from `parse` and `but`, with one sentence for each setting that is wrong.
        pydantic.ValidationError: from the constructor, with the same sentences.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=False)

    dataset: Annotated[
        str,
        Field(title="Data set", description="What the generator shall learn to imitate."),
        Meta("Data", "each data set names its own", choices=DATASETS, primary=True),
    ] = "ring8"
    image_size: Annotated[
        int,
        Field(
            title="Image size",
            ge=0,
            le=128,
            description=("Height and width that images are resized to, in pixels. 0 keeps the data set's own size."),
        ),
        Meta("Data", "bilinear with antialiasing, as torchvision's Resize", applies=_is_images),
    ] = 0
    channels: Annotated[
        int,
        Field(title="Channels", ge=0, le=3, description="1 for grey, 3 for colour. 0 keeps the data set's own."),
        Meta("Data", "ITU-R BT.601 weights for grey", applies=_is_images),
    ] = 0
    levels: Annotated[
        int,
        Field(
            title="Grey levels",
            ge=0,
            le=32,
            description=(
                "Values that a pixel may have: 2 makes black and white images. 0 leaves them continuous. Gumbel and "
                "PixelCNN need discrete images."
            ),
        ),
        Meta("Data", "van den Oord et al. 2016", applies=_is_images),
    ] = 0
    path: Annotated[
        str,
        Field(
            title="Folder or zip",
            max_length=4096,
            description="Where your images lie: a folder with its subfolders, or a zip file.",
        ),
        Meta("Data", "your own", primary=True, applies=lambda c: c.dataset == "folder"),
    ] = ""
    points: Annotated[
        str,
        Field(
            title="Your points", max_length=20_000, description="The points as text, as gan_core.points.encode_points makes it."
        ),
        Meta("Data", "your own", primary=True, typed=False, applies=lambda c: c.dataset == "drawn"),
    ] = ""
    conditional: Annotated[
        str,
        Field(title="Conditional", description="How both networks are told the class of a sample. You can then ask for a class."),
        Meta("Data", "each way names its own", choices=CONDITIONS, primary=True, applies=_can_tell),
    ] = "none"
    class_weight: Annotated[
        float,
        Field(
            title="Weight of the classes",
            ge=0,
            le=100,
            description="How much telling the class counts beside telling real from generated.",
        ),
        Meta("Data", "Odena et al. 2017: 1", live=True, member=True, applies=lambda c: CONDITIONS[c.conditional].auxiliary),
    ] = 1.0
    network: Annotated[
        str,
        Field(title="Network", description="The kind of generator and discriminator."),
        Meta("Model", "each network names its own", choices=NETWORKS, primary=True),
    ] = "mlp"
    latent_dim: Annotated[
        int,
        Field(
            title="Noise dimensions",
            ge=1,
            le=512,
            description=("How many random numbers (the latent z) the generator turns into one sample."),
        ),
        Meta(
            "Model",
            "Radford et al. 2016 use 100 for images",
            primary=True,
            applies=_is_game,
            formula="z of so many numbers",
            use=(
                "Too few cannot describe the data. More is no cure for collapse by itself: a connected noise has a "
                "connected image."
            ),
            cost="Hardly anything.",
        ),
    ] = 16
    latent: Annotated[
        str,
        Field(title="Noise distribution", description="What those random numbers are drawn from."),
        Meta(
            "Model",
            "Goodfellow et al. 2014 (uniform); Radford et al. 2016 (uniform); Karras et al. 2018 (normal)",
            choices=LATENTS,
            applies=_is_game,
        ),
    ] = "normal"
    latent_modes: Annotated[
        int,
        Field(
            title="Islands or coins",
            ge=1,
            le=64,
            description="How many islands a mixture of noise has, or how many of the noise's numbers are coin tosses.",
        ),
        Meta(
            "Model",
            "as many islands as the data have modes; more coins than log2 of the modes",
            applies=lambda c: LATENTS[c.latent].islands and _is_game(c),
        ),
    ] = 8
    width: Annotated[
        int,
        Field(
            title="Width",
            ge=2,
            le=1024,
            description=("Neurons in each hidden layer; for convolutional networks the channels at the highest resolution."),
        ),
        Meta("Model", "Radford et al. 2016 use 128 at 64 x 64; Metz et al. 2017 use 128 on points"),
    ] = 128
    depth: Annotated[
        int,
        Field(title="Hidden layers", ge=1, le=8, description="Hidden layers of each network."),
        Meta("Model", "Metz et al. 2017 use 2 on points", applies=lambda c: NETWORKS[c.network].uses_depth),
    ] = 2
    temperature: Annotated[
        float,
        Field(
            title="Temperature",
            ge=0.05,
            le=10,
            description="How soft the choice of a pixel's value is for the gradient, at the start.",
        ),
        Meta(
            "Model", "Jang et al. 2017, section 3.1: 1", live=True, applies=lambda c: NETWORKS[c.network].discrete and _is_game(c)
        ),
    ] = 1.0
    temperature_end: Annotated[
        float,
        Field(title="Temperature at the end", ge=0.05, le=10, description="It falls evenly, by ratio, to this at the last step."),
        Meta(
            "Model",
            "Jang et al. 2017, section 3.1: 0.5",
            live=True,
            applies=lambda c: NETWORKS[c.network].discrete and _is_game(c),
        ),
    ] = 0.5
    depth_d: Annotated[
        int,
        Field(
            title="Hidden layers of the discriminator",
            ge=0,
            le=8,
            description="0 gives it as many as the generator.",
        ),
        Meta("Model", "a judge with more layers than the artist", applies=lambda c: c.network == "mlp"),
    ] = 0
    init: Annotated[
        str,
        Field(title="First weights", description="How large the weights of the hidden layers are at the start."),
        Meta("Model", "each way names its own", choices=INITS, applies=lambda c: c.network == "mlp"),
    ] = "torch"
    batch_norm: Annotated[
        str,
        Field(
            title="Batch normalisation",
            description=(
                "Which network normalises its layers over the batch. In a discriminator it makes samples depend on each other."
            ),
        ),
        Meta(
            "Model",
            "Ioffe and Szegedy 2015; Radford et al. 2016",
            choices=NORMALISED,
            applies=lambda c: NETWORKS[c.network].uses_batch_norm,
        ),
    ] = "generator"
    spectral_norm: Annotated[
        str,
        Field(
            title="Spectral normalisation",
            description=("Divides every weight matrix by its largest singular value, which bounds how steep the network can be."),
        ),
        Meta(
            "Model",
            "Miyato et al. 2018, algorithm 1",
            choices=CONSTRAINED,
            applies=_is_game,
            formula="W / σ(W)",
            use="A discriminator that grows too steep; with hinge loss, d_steps 1 to 5, Adam (0, 0.9).",
            cost="One step of the power method for each layer.",
        ),
    ] = "none"
    minibatch_std: Annotated[
        int,
        Field(
            title="Minibatch deviation: group",
            ge=0,
            le=64,
            description=(
                "Shows the discriminator how much so many samples differ, so that it sees collapse. 0 is off, 4 is usual."
            ),
        ),
        Meta(
            "Model",
            "Karras et al. 2018, section 3",
            applies=_is_game,
            formula="one more feature: the mean standard deviation over a group",
            use="Samples that all look alike.",
            cost="Hardly anything.",
        ),
    ] = 0
    minibatch_discrimination: Annotated[
        int,
        Field(
            title="Minibatch discrimination: kernels",
            ge=0,
            le=64,
            description="Shows the discriminator how close each sample is to the others, in so many learned ways. 0 is off.",
        ),
        Meta(
            "Model",
            "Salimans et al. 2016, section 3.2",
            applies=_is_game,
            formula="o(x)ₖ = Σⱼ exp(-|Mₖ(x) - Mₖ(xⱼ)|₁)",
            use="Samples that all look alike; finer than the deviation.",
            cost="Grows with the square of the batch.",
        ),
    ] = 0
    pack: Annotated[
        int,
        Field(
            title="Samples in a pack (PacGAN)",
            ge=1,
            le=8,
            description=(
                "The discriminator judges so many samples together, so that a lack of variety gives the generator away. 1 is off."
            ),
        ),
        Meta(
            "Model",
            "Lin et al. 2018, section 2",
            applies=_is_game,
            formula="D(x₁, …, xₘ)",
            use="Dropped modes: 2 to 4.",
            cost="A wider first layer; the discriminator gets 1/m as many judgements from a batch.",
        ),
    ] = 1
    loss: Annotated[
        str,
        Field(title="Loss", description="The game that the two networks play."),
        Meta("Objective", "each loss names its own", choices=LOSSES, primary=True, live=True, applies=_is_game),
    ] = "nonsaturating"
    penalty: Annotated[
        str,
        Field(
            title="Penalty",
            description=("Keeps the discriminator smooth, so that its gradient stays useful to the generator."),
        ),
        Meta("Objective", "each penalty names its own", choices=PENALTIES, primary=True, live=True, applies=_is_game),
    ] = "none"
    penalty_weight: Annotated[
        float,
        Field(
            title="Penalty weight",
            ge=0,
            le=1000,
            description=(
                "λ or γ of the penalty. WGAN-GP: 10 for images, 0.1 for points; R1: about 0.1 to 10; clipping: the box, 0.01."
            ),
        ),
        Meta(
            "Objective",
            "Gulrajani et al. 2017; Mescheder et al. 2018",
            live=True,
            member=True,
            applies=lambda c: c.penalty != "none" and _is_game(c),
        ),
    ] = 1.0
    steps: Annotated[
        int,
        Field(title="Steps", ge=1, le=10_000_000, description="Generator steps until the run is finished."),
        Meta("Optimiser", "a length that a CPU makes in seconds to minutes", primary=True),
    ] = 5000
    batch_size: Annotated[
        int,
        Field(title="Batch size", ge=2, le=4096, description=("Real samples, and as many generated ones, in each step.")),
        Meta("Optimiser", "Gulrajani et al. 2017 use 256 on points; Radford et al. 2016 use 128 on images"),
    ] = 256
    lr_g: Annotated[
        float,
        Field(
            title="Generator's learning rate",
            ge=0,
            le=1,
            description=("How far the generator moves in a step. Can be changed while the run trains."),
        ),
        Meta("Optimiser", "Radford et al. 2016: 2e-4", primary=True, live=True, member=True, scientific=True),
    ] = 1e-3
    lr_d: Annotated[
        float,
        Field(
            title="Discriminator's learning rate",
            ge=0,
            le=1,
            description=("How far the discriminator moves in a step. Can be changed while the run trains."),
        ),
        Meta(
            "Optimiser",
            "Heusel et al. 2017 (two time scales)",
            primary=True,
            live=True,
            member=True,
            scientific=True,
            applies=_is_game,
            formula="lr of D ≠ lr of G",
            use="A discriminator that lags behind (raise it to 2 to 4 times the generator's) or wins at once (lower it).",
            cost="Nothing.",
        ),
    ] = 1e-3
    d_steps: Annotated[
        int,
        Field(
            title="Discriminator steps",
            ge=1,
            le=20,
            description=("Discriminator steps for each generator step. Wasserstein losses usually take 5."),
        ),
        Meta(
            "Optimiser",
            "Arjovsky et al. 2017: 5",
            live=True,
            applies=_is_game,
            formula="n discriminator steps, then one of the generator",
            use="Wasserstein critics: 5.",
            cost="A step takes about n times as long.",
        ),
    ] = 1
    optimizer: Annotated[
        str,
        Field(title="Optimiser", description="The rule that turns gradients into steps."),
        Meta("Optimiser", "each optimiser names its own", choices=OPTIMIZERS),
    ] = "adam"
    beta1: Annotated[
        float,
        Field(title="β1", ge=0, lt=1, description=("Memory of the gradient (Adam) or momentum (SGD). GANs like it low.")),
        Meta(
            "Optimiser",
            "Radford et al. 2016: 0.5; Gulrajani et al. 2017: 0 to 0.5",
            applies=lambda c: c.optimizer != "rmsprop",
        ),
    ] = 0.5
    beta2: Annotated[
        float,
        Field(title="β2", ge=0, lt=1, description="Memory of the squared gradient (Adam, RMSprop)."),
        Meta("Optimiser", "Kingma and Ba 2015: 0.999", applies=lambda c: c.optimizer != "sgd"),
    ] = 0.999
    lr_schedule: Annotated[
        str,
        Field(title="Learning rates over time", description="Whether both learning rates fall towards the end of the run."),
        Meta("Optimiser", "each way names its own", choices=SCHEDULES, live=True),
    ] = "constant"
    lr_end: Annotated[
        float,
        Field(title="Share at the end", ge=0, le=1, description="What is left of the learning rates at the last step."),
        Meta("Optimiser", "Miyato et al. 2018: 0", live=True, applies=lambda c: c.lr_schedule != "constant"),
    ] = 0.02
    grad_clip: Annotated[
        float,
        Field(
            title="Gradient clipping",
            ge=0,
            le=1000,
            description="The longest gradient that is followed in full; longer ones are shortened. 0 is off.",
        ),
        Meta(
            "Optimiser",
            "Pascanu et al. 2013, section 3.2",
            live=True,
            member=True,
            formula="g · min(1, c / ‖g‖)",
            use="Loss curves with sudden jumps.",
            cost="Hardly anything.",
        ),
    ] = 0.0
    label_smoothing: Annotated[
        float,
        Field(
            title="Label smoothing",
            ge=0,
            lt=0.5,
            description=(
                "Real samples are labelled 1 minus this, so that the discriminator never gets quite sure. Real labels only."
            ),
        ),
        Meta(
            "Remedies",
            "Salimans et al. 2016, section 3.4",
            live=True,
            member=True,
            applies=lambda c: LOSSES[c.loss].binary and _is_game(c),
            formula="label 1 - s for real samples",
            use="A discriminator that is too sure.",
            cost="Nothing.",
        ),
    ] = 0.0
    unroll_steps: Annotated[
        int,
        Field(
            title="Unrolled steps",
            ge=0,
            le=10,
            description=(
                "The generator looks ahead: it learns against the discriminator as it would be so many updates later. 0 is off."
            ),
        ),
        Meta(
            "Remedies",
            "Metz et al. 2017, section 2",
            live=True,
            applies=_is_game,
            formula="L_G(D after k updates), with the derivative through them",
            use="A generator that jumps from mode to mode: 5 to 10, with a discriminator slower than the generator.",
            cost="k more discriminator updates with their derivatives: a step takes about k + 1 times as long.",
        ),
    ] = 0
    mode_seeking: Annotated[
        float,
        Field(
            title="Mode seeking",
            ge=0,
            le=100,
            description="Rewards the generator when different noise gives different samples. The number is the weight; 0 is off.",
        ),
        Meta(
            "Remedies",
            "Mao et al. 2019, equation 3",
            live=True,
            member=True,
            applies=_is_game,
            formula="w / (mean|x₁ - x₂| / mean|z₁ - z₂| + 1e-5)",
            use="Conditional GANs that ignore their noise.",
            cost="Hardly anything.",
        ),
    ] = 0.0
    instance_noise: Annotated[
        float,
        Field(
            title="Instance noise",
            ge=0,
            le=10,
            description=(
                "Standard deviation of noise on everything the discriminator sees, so that real and generated samples "
                "overlap. 0 is off."
            ),
        ),
        Meta(
            "Remedies",
            "Sønderby et al. 2017, section 3.2; Arjovsky and Bottou 2017",
            live=True,
            member=True,
            applies=_is_game,
            formula="D(x + N(0, s²))",
            use="A discriminator that wins at once; at the beginning.",
            cost="Blurs what the discriminator can see, until it has fallen.",
        ),
    ] = 0.0
    instance_noise_steps: Annotated[
        int,
        Field(
            title="Instance noise: until step",
            ge=0,
            le=10_000_000,
            description="It falls evenly to nothing at this step of the run; later there is none. 0 keeps it.",
        ),
        Meta("Remedies", "Sønderby et al. 2017, section 3.2", live=True, applies=lambda c: c.instance_noise > 0 and _is_game(c)),
    ] = 0
    augment: Annotated[
        str,
        Field(title="Augmentation", description="Changes real and generated images alike before the discriminator sees them."),
        Meta(
            "Remedies",
            "Zhao et al. 2020 (DiffAugment); Karras et al. 2020 (ADA)",
            choices=AUGMENTS,
            live=True,
            applies=lambda c: _is_images(c) and _is_game(c),
            formula="D(T(x)), T differentiable: brightness, saturation, contrast, shift, cutout",
            use="Few training images: the discriminator learns them by heart.",
            cost="Some operations on every image the discriminator sees.",
        ),
    ] = "none"
    ada_target: Annotated[
        float,
        Field(
            title="ADA: target",
            ge=0,
            le=1,
            description="The mean sign of the logits on real images that the strength is steered to.",
        ),
        Meta(
            "Remedies",
            "Karras et al. 2020, section 3.2: 0.6",
            live=True,
            applies=lambda c: c.augment == "ada" and _is_images(c) and _is_game(c),
        ),
    ] = 0.6
    ada_images: Annotated[
        int,
        Field(
            title="ADA: images",
            ge=1000,
            le=100_000_000,
            description="How many images it takes for the strength to go from 0 to 1.",
        ),
        Meta(
            "Remedies",
            "Karras et al. 2020, section 3.2: 500,000",
            live=True,
            applies=lambda c: c.augment == "ada" and _is_images(c) and _is_game(c),
        ),
    ] = 500_000
    replay: Annotated[
        float,
        Field(
            title="Replay",
            ge=0,
            le=1,
            description="Share of the generated samples that the discriminator sees again from earlier steps. 0 is off.",
        ),
        Meta(
            "Remedies",
            "Shrivastava et al. 2017, section 2.3; Zhu et al. 2017: 0.5",
            live=True,
            member=True,
            applies=lambda c: _is_game(c) and c.conditional == "none",
            formula="a pool of 8 batches; each sample is swapped with one of it with this probability",
            use="A game that goes round in circles, because the discriminator forgets.",
            cost="Memory for 8 batches.",
        ),
    ] = 0.0
    reset_every: Annotated[
        int,
        Field(
            title="Partial reset: every",
            ge=0,
            le=10_000_000,
            description=(
                "After so many steps a share of the weights starts afresh. 0 is off. An experiment: no study shows "
                "that it cures collapse."
            ),
        ),
        Meta(
            "Remedies",
            "named in introductions; compare Zhou et al. 2022 (Fortuitous Forgetting)",
            live=True,
            applies=_is_game,
            formula="w ← fresh w for a random share, and the optimiser forgets those",
            use="To see whether it helps: compare with a run without it, over several seeds.",
            cost="Steps until what was lost is learnt again.",
        ),
    ] = 0
    reset_fraction: Annotated[
        float,
        Field(title="Partial reset: share", ge=0, le=1, description="How much of the weights starts afresh."),
        Meta(
            "Remedies",
            "named in introductions",
            live=True,
            member=True,
            applies=lambda c: c.reset_every > 0 and _is_game(c),
        ),
    ] = 0.1
    reset_network: Annotated[
        str,
        Field(title="Partial reset: of", description="Which network is reset."),
        Meta(
            "Remedies",
            "named in introductions",
            choices=PARTS,
            live=True,
            applies=lambda c: c.reset_every > 0 and _is_game(c),
        ),
    ] = "discriminator"
    ema_decay: Annotated[
        float,
        Field(
            title="Averaged generator (EMA)",
            ge=0,
            lt=1,
            description=(
                "Samples come from an exponential average of the generator's weights: 0.999 averages about 1,000 steps. "
                "0 shows the weights as they are."
            ),
        ),
        Meta(
            "Remedies",
            "Yazıcı et al. 2019",
            live=True,
            formula="w̄ ← β w̄ + (1 - β) w",
            use="Always for showing samples: they get calmer and better. It does not touch the training.",
            cost="One more copy of the generator.",
        ),
    ] = 0.0
    seed: Annotated[
        int,
        Field(title="Seed", ge=0, le=2**31 - 1, description=("The same seed and settings give exactly the same run.")),
        Meta("Run", "any whole number", primary=True, member=True),
    ] = 0
    device: Annotated[
        str,
        Field(
            title="Device",
            description="Where to compute. Automatic takes a GPU if there is one and the network is convolutional.",
        ),
        Meta("Run", "as torch.device", choices=DEVICES),
    ] = "auto"

    @model_validator(mode="after")
    def _check(self) -> GANConfig:
        for name, meta in METAS.items():
            value = getattr(self, name)
            if meta.choices is not None and value not in meta.choices:
                near = difflib.get_close_matches(value[:SHOWN], meta.choices, 1)
                hint = f"Did you mean {near[0]}? " if near else ""
                raise _refuse(f"{name} = {_shown(value)} is unknown. {hint}Choose one of: {', '.join(meta.choices)}.")
        for problem in problems(self, METAS):
            raise _refuse(problem)
        return self

    @property
    def size(self) -> int:
        """Height and width of the images trained on, in pixels; 0 for points."""
        return self.image_size or DATASETS[self.dataset].size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (2,) or (C, H, W)."""
        channels = DATASETS[self.dataset].channels
        return (self.channels or channels, self.size, self.size) if channels else (2,)

    @property
    def classes(self) -> int:
        """Classes that samples can be asked for; 0 where the generator knows of none."""
        return DATASETS[self.dataset].classes if self.conditional != "none" else 0

    @property
    def source(self) -> Source:
        """What of this config says which data are meant."""
        return Source(self.dataset, self.image_size, self.channels, self.levels, self.path, self.points)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> GANConfig:
        """A config from names and values, which may be strings ("0.1"), as from a file, a link or the command line."""
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"A config is an object of names and values, not {type(values).__name__}. "
                f'Write for example {{"dataset": "ring8", "steps": 2000}}.'
            )
        if unknown := [name for name in values if name not in METAS]:
            raise ConfigError(" ".join(_unknown(name) for name in unknown[:SENTENCES]))
        try:
            return cls(**values)
        except ValidationError as error:
            raise ConfigError(" ".join(_sentence(e) for e in error.errors())) from error

    def but(self, **changes: Any) -> GANConfig:
        """A copy with some values changed, validated."""
        return self.parse({**self.model_dump(), **changes})

    def changed(self) -> dict[str, Any]:
        """Only the values that differ from the defaults."""
        return self.model_dump(exclude_defaults=True)


METAS: dict[str, Meta] = {
    name: next(m for m in field.metadata if isinstance(m, Meta)) for name, field in GANConfig.model_fields.items()
}


def limits(name: str) -> tuple[float | None, float | None]:
    """(lowest, highest) value of a numeric field, None where open or excluded bounds leave it to the validation."""
    low = high = None
    for rule in GANConfig.model_fields[name].metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", getattr(rule, "lt", high))
    return low, high


def refusal(name: str, value: Any) -> str:
    """A sentence that says why a setting cannot have a value, whatever the others are, or ""."""
    try:
        GANConfig(**{name: value})
    except ValidationError as error:
        first, choices = error.errors()[0], METAS[name].choices
        if first["loc"] or (choices is not None and value not in choices):
            return _sentence(first)  # else it only does not go with the others' defaults
    return ""


def _refuse(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})


def _unknown(name: Any) -> str:
    near = difflib.get_close_matches(str(name)[:SHOWN], METAS, 1)
    more = f"Did you mean {near[0]}?" if near else f"The settings are: {', '.join(METAS)}."
    return f"There is no setting {_shown(name)}. {more}"


def _shown(value: Any) -> str:
    """What a sentence repeats of a value that may be anything: it can be printed, and is short."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__}"
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a number of very many digits"
    text = quotable(str(value)[: SHOWN + 1])
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _sentence(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence: what, expected, how to mend."""
    name = ".".join(str(part) for part in error["loc"])
    kind, context, value = error["type"], error.get("ctx") or {}, error.get("input")
    shown = repr(_shown(value)) if isinstance(value, str) else _shown(value)
    if kind == "refused":
        return context["sentence"]
    if kind in ("greater_than_equal", "less_than_equal", "less_than", "greater_than"):
        low, high = limits(name)
        end = "" if any(hasattr(rule, "le") for rule in GANConfig.model_fields[name].metadata) else " (not included)"
        return f"{name} = {shown} is out of range: expected a number from {low:g} to {high:g}{end}."
    expected = {"int": "a whole number", "float": "a number", "str": "a word"}[GANConfig.model_fields[name].annotation.__name__]
    return f"{name} = {shown} is not usable: expected {expected}."
