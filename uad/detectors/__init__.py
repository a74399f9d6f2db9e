"""Detectors, behind one protocol: ``of``, ``fit``, ``save``, ``restore`` and ``z_map``; found by their names.

A new one is one file, one YAML of configs/detector, and one line of ``registry`` (or an entry point).
"""

__all__ = ["base", "deviation", "left_out", "options", "train", "zmap"]
