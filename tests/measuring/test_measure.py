"""measure() against plain hooks, scikit-learn and a loop; and what it says of bad input."""

import copy
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import depthlens
from depthlens.errors import StudyError
from depthlens.probes import record

K = 7
PROBES = ["input", "0", "2", "3.1", "5", "softmax"]


def network() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Sequential(nn.AdaptiveAvgPool2d(3), nn.Flatten()),
        nn.Dropout(0.5),
        nn.Linear(36, 3),
    )
    net[1].running_mean.normal_()
    return net


def examples(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes that differ in brightness, by less than the noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=generator)
    images = torch.randn(n, 2, 6, 6, generator=generator) + 0.7 * labels[:, None, None, None]
    return images, labels


TRAIN, QUERIES = examples(50, 1), examples(21, 2)


def measured(train=TRAIN, queries=None, *, model=None, **options) -> pd.DataFrame:
    given = {"probes": PROBES, "n_neighbors": K, "batch_size": 8, "device": "cpu"}
    model = network() if model is None else model
    return depthlens.measure(model, train, queries, progress=False, **given | options)


def by_hand(images: torch.Tensor) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits and activations of PROBES, by hooks that copy."""
    net, seen = network().eval(), {}
    modules = dict(net.named_modules())
    for name in PROBES[1:-1]:
        modules[name].register_forward_hook(
            lambda _m, _i, output, name=name: seen.__setitem__(name, output.clone())
        )
    with torch.no_grad():
        logits = net(images)
    values = [images, *(seen[name] for name in PROBES[1:-1]), logits.softmax(1)]
    return logits.double().numpy(), [value.flatten(1).numpy() for value in values]


def neighbours_by_scikit_learn(references, labels, queries, metric, *, leave_one_out):
    """k-NN classes, and shares of the votes."""
    classes, shares = [], []
    for row, query in enumerate(queries):
        others = np.arange(len(references)) != row if leave_one_out else slice(None)
        knn = KNeighborsClassifier(K, metric=metric, algorithm="brute").fit(
            references[others], labels[others]
        )
        classes.append(knn.predict(query[None])[0])
        shares.append(knn.predict_proba(query[None])[0])
    return np.array(classes), np.array(shares)


def suspicion(shares: list[np.ndarray], row: int, label: int) -> float:
    return np.mean([max(np.delete(s[row], label)) - s[row, label] for s in shares])


def depth_by_loop(row: list[int], reference: int) -> int:
    depth = 0
    for index, found in enumerate(row):
        if found != reference:
            depth = index + 1
    return depth


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("leave_one_out", [True, False])
def test_equals_hooks_scikit_learn_and_a_loop(leave_one_out, metric):
    images, labels = TRAIN if leave_one_out else QUERIES
    labels = labels.numpy()
    table = measured(queries=None if leave_one_out else QUERIES, metric=metric)
    logits, activations = by_hand(images)
    _, references = by_hand(TRAIN[0])
    classes, shares = zip(
        *(
            neighbours_by_scikit_learn(
                known, TRAIN[1].numpy(), values, metric, leave_one_out=leave_one_out
            )
            for known, values in zip(references, activations, strict=True)
        ),
        strict=True,
    )
    knn = np.stack(classes, axis=1)
    names = ["00-input", "01-0", "02-2", "03-3-1", "04-5", "05-softmax"]
    np.testing.assert_array_equal(table[names], knn)
    assert list(table.columns[-len(names) :]) == names
    prediction = logits.argmax(1)
    np.testing.assert_array_equal(table["label"], labels)
    np.testing.assert_array_equal(table["prediction"], prediction)
    np.testing.assert_array_equal(table["correct"], prediction == labels)
    for column, reference in (("depth", prediction), ("depth_label", labels)):
        expected = [depth_by_loop(row, r) for row, r in zip(knn, reference, strict=True)]
        assert table[column].tolist() == expected
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    rows = np.arange(len(labels))
    expected = {
        "confidence": softmax.max(1),
        "loss": -np.log(softmax[rows, labels]),
        "output_margin": np.sort(logits)[:, -1] - np.sort(logits)[:, -2],
        "entropy": -(softmax * np.log(softmax)).sum(1),
        # The features are at 3.1: 5 is the last linear layer.
        "knn_disagreement": 1 - shares[3][rows, labels],
        "suspicion": [suspicion(shares, i, labels[i]) for i in rows],
        "relative_depth": table["depth"] / len(names),
    }
    for column, values in expected.items():
        np.testing.assert_allclose(table[column], values, rtol=1e-4, atol=1e-6, err_msg=column)
    least = [np.argmin([suspicion(shares, i, label) for label in range(3)]) for i in rows]
    assert table["suggested"].tolist() == least
    assert not table["copies"].any()
    assert table["correct"].mean() not in (0, 1)
    from_here = table.attrs.pop("threshold")["value"]
    flagged = (table["suspicion"] >= from_here) & (table["suggested"] != table["label"])
    assert table["suspect"].tolist() == flagged.tolist()
    assert table.attrs == {
        "probes": names,
        "n_neighbors": K,
        "metric": metric,
        "train_accuracy": (by_hand(TRAIN[0])[0].argmax(1) == TRAIN[1].numpy()).mean(),
        "classes": ["0", "1", "2"],
        "leave_one_out": leave_one_out,
    }


class Plain(Dataset):
    """A dataset as people write them: an image and an int."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], int(self.labels[index])


class Stream(IterableDataset):
    def __init__(self, images, labels):
        self.pairs = list(zip(images, labels, strict=True))

    def __iter__(self):
        return iter(self.pairs)


KINDS = {
    "pair of tensors": lambda images, labels: (images, labels),
    "pair of arrays": lambda images, labels: (images.numpy(), labels.numpy().astype(np.uint8)),
    "pair with a list": lambda images, labels: (images.double().numpy(), labels.tolist()),
    "TensorDataset": TensorDataset,
    "Dataset of arrays": lambda images, labels: Plain(images.numpy(), labels),
    "labels of one element": lambda images, labels: TensorDataset(images, labels[:, None]),
    "IterableDataset": Stream,
    "DataLoader": lambda images, labels: DataLoader(TensorDataset(images, labels), batch_size=13),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gives_the_same_table(kind):
    pd.testing.assert_frame_equal(
        measured(KINDS[kind](*TRAIN), KINDS[kind](*QUERIES)), measured(TRAIN, QUERIES), rtol=1e-4
    )
    pd.testing.assert_frame_equal(measured(KINDS[kind](*TRAIN)), measured(TRAIN), rtol=1e-4)


def test_references_may_come_in_any_order():
    shuffled = DataLoader(
        TensorDataset(*TRAIN), 9, shuffle=True, generator=torch.Generator().manual_seed(3)
    )
    pd.testing.assert_frame_equal(measured(shuffled, QUERIES), measured(TRAIN, QUERIES), rtol=1e-4)


def test_an_example_does_not_vote_for_itself():
    # Each its own class but one pair: whoever votes for itself agrees with its label.
    images, labels = torch.eye(4).reshape(4, 1, 2, 2) * 9, torch.tensor([0, 1, 2, 2])
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    alone = measured((images, labels), model=net, probes=["input"], n_neighbors=1)
    assert alone["00-input"].tolist() != labels.tolist()
    voting = measured(
        (images, labels), (images, labels), model=net, probes=["input"], n_neighbors=1
    )
    assert voting["00-input"].tolist() == labels.tolist()


def test_preprocess_makes_floats_of_bytes():
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (30, 2, 6, 6), dtype=torch.uint8, generator=generator)
    labels = torch.arange(30) % 3
    pd.testing.assert_frame_equal(
        measured((images, labels), preprocess=lambda batch: batch.float() / 255 - 0.5),
        measured((images.float() / 255 - 0.5, labels)),
    )
    with pytest.raises(StudyError, match=r"train: the network takes floats, .* torch\.uint8"):
        measured((images, labels))


def test_the_network_is_left_as_it_was(tmp_path):
    net = network().train()
    net[1].eval()  # a frozen layer, as fine-tuning has them
    net[5].weight.grad = torch.ones_like(net[5].weight)
    before, modes = copy.deepcopy(net.state_dict()), [module.training for module in net.modules()]
    drawn = torch.get_rng_state()
    measured(TensorDataset(*TRAIN), QUERIES, model=net, workdir=tmp_path)
    with pytest.raises(StudyError):
        measured(TRAIN, (QUERIES[0], QUERIES[1] + 9), model=net, workdir=tmp_path)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    assert torch.equal(net[5].weight.grad, torch.ones_like(net[5].weight))
    assert all(value.requires_grad for value in net.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert list(tmp_path.iterdir()) == []


def test_activations_lie_in_workdir_while_they_are_needed(tmp_path):
    seen = set()

    class Watched(Plain):
        def __getitem__(self, index):
            seen.update(path.name for path in tmp_path.glob("*/*"))
            return super().__getitem__(index)

    measured(TRAIN, Watched(*QUERIES), workdir=tmp_path)
    assert {name for name in seen if name.startswith("train")} == {f"train-{i}" for i in range(6)}
    assert list(tmp_path.iterdir()) == []


def test_half_precision_is_stored_and_asked_for():
    full, half = measured(), measured(dtype="float16")
    assert (full["depth"] == half["depth"]).mean() > 0.9
    images = TRAIN[0].clone()
    images[4] = 1e5
    # Of each set at once, not after the work on it.
    unread = TensorDataset(torch.full_like(QUERIES[0], torch.nan), QUERIES[1])
    unread.tensors[0][:8] = 0
    with pytest.raises(StudyError, match=r"00-input: .* example 4 .*; set dtype to float32"):
        measured((images, TRAIN[1]), unread, dtype="float16")


def test_an_output_with_logits_is_taken_as_these():
    class Output:
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = network()

        def forward(self, images):
            return Output(self.body(images))

    wrapped = measured(model=Wrapped(), probes=["input", "softmax"])
    pd.testing.assert_frame_equal(wrapped, measured(probes=["input", "softmax"]))


def test_copies_have_no_vote_on_each_others_labels_and_are_told():
    images, labels = TRAIN
    # Six copies of one image: five with the same wrong label, one with the right one.
    wrong = (labels[0] + 1) % 3
    images = torch.cat([images, images[:1].expand(5, -1, -1, -1)])
    labels = torch.cat([labels, wrong.repeat(5)])
    table = measured((images, labels), probes=["input"], n_neighbors=7)
    assert table["copies"].tolist() == [5] + 49 * [0] + 5 * [5]
    assert table["copies_labelled_otherwise"].tolist() == [5] + 49 * [0] + 5 * [1]
    # By hand: of seven neighbours the five other copies are silent.
    away = (images[0] - TRAIN[0][1:]).flatten(1).double().norm(dim=1)
    votes = np.bincount(TRAIN[1][1:][away.argsort()[:2]], minlength=3)
    for row in (0, 50, 54):
        label = labels[row].item()
        margin = np.delete(votes, label).max() - votes[label]
        assert table["suspicion"][row] == pytest.approx(margin / 2)
    # Depth is the paper's: all of them vote.
    assert table["00-input"][[50, 54]].tolist() == 2 * [wrong.item()]
    # Seen from outside, a copy has no vote either.
    asked = measured((images, labels), (images[:1], labels[-1:]), probes=["input"], n_neighbors=8)
    assert asked["copies"].tolist() == [6] and asked["copies_labelled_otherwise"].tolist() == [1]
    assert asked["suspicion"][0] == table["suspicion"][54]


class OneLogit(nn.Module):
    """Positive for bright images, as a vector or a column; or a probability."""

    def __init__(self, *, column: bool, sigmoid: bool = False):
        super().__init__()
        self.column, self.sigmoid = column, sigmoid

    def forward(self, images):
        logit = 3 * (images.mean((1, 2, 3)) - 0.5)
        logit = logit.sigmoid() if self.sigmoid else logit
        return logit[:, None] if self.column else logit


@pytest.mark.parametrize("column", [True, False])
def test_one_logit_is_taken_as_two_classes_and_said(caplog, column):
    images, labels = TRAIN[0], (TRAIN[1] > 0).long()
    options = {"probes": ["input", "softmax"], "return_probabilities": True}
    table = measured((images, labels), model=OneLogit(column=column), **options)
    probability = torch.sigmoid(3 * (images.mean((1, 2, 3)) - 0.5)).numpy()
    np.testing.assert_allclose(np.stack(table["probabilities"])[:, 1], probability, rtol=1e-5)
    assert table["prediction"].tolist() == (probability > 0.5).astype(int).tolist()
    assert table.attrs["classes"] == ["0", "1"]
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert said == ["model: it gives one logit an image, z: taken as two classes, (0, z)"]
    with pytest.raises(StudyError, match=r"as a probability does; .* leave the sigmoid"):
        measured((images, labels), model=OneLogit(column=column, sigmoid=True), **options)
    with pytest.raises(StudyError, match="is 2, but the network has 2 outputs"):
        measured((images, labels + 1), model=OneLogit(column=column), **options)


def test_probabilities_are_returned_where_they_are_asked_for():
    table = measured(TRAIN, QUERIES, return_probabilities=True)
    logits = by_hand(QUERIES[0])[0]
    np.testing.assert_allclose(np.stack(table["logits"]), logits, rtol=1e-4, atol=1e-6)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    probabilities = np.stack(table["probabilities"])
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    without = table.drop(columns=["logits", "probabilities"])
    pd.testing.assert_frame_equal(without, measured(TRAIN, QUERIES))


def test_classes_beyond_int16_are_kept():
    n_classes = 40_000
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, n_classes))
    with torch.no_grad():
        net[1].weight.zero_()
        net[1].bias.copy_(torch.arange(n_classes))
    labels = torch.tensor([32_768, 32_768, 39_999, 39_999])
    images = torch.tensor([0.0, 1, 9, 10])[:, None, None, None].expand(4, 1, 2, 2)
    table = measured((images, labels), model=net, probes=["input"], n_neighbors=1)
    assert table["label"].tolist() == table["00-input"].tolist() == labels.tolist()
    assert table["prediction"].tolist() == [39_999] * 4
    assert table["depth"].tolist() == [1, 1, 0, 0]
    assert measured()["label"].dtype == np.int16


class Dictionary(Plain):
    def __getitem__(self, index):
        return {"image": self.images[index], "label": int(self.labels[index])}


class Triple(Plain):
    def __getitem__(self, index):
        return self.images[index], int(self.labels[index]), index


class Uneven(Plain):
    def __getitem__(self, index):
        return self.images[index, :, : 6 - index % 2], int(self.labels[index])


class Names(Plain):
    def __getitem__(self, index):
        return self.images[index], "cat"


class Words(Plain):
    def __getitem__(self, index):
        return "picture.png", int(self.labels[index])


def head(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return TRAIN[0][:n], TRAIN[1][:n]


def spoiled(value: float) -> tuple[torch.Tensor, torch.Tensor]:
    images = TRAIN[0].clone()
    images[17, 1, 2, 3] = value
    return images, TRAIN[1]


def loader(data: Dataset, **options) -> DataLoader:
    return DataLoader(data, batch_size=8, **options)


@pytest.mark.parametrize(
    ("train", "fault"),
    [
        (TRAIN[0], "train: torch.Tensor is no set of examples"),
        ([], "train: a list of 0 things"),
        ((*TRAIN, TRAIN[1]), "train: a tuple of 3 things"),
        ((TRAIN[0].tolist(), TRAIN[1]), "images of a pair are an array or a tensor, not list"),
        ((TRAIN[0], TRAIN[1][:-1]), r"train: images of shape \(50, 2, 6, 6\) and 49 labels"),
        ((TRAIN[0], TRAIN[1].float()), "train: labels are whole numbers"),
        ((TRAIN[0], nn.functional.one_hot(TRAIN[1])), r"whole numbers.*shape \(50, 3\)"),
        ((TRAIN[0], TRAIN[1] - 1), r"train: the label is -1; labels count from 0"),
        ((TRAIN[0], TRAIN[1] + 1), r"train: the label of image \d+ is 3, but the network has 3"),
        (head(0), "train: there are no examples"),
        (Stream(*head(0)), "train: there are no examples"),
        (head(7), "n_neighbors: 7 neighbours asked for, but there are 6 other training examples"),
        (Stream(*head(7)), "n_neighbors: 7 neighbours asked for, but there are 6 other"),
        (spoiled(math.nan), "train: image 17 holds an infinite value or NaN"),
        (spoiled(math.inf), "train: image 17 holds an infinite value or NaN"),
        ((TRAIN[0][:, :1], TRAIN[1]), r"does not take a batch of train, shape \(3, 1, 6, 6\)"),
        (Dictionary(*TRAIN), r"train: the dataset gives dict, not a pair \(image, label\)"),
        (Triple(*TRAIN), "train: the dataset gives tuple of 3 things"),
        (Words(*TRAIN), "train: the images of the dataset are str, not tensors"),
        (Names(*TRAIN), "train: labels are whole numbers"),
        (Uneven(*TRAIN), r"train: images of \(2, 6, 6\) and of \(2, 5, 6\)"),
        (loader(Dictionary(*TRAIN)), "train: the DataLoader gives dict, not a pair"),
        (loader(TensorDataset(*TRAIN), shuffle=True), "train: the DataLoader shuffles"),
        (loader(TensorDataset(*TRAIN), drop_last=True), "drop_last .* leave 2 examples out"),
    ],
)
def test_examples_that_do_not_do_are_refused_in_one_sentence(train, fault):
    with pytest.raises(StudyError, match=fault) as caught:
        measured(train)
    assert "\n" not in str(caught.value)


def test_queries_must_be_like_the_training_examples():
    with pytest.raises(StudyError, match="queries: images of shape"):
        measured(TRAIN, (torch.zeros(9, 2, 7, 6), torch.zeros(9, dtype=torch.long)))
    with pytest.raises(StudyError, match="queries: the label of image 20 is 5"):
        measured(TRAIN, (QUERIES[0], torch.cat([QUERIES[1][:-1], torch.tensor([5])])))
    with pytest.raises(StudyError, match="queries: the DataLoader shuffles"):
        measured(TRAIN, loader(TensorDataset(*QUERIES), shuffle=True))


class Cube(nn.Flatten):
    def forward(self, images):
        return super().forward(images)[..., None]


class Index(nn.Flatten):
    def forward(self, images):
        return super().forward(images).argmax(1)


class Pair(nn.Flatten):
    def forward(self, images):
        return super().forward(images), 0


class Broken(nn.Flatten):
    def forward(self, images):
        return super().forward(images) * torch.nan


class EightBits(nn.Sequential):
    """A network that may not be moved, as those of bitsandbytes."""

    def to(self, *_, **__):
        raise ValueError("`.to` is not supported for `8-bit` models.\nUse it as it is.")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (torch.jit.trace, "^model: TorchScript does not tell what its modules give"),
        (
            lambda net, images: torch.export.export(net, (images,)).module(),
            "^model: it does not take a batch of train, .* == 8.*; export it with a free number",
        ),
    ],
)
def test_networks_that_cannot_be_watched_are_refused_in_one_sentence(make, fault):
    with pytest.raises(StudyError, match=fault):
        measured(model=make(network().eval(), TRAIN[0][:8]))


def test_a_network_that_cannot_be_moved_is_measured_where_it_lies():
    pd.testing.assert_frame_equal(measured(model=EightBits(*network())), measured())


def test_a_network_that_cannot_be_moved_elsewhere_is_refused(monkeypatch):
    monkeypatch.setattr("depthlens.models.devices.choose", lambda *_, **__: torch.device("cuda"))
    with pytest.raises(StudyError, match=r"cannot be moved to cuda \(`\.to` .* set device to cpu"):
        measured(model=EightBits(*network()), device="auto")


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("resnet18", "model: a torch.nn.Module is needed, not str"),
        (Pair(), "model: its output is tuple, not one tensor of logits"),
        (
            Cube(),
            r"model: its output for 2 images has the shape \(2, 72, 1\), not \(2, n_classes\)",
        ),
        (Index(), r"model: its output is torch.int64, not one tensor of logits"),
        (Broken(), "train: the network's output for image 0 is infinite or NaN"),
        (network().to("meta"), "model: its weights are on the device meta, .*; load them first"),
        (nn.Sequential(nn.Flatten(), nn.Softmax(1)), "model: its outputs are probabilities"),
    ],
)
def test_networks_that_do_not_do_are_refused_in_one_sentence(model, fault):
    with pytest.raises(StudyError, match=fault):
        measured(model=model, probes=["input"])


class Raises(nn.Flatten):
    """Once it has seen two batches."""

    def __init__(self, error):
        super().__init__()
        self.error, self.calls = error, 0

    def forward(self, images):
        self.calls += 1
        if self.calls > 2:
            raise self.error
        return super().forward(images)


class Unreadable(Plain):
    def __getitem__(self, index):
        if index == 30:
            raise KeyError(index)
        return super().__getitem__(index)


def line_of(text: str) -> str:
    lines = Path(__file__).read_text("utf-8").splitlines()
    return f"{__file__}, line {1 + next(i for i, line in enumerate(lines) if text in line)}"


@pytest.mark.parametrize(
    "error", [KeyError("key"), ImportError("no"), OSError(2, "x"), StopIteration()]
)
def test_what_a_network_raises_is_one_line_with_its_place(error):
    with pytest.raises(StudyError, match=r"^model: .* a batch of train, shape \(8,") as caught:
        measured(model=Raises(error), probes=["input"])
    assert type(error).__name__ in str(caught.value)
    assert str(caught.value).endswith(f"({line_of('raise self.error')})")


@pytest.mark.parametrize("n_workers", [None, 0, 1])
def test_what_a_dataset_raises_is_one_line_with_its_place(n_workers):
    data = Unreadable(*TRAIN)
    with pytest.raises(StudyError) as caught:
        measured(data if n_workers is None else loader(data, num_workers=n_workers))
    place = line_of("raise KeyError(index)")
    assert str(caught.value) == f"train: going through it failed: KeyError: 30 ({place})"


def test_what_preprocess_raises_is_one_line_with_its_place():
    def preprocess(images):
        return images.no_such_thing

    with pytest.raises(StudyError) as caught:
        measured(preprocess=preprocess)
    assert str(caught.value).startswith("preprocess: a batch of train failed: AttributeError")
    assert line_of("return images.no_such_thing") in str(caught.value)
    with pytest.raises(StudyError, match="a batch of train failed: TypeError"):
        measured(preprocess=lambda: None)


def test_a_fault_of_ours_stays_a_traceback(monkeypatch):
    def broken(*_):
        raise KeyError("ours")

    # As if it stood in the package.
    code = broken.__code__.replace(co_filename=record.__file__)
    broken.__code__ = code
    monkeypatch.setattr(record, "first_tensor", broken)
    with pytest.raises(KeyError, match="ours"):
        measured()


class Twice(nn.Sequential):
    def forward(self, images):
        return self[1](self[0](self[0](images)))


def test_each_call_of_a_module_that_runs_twice_can_be_a_probe():
    table = measured(model=Twice(nn.ReLU(), nn.Flatten()), probes="children")
    assert table.attrs["probes"] == ["00-input", "01-0", "02-0#2", "03-1"]
    assert (table["01-0"] == table["02-0#2"]).all()
    with pytest.raises(StudyError, match=r"^probes: the module '0' runs 2 times"):
        measured(model=Twice(nn.ReLU(), nn.Flatten()), probes=["0#3"])


class Centred(nn.Sequential):
    """A network that works in place on what it is given."""

    def forward(self, images):
        images -= images.mean((1, 2, 3), keepdim=True)
        return super().forward(images)


@pytest.mark.parametrize("preprocess", [None, lambda batch: batch.mul_(2)])
def test_what_the_reader_gives_is_not_written_to(preprocess):
    images = TRAIN[0].clone()
    model = Centred(*network())
    table = measured((images, TRAIN[1]), model=model, preprocess=preprocess)
    assert torch.equal(images, TRAIN[0])
    # The input is what the network met, before it changed it: as beside a network that does not.
    expected = measured(TRAIN, preprocess=preprocess)
    assert table["00-input"].equals(expected["00-input"])
    assert not table["01-0"].equals(expected["01-0"])


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"probes": ["layer9"]}, "^probes: the network has no module 'layer9'"),
        ({"probes": []}, "^probes: at least one"),
        ({"n_neighbors": 0}, "^n_neighbors: 0 is not a whole number"),
        ({"n_neighbors": 2.0}, r"^n_neighbors: 2\.0 is not a whole number"),
        ({"batch_size": 0}, "^batch_size: 0"),
        ({"memory": 0}, "^memory: 0 is not greater than 0"),
        ({"memory": math.nan}, "^memory: nan is not greater than 0"),
        ({"dtype": "float61"}, "^dtype: unknown 'float61'; did you mean 'float16'"),
        ({"metric": "euclid"}, "^metric: unknown 'euclid'; did you mean 'euclidean'"),
        ({"device": "gpu"}, "^device: unknown 'gpu'"),
        ({"classes": ["a", "b"]}, "^classes: 2 names, but the network has 3 outputs"),
        ({"workdir": "/no/such/folder"}, "^workdir: /no/such/folder: no folder to write to"),
    ],
)
def test_options_that_do_not_do_are_refused_in_one_sentence(options, fault):
    with pytest.raises(StudyError, match=fault):
        measured(**options)


def test_a_full_disk_is_foreseen(monkeypatch, tmp_path):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    with pytest.raises(StudyError, match=r"workdir: the activations take 0\.0 GB, and .* has 0\.0"):
        measured(workdir=tmp_path)
    assert list(tmp_path.iterdir()) == []
