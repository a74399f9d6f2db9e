"""The picture that a training leaves while it goes on."""

import numpy as np
import pytest
from PIL import Image

from synthpet.generators.look import write_look
from tests.conftest import GRID, ellipsoid, study


@pytest.mark.parametrize(("options", "columns"), [((), 4), (("gan.sources=[t1w,flair]",), 5)])
def test_sources_measured_and_synthetic_image_and_their_difference_stand_side_by_side(tmp_path, options, columns):
    cfg = study("train", "study=tiny", f"work_dir={tmp_path}", *options)
    mask = ellipsoid(0.9)
    source, real = mask * 0.5, mask * 1.0
    volumes = [*[source] * len(cfg.gan.sources), real, 1.2 * real]
    path = write_look(cfg, 20, volumes, mask, GRID.matrix)
    assert path == tmp_path / f"first-look-{cfg.gan.folder_name}.png"
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert pixels.shape[1] == pytest.approx((2.05 * columns + 0.3) * 110, abs=2)
    last = pixels[100:-100, -150:-90]  # 20 % too much uptake is red
    assert ((last[..., 0] - last[..., 2]) > 60).any() and not ((last[..., 2] - last[..., 0]) > 60).any()


def test_the_end_of_a_training_has_left_its_picture(shared_cohort, tmp_path):
    from synthpet.generators.crossfit import ensure_generators

    small = ("gan.n_folds=2", "gan.n_steps=4", "gan.n_warmup_steps=2", "gan.generator.channels=[4,8]")
    size = ("gan.patch_size=[12,12,12]", "gan.stride=[8,8,8]", "logger.images_every=2")
    cfg = study("train", f"cohort={shared_cohort.root}", f"work_dir={tmp_path}", *small, *size)
    ensure_generators(cfg)
    assert [path.name for path in tmp_path.glob("*.png")] == ["first-look-patch3d.png"]
