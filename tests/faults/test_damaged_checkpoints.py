"""A damaged newest checkpoint gives way to the one before it; none whole: 65, never a silent start anew."""

import random
import shutil
import signal

import pytest
import torch

from synthpet.errors import DataError
from synthpet.learning.checkpoints import newest_whole
from synthpet.learning.model_files import read_checkpoint
from tests.faults.conftest import folds, training, weights

DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: flip(content, len(content) // 2),
    "empty": lambda content: b"",
    "last byte": lambda content: content[:-1],
}


def flip(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0x10]) + content[position + 1 :]


@pytest.fixture(scope="module")
def interrupted(forge, shared_cohort, tmp_path_factory):
    """A training that was killed after its second checkpoint."""
    work = tmp_path_factory.mktemp("interrupted")
    child = forge.start(work / "log", *training(shared_cohort.root, work), pause_after=("last.ckpt", 2))
    child.send(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    return work


@pytest.fixture
def copy(interrupted, tmp_path):
    work = tmp_path / "work"
    shutil.copytree(interrupted, work)
    return work


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_one_before_takes_its_place_with_a_warning_that_names_both(copy, capsys, damage):
    last, previous = (folds(copy)[0] / name for name in ("last.ckpt", "previous.ckpt"))
    last.write_bytes(DAMAGES[damage](last.read_bytes()))
    earlier = previous.read_bytes()
    assert newest_whole(last.parent) == last
    said = capsys.readouterr().out
    assert "warning" in said
    assert str(last) in said
    assert str(previous) in said
    assert last.read_bytes() == earlier


def test_going_on_from_the_one_before_ends_with_the_same_weights(forge, shared_cohort, uninterrupted, copy, tmp_path):
    last = folds(copy)[0] / "last.ckpt"
    last.write_bytes(flip(last.read_bytes(), last.stat().st_size // 2))
    code, text = forge.run(tmp_path / "log", *training(shared_cohort.root, copy))
    assert code == 0, text
    assert "Going on from the one before it" in text
    assert weights(copy) == weights(uninterrupted)


def test_none_whole_is_65_and_nothing_starts_anew(forge, shared_cohort, copy, tmp_path):
    for name in ("last.ckpt", "previous.ckpt"):
        path = folds(copy)[0] / name
        path.write_bytes(path.read_bytes()[:1000])
    code, text = forge.run(tmp_path / "log", *training(shared_cohort.root, copy))
    assert code == 65, text
    assert "E_CHECKPOINT" in text
    assert "last.ckpt" in text
    assert "previous.ckpt" in text
    assert "Delete" in text
    assert not (folds(copy)[0] / "generator.safetensors").exists()


def test_no_flipped_bit_changes_a_weight_unseen(copy):
    """Torch ignores checksums: a flip that is not refused must be one that changes nothing."""
    path = folds(copy)[0] / "last.ckpt"
    content, good = path.read_bytes(), read_checkpoint(path)["state_dict"]
    rng = random.Random(0)
    directory = range(len(content) - 15_000, len(content))  # where one bit can make a tensor a folder
    refused = 0
    for position in [*rng.choices(range(len(content)), k=60), *rng.choices(directory, k=60)]:
        path.write_bytes(flip(content, position))
        try:
            found = read_checkpoint(path)["state_dict"]
        except DataError:
            refused += 1
            continue
        assert [name for name in good if not torch.equal(found[name], good[name])] == [], position
    assert refused >= 119  # the byte that says how long the seal is may go unseen
