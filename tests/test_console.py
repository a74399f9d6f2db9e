"""Progress that a person can read in a log."""

from synthpet.console import _plain_progress, bar, progress


def test_the_bar_fills():
    assert bar(0, 10, width=4) == "[....]"
    assert bar(5, 10, width=4) == "[##..]"
    assert bar(20, 10, width=4) == "[####]"


def test_progress_hands_on_every_item():
    assert list(progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]


def test_plain_progress_says_how_many_are_done_and_what_is_left(capsys):
    assert list(_plain_progress([1, 2], "numbers", 2, every_s=0)) == [1, 2]
    assert "numbers: 2/2, 0 s left" in capsys.readouterr().out
