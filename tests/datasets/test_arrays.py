"""Arrays of others as images and labels: read where there is one way, else refused."""

import pickle

import numpy as np
import pytest
import torch

from depthlens.datasets import arrays
from depthlens.errors import StudyError

GREY = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


class TestImages:
    """`to_images`."""

    def test_grey_gets_a_channel(self):
        found = arrays.to_images(GREY, "x")
        np.testing.assert_array_equal(found, GREY[:, None])
        assert found.dtype == np.uint8

    @pytest.mark.parametrize("channels", [1, 3])
    def test_channels_come_first_wherever_they_were(self, channels):
        first = np.random.default_rng(0).integers(0, 256, (2, channels, 4, 5), dtype=np.uint8)
        np.testing.assert_array_equal(arrays.to_images(first, "x"), first)
        last = np.moveaxis(first, 1, -1)
        found = arrays.to_images(last, "x")
        np.testing.assert_array_equal(found, first)
        assert found.flags.c_contiguous

    @pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16, np.float32, np.float64])
    def test_whole_numbers_to_255_are_pixels(self, dtype):
        np.testing.assert_array_equal(arrays.to_images(GREY.astype(dtype), "x"), GREY[:, None])

    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_numbers_to_1_are_parts_of_white(self, dtype):
        every = np.arange(256).reshape(1, 16, 16)
        found = arrays.to_images((every / 255).astype(dtype), "x")
        np.testing.assert_array_equal(found[:, 0], every)

    def test_truth_is_white(self):
        assert arrays.to_images(GREY > 20, "x").ravel().tolist() == [0] * 21 + [255] * 19

    def test_many_images_are_converted_like_one(self, monkeypatch):
        monkeypatch.setattr(arrays, "_BLOCK", 3)
        values = np.random.default_rng(0).integers(0, 256, (10, 4, 4))
        np.testing.assert_array_equal(arrays.to_images(values / 255, "x")[:, 0], values)

    @pytest.mark.parametrize(
        "held",
        [
            GREY[::-1, ::-1, ::-1],
            np.asfortranarray(GREY),
            GREY.astype(">u2"),
            GREY.astype("<i8"),
            GREY.astype(">f4"),
            GREY.astype(object),
            torch.tensor(GREY.astype(np.float32), requires_grad=True),
        ],
        ids=["negative strides", "columns", ">u2", "<i8", ">f4", "objects", "gradients"],
    )
    def test_however_an_array_is_held_it_is_read_and_left_alone(self, held):
        expected = np.array(held.tolist(), np.uint8)[:, None]
        if isinstance(held, np.ndarray):
            held.flags.writeable = False
        found = arrays.to_images(held, "x")
        np.testing.assert_array_equal(found, expected)
        assert (found.dtype, found.flags.c_contiguous) == (np.uint8, True)

    def test_objects_that_are_equal_arrays_are_images(self):
        images = np.empty(2, object)
        images[:] = list(GREY)
        np.testing.assert_array_equal(arrays.to_images(images, "x"), GREY[:, None])
        images[1] = GREY[1, :2]
        with pytest.raises(StudyError, match="images of different sizes"):
            arrays.to_images(images, "x")

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            (np.full((2, 4, 4), -0.1), "undo the standardisation"),
            (np.full((2, 4, 4), np.nan), "values from nan to nan are no pixels"),
            (np.full((2, 4, 4), np.inf), "no pixels"),
            (np.full((2, 4, 4), 256), "no pixels"),
            (np.full((2, 4, 4), -1), "no pixels"),
            (np.full((2, 4, 4), 1.2), "neither in 0 … 1 nor likely in 0 … 255"),
            (np.full((2, 4, 4), 100.5), "not whole"),
            (np.ones((2, 4, 4), np.uint8), "nearly black, or black and white"),
            (np.full((2, 4, 4), "a"), "are no pixels"),
            (np.full((2, 4, 4), 1j), "are no pixels"),
            (np.full((2, 4, 4), None), "Python objects"),
            ([np.zeros((2, 2)), np.zeros((3, 3))], "x: not an array"),
            (GREY.reshape(2, 20), "is not n × height × width"),
            (GREY.reshape(2, 2, 2, 5), "is not n × height × width"),
            (GREY.reshape(1, 2, 4, 5, 1), "is not n × height × width"),
            (np.zeros((0, 4, 4), np.uint8), "holds no image"),
            (np.full((2, 4, 0), 1.0), "holds no image"),
            (np.full((2, 3, 8, 3), 9, np.uint8), "either axis may be the channels"),
            (np.full((2, 1, 8, 3), 9, np.uint8), "either axis may be the channels"),
        ],
    )
    def test_what_is_no_image_or_could_be_two_is_refused(self, values, said):
        with pytest.raises(StudyError, match=said) as caught:
            arrays.to_images(values, "x")
        assert str(caught.value).startswith("datasets: x: ")
        assert len(str(caught.value).splitlines()) == 1

    def test_splits_of_two_scales_are_refused(self):
        light = {"train": np.full((1, 2, 2), 200.0), "test": np.full((1, 2, 2), 0.9)}
        with pytest.raises(StudyError, match=r"train has values up to 200, test .* up to 0\.9"):
            arrays.check_scales(light, "x")
        arrays.check_scales(light | {"test": np.full((1, 2, 2), 3.0)}, "x")
        arrays.check_scales(light | {"test": np.full((1, 2, 2), 1, np.uint8)}, "x")


class TestLabels:
    """`to_labels`."""

    @pytest.mark.parametrize(
        ("train", "test", "classes", "labels"),
        [
            ([0, 2, 1], [2], ["0", "1", "2"], [0, 2, 1]),
            ([10, 1, 2], [10], ["1", "2", "10"], [2, 0, 1]),
            ([[1.0], [0.0]], [[1.0]], ["0", "1"], [1, 0]),
            ([True, False], [True], ["0", "1"], [1, 0]),
            ([[0, 0, 1], [1, 0, 0], [0, 1, 0]], [[0, 1, 0]], ["0", "1", "2"], [2, 0, 1]),
            (["dog", "cat"], ["cat"], ["cat", "dog"], [1, 0]),
            ([b"dog", b"cat"], ["cat"], ["cat", "dog"], [1, 0]),
            (np.array(["dog", "cat"], object), ["cat"], ["cat", "dog"], [1, 0]),
            (np.array([7, 3], object), [3], ["3", "7"], [1, 0]),
            (np.array([7, 3], ">i4")[::-1], [3], ["3", "7"], [0, 1]),
            (["o\u0308l", "a"], ["\u00f6l"], ["a", "\u00f6l"], [1, 0]),
        ],
    )
    def test_classes_are_what_training_labels_are_in_order(self, train, test, classes, labels):
        found, names = arrays.to_labels({"train": train, "test": test}, None, "x")
        assert names == classes
        assert found["train"].tolist() == labels
        assert found["train"].dtype == np.int16

    def test_names_are_given_to_numbers_and_an_order_to_texts(self):
        names = ["zebra", "ant"]
        found, classes = arrays.to_labels({"train": [0, 1], "test": [1]}, names, "x")
        assert (found["train"].tolist(), found["test"].tolist(), classes) == ([0, 1], [1], names)
        texts = {"train": ["ant", "zebra"], "test": ["zebra"]}
        found, classes = arrays.to_labels(texts, names, "x")
        assert (found["train"].tolist(), found["test"].tolist(), classes) == ([1, 0], [0], names)

    @pytest.mark.parametrize(
        ("train", "test", "classes", "said"),
        [
            ([0, 1], [2], None, r"test labels 2 are not among the training labels \(0, 1\)"),
            ([0, 1, 5], [1], ["a", "b"], r"train labels 5 are not among the key classes \(0, 1\)"),
            (["a", "c"], ["a"], ["a", "b"], r"labels c are not among the key classes \(a, b\)"),
            ([0, -1], [0], None, "-1 is no class"),
            ([0.5, 1], [0], None, "not whole numbers"),
            ([np.nan, 1], [0], None, "not whole numbers"),
            ([[0.5, 0.5], [0, 1]], [[0, 1]], None, "not with one 1 in each row"),
            ([[1, 1], [0, 1]], [[0, 1]], None, "not with one 1 in each row"),
            ([[[1]]], [[0, 1]], None, "not one label an image"),
            (["a", "b"], [0, 1], None, "numbers label one split, texts the other"),
            ([{}, {}], [0, 1], None, "Python objects"),
            (np.array([1, "a"], object), ["a"], None, "Python objects"),
            (["a", "b"], ["a"], ["e\u0301", "\u00e9"], "names \u00e9 twice"),
        ],
    )
    def test_other_labels_are_refused(self, train, test, classes, said):
        with pytest.raises(StudyError, match=said) as caught:
            arrays.to_labels({"train": train, "test": test}, classes, "x")
        assert len(str(caught.value).splitlines()) == 1


class TestFiles:
    """The homework's dictionaries and NumPy's archives."""

    def test_the_dictionary_that_numpy_saved_is_read(self, tmp_path):
        np.save(tmp_path / "data.npy", {"x": GREY, "y": np.array([0, 1])})
        np.save(tmp_path / "test_data.npy", {"x": GREY[:1], "y": [1], "more": "text"})
        found = arrays.read_homework(tmp_path / "data.npy", tmp_path / "test_data.npy")
        np.testing.assert_array_equal(found["train"][0], GREY)
        assert found["test"][1] == [1]

    def test_code_in_a_file_is_not_run(self, tmp_path):
        marker = tmp_path / "was run"

        class Hostile:
            def __reduce__(self):
                return marker.touch, ()

        np.save(tmp_path / "data.npy", {"x": GREY, "y": Hostile()})
        with pytest.raises(StudyError, match=r"data\.npy: refused, and nothing of it was run"):
            arrays.read_homework(tmp_path / "data.npy", tmp_path / "data.npy")
        assert not marker.exists()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ({"X": 1, "y": 2}, "holds a dictionary of 'X', 'y'; it must hold"),
            (GREY, r"holds an array of shape \(2, 4, 5\); it must hold"),
        ],
    )
    def test_another_content_is_refused(self, tmp_path, content, said):
        np.save(tmp_path / "data.npy", content)
        with pytest.raises(StudyError, match=said):
            arrays.read_homework(tmp_path / "data.npy", tmp_path / "data.npy")

    def test_one_archive_can_hold_both_splits(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez(path, x_train=GREY, y_train=[0, 1], x_test=GREY[:1], y_test=[1])
        paths = {"train": path, "test": path}
        found = arrays.read_npz(paths, images="x_{split}", labels="y_{split}")
        np.testing.assert_array_equal(found["train"][0], GREY)
        np.testing.assert_array_equal(found["test"][0], GREY[:1])
        assert found["test"][1].tolist() == [1]

    def test_an_array_that_is_not_there_is_named_with_those_that_are(self, tmp_path):
        np.savez_compressed(tmp_path / "a.npz", images=GREY, labels=[0, 1])
        paths = {"train": tmp_path / "a.npz"}
        with pytest.raises(StudyError, match="has no array 'x', it has images, labels; set"):
            arrays.read_npz(paths, images="x", labels="labels")

    def test_nothing_pickled_is_read_from_an_archive(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=GREY, y=np.array([0, None]))
        paths = {"train": tmp_path / "a.npz"}
        with pytest.raises(StudyError, match="refused, and nothing of it was run"):
            arrays.read_npz(paths, images="x", labels="y")

    @pytest.mark.parametrize("content", [b"", b"text", pickle.dumps([1]), None])
    def test_a_file_that_is_no_archive_is_named(self, tmp_path, content):
        if content is None:
            np.savez(tmp_path / "whole.npz", x=np.random.default_rng(0).random(500), y=[1])
            content = (tmp_path / "whole.npz").read_bytes()[:2000]
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(StudyError, match=r"a\.npz: not a whole NumPy archive") as caught:
            arrays.read_npz({"train": tmp_path / "a.npz"}, images="x", labels="y")
        assert len(str(caught.value).splitlines()) == 1

    def test_a_changed_byte_is_found(self, tmp_path):
        np.savez(tmp_path / "a.npz", x=GREY, y=[0, 1])
        content = bytearray((tmp_path / "a.npz").read_bytes())
        content[content.index(GREY.tobytes())] ^= 1
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(StudyError, match=r"a\.npz: damaged"):
            arrays.read_npz({"train": tmp_path / "a.npz"}, images="x", labels="y")

    def test_a_name_that_is_too_long_is_said(self, tmp_path):
        with pytest.raises(StudyError, match=r"x\.npz: cannot be read \(File name too long\)"):
            arrays.read_npz({"train": tmp_path / f"{'x' * 300}.npz"}, images="x", labels="y")

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(StudyError, match=r"datasets: .*none\.npz: no such file"):
            arrays.read_npz({"train": tmp_path / "none.npz"}, images="x", labels="y")
