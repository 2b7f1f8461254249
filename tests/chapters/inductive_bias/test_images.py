"""What the networks see: what is claimed of a permutation, and what the figure shows."""

import numpy as np
import pandas as pd
import pytest

from depthlens.chapters import answers as frame
from depthlens.chapters.inductive_bias import images
from depthlens.figures import style
from depthlens.ledger import NOT_SUPPORTED, SUPPORTED

LEVEL = {"confidence_level": 0.95}
ABOUT = {"seed": 1, "dataset": "edges", "architecture": "no network"}


def made(same=(1.0, 1.0)):
    row, column = (place.ravel() for place in np.indices((28, 28)))
    pixels = [
        pd.DataFrame(
            {**ABOUT, "kind": kind, "class": name, "example": place + 2 * more, "row": row,
             "column": column, "brightness": 51 * (1 + place + 2 * more)}
        )
        for kind in ("plain", "train")
        for more in (0, 1)
        for place, name in enumerate(("horizontal", "none"))
    ]  # fmt: skip
    restored = pd.DataFrame([{**ABOUT, "example": i, "same": s} for i, s in enumerate(same)])
    return {"gallery": pd.concat(pixels, ignore_index=True), "restored": restored}


@pytest.mark.parametrize(("same", "verdict"), [((1, 1), SUPPORTED), ((1, 0.5), NOT_SUPPORTED)])
def test_every_pixel_must_be_back_in_its_place(same, verdict):
    (row,) = frame.findings(images.section, made(same), **LEVEL)
    assert (row.value, row.verdict, row.n) == (sum(same) / 2, verdict, 2)


def test_classes_stand_side_by_side(tmp_path):
    ((name, drawing),) = frame.drawings(images.section, made(), **LEVEL)
    # 8 images; 51, 102, 153 and 204 of 255 are bright by a half in the mean.
    assert drawing.sentence == "8 images; those with pixels in place are 50\u00a0% bright."
    above, _ = drawing.figure.axes
    (board,) = above.images
    values = np.asarray(board.get_array())[0, 15::30].tolist()
    assert values == [51, 153, 102, 204]  # two of one class, then two of the other
    assert [label.get_text() for label in above.get_xticklabels()] == ["horizontal", "none"]
    style.save(drawing.figure, tmp_path / name, dpi=40)
