"""A small training as a real command, and a real small file system."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.faults.forge import Forge

# 2 folds x 12 steps, 8 checkpoints
SMALL = (
    "study=tiny", "logger=local", "logger.images_every=500", "compute.n_jobs=1",
    "gan.n_folds=2", "gan.n_steps=12", "gan.n_warmup_steps=6", "gan.batch_size=2",
    "gan.patch_size=[8,8,8]", "gan.stride=[4,4,4]", "gan.generator.channels=[4,8]",
    "gan.discriminator.channels=4", "gan.discriminator.layers=1",
    "trainer.steps_per_checkpoint=3", "trainer.accelerator=cpu", "trainer.precision=32-true",
)  # fmt: skip


@pytest.fixture(scope="session")
def forge():
    forge = Forge()
    yield forge
    forge.close()


def training(cohort_root: Path, work_dir: Path, *more: str) -> tuple[str, ...]:
    """Module and arguments of the small training."""
    return ("synthpet.train", f"cohort={cohort_root}", f"work_dir={work_dir}", *SMALL, *more)


def folds(work_dir: Path) -> list[Path]:
    return [work_dir / "gan-patch3d" / f"fold-{k}" for k in (0, 1)]


def weights(work_dir: Path) -> list[bytes]:
    """The folds' final weights."""
    return [(fold / "generator.safetensors").read_bytes() for fold in folds(work_dir)]


def leftovers(folder: Path) -> list[str]:
    """Temporary files and locks."""
    return sorted(p.name for pattern in (".partial-*", ".lock") for p in folder.rglob(pattern))


@pytest.fixture(scope="session")
def uninterrupted(forge, shared_cohort, tmp_path_factory) -> Path:
    """The work_dir of a training that nobody disturbed."""
    work = tmp_path_factory.mktemp("uninterrupted")
    code, text = forge.run(work / "log", *training(shared_cohort.root, work))
    assert code == 0, text[-3000:]
    return work


@pytest.fixture
def small_disk(tmp_path):
    """``small_disk(n_bytes)`` makes an empty file system of that size; skipped where it may not be mounted."""
    mounted = []

    def mount(n_bytes: int) -> Path:
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a tmpfs is not permitted here (needs root)")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Fill a disk but for so many bytes."""
    with (disk / "filler").open("wb") as stream:
        while shutil.disk_usage(disk).free >= leave + 4096:
            stream.write(b"x" * 4096)
            stream.flush()
