import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

SOURCE = """
from synthpet.runtime.machine_code import machine_code

@machine_code()
def twice(x):
    return 2 * x

print(twice(21))
"""


@pytest.mark.parametrize("writable", [True, False])
def test_loops_are_compiled_where_nothing_can_be_kept(tmp_path, writable):
    """Numba refuses to compile for its cache where neither the source's folder nor the user's can be written."""
    source = tmp_path / "twice.py"
    source.write_text(SOURCE)
    kept = tmp_path / "kept"
    kept.mkdir() if writable else kept.write_text("a file, not a folder")
    if not writable:
        (tmp_path / "__pycache__").write_text("a file, not a folder")
    environment = {"PATH": "", "PYTHONPATH": str(Path.cwd()), "HOME": str(kept), "XDG_CACHE_HOME": str(kept)}
    done = subprocess.run([sys.executable, source], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "42", done.stderr
    assert any(tmp_path.rglob("*.nbi")) == writable


MACHINES = """
import hashlib
import numpy as np
from uad.detectors.latent.support import compiled

latents = np.random.default_rng(0).normal(size=(35, 400, 16)).astype(np.float32)
found = compiled.Machines(np.empty((35, 400), np.float32), *np.empty((3, 400)), *np.empty((4, 400), np.float32))
compiled.fit(latents, 0, 400, compiled.Problem(0.03, 0.0, 1e-5), found)
print(len(compiled.fit.stats.cache_hits), hashlib.sha256(found.rho.tobytes() + found.alpha.tobytes()).hexdigest())
"""


@pytest.mark.slow  # it compiles for ten seconds
def test_the_process_that_compiles_rounds_as_those_that_read_what_it_kept(tmp_path):
    environment = {"PATH": "", "PYTHONPATH": str(Path.cwd()), "NUMBA_CACHE_DIR": str(tmp_path)}
    run = partial(subprocess.run, [sys.executable, "-c", MACHINES], check=True, capture_output=True, text=True)
    first, later = (run(env=environment).stdout.split() for _ in range(2))
    assert (first[0], later[0]) == ("0", "1")
    assert first[1] == later[1]
