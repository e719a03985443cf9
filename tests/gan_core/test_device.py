"""The same config on an accelerator gives the CPU's curves."""

import numpy as np
import pytest
import torch

from gan_core import ConfigError, GANConfig, Trainer

THERE = [name for name, ok in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())) if ok]
STEPS = 50
TOLERANCE = 0.02  # of a statistic's own size: sums are taken in another order, and the game magnifies the difference
CASES = {
    "points": {"width": 32, "batch_size": 64},
    "remedies": {"width": 32, "batch_size": 64, "penalty": "r1", "pack": 2, "minibatch_std": 4, "replay": 0.5, "ema_decay": 0.9},
    "conditional": {"width": 32, "batch_size": 64, "conditional": "projection", "spectral_norm": "discriminator"},
    "images": {"dataset": "digits", "network": "dcgan", "width": 8, "batch_size": 32, "augment": "diffaugment"},
    "likelihood": {"dataset": "digits", "levels": 2, "network": "pixelcnn", "width": 8, "depth": 2, "batch_size": 32},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_curves_are_the_cpus(device, case):
    if device not in THERE:
        pytest.skip(f"no {device} on this machine: its curves were not compared with the CPU's")
    config = GANConfig(steps=STEPS, lr_g=2e-4, **({} if case == "likelihood" else {"lr_d": 2e-4}), **CASES[case])
    curves = [np.stack([row for _, row in Trainer(config.but(device=d)).train().history]) for d in ("cpu", device)]
    scale = np.abs(curves[0]).max(0, keepdims=True)
    assert (np.abs(curves[0] - curves[1]) <= TOLERANCE * scale + 1e-4).all()


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device):
    if device in THERE:
        pytest.skip(f"{device} is on this machine")
    with pytest.raises(ConfigError, match="Choose one of: auto, cpu"):
        Trainer(GANConfig(device=device))
