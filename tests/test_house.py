"""The house: rooms and floors. Definitions flow one way, lazily or in types alike, through files and through rooms."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {  # from the ground up: a room imports from the rooms below it only
    "synthpet": (
        "statistics", "cohort", "template", "runtime", "tracking", "report", "command", "plausibility", "phantom",
        "prepare", "checks", "learning", "generators", "completion", "quality", "comparison",
    ),
    "uad": (
        "tracking", "normative", "detectors", "findings", "scores", "pictures", "patient", "evaluation",
        "comparison", "new_patient",
    ),
}  # fmt: skip
MOST_PARAMETERS = 8
COMMANDS = {
    "synthpet": {"train", "complete", "evaluate", "compare", "validate"},
    "uad": {"train", "evaluate", "compare", "detect"},
}


def modules() -> dict[str, Path]:
    files = (path for package in FLOORS for path in (ROOT / package).rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imported(path: Path) -> Iterator[str]:
    """Names that a file imports anywhere in it, lazily and under TYPE_CHECKING included."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def needs() -> dict[str, set[str]]:
    known = modules()
    return {name: {other for other in imported(path) if other in known} - {name} for name, path in known.items()}


def folder(module: str) -> str:
    return module if (ROOT / Path(*module.split("."))).is_dir() else module.rpartition(".")[0]


def is_command(module: str) -> bool:
    package, _, name = module.partition(".")
    return name in COMMANDS.get(package, ()) or module.endswith(".__main__")


def no_circle(graph: dict[str, set[str]]) -> None:
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        raise AssertionError(f"a circle of imports: {' -> '.join(circle.args[1])}") from None


def test_no_circle_runs_through_files():
    graph = needs()
    assert len(graph) > 150
    no_circle(graph)


def test_no_circle_runs_through_folders():
    graph = defaultdict(set)
    for name, others in needs().items():
        if not is_command(name):
            graph[folder(name)] |= {folder(other) for other in others} - {folder(name), "synthpet", "uad"}
    assert len(graph) > 25
    no_circle(graph)


def test_a_room_imports_from_the_rooms_below_it():
    wrong = []
    for name, others in needs().items():
        package, _, rest = name.partition(".")
        if is_command(name) or not rest or rest == "errors":
            continue
        floors = FLOORS[package]
        for other in others:
            above, _, room = other.partition(".")
            room, mine = room.partition(".")[0], rest.partition(".")[0]
            if above == package and room not in ("", "errors") and floors.index(room) > floors.index(mine):
                wrong.append(f"{name} imports {other}")
    assert not wrong


def test_synthpet_knows_nothing_of_uad():
    assert not [name for name, path in modules().items() if name.startswith("synthpet") and "uad" in imported(path)]
    assert not [
        p for p in (ROOT / "synthpet").rglob("*.py") if re.search(r"^\s*(from|import) uad\b", p.read_text(), re.M)
    ]


@pytest.mark.parametrize("package", FLOORS)
def test_the_first_floor_holds_commands_only(package):
    found = {path.stem for path in (ROOT / package).glob("*.py")}
    assert found - COMMANDS[package] <= {"__init__", "__main__", "errors"}
    assert COMMANDS[package] <= found


def test_every_folder_says_what_it_offers_and_nobody_takes_more():
    taken = defaultdict(set)
    for name, others in needs().items():
        for other in others:
            room, _, module = other.rpartition(".")
            if folder(other) == room and not (f"{folder(name)}.").startswith(f"{room}."):
                taken[room].add(module)
    rooms = {folder(name) for name in modules()} - {"synthpet", "uad"}
    assert len(rooms) > 25
    for room in rooms:
        offered = set(import_module(room).__all__)
        assert taken[room] <= offered, room
        for name in offered:
            assert hasattr(import_module(room), name) or import_module(f"{room}.{name}")


def test_nobody_below_a_command_sees_a_configuration():
    below = [
        path
        for name, path in modules().items()
        if not is_command(name) and not name.startswith("synthpet.command") and name.count(".") > 0
    ]
    assert len(below) > 250
    words = re.compile(r"\b(DictConfig|OmegaConf|compose)\b")
    assert not [path for path in below if words.search(path.read_text("utf-8"))]


def sources() -> dict[str, str]:
    return {name: path.read_text("utf-8") for name, path in modules().items()}


def found_outside(pattern: str, *homes: str) -> list[str]:
    """Modules other than ``homes`` whose source has the pattern; each home has it, so that the test can fail."""
    found = [name for name, text in sources().items() if re.search(pattern, text)]
    assert set(homes) <= set(found)
    return sorted(set(found) - set(homes))


FOLDERS = "gan|synthetic|uad|evaluation|detect|realism|fold|seed"


def test_nobody_but_paths_spells_the_folder_of_an_artefact():
    assert not found_outside(rf'f"({FOLDERS})-\{{', "synthpet.cohort.paths")
    assert not found_outside(r'work_dir / "|"folds\.json"', "synthpet.cohort.paths")
    names = rf'(removeprefix|startswith|glob)\(f?\(?"({FOLDERS})-|/({FOLDERS})-\('
    assert not found_outside(names)
    assert re.search(names, 'path.glob("fold-*")') and re.search(names, 're.search(r"/fold-(\\d+)")')


def test_nobody_but_the_manifest_reads_one():
    assert not found_outside(r'"run[-\w]*\.json"', "synthpet.cohort.manifest")
    assert not found_outside(r'(\[|get\()"(outputs|inputs|seconds)"', "synthpet.cohort.manifest")


def test_a_name_is_not_split_to_find_out_what_it_means():
    split = r'split\("-"|partition\("-"\)'
    bids = ("synthpet.cohort.names", "synthpet.cohort.index", "synthpet.prepare.raw.scan")  # entities, as BIDS has them
    assert not found_outside(split, *bids, "uad.compare", "synthpet.report.plain")  # a column; where a line is broken


def n_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Without ``self`` and ``cls``; ``*arguments`` and ``**options`` are one each."""
    own = function.args
    names = [argument.arg for argument in (*own.posonlyargs, *own.args, *own.kwonlyargs)]
    return len(set(names) - {"self", "cls"}) + bool(own.vararg) + bool(own.kwarg)


def test_a_function_takes_no_more_parameters_than_a_reader_keeps_in_mind():
    found = {
        f"{name}.{node.name}, line {node.lineno}": n_parameters(node)
        for name, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert len(found) > 1000
    assert not {where: n for where, n in found.items() if n > MOST_PARAMETERS}


def test_packages_are_all_named_in_pyproject():
    named = set(re.findall(r'"((?:synthpet|uad)[\w.]*)"', (ROOT / "pyproject.toml").read_text()))
    found = {
        ".".join(path.parent.relative_to(ROOT).parts) for top in FLOORS for path in (ROOT / top).rglob("__init__.py")
    }
    assert found <= named
