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

from .data import DATASETS
from .errors import ConfigError
from .losses import LOSSES
from .networks import NETWORKS
from .optim import OPTIMIZERS
from .penalties import PENALTIES

GROUPS = ("Data", "Model", "Objective", "Optimiser", "Remedies", "Run")
MAX_MEMBERS = 256


@dataclass(frozen=True)
class Choice:
    """A choice that has no implementation of its own to describe it."""

    title: str


LATENTS = {"normal": Choice("Normal N(0, 1)"), "uniform": Choice("Uniform on [-1, 1]")}
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
    """

    group: str
    source: str = ""
    choices: Mapping[str, Any] | None = None
    primary: bool = False
    live: bool = False
    member: bool = False
    applies: Callable[[GANConfig], bool] = lambda config: True
    scientific: bool = False


def _is_images(config: GANConfig) -> bool:
    return DATASETS[config.dataset].kind == "images"


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
        Meta("Model", "Radford et al. 2016 use 100 for images", primary=True),
    ] = 16
    latent: Annotated[
        str,
        Field(title="Noise distribution", description="What those random numbers are drawn from."),
        Meta(
            "Model",
            "Goodfellow et al. 2014 (uniform); Radford et al. 2016 (uniform); Karras et al. 2018 (normal)",
            choices=LATENTS,
        ),
    ] = "normal"
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
    loss: Annotated[
        str,
        Field(title="Loss", description="The game that the two networks play."),
        Meta("Objective", "each loss names its own", choices=LOSSES, primary=True),
    ] = "nonsaturating"
    penalty: Annotated[
        str,
        Field(
            title="Gradient penalty",
            description=("Keeps the discriminator smooth, so that its gradient stays useful to the generator."),
        ),
        Meta("Objective", "each penalty names its own", choices=PENALTIES, primary=True),
    ] = "none"
    penalty_weight: Annotated[
        float,
        Field(
            title="Penalty weight",
            ge=0,
            le=1000,
            description=("λ or γ of the gradient penalty. WGAN-GP: 10 for images, 0.1 for points; R1: about 0.1 to 10."),
        ),
        Meta(
            "Objective",
            "Gulrajani et al. 2017; Mescheder et al. 2018",
            live=True,
            member=True,
            applies=lambda c: c.penalty != "none",
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
        Meta("Optimiser", "Heusel et al. 2017 (two time scales)", primary=True, live=True, member=True, scientific=True),
    ] = 1e-3
    d_steps: Annotated[
        int,
        Field(
            title="Discriminator steps",
            ge=1,
            le=20,
            description=("Discriminator steps for each generator step. Wasserstein losses usually take 5."),
        ),
        Meta("Optimiser", "Arjovsky et al. 2017: 5"),
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
            applies=lambda c: LOSSES[c.loss].binary,
        ),
    ] = 0.0
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
        Meta("Remedies", "Yazıcı et al. 2019"),
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
                near = difflib.get_close_matches(value, meta.choices, 1)
                hint = f"Did you mean {near[0]}? " if near else ""
                raise _refuse(f"{name} = {value} is unknown. {hint}Choose one of: {', '.join(meta.choices)}.")
        entry = DATASETS[self.dataset]
        if self.image_size and entry.kind == "points":
            raise _refuse(f"image_size = {self.image_size} means nothing for {self.dataset}, which has points. Set it to 0.")
        if entry.kind == "images" and (self.size % 4 or self.size < 8):
            raise _refuse(f"image_size = {self.image_size} does not work: expected 0 or a multiple of 4 from 8 to 128.")
        if NETWORKS[self.network].images_only and entry.kind == "points":
            raise _refuse(
                f"network = {self.network} needs images, and {self.dataset} has points. Choose network = mlp, "
                f"or an image data set such as digits."
            )
        if self.label_smoothing and not LOSSES[self.loss].binary:
            raise _refuse(
                f"label_smoothing = {self.label_smoothing} has no meaning for the loss {self.loss}, which uses "
                f"no labels. Set it to 0, or choose nonsaturating or minimax."
            )
        return self

    @property
    def size(self) -> int:
        """Height and width of the images trained on, in pixels; 0 for points."""
        return self.image_size or DATASETS[self.dataset].size

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (2,) or (C, H, W)."""
        channels = DATASETS[self.dataset].channels
        return (channels, self.size, self.size) if channels else (2,)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> GANConfig:
        """A config from names and values, which may be strings ("0.1"), as from a file, a link or the command line."""
        if not isinstance(values, Mapping):
            raise ConfigError(
                f"A config is an object of names and values, not {type(values).__name__}. "
                f'Write for example {{"dataset": "ring8", "steps": 2000}}.'
            )
        try:
            return cls(**{str(name): value for name, value in values.items()})
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


def _refuse(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("refused", "{sentence}", {"sentence": sentence})


def _sentence(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence: what, expected, how to mend."""
    name = ".".join(str(part) for part in error["loc"])
    kind, context, value = error["type"], error.get("ctx") or {}, error.get("input")
    shown = repr(value) if isinstance(value, str) else value
    if kind == "refused":
        return context["sentence"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(name, GANConfig.model_fields, 1)
        return f"There is no setting {name}." + (
            f" Did you mean {near[0]}?" if near else f" The settings are: {', '.join(GANConfig.model_fields)}."
        )
    if kind in ("greater_than_equal", "less_than_equal", "less_than", "greater_than"):
        low, high = limits(name)
        end = "" if any(hasattr(rule, "le") for rule in GANConfig.model_fields[name].metadata) else " (not included)"
        return f"{name} = {shown} is out of range: expected a number from {low:g} to {high:g}{end}."
    expected = {"int": "a whole number", "float": "a number", "str": "a word"}[GANConfig.model_fields[name].annotation.__name__]
    return f"{name} = {shown} is not usable: expected {expected}."
