import subprocess
import sys
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
