"""From a command line to options: allowed words and ranges, configuration that names no code, exit codes."""

__all__ = ["arguments", "help", "main", "overview"]
