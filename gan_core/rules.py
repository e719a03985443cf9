"""Rules: what in a config does not fit together, as sentences that say why and what would do.

`config` calls this; so it is written for a config without knowing the class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .conditions import CONDITIONS
from .data import DATASETS
from .losses import LOSSES
from .networks import NETWORKS
from .penalties import PENALTIES


def problems(c: Any, metas: Mapping[str, Any]) -> Iterator[str]:
    """What in a config does not fit together: what is wrong, why, and what would do."""
    data, network, penalty = DATASETS[c.dataset], NETWORKS[c.network], PENALTIES[c.penalty]
    if data.kind == "points":
        for name in ("image_size", "channels", "levels"):
            if getattr(c, name):
                yield f"{name} = {getattr(c, name)} means nothing for {c.dataset}, which has points. Set it to 0."
    elif c.size % 4 or not 8 <= c.size <= 128:
        yield f"image_size = {c.image_size} does not work: expected 0 or a multiple of 4 from 8 to 128."
    elif c.channels == 2:
        yield "channels = 2 does not work: expected 0, 1 or 3."
    elif c.levels == 1:
        yield "levels = 1 would make every image the same: expected 0, or 2 to 32."
    if c.dataset == "folder" and not c.path:
        yield "dataset = folder needs path: the folder or zip file with your images. Set it, or upload images on the Playground."
    if c.dataset == "drawn" and not c.points:
        yield (
            "dataset = drawn needs points: paint some on the Playground, upload a table of them there, or set points to the text "
            "that gan_core.points.encode_points makes of an array."
        )
    if network.images_only and data.kind == "points":
        yield (
            f"network = {c.network} needs images, and {c.dataset} has points. Choose network = mlp, or an image data set "
            f"such as digits."
        )
    if network.discrete and c.levels < 2:
        yield f"network = {c.network} makes pixels of a few values, and levels = {c.levels}. Set levels = 2 for black and white."
    if c.conditional != "none" and not data.classes:
        yield (
            f"conditional = {c.conditional} needs labels, and {c.dataset} has none. Set it to none, or choose a labelled "
            f"data set such as digits."
        )
    if c.lr_schedule == "exponential" and not c.lr_end:
        yield "lr_end = 0 stops an exponential schedule at once. Set it to 0.02 or so, or choose lr_schedule = linear."
    if not network.adversarial:
        yield from _without_a_game(c, metas)
        return
    if c.label_smoothing and not LOSSES[c.loss].binary:
        yield (
            f"label_smoothing = {c.label_smoothing} has no meaning for the loss {c.loss}, which uses no labels. Set it to "
            f"0, or choose nonsaturating or minimax."
        )
    if c.batch_size % c.pack:
        near = c.batch_size // c.pack * c.pack or c.pack
        yield f"pack = {c.pack} does not divide batch_size = {c.batch_size}. Set batch_size = {near}, or another pack."
    condition = CONDITIONS[c.conditional]
    if c.pack > 1 and (condition.projection or condition.auxiliary):
        yield (
            f"pack = {c.pack} and conditional = {c.conditional} do not go together: a pack holds samples of several classes. "
            f"Choose conditional = concat or embedding, or pack = 1."
        )
    if c.latent == "coins" and c.latent_modes >= c.latent_dim:
        yield (
            f"latent_modes = {c.latent_modes} coins leave nothing of latent_dim = {c.latent_dim} to vary. Set latent_dim = "
            f"{c.latent_modes + 2}, or fewer coins."
        )
    if c.latent == "mixture" and c.latent_modes < 2:
        yield "latent_modes = 1 makes no mixture. Set it to 2 or more, or choose latent = normal."
    if penalty.project is not None and not c.penalty_weight:
        yield (
            f"penalty = {c.penalty} with penalty_weight = 0 would make every weight 0. Set penalty_weight = 0.01, or "
            f"penalty = none."
        )
    if c.replay and c.conditional != "none":
        yield (
            f"replay = {c.replay} and conditional = {c.conditional} do not go together: the pool keeps no classes. Set "
            f"replay = 0, or conditional = none."
        )
    packs = c.batch_size // c.pack
    if c.minibatch_std and (c.minibatch_std == 1 or packs % c.minibatch_std):
        what = "packs of a batch" if c.pack > 1 else "batch"
        groups = [str(k) for k in range(2, 9) if packs % k == 0] + ["0"]
        near = max(1, packs // c.minibatch_std) * c.minibatch_std * c.pack
        way = f"Choose {' or '.join(groups)}" + (f", or batch_size = {near}." if c.minibatch_std > 1 else ".")
        yield f"minibatch_std = {c.minibatch_std} does not divide the {what} ({packs}) into groups. {way}"
    if c.minibatch_discrimination and packs > 512:
        yield (
            f"minibatch_discrimination compares all pairs of a batch, and {packs} are too many. Set batch_size to "
            f"{512 * c.pack} or less."
        )
    if network.uses_batch_norm and c.batch_norm == "both" and penalty.each_sample:
        yield (
            f"penalty = {c.penalty} takes the derivative at single samples, which batch normalisation in the discriminator "
            f"mixes. Set batch_norm = generator, or penalty = none, clip or lecam."
        )
    if c.augment != "none" and data.kind == "points":
        yield f"augment = {c.augment} changes images, and {c.dataset} has points. Set it to none; instance_noise is for points."


def _without_a_game(c: Any, metas: Mapping[str, Any]) -> Iterator[str]:
    """What has no meaning where nothing is a game between two networks."""
    game = c.model_copy(update={"network": "dcgan"})  # what would apply there, but does not here, is of games
    for name, meta in metas.items():
        value, usual = getattr(c, name), type(c).model_fields[name].default
        if value != usual and not meta.applies(c) and meta.applies(game):
            yield (
                f"{name} = {value} has no meaning for {c.network}, which learns the likelihood of images alone, without a "
                f"discriminator. Set it to {usual}, or choose another network."
            )
    if c.conditional not in ("none", "embedding"):
        yield f"conditional = {c.conditional} does not work with {c.network}. Choose embedding or none."
    if c.shape[0] != 1:
        yield f"network = {c.network} learns grey images, and these have {c.shape[0]} channels. Set channels = 1."
    if c.size > 32:
        yield f"network = {c.network} draws pixel by pixel, and {c.size} x {c.size} are too many. Set image_size to 32 or less."
