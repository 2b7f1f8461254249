"""The shorter programs of docs/measure.md; test_command.py has its first and its command."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import depthlens


@pytest.fixture
def programs(repository) -> list[str]:
    page = (repository / "docs/measure.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_probabilities_are_what_other_tools_take(programs):
    taken = {}

    def find_label_issues(labels, pred_probs):  # as cleanlab has it
        taken.update(labels=labels, pred_probs=pred_probs)

    filters = SimpleNamespace(find_label_issues=find_label_issues)
    data = torch.rand(40, 1, 2, 2), torch.arange(40) % 3
    scope = {
        "np": np,
        "depthlens": depthlens,
        "cleanlab": SimpleNamespace(filter=filters),
        "model": nn.Sequential(nn.Flatten(), nn.Linear(4, 3)),
        "train": data,
        "held_out": data,
    }
    exec(programs[1], scope)
    assert taken["labels"].tolist() == data[1].tolist()
    assert taken["pred_probs"].shape == (40, 3)
    np.testing.assert_allclose(taken["pred_probs"].sum(1), 1, rtol=1e-6)


def test_the_classifier_predicts_both_ways(programs, capsys):
    points = np.repeat(np.eye(2), 40, axis=0)
    labels = np.repeat(["a", "b"], 40)
    scope = {"train_activations": points, "labels": labels, "test_activations": points[[0, 79]]}
    *setup, test, train = programs[2].strip().splitlines()
    exec("\n".join(setup), scope)
    assert eval(test, scope).tolist() == ["a", "b"]
    assert eval(train, scope).tolist() == labels.tolist()
