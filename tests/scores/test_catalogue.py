"""The catalogue is complete, and true of what is computed."""

from depthlens.scores import catalogue


def test_the_columns_have_their_names_and_order():
    assert [score.name for score in catalogue.SCORES] == [
        "loss",
        "confidence",
        "output_margin",
        "entropy",
        "iteration_learned",
        "first_learned",
        "forgetting_events",
        "area_under_margin",
        "datamap_confidence",
        "datamap_variability",
        "el2n",
        "grand",
        "input_margin",
        "attack_margin",
        "variance_of_gradients",
        "knn_disagreement",
        "prototype_distance",
    ]


def test_every_measure_has_a_name_of_its_own_a_direction_and_a_source():
    measures = catalogue.DIFFICULTY + catalogue.ENSEMBLE
    assert len(catalogue.BY_NAME) == len(measures)
    assert len({score.title for score in measures}) == len(measures)
    for score in measures:
        assert score.harder in (-1, 1)
        assert score.low < score.high
        assert score.formula and score.source and score.cost


def test_a_table_row_says_it_all():
    table = catalogue.as_markdown([catalogue.BY_NAME["el2n"]])
    header, _, row = table.splitlines()
    assert header.count("|") == row.count("|") == 7
    assert "| `el2n` |" in row and "| 0 … 1.41 | larger |" in row
