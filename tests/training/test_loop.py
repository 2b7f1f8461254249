"""The training loop against the same steps written out in plain torch."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from depthlens.training import augmentation, loop
from depthlens.training.schedules import linear

CPU = torch.device("cpu")
N_TRAIN, N_TEST, N_CLASSES = 25, 11, 4


def small_network(*, dropout: float = 0.0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(4 * 3 * 3, N_CLASSES),
        )


@pytest.fixture
def sets() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)

    def labels(n):
        return generator.integers(0, N_CLASSES, n).astype(np.int16)

    def images(n):
        return generator.integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)

    return {
        "train_images": images(N_TRAIN),
        "train_labels": labels(N_TRAIN),
        "test_images": images(N_TEST),
        "test_labels": labels(N_TEST),
    }


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.8),
}


def ours(network: nn.Module, name: str = "adam") -> torch.optim.Optimizer:
    return loop.make_optimizer(network, name, learning_rate=0.01, weight_decay=0.1, momentum=0.8)


def run(
    network,
    optimizer,
    sets,
    *,
    epochs=range(1, 2),
    last_epoch=3,
    decay=0.5,
    batch_size=8,
    seed=5,
    orders=None,
    **other,
):
    """Train; the batches of each epoch are appended to `orders`."""

    def watch(batches):
        if orders is not None:
            orders.append([batch.tolist() for batch in batches])
        return batches

    return list(
        loop.train(
            network, optimizer, **sets, epochs=epochs, last_epoch=last_epoch,
            schedule=partial(linear, decay=decay), batch_size=batch_size, seed=seed, device=CPU,
            progress=watch, **other,
        )
    )  # fmt: skip


def as_input(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.repeat(images, 3, axis=1).astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_epoch_equals_the_same_steps_in_plain_torch(sets, name):
    network, orders = small_network(), []
    # Three steps of a training of three, the last two at a falling rate.
    (epoch,) = run(network, ours(network, name), sets, last_epoch=1, decay=2 / 3, orders=orders)
    rates = [0.01, 0.01, 0.005]

    twin = small_network()
    optimizer = OPTIMIZERS[name](twin.parameters())
    images, labels = as_input(sets["train_images"]), torch.from_numpy(sets["train_labels"]).long()
    losses, predictions, margins = {}, {}, {}
    twin.train()
    for batch, rate in zip(orders[0], rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = twin(images[batch])
        for example, row in zip(batch, logits.tolist(), strict=True):
            own = int(labels[example])
            losses[example] = np.log(np.exp(np.array(row) - row[own]).sum())
            margins[example] = row[own] - max(v for c, v in enumerate(row) if c != own)
            predictions[example] = int(np.argmax(row))
        optimizer.zero_grad()
        functional.cross_entropy(logits, labels[batch]).backward()
        optimizer.step()

    for name_, tensor in twin.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name_], tensor, rtol=1e-5, atol=1e-6)
    everyone = range(N_TRAIN)
    np.testing.assert_allclose(
        epoch.train.loss, [losses[i] for i in everyone], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        epoch.train.margin, [margins[i] for i in everyone], rtol=1e-4, atol=1e-5
    )
    assert epoch.train.prediction.tolist() == [predictions[i] for i in everyone]
    assert epoch.train.prediction.dtype == np.int16
    assert epoch.train_loss == pytest.approx(np.mean([losses[i] for i in everyone]), rel=1e-5)
    right = [predictions[i] == sets["train_labels"][i] for i in everyone]
    assert epoch.train_accuracy == pytest.approx(np.mean(right))

    twin.eval()
    with torch.no_grad():
        logits = twin(as_input(sets["test_images"]))
    answer = torch.from_numpy(sets["test_labels"]).long()
    assert epoch.test_loss == pytest.approx(float(functional.cross_entropy(logits, answer)), 1e-4)
    assert epoch.test_accuracy == pytest.approx(float((logits.argmax(1) == answer).float().mean()))
    assert epoch.learning_rate == pytest.approx(0.005)
    assert epoch.epoch == 1


@pytest.mark.parametrize(
    ("n_examples", "batch_size", "sizes"),
    [
        (25, 8, [8, 8, 9]),  # a single one joins the batch before it
        (26, 8, [8, 8, 8, 2]),
        (24, 8, [8, 8, 8]),
        (9, 8, [9]),
        (5, 8, [5]),
        (2, 2, [2]),
    ],
)
def test_a_last_batch_of_one_joins_the_one_before(n_examples, batch_size, sizes):
    batches = loop.batches_of(n_examples, batch_size, 0, 1)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(torch.cat(batches).tolist()) == list(range(n_examples))


def test_steps_of_an_epoch_are_those_of_any_batches(sets):
    network, twin = small_network(dropout=0.5), small_network(dropout=0.5)
    (epoch,) = run(network, ours(network), sets, last_epoch=1, decay=0)
    outcomes = loop.take_steps(
        twin,
        ours(twin),
        torch.from_numpy(sets["train_images"]),
        torch.from_numpy(sets["train_labels"]),
        loop.batches_of(N_TRAIN, 8, 5, 1),
        rates=[0.01] * 3,
        seed=loop.epoch_seed(5, 1),
    )
    assert np.array_equal(outcomes.loss, epoch.train.loss)
    for name, value in network.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name])


def test_an_example_that_no_batch_holds_has_no_outcome(sets):
    network = small_network()
    outcomes = loop.take_steps(
        network,
        ours(network),
        torch.from_numpy(sets["train_images"]),
        torch.from_numpy(sets["train_labels"]),
        [torch.tensor([3, 4]), torch.tensor([4, 9])],
        rates=[0.01, 0.01],
        seed=0,
    )
    met = np.isin(np.arange(N_TRAIN), [3, 4, 9])
    assert np.array_equal(np.isfinite(outcomes.loss), met)
    assert np.array_equal(outcomes.prediction >= 0, met)


def test_every_epoch_meets_every_example_once_in_an_order_of_its_own(sets):
    orders = []
    network = small_network()
    run(network, ours(network), sets, epochs=range(1, 4), orders=orders)
    flat = [[i for batch in batches for i in batch] for batches in orders]
    assert all(sorted(order) == list(range(N_TRAIN)) for order in flat)
    assert len({tuple(order) for order in flat}) == 3


def test_the_order_depends_on_the_seed_and_the_epoch_alone(sets):
    def order(seed, epochs):
        orders, network = [], small_network()
        run(network, ours(network), sets, seed=seed, epochs=epochs, orders=orders)
        return orders

    assert order(5, range(1, 3))[1] == order(5, range(2, 3))[0]
    assert order(5, range(1, 2)) != order(6, range(1, 2))
    # Seeds and epochs that add up to the same have nothing in common.
    assert order(5, range(2, 3)) != order(6, range(1, 2))


def test_training_twice_gives_the_same_bits_whatever_was_drawn_before(sets):
    states = []
    for drawn_before in (0, 5):
        network = small_network(dropout=0.5)
        with torch.random.fork_rng():
            torch.rand(drawn_before)
            run(network, ours(network), sets, epochs=range(1, 3))
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_dropout_differs_between_epochs_and_leaves_the_global_generator_alone(sets):
    before = torch.random.get_rng_state()
    masks = []
    network = small_network(dropout=0.5)
    dropout = network[4]
    # Ones in: what comes out as zero was dropped.
    dropout.register_forward_pre_hook(lambda _module, inputs: torch.ones_like(inputs[0]))
    dropout.register_forward_hook(
        lambda module, _inputs, output: masks.append(output == 0) if module.training else None
    )
    run(network, ours(network), sets, epochs=range(1, 3), batch_size=32)
    assert len(masks) == 2
    assert not torch.equal(masks[0], masks[1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_going_on_after_an_epoch_equals_never_having_stopped(sets):
    whole = small_network(dropout=0.5)
    run(whole, ours(whole), sets, epochs=range(1, 4))
    parts = small_network(dropout=0.5)
    optimizer = ours(parts)
    run(parts, optimizer, sets, epochs=range(1, 2))
    run(parts, optimizer, sets, epochs=range(2, 4))
    for name, tensor in whole.state_dict().items():
        assert torch.equal(parts.state_dict()[name], tensor)


def test_without_decay_the_learning_rate_is_constant(sets):
    network = small_network()
    epochs = run(network, ours(network), sets, epochs=range(1, 4), decay=0.0)
    assert [epoch.learning_rate for epoch in epochs] == [0.01] * 3


def test_the_learning_rate_falls_over_the_whole_training_not_over_an_epoch(sets):
    network = small_network()
    epochs = run(network, ours(network), sets, epochs=range(1, 4), decay=1.0)
    # Nine steps: the rate of the third, the sixth and the ninth.
    assert [e.learning_rate for e in epochs] == pytest.approx([0.07 / 9, 0.04 / 9, 0.01 / 9])


def test_label_smoothing_takes_torchs_steps_and_notes_the_plain_loss(sets):
    network, twin, orders = small_network(), small_network(), []
    (epoch,) = run(network, ours(network), sets, decay=0, orders=orders, label_smoothing=0.2)
    optimizer, criterion = (
        OPTIMIZERS["adam"](twin.parameters()),
        nn.CrossEntropyLoss(label_smoothing=0.2),
    )
    images, labels = as_input(sets["train_images"]), torch.from_numpy(sets["train_labels"]).long()
    met = torch.empty(N_TRAIN)
    for batch in orders[0]:
        logits = twin(images[batch])
        met[batch] = functional.cross_entropy(logits, labels[batch], reduction="none").detach()
        optimizer.zero_grad()
        criterion(logits, labels[batch]).backward()
        optimizer.step()
    for name, tensor in twin.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(epoch.train.loss, met, rtol=1e-5, atol=1e-6)
    plain = loop.evaluate(
        network,
        torch.from_numpy(sets["test_images"]),
        torch.from_numpy(sets["test_labels"]),
        batch_size=8,
    )
    assert np.array_equal(epoch.test.loss, plain.loss)


def test_training_meets_augmented_images_and_the_test_images_stay_as_they_are(sets):
    looks = augmentation.looks(
        [{"name": "horizontal_flip"}],
        seed=5, example_id=np.arange(N_TRAIN), image_shape=(1, 8, 8), device=CPU,
    )  # fmt: skip
    met, shown, orders = [], [], []

    def prepare(images):
        (met if network.training else shown).append(images)
        return images.float().expand(-1, 3, -1, -1) / 255

    network = small_network()
    run(
        network, ours(network), sets, epochs=range(1, 3), orders=orders, looks=looks,
        prepare=prepare,
    )  # fmt: skip
    assert torch.equal(torch.cat(shown), torch.from_numpy(sets["test_images"]).repeat(2, 1, 1, 1))
    everyone = torch.arange(N_TRAIN)
    images = torch.from_numpy(sets["train_images"])
    expected = [
        looks(epoch)(images, everyone)[order].split([8, 8, 9])
        for epoch, order in enumerate(
            ([i for batch in batches for i in batch] for batches in orders), 1
        )
    ]
    assert len(met) == 6
    for found, wanted in zip(met, [batch for epoch in expected for batch in epoch], strict=True):
        assert torch.equal(found, wanted)
    assert not torch.equal(looks(1)(images, everyone), looks(2)(images, everyone))


def test_margins_worked_by_hand():
    logits = torch.tensor([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [5.0, 5.0, 1.0], [-1.0, -2.0, -4.0]])
    margins = loop.margins_of(logits, torch.tensor([1, 0, 0, 2]))
    assert margins.tolist() == [1.0, -2.0, 0.0, -3.0]


class Echo(nn.Module):
    """Gives as logits what the first pixels of an image say; notes how it was run."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def forward(self, images):
        assert not self.training
        self.batches.append(len(images))
        return images[:, 0, 0, :3] * 10


def test_evaluation_worked_by_hand():
    # Logits (0, 0, 0), (10, 0, 0), (10, 0, 0) and their classes.
    images = torch.zeros(3, 1, 1, 4, dtype=torch.uint8)
    images[1:, 0, 0, 0] = 255
    labels = torch.tensor([0, 0, 2], dtype=torch.int16)
    sure, unsure = np.log(1 + 2 * np.exp(-10)), np.log(3)
    network = Echo()
    found = loop.evaluate(network, images, labels, batch_size=2)
    np.testing.assert_allclose(found.loss, [unsure, sure, sure + 10], rtol=1e-5, atol=1e-6)
    assert found.prediction.tolist() == [0, 0, 0]
    assert found.margin.tolist() == [0, 10, -10]
    # Softmax of equal logits misses the one-hot label by (-2/3, 1/3, 1/3).
    assert found.error_norm == pytest.approx([np.sqrt(6) / 3, 1.1e-4, np.sqrt(2)], rel=0.02)
    assert np.isnan(found.gradient_norm).all()  # it does not end in a linear layer
    assert network.batches == [2, 1]


def test_the_last_of_forty_thousand_classes_is_noted_as_itself():
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 40_000))
    with torch.no_grad():
        network[1].bias[-1] = 100
    labels = torch.tensor([39_999, 3], dtype=torch.int32)
    images = torch.zeros(2, 1, 1, 1, dtype=torch.uint8)
    assert loop.evaluate(network, images, labels, batch_size=2).prediction.tolist() == [39_999] * 2


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_evaluation_does_not_depend_on_the_batches(sets, batch_size):
    network = small_network(dropout=0.5)
    images, labels = torch.from_numpy(sets["test_images"]), torch.from_numpy(sets["test_labels"])
    whole = loop.evaluate(network, images, labels, batch_size=N_TEST)
    found = loop.evaluate(network, images, labels, batch_size=batch_size)
    for name, values in vars(whole).items():
        np.testing.assert_allclose(getattr(found, name), values, rtol=1e-4, atol=1e-6)


def test_gradient_norms_are_those_of_autograd(sets):
    network = small_network().eval()
    images, labels = torch.from_numpy(sets["test_images"]), torch.from_numpy(sets["test_labels"])
    found = loop.evaluate(network, images, labels, batch_size=4)
    for index, norm in enumerate(found.gradient_norm):
        loss = functional.cross_entropy(
            network(as_input(sets["test_images"][index : index + 1])), labels[index, None].long()
        )
        gradients = torch.autograd.grad(loss, list(network[-1].parameters()))
        assert norm == pytest.approx(
            float(torch.cat([g.flatten() for g in gradients]).norm()), rel=1e-4
        )


class Scaled(nn.Module):
    """Ends in something else than its linear layer."""

    def __init__(self):
        super().__init__()
        self.inner = small_network()

    def forward(self, images):
        return 2 * self.inner(images)


def test_no_gradient_norm_of_a_layer_that_is_not_the_last(sets):
    images, labels = torch.from_numpy(sets["test_images"]), torch.from_numpy(sets["test_labels"])
    found = loop.evaluate(Scaled(), images, labels, batch_size=4)
    assert np.isnan(found.gradient_norm).all()
    assert not np.isnan(found.error_norm).any()


def test_no_hook_stays_on_the_network(sets):
    network = small_network()
    run(network, ours(network), sets)
    assert not any(module._forward_hooks for module in network.modules())


def test_the_test_set_is_seen_after_each_epoch(sets):
    network = small_network()
    for epoch in loop.train(
        network, ours(network), **sets, epochs=range(1, 3), last_epoch=2, schedule=linear,
        batch_size=8, seed=5, device=CPU,
    ):  # fmt: skip
        with torch.no_grad():
            logits = network.eval()(as_input(sets["test_images"]))
        assert epoch.test.prediction.tolist() == logits.argmax(1).tolist()
        assert epoch.test_accuracy == np.mean(epoch.test.prediction == sets["test_labels"])
        assert epoch.test_loss == pytest.approx(epoch.test.loss.mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("n", "last", "epochs"),
    [(0, 10, []), (1, 10, [10]), (5, 10, [2, 4, 6, 8, 10]), (3, 10, [4, 7, 10]), (2, 2, [1, 2])],
)
def test_snapshots_are_evenly_spaced_up_to_the_last_epoch(n, last, epochs):
    assert loop.snapshot_epochs(n, last) == epochs


def test_evaluation_changes_nothing(sets):
    network = small_network(dropout=0.5)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    images, labels = torch.from_numpy(sets["test_images"]), torch.from_numpy(sets["test_labels"])
    loop.evaluate(network, images, labels, batch_size=4)
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in before)


def test_criterion_says_what_is_minimised_and_what_the_logits_are(sets):
    class Twice(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, images):
            logits = self.inner(images)
            return logits, 2 * logits

    def of_first(outputs, classes):
        return outputs[0], functional.cross_entropy(outputs[0], classes, reduction="none")

    plain, wrapped = small_network(), Twice(small_network())
    options = {"epochs": range(1, 3), "last_epoch": 2, "batch_size": 6, "schedule": linear,
               "seed": 3, "device": CPU}  # fmt: skip
    expected = list(loop.train(plain, ours(plain), **sets, **options))
    found = list(loop.train(wrapped, ours(wrapped), **sets, **options, criterion=of_first))
    for name, value in plain.state_dict().items():
        assert torch.equal(value, wrapped.inner.state_dict()[name])
    for one, other in zip(expected, found, strict=True):
        assert one.test_loss == other.test_loss and one.train_accuracy == other.train_accuracy
