"""What a user's function returns is checked before anything is made of it."""

import numpy as np
import pytest

from depthlens.datasets import user_function
from depthlens.errors import StudyError

GOOD = """
    images = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    labels = np.array([0, 1, 0, 1])
    classes = ["cat", "dog"]
    factors = {"tilt": np.array([0.5, 1.0, 1.5, 2.0])}
"""


@pytest.fixture
def returning(tmp_path, monkeypatch, request):
    """Reads a split from a function with this last statement."""
    monkeypatch.chdir(tmp_path)
    name = f"given_{abs(hash(request.node.name))}"

    def read(last: str, **arguments: object) -> user_function.Given:
        body = f"import numpy as np\n\ndef get(split, **options):{GOOD}    {last}\n"
        (tmp_path / f"{name}.py").write_text(body)
        return user_function.read(f"{name}:get", arguments, "train")

    return read


def test_images_labels_classes_and_factors_are_taken(returning):
    found = returning("return images, labels, classes, factors")
    assert found.images.shape == (4, 1, 5, 6)
    assert found.images[1, 0, 0, 0] == 30
    assert found.labels.tolist() == [0, 1, 0, 1]
    assert found.labels.dtype == np.int16
    assert found.classes == ["cat", "dog"]
    assert found.factors["tilt"].tolist() == [0.5, 1.0, 1.5, 2.0]
    assert found.factors["tilt"].dtype == np.float32


def test_tensors_and_three_channels_are_taken(returning):
    last = "import torch; return torch.from_numpy(images[:, None].repeat(3, 1)), labels, classes"
    assert returning(last).images.shape == (4, 3, 5, 6)


def test_the_split_and_the_arguments_are_passed(returning):
    found = returning("return images, labels, [split, str(options)]", size=3)
    assert found.classes == ["train", "{'size': 3}"]


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("return None", r"returned a NoneType; it must return \(images, labels, classes\)"),
        ("return images, labels", "returned a tuple of 2"),
        ("return images / 255, labels, classes", "images of type float64; return uint8"),
        ("return images.reshape(4, 30), labels, classes", r"images of shape \(4, 30\)"),
        ("return images[..., None], labels, classes", r"images of shape \(4, 5, 6, 1\); return n"),
        ("return images[:0], labels[:0], classes", "images of shape"),
        ("return [images, images[:1]], labels, classes", "images that are no array"),
        ("return images, labels[:3], classes", r"labels of shape \(3,\) for 4 images"),
        ("return images, labels / 1, classes", "labels of type float64"),
        ("return images, labels + 1, classes", "labels from 1 to 2; with 2 classes they are 0 … 1"),
        ("return images, labels - 1, classes", "labels from -1 to 0"),
        ("return images, labels, 2", "not a list of two or more names"),
        ("return images, labels, 'ab'", "not a list of two or more names"),
        ("return images, labels, [1, 2]", "not a list of two or more names"),
        ("return images, labels, ['a', 'a']", "the class 'a' twice"),
        ("return images, labels, classes, [1]", "factors as a list"),
        ("return images, labels, classes, {'label': labels}", "a factor 'label'"),
        ("return images, labels, classes, {'file': labels}", "a factor 'file'"),
        ("return images, labels, classes, {'a b': labels}", "a factor 'a b'"),
        ("return images, labels, classes, {1: labels}", "a factor 1;"),
        ("return images, labels, classes, {'a': [1]}", r"a as int64 of shape \(1,\)"),
        ("return images, labels, classes, {'a': ['x'] * 4}", "return 4 numbers"),
        ("return images, labels, classes, {'a': labels * np.nan}", "not finite"),
    ],
)
def test_anything_else_is_refused_with_what_it_should_be(returning, last, said):
    with pytest.raises(StudyError, match=said) as caught:
        returning(last)
    text = str(caught.value)
    assert text.startswith("datasets: given_")
    assert len(text.splitlines()) == 1
