"""synthpet: learn T1 MRI -> FDG PET on paired controls and complete a normative control set.

Rooms: ``cohort`` (images, tables, folds), ``phantom`` (a simulated cohort), ``prepare`` (raw BIDS to cohort),
``patches`` and ``networks``, ``gan`` (the conditional GAN), ``inference``, ``quality``, ``report``; the
commands ``train``, ``complete``, ``evaluate``, ``phantom``, ``prepare`` are run as ``python -m synthpet.<command>``.
"""

__version__ = "0.1.0"
