"""Image folders: which images there are, and what becomes of images of any size and kind."""

import hashlib
import os
import struct
import sys
import zlib
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
    return decoded(folder, [name], **changed).images[0]


def decoded(folder: Path, names: list[str], **changed: object) -> image_folder.Decoded:
    options = {"size": (4, 4), "channels": 3, "resize": "stretch"} | changed
    return image_folder.decode({"train": [folder / name for name in names]}, **options)["train"]


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
        unread, elsewhere = found.notes
        assert "1 files of" in unread
        assert unread.endswith("no images that Pillow opens (1 .txt): train/a/notes.txt")
        assert elsewhere.endswith("not in train or test (1 .png): validation/a/0.png")

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("1.jfif", "JPEG"),
            ("1", "PNG"),
            ("1.jpg_large", "JPEG"),
            ("1.tga", "TGA"),
            ("1.x", "GIF"),
        ],
    )
    def test_what_is_an_image_is_told_by_its_content(self, folder, name, kind):
        for split in ("train", "test"):
            (folder / split / "c").mkdir()
            Image.new("RGB", (4, 4), (9, 200, 9)).save(folder / split / "c" / name, kind)
        found = image_folder.listing(folder, **NONE)
        assert found.classes == ["a", "b", "c"]
        assert f"train/c/{name}" in found.splits["train"]
        assert f"train/c/{name}" in image_folder.files(folder)
        assert abs(decode(folder, f"train/c/{name}")[:, 0, 0].astype(int) - [9, 200, 9]).max() < 4

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"BMW is a brand",
            b"P5 of the plan",
            b"#define X 1",
            b"\x89HDF\r\n\x1a\n",
            bytes(99),
        ],
    )
    def test_what_pillow_cannot_open_is_counted_and_named(self, folder, content):
        (folder / "train/a/sidecar").write_bytes(content)
        found = image_folder.listing(folder, **NONE)
        assert found.notes == [
            f"1 files of {folder} are left out, no images that Pillow opens (1 without suffix): "
            "train/a/sidecar"
        ]

    def test_a_pipe_among_images_is_not_waited_for(self, folder):
        os.mkfifo(folder / "train/a/pipe")
        assert "train/a/pipe" in image_folder.listing(folder, **NONE).notes[0]

    def test_a_class_without_an_image_is_an_error_with_an_example(self, folder):
        for name in ("train/c/1.svg", "train/d/x/2.txt", "train/d/3.txt"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("<svg/>")
        with pytest.raises(StudyError) as caught:
            image_folder.listing(folder, **NONE)
        c, d = str(caught.value).splitlines()
        assert f"{folder}/train/c: none of its 1 files is an image" in c
        assert f"{folder}/train/d: none of its 2 files is an image" in d
        assert "train/c/1.svg" in c
        with pytest.raises(StudyError, match=r"c: none of its 1 files .*\n.*d: none of its 2"):
            image_folder.by_class(folder / "train")

    def test_an_empty_class_folder_is_named(self, folder):
        for name in ("train/c", "train/b/deep", "test/c/.hidden"):
            (folder / name).mkdir(parents=True)
        found = image_folder.listing(folder, **NONE)
        assert found.classes == ["a", "b"]
        assert found.notes == [
            f"{folder}/train/c is empty, and no class", f"{folder}/test/c is empty, and no class"
        ]  # fmt: skip
        assert image_folder.by_class(folder / "train")[1] == found.notes[:1]

    def test_a_class_is_one_however_unicode_writes_its_name(self, folder):
        composed, apart = "train/caf\u00e9", "test/cafe\u0301"
        put(folder, f"{composed}/1.png", f"{apart}/1.png", "train/cafe\u0301/0.png")
        found = image_folder.listing(folder, **NONE)
        assert found.classes == ["a", "b", "caf\u00e9"]
        assert np.bincount(found.labels["train"]).tolist() == [1, 1, 2]
        assert f"{apart}/1.png" in found.splits["test"]

    @pytest.mark.parametrize(
        ("names", "said"),
        [
            (["train/a/0.png", "test/a/0.png"], "has a folder train and others .test.: is train"),
            (["Val/a/0.png", "training/a/0.png"], "has a folder Val and others .training.: is Val"),
            (["train/a/0.png", "plane/0.png"], "has a folder train and others .plane."),
        ],
    )
    def test_the_folder_above_the_classes_is_refused(self, tmp_path, names, said):
        put(tmp_path, *names)
        for judge in (
            image_folder.by_class,
            lambda folder: image_folder.listing(folder, test_share=0.5, seed=0),
        ):
            with pytest.raises(StudyError, match=r"has a folder test, and|" + said):
                judge(tmp_path)
        with pytest.raises(StudyError, match=said):
            image_folder.by_class(tmp_path)

    def test_a_class_may_be_called_like_a_split(self, tmp_path):
        put(tmp_path, *[f"{label}/{i}.png" for label in ("bus", "train", "test") for i in (1, 2)])
        put(tmp_path, "train/deep/3.png")
        found, _ = image_folder.by_class(tmp_path)
        assert {label: len(names) for label, names in found.items()} == {
            "bus": 2, "test": 2, "train": 3
        }  # fmt: skip
        shared = image_folder.listing(tmp_path, test_share=0.5, seed=0)
        assert shared.classes == ["bus", "test", "train"]

    def test_the_only_folder_of_a_split_holds_the_classes(self, tmp_path):
        put(tmp_path, "train/b/0.png", "train/a/0.png")
        found, _ = image_folder.by_class(tmp_path)
        assert found == {"a": ["train/a/0.png"], "b": ["train/b/0.png"]}

    def test_the_forty_thousandth_class_keeps_its_number(self, folder, monkeypatch):
        names = [
            f"{split}/{label:05}/0.png" for split in ("train", "test") for label in range(40_000)
        ]
        monkeypatch.setattr(image_folder, "_walk", lambda _folder: ["train/", "test/", *names])
        found = image_folder.listing(folder, **NONE)
        assert found.labels["test"].tolist() == list(range(40_000))

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

    @pytest.mark.parametrize("name", ["nowhere", "x" * 300])
    def test_a_folder_that_is_none_is_named(self, tmp_path, name):
        with pytest.raises(StudyError, match=rf"datasets: .*{name} is not a folder"):
            image_folder.listing(tmp_path / name, **NONE)


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

    @pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
    def test_sixteen_bits_of_a_narrow_range_are_scaled_by_it(self, tmp_path, suffix):
        # As of a camera with 12 bits: high bytes would be 0 … 15.
        rng = np.random.default_rng(0)
        pixels = {name: rng.integers(100, 4100, (4, 4), dtype=np.uint16) for name in "abc"}
        pixels["a"][0, 0], pixels["b"][0, 0], pixels["c"][0, :2] = 100, 4099, (7, 9000)
        for name, values in pixels.items():
            if suffix == "pgm":  # which Pillow does not write with 16 bits
                head = b"P5 4 4 65535\n"
                (tmp_path / f"{name}.pgm").write_bytes(head + values.astype(">u2").tobytes())
            else:
                saved(tmp_path, Image.fromarray(values), f"{name}.{suffix}")
        sets = {"train": ["a", "b"], "test": ["c"]}
        sets = {key: [tmp_path / f"{name}.{suffix}" for name in some] for key, some in sets.items()}
        found = image_folder.decode(sets, size=(4, 4), channels=1, resize="pad")
        assert found["train"].notes == [
            "2 train images have 16 bits, 100 … 4099: 100 … 4099, the range of the training "
            "images, becomes 0 … 255"
        ]
        assert "1 test images have 16 bits, 7 … 9000: 100 … 4099" in found["test"].notes[0]
        images = [*found["train"].images, *found["test"].images]
        for found, name in zip(images, "abc", strict=True):
            exact = (pixels[name].astype(float) - 100) / 4000 * 256
            np.testing.assert_array_equal(found[0], exact.clip(0, 255).astype(np.uint8))

    def test_a_wide_range_of_sixteen_bits_keeps_the_high_byte_and_says_nothing(self, tmp_path):
        saved(tmp_path, Image.fromarray(np.array([[0, 2**15, 4000, 99]], np.uint16)))
        found = decoded(tmp_path, ["x.png"], size=(1, 4), channels=1)
        assert found.images.ravel().tolist() == [0, 128, 15, 0]
        assert found.notes == []

    def test_dark_colours_of_sixteen_bits_are_said(self, tmp_path):
        def chunk(kind: bytes, data: bytes) -> bytes:
            body = kind + data
            return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
        row = chunk(b"IDAT", zlib.compress(b"\0" + struct.pack(">HHH", 4095, 300, 70)))
        png = b"\x89PNG\r\n\x1a\n" + head + row + chunk(b"IEND", b"")
        (tmp_path / "x.png").write_bytes(png)
        found = decoded(tmp_path, ["x.png"], size=(1, 1))
        assert found.images.ravel().tolist() == [15, 1, 0]
        assert "1 train images have 16 bits a colour" in found.notes[0]
        assert "at most 15 of 255" in found.notes[0]

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
            decoded(tmp_path, ["good.png", "x.png"])
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize("name", ["x.png", "x.jpg"])
    def test_half_a_file_is_named(self, tmp_path, name):
        pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        saved(tmp_path, Image.fromarray(pixels), name)
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(StudyError, match=rf"{name}: not a whole image"):
            decode(tmp_path, name)

    @pytest.fixture
    def damaged(self, tmp_path) -> list[str]:
        names = [f"{i}.png" for i in range(6)]
        for i, name in enumerate(names):
            saved(tmp_path, Image.new("L", (4, 4), 10 * i), name)
        for name in ("1.png", "4.png"):
            (tmp_path / name).write_bytes(b"torn")
        return names

    def test_all_damaged_files_are_named_at_once(self, tmp_path, damaged):
        sets = {"train": [tmp_path / name for name in damaged[:4]], "test": [tmp_path / "4.png"]}
        with pytest.raises(StudyError) as caught:
            image_folder.decode(sets, size=(4, 4), channels=1, resize="pad")
        one, four = str(caught.value).splitlines()
        assert one.startswith(f"datasets: {tmp_path}/1.png: not a whole image")
        assert four.startswith(f"datasets: {tmp_path}/4.png: not a whole image")

    def test_damaged_files_are_skipped_if_asked_to_and_counted(self, tmp_path, damaged):
        found = decoded(tmp_path, damaged, on_error="skip")
        assert found.rows.tolist() == [0, 2, 3, 5]
        assert found.images[:, 0, 0, 0].tolist() == [0, 20, 30, 50]
        assert found.sha256[1] == hashlib.sha256((tmp_path / "2.png").read_bytes()).hexdigest()
        count, one, four = found.notes
        assert count == "2 of 6 train images are left out:"
        assert one.startswith(f"{tmp_path}/1.png: not a whole image")
        assert four.startswith(f"{tmp_path}/4.png: not a whole image")

    @pytest.mark.parametrize("name", ["x.heic", "x.jpg", "x"])
    def test_heic_is_named_with_its_cure(self, folder, name, monkeypatch):
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        image_folder._learn_heic.cache_clear()
        content = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic"
        (folder / "train/a" / name).write_bytes(content)
        assert f"train/a/{name}" in image_folder.listing(folder, **NONE).splits["train"]
        with pytest.raises(StudyError, match=rf"{name}: not .*HEIC.*pip install pillow-heif"):
            decode(folder, f"train/a/{name}")

    def test_avif_is_read(self, tmp_path):
        saved(tmp_path, Image.new("RGB", (8, 8), (10, 200, 30)), "x.avif")
        assert abs(decode(tmp_path, "x.avif")[:, 0, 0].astype(int) - [10, 200, 30]).max() < 6

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
        found = decoded(tmp_path, names[::-1], each=lambda: counted.append(1))
        assert found.images[:, 0, 0, 0].tolist() == list(range(49, -1, -1))
        assert found.sha256[0] == hashlib.sha256((tmp_path / "49.png").read_bytes()).hexdigest()
        assert len(counted) == 50

    def test_more_memory_than_there_is_says_what_to_lower(self, tmp_path):
        with pytest.raises(StudyError, match=r"need \d+ GB of memory; lower height"):
            decoded(tmp_path, ["x"] * 10**6, size=(10**6, 10**6))
