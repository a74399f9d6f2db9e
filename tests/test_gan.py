"""The GAN's protocol: what is trained when, by which loss."""

import pytest
import torch

from synthpet.errors import TrainingError
from synthpet.generators.conditional_gan import ConditionalGAN
from synthpet.generators.options import GeneratorOptions
from synthpet.learning.options import TrainerOptions
from synthpet.learning.schedule import cosine_schedule, gradient_norm, moving_average

OPTIONS = {
    "name": "test",
    "patch_size": [8, 8, 8],
    "stride": [4, 4, 4],
    "batch_size": 2,
    "n_folds": 2,
    "spatial_dims": 3,
    "coordinates": True,
    "generator": {"channels": [4, 8], "blocks": 1, "stem": 2, "norm": "batch"},
    "discriminator": {"channels": 4, "layers": 1, "norm": "none", "spectral": True},
    "reconstruction": "l1",
    "lambda_reconstruction": 10.0,
    "lambda_adversarial": 0.1,
    "learning_rate": 1e-3,
    "learning_rate_discriminator": 1e-3,
    "betas": [0.5, 0.99],
    "gradient_clip": 1.0,
    "n_steps": 10,
    "n_warmup_steps": 5,
    "ema_decay": 0.9,
    "augmentation": 0.0,
}


def make(seed=0, **options):
    return ConditionalGAN.of(GeneratorOptions.of(OPTIONS | options), TrainerOptions(channels_last=False), seed)


@pytest.mark.parametrize("sources", [("t1w",), ("t1w", "flair")])
@pytest.mark.parametrize(("dims", "shape"), [(3, (8, 8, 8)), (2, (8, 8, 3))])
def test_generator_and_discriminator_take_patches_of_both_forms(dims, shape, sources):
    model = make(spatial_dims=dims, patch_size=list(shape), sources=sources)
    images, position = torch.randn(2, len(sources), *shape), torch.randn(2, 3, *shape)
    pet = model.generator(model.condition(images, position))
    assert pet.shape == (2, 1, *shape)
    assert model._scores(images, pet).shape[:2] == (2, 1)


def test_without_coordinates_the_generator_sees_the_t1w_alone():
    model = make(coordinates=False)
    t1w = torch.randn(1, 1, 8, 8, 8)
    assert model.condition(t1w, torch.randn(1, 3, 8, 8, 8)) is t1w


@pytest.mark.parametrize(("name", "expected"), [("l1", 0.5), ("mse", 0.25)])
def test_the_reconstruction_loss_is_a_mean_over_the_brain(name, expected):
    model = make(reconstruction=name)
    mask = torch.zeros(1, 1, 2, 2, 2)
    mask[..., 0] = 1
    synthetic, pet = torch.full_like(mask, 1.5), torch.ones_like(mask)
    assert model._reconstruction(synthetic, pet, mask) == pytest.approx(expected)


def test_no_discriminator_without_an_adversarial_loss():
    model = make(lambda_adversarial=0.0)
    assert model.discriminator is None
    assert len(model.configure_optimizers()) == 1


def test_the_same_seed_gives_the_same_weights():
    a, b, c = (make(seed=s).generator.state_dict() for s in (3, 3, 4))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_a_loss_that_stays_not_finite_stops_the_training():
    model = make()
    for _ in range(19):
        model._count_bad(usable=False)
    with pytest.raises(TrainingError, match="20 steps in a row"):
        model._count_bad(usable=False)


def test_one_good_step_forgives_bad_ones_and_all_are_counted():
    model = make()
    for _ in range(100):
        model._count_bad(usable=False)
        model._count_bad(usable=True)
    assert (model.bad_steps, model.skipped_steps) == (0, 100)


def test_the_learning_rate_rises_then_falls_to_two_per_cent():
    rates = [cosine_schedule(step, 1000) for step in range(1000)]
    assert rates[0] < 0.05
    assert max(rates) == pytest.approx(1, abs=0.05)
    assert rates.index(max(rates)) == pytest.approx(30, abs=2)
    assert rates[-1] == pytest.approx(0.02, abs=1e-3)


def test_the_moving_average_forgets_its_start_and_then_decays():
    averaged = torch.tensor([100.0])
    for n in range(60):
        moving_average(0.99, [averaged], [torch.ones(1)], n)
    assert averaged < 1.01  # with a constant decay of 0.99, 55 of the 100 would be left
    averaged = torch.zeros(1)
    moving_average(0.99, [averaged], [torch.ones(1)], 10_000)
    assert averaged == pytest.approx(0.01)


def test_the_first_moving_average_is_the_network_itself_and_counts_are_whole():
    averaged, current = [torch.tensor([0.1]), torch.tensor(3)], [torch.tensor([0.7]), torch.tensor(10)]
    moving_average(0.99, averaged, current, 0)
    assert all(torch.equal(a, b) for a, b in zip(averaged, current, strict=True))
    moving_average(0.5, averaged, [torch.tensor([0.7]), torch.tensor(13)], 50)
    assert averaged[1] == 11


def test_the_norm_of_the_gradient_is_that_of_clipping():
    weights = [torch.nn.Parameter(torch.randn(n)) for n in (3, 5, 1)]
    for weight in weights[:2]:
        weight.grad = torch.randn_like(weight)
    assert gradient_norm(weights) == torch.nn.utils.clip_grad_norm_(weights, 1e9)
