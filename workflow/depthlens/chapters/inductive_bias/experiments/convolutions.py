"""Sizes, parameters and receptive fields of the layers of a network, by formula and measured."""

from collections.abc import Mapping

import pandas as pd
from torch import nn

from depthlens.models import arithmetic, edge_networks


def experiment(
    _images: Mapping, *, cell: Mapping, settings: Mapping, progress: object
) -> pd.DataFrame:
    """Hold the formulas of a network's layers against the network.

    Parameters
    ----------
    cell : mapping
        `architecture`, `kernel_size`.

    Returns
    -------
    DataFrame
        One row a convolution or pooling, in forward order: `layer`, `kind`, and of `output_size`,
        `parameters` and `receptive_field` the formula's value and `measured_…`; `field_of_alike`:
        L (K - 1) + 1 for the L convolutions up to here, of kernel K, and as measured of these
        convolutions without the poolings between them.
    """
    network = edge_networks.build(
        cell["architecture"], n_classes=3, seed=0, kernel_size=cell["kernel_size"]
    )
    size = edge_networks.IMAGE_SIZE
    alone = nn.Sequential(
        *(module for module in network.children() if isinstance(module, nn.Conv2d))
    )
    fields = [layer.receptive_field for layer in arithmetic.as_measured(alone, size=size)]
    rows, convolutions = [], 0
    for formula, measured in zip(
        arithmetic.by_formula(network, size=size),
        arithmetic.as_measured(network, size=size),
        strict=True,
    ):
        convolutions += formula.kind == "Conv2d"
        rows.append(
            {
                "dataset": "edges",
                "layer": formula.name,
                "kind": formula.kind,
                **{
                    key: getattr(formula, key)
                    for key in ("output_size", "parameters", "receptive_field")
                },
                **{
                    f"measured_{key}": getattr(measured, key)
                    for key in ("output_size", "parameters", "receptive_field")
                },
                "field_of_alike": convolutions * (cell["kernel_size"] - 1) + 1,
                "measured_field_of_alike": fields[convolutions - 1],
            }
        )
    return pd.DataFrame(rows)
