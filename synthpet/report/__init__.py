"""Figures and the page that holds them: one HTML file that opens offline."""

__all__ = ["assemble", "figures", "html", "plain", "scales", "viewer"]
