"""Everything that can be switched on, as one list: what it is, its formula, where it comes from, when to use it, its cost.

Nothing is described here: entries of the registries and fields of the config describe themselves.
"""

from __future__ import annotations

from .conditions import CONDITIONS
from .config import METAS, GANConfig
from .data import DATASETS
from .latents import LATENTS
from .losses import LOSSES
from .networks import NETWORKS
from .optim import OPTIMIZERS
from .penalties import PENALTIES
from .remedies import SCHEDULES

REGISTRIES = {  # section -> (field of the config, registry)
    "data sets": ("dataset", DATASETS),
    "networks": ("network", NETWORKS),
    "conditions": ("conditional", CONDITIONS),
    "noise": ("latent", LATENTS),
    "losses": ("loss", LOSSES),
    "penalties": ("penalty", PENALTIES),
    "optimisers": ("optimizer", OPTIMIZERS),
    "learning rates": ("lr_schedule", SCHEDULES),
}
PARTS = ("title", "text", "formula", "source", "use", "cost")


def catalogue() -> dict[str, list[dict[str, str]]]:
    """Section -> entries, each with field, name (the field's value that chooses it) and PARTS."""
    sections = {
        section: [
            {"field": field, "name": name} | {part: getattr(entry, part, "") for part in PARTS}
            for name, entry in registry.items()
        ]
        for section, (field, registry) in REGISTRIES.items()
    }
    sections["remedies"] = [
        {
            "field": name,
            "name": name,
            "title": GANConfig.model_fields[name].title,
            "text": GANConfig.model_fields[name].description,
            "formula": meta.formula,
            "source": meta.source,
            "use": meta.use,
            "cost": meta.cost,
        }
        for name, meta in METAS.items()
        if meta.use
    ]
    return sections
