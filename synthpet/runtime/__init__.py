"""How work runs: stages that a rerun reuses, locks, processes, signals, what is said, devices."""

__all__ = [
    "claim", "closed_output", "compute", "console", "device", "machine_code", "options", "registry", "signals", "stage",
    "surroundings",
]  # fmt: skip
