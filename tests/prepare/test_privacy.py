"""Identities in raw headers, sidecars and tables do not come out of prepare."""

import shutil

from synthpet.cohort import Cohort
from synthpet.prepare.cohort import ensure_prepared
from tests.prepare.test_cohort import configure
from tests.test_privacy import MARKUP, found_in, spoil


def test_no_identity_comes_out_of_prepare(raw_bids, tmp_path, capfd):
    raw, work = tmp_path / "raw", tmp_path / "work"
    shutil.copytree(raw_bids, raw)
    spoil(raw)
    ensure_prepared(configure(raw, work))
    assert Cohort.open(work / "cohort").subjects
    (work / "said.txt").write_text("".join(capfd.readouterr()))
    assert found_in(work) == []
    assert not [page for page in work.rglob("*.html") if MARKUP in page.read_text()]
