"""A small copy of a card says the same, with fewer digits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthlens import tables
from depthlens.errors import StudyError
from depthlens.stages import compact


@pytest.fixture
def card(tmp_path):
    generator = np.random.default_rng(0)
    n = 20_000
    loss = generator.lognormal(-5, 4, n).astype(np.float32)
    loss[:3] = np.nan, np.inf, 0
    tables.write(
        tmp_path / "card.parquet",
        {
            "example_id": np.arange(n, dtype=np.int32),
            "split": np.array(["train", "test"] * (n // 2), object),
            "loss_train": loss,
        },
        {"classes": ["a", "b"]},
    )
    return tmp_path / "card.parquet"


def test_the_copy_is_small_and_says_the_same(tmp_path, card):
    compact.run(card=card, output=tmp_path / "small.parquet", bits=8)
    whole, small = tables.read(card), tables.read(tmp_path / "small.parquet")
    assert small.column_names == whole.column_names
    assert small["example_id"].equals(whole["example_id"])
    assert small["split"].equals(whole["split"])
    np.testing.assert_allclose(small["loss_train"], whole["loss_train"], rtol=2**-8)
    assert not np.array_equal(small["loss_train"], whole["loss_train"])
    assert tables.metadata(tmp_path / "small.parquet") == tables.metadata(card)
    assert (tmp_path / "small.parquet").stat().st_size < 0.6 * card.stat().st_size


def test_the_same_card_gives_the_same_bytes(tmp_path, card):
    for name in ("one", "two"):
        compact.run(card=card, output=tmp_path / name, bits=8)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@given(st.floats(-(2.0**126), 2.0**126, width=32), st.integers(2, 24))
def test_a_number_is_rounded_to_the_nearest_with_so_many_bits(value, bits):
    (found,) = compact.rounded(np.array([value], np.float32), bits)
    if abs(value) < 2**-126:  # beyond what float32 holds with all its bits
        assert abs(found - value) < 2**-126
        return
    fraction, exponent = np.frexp(np.float64(value))
    # Of two that are equally near the one farther from zero, as adding a half does.
    scaled = np.sign(fraction) * np.floor(abs(fraction) * 2**bits + 0.5)
    assert found == np.float32(np.ldexp(scaled / 2**bits, exponent))


def test_a_copy_never_replaces_the_card(card):
    before = card.read_bytes()
    with pytest.raises(StudyError, match="is the card itself"):
        compact.run(card=card, output=card.parent / "." / card.name, bits=8)
    with pytest.raises(StudyError, match="between 2 and 24, not 1"):
        compact.run(card=card, output=card.with_name("small.parquet"), bits=1)
    assert card.read_bytes() == before
