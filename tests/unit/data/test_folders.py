"""Folders of images: how they are scaled, which files are taken, and what is said of those that are not."""

from __future__ import annotations

import errno
import json
import logging
import os
import time

import numpy as np
import PIL
import pytest
from archives import jpeg, pixels
from faces import write_images
from PIL import Image

from ganbench.contracts.data import examples_fault
from ganbench.core.errors import GanbenchError
from ganbench.data import _broken
from ganbench.data._images import decoded_all, rehearsed, stored, to_bytes
from ganbench.data.image_folder import ImageFolder


def every(dataset: ImageFolder) -> np.ndarray:
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    return np.concatenate([examples.train, examples.heldout])


def ramp(height: int, width: int) -> np.ndarray:
    """A grey image whose level grows with the column."""
    return np.broadcast_to(np.linspace(0, 250, width).astype(np.uint8), (height, width))


# Scaling --------------------------------------------------------------------------------------------------------------


def test_scaling_by_hand():
    image = Image.fromarray(ramp(20, 40))
    shape = (1, 10, 10)
    whole, cut = to_bytes(image, shape, "stretch")[0], to_bytes(image, shape, "shorter")[0]
    np.testing.assert_allclose(whole[5], np.linspace(0, 250, 40).reshape(10, 4).mean(axis=1), atol=3)
    np.testing.assert_allclose(cut[5], np.linspace(0, 250, 40)[10:30].reshape(10, 2).mean(axis=1), atol=3)
    middle = to_bytes(image, shape, "none", crop=10)[0]
    assert np.array_equal(middle, ramp(20, 40)[5:15, 15:25])
    assert np.array_equal(to_bytes(image, shape, "shorter", crop=10)[0], middle)


@pytest.mark.parametrize(("orientation", "turned"), [(1, 0), (3, 180), (6, -90), (8, 90)])
def test_photographs_are_turned_upright(orientation, turned, tmp_path):
    """Cameras store the rows of their sensor, and how they were held: 6 is to be turned by 90 degrees clockwise."""
    image = Image.fromarray(ramp(20, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "held.png", exif=exif)
    upright = image.rotate(turned, expand=True)
    with Image.open(tmp_path / "held.png") as held:
        for how in ({"resize": "stretch"}, {"resize": "shorter"}, {"resize": "none", "crop": 10}):
            assert np.array_equal(to_bytes(held, (1, 10, 10), **how), to_bytes(upright, (1, 10, 10), **how))


@pytest.mark.parametrize("exif", [b"no", b"MM"])
def test_an_image_with_damaged_exif_data_is_taken_as_it_is(exif, tmp_path):
    image = Image.fromarray(ramp(20, 40))
    image.save(tmp_path / "held.png", exif=exif)
    with Image.open(tmp_path / "held.png") as held:
        assert np.array_equal(to_bytes(held, (1, 10, 10)), to_bytes(image, (1, 10, 10)))


def test_images_of_the_right_size_only(tmp_path):
    folder = write_images(tmp_path, 8, side=12)  # 12 high, 16 wide
    with pytest.raises(GanbenchError, match=r"0000\d\.png cannot be read as an image: it has 16x12 pixels, not 12x12"):
        ImageFolder(folder=str(folder), image_size=12, resize="none").load()
    assert every(ImageFolder(folder=str(folder), image_size=8, resize="none", crop=8)).shape == (8, 3, 8, 8)
    Image.fromarray(np.zeros((7, 90, 3), np.uint8)).save(folder / "00009.png")
    with pytest.raises(GanbenchError, match=r"00009\.png .*it has 90x7 pixels, and crop takes 8 of each edge"):
        ImageFolder(folder=str(folder), image_size=8, resize="none", crop=8).load()


def test_order_and_values_do_not_depend_on_the_number_of_processors(monkeypatch):
    images = pixels(600, 3, 9, 9)
    found = []
    for count in (1, 5):
        monkeypatch.setattr("ganbench.data._images.processors", lambda count=count: count)
        found.append(decoded_all(range(600), lambda k: images[k], (3, 9, 9)))
    assert np.array_equal(found[0], images)
    assert np.array_equal(*found)


def test_a_few_decoded_images_stand_for_those_that_follow_them():
    images, asked = pixels(10, 3, 9, 9), []

    def decode(k):
        asked.append(k)
        end = time.thread_time() + 0.002
        while time.thread_time() < end:
            pass
        return images[k]

    with rehearsed(4) as rehearsal:
        found = decoded_all(range(10), decode, (3, 9, 9))
        assert len(decoded_all(range(0), decode, (3, 9, 9))) == 0
    assert sorted(asked) == [0, 3, 6, 9]
    assert np.array_equal(found, images[[0, 0, 0, 3, 3, 3, 6, 6, 6, 9]])
    assert rehearsal.spared >= 4 * 0.002 * (10 / 4 - 1)
    with rehearsed(10) as rehearsal:
        assert np.array_equal(decoded_all(range(10), decode, (3, 9, 9)), images)
    assert rehearsal.spared == 0
    assert np.array_equal(decoded_all(range(10), decode, (3, 9, 9)), images)


def test_grey_and_colour_arrays_become_one_another():
    grey = pixels(3, 10, 10)
    assert np.array_equal(stored(grey, (3, 10, 10)), np.repeat(grey[:, None], 3, axis=1))
    assert np.array_equal(stored(stored(grey, (3, 10, 10)), (1, 10, 10))[:, 0], grey)


# Kinds of files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "colour", "seen"),
    [
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("RGBA", (10, 20, 30, 0), (10, 20, 30)),
        ("LA", (70, 9), (70, 70, 70)),
        ("1", 1, (255, 255, 255)),
        ("I;16", 40_000, (156, 156, 156)),  # 40,000 / 256
    ],
)
def test_kinds_of_colours(mode, colour, seen, tmp_path):
    ending = "jpg" if mode == "CMYK" else "png"
    for index in range(4):
        Image.new(mode, (12, 12), colour).save(tmp_path / f"{index}.{ending}")
    images = every(ImageFolder(folder=str(tmp_path), image_size=8))
    np.testing.assert_allclose(images.mean(axis=(0, 2, 3)), seen, atol=1.5)


def test_a_palette_is_looked_up(tmp_path):
    image = Image.new("P", (12, 12), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    for index in range(4):
        image.save(tmp_path / f"{index}.png")
    np.testing.assert_allclose(
        every(ImageFolder(folder=str(tmp_path), image_size=8)).mean(axis=(0, 2, 3)), (200, 100, 50)
    )


# Broken files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path):
    """A folder of twenty images, of which one is cut, one is empty and one is a text."""
    folder = write_images(tmp_path / "images", 20, side=40)
    whole = jpeg(pixels(1, 3, 40, 40)[0])
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no image")
    return folder


def test_a_truncated_image_is_named(damaged):
    with pytest.raises(GanbenchError, match=r"(cut\.jpg|empty\.png|text\.png) cannot be read as an image: "):
        ImageFolder(folder=str(damaged), image_size=8).load()


def test_broken_files_are_skipped_by_name_and_number(damaged, caplog):
    dataset = ImageFolder(folder=str(damaged), image_size=8, on_bad_files="skip")
    assert dataset.spec.train == 18
    assert len(dataset.spec.files) == 20
    with caplog.at_level(logging.WARNING, "ganbench"):
        assert len(every(dataset)) == 20
    (record,) = caplog.records
    assert "skipped 3 of 23 images" in record.getMessage()
    for name in ("cut.jpg: ", "empty.png: ", "text.png: "):
        assert name in record.getMessage()


def test_files_are_decoded_once_to_find_broken_ones_and_again_when_they_change(damaged, monkeypatch):
    age(damaged)
    tried, fault = [], _broken._fault
    monkeypatch.setattr(_broken, "_fault", lambda path: tried.append(path.name) or fault(path))

    def counts() -> tuple[int, int]:
        tried.clear()
        count = len(ImageFolder(folder=str(damaged), image_size=8, on_bad_files="skip").spec.files)
        return count, len(tried)

    assert counts() == (20, 23)
    assert counts() == (20, 0)
    os.replace(damaged / "00000.png", damaged / "text.png")  # mended
    assert counts() == (20, 1)
    remembered = damaged / _broken.REMEMBERED
    assert len(json.loads(remembered.read_text())) == 22
    remembered.write_text("[1, 2]")
    assert counts() == (20, 22)
    assert counts() == (20, 0)
    monkeypatch.setattr(PIL, "__version__", "0.0")  # which may decode what another version does not
    assert counts() == (20, 22)


def age(folder) -> None:
    """Let the files of a folder have been written a minute ago."""
    before = time.time() - 60
    for path in folder.iterdir():
        os.utime(path, (before, before))


def test_a_file_that_has_just_been_written_is_decoded_again(damaged):
    """Its size and its time stamp cannot tell it from one that is rewritten at once."""
    path = damaged / "text.png"
    Image.new("1", (1, 1)).save(path)
    sound, stamp = path.read_bytes(), path.stat()

    def count(content: bytes) -> int:
        path.write_bytes(content)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        return len(ImageFolder(folder=str(damaged), image_size=8, on_bad_files="skip").spec.files)

    assert count(b"x" * len(sound)) == 20
    assert count(sound) == 21


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_a_fault_of_the_disk_is_no_broken_image(damaged, monkeypatch, number):
    opened = Image.open

    def failing(path, *given):
        if path.name == "00003.png":
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *given)

    age(damaged)
    monkeypatch.setattr(Image, "open", failing)
    with pytest.raises(GanbenchError, match=rf"00003\.png cannot be read: {os.strerror(number)}\.$"):
        _ = ImageFolder(folder=str(damaged), image_size=8, on_bad_files="skip").spec
    monkeypatch.undo()
    assert len(ImageFolder(folder=str(damaged), image_size=8, on_bad_files="skip").spec.files) == 20


def test_a_folder_of_broken_files_only_is_refused(tmp_path):
    for index in range(5):
        (tmp_path / f"{index}.png").write_text("no image")
    with pytest.raises(GanbenchError, match=r"has 5 images, 5 of which cannot be read; it must have four or more"):
        _ = ImageFolder(folder=str(tmp_path), on_bad_files="skip").spec


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(GanbenchError, match=r"has 0 images; it must have four or more, whose names end in \.png"):
        _ = ImageFolder(folder=str(tmp_path)).spec


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_half_may_be_held_out_for_memorisation(tmp_path, share):
    dataset = ImageFolder(folder=str(write_images(tmp_path, 20)), image_size=8, heldout_share=share)
    examples = dataset.load()
    assert len(examples.heldout) == round(share * 20)
    assert not {each.tobytes() for each in examples.train} & {each.tobytes() for each in examples.heldout}
