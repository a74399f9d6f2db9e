"""The template space: its regions."""
