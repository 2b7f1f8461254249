"""Image folders: which images there are, and what becomes of images of any size and kind."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depthlens.datasets import image_folder
from depthlens.errors import StudyError

NONE = {"test_share": None, "seed": 0}


def put(root: Path, *names: str) -> None:
    """Small grey images under these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (3, 2), 50).save(root / name)


@pytest.fixture
def folder(tmp_path) -> Path:
    put(tmp_path, *[f"{split}/{label}/0.png" for split in ("train", "test") for label in "ab"])
    return tmp_path


def saved(tmp_path: Path, image: Image.Image, name: str = "x.png", **options: object) -> Path:
    image.save(tmp_path / name, **options)
    return tmp_path


def decode(folder: Path, name: str = "x.png", **changed: object) -> np.ndarray:
    """The only image, of shape (channels, height, width)."""
    options = {"size": (4, 4), "channels": 3, "resize": "stretch"} | changed
    return image_folder.decode(folder, [name], **options).images[0]


class TestListing:
    """Folders, classes, splits."""

    def test_classes_are_folders_in_order_and_images_may_lie_deeper(self, folder):
        put(folder, "train/c/deep/er/1.JPG", "test/c/2.bmp")
        found = image_folder.listing(folder, **NONE)
        assert found.classes == ["a", "b", "c"]
        assert found.splits["train"] == ["train/a/0.png", "train/b/0.png", "train/c/deep/er/1.JPG"]
        assert found.labels["train"].tolist() == [0, 1, 2]
        assert found.labels["train"].dtype == np.int16

    def test_what_is_hidden_or_no_image_is_left_out(self, folder):
        put(folder, "train/a/.hidden.png", "train/.cache/x.png", "train/__MACOSX/x.png")
        put(folder, "validation/a/0.png")
        (folder / "train/a/notes.txt").write_text("x")
        found = image_folder.listing(folder, **NONE)
        assert found.classes == ["a", "b"]
        assert found.splits["train"] == ["train/a/0.png", "train/b/0.png"]
        assert found.ignored == ["train/a/notes.txt", "validation/a/0.png"]

    def test_the_first_so_many_hold_every_class_in_proportion(self, tmp_path):
        put(tmp_path, *[f"train/many/{i:02}.png" for i in range(30)])
        put(tmp_path, *[f"train/few/{i:02}.png" for i in range(10)])
        put(tmp_path, "test/few/x.png", "test/many/x.png")
        found = image_folder.listing(tmp_path, **NONE)
        for n in (4, 8, 20, 40):
            assert abs((found.labels["train"][:n] == 0).sum() - n / 4) <= 1
        many = [name for name in found.splits["train"] if "many" in name]
        assert many == sorted(many)

    @pytest.mark.parametrize("top", ["train/", ""])
    def test_a_share_of_each_class_becomes_the_test(self, tmp_path, top):
        names = [f"{top}{label}/{i}.png" for label in ("a", "b") for i in range(20)]
        put(tmp_path, *names, f"{top}c/1.png", f"{top}c/2.png")
        found = image_folder.listing(tmp_path, test_share=0.25, seed=1)
        assert np.bincount(found.labels["test"]).tolist() == [5, 5, 1]
        assert np.bincount(found.labels["train"]).tolist() == [15, 15, 1]
        assert len({*found.splits["train"], *found.splits["test"]}) == 42
        again = image_folder.listing(tmp_path, test_share=0.25, seed=1)
        assert again.splits == found.splits
        other = image_folder.listing(tmp_path, test_share=0.25, seed=2)
        assert other.splits != found.splits

    def test_further_images_move_few_of_those_that_are_there(self, tmp_path):
        put(tmp_path, *[f"{label}/{i}.png" for label in ("a", "b") for i in range(40)])
        before = set(image_folder.listing(tmp_path, test_share=0.5, seed=0).splits["test"])
        put(tmp_path, "a/new.png")
        after = set(image_folder.listing(tmp_path, test_share=0.5, seed=0).splits["test"])
        assert len(before - after) <= 1

    def test_a_link_to_a_folder_is_followed_and_a_loop_is_named(self, folder, tmp_path_factory):
        away = tmp_path_factory.mktemp("away")
        put(away, "1.png")
        (folder / "train/c").symlink_to(away)
        put(folder, "test/c/1.png")
        assert "train/c/1.png" in image_folder.listing(folder, **NONE).splits["train"]
        (folder / "train/a/up").symlink_to(folder)
        with pytest.raises(StudyError, match=r"train/a/up is a link to a folder that holds it"):
            image_folder.listing(folder, **NONE)

    @pytest.mark.parametrize(
        ("names", "share", "said"),
        [
            (["train/a/0.png", "train/b/0.png"], None, "has no folder test; .* set test_share"),
            (["a/0.png", "b/0.png"], None, "has no folder train and none test"),
            (["train/a/0.png", "test/a/0.png"], None, "of 1 class; it needs two"),
            (["train/a/0.png", "train/b/0.png", "test/a/0.png"], None, "test has no image of b"),
            (["train/a/0.png", "test/b/0.png"], None, "train has no image of b, and test .* of a"),
            (["train/0.png", "train/a/0.png", "test/a/0.png"], None, "0.png lies in no folder of"),
            (["train/a/0.png", "test/a/0.png"], 0.5, "has a folder test, and test_share"),
            (["train/a/0.png", "plane/0.png"], 0.5, "has a folder train and others .plane."),
            (["a/0.png", "b/0.png", "b/1.png"], 0.5, "a has one image only"),
            ([], 0.5, "of 0 class"),
        ],
    )
    def test_folders_that_are_not_as_they_should_be(self, tmp_path, names, share, said):
        put(tmp_path, *names)
        with pytest.raises(StudyError, match=said) as caught:
            image_folder.listing(tmp_path, test_share=share, seed=0)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize("name", [b"caf\xe9.png", b"a\nb.png"])
    def test_a_name_that_is_no_line_of_text_is_refused(self, folder, name):
        Path(os.fsdecode(os.fsencode(folder / "train/a") + b"/" + name)).write_bytes(b"")
        with pytest.raises(StudyError, match=r"train/a holds a name that is no line of") as caught:
            image_folder.listing(folder, **NONE)
        assert str(caught.value).isprintable()

    def test_names_in_any_script_and_with_any_space_are_taken(self, folder):
        put(folder, "train/a/猫 – é at 10\u202fAM.png")
        found = image_folder.listing(folder, **NONE)
        assert "train/a/猫 – é at 10\u202fAM.png" in found.splits["train"]

    def test_a_folder_that_is_none_is_named(self, tmp_path):
        with pytest.raises(StudyError, match=r"datasets: .*nowhere is not a folder"):
            image_folder.listing(tmp_path / "nowhere", **NONE)


class TestResize:
    """One size out of any."""

    # Two pixels high, four wide: black, dark, light, white.
    STRIPES = Image.fromarray(np.array([[0, 80, 160, 240]] * 2, np.uint8))

    def test_an_image_of_that_size_is_left_as_it_is(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
        saved(tmp_path, Image.fromarray(pixels))
        for resize in ("stretch", "crop", "pad"):
            found = decode(tmp_path, size=(5, 6), resize=resize)
            np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))

    def test_crop_takes_the_middle(self, tmp_path):
        saved(tmp_path, self.STRIPES)
        found = decode(tmp_path, size=(2, 2), channels=1, resize="crop")
        assert found[0].tolist() == [[80, 160]] * 2

    def test_pad_keeps_all_and_fills_with_black_on_both_sides(self, tmp_path):
        saved(tmp_path, self.STRIPES)
        found = decode(tmp_path, size=(4, 4), channels=1, resize="pad")
        assert found[0].tolist() == [[0] * 4, *[[0, 80, 160, 240]] * 2, [0] * 4]

    def test_stretch_keeps_all_and_fills_all(self, tmp_path):
        saved(tmp_path, self.STRIPES)
        found = decode(tmp_path, size=(4, 4), channels=1, resize="stretch")
        assert found[0].tolist() == [[0, 80, 160, 240]] * 4

    def test_fine_stripes_become_grey_and_no_other_stripes(self, tmp_path):
        # Without a filter that grows with the reduction, one colour would be all that is left.
        pixels = np.tile(np.array([0, 255], np.uint8), (64, 32))
        saved(tmp_path, Image.fromarray(pixels))
        found = decode(tmp_path, size=(8, 8), channels=1)
        assert abs(found.astype(int) - 127).max() <= 8

    @pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
    @pytest.mark.parametrize("size", [(1000, 1), (1, 1000)])
    def test_a_line_is_an_image_too(self, tmp_path, resize, size):
        saved(tmp_path, Image.new("L", size, 100))
        found = decode(tmp_path, size=(8, 8), channels=1, resize=resize)
        assert found.max() == 100


class TestPixels:
    """Whatever a file holds, grey or red, green and blue come out."""

    def test_colours_stay_in_their_places(self, tmp_path):
        saved(tmp_path, Image.new("RGB", (4, 4), (10, 20, 30)))
        assert decode(tmp_path)[:, 0, 0].tolist() == [10, 20, 30]

    def test_grey_is_luma(self, tmp_path):
        saved(tmp_path, Image.new("RGB", (4, 4), (10, 200, 30)))
        grey = decode(tmp_path, channels=1)[0, 0, 0]
        assert grey == round(0.299 * 10 + 0.587 * 200 + 0.114 * 30)

    def test_the_orientation_of_the_camera_is_applied(self, tmp_path):
        image = Image.new("RGB", (4, 2), "black")
        image.putpixel((0, 0), (255, 255, 255))
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by a quarter, clockwise
        saved(tmp_path, image, exif=exif)
        found = decode(tmp_path, size=(4, 2))
        assert found[0, 0, 1] == 255
        assert found[0].sum() == 255

    def test_transparent_is_white(self, tmp_path):
        pixels = np.zeros((4, 4, 4), np.uint8)
        pixels[:2, :, 3] = 255
        pixels[3, :, 3] = 51  # a fifth of black on white
        saved(tmp_path, Image.fromarray(pixels))
        assert decode(tmp_path)[0, :, 0].tolist() == [0, 0, 255, 204]

    def test_a_transparent_colour_of_a_palette_is_white(self, tmp_path):
        image = Image.new("P", (4, 4), 1)
        image.putpalette([0, 0, 0, 90, 0, 0])
        image.putpixel((0, 0), 0)
        saved(tmp_path, image, transparency=0)
        found = decode(tmp_path)
        assert found[:, 0, 0].tolist() == [255, 255, 255]
        assert found[:, 1, 1].tolist() == [90, 0, 0]

    def test_sixteen_bits_keep_their_high_byte(self, tmp_path):
        pixels = (np.arange(16, dtype=np.uint16) * 4096 + 255).reshape(4, 4)
        saved(tmp_path, Image.fromarray(pixels))
        assert decode(tmp_path, channels=1)[0].ravel().tolist() == list(range(0, 256, 16))

    def test_black_and_white_is_0_and_255(self, tmp_path):
        image = Image.new("1", (4, 4), 0)
        image.putpixel((1, 0), 1)
        saved(tmp_path, image)
        assert decode(tmp_path, channels=1)[0, 0].tolist() == [0, 255, 0, 0]

    def test_of_an_animation_the_first_frame_is_taken(self, tmp_path):
        frames = [Image.new("L", (4, 4), value) for value in (40, 200)]
        saved(tmp_path, frames[0], "x.gif", save_all=True, append_images=frames[1:])
        assert (decode(tmp_path, "x.gif") == 40).all()

    def test_32_bits_are_refused(self, tmp_path):
        saved(tmp_path, Image.fromarray(np.ones((4, 4), np.float32)), "x.tiff")
        with pytest.raises(StudyError, match=r"x\.tiff: .*32-bit"):
            decode(tmp_path, "x.tiff")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "not an image that Pillow knows"),
            (b"hello", "not an image that Pillow knows"),
            (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not"),
        ],
    )
    def test_a_file_that_is_no_image_is_named(self, tmp_path, content, said):
        put(tmp_path, "good.png")
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(StudyError, match=rf"x\.png: not a whole image \(.*{said}") as caught:
            image_folder.decode(
                tmp_path, ["good.png", "x.png"], size=(4, 4), channels=1, resize="pad"
            )
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize("name", ["x.png", "x.jpg"])
    def test_half_a_file_is_named(self, tmp_path, name):
        pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        saved(tmp_path, Image.fromarray(pixels), name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(StudyError, match=rf"{name}: not a whole image"):
            decode(tmp_path, name)

    def test_more_pixels_than_fit_in_memory_are_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
        saved(tmp_path, Image.new("L", (5, 5)))
        with pytest.raises(StudyError, match=r"x\.png: says that it has more pixels"):
            decode(tmp_path)

    def test_rows_are_in_the_order_of_the_names_and_digests_those_of_the_files(self, tmp_path):
        names = [f"{i}.png" for i in range(50)]
        for i, name in enumerate(names):
            saved(tmp_path, Image.new("L", (4, 4), i), name)
        counted = []
        found = image_folder.decode(
            tmp_path,
            names[::-1],
            size=(4, 4),
            channels=1,
            resize="pad",
            each=lambda: counted.append(1),
        )
        assert found.images[:, 0, 0, 0].tolist() == list(range(49, -1, -1))
        assert found.sha256[0] == hashlib.sha256((tmp_path / "49.png").read_bytes()).hexdigest()
        assert len(counted) == 50

    def test_more_memory_than_there_is_says_what_to_lower(self, tmp_path):
        with pytest.raises(StudyError, match=r"need \d+ GB of memory; lower height"):
            image_folder.decode(
                tmp_path, ["x"] * 10**6, size=(10**6, 10**6), channels=3, resize="pad"
            )
