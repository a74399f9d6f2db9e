"""Memory of ``uad.train`` against the number of controls: it must not grow with it.

The command runs in a process of its own on a cohort of noise; every 10 ms its private memory is read (RssAnon of
/proc/<pid>/status, so Linux only; pages of memory-mapped files, which the system takes back when it needs them, are not
counted). What is left of growth with ``ocsvm_voxel`` is the machines that leave one control out, n kernels of n x n at
a voxel, of which one slab of voxels is held.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from noise_cohort import write_noise_cohort
from table import Row

RESOLUTION_MM = 5.0
SIZES = (20, 200)
DETECTORS = {"zmap": (), "ocsvm_voxel": ("detector.autoencoder.n_steps=50",)}


def peak_mb(command: list[str]) -> float:
    """Largest private memory of a program while it runs, MB."""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        peak, status = 0, Path(f"/proc/{child.pid}/status")
        while child.poll() is None:
            lines = status.read_text().splitlines()
            peak = max([peak, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])
            time.sleep(0.01)
        if child.returncode:
            raise RuntimeError(f"{' '.join(command)}: {(child.stderr.read() if child.stderr else b'').decode()}")
    return peak / 1024


def rows(tiny: bool = False) -> Iterator[Row]:
    """One row a detector."""
    sizes, resolution_mm = ((3, 6), 12.0) if tiny else (SIZES, RESOLUTION_MM)
    with tempfile.TemporaryDirectory(prefix="synthpet-memory-") as name:
        folder = Path(name)
        for n in sizes:
            roles = {"paired": n, "heldout": 2, "patient": 1}
            write_noise_cohort(folder / f"{n}" / "cohort", roles, resolution_mm=resolution_mm)
        for detector, options in DETECTORS.items():
            few, many = (
                peak_mb([
                    "uad.train", f"cohort={folder / f'{n}' / 'cohort'}", f"work_dir={folder / f'{n}' / 'results'}",
                    f"detector={detector}", "compute.n_jobs=1", "logger=local", *options,
                ])
                for n in sizes
            )  # fmt: skip
            part = f"memory of uad.train detector={detector}, {sizes[1]} controls"
            yield Row(
                part, f"{sizes[0]} controls", f"{many:.0f} MB", f"{few:.0f} MB", f"{many / few:.2f}x", "under 1.3x"
            )
