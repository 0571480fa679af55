"""The range in which networks see images, and the one that judges, metrics and pictures share."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from building import CPU, gan, part, training
from PIL import Image
from torch import nn

from ganbench import export, lab
from ganbench.architectures import Architecture
from ganbench.contracts.data import examples_fault, load_checked
from ganbench.core import dataset_specs
from ganbench.core.errors import GanbenchError
from ganbench.core.pixels import floats, limits, shown, within_one
from ganbench.data import DataSpec, Examples
from ganbench.engine.sampler import Sampler
from ganbench.engine.train import train
from ganbench.games import Member, TrainingExamples
from ganbench.metrics._images import images_only
from ganbench.pipeline.execution.instantiation import TrainingSet, build_game
from ganbench.pipeline.network_folder import SCRIPT
from ganbench.pipeline.plan import Plan
from ganbench.study.schema import parse

BYTES = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
RANGES = [(0.5, 0.5), (0.0, 1.0), (0.1307, 0.3081), (0.25, 0.5)]


def spec(mean: float, std: float, dtype: str = "uint8") -> DataSpec:
    return DataSpec((1, 8, 8), within_one(mean, std), 40, 0, dtype=dtype, mean=mean, std=std)


def test_limits_by_hand():
    assert limits(0.5, 0.5) == (-1, 1)
    assert limits(0.0, 1.0) == (0, 1)
    low, high = limits(0.1307, 0.3081)
    assert (round(low, 4), round(high, 4)) == (-0.4242, 2.8215)  # as of torchvision's example of MNIST
    assert [within_one(*each) for each in RANGES] == [True, True, False, False]
    assert within_one(0.1, 0.9)
    assert spec(0.0, 1.0).limits == (0, 1)


@pytest.mark.parametrize(("mean", "std"), RANGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_networks_see_the_numbers_of_the_spec_wherever_examples_are_held(mean, std, dtype):
    order = torch.tensor([[3, 3, 39]])
    for stored in (BYTES, floats(BYTES)):
        on_device = TrainingExamples.placed(stored, CPU, dtype, mean, std)
        elsewhere = TrainingExamples(stored, CPU, dtype, mean, std)
        read = [each.read(each.choose(order)) for each in (on_device, elsewhere)]
        assert read[0].dtype == dtype
        assert torch.equal(*read)
        expected = (BYTES[[3, 3, 39]] / 255 - mean) / std
        np.testing.assert_allclose(read[0][0].numpy(), expected, atol=2e-6)
        wide = on_device.double()
        assert torch.equal(wide.read(wide.choose(order)), read[0].double())
    # The default has the numbers of judges, bit for bit.
    plain = TrainingExamples.placed(BYTES, CPU, torch.float32)
    assert np.array_equal(plain.read(plain.choose(order))[0], floats(BYTES[[3, 3, 39]]))


@pytest.mark.parametrize(("mean", "std"), RANGES)
def test_what_is_shown_is_what_was_stored(mean, std):
    seen = ((BYTES / 255 - mean) / std).astype(np.float32)
    np.testing.assert_allclose(shown(seen, mean, std), floats(BYTES), atol=1e-6)
    assert (shown(seen, mean, std) is seen) == ((mean, std) == (0.5, 0.5))


class Constant(Architecture):
    """A generator that makes what networks see as black, then as white, and so on."""

    latent_size = 1
    conditional: tuple[str, ...] = ()
    passed_to_generator: tuple[str, ...] = ()

    def unsupported(self, data: DataSpec) -> str | None:
        return None

    def generator(self, data: DataSpec) -> nn.Module:
        return _Ends(data)

    def discriminator(self, data: DataSpec) -> nn.Module:
        raise NotImplementedError


class _Ends(nn.Module):
    def __init__(self, data: DataSpec) -> None:
        super().__init__()
        self.ends = nn.Parameter(torch.tensor(data.limits))
        self.shape = data.shape

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        black, white = self.ends
        wanted = torch.where(z[:, 0] > 0, white, black)
        return wanted[:, None, None, None].expand(-1, *self.shape).clone()


@pytest.mark.parametrize(("mean", "std"), RANGES)
def test_generated_examples_reach_judges_and_pictures_in_one_range(mean, std):
    data = spec(mean, std)
    theta = np.array(data.limits, dtype=np.float32)
    examples = Sampler(Constant(), data, 8, CPU).examples(theta, {}, seed=0, count=30)
    assert examples.dtype == np.float32
    assert sorted({round(float(each), 5) for each in np.unique(examples)}) == [-1, 1]


@pytest.mark.parametrize(("mean", "std"), RANGES)
def test_what_is_blacker_than_black_is_black_and_what_is_no_number_stays_none(mean, std):
    data = spec(mean, std)
    black, white = data.limits
    theta = np.array([black - 1, white + 1], dtype=np.float32)
    sampler = Sampler(Constant(), data, 8, CPU)
    assert set(np.unique(sampler.examples(theta, {}, seed=0, count=30))) == {-1, 1}
    theta = np.array([-np.inf, np.nan], dtype=np.float32)
    examples = sampler.examples(theta, {}, seed=0, count=30)
    assert np.isneginf(examples).any()
    assert np.isnan(examples).any()
    assert not np.isfinite(examples).any()
    unbounded = replace(data, bounded=False, dtype="float32", mean=0.5, std=0.5)
    theta = np.array([-9, 9], dtype=np.float32)
    assert set(np.unique(Sampler(Constant(), unbounded, 8, CPU).examples(theta, {}, seed=0, count=30))) == {-9, 9}


def test_training_in_another_range_is_training_on_other_numbers_and_default_is_bit_for_bit():
    architecture = part("architecture", "fc", latent_size=4, hidden_sizes=(8,))
    results = {}
    for mean, std in ((0.5, 0.5), (0.0, 1.0)):
        game = gan(floats(BYTES), data=spec(mean, std), architecture=architecture, dtype=torch.float32)
        held = TrainingExamples.placed(BYTES, CPU, torch.float32, mean, std)
        game = replace(game, examples=held)
        results[mean] = train(game, training(20, dtype=torch.float32), [Member(0, 40, 1e-2)], device=CPU)[0]
    plain = gan(floats(BYTES), data=spec(0.5, 0.5), architecture=architecture, dtype=torch.float32)
    known = train(plain, training(20, dtype=torch.float32), [Member(0, 40, 1e-2)], device=CPU)[0]
    assert np.array_equal(results[0.5]["snapshots"]["generator"], known["snapshots"]["generator"])
    assert not np.array_equal(results[0.0]["snapshots"]["generator"], known["snapshots"]["generator"])


def test_the_game_of_a_study_has_the_range_and_the_subset_that_the_study_says(tmp_path):
    block = {
        "dataset": {"name": "digits", "mean": 0.0, "std": 1.0},
        "architecture": {"name": "fc", "hidden_sizes": [8]},
        "n_train": 40,
        "learning_rate": 1e-3,
        "seed": 0,
    }
    content = {"study": "range", "results": str(tmp_path), "grid": [block], "train": {"subset_seed": 3, "steps": 10}}
    (job,) = Plan(parse(content, origin="study")).train.values()
    given = TrainingSet(floats(BYTES), np.zeros(40, np.int64))
    game = build_game(job.task.groups[0].components, job.task.train, given, CPU)
    assert game.subset_seed == 3
    assert game.data.limits == (0, 1)
    read = game.examples.read(game.examples.choose(torch.arange(40)[None]))
    np.testing.assert_allclose(read[0], BYTES / 255, atol=1e-6)


def test_a_game_of_the_laboratory_has_the_range_of_its_data():
    match = lab.game("gan", dataset="digits(mean=0, std=1)", architecture="fc(hidden_sizes=[4])", batch_size=8)
    points = match.game.real({}, match.draw(0, 1)[0]).points
    assert (points.min(), points.max()) == (0, 1)


def test_metrics_of_pixels_take_images_of_any_range_and_no_points():
    for mean, std in RANGES:
        assert images_only(spec(mean, std), 8, "it") is None
    assert images_only(DataSpec((1, 8, 8), False, 40, 0), 8, "it") is not None


@pytest.mark.parametrize("name", ["digits", "photos", "stacked_digits"])
def test_data_sets_say_their_range(name):
    for mean, std in RANGES:
        described = dataset_specs.describe_in_process(name, {"mean": mean, "std": std})
        assert (described.mean, described.std, described.bounded) == (mean, std, within_one(mean, std))


def test_stored_numbers_do_not_depend_on_the_range():
    plain, other = (part("dataset", "digits", **options) for options in ({}, {"mean": 0.1307, "std": 0.3081}))
    examples, fault = load_checked(other)
    assert fault is None
    assert np.array_equal(examples.train, plain.load().train)


def test_stored_numbers_beyond_the_range_are_refused():
    wide = Examples(floats(BYTES) * 2, None, floats(BYTES), None)
    assert "reach 2" in examples_fault(spec(0.1307, 0.3081, "float32"), wide)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("bounded=False, dtype='uint8'", "bounded False, and mean 0.5 with std 0.5, .* from -1 to 1, which lie in"),
        ("bounded=True, dtype='uint8', mean=0.1307, std=0.3081", "from -0.4242 to 2.82., which leave .* must be False"),
        ("bounded=True, std=0.0", "mean 0.5 and std 0.0; must be finite numbers, and std above 0"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(tmp_path, changes, message):
    path = tmp_path / "own.py"
    path.write_text(
        '"""Own."""\n\nfrom dataclasses import dataclass\n\nfrom ganbench.data import Dataset, DataSpec\n\n\n'
        '@dataclass(frozen=True)\nclass Own(Dataset):\n    judge = "pixels"\n\n    @property\n    def spec(self):\n'
        f"        return DataSpec(shape=(1, 8, 8), train=9, modes=0, {changes})\n\n    def load(self):\n        pass\n"
    )
    with pytest.raises(GanbenchError, match=message):
        dataset_specs.describe_in_process(str(path), {})
    told = json.loads(dataset_specs.describe_as_json(str(path), {}).removeprefix(dataset_specs.MARK))
    assert "error" in told


@pytest.mark.parametrize(("mean", "std"), RANGES)
def test_the_script_of_an_export_draws_in_the_range_of_the_data(tmp_path, monkeypatch, mean, std):
    data = spec(mean, std)
    model = {
        "latent_size": 1,
        "latent_seed": 0,
        "conditional": [],
        "batch_size": 16,
        "data": {"mean": mean, "std": std},
    }
    (tmp_path / "model.json").write_text(json.dumps(model))
    monkeypatch.setattr(export, "load", lambda folder: _Ends(data))
    exec(compile(SCRIPT, "sample.py", "exec"), {"__file__": str(tmp_path / "sample.py")})
    drawn = np.asarray(Image.open(tmp_path / "samples.png"))
    assert set(np.unique(drawn)) == {0, 255}
    assert (drawn == 255).mean() > 0.2
