"""What every training shares: checkpoints, model files, model card, volumes in memory, several devices."""
