"""How work runs: stages that a rerun reuses, locks, processes, signals, what is said, devices."""
