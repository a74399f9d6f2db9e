"""Normative sets: whom a detector learns from, with guards against leaks, and their resolution."""
