"""How simulated people differ from each other, beside how real people do: each figure measured in the same way."""

__all__ = ["page"]
