"""Figures and what holds them: one HTML file that opens offline, one page of paper as PDF."""

__all__ = ["assemble", "display", "figures", "html", "plain", "scales", "sheet", "viewer"]
