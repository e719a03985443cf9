"""Building blocks with a member axis, and the flat storage that the optimisers and averages work on."""

import torch
from torch import Tensor, nn


class MemberLinear(nn.Module):
    """E linear layers at once: (E, B, in) -> (E, B, out), weights (E, in, out)."""

    def __init__(self, members: int, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)

    @torch.no_grad()
    def initialise(self, generators: list[torch.Generator]) -> None:
        """Uniform in ±1/sqrt(in), as torch.nn.Linear; one generator a member, so members equal single runs."""
        bound = self.weight.shape[1] ** -0.5
        for member, generator in enumerate(generators):
            self.weight[member].uniform_(-bound, bound, generator=generator)
            self.bias[member].uniform_(-bound, bound, generator=generator)


def flatten_parameters(module: nn.Module, members: int) -> Tensor:
    """Move all parameters of `module` into one tensor (E, P) and make them views of it.

    Whoever writes to the returned tensor changes the network. With one member, parameters need no member axis.

    Returns:
        The shared storage, (E, P); row e holds member e.
    """
    parameters = list(module.parameters())
    flat = torch.cat([p.detach().reshape(members, -1) for p in parameters], 1)
    start = 0
    for p in parameters:
        end = start + p.numel() // members
        p.data = flat[:, start:end].view(p.shape)
        start = end
    return flat


def flat_gradient(loss: Tensor, parameters: list[nn.Parameter], members: int) -> Tensor:
    """Gradient of a scalar with respect to these parameters only, (E, P), in the order of the flat storage."""
    gradients = torch.autograd.grad(loss, parameters)
    return torch.cat([g.reshape(members, -1) for g in gradients], 1)
