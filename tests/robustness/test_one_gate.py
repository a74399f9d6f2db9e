"""Nothing but the gate opens an image or a table, nothing but ``cohort.files`` writes: held by the source itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATE = {"synthpet/cohort/stream.py", "synthpet/cohort/text.py", "synthpet/cohort/files.py"}
NO_FILE = ("Cohort", "cls", "Image", "os", "gzip")  # whose ``open`` opens something else, or what has been read

# call: modules that may make it beside the gate, and why
READS_IMAGES = {
    "nib.load": {},
    "nibabel.load": {},
    "sitk.ReadImage": {
        "synthpet/prepare/spaces/transform.py": "a transform's own displacement field, after check_stream",
        "synthpet/prepare/spaces/registration.py": "what ANTs has just written into a temporary folder",
    },
    "ants.image_read": {},
    "tio.ScalarImage": {},
    "pd.read_csv": {},
    "csv.reader": {},
    "csv.DictReader": {},
}
WRITES = {
    "nib.save": {},
    "np.save": {
        "synthpet/prepare/qc/person.py": "into memory",
    },
    "sitk.WriteImage": {"synthpet/prepare/spaces/transform.py": "into a temporary folder, then by cohort.files"},
    "sitk.WriteTransform": {"synthpet/prepare/spaces/transform.py": "into a temporary folder, then by cohort.files"},
    "torch.save": {"synthpet/learning/checkpoints.py": "into memory, then by cohort.files"},
    "json.dump": {},
    "yaml.dump": {},
    "shutil.copy": {},
    "shutil.move": {},
}
METHODS = {  # of whatever object: path.write_text(...), figure.savefig(...)
    "write_text": {"synthpet/runtime/worker.py": "a mark in a temporary folder"},
    "write_bytes": {},
    "to_csv": {},
    "to_filename": {},
    "savefig": {"synthpet/report/figures.py": "into memory", "synthpet/report/sheet.py": "into memory"},
    "tofile": {},
    "open": {
        "synthpet/prepare/raw/walk.py": "the first bytes, to tell DICOM",
        "synthpet/runtime/lock.py": "the lock itself",
        "synthpet/learning/progress.py": "metrics.jsonl grows by a line a step",
        "synthpet/runtime/console.py": "new lines of metrics.jsonl",
        "synthpet/learning/model_files.py": "checks a model file's own checksums before it is loaded",
    },
}


def calls(path: Path) -> set[str]:
    """Names of what is called: ``nib.load``, and ``.write_text`` for a method of any object."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found.add(name)
            owner, _, method = name.rpartition(".")
            if isinstance(node.func, ast.Attribute | ast.Name) and not (method == "open" and owner in NO_FILE):
                found.add(f".{method}" if owner or method == "open" else name)
    return found


CALLS = {
    path.relative_to(ROOT).as_posix(): calls(path) for top in ("synthpet", "uad") for path in (ROOT / top).rglob("*.py")
}
RULES = {**READS_IMAGES, **WRITES, **{f".{name}": allowed for name, allowed in METHODS.items()}}


@pytest.mark.parametrize("call", RULES)
def test_only_the_gate_and_the_named_modules_call(call):
    callers = {module for module, found in CALLS.items() if call in found}
    assert callers - GATE - set(RULES[call]) == set(), f"{call}: read and write by synthpet.cohort"


@pytest.mark.parametrize("call", RULES)
def test_the_list_of_exceptions_has_no_leftovers(call):
    assert [module for module in RULES[call] if call not in CALLS.get(module, ())] == []
