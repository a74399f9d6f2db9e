"""What every training shares: checkpoints, model files, model card, volumes in memory, several devices."""

__all__ = [
    "checkpoints", "lightning", "model_card", "model_files", "options", "progress", "schedule", "several_devices",
    "volumes",
]  # fmt: skip
