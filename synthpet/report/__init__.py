"""Figures and the page that holds them: one HTML file that opens offline."""

__all__ = ["assemble", "display", "figures", "html", "plain", "scales", "viewer"]
