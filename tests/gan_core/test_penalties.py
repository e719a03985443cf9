import numpy as np
import pytest
import torch

from gan_core import LOSSES, PENALTIES
from gan_core.draws import Draws, seeded
from gan_core.penalties import interpolate


def _draws(members=1):
    return Draws(range(members), "penalty")


class Linear:
    def __init__(self, w=(3.0, 4.0)):
        self.w = torch.tensor(w, requires_grad=True)

    def __call__(self, x):
        return x @ self.w


def _penalty(name, discriminator, real, fake, draws):
    """A penalty with running means of the logits that are far from what they see."""
    return PENALTIES[name](discriminator, real, fake, draws, torch.tensor([[3.0, -2.0]]).expand(len(real), 2))


def _curved(x):
    """A discriminator whose gradient differs from point to point; works on each sample alone."""
    return (x.flatten(2).sin() * torch.arange(1.0, x.flatten(2).shape[2] + 1)).square().sum(-1)


@pytest.mark.parametrize(("name", "weight", "value"), [("wgan_gp", 10, 160.0), ("r1", 10, 125.0), ("r2", 10, 125.0)])
def test_value_on_a_linear_discriminator(name, weight, value):
    points = torch.randn(1, 7, 2), torch.randn(1, 7, 2)
    each = weight * PENALTIES[name](Linear(), *points, _draws())
    torch.testing.assert_close(each, torch.full((1, 7), value), rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("name", "weight", "gradient"), [("wgan_gp", 10, [48.0, 64.0]), ("r1", 10, [30.0, 40.0]), ("r2", 10, [30.0, 40.0])]
)
def test_gradient_on_a_linear_discriminator(name, weight, gradient):
    discriminator = Linear()
    (weight * PENALTIES[name](discriminator, torch.randn(1, 7, 2), torch.randn(1, 7, 2), _draws()).mean()).backward()
    torch.testing.assert_close(discriminator.w.grad, torch.tensor(gradient), rtol=1e-5, atol=1e-4)


def test_r1_r2_is_the_sum_of_r1_and_r2():
    real, fake = torch.randn(2, 5, 2), torch.randn(2, 5, 2)
    r1, r2, both = (PENALTIES[name](_curved, real, fake, _draws(2)) for name in ("r1", "r2", "r1_r2"))
    torch.testing.assert_close(both, r1 + r2)


def test_none_is_zero():
    assert not PENALTIES["none"](_curved, torch.randn(2, 5, 2), torch.randn(2, 5, 2), _draws(2)).any()


def test_wgan_gp_is_taken_between_the_points_by_the_stated_formula():
    real, fake = torch.randn(1, 5, 2), torch.randn(1, 5, 2)
    a = Draws([0], "penalty").uniform(5)[..., None].double()
    x = (a * real + (1 - a) * fake).numpy()[0]
    gradient = 2 * np.array([1.0, 2.0]) ** 2 * np.sin(x) * np.cos(x)

    def discriminator(x):
        return (torch.tensor([1.0, 2.0]) * x.sin()).square().sum(-1)

    expected = (np.linalg.norm(gradient, axis=1) - 1) ** 2
    found = PENALTIES["wgan_gp"](discriminator, real, fake, Draws([0], "penalty"))[0].detach()
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)


SHAPES = [(2,), (1, 8, 8), (3, 4, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PENALTIES)
def test_one_number_for_each_sample(name, shape):
    each = _penalty(name, _curved, torch.randn(3, 5, *shape), torch.randn(3, 5, *shape), _draws(3))
    assert each.shape == (3, 5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", PENALTIES)
def test_a_sample_changes_only_its_own_term(name, shape):
    real, fake = torch.randn(2, 6, *shape), torch.randn(2, 6, *shape)
    before = _penalty(name, _curved, real, fake, _draws(2))
    if name != "dragan":  # which measures the spread of the real batch: of that sample the sign may change, not the size
        real[1, 4] += 1
    fake[1, 4] -= 2
    changed = before != _penalty(name, _curved, real, fake, _draws(2))
    changed[1, 4] = False
    assert not changed.any()


@pytest.mark.parametrize("name", PENALTIES)
def test_finite_derivative_where_the_discriminators_gradient_is_zero(name):
    w = torch.zeros(2, requires_grad=True)
    each = _penalty(name, lambda x: x @ w, torch.randn(1, 4, 2), torch.randn(1, 4, 2), _draws())
    if each.requires_grad:
        each.sum().backward()
    assert w.grad is None or w.grad.isfinite().all()


@pytest.mark.parametrize("name", [name for name, p in PENALTIES.items() if name != "none" and p.project is None])
def test_its_gradient_reaches_the_discriminator_but_not_the_samples(name):
    discriminator = Linear()
    real, fake = (torch.randn(1, 4, 2, requires_grad=True) for _ in range(2))
    _penalty(name, discriminator, real, fake, _draws()).sum().backward()
    assert discriminator.w.grad.any()
    assert real.grad is None
    assert fake.grad is None


@pytest.mark.parametrize("name", PENALTIES)
def test_is_computed_in_float32(name):
    half = torch.randn(1, 4, 2).half()
    w = torch.randn(2)
    assert _penalty(name, lambda x: x.float() @ w, half, half, _draws()).dtype == torch.float32


@pytest.mark.parametrize("generator", [Draws([0, 1], "penalty"), seeded(0, "penalty")], ids=["draws", "torch"])
def test_each_sample_has_one_interpolation_factor_of_its_own(generator):
    a = interpolate(torch.ones(2, 50, 3, 4, 4), torch.zeros(2, 50, 3, 4, 4), generator)
    assert (a == a[:, :, :1, :1, :1]).all()
    assert len(a[:, :, 0, 0, 0].flatten().unique()) == 100


def _field(theta, psi, loss, penalty, gamma):
    """The Dirac-GAN's gradient field: D(x) = psi x, real data at 0, fake at theta. Moves of (theta, psi)."""
    t = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    p = torch.tensor(psi, dtype=torch.float64, requires_grad=True)
    real, fake = torch.zeros(1, 1, 1, dtype=torch.float64), t.reshape(1, 1, 1)

    def discriminator(x):
        return p * x[..., 0]

    d = LOSSES[loss].d(discriminator(real), discriminator(fake)).mean()
    d = d + gamma * PENALTIES[penalty](discriminator, real, fake, _draws()).mean()
    g = LOSSES[loss].g(discriminator(fake), discriminator(real)).mean()
    return np.array([-torch.autograd.grad(g, t, retain_graph=True)[0].item(), -torch.autograd.grad(d, p)[0].item()])


def _eigenvalues(loss, penalty, gamma):
    h = 1e-4
    columns = [
        (_field(*(h * step), loss, penalty, gamma) - _field(*(-h * step), loss, penalty, gamma)) / (2 * h) for step in np.eye(2)
    ]
    return np.sort_complex(np.linalg.eigvals(np.stack(columns, 1)))


@pytest.mark.parametrize(
    ("loss", "expected"), [("nonsaturating", 0.5), ("minimax", 0.5), ("wasserstein", 1.0), ("relativistic", 0.5)]
)
def test_dirac_gan_without_a_penalty_circles(loss, expected):
    np.testing.assert_allclose(_eigenvalues(loss, "none", 0.0), [-1j * expected, 1j * expected], atol=1e-5)


@pytest.mark.parametrize("gamma", [0.3, 0.7, 2.5])
@pytest.mark.parametrize("penalty", ["r1", "r2"])
def test_dirac_gan_with_a_gradient_penalty_has_the_published_eigenvalues(penalty, gamma):
    root = np.sqrt(complex(gamma**2 / 4 - 1 / 4))
    expected = np.sort_complex([-gamma / 2 - root, -gamma / 2 + root])
    np.testing.assert_allclose(_eigenvalues("nonsaturating", penalty, gamma), expected, atol=1e-5)


@pytest.mark.parametrize("name", PENALTIES)
def test_entry_has_title_and_formula(name):
    assert all([PENALTIES[name].title, PENALTIES[name].formula])
