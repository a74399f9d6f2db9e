"""Synthetic images of everybody whom no generator has seen, as a BIDS derivative."""
