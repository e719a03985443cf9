"""The remedies of an exported script: code for what `remedies` does, each "" where the config does without it."""

from __future__ import annotations

from .config import GANConfig
from .layers import FIRST_ITERATIONS
from .optim import EPS
from .penalties import PENALTIES as ENGINE_PENALTIES
from .remedies import ADA_EVERY, CUT, SEEKING_EPS, SHIFT
from .script_parts import OPTIMIZERS, PENALTIES, aged
from .script_text import docstring, indented, joined

_LISTS = {
    "exp_avg": "means",
    "exp_avg_sq": "squares",
    "step": "ages",
    "momentum_buffer": "velocities",
    "square_avg": "squares",
}

AGED_ADAM = f'''\
class AgedAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1) that knows the age of each weight, because some begin anew."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                memory = self.state[w]
                if not memory:
                    memory.update({{name: torch.zeros_like(w) for name in ("exp_avg", "exp_avg_sq", "step")}})
                memory["step"] += 1
                memory["exp_avg"].lerp_(w.grad, 1 - BETA1)
                memory["exp_avg_sq"].mul_(BETA2).addcmul_(w.grad, w.grad, value=1 - BETA2)
                mean = memory["exp_avg"] / (1 - BETA1 ** memory["step"])
                scale = (memory["exp_avg_sq"] / (1 - BETA2 ** memory["step"])).sqrt() + {EPS}
                w -= group["lr"] * mean / scale'''


def resetting(c: GANConfig) -> str:
    """`reset(network, fresh, optimizer)`, or ""."""
    if not c.reset_every:
        return ""
    forget = ""
    memory = OPTIMIZERS[c.optimizer].memory
    if c.optimizer != "sgd" or c.beta1:
        names = ", ".join(f'"{name}"' for name in memory) + ("," if len(memory) == 1 else "")
        forget = f"for name in ({names}):\n    optimizer.state[w][name].masked_fill_(where, 0)"
    spectral = c.spectral_norm == "both" or (c.spectral_norm != "none" and c.reset_network != "generator")
    return joined(
        "@torch.no_grad()",
        "def reset(network, fresh, optimizer):",
        indented(
            joined(
                docstring("Gives a random share of the weights fresh values, and has the optimiser forget what it knew of them."),
                "for w, new in zip(network.parameters(), fresh.parameters()):",
                indented(
                    joined("where = torch.rand_like(w) < RESET_FRACTION", "w.copy_(torch.where(where, new, w))", forget),
                ),
                spectral
                and f"for _ in range({FIRST_ITERATIONS}):  # other weights have other singular vectors\n    refresh(network)",
            )
        ),
    )


def look_ahead(c: GANConfig, told: str, counts: bool) -> str:
    """`look_ahead(discriminator, opt_d, real, fake)`, or ""."""
    if not c.unroll_steps:
        return ""
    entry = OPTIMIZERS[c.optimizer]
    plain = c.optimizer == "sgd" and not c.beta1
    lists = []
    for name in () if plain else entry.memory:
        value = f'opt_d.state[p]["{name}"]' + (".item()" if name == "step" and not aged(c) else "")
        lists.append(f"{_LISTS[name]} = [{value} for p in parameters]")
    anchored = ", anchors" if ENGINE_PENALTIES[c.penalty].anchored else ""
    objective = f"discriminator_loss(judge, real, fake{told}{anchored})" + ("[0]" if counts else "")
    project = PENALTIES[c.penalty].project
    ahead = "weights = [w - lr * g for w, g in zip(weights, gradients)]" if plain else entry.ahead
    loop = joined(
        f"loss = {objective}",
        "gradients = torch.autograd.grad(loss, weights, create_graph=True)",
        c.grad_clip > 0
        and "norm = torch.cat([g.flatten() for g in gradients]).norm()\n"
        "if norm > GRAD_CLIP:\n    gradients = [g * (GRAD_CLIP / norm) for g in gradients]",
        ahead,
        project and f"weights = [w.{project} for w in weights]",
    )
    # only Adam reads k
    counter = "k" if "+ k" in ahead else "_"
    return joined(
        f"def look_ahead(discriminator, opt_d, real, fake{told}{anchored}):",
        indented(
            joined(
                docstring(
                    "The discriminator as it would be after UNROLL_STEPS more updates, with derivatives through them "
                    "(Metz et al. 2017, section 2)."
                ),
                "names, parameters = zip(*discriminator.named_parameters())",
                "weights = [p.detach().clone().requires_grad_() for p in parameters]",
                *lists,
                'lr = opt_d.param_groups[0]["lr"]\n',
                "def judge(*inputs, **options):\n    "
                "return functional_call(discriminator, dict(zip(names, weights)), inputs, options)\n",
                f"for {counter} in range({'1, UNROLL_STEPS + 1' if counter == 'k' else 'UNROLL_STEPS'}):",
                indented(loop),
                "return judge",
            )
        ),
    )


def mode_seeking(c: GANConfig) -> str:
    """`sameness(x1, x2, z1, z2)`, or ""."""
    if not c.mode_seeking:
        return ""
    return f'''\
def sameness(x1, x2, z1, z2):
    """High when different noise gives like samples (Mao et al. 2019, equation 3)."""
    return 1 / ((x1 - x2).abs().mean() / (z1 - z2).abs().mean() + {SEEKING_EPS})'''


def replay(c: GANConfig) -> str:
    """`replayed(fake, pool)`, or ""."""
    if not c.replay:
        return ""
    return '''\
def replayed(fake, pool):
    """Swaps about a share REPLAY of the samples for earlier ones from the pool (Shrivastava et al. 2017, section 2.3)."""
    order, chance = torch.rand(2, len(pool))
    slots = order.argsort()[: len(fake)]
    swapped = (chance[: len(fake)] < REPLAY).reshape(-1, *[1] * (fake.dim() - 1))
    old = pool[slots]
    pool[slots] = torch.where(swapped, fake, old)
    return torch.where(swapped, old, fake)'''


def augmentation(c: GANConfig) -> str:
    """`augmented(x)`, or ""."""
    if c.augment == "none":
        return ""
    p, size = c.augment == "ada", c.size
    most, half = int(size * SHIFT + 0.5), int(size * CUT + 0.5) // 2
    steps = [  # name, what it needs, the image after it
        ("brightness", "", "x + light - 0.5"),
        ("saturation", "grey = x.mean(1, keepdim=True)", "(x - grey) * (2 * colour) + grey"),
        ("contrast", "mean = x.mean((1, 2, 3), keepdim=True)", "(x - mean) * (contrast + 0.5) + mean"),
        ("shift", "", "shifted(x, u[:, 3])"),
        ("cutout", "", "cut(x, u[:, 4])"),
    ]
    lines = [
        joined(needed, f"x = torch.where(wanted[:, {k}], {code}, x)  # {name}" if p else f"x = {code}  # {name}")
        for k, (name, needed, code) in enumerate(steps)
    ]
    return joined(
        f'''\
def shifted(x, u):
    """Images moved by up to an eighth of their size in each direction; black comes in."""
    by = (u[:, :2] * {2 * most + 1}).long().clamp(max={2 * most})
    wide, along = pad(x + 1, ({most}, {most}, {most}, {most})) - 1, torch.arange({size})
    rows, columns = by[:, :1] + along, by[:, 1:] + along
    n = torch.arange(len(x))
    return wide[n[:, None, None], :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)


def cut(x, u):
    """A square of half the size becomes grey."""
    centre, along = (u[:, :2] * {size + 1}).long().clamp(max={size}), torch.arange({size})
    rows = (along - centre[:, :1] >= -{half}) & (along - centre[:, :1] < {half})
    columns = (along - centre[:, 1:] >= -{half}) & (along - centre[:, 1:] < {half})
    return x * ~(rows[:, None, :, None] & columns[:, None, None, :])


def augmented(x{", p" * p}):''',
        indented(
            joined(
                docstring(
                    "Colour, shift and cutout, through which derivatives flow (Zhao et al. 2020, section 4)"
                    + (", each with probability p." if p else ".")
                ),
                f"u = torch.rand(len(x), {len(steps)}, 3)",
                "light, colour, contrast = u[:, :3, 0, None, None, None].unbind(1)",
                p and "wanted = u[:, :, 2, None, None, None] < p",
                *lines,
                "return x",
            )
        ),
    )


def seen(c: GANConfig) -> str:
    """`seen(x)`, or "" where the discriminator sees samples as they are."""
    if not sees(c):
        return ""
    return joined(
        f"def seen(x{arguments(c)}):",
        indented(
            joined(
                docstring("Samples as the discriminator sees them."),
                c.augment != "none" and f"x = augmented(x{', p' if c.augment == 'ada' else ''})",
                c.instance_noise
                and c.instance_noise_steps
                and "sigma = INSTANCE_NOISE * max(0.0, 1 - step / INSTANCE_NOISE_STEPS)\nx = x + sigma * torch.randn_like(x)",
                c.instance_noise
                and not c.instance_noise_steps
                and "x = x + INSTANCE_NOISE * torch.randn_like(x)  # Sønderby et al. 2017, section 3.2",
                c.pack > 1 and "x = x.reshape(-1, PACK * x.shape[1], *x.shape[2:])  # neighbours are judged together",
                "return x",
            )
        ),
    )


def sees(c: GANConfig) -> bool:
    """Whether something happens to samples before the discriminator sees them."""
    return c.augment != "none" or c.instance_noise > 0 or c.pack > 1


def arguments(c: GANConfig) -> str:
    """What `seen` is given beside the samples."""
    return ", step" * bool(c.instance_noise and c.instance_noise_steps) + ", p" * (c.augment == "ada")


ADA = f"""\
signs.append(real_logits.sign().mean())
if len(signs) == {ADA_EVERY}:  # more while the discriminator is too sure of real images: Karras et al. 2020, section 3.2
    p = (p + (sum(signs) / {ADA_EVERY} - ADA_TARGET).sign() * ({ADA_EVERY} * BATCH_SIZE / ADA_IMAGES)).clamp(0, 1)
    signs = []"""
