"""Images as bytes: their numbers, where they are held, and folders of image files."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from faces import write_images
from PIL import Image

from ganbench.contracts.data import examples_fault, few_examples, load_checked
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import floats
from ganbench.core.tree import Tree
from ganbench.data import DataSpec, Examples, _images
from ganbench.data.image_folder import ImageFolder
from ganbench.engine.train import train
from ganbench.games import Match, Member, TrainingExamples
from ganbench.games.gan import GAN
from ganbench.judges import judge_stored
from ganbench.judges.classifier import ClassifierJudge
from ganbench.judges.random_features import RandomFeaturesJudge
from ganbench.numerics.step_maps import in_double_precision

BYTES = np.random.default_rng(0).integers(0, 256, (70, 1, 8, 8), dtype=np.uint8)
SPEC = DataSpec(shape=(1, 8, 8), bounded=True, train=70, modes=0, dtype="uint8")


# Bytes as numbers -----------------------------------------------------------------------------------------------------


def test_a_byte_stands_for_its_share_of_the_range_from_minus_one_to_one():
    every = np.arange(256, dtype=np.uint8)
    numbers = floats(every)
    assert numbers.dtype == np.float32
    np.testing.assert_allclose(numbers, every / 127.5 - 1, atol=1e-7)
    assert (numbers[0], numbers[255]) == (-1, 1)
    assert floats(numbers) is numbers


def kept(tmp_path, values: np.ndarray) -> np.ndarray:
    """The values as a map of a result file."""
    path = tmp_path / f"{values.dtype}.h5"
    with result_files.create_file(path, "prepare") as file:
        result_files.write_tree(file.create_group("examples"), {"train": values, "facts": {}})
    with result_files.open_file(path, "prepare") as file:
        read = result_files.read_tree(result_files.descend(file, "examples"), most=10)["train"]
    assert isinstance(read, np.memmap)
    return read


NETWORKS = {"fc": {"latent_size": 4, "hidden_sizes": (8,)}, "dcgan": {"base_channels": 4}}


@cache
def trained_on_numbers(name: str, dtype: torch.dtype) -> tuple[GAN, list[Member], list[Tree]]:
    """A game with examples that are numbers, three runs of it, and their results."""
    architecture = part("architecture", name, **NETWORKS[name])
    game = gan(floats(BYTES), data=SPEC, architecture=architecture, dtype=dtype)
    members = [Member(0, 70, 1e-3), Member(0, 70, 1e-2), Member(1, 20, 1e-3)]
    return game, members, train(game, training(30, dtype=dtype), members, device=CPU)


@pytest.mark.parametrize("name", ["fc", pytest.param("dcgan", marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("held", ["bytes", "bytes in a file", "numbers in a file", "bytes in memory"])
def test_training_has_the_same_numbers_wherever_examples_are_held(tmp_path, name, dtype, held):
    numbers = floats(BYTES)
    where = {
        "bytes": lambda: TrainingExamples.placed(BYTES, CPU, dtype),
        "bytes in memory": lambda: TrainingExamples(BYTES, CPU, dtype),
        "bytes in a file": lambda: TrainingExamples.placed(kept(tmp_path, BYTES), CPU, dtype),
        "numbers in a file": lambda: TrainingExamples.placed(kept(tmp_path, numbers), CPU, dtype),
    }
    game, members, expected = trained_on_numbers(name, dtype)
    found = train(replace(game, examples=where[held]()), training(30, dtype=dtype), members, device=CPU)
    for ours, theirs in zip(found, expected, strict=True):
        for player in game.players:
            assert np.array_equal(ours["snapshots"][player], theirs["snapshots"][player])
        for name in ("min", "mean", "max"):
            assert np.array_equal(ours["curves"][name], theirs["curves"][name])


def test_bytes_stay_bytes_until_a_batch_is_read():
    examples = TrainingExamples.placed(BYTES, CPU, torch.float64)
    assert examples._stored.dtype == torch.uint8
    batch = examples.choose(torch.tensor([[3, 3, 69]]))
    assert examples.read(batch).dtype == torch.float64
    assert np.array_equal(examples.read(batch)[0], floats(BYTES[[3, 3, 69]]))
    elsewhere = TrainingExamples(BYTES, CPU, torch.float32).choose(torch.tensor([[3, 3, 69], [0, 5, 1]]))
    assert elsewhere["stored"].dtype == torch.uint8
    assert np.array_equal(elsewhere["stored"], BYTES[[[3, 3, 69], [0, 5, 1]]])


def test_diagnostics_widen_the_precision_of_bytes_too():
    game = gan(
        floats(BYTES), data=SPEC, architecture=part("architecture", "dcgan", base_channels=4), dtype=torch.float32
    )
    placed = TrainingExamples.placed(BYTES, CPU, torch.float32)
    narrow = Match(replace(game, examples=placed), [Member(0, 70, 0.1)], CPU, torch.float32)
    wide = in_double_precision(narrow)
    (batch,) = wide.draw(0, 1)
    assert wide.game.real(wide.init(), batch).points.dtype == torch.float64


def test_a_map_of_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "prepared.h5"
    with result_files.create_file(path, "prepare") as file:
        result_files.write_tree(file.create_group("examples"), {"train": BYTES})
    content = bytearray(path.read_bytes())
    content[content.index(BYTES[40].tobytes())] ^= 1
    path.write_bytes(content)
    with (
        result_files.open_file(path, "prepare") as file,
        pytest.raises(GanbenchError, match="holds other values than were written"),
    ):
        result_files.read_tree(result_files.descend(file, "examples"), most=10)


# Contracts and judges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "spec", "message"),
    [
        ({}, {}, None),
        ({"train": floats(BYTES)}, {}, "train examples are float32, not uint8"),
        ({}, {"dtype": "float32"}, "train examples are uint8, not float32"),
        ({"train_modes": np.zeros(70, np.int64)}, {}, "train modes are ndarray; with 0 modes in its spec, give None"),
        ({}, {"modes": 2}, "train modes are NoneType, not a NumPy array"),
    ],
)
def test_the_contract_of_bytes_and_of_missing_labels(changes, spec, message):
    given = {"train": BYTES, "train_modes": None, "heldout": BYTES[:9], "heldout_modes": None} | changes
    fault = examples_fault(replace(SPEC, **spec), Examples(**given))
    assert fault == message


def test_the_judges_of_images_see_bytes_as_numbers():
    modes = np.arange(70) % 2
    stored = Examples(BYTES, modes, BYTES[:30], modes[:30])
    numbers = Examples(floats(BYTES), modes, floats(BYTES[:30]), modes[:30])
    for judge in (ClassifierJudge(max_steps=10, min_accuracy=0.0), RandomFeaturesJudge(features=5)):
        state, same = judge.fit(stored), judge.fit(numbers)
        assert np.array_equal(state["theta"], same["theta"])
        judged = judge_stored(judge, state, BYTES)
        assert np.array_equal(judged.features, judge.judge(same, floats(BYTES)).features)
        assert judged.stored is BYTES
        assert np.array_equal(judged.examples, floats(BYTES))


def test_random_features_are_standardised_and_see_more_than_the_mean():
    random = np.random.default_rng(1)
    train = random.integers(0, 256, (500, 3, 12, 12), dtype=np.uint8)
    judge = RandomFeaturesJudge(features=16)
    state = judge.fit(Examples(train, None, train[:50], None))
    features = judge_stored(judge, state, train).features
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-9)
    assert "accuracy" not in state
    striped = np.sort(train, axis=3)  # the same bytes of every row, in another order
    assert np.abs(judge_stored(judge, state, striped).features.mean(axis=0)).max() > 1


# Folders --------------------------------------------------------------------------------------------------------------


def test_a_folder_of_classes_has_labels(tmp_path):
    dataset = ImageFolder(folder=str(write_images(tmp_path, 40, classes=4)), image_size=8, heldout_share=0.2)
    examples, fault = load_checked(dataset)
    assert fault is None
    assert (dataset.spec.shape, dataset.spec.modes, dataset.spec.train) == ((3, 8, 8), 4, 32)
    assert dataset.judge == "classifier"
    assert np.bincount(examples.train_modes).tolist() == [8, 8, 8, 8]
    assert np.bincount(examples.heldout_modes).tolist() == [2, 2, 2, 2]
    assert len(dataset.spec.files) == 40


def test_a_flat_folder_has_none_and_may_be_grey(tmp_path):
    dataset = ImageFolder(folder=str(write_images(tmp_path, 10, channels=1)), image_size=12, channels=1)
    (tmp_path / "notes.txt").write_text("no image")
    examples, fault = load_checked(dataset)
    assert fault is None
    assert (dataset.spec.shape, dataset.spec.modes, dataset.spec.train) == ((1, 12, 12), 0, 8)
    assert dataset.judge == "random_features"
    assert examples.train_modes is None
    # An image as high as the side is cropped only: 12 of its 16 columns, the middle ones.
    paths = [path for path in map(str, sorted(tmp_path.glob("*.png")))]
    originals = {np.asarray(Image.open(path))[:, 2:14].tobytes() for path in paths}
    assert {image.tobytes() for image in np.concatenate([examples.train, examples.heldout])} == originals


def test_colours_and_places_are_kept(tmp_path):
    pixels = np.zeros((30, 20, 3), np.uint8)
    pixels[5:15] = (200, 100, 50)  # the upper half of the square in the middle
    for index in range(4):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    image = ImageFolder(folder=str(tmp_path), image_size=10).load().train[0]
    np.testing.assert_allclose(image[:, 3, 5], [200, 100, 50], atol=4)
    np.testing.assert_allclose(image[:, 9, 5], [0, 0, 0], atol=4)


def test_large_folders_are_decoded_into_a_file_with_the_same_values(tmp_path, monkeypatch):
    dataset = ImageFolder(folder=str(write_images(tmp_path, 12, classes=2)), image_size=8)
    small = dataset.load()
    monkeypatch.setattr(_images, "LARGE", 100)
    large, fault = load_checked(dataset)
    assert fault is None
    assert isinstance(large.train, np.memmap)
    assert np.array_equal(large.train, small.train)
    few = few_examples(large, 4)
    assert len(few.train) == 4
    assert set(few.train_modes) == {0, 1}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: "", "its option 'folder' must be the path of a folder of images, but is ''"),
        (lambda path: path / "absent", "must be the path of a folder"),
        (lambda path: write_images(path, 2), "has 2 images; it must have four or more"),
        (lambda path: write_images(path, 4, classes=4), "class folder 'class0' has too few images"),
    ],
)
def test_a_folder_that_cannot_be_a_data_set_is_refused(tmp_path, make, message):
    with pytest.raises(GanbenchError, match=message):
        _ = ImageFolder(folder=str(make(tmp_path))).spec


def test_a_file_that_is_no_image_is_named(tmp_path):
    folder = write_images(tmp_path, 6)
    (folder / "00003.png").write_text("no image")
    with pytest.raises(GanbenchError, match=r"00003\.png cannot be read as an image"):
        ImageFolder(folder=str(folder)).load()


def test_folders_may_be_links_and_a_link_upwards_shows_no_image_twice(tmp_path):
    write_images(tmp_path / "elsewhere", 20, classes=2)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "a").symlink_to(tmp_path / "elsewhere" / "class0")
    (linked / "b").mkdir()
    (linked / "b" / "first").symlink_to(tmp_path / "elsewhere" / "class1")
    (linked / "b" / "again").symlink_to(linked / "b")
    spec = part("dataset", "image_folder", folder=str(linked), image_size=8).spec
    assert (len(spec.files), spec.modes) == (20, 2)


def test_hidden_folders_are_no_classes_and_images_beside_classes_are_not_dropped(tmp_path):
    folder = write_images(tmp_path / "images", 12)
    write_images(folder / ".thumbnails", 4)
    spec = ImageFolder(folder=str(folder), image_size=8).spec
    assert (spec.modes, len(spec.files)) == (0, 12)
    write_images(folder / "cats", 4)
    with pytest.raises(GanbenchError, match=r"has class folders \(cats\) and images beside them \(00000.png, "):
        _ = ImageFolder(folder=str(folder), image_size=8).spec


def test_grey_levels_of_sixteen_bits_are_scaled_and_those_without_a_largest_refused(tmp_path):
    folder = write_images(tmp_path / "images", 8, channels=1)
    levels = np.array([0, 4096, 32768, 65535], dtype=np.uint16)
    Image.fromarray(np.repeat(levels, 16).reshape(8, 8)).save(folder / "00000.png")
    loaded = ImageFolder(folder=str(folder), image_size=8, channels=1).load()
    every = np.concatenate([loaded.train, loaded.heldout])
    assert any(np.array_equal(np.unique(image), [0, 16, 128, 255]) for image in every)
    Image.fromarray(np.zeros((8, 8), dtype=np.float32)).save(folder / "00001.tiff")
    with pytest.raises(GanbenchError, match=r"00001.tiff cannot be read as an image: its mode is 'F'"):
        ImageFolder(folder=str(folder), image_size=8, channels=1).load()
