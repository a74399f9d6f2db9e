"""Every option that the configuration files have."""

from pathlib import Path


def config_names() -> list[str]:
    """Every option name of the YAML files, with dots (``cohort.seed``), and every group (``gan``, ``gan/semi3d``)."""
    from importlib.resources import files

    from omegaconf import DictConfig, OmegaConf

    root = Path(str(files("synthpet.configs")))
    names: set[str] = set()

    def walk(node: object, prefix: str) -> None:
        if isinstance(node, DictConfig):
            for key in map(str, node):
                names.add(prefix + key)
                walk(node._get_node(key), f"{prefix}{key}.")

    for path in root.rglob("*.yaml"):
        group = path.parent.relative_to(root).as_posix()
        walk(OmegaConf.load(path), "" if group in (".", "study", "dataset") else f"{group}.")
        if group != ".":
            names |= {group, f"{group}/{path.stem}"}
    return sorted(names)
