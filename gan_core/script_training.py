"""The training loop of an exported script: `members.Members.step` for one GAN, without what the config does not use."""

from __future__ import annotations

from . import script_parts as parts
from . import script_remedies as remedies
from .config import GANConfig
from .losses import LOSSES
from .networks import NETWORKS
from .penalties import ANCHOR_DECAY, PENALTIES
from .remedies import POOL_BATCHES
from .script_text import docstring, indented, joined


def counts(c: GANConfig) -> bool:
    """Whether the training reads the logits beside the loss."""
    return PENALTIES[c.penalty].anchored or c.augment == "ada"


def _labels(c: GANConfig) -> str:
    """The argument that tells the generator the classes, or ""."""
    return ", labels" if c.classes else ""


def _more(c: GANConfig) -> str:
    """What the discriminator's loss, and looking ahead, are given beside the samples."""
    told = ", told" if c.pack > 1 and c.classes else _labels(c)
    return told + (", anchors" if PENALTIES[c.penalty].anchored else "")


def _seen(c: GANConfig, x: str) -> str:
    """Samples as the discriminator sees them."""
    return f"seen({x}{remedies.arguments(c)})" if remedies.sees(c) else x


def _step(c: GANConfig, network: str, letter: str) -> str:
    """The lines that move a network down the gradient of its loss."""
    return joined(
        f"opt_{letter}.zero_grad()",
        f"loss_{letter}.backward()",
        c.grad_clip > 0 and f"clip_grad_norm_({network}.parameters(), GRAD_CLIP)",
        f"opt_{letter}.step()",
    )


def _discriminator_step(c: GANConfig) -> str:
    project, anchored = parts.PENALTIES[c.penalty].project, PENALTIES[c.penalty].anchored
    results = "loss_d, real_logits, fake_logits" if counts(c) else "loss_d"
    return joined(
        "rows = torch.randint(len(data), (BATCH_SIZE,))" if c.classes else "real = data[torch.randint(len(data), (BATCH_SIZE,))]",
        c.classes and "real, labels = data[rows], targets[rows]",
        c.classes and c.pack > 1 and "told = labels.reshape(-1, PACK)",
        f"with torch.no_grad():\n    fake = generator(latents(BATCH_SIZE){_labels(c)})",
        c.replay and f"if pool is None:\n    pool = fake.repeat({POOL_BATCHES}, *[1] * (fake.dim() - 1))",
        c.replay and "fake = replayed(fake, pool)",
        c.spectral_norm != "none" and "refresh(discriminator)",
        f"{results} = discriminator_loss(discriminator, {_seen(c, 'real')}, {_seen(c, 'fake')}{_more(c)})",
        _step(c, "discriminator", "d"),
        project and f"with torch.no_grad():\n    for w in discriminator.parameters():\n        w.copy_(w.{project})",
        anchored and "means = torch.stack([real_logits.mean(), fake_logits.mean()])",
        anchored and f"anchors = means if anchors is None else anchors.lerp(means, {1 - ANCHOR_DECAY:g})",
        c.augment == "ada" and remedies.ADA,
    )


def _generator_step(c: GANConfig) -> str:
    seeks, ahead, paired = c.mode_seeking > 0, c.unroll_steps > 0, LOSSES[c.loss].paired
    judge, fake, real = "judge" if ahead else "discriminator", _seen(c, "fake"), _seen(c, "real")
    once = ahead and remedies.sees(c)  # the same view of the samples serves twice
    first = f"seen_fake, seen_real = {fake}, {real}"
    if once:
        fake, real = "seen_fake", "seen_real"
    told = _more(c).removesuffix(", anchors")
    return joined(
        c.spectral_norm == "both" and "refresh(generator)",
        seeks and "z = latents(BATCH_SIZE)",
        f"fake = generator({'z' if seeks else 'latents(BATCH_SIZE)'}{_labels(c)})",
        once and first,
        ahead and f"judge = look_ahead(discriminator, opt_d, {real}, {fake}{_more(c)})",
        f"loss_g = generator_loss({judge}, {fake}{f', {real}' if paired else ''}{told})",
        seeks and "other_z = latents(BATCH_SIZE)",
        seeks and f"loss_g = loss_g + MODE_SEEKING * sameness(fake, generator(other_z{_labels(c)}), z, other_z)",
        _step(c, "generator", "g"),
    )


def _average(c: GANConfig) -> str:
    normed = NETWORKS[c.network].uses_batch_norm and c.batch_norm != "none"
    return joined(
        "with torch.no_grad():  # the average of the weights: Yazıcı et al. 2019",
        "    for mean, now in zip(average.parameters(), generator.parameters()):",
        "        mean.lerp_(now, 1 - EMA_DECAY)",
        normed and "    for (name, mean), now in zip(average.named_buffers(), generator.buffers()):",
        normed and '        if "running" in name:  # the statistics of batch normalisation',
        normed and "            mean.lerp_(now, 1 - EMA_DECAY)",
        c.spectral_norm == "both" and "refresh(average)",
    )


def _resets(c: GANConfig) -> str:
    return joined(
        "if (step + 1) % RESET_EVERY == 0:",
        c.reset_network != "generator" and "    reset(discriminator, Discriminator(), opt_d)",
        c.reset_network != "discriminator" and "    reset(generator, Generator(), opt_g)",
    )


def train(c: GANConfig) -> str:
    """The function `train`."""
    averaged = c.ema_decay > 0
    loop = joined(
        c.lr_schedule != "constant"
        and "factor = decayed(step / max(1, steps - 1))\n"
        'opt_g.param_groups[0]["lr"], opt_d.param_groups[0]["lr"] = LR_G * factor, LR_D * factor',
        NETWORKS[c.network].discrete
        and "generator.temperature = TEMPERATURE * (TEMPERATURE_END / TEMPERATURE) ** (step / max(1, steps - 1))",
        f"for _ in range(D_STEPS):\n{indented(_discriminator_step(c))}" if c.d_steps > 1 else _discriminator_step(c),
        "\n" + _generator_step(c),
        averaged and "\n" + _average(c),
        c.reset_every and "\n" + _resets(c),
        "\nif (step + 1) % max(1, steps // 10) == 0:\n"
        '    print(f"step {step + 1:6}  discriminator {loss_d.item():8.4f}  generator {loss_g.item():8.4f}")',
    )
    text = "Trains both networks in turn and returns the generator" + (", averaged." if averaged else ".")
    return joined(
        f"def train(generator, discriminator, data, {'targets, ' if c.classes else ''}steps):",
        indented(
            joined(
                docstring(text),
                f"opt_g = {parts.optimizer(c, 'generator', 'LR_G')}",
                f"opt_d = {parts.optimizer(c, 'discriminator', 'LR_D')}",
                averaged and "average = copy.deepcopy(generator).eval()",
                c.replay and "pool = None  # earlier samples",
                PENALTIES[c.penalty].anchored
                and "anchors = None  # running means of the logits on real and on generated samples",
                c.augment == "ada" and "p, signs = torch.zeros(()), []  # how often images are changed; what it is steered by",
                "for step in range(steps):",
                indented(loop),
                "return average" if averaged else "return generator",
            )
        ),
    )
