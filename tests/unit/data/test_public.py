"""Public data sets, read from small files in the formats of the published ones."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import archives as made
import numpy as np
import pytest
import torchvision.datasets as published
from building import part

from ganbench.contracts.data import examples_fault
from ganbench.core.errors import GanbenchError
from ganbench.data import (
    Archive,
    _mnist,
    celeba,
    cifar10,
    fashion_mnist,
    flowers102,
    lsun,
    stl10,
)
from ganbench.pipeline.execution.archives import fetch, verify

NAMES = ("mnist", "fashion_mnist", "cifar10", "stl10", "celeba", "flowers102", "lsun", "stacked_mnist")
CLOSE = 4.0  # of a byte: what compression by JPEG and scaling move smooth images by


def close(images: np.ndarray, expected: np.ndarray) -> None:
    assert np.abs(images.astype(float) - expected).mean() < CLOSE


# What is known without the files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "shape", "train", "modes"),
    [
        ("mnist", {}, (1, 28, 28), 60_000, 10),
        ("mnist", {"image_size": 32, "channels": 3}, (3, 32, 32), 60_000, 10),
        ("fashion_mnist", {}, (1, 28, 28), 60_000, 10),
        ("cifar10", {}, (3, 32, 32), 50_000, 10),
        ("stl10", {"image_size": 48}, (3, 48, 48), 100_000, 0),
        ("stl10", {"split": "train"}, (3, 96, 96), 5_000, 10),
        ("celeba", {}, (3, 64, 64), 162_770, 0),
        ("flowers102", {}, (3, 64, 64), 8_189 - 1_020, 102),
        ("lsun", {}, (3, 64, 64), 126_227, 0),
        ("stacked_mnist", {}, (3, 28, 28), 128_000, 1000),
    ],
)
def test_specs_of_public_data_are_known_without_their_files(name, options, shape, train, modes):
    spec = part("dataset", name, **options).spec
    assert (spec.shape, spec.train, spec.modes, spec.dtype) == (shape, train, modes, "uint8")
    assert spec.bounded
    assert spec.files == ()


def test_checksums_and_addresses_are_those_of_torchvision():
    assert (_mnist.MNIST, list(_mnist.MNIST_FILES)) == (published.MNIST.mirrors[0], published.MNIST.resources)
    fashion = published.FashionMNIST
    assert (fashion_mnist.URL, list(fashion_mnist.FILES)) == (fashion.mirrors[0], fashion.resources)
    for ours, theirs in ((cifar10, published.CIFAR10), (stl10, published.STL10)):
        ((file, checksum),) = ours.FILES
        assert (ours.URL + file, file, checksum) == (theirs.url, theirs.filename, theirs.tgz_md5)
    assert dict(celeba.FILES) == {name: checksum for _, checksum, name in published.CelebA.file_list}
    assert set(flowers102.FILES) == set(published.Flowers102._file_dict.values())
    assert published.Flowers102._download_url_prefix == flowers102.URL


@pytest.mark.parametrize("name", NAMES)
def test_missing_files_are_named_with_their_place_and_checksum(name, tmp_path):
    dataset = part("dataset", name, folder=str(tmp_path / "here"))
    first = dataset.spec.archives[0]
    with pytest.raises(GanbenchError) as error:
        dataset.load()
    for word in (first.path, first.checksum, str(tmp_path / "here"), first.url):
        assert word in str(error.value)
    assert part("dataset", name).spec.archives[0].path.startswith("data/")


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """The sizes of the small files in place of the published ones, for the contract."""
    monkeypatch.setattr(_mnist, "SIZES", {"train": 40, "heldout": 20})
    monkeypatch.setattr("ganbench.data.mnist.SIZES", {"train": 40, "heldout": 20})
    monkeypatch.setattr("ganbench.data.fashion_mnist.SIZES", {"train": 40, "heldout": 20})
    monkeypatch.setattr(cifar10, "SIZES", {"train": 40, "heldout": 8})
    monkeypatch.setattr(stl10, "SIZES", {"unlabeled": 30, "train": 20, "test": 12})
    monkeypatch.setattr(celeba, "SIZES", {"train": 6, "test": 4})
    monkeypatch.setattr(flowers102, "SIZES", {"train": 10, "heldout": 2})
    monkeypatch.setattr(flowers102, "CLASSES", 4)
    monkeypatch.setattr(lsun, "SIZES", {"train": 5, "val": 3})
    # torchvision verifies what is unpacked, too.
    for name in ("cifar", "stl10", "celeba", "flowers102"):
        monkeypatch.setattr(f"torchvision.datasets.{name}.check_integrity", lambda path, md5=None: Path(path).is_file())


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_mnist_is_read_from_its_four_files(name, few, tmp_path):
    written = made.write_mnist(tmp_path)
    dataset = part("dataset", name, folder=str(tmp_path))
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    for which in ("train", "heldout"):
        images, labels = written[which]
        assert np.array_equal(getattr(examples, which)[:, 0], images)
        assert np.array_equal(getattr(examples, f"{which}_modes"), labels)
    wide = part("dataset", name, folder=str(tmp_path), image_size=32, channels=3)
    large = wide.load()
    assert examples_fault(wide.spec, large) is None
    assert (large.train == large.train[:, :1]).all()
    close(large.train.mean(axis=(2, 3)), written["train"][0].mean(axis=(1, 2))[:, None])


def test_cifar10_is_read_from_its_archive(few, tmp_path):
    written = made.write_cifar10(tmp_path / "c")
    dataset = part("dataset", "cifar10", folder=str(tmp_path / "c"))
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    for which, (images, labels) in written.items():
        assert np.array_equal(getattr(examples, which), images)
        assert np.array_equal(getattr(examples, f"{which}_modes"), labels)
    grey = part("dataset", "cifar10", folder=str(tmp_path / "c"), channels=1).load()
    weights = np.array([0.299, 0.587, 0.114])[:, None, None]  # of ITU-R 601
    np.testing.assert_allclose(grey.train[:, 0], (written["train"][0] * weights).sum(axis=1), atol=1)


def test_stl10_has_a_part_with_and_one_without_labels(few, tmp_path):
    written = made.write_stl10(tmp_path / "s")
    for which in ("train", "unlabeled"):
        dataset = part("dataset", "stl10", folder=str(tmp_path / "s"), split=which)
        dataset_examples = dataset.load()
        assert np.array_equal(dataset_examples.train, written[which][0])
        assert np.array_equal(dataset_examples.heldout, written["test"][0])
        assert examples_fault(dataset.spec, dataset_examples) is None
        if which == "train":
            assert np.array_equal(dataset_examples.train_modes, written["train"][1])


def test_celeba_is_cut_and_scaled(few, tmp_path):
    faces = made.write_celeba(tmp_path / "a")
    whole = part("dataset", "celeba", folder=str(tmp_path / "a"), image_size=178, crop=178)
    examples = whole.load()
    assert examples_fault(whole.spec, examples) is None
    close(examples.train, faces[:6, :, 20:198])  # 178 of 218 rows, those in the middle
    close(examples.heldout, faces[8:, :, 20:198])  # the part `valid` in between is not used
    small = part("dataset", "celeba", folder=str(tmp_path / "a"), image_size=40).load().train
    close(small.mean(axis=(2, 3)), faces[:6, :, 29:189, 9:169].mean(axis=(2, 3)))


def test_flowers_train_on_two_parts_and_hold_out_the_third(few, tmp_path):
    photographs, labels, parts = made.write_flowers(tmp_path / "f")
    dataset = part("dataset", "flowers102", folder=str(tmp_path / "f"), image_size=40)
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    used = parts["train"] + parts["test"]
    close(examples.train, photographs[used][..., 10:50])
    close(examples.heldout, photographs[parts["val"]][..., 10:50])
    assert np.array_equal(examples.train_modes, labels[used])
    assert np.array_equal(examples.heldout_modes, labels[parts["val"]])


def test_lsun_is_read_in_the_order_of_its_keys(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written = made.write_lsun(tmp_path / "l")
    dataset = part("dataset", "lsun", folder="l", image_size=64)
    examples = dataset.load()
    assert examples_fault(dataset.spec, examples) is None
    close(examples.train, written["train"][..., 8:72])
    close(examples.heldout, written["val"][..., 8:72])
    assert [each.name for each in tmp_path.iterdir()] == ["l"]  # nothing is left in the working folder


# Wrong files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"<html>not found</html>", b"", b"\x1f\x8b\x08\x00 cut"])
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_files_of_another_kind_are_one_error(name, content, tmp_path):
    dataset = part("dataset", name, folder=str(tmp_path))
    for archive in dataset.spec.archives:
        Path(archive.path).write_bytes(content)
    with pytest.raises(GanbenchError, match=rf"data set '{name}': {tmp_path}.* cannot be read: .*without a net"):
        dataset.load()


def test_a_truncated_file_and_labels_of_another_number_are_one_error(tmp_path):
    made.write_mnist(tmp_path)
    images = tmp_path / "train-images-idx3-ubyte.gz"
    images.write_bytes(images.read_bytes()[:-200])
    with pytest.raises(GanbenchError, match=r"train-images-idx3-ubyte\.gz cannot be read: EOFError"):
        part("dataset", "mnist", folder=str(tmp_path)).load()
    made.write_mnist(tmp_path)
    made.write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.zeros(7, np.uint8))
    with pytest.raises(GanbenchError, match="7 labels of 40 images"):
        part("dataset", "mnist", folder=str(tmp_path)).load()


def test_a_file_with_fewer_images_than_published_is_no_such_data_set(tmp_path):
    made.write_mnist(tmp_path)
    dataset = part("dataset", "mnist", folder=str(tmp_path))
    assert examples_fault(dataset.spec, dataset.load()) == "it has 40 training examples, but its spec says 60000"


# Fetching -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", ["9e107d9d372bb6826bd81d3542a419d6", "d7a8fbb3" + "0" * 56])
def test_archives_are_fetched_once_and_verified(tmp_path, checksum):
    source = tmp_path / "source.bin"
    source.write_bytes(b"The quick brown fox jumps over the lazy dog")  # whose MD5 is known
    archive = Archive(str(tmp_path / "new" / "file.bin"), source.as_uri(), checksum)
    place = Path(archive.path)
    if len(checksum) == 32:
        fetch(archive)
        assert place.read_bytes() == source.read_bytes()
        source.unlink()
        fetch(archive)  # is there
        place.write_bytes(b"another")
    begin = r"file\.bin has the MD5 \w+\. Remove it, then " if len(checksum) == 32 else r"what was fetched for .* has "
    with pytest.raises(GanbenchError, match=rf"{begin}.*whose {archive.kind} is {checksum}"):
        fetch(archive)
    if len(checksum) == 64:
        assert not place.exists()  # a file with another checksum is not kept


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://127.0.0.1:9/file.zip", "fetching it failed .*The workflow fetches it from http"), ("", "no address")],
)
def test_archives_that_cannot_be_had_say_which_file_to_put_where(tmp_path, url, why):
    archive = Archive(str(tmp_path / "d" / "file.zip"), url, "0" * 32)
    with pytest.raises(GanbenchError, match=rf"{why}.*the file file\.zip, whose MD5 is 0+, into the folder .*/d\."):
        fetch(archive)
    assert not Path(archive.path).exists()
    with pytest.raises(GanbenchError, match="cannot be read: No such file"):
        verify(archive)


@pytest.mark.parametrize(
    ("checksum", "fault"),
    [
        ("", "'' has 0 digits"),
        ("0" * 31, "has 31 digits"),
        ("A" + "0" * 31, "is in upper case"),
        ("z" + "0" * 31, "has other characters"),
        ("0" * 32 + " ", "has other characters"),
    ],
)
def test_a_checksum_that_is_none_is_refused(checksum, fault):
    with pytest.raises(GanbenchError, match=rf"archive 'd/file': its checksum must be an MD5 of 32 .*{fault}\.$"):
        Archive("d/file", "", checksum)
    for length in (32, 64):
        Archive("d/file", "", "a" * length)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 300, r"\(the download ended early, 300 of 1,000 bytes\)"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n64\r\nxyz",
            r"\(the download ended early, and its size is unknown\)",
        ),
        (b"no HTTP at all\r\n\r\n", r"\(the server's answer cannot be read, BadStatusLine: no HTTP at all\)"),
        (b"", r"\(.*(closed connection|reset)"),
    ],
)
def test_an_answer_that_is_cut_short_or_no_answer_says_so(tmp_path, answer, why):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        archive = Archive(str(tmp_path / "file.zip"), f"http://127.0.0.1:{server.getsockname()[1]}/file.zip", "0" * 32)
        with pytest.raises(GanbenchError, match=rf"file\.zip is missing, and fetching it failed {why}.*whose MD5 is"):
            fetch(archive)
        thread.join()
    assert list(tmp_path.iterdir()) == []
