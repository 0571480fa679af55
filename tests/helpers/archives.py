"""Small files in the formats of public data sets, under the names of the published ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def pixels(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Smooth images of bytes, so that compression by JPEG moves them little."""
    coarse = np.random.default_rng(seed).integers(40, 200, (count, *shape[:-2], 1, 1))
    return (coarse + np.arange(shape[-1]) % 32).astype(np.uint8) + np.zeros(shape[-2:], np.uint8)


def write_idx(path: Path, values: np.ndarray) -> None:
    """Bytes as an IDX file: a magic number with type and number of axes, the sizes, and the values."""
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    with gzip.open(path, "wb") as file:
        file.write(bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes())


def write_mnist(folder: Path, train: int = 40, heldout: int = 20) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """MNIST's four files. Returns the images and labels of the parts `train` and `heldout`."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {}
    for part, name, count in (("train", "train", train), ("heldout", "t10k", heldout)):
        images, labels = pixels(count, 28, 28, seed=count), (np.arange(count) * 3 % 10).astype(np.uint8)
        images[:, 0, 0] = np.arange(count)  # no two are alike
        write_idx(folder / f"{name}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{name}-labels-idx1-ubyte.gz", labels)
        parts[part] = images, labels.astype(np.int64)
    return parts


def tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as packed:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))


def write_cifar10(folder: Path, each: int = 8) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """CIFAR-10's archive: pickled batches, each with rows of 3072 bytes, red, green and blue planes, and labels."""
    folder.mkdir(parents=True)
    files, parts = {}, {}
    names = {"train": [f"data_batch_{k}" for k in range(1, 6)], "heldout": ["test_batch"]}
    for part, batches in names.items():
        images = pixels(each * len(batches), 3, 32, 32, seed=len(batches))
        labels = np.arange(len(images)) * 7 % 10
        parts[part] = images, labels
        for k, name in enumerate(batches):
            rows = slice(k * each, (k + 1) * each)
            batch = {"data": images[rows].reshape(each, -1), "labels": labels[rows].tolist()}
            files[f"cifar-10-batches-py/{name}"] = pickle.dumps(batch, protocol=2)
    files["cifar-10-batches-py/batches.meta"] = pickle.dumps({"label_names": list("abcdefghij")}, protocol=2)
    tar(folder / "cifar-10-python.tar.gz", files)
    return parts


def write_stl10(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """STL-10's archive: planes of 96x96 bytes in the order of columns, and labels from 1 on."""
    folder.mkdir(parents=True)
    files, parts = {}, {}
    for part, count in (("train", 20), ("test", 12), ("unlabeled", 30)):
        images = pixels(count, 3, 96, 96, seed=count)
        files[f"stl10_binary/{part}_X.bin"] = images.transpose(0, 1, 3, 2).tobytes()
        labels = None if part == "unlabeled" else np.arange(count) % 10
        if labels is not None:
            files[f"stl10_binary/{part}_y.bin"] = (labels + 1).astype(np.uint8).tobytes()
        parts[part] = images, labels
    tar(folder / "stl10_binary.tar.gz", files)
    return parts


def jpeg(image: np.ndarray, form: str = "JPEG") -> bytes:
    """An image (3, height, width) as a file."""
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, form, quality=95)
    return file.getvalue()


def write_celeba(folder: Path, train: int = 6, valid: int = 2, test: int = 4) -> np.ndarray:
    """CelebA's archive and lists. Returns the faces in their order, (n, 3, 218, 178)."""
    folder.mkdir(parents=True)
    count = train + valid + test
    faces, names = pixels(count, 3, 218, 178), [f"{k:06d}.jpg" for k in range(1, count + 1)]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as packed:
        for name, face in zip(names, faces, strict=True):
            packed.writestr(f"img_align_celeba/{name}", jpeg(face))
    split = np.repeat([0, 1, 2], [train, valid, test])
    lists = {
        "list_eval_partition.txt": ([], split[:, None]),
        "identity_CelebA.txt": ([], np.arange(count)[:, None]),
        "list_attr_celeba.txt": ([str(count), "Bald Young"], np.tile([-1, 1], (count, 1))),
        "list_bbox_celeba.txt": ([str(count), "image_id x_1 y_1 width height"], np.ones((count, 4), int)),
        "list_landmarks_align_celeba.txt": ([str(count), "lefteye_x lefteye_y"], np.ones((count, 2), int)),
    }
    for name, (head, values) in lists.items():
        rows = [f"{image} {' '.join(map(str, row))}" for image, row in zip(names, values, strict=True)]
        (folder / name).write_text("\n".join([*head, *rows]) + "\n")
    return faces


def write_flowers(folder: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[int]]]:
    """The archive and the lists of Flowers102. Returns the photographs, labels from 0 on, and the indices of parts."""
    folder.mkdir(parents=True)
    photographs, labels = pixels(12, 3, 40, 60), np.arange(12) % 4
    tar(
        folder / "102flowers.tgz",
        {f"jpg/image_{k:05d}.jpg": jpeg(image) for k, image in enumerate(photographs, start=1)},
    )
    parts = {"train": [0, 1, 2, 3], "val": [4, 5], "test": [6, 7, 8, 9, 10, 11]}
    savemat(folder / "imagelabels.mat", {"labels": labels[None] + 1})
    ids = {"trnid": parts["train"], "valid": parts["val"], "tstid": parts["test"]}
    savemat(folder / "setid.mat", {name: np.array([rows]) + 1 for name, rows in ids.items()})
    return photographs, labels, parts


def write_lsun(folder: Path, train: int = 5, val: int = 3) -> dict[str, np.ndarray]:
    """LSUN's archives: databases of LMDB with an image under each key."""
    import lmdb

    folder.mkdir(parents=True)
    parts = {}
    for part, count in (("train", train), ("val", val)):
        images, name = pixels(count, 3, 64, 80, seed=count), f"church_outdoor_{part}_lmdb"
        with lmdb.open(str(folder / name), map_size=2**22) as opened, opened.begin(write=True) as writing:
            for k, image in enumerate(images):
                writing.put(f"{k:04d}".encode(), jpeg(image, "WEBP"))
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as packed:
            packed.write(folder / name / "data.mdb", f"{name}/data.mdb")
        parts[part] = images
    return parts
