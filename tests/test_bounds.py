"""What lies within a bound, and what it says of itself."""

import pytest

from pipeline.bounds import Above, AtLeast, Between

NAN = float("nan")


@pytest.mark.parametrize(
    ("bound", "inside", "outside", "words"),
    [
        (AtLeast(1), [1, 1.0, 2, 10**9], [0, 0.999, -1, NAN], "at least 1"),
        (AtLeast(0.5), [0.5, 1], [0.49, NAN], "at least 0.5"),
        (Between(0, 1), [0, 0.5, 1, 1.0], [-0.001, 1.001, NAN], "between 0 and 1"),
        (Between(8, 512), [8, 512], [7, 513], "between 8 and 512"),
        (Above(0), [1e-12, 1], [0, 0.0, -1, NAN], "above 0"),
    ],
)
def test_a_bound_holds_what_it_says(bound, inside, outside, words):
    assert all(value in bound for value in inside)
    assert not any(value in bound for value in outside)
    assert str(bound) == words


def test_equal_bounds_are_equal():
    assert AtLeast(1) == AtLeast(1) != AtLeast(2)
    assert AtLeast(1) != Above(1)
