"""Rectified flow: samples of the right spread, one volume of noise a person, the scale of the training set."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from synthpet.cohort.scan import load_scan
from synthpet.completion.write import ensure_completed
from synthpet.errors import DataError
from synthpet.generators.crossfit import ensure_generators
from synthpet.generators.flow import FlowNetwork, RectifiedFlow, heun, noise_of
from synthpet.generators.options import GeneratorOptions
from synthpet.generators.patches.data import Batch
from synthpet.generators.patchwise import PatchCover, synthesise
from synthpet.generators.trained import TrainedGenerator
from synthpet.learning import checkpoints
from synthpet.learning.options import TrainerOptions
from tests.conftest import study
from tests.test_training import fold_folder

FLOW = {
    "name": "flow", "method": "rectified_flow", "spatial_dims": 3, "patch_size": [8, 8, 8], "stride": [6, 6, 6],
    "batch_size": 2, "coordinates": True, "generator": {"channels": [8, 16], "norm": "group"}, "learning_rate": 1e-3,
    "betas": [0.9, 0.99], "gradient_clip": 1.0, "n_steps": 4, "ema_decay": 0.9, "augmentation": 0.0, "n_folds": 2,
    "n_samples": 1, "sampling_steps": 10, "shift": 0.333,
}  # fmt: skip
SAMPLING = {key: FLOW[key] for key in ("n_samples", "sampling_steps", "shift")}
SMALL = (
    "logger=local", "gan=flow3d", "gan.n_folds=2", "gan.n_steps=4", "trainer.steps_per_checkpoint=2",
    "gan.patch_size=[8,8,8]", "gan.stride=[8,8,8]", "gan.generator.channels=[8,16]", "gan.batch_size=2",
    "gan.sampling_steps=2", "compute.n_jobs=1", "trainer.accelerator=cpu", "complete.residual=none",
)  # fmt: skip


def gaussian_velocity(mean, sd):
    """That of a flow from N(0, 1) to N(mean, sd^2), in closed form: the expected noise minus the expected target."""

    def velocity(x, t):
        variance = (1 - t) ** 2 * sd**2 + t**2
        return (x - (1 - t) * mean) * (t - (1 - t) * sd**2) / variance - mean

    return velocity


@pytest.mark.parametrize(("sd", "shift", "expected"), [(0.2, 1 / 3, 1.0), (0.5, 1 / 3, 1.01), (0.2, 1.0, 0.9)])
def test_samples_of_a_gaussian_have_its_mean_and_spread(sd, shift, expected):
    """A map of the noise that is linear, so that its slope is the ratio of the standard deviations."""
    noise = torch.linspace(-3, 3, 101, dtype=torch.float64)
    sampled = heun(gaussian_velocity(1.5, sd), noise, 10, shift)
    slope, middle = np.polyfit(noise, sampled, 1)
    assert slope / sd == pytest.approx(expected, abs=0.02 if shift == 1 else 0.03)
    assert middle == pytest.approx(1.5, abs=0.01)


def test_with_many_steps_the_sampler_is_exact():
    sampled = heun(gaussian_velocity(-1.0, 0.2), torch.tensor([-1.0, 0.0, 1.0]), 400, 1 / 3)
    torch.testing.assert_close(sampled, torch.tensor([-1.2, -1.0, -0.8]), atol=2e-3, rtol=0)


def make(**options):
    return RectifiedFlow.of(GeneratorOptions.of(FLOW | options), TrainerOptions(channels_last=False), seed=0)


class Posterior(torch.nn.Module):
    """What a perfect network returns where the scaled target is N(source, sd^2) in each voxel by itself."""

    def __init__(self, sd):
        super().__init__()
        self.sd = sd

    def forward(self, x):
        noisy, source, t = x[:, :1], x[:, 1:2], x[:, 2:3]
        gain = (1 - t) * self.sd**2 / ((1 - t) ** 2 * self.sd**2 + t**2)
        return source + gain * (noisy - (1 - t) * source)


def test_a_perfect_network_gives_samples_of_the_true_spread_in_whole_volumes():
    network = FlowNetwork(Posterior(0.2)).eval()
    network.mean.fill_(1.0)
    network.sd.fill_(0.5)
    source = np.random.default_rng(0).standard_normal((1, 14, 12, 10)).astype(np.float32)
    mask = np.ones(source.shape[1:], bool)
    mask[:3] = False
    ask = {"coordinates": False, "batch_size": 3}

    def draw(stride, images=source, **sampling):
        cover = PatchCover((8, 8, 8), (stride,) * 3, SAMPLING | sampling)
        return synthesise(network, images, mask, np.eye(4), cover, **ask)

    made = draw(4)
    left = (made - (1.0 + 0.5 * source[0]))[mask]
    assert not made[~mask].any()
    assert left.std() == pytest.approx(0.5 * 0.2, rel=0.08)
    assert abs(left.mean()) < 0.01
    np.testing.assert_allclose(draw(8), made, atol=1e-4)  # neighbouring patches belong to one sample
    np.testing.assert_array_equal(draw(4), made)
    of_another = draw(4, source + 0.001)
    assert abs(np.corrcoef((of_another - 0.5 * source[0])[mask], left)[0, 1]) < 0.1
    mean = (draw(4, n_samples=16) - (1.0 + 0.5 * source[0]))[mask]
    assert mean.std() == pytest.approx(0.5 * 0.2 / 4, rel=0.15)


@pytest.mark.parametrize(("dims", "shape"), [(3, (8, 8, 8)), (2, (8, 8, 3))])
@pytest.mark.parametrize("sources", [("t1w",), ("t1w", "flair")])
def test_the_network_takes_noise_sources_coordinates_and_time(dims, shape, sources):
    model = make(spatial_dims=dims, patch_size=list(shape), sources=sources)
    given = torch.randn(2, len(sources), *shape), torch.randn(2, 3, *shape)
    made = model.generator(torch.randn(2, 1, *shape), model.condition(*given), torch.tensor([0.1, 0.9]))
    assert made.shape == (2, 1, *shape)


def test_the_loss_is_that_of_the_velocity(monkeypatch):
    """With D = 0 and y = 0 the velocity is e + noise terms that can be written down: (x_t / t - e)^2 = 0."""
    model = make()
    monkeypatch.setattr(RectifiedFlow, "begin_step", lambda *_: None)
    monkeypatch.setattr(RectifiedFlow, "end_step", lambda *_: True)
    monkeypatch.setattr(model.generator, "forward", lambda x, condition, t: torch.zeros_like(x))
    image = torch.zeros(2, 1, 8, 8, 8)
    batch = Batch(image, image, torch.ones_like(image), torch.zeros(2, 3, 8, 8, 8))
    rng = torch.Generator().manual_seed(0)
    assert model._generator_step(image, batch, 0, rng)["loss_velocity"] == pytest.approx(0, abs=1e-6)
    rng = torch.Generator().manual_seed(0)
    t = torch.sigmoid(torch.randn(2, generator=torch.Generator().manual_seed(0))).clamp_min(0.05)
    batch = batch._replace(target=image + 3)  # (x_t / t - (e - y))^2 = (y / t)^2
    expected = (9 / t.square()).mean()
    assert model._generator_step(image, batch, 0, rng)["loss_velocity"] == pytest.approx(float(expected), rel=1e-4)


def configure(cohort, work_dir, *overrides):
    return study("complete", f"cohort={cohort.root}", f"work_dir={work_dir}", *SMALL, *overrides)


@pytest.fixture(scope="module")
def trained(shared_cohort, tmp_path_factory):
    cfg = configure(shared_cohort, tmp_path_factory.mktemp("flow"))
    ensure_completed(cfg)
    return cfg


def test_the_scale_is_that_of_the_training_set_and_lies_beside_the_weights(trained, shared_cohort):
    for k in (0, 1):
        stored = load_file(fold_folder(trained, k) / "generator.safetensors")
        config = TrainedGenerator(fold_folder(trained, k)).config
        values = np.concatenate(
            [shared_cohort.load(who, "pet")[shared_cohort.load_mask(who)] for who in config["train"]]
        )
        assert float(stored["mean"]) == pytest.approx(values.mean(), rel=1e-4)
        assert float(stored["sd"]) == pytest.approx(values.std(), rel=1e-4)


def test_interrupted_and_continued_equals_uninterrupted(trained, shared_cohort, tmp_path, monkeypatch):
    cfg = configure(shared_cohort, tmp_path)
    save = checkpoints.SaveCheckpoint.on_train_epoch_end

    def save_then_stop(self, trainer, module):
        save(self, trainer, module)
        if int(module.step) == 2:
            raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.SaveCheckpoint, "on_train_epoch_end", save_then_stop)
        with pytest.raises(RuntimeError, match="power cut"):
            ensure_generators(cfg)
    ensure_generators(cfg)
    for k in (0, 1):
        expected, found = (load_file(fold_folder(c, k) / "generator.safetensors") for c in (trained, cfg))
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_more_samples_train_nothing_again_and_are_drawn_anew(trained, shared_cohort, capsys):
    written = trained.paths.synthetic("flow3d")
    before = next((written / "sub-07" / "pet").glob("*desc-synthetic_pet.nii.gz")).read_bytes()
    ensure_completed(configure(shared_cohort, trained.work_dir, "gan.n_samples=2"))
    assert "generators flow3d: up to date" in capsys.readouterr().out
    assert next((written / "sub-07" / "pet").glob("*desc-synthetic_pet.nii.gz")).read_bytes() != before


def test_a_stored_generator_knows_how_samples_are_drawn(trained, shared_cohort):
    generator = TrainedGenerator(fold_folder(trained))
    assert generator.sampling == {"n_samples": 1, "sampling_steps": 2, "shift": 0.333}
    scan, grid = load_scan(shared_cohort, "sub-07", ("t1w",)), shared_cohort.grid.matrix
    ask = {"stride": (8, 8, 8), "batch_size": 4}
    made = generator.synthesise(scan, grid, **ask)
    np.testing.assert_array_equal(made, generator.synthesise(scan, grid, **ask, **generator.sampling))
    assert not np.array_equal(made, generator.synthesise(scan, grid, **ask, **generator.sampling | {"n_samples": 2}))


@pytest.mark.parametrize("change", [{"n_samples": 10**9}, {"sampling_steps": "x"}, {"shift": 0}, {"n_samples": 0.5}])
def test_numbers_of_a_stranger_that_would_never_end_are_refused(tmp_path, change):
    (tmp_path / "inference.json").write_text(json.dumps({"stride": [4, 4, 4]} | SAMPLING | change))
    with pytest.raises(DataError, match="E_MODEL"):
        _ = TrainedGenerator(tmp_path).sampling


def test_noise_is_a_persons_own_and_white():
    from types import SimpleNamespace

    volumes = [
        SimpleNamespace(channels=torch.full((1, 20, 20, 20), v), brain=torch.ones(1, 20, 20, 20)) for v in (1, 2)
    ]
    first, again, second, other = (
        noise_of(*ask) for ask in ((volumes[0], 0), (volumes[0], 0), (volumes[0], 1), (volumes[1], 0))
    )
    assert torch.equal(first, again)
    for one in (second, other):
        assert abs(np.corrcoef(first.flatten(), one.flatten())[0, 1]) < 0.04
    assert (float(first.mean()), float(first.std())) == pytest.approx((0, 1), abs=0.04)
