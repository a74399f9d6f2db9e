"""README.md and the manual are run: commands compose or run, names in them exist; each YAML of configs/ composes."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from synthpet.command.config_names import config_names
from synthpet.command.main import compose
from synthpet.prepare.bids_app import to_overrides

ROOT = Path(__file__).parents[1]
MANUAL = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != "extending.md")  # which has own tests
DOCS = [ROOT / "README.md", *MANUAL]
README = "\n".join(path.read_text() for path in DOCS)
FENCED = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
TICKED = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
GROUPS = sorted(path.name for path in (ROOT / "configs").iterdir() if path.is_dir() and not path.name.startswith("_"))
YAMLS = sorted(path.relative_to(ROOT / "configs").as_posix() for path in (ROOT / "configs").rglob("*.yaml"))
FOREIGN = "ds002748"  # real people who are not in this repository

# What stands for a reader's own folder and files when the commands are run
STAND_INS = {
    "/data/my-bids": "raw/my-bids",
    "new_T1w.nii.gz": "raw/my-bids/sub-p001/anat/sub-p001_T1w.nii.gz",
    "new_pet.nii.gz": "raw/my-bids/sub-p001/pet/sub-p001_trc-18FFDG_pet.nii.gz",
    "sub-01_T1w.nii.gz": "raw/my-bids/sub-p001/anat/sub-p001_T1w.nii.gz",
    "sub-01_pet.nii.gz": "raw/my-bids/sub-p001/pet/sub-p001_trc-18FFDG_pet.nii.gz",
    "outputs/phantom-quick": "outputs/phantom-tiny",
}
FEW_PEOPLE = ("cohort.n_paired=3", "cohort.n_unpaired=1", "cohort.n_heldout=1", "cohort.n_patients=1")
SMALL = {  # beside study=tiny: what keeps a command at seconds
    "synthpet.phantom": FEW_PEOPLE,
    "synthpet.prepare": ("registration=rigid", "cohort.resolution_mm=5"),
    "synthpet.compare": ("compare.generators=[patch3d]",),
    "uad.train": ("detector=zmap", "normative.force=true"),
    "uad.evaluate": ("detector=zmap", "normative.force=true"),
    "uad.detect": ("detector=zmap",),
    "uad.compare": ("compare.detectors=[zmap]", "compare.columns=[real,completed-patch3d]", "normative.force=true"),
}


def commands(text: str) -> list[str]:
    """Every ``python -m`` command of a text, without comments and continuation lines."""
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.join(shlex.split(line, comments=True)) for line in lines if line.startswith("python -m ")]


def concrete(command: str) -> str:
    """A command in which what the reader has to fill in is filled in."""
    return re.sub(r"<(\w+)[^>]*>", r"some/\1", command).replace("=...", "=some/file.nii.gz")


IN_BLOCKS = list(dict.fromkeys(command for block in FENCED for command in commands(block)))
IN_TEXT = list(dict.fromkeys(concrete(text) for text in TICKED if re.match(r"python -m (synthpet|uad)\.\w", text)))


WITHOUT_LOGGER = ("synthpet.phantom", "synthpet.prepare", "synthpet.validate")
WITHOUT_OPTIONS = ("uad.pictures.overview",)  # take plain arguments


def compose_command(command: str):
    """The configuration that a command line would run with; unknown options and choices raise."""
    _, _, module, *arguments = shlex.split(command)
    if module in WITHOUT_OPTIONS:
        return importlib.import_module(module)
    source = ROOT / Path(*module.split("."))
    file = source.with_suffix(".py") if source.with_suffix(".py").is_file() else source / "__main__.py"
    (config_name,) = re.findall(r'@command\("(\w+)"\)', file.read_text())
    if module == "synthpet.prepare":
        arguments = to_overrides(arguments)
    return compose(config_name, *arguments)


def test_the_readme_holds_commands():
    assert len(IN_BLOCKS) > 10
    assert len(IN_TEXT) > 5


@pytest.mark.parametrize("command", [*IN_BLOCKS, *IN_TEXT])
def test_a_command_of_the_readme_composes(command):
    compose_command(command)


def test_a_misspelt_option_in_the_readme_would_fail():
    with pytest.raises(Exception, match="gann"):
        compose_command("python -m synthpet.train gann=patch3d")
    with pytest.raises(Exception, match="n_stpes"):
        compose_command("python -m synthpet.train gan.n_stpes=3")


@pytest.mark.parametrize("yaml", YAMLS)
def test_every_yaml_composes(yaml):
    group, _, name = yaml.removesuffix(".yaml").rpartition("/")
    command = "prepare" if group == "dataset" else "uad_compare"
    cfg = compose(command, f"{group}={name}") if group else compose(name)
    assert not group or group == "study" or group in cfg
    if group == "dataset":
        assert cfg.dataset.name == name
    if group == "study":
        assert cfg.study_name == name


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([\w-]+)", "\n".join([*FENCED, *(f"`{text}`" for text in TICKED)]), re.M))
    assert named >= {"study", "test"}
    assert named <= targets


def test_files_of_the_repository_that_the_readme_names_exist():
    rooms = r"(?:tests|configs|synthpet|uad|notebooks)/[\w./-]*|[A-Z]+\.md|constraints\.txt|pyproject\.toml"
    linked = ((path.parent, link) for path in DOCS for link in re.findall(r"\]\(([^)#]+)", path.read_text()))
    links = [folder / link for folder, link in linked if "://" not in link]
    named = {path for text in [*TICKED, *FENCED] for path in re.findall(rf"(?<![\w/.])(?:{rooms})", text)}
    missing = [path for path in {*named, *links} if not (ROOT / path).exists()]
    assert not missing


def test_options_that_the_readme_names_exist():
    """``group=option`` is a file, ``section.key`` and ``key=value`` are keys; ``group=`` heads a table of options."""
    names = set(config_names())
    wrong = []
    for text in TICKED:
        if found := re.fullmatch(r"(\w+)=([\w|\\]+)", text):
            group, options = found[1], found[2].replace("\\", "").split("|")
            known = names | set(GROUPS)
            wrong += [text] if group not in known | {"group", "key"} else []
            wrong += [f"{group}={option}" for option in options if group in GROUPS and f"{group}/{option}" not in names]
        elif (found := re.fullmatch(r"(\w+\.\w[\w.]*)(=\S*)?", text)) and found[1].split(".")[0] in GROUPS:
            wrong += [text] if found[1] not in names else []
    for group, cells in tables_of_options().items():
        wrong += [f"{group}={cell}" for cell in cells if f"{group}/{cell}" not in names]
    assert not wrong


def tables_of_options() -> dict[str, list[str]]:
    """The names in the first column of each table that is headed ``group=``."""
    tables = re.findall(r"^\| `(\w+)=` \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.MULTILINE)
    return {group: [n for row in rows.splitlines() for n in re.findall(r"`(\w+)`", row.split("|")[1])]
            for group, rows in tables}  # fmt: skip


def test_every_detector_and_normative_set_is_explained():
    tables = tables_of_options()
    for group in ("detector", "normative"):
        assert sorted(tables[group]) == sorted(path.stem for path in (ROOT / "configs" / group).glob("*.yaml"))


@pytest.fixture(scope="module")
def run_small(tmp_path_factory):
    """Runs commands in one folder, small; what the first makes the others find."""
    folder = tmp_path_factory.mktemp("reader")

    def run(command: str) -> None:
        _, _, module, *arguments = shlex.split(command)
        for theirs, ours in STAND_INS.items():
            arguments = [argument.replace(theirs, ours) for argument in arguments]
        given = {argument.partition("=")[0] for argument in arguments}
        small = ("study=tiny", "logger=local") if module not in (*WITHOUT_LOGGER, *WITHOUT_OPTIONS) else ()
        small += ("study=tiny",) if module == "synthpet.phantom" else ()
        arguments += [option for option in (*small, *SMALL.get(module, ())) if option.partition("=")[0] not in given]
        line = [sys.executable, "-m", module, *arguments]
        result = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=900)
        assert result.returncode == 0, f"{shlex.join(line)}\n{result.stdout[-1500:]}{result.stderr[-1500:]}"

    run("python -m synthpet.phantom raw=raw/my-bids raw_flair_share=0")
    run.folder = folder
    return run


@pytest.mark.slow
def test_the_commands_of_the_readme_run_and_write_what_it_says(run_small):
    """Those on the simulated cohort and on a reader's own data; the published design only composes."""
    skipped = [c for c in IN_BLOCKS if "study=zotova2021" in c or FOREIGN in c]
    figure = "python -m uad.pictures.overview outputs/phantom-quick sub-p001 figure.png patch3d zmap"
    for command in [*IN_BLOCKS, "python -m uad.compare", figure]:
        if command not in skipped:
            run_small(command)
    assert (run_small.folder / "figure.png").stat().st_size > 50_000
    written = {path.name for path in (run_small.folder / "outputs").rglob("*")}
    promised = {text for text in TICKED if re.fullmatch(r"[\w-]+\.(tsv|json|jsonl|html|safetensors)", text)}
    assert promised <= written | {"not_used.tsv", "validation.json"}  # written where there is something to say
