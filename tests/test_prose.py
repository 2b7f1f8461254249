"""Numbers in sentences."""

import math

import pytest

from depthlens import prose


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.931, 1, "93.1 %"),
        (0, 1, "0.0 %"),
        (1, 0, "100 %"),
        (0.9996, 1, "> 99.9 %"),
        (0.0001, 0, "< 1 %"),
        (math.nan, 0, "—"),
    ],
)
def test_percent_never_rounds_to_all_or_none(share, digits, text):
    assert prose.percent(share, digits).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.25, "−0.25"), (-0.001, "0.00"), (math.nan, "—"), (math.inf, "∞"), (-math.inf, "−∞")],
)
def test_numbers_have_a_real_minus_and_no_minus_zero(value, text):
    assert prose.number(value) == text


def test_words_are_joined_and_counted():
    assert prose.joined([]) == ""
    assert prose.joined(["a"]) == "a"
    assert prose.joined(["a", "b", "c"]) == "a, b and c"
    assert prose.some(1, "image") == "1 image"
    assert prose.some(2, "class", "classes") == "2 classes"
    assert prose.count(30000).replace("\u202f", " ") == "30 000"


@pytest.mark.parametrize("length", [5, 9, 30])
def test_shortened_text_fits_and_keeps_both_ends(length):
    text = "features.12.block.0.conv"
    short = prose.shortened(text, length)
    assert len(short) == min(length, len(text))
    assert short[0] == text[0] and short[-1] == text[-1]
