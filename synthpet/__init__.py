"""synthpet: learn T1 MRI -> FDG PET on paired controls and complete a normative control set.

`python -m synthpet` lists the commands. The rooms, from the ground up: what a cohort is (``cohort``, ``template``), how
work runs and is shown (``runtime``, ``tracking``, ``report``, ``command``), whether images can be true
(``plausibility``), where cohorts come from (``phantom``, ``prepare``, ``checks``), how a missing modality is learned
(``learning``, ``generators``), added (``completion``) and judged (``quality``).
"""

__version__ = "0.1.0"
