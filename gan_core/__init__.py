"""The engine of GAN Playground: torch and numpy, no user interface."""

from .config import GANConfig
from .cures import CURES
from .data import DATASETS
from .errors import ConfigError, DataError, DivergedError, PlaygroundError, RunError
from .health import VERDICTS, diagnose
from .lab import PROBLEMS
from .losses import LOSSES
from .metrics import METRICS
from .networks import NETWORKS
from .notebook import Live, watch
from .optim import OPTIMIZERS
from .penalties import PENALTIES
from .presets import PRESETS
from .runner import Runner
from .store import RunStore
from .trainer import Trainer

__all__ = [
    "DATASETS",
    "LOSSES",
    "METRICS",
    "NETWORKS",
    "OPTIMIZERS",
    "CURES",
    "PROBLEMS",
    "VERDICTS",
    "diagnose",
    "PENALTIES",
    "PRESETS",
    "ConfigError",
    "DataError",
    "DivergedError",
    "GANConfig",
    "Live",
    "PlaygroundError",
    "RunError",
    "RunStore",
    "Runner",
    "Trainer",
    "watch",
]
