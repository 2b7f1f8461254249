"""What a table of the page shows of a mean over seeds."""

import pandas as pd

from depthlens.prose import number
from depthlens.report.page import Cell


def mean_cells(found: pd.Series) -> tuple[Cell, Cell]:
    """A mean and its interval.

    Parameters
    ----------
    found : Series
        A row of what `over_seeds` gives.
    """
    return (
        Cell(number(found["mean"], 3), float(found["mean"])),
        Cell(f"{number(found['low'], 3)} … {number(found['high'], 3)}", float(found["low"])),
    )
