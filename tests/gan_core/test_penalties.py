import numpy as np
import pytest
import torch

from gan_core import LOSSES, PENALTIES, Trainer
from gan_core.draws import Draws, seeded
from gan_core.penalties import ANCHOR_DECAY, interpolate


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


def _trajectory(penalty, gamma, steps, rate=0.05):
    """Distances from the equilibrium (0, 0) of simultaneous gradient descent on the Dirac-GAN."""
    place, distances = np.array([1.0, 1.0]), []
    for _ in range(steps):
        place = place + rate * _field(*place, "nonsaturating", penalty, gamma)
        distances.append(np.linalg.norm(place))
    return np.array(distances)


@pytest.mark.parametrize("penalty", ["none", "wgan_gp", "dragan"])
def test_dirac_gan_does_not_converge(penalty):
    """Mescheder et al. 2018, section 3: neither without a penalty nor where a slope of 1 is asked for."""
    assert _trajectory(penalty, 1.0, 1200)[-400:].max() > 0.2


@pytest.mark.parametrize("penalty", ["r1", "r2", "r1_r2"])
def test_dirac_gan_converges(penalty):
    """Mescheder et al. 2018, theorem 4.1."""
    assert _trajectory(penalty, 1.0, 1200)[-1] < 1e-3


@pytest.mark.parametrize("penalty", ["wgan_gp", "dragan"])
def test_dirac_gans_equilibrium_is_pushed_away_from(penalty):
    """Next to (0, 0) a slope that is too small is driven to grow, with the full force 2 λ."""
    assert _field(0.0, 1e-3, "nonsaturating", penalty, 1.0)[1] == pytest.approx(2, rel=1e-2)


# DRAGAN


@pytest.mark.parametrize(("w", "value"), [((3.0, 4.0), 160.0), ((0.6, 0.8), 0.0), ((0.0, 0.5), 2.5)])
def test_dragan_on_a_linear_discriminator(w, value):
    each = 10 * PENALTIES["dragan"](Linear(w), torch.randn(1, 7, 2), torch.randn(1, 7, 2), _draws())
    torch.testing.assert_close(each, torch.full((1, 7), value), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("member", [0, 1])
def test_dragan_is_taken_around_the_real_points_by_the_stated_formula(member):
    real = torch.stack([torch.randn(6, 2), 5 * torch.randn(6, 2)])
    u = Draws(range(2), "penalty").uniform(6, 2)[member].double().numpy()
    x = real[member].double().numpy()
    near = x + 0.5 * x.std() * u
    gradient = 2 * np.array([1.0, 2.0]) ** 2 * np.sin(near) * np.cos(near)
    expected = (np.linalg.norm(gradient, axis=1) - 1) ** 2

    def discriminator(x):
        return (torch.tensor([1.0, 2.0]) * x.sin()).square().sum(-1)

    found = PENALTIES["dragan"](discriminator, real, torch.randn(2, 6, 2), _draws(2))[member].detach()
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-4)


def test_dragan_does_not_look_at_generated_samples():
    real = torch.randn(1, 5, 2)
    one, two = (PENALTIES["dragan"](_curved, real, torch.randn(1, 5, 2), _draws()) for _ in range(2))
    assert torch.equal(one, two)


# LeCam


def _lecam(real, fake, anchors):
    return PENALTIES["lecam"](lambda x: x[..., 0], torch.tensor(real)[..., None], torch.tensor(fake)[..., None], None, anchors)


def test_lecam_on_the_reference_cards_logits():
    """relu(r - mean f)² + relu(mean r - f)² with means 0.5 of real and -0.25 of fake logits."""
    found = _lecam([[0.5, 2.0, -1.0]], [[-2.0, 0.25, 1.0]], torch.tensor([[0.5, -0.25]]))
    expected = [0.75**2 + 2.5**2, 2.25**2 + 0.25**2, 0.0 + 0.0]
    torch.testing.assert_close(found, torch.tensor([expected]))


def test_lecam_of_logits_beyond_the_other_sides_mean_is_zero():
    assert not _lecam([[-1.0]], [[1.0]], torch.tensor([[0.5, -0.5]])).any()


def test_lecam_reads_the_means_of_its_own_member():
    found = _lecam([[1.0], [1.0]], [[1.0], [1.0]], torch.tensor([[0.0, 0.0], [0.0, -1.0]]))
    assert found[:, 0].tolist() == pytest.approx([1.0, 4.0])


def test_lecams_means_begin_with_the_first_batch(tiny):
    trainer = Trainer(tiny(penalty="lecam")).train(1)
    row = trainer.history[0][1]
    assert trainer.member(0)[0].anchors[0].tolist() == pytest.approx([row[0, 0], row[1, 0]], rel=1e-5)


def test_lecams_means_run_with_their_decay(tiny):
    trainer = Trainer(tiny(penalty="lecam", lr_d=1e-2)).train(12)
    rows = np.stack([row[:2, 0] for _, row in trainer.history]).astype(float)
    mean = rows[0]
    for row in rows[1:]:
        mean = ANCHOR_DECAY * mean + (1 - ANCHOR_DECAY) * row
    assert trainer.member(0)[0].anchors[0].tolist() == pytest.approx(mean.tolist(), rel=1e-4)


# Clipping of weights


def test_clip_keeps_each_members_weights_in_its_own_box():
    flat = torch.tensor([[-3.0, 0.005, 0.5], [-3.0, 0.005, 0.5]])
    found = PENALTIES["clip"].project(flat, torch.tensor([[0.01], [1.0]]))
    torch.testing.assert_close(found, torch.tensor([[-0.01, 0.005, 0.01], [-1.0, 0.005, 0.5]]))


def test_after_a_step_all_weights_of_the_critic_lie_in_the_box(tiny):
    members = Trainer(tiny(penalty="clip", penalty_weight=0.01, loss="wasserstein", lr_d=0.1)).train(3).member(0)[0]
    assert members.opt_d.flat.abs().max().item() == pytest.approx(0.01)


def test_the_generators_weights_are_not_clipped(tiny):
    members = Trainer(tiny(penalty="clip", penalty_weight=0.01)).train(1).member(0)[0]
    assert members.opt_g.flat.abs().max() > 0.1


def test_clip_adds_nothing_to_the_loss(tiny):
    assert Trainer(tiny(penalty="clip", penalty_weight=0.01)).train(2).history[-1][1][3, 0] == 0


@pytest.mark.parametrize(
    "changes", [{"minibatch_discrimination": 3}, {"minibatch_std": 4}, {}], ids=["discrimination", "deviation", "alone"]
)
def test_r1_and_r2_at_once_are_their_sum_where_samples_are_compared_within_a_batch(tiny, changes):
    """A discriminator that compares samples judges real ones among real ones, as it does for its loss."""
    one, two, both = (
        Trainer(tiny(penalty=p, lr_d=0.0, lr_g=0.0, **changes)).train(1).history[0][1][3, 0] for p in ("r1", "r2", "r1_r2")
    )
    assert both == pytest.approx(one + two, rel=1e-4)


@pytest.mark.parametrize("name", PENALTIES)
def test_entry_has_title_and_formula(name):
    assert all([PENALTIES[name].title, PENALTIES[name].formula])
