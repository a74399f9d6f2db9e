"""Support estimators on disk: learned arrays as npz and npy without pickles, parameters as JSON."""

import io
import json
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator

from synthpet.cohort.files import write_array, write_bytes, write_json
from synthpet.errors import DataError
from synthpet.learning.model_files import read_arrays
from uad.detectors.latent.support.subject import SubjectOneClassSVM
from uad.detectors.latent.support.svdd import VoxelwiseSvdd
from uad.detectors.latent.support.voxelwise import VoxelwiseOneClassSVM

ON_DISK = {"latents_": "latents", "dual_coef_": "weights"}  # of voxelwise machines: as large as all controls
ESTIMATORS = {kind.__name__: kind for kind in (VoxelwiseOneClassSVM, VoxelwiseSvdd, SubjectOneClassSVM)}


def save_estimator(machine: BaseEstimator, stem: Path) -> list[Path]:
    """Write a fitted estimator as ``<stem>.npz`` (learned attributes) and ``<stem>.json`` (class and parameters).

    What has a number for every control and voxel may be larger than memory: the latent vectors and weights of
    voxelwise machines go to ``<stem>-latents.npy`` and ``<stem>-weights.npy``, control by control.
    """
    learned = {
        name: value
        for name, value in vars(machine).items()
        if name.endswith("_") and not name.startswith("_") and value is not None
    }
    large = {file: learned.pop(name) for name, file in _on_disk(machine).items()}
    content = io.BytesIO()
    np.savez(content, **learned)
    about = {"estimator": type(machine).__name__, "parameters": machine.get_params()}
    return [
        write_bytes(stem.with_name(stem.name + ".npz"), content.getvalue()),
        write_json(stem.with_name(stem.name + ".json"), about),
        *(write_array(stem.with_name(f"{stem.name}-{file}.npy"), array) for file, array in large.items()),
    ]


def _on_disk(machine: BaseEstimator) -> dict[str, str]:
    return ON_DISK if isinstance(machine, VoxelwiseOneClassSVM) else {}


def load_estimator(stem: Path) -> BaseEstimator:
    """Read what ``save_estimator`` wrote; nothing in the files can run code.

    Raises:
        DataError: a file that is missing, or is not such a file.
    """
    table, arrays = stem.with_name(stem.name + ".json"), stem.with_name(stem.name + ".npz")
    try:
        about = json.loads(table.read_text())
        machine = ESTIMATORS[about["estimator"]](**about["parameters"])
        values = read_arrays(arrays)
        for name, file in _on_disk(machine).items():
            if name in values:  # written before these had files of their own
                continue
            # "c": pages that are changed stay in memory
            values[name] = np.load(stem.with_name(f"{stem.name}-{file}.npy"), mmap_mode="c", allow_pickle=False)
    except (DataError, OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(
            f"{stem}: found no support estimator ({error}); expected {table.name} and {arrays.name} as written by "
            "`python -m uad.train`: run it again"
        ) from error
    for name, value in values.items():
        setattr(machine, name, value.item() if value.ndim == 0 else value)
    return machine
