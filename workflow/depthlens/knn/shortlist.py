"""The smallest of many scores, kept while they come in tile by tile."""

import math

import torch


class Shortlist:
    """The `keep` references with the smallest scores of each query, in no order.

    Parameters
    ----------
    n_queries, keep : int
    dtype : torch.dtype
        Of the scores.
    device : torch.device
    """

    def __init__(self, n_queries: int, keep: int, *, dtype: torch.dtype, device: torch.device):
        self.scores = torch.full((n_queries, keep), torch.inf, dtype=dtype, device=device)
        self.rows = torch.full((n_queries, keep), -1, dtype=torch.int32, device=device)

    def offer(self, queries: slice, scores: torch.Tensor, first_row: int) -> None:
        """Consider references first_row, first_row + 1, … for some queries.

        Parameters
        ----------
        queries : slice
        scores : float tensor, shape (n_queries in the slice, n_references)
        first_row : int
        """
        keep = self.scores.shape[1]
        near, row = _smallest(scores, keep)
        near = torch.cat([self.scores[queries], near], 1)
        row = torch.cat([self.rows[queries], (row + first_row).to(torch.int32)], 1)
        self.scores[queries], order = near.topk(keep, dim=1, largest=False, sorted=False)
        self.rows[queries] = row.gather(1, order)


def _smallest(scores: torch.Tensor, keep: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The smallest scores of each row and where they are.

    Sorting costs several times what a comparison costs, so that most columns are only compared:
    the n smallest scores lie in the n groups of columns with the smallest minima.
    """
    n_rows, n_columns = scores.shape
    if n_columns <= keep:
        return scores, torch.arange(n_columns, device=scores.device).expand(n_rows, -1)
    size = 2 ** round(math.log2(max(1.0, math.sqrt(n_columns / keep))))
    groups = n_columns // size
    if size == 1 or groups <= keep:
        return scores.topk(keep, dim=1, largest=False, sorted=False)
    # Group g is columns g, g + groups, …: minima of whole rows of a matrix, which vectorise.
    grouped = groups * size
    minima = scores[:, :grouped].view(n_rows, size, groups).amin(1)
    group = minima.topk(keep, dim=1, largest=False, sorted=False).indices
    offsets = torch.arange(0, grouped, groups, device=scores.device)
    column = (group[:, None] + offsets[:, None]).view(n_rows, -1)
    if grouped < n_columns:
        rest = torch.arange(grouped, n_columns, device=scores.device)
        column = torch.cat([column, rest.expand(n_rows, -1)], 1)
    nearest, order = scores.gather(1, column).topk(keep, dim=1, largest=False, sorted=False)
    return nearest, column.gather(1, order)
