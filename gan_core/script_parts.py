"""What an exported script is made of beside data and networks: noise, losses, penalties, optimisers, schedules.

One dict for each registry of the engine, with the same keys, whose entries are code instead of functions. In that code a
batch is (B, ...), because a script trains one GAN, and `real_logits` and `fake_logits` are (B,).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .conditions import CONDITIONS
from .config import GANConfig
from .latents import MIXTURE_RADIUS, mixture_sigma
from .losses import LOSSES as ENGINE_LOSSES
from .optim import EPS, TINY
from .penalties import EPS as NORM_EPS
from .penalties import PENALTIES as ENGINE_PENALTIES
from .script_text import docstring, indented, joined

# Noise: what a function `latents(n)` does


def _mixture(c: GANConfig) -> str:
    sigma, plane = round(mixture_sigma(c.latent_dim, c.latent_modes), 6), min(2, c.latent_dim)
    if c.latent_dim == 1:
        centres = f"centres = torch.linspace(-{MIXTURE_RADIUS}, {MIXTURE_RADIUS}, ISLANDS)[:, None]"
    else:
        centres = joined(
            "angle = torch.arange(ISLANDS) * (2 * math.pi / ISLANDS)",
            f"centres = {MIXTURE_RADIUS} * torch.stack([angle.cos(), angle.sin()], 1)",
        )
    return joined(
        centres,
        "z = torch.randn(n, LATENT_DIM)",
        f"z[:, :{plane}] = centres[torch.randint(ISLANDS, (n,))] + {sigma} * z[:, :{plane}]",
        "return z",
    )


LATENTS = {
    "normal": lambda c: "return torch.randn(n, LATENT_DIM)",
    "uniform": lambda c: "return 2 * torch.rand(n, LATENT_DIM) - 1",
    "mixture": _mixture,
    "coins": lambda c: "z = torch.randn(n, LATENT_DIM)\nz[:, :COINS] = z[:, :COINS].sign()\nreturn z",
}

# Losses: what the discriminator and what the generator minimises, for each sample

_CROSS_ENTROPY = "softplus(-real_logits) + softplus(fake_logits)"
LOSSES = {
    "nonsaturating": (_CROSS_ENTROPY, "softplus(-fake_logits)"),
    "wasserstein": ("fake_logits - real_logits", "-fake_logits"),
    "minimax": (_CROSS_ENTROPY, "-softplus(fake_logits)"),
    "least_squares": ("((real_logits - 1).square() + fake_logits.square()) / 2", "(fake_logits - 1).square() / 2"),
    "hinge": ("relu(1 - real_logits) + relu(1 + fake_logits)", "-fake_logits"),
    "relativistic": ("softplus(fake_logits - real_logits)", "softplus(real_logits - fake_logits)"),
}


@dataclass(frozen=True)
class Penalty:
    """How a penalty is written.

    Attributes:
        body: of a function `penalty(discriminator, real, fake)` that returns it for each sample; LABELS stands for the
            argument that tells the class.
        inline: lines in the discriminator's loss instead, after which `loss` holds it. FAKE stands for the logits on
            generated samples, through which nothing reaches the generator.
        project: what happens to a weight `w` after each update of the discriminator.
    """

    body: str = ""
    inline: str = ""
    project: str = ""


_STEEP = f"return ((squared_gradient(discriminator, x LABELS) + {NORM_EPS}).sqrt() - 1).square()"
PENALTIES = {
    "none": Penalty(),
    "wgan_gp": Penalty(
        "a = torch.rand(len(real), *[1] * (real.dim() - 1))  # one for each sample\nx = a * real + (1 - a) * fake\n" + _STEEP
    ),
    "dragan": Penalty("x = real + 0.5 * real.std(correction=0) * torch.rand_like(real)\n" + _STEEP),
    "r1": Penalty("return squared_gradient(discriminator, real LABELS) / 2"),
    "r2": Penalty("return squared_gradient(discriminator, fake LABELS) / 2"),
    "r1_r2": Penalty(
        "at_real, at_fake = squared_gradient(discriminator, real LABELS), squared_gradient(discriminator, fake LABELS)\n"
        "return (at_real + at_fake) / 2"
    ),
    "lecam": Penalty(
        inline="means = (real_logits.detach().mean(), fake_logits.detach().mean())\n"
        "real_mean, fake_mean = means if anchors is None else anchors\n"
        "leaning = relu(real_logits - fake_mean).square() + relu(real_mean - FAKE).square()\n"
        "loss = loss + PENALTY_WEIGHT * leaning.mean()  # LeCam: Tseng et al. 2021"
    ),
    "clip": Penalty(project="clamp(-CLIP, CLIP)"),
}

_SQUARED = '''\
def squared_gradient(discriminator, x LABELS):
    """Squared norm of the discriminator's gradient at each sample, (B,)."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(x LABELS).sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)'''

# Optimisers: what makes one, what it remembers of a weight, and its step as a differentiable one


@dataclass(frozen=True)
class Optimizer:
    """How an optimiser is written.

    Attributes:
        make: the class and its arguments after the learning rate.
        memory: names under which it remembers something of each weight.
        ahead: lines that make `weights` from `gradients` in a loop over k.
    """

    make: tuple[str, str]
    memory: tuple[str, ...]
    ahead: str


_AHEAD_ADAM = f"""\
means = [BETA1 * m + (1 - BETA1) * g for m, g in zip(means, gradients)]
squares = [BETA2 * s + (1 - BETA2) * g * g for s, g in zip(squares, gradients)]
steps = [lr / (1 - BETA1 ** (age + k)) * m for m, age in zip(means, ages)]
scales = [(s + {TINY}).sqrt() / (1 - BETA2 ** (age + k)) ** 0.5 + {EPS} for s, age in zip(squares, ages)]
weights = [w - step / scale for w, step, scale in zip(weights, steps, scales)]"""
_AHEAD_RMSPROP = f"""\
squares = [BETA2 * s + (1 - BETA2) * g * g for s, g in zip(squares, gradients)]
weights = [w - lr * g / ((s + {TINY}).sqrt() + {EPS}) for w, g, s in zip(weights, gradients, squares)]"""
_AHEAD_SGD = """\
velocities = [BETA1 * v + g for v, g in zip(velocities, gradients)]
weights = [w - lr * v for w, v in zip(weights, velocities)]"""

OPTIMIZERS = {
    "adam": Optimizer(("Adam", "betas=(BETA1, BETA2)"), ("exp_avg", "exp_avg_sq", "step"), _AHEAD_ADAM),
    "sgd": Optimizer(("SGD", "momentum=BETA1"), ("momentum_buffer",), _AHEAD_SGD),
    "rmsprop": Optimizer(("RMSprop", f"alpha=BETA2, eps={EPS}"), ("square_avg",), _AHEAD_RMSPROP),
}

# Schedules: the factor of the learning rates when the share t of the run is done

SCHEDULES = {
    "constant": "",
    "linear": "1 + (LR_END - 1) * t",
    "exponential": "LR_END**t",
    "cosine": "LR_END + (1 - LR_END) * (1 + math.cos(math.pi * t)) / 2",
}


def _mean(code: str) -> str:
    """The mean of an expression, in brackets where it is more than one call."""
    return f"{code}.mean()" if re.fullmatch(r"\w+\([^()]*\)", code) else f"({code}).mean()"


def latents(c: GANConfig) -> str:
    """`latents(n)`."""
    return joined("def latents(n):", indented(joined(docstring("Noise for n samples, (n, LATENT_DIM)."), LATENTS[c.latent](c))))


def losses(c: GANConfig, labels: str, counts: bool) -> list[str]:
    """The functions that both networks minimise, with the penalty.

    Args:
        labels: the name of the labels that the discriminator is given, or "".
        counts: the logits are wanted too.
    """
    entry, code, penalty = ENGINE_LOSSES[c.loss], LOSSES[c.loss], PENALTIES[c.penalty]
    auxiliary = CONDITIONS[c.conditional].auxiliary
    told = f", {labels}" if labels else ""
    more = ", labels" if auxiliary else told
    anchored = ENGINE_PENALTIES[c.penalty].anchored
    parts = []
    if "squared_gradient" in penalty.body:
        parts.append(_SQUARED.replace(" LABELS", told))
    if penalty.body:
        about = ENGINE_PENALTIES[c.penalty]
        parts.append(
            joined(
                f"def penalty(discriminator, real, fake{told}):",
                indented(
                    joined(docstring(f"{about.title}, {about.source}: {about.text}"), penalty.body.replace(" LABELS", told))
                ),
            )
        )
    if auxiliary:
        parts.append(
            joined(
                "def class_error(discriminator, x, labels):",
                indented(
                    joined(
                        docstring("How badly the discriminator tells the classes (Odena et al. 2017, section 3)."),
                        "return cross_entropy(discriminator(x, classify=True), labels)",
                    )
                ),
            )
        )
    terms = [
        c.label_smoothing > 0 and "loss = loss + LABEL_SMOOTHING * real_logits.mean()  # real samples are labelled 1 minus this",
        penalty.body and f"loss = loss + PENALTY_WEIGHT * penalty(discriminator, real, fake{told}).mean()",
        penalty.inline.replace("FAKE", f"discriminator(fake.detach(){told})" if c.unroll_steps else "fake_logits"),
        auxiliary
        and "wrong = class_error(discriminator, real, labels) + class_error(discriminator, fake, labels)\n"
        "loss = loss + CLASS_WEIGHT * wrong",
        counts and "return loss, real_logits.detach(), fake_logits.detach()",
    ]
    more_terms = joined(*terms)
    body = joined(
        docstring(f"{entry.title} ({entry.source}): {entry.text}"),
        f"real_logits, fake_logits = discriminator(real{told}), discriminator(fake{told})",
        f"loss = {_mean(code[0])}\n{more_terms}" if more_terms else f"return {_mean(code[0])}",
        more_terms and not counts and "return loss",
    )
    head = f"def discriminator_loss(discriminator, real, fake{more}{', anchors' if anchored else ''}):"
    parts.append(joined(head, indented(body)))
    real = ", real" if entry.paired else ""
    body = joined(
        docstring(
            f"{entry.title}: {entry.formula.split(';')[-1].strip()}, with f the logits{' and r those' if real else ''}"
            f"{' of real samples' if real else ''}."
        ),
        entry.paired and f"real_logits, fake_logits = discriminator(real{told}), discriminator(fake{told})",
        not entry.paired and f"fake_logits = discriminator(fake{told})",
        f"loss = {_mean(code[1])}" if auxiliary else f"return {_mean(code[1])}",
        auxiliary and "return loss + CLASS_WEIGHT * class_error(discriminator, fake, labels)",
    )
    parts.append(joined(f"def generator_loss(discriminator, fake{real}{more}):", indented(body)))
    return parts


def optimizer(c: GANConfig, network: str, rate: str) -> str:
    """The expression that makes an optimiser."""
    name, arguments = OPTIMIZERS[c.optimizer].make
    if aged(c):
        return f"AgedAdam({network}.parameters(), {{'lr': {rate}}})".replace("'", '"')
    return f"torch.optim.{name}({network}.parameters(), lr={rate}, {arguments})"


def aged(c: GANConfig) -> bool:
    """Whether some weights begin anew, and the optimiser has to know how old each is."""
    return c.reset_every > 0 and "step" in OPTIMIZERS[c.optimizer].memory


def schedule(c: GANConfig) -> str:
    """`decayed(t)`, or ""."""
    if c.lr_schedule == "constant":
        return ""
    return joined(
        "def decayed(t):",
        indented(
            joined(
                docstring("Factor of both learning rates when a share t of the run is done."),
                f"return {SCHEDULES[c.lr_schedule]}",
            )
        ),
    )
