"""The notebooks: stripped and importable at once; slow: executed from the first cell to the last."""

import ast
import importlib
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="extra `dev`")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OURS = ("synthpet", "uad")
MAY_IMPORT = (*OURS, "IPython", "PIL", "io", "nibabel", "numpy", "pandas", "pathlib")
by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path: Path) -> list:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    tree = ast.parse("\n".join(cell.source for cell in code_cells(path)))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_there_are_four_notebooks():
    assert [path.name[0] for path in NOTEBOOKS] == ["1", "2", "3", "4"]


@by_name
def test_a_notebook_is_valid_and_stripped(path):
    nbformat.validate(nbformat.read(path, as_version=4))
    assert not [cell.source for cell in code_cells(path) if cell.outputs or cell.execution_count]


@by_name
def test_a_notebook_imports_only_what_exists(path):
    for node in imports(path):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            modules = [node.module]
            if node.module.startswith(OURS):
                found = importlib.import_module(node.module)
                assert not [alias.name for alias in node.names if not hasattr(found, alias.name)], node.module
        assert all(module.split(".")[0] in MAY_IMPORT for module in modules), modules


@by_name
def test_a_notebook_defines_nothing_of_its_own(path):
    tree = ast.parse("\n".join(cell.source for cell in code_cells(path)))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert max(cell.source.count("\n") for cell in code_cells(path)) < 16


@by_name
def test_a_notebook_says_that_it_is_simulated_and_what_to_look_for(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    assert "**simulated" in text.lower()
    assert text.count("**What to look for.**") >= 2


@pytest.mark.slow
def test_the_notebooks_run_one_after_the_other(tmp_path):
    """In a folder of their own, as Jupyter starts them: in ``notebooks/``, results beside it in ``outputs/``."""
    client = pytest.importorskip("nbclient")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for path in NOTEBOOKS:
        book = nbformat.read(path, as_version=4)
        client.NotebookClient(book, timeout=900, resources={"metadata": {"path": str(folder)}}).execute()
        shown = [output for cell in book.cells for output in cell.get("outputs", ()) if "data" in output]
        pictures = [output for output in shown if {"image/png", "image/webp"} & set(output["data"])]
        assert len(pictures) >= 2, path.name
    assert not list(folder.iterdir())
