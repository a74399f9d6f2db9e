"""A full disk, a real one: the old file is whole, the temporary one is gone, 74 with bytes needed and free."""

import re
import signal

import numpy as np
import pytest

from synthpet.cohort import write_image
from synthpet.cohort.files import new_array, write_array, write_text, write_tsv
from synthpet.errors import DiskError
from tests.conftest import GRID
from tests.faults.conftest import fill, leftovers, training, weights

KB = 1024


def noise_image(path, seed):
    data = np.random.default_rng(seed).random(GRID.shape, np.float32)
    return write_image(path, data, GRID)


WRITERS = {
    "image.nii.gz": noise_image,
    "table.tsv": lambda path, seed: write_tsv(path, [{"x": seed, "y": "z" * 100}] * 300),
    "patches.npy": lambda path, seed: write_array(path, np.full((3, 10_000), seed, np.float32)),
    "page.html": lambda path, seed: write_text(path, f"<p>{seed}</p>" * 3000),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_says_how_much_is_missing(small_disk, name):
    disk = small_disk(400 * KB)
    path = WRITERS[name](disk / name, 0)
    before = path.read_bytes()
    fill(disk, leave=8 * KB)
    with pytest.raises(DiskError, match=r"[\d,]+ bytes needed, [\d,]+ free") as error:
        WRITERS[name](path, 1)
    needed, free = (int(n.replace(",", "")) for n in re.findall(r"([\d,]+) (?:bytes needed|free)", str(error.value)))
    assert needed > free
    assert error.value.exit_code == 74
    assert path.read_bytes() == before
    assert leftovers(disk) == []


def test_an_array_that_the_disk_cannot_hold_is_refused_before_it_is_written(small_disk):
    """Writing into the pages of a file that has no space ends a process by a signal."""
    disk = small_disk(400 * KB)
    fill(disk, leave=80 * KB)
    with pytest.raises(DiskError, match=r"latents.npy could not be written .*: 4,000,000 bytes needed, [\d,]+ free"):
        new_array(disk / "latents.npy", (1000, 1000), np.float32)
    assert not (disk / "latents.npy").exists() and leftovers(disk) == []


def test_a_short_write_of_numpy_is_a_full_disk():
    from synthpet.command.main import _refused_by_disk

    assert _refused_by_disk(OSError("90000 requested and 4096 written")) is not None
    assert _refused_by_disk(OSError("something else")) is None


def test_a_training_on_a_full_disk_keeps_its_checkpoint_and_goes_on_when_there_is_space(
    forge, shared_cohort, uninterrupted, small_disk, tmp_path
):
    """The disk fills while the training runs: at the first checkpoint there is no place for a second."""
    disk = small_disk(8 * 1024 * KB)
    work = disk / "work"
    child = forge.start(tmp_path / "log", *training(shared_cohort.root, work), pause_after=("last.ckpt", 1))
    fill(disk, leave=16 * KB)
    child.send(signal.SIGCONT)
    assert child.wait() == 74, child.text
    assert re.search(r"DiskError: .*bytes needed, [\d,]+ free|DiskError: E_DISK .* bytes free", child.text)
    assert "Traceback" not in child.text
    assert leftovers(disk) == []
    (disk / "filler").unlink()
    code, text = forge.run(tmp_path / "log", *training(shared_cohort.root, work))
    assert code == 0, text
    assert weights(work) == weights(uninterrupted)
