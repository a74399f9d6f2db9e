"""uad: learn the normal T1 + FDG PET appearance of controls and rank what is suspicious in a patient.

`python -m uad` lists the commands. The rooms, from the ground up: ``statistics``, ``tracking``, who is learned from
(``normative``), what turns a scan into a z-map (``detectors``), suspicious clusters (``findings``), which of them are
lesions (``scores``), ``pictures``, a patient's page (``patient``), ``evaluation``, ``comparison`` and
``new_patient``. It may import synthpet, never the reverse.
"""
