"""Figures and the page that holds them: one HTML file that opens offline."""
