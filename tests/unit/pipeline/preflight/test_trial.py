"""The trial of a study: whatever components' files do wrong is found before any job starts, and told in two lines."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from building import gan, part, training
from judging import look
from PIL import Image

from ganbench.architectures import labels_caution
from ganbench.contracts import CONTRACTS
from ganbench.contracts.measuring import metric_fault
from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.data import DataSpec, Examples
from ganbench.data.ring8 import Ring8
from ganbench.engine.scoring import Scorer
from ganbench.metrics.fd import FD
from ganbench.pipeline import results_folder
from ganbench.pipeline.execution import limits
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.preflight import component_trials, trial_data, trial_steps
from ganbench.pipeline.preflight.check import check
from ganbench.pipeline.preflight.sizes import trial_size
from ganbench.pipeline.preflight.trial import Trial, try_study
from ganbench.pipeline.preflight.trial_messages import (
    Begun,
    Estimated,
    Failed,
    Message,
    Note,
    Passed,
    Progress,
    from_line,
    to_line,
)
from ganbench.pipeline.preflight.trial_steps import small_first
from ganbench.pipeline.resources.stand_in_judge import StandIn
from ganbench.pipeline.resources.stored_estimates import Estimate, Timings
from ganbench.pipeline.stages import run
from ganbench.study.schema import parse

pytestmark = pytest.mark.usefixtures("hurried")

RING = {
    "dataset": {"name": "ring8", "examples": 64},
    "architecture": {"name": "mlp", "width": 4, "depth": 1, "latent_size": 2},
    "learning_rate": 1e-3,
    "seed": [0, 1],
}


def plan(tmp_path: Path, block: dict | None = None, **changes) -> Plan:
    study = {"study": "tiny", "results": str(tmp_path / "results"), "grid": [RING | (block or {})]}
    found = Plan(parse(study | {"train": {"steps": 10, "batch_size": 8}} | changes, origin="study"))
    results_folder.prepare(found)
    return found


def own(tmp_path: Path, family: str, source: str) -> tuple[Path, Plan]:
    """A component's file with this source, and a study that uses it."""
    path = tmp_path / f"own_{family}.py"
    path.write_text(textwrap.dedent(source))
    if family == "metric":
        return path, plan(tmp_path, evaluate={"metrics": ["mode_coverage", str(path)]})
    if family == "diagnostic":
        return path, plan(tmp_path, diagnose=[{"name": "own", "diagnostic": str(path)}])
    return path, plan(tmp_path, {family: str(path)})


def refused(tmp_path: Path, family: str, source: str) -> str:
    """What the trial says of a study with a component of this source: two lines, of which the first names the file."""
    path, found = own(tmp_path, family, source)
    with pytest.raises(GanbenchError) as told:
        try_study(found)
    first, second = str(told.value).split("\n")
    assert str(path) in first, first
    assert second == CONTRACTS[family]
    return first


def notes(messages: Iterable[Message]) -> list[str]:
    """The notes for the study's author among the messages of a trial."""
    return [each.text for each in messages if isinstance(each, Note)]


def test_messages_survive_the_way_to_the_process_that_started_the_trial():
    estimate = Estimate("ring8-mlp", 2, (31, 17), seconds=0.25, bytes=900, memory=800, scoring=0.5, scoring_memory=7)
    timings = Timings(prepare={"ring8": 0.125}, observations={"path": {"ring8-mlp": 2.0}}, digest="d")
    messages = [
        *(Begun("grid: ring8-mlp", 2.5), Begun("the study", None), Note("two\nlines"), Progress("timing")),
        *(Estimated(estimate), Passed([estimate], timings), Failed("grid: ring8-mlp: it diverges.")),
    ]
    assert {type(each) for each in messages} == set(get_args(Message))
    lines = [to_line(each) for each in messages]
    assert all(each.count(b"\n") == 1 for each in lines)
    assert [from_line(each) for each in lines] == messages


def line(source: str, mark: str) -> int:
    return 1 + next(i for i, text in enumerate(textwrap.dedent(source).splitlines()) if mark in text)


# Architectures --------------------------------------------------------------------------------------------------------

ARCHITECTURE = """\
import os, random, sys, time
from dataclasses import dataclass
import numpy as np
import torch
from torch import nn
from ganbench.architectures import Architecture
CALLS = [0]
OWN = torch.Generator().manual_seed(0)
SCALE = 1.0


class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.layer = nn.Linear(inputs, outputs)
        self.calls = 0
        self.kept = torch.ones(1)
        {build}

    def forward(self, x):
        y = self.layer(x)
        {forward}
        return y


@dataclass(frozen=True)
class Own(Architecture):
    latent_size: int = 2

    def unsupported(self, data):
        return None

    def generator(self, data):
        {generator}
        return Net(self.latent_size, 2)

    def discriminator(self, data):
        return nn.Sequential(Net(2, 1), nn.Flatten(0))
"""


def architecture(build: str = "pass", forward: str = "pass", generator: str = "pass") -> str:
    return ARCHITECTURE.format(build=build, forward=forward, generator=generator)


def test_an_architecture_that_does_nothing_wrong_passes(tmp_path):
    _, found = own(tmp_path, "architecture", architecture())
    assert try_study(found)[0][0].runs == 2


CLASSIFYING = """\
from dataclasses import dataclass
import torch
from torch import nn
from ganbench.architectures import Architecture


class Embedded(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.embedding, self.layer = nn.Embedding(classes, 2), nn.Linear(4, 2)

    def forward(self, z, labels):
        return self.layer(torch.cat([z, self.embedding(labels)], dim=1))


class Classifying(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer = nn.Linear(2, 1 + classes)

    def forward(self, x):
        y = self.layer(x)
        return y[:, 0], y[:, 1:]


@dataclass(frozen=True)
class Own(Architecture):
    latent_size: int = 2
    conditional = ("generator",)

    def generator(self, data):
        return Embedded(data.modes)

    def discriminator(self, data):
        return Classifying(data.modes)
"""


def test_a_conditional_architecture_is_trained_and_evaluated_with_the_labels_of_its_data(tmp_path):
    path = tmp_path / "own_architecture.py"
    path.write_text(CLASSIFYING)
    found = plan(tmp_path, {"architecture": str(path), "objective": "auxiliary_classifier"})
    assert try_study(found)[0][0].runs == 2


@pytest.mark.parametrize(("classes", "told"), [([9, 1], 1), ([5, 5], 0)])
def test_what_labels_of_unequal_classes_give_away_is_told(tmp_path, classes, told):
    for kind, count in enumerate(classes):
        folder = tmp_path / "images" / str(kind)
        folder.mkdir(parents=True)
        for index in range(4 * count):
            Image.new("L", (8, 8), 20 * kind + index).save(folder / f"{index}.png")
    dataset = {
        "name": "image_folder",
        "folder": str(folder.parent),
        "image_size": 8,
        "channels": 1,
        "heldout_share": 0.1,
    }
    network = {"name": "sngan", "base_channels": 2, "conditioning": "projection"}
    found, said = plan(tmp_path, {"dataset": dataset, "architecture": network}), []
    trial = Trial(found, said.append, memory=1 << 40)
    run = found.grid.runs[0]
    spec, _ = trial.data.tried(run.choice("dataset"))
    trial._architecture(run.choice("architecture"), run.choice("dataset"), spec)
    assert sum("so that labels alone tell real from generated ones" in note for note in notes(said)) == told
    # Nine in ten are of one class: a label is right with a probability of (0.9 + 0.5) / 2.
    caution = labels_caution(np.repeat([0, 1], [90, 10]), 2)
    assert "90.0% are of one class and 10.0% of another" in caution
    assert "probability of 0.70" in caution
    assert labels_caution(np.repeat([0, 1, 2], [34, 33, 33]), 3) is None


def test_an_objective_that_misses_an_output_or_labels_is_refused_before_any_work(tmp_path):
    with pytest.raises(GanbenchError, match=r"grid: .*the objective needs 'labels' .* takes a data set with labels"):
        try_study(plan(tmp_path, {"objective": "auxiliary_classifier"}))


def test_a_critic_s_loss_on_a_class_probability_is_refused_before_any_work(tmp_path):
    softmax = {"dataset": "digits", "architecture": {"name": "fc", "discriminator_output": "softmax"}}
    said = r"grid: digits-fc: architecture FC: .*Wasserstein takes a critic's score; choose an objective"
    with pytest.raises(GanbenchError, match=said):
        try_study(plan(tmp_path, softmax | {"objective": "wasserstein"}))


def test_a_conditional_architecture_says_which_networks_are(tmp_path):
    first = refused(tmp_path, "architecture", CLASSIFYING.replace('("generator",)', '("discriminator",)'))
    assert re.search(r"must be \(\), \('generator',\) or .*but is \('discriminator',\)", first), first


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        # What is remembered from call to call.
        ("self.calls += 1", "changes its attribute 'layer.calls'|changes its attribute 'calls'"),
        ("self.calls += 1; y = y * (1 + 1e-3 * self.calls)", "changes its attribute 'calls'"),
        ("self.kept = self.kept + 1", "changes its attribute 'kept'"),
        ("self.kept.add_(1)", "changes its attribute 'kept'"),
        ("CALLS[0] += 1", "changes its global value 'CALLS'"),
        ("y = y * (1 + 1e-3 * next(self.__dict__.setdefault('_i', iter(range(99)))))", "another output"),
        # What is drawn, and other things that are no arguments.
        ("y = y + torch.randint(3, (1,))", "draws from PyTorch's global random numbers"),
        ("y = y + float(np.random.rand())", "draws from NumPy's global random numbers"),
        ("y = y + float(np.random.default_rng().random())", "another output for the same input"),
        ("y = y + random.random()", "draws from Python's global random numbers"),
        ("y = y + torch.rand(1, generator=OWN)", "changes its global value 'OWN'"),
        ("y = y * (1 + time.time() * 1e-9)", "another output for the same input"),
        ("torch.set_default_dtype(torch.float64)", "changes PyTorch's default dtype for the whole process"),
        ("torch.set_grad_enabled(False)", "changes whether PyTorch takes gradients for the whole process"),
        ("os.chdir('/')", "changes the working directory for the whole process"),
        # What cannot be differentiated.
        ("y = y.detach()", "that no gradient reaches"),
        ("y = torch.tensor(y.tolist())", "that no gradient reaches"),
        ("y = self.layer(x.detach())", "passes no gradient to its inputs"),
        # What is no float32 tensor of the right shape.
        ("y = y.double()", "gives outputs of torch.float64 for inputs of float32"),
        ("y = y.to(torch.complex64)", "gives outputs of torch.complex64"),
        ("y = y.float()", "gives outputs of torch.float32 for inputs of float64"),
        (
            "y = y[:, :1].expand(-1, 3)",
            r"gives outputs of shape \(4, 3\) for inputs of shape \(4, 2\); must be \(4, 2\)",
        ),
        ("return None", "gives out NoneType"),
        # What is raised.
        ("raise KeyError('width')", "own_architecture.py, line 22: KeyError: 'width'"),
        ("raise KeyboardInterrupt", "own_architecture.py, line 22: KeyboardInterrupt"),
        ("sys.exit(0)", "own_architecture.py, line 22: SystemExit: 0"),
        ("y = self.forward(x)", "own_architecture.py, line 2[12]: RecursionError"),
        ("y = y @ y", r"own_architecture.py, line 22: RuntimeError: .*mat1 and mat2 .*, on inputs of shape \(4, 2\)"),
        ("y = torch.ones(10**12)", "line 22: needs more memory than a trial may take"),
    ],
)
def test_a_network_s_forward_pass(tmp_path, forward, message):
    assert re.search(message, first := refused(tmp_path, "architecture", architecture(forward=forward))), first


@pytest.mark.parametrize("forward", ["y = y * (1 + y.sum().item() ** 2)", "y = y if y.sum() > 0 else -y"])
def test_a_network_that_cannot_be_vectorised_trains_member_by_member(tmp_path, forward):
    said = []
    _, found = own(tmp_path, "architecture", architecture(forward=forward))
    try_study(found, say=said.append)
    (note,) = {note for note in notes(said) if "one run at a time" in note}
    assert re.search("grid: .*: PyTorch computes its .* for one run at a time only .*vmap", note)


@pytest.mark.parametrize(
    "forward",
    [
        "y = nn.functional.dropout(y, 0.2)",
        pytest.param("y = y + torch.randn_like(y)", marks=pytest.mark.slow),
        pytest.param("self.count += 1; y = y * (1 + 1 / (1 + self.count))", marks=pytest.mark.slow),
        "y = nn.functional.batch_norm(y, self.mean, self.var, training=True)",
    ],
)
def test_buffers_and_pytorch_s_random_numbers_are_the_run_s_own(tmp_path, forward):
    build = (
        "self.register_buffer('count', torch.zeros(())); self.register_buffer('mean', torch.zeros(outputs)); "
        "self.register_buffer('var', torch.ones(outputs))"
    )
    _, found = own(tmp_path, "architecture", architecture(build=build, forward=forward))
    assert try_study(found)[0][0].runs == 2


MIXING = {  # what a forward pass does with a batch, and whether an example's output depends on the others then
    "y = (y - y.mean(0)) / (1 + y.var(0))": True,
    "y = y + x.std(0).mean()": True,  # as of minibatch discrimination
    "y = nn.functional.batch_norm(y, self.mean, self.var, training=True)": True,
    "y = nn.functional.dropout(y, 0.2)": False,
    "y = nn.functional.layer_norm(y, y.shape[1:]) + y": False,
}


QUICK = ("y = y + x.std(0).mean()", "y = nn.functional.dropout(y, 0.2)")  # one that mixes, and one that does not


@pytest.mark.parametrize(
    "forward", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in MIXING]
)
def test_a_penalty_of_each_example_is_refused_where_examples_mix(tmp_path, forward):
    path = tmp_path / "own_architecture.py"
    build = "self.register_buffer('mean', torch.zeros(outputs)); self.register_buffer('var', torch.ones(outputs))"
    path.write_text(architecture(build=build, forward=forward))
    assert try_study(plan(tmp_path, {"architecture": str(path)})), "without a penalty it is in order"
    penalised = plan(tmp_path, {"architecture": str(path), "regularizer": "zero_centered_gp"})
    if not MIXING[forward]:
        assert try_study(penalised)
        return
    with pytest.raises(GanbenchError) as told:
        try_study(penalised)
    assert str(told.value).startswith("grid: ring8-own-architecture")
    for words in (
        "regularizer 'zero_centered_gp'",
        "architecture 'own_architecture'",
        "batch",
        "discriminator_norm: instance",
    ):
        assert words in str(told.value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ("self.layer.weight.data.fill_(float(np.random.default_rng().random()))", "other parameters when it is built"),
        ("self.layer.weight.data.fill_(np.random.rand())", "draws from NumPy's global random numbers"),
        ("self.layer.weight.data.fill_(time.time())", "other parameters when it is built"),
        ("CALLS[0] += 1; self.layer.weight.data.mul_(CALLS[0])", "other parameters when it is built"),
        ("nn.init.zeros_(self.layer.weight); nn.init.zeros_(self.layer.bias)", "whatever the seed"),
        ("self.layer.weight.requires_grad_(False)", "'layer.weight' that asks for no gradient"),
        ("self.layer = self.layer.double()", "'layer.weight' of torch.float64; all must be float32"),
        ("self.more = nn.Linear(2, 2)", "no gradient to its parameter 'more.weight'"),
        ("self.layer = nn.LazyLinear(outputs)", "that has no shape before the first call"),
        ("torch.set_default_dtype(torch.float64)", "changes PyTorch's default dtype"),
    ],
)
def test_a_network_s_making(tmp_path, build, message):
    assert re.search(message, first := refused(tmp_path, "architecture", architecture(build=build))), first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("latent_size: int = 2", "size: int = 2"), "line 35: AttributeError|it has no latent_size"),
        (("latent_size: int = 2", "latent_size: int = 0"), "whole number from 1 to 1,000,000, but is 0"),
        (("latent_size: int = 2", "latent_size: str = 'two'"), "whole number from 1 to 1,000,000, but is 'two'"),
        (("latent_size: int = 2", "latent_size: int = 1000000000"), "but is 1000000000"),
        (("@dataclass(frozen=True)\n", ""), "TypeError|must be a frozen dataclass"),
        (("@dataclass(frozen=True)\n", "@dataclass\n"), "must be a frozen dataclass"),
        (("import numpy as np", "import numpyy as np"), "line 3: ModuleNotFoundError: No module named 'numpyy'"),
        (("SCALE = 1.0", "SCALE = 1 / 0"), "line 9: ZeroDivisionError"),
        (("return Net(self.latent_size, 2)", "return lambda x: x"), "its generator is function, which is no nn.Module"),
        (("return Net(self.latent_size, 2)", "return None"), "its generator is NoneType"),
        (("def discriminator", "def critic"), r"must have a method discriminator\(\)"),
        (("        return None\n", "        return 3\n"), r"unsupported\(\) must give None or a sentence, but gives 3"),
    ],
)
def test_an_architecture_s_class(tmp_path, change, message):
    source = architecture()
    assert change[0] in source
    first = refused(tmp_path, "architecture", source.replace(*change, 1))
    assert re.search(message, first), first


@pytest.mark.parametrize(
    ("forever", "seconds", "wall", "after"),
    [("while True: pass", 1, 1e6, "1 seconds of processor time"), ("time.sleep(1e6)", 1e3, 5e-3, "5 seconds")],
)
def test_what_does_not_end_is_ended_where_it_is(tmp_path, monkeypatch, forever, seconds, wall, after):
    """Only one of the two limits is within reach, so that how busy the machine is does not decide which comes first."""
    monkeypatch.setattr(component_trials.ComponentTrials.attempt.__wrapped__, "__defaults__", (seconds,))
    monkeypatch.setattr(limits, "WALL", wall)
    first = refused(tmp_path, "architecture", architecture(forward=forever))
    assert first.endswith(f"line 22: not done after {after}."), first


def test_large_networks_may_take_longer():
    """13 million parameters, and 2 gradients a step; small networks have the usual limit."""
    data = DataSpec((1, 28, 28), True, 8, 10)
    sizes = {}
    for name in ("infogan", "dcgan_tensorflow", "mlp"):
        game = gan(np.zeros((8, 1, 28, 28)), data=data, architecture=part("architecture", name), batch_size=2)
        sizes[name] = trial_size(game, training())
    assert sizes["mlp"] == 1.0
    assert sizes["infogan"] > 13.2
    assert 8.8 < sizes["dcgan_tensorflow"] < sizes["infogan"]


# Parts of the game ----------------------------------------------------------------------------------------------------

OBJECTIVE = """\
import random
from dataclasses import dataclass
import torch
from torch.nn.functional import softplus
from ganbench.objectives import Objective

@dataclass(frozen=True)
class Own(Objective):
    def real(self, logits):
        return {real}

    def fake(self, logits):
        return softplus(logits)

    def generator(self, logits):
        return softplus(-logits)

    def output(self, logits):
        return logits.sigmoid()
"""
REGULARIZER = """\
from dataclasses import dataclass
import torch
from ganbench.regularizers import Regularizer, input_gradient

COUNT = [0]


@dataclass(frozen=True)
class Own(Regularizer):
    def draw(self, generator, count, shape, like):
        {draw}
        return {{}}

    def penalty(self, discriminator, real, fake, noise):
        slope = input_gradient(discriminator, real.points).square().sum(-1)
        {penalty}
        return real.mean(slope)
"""
OPTIMIZER = """\
from dataclasses import dataclass
import torch
from ganbench.optimizers import Optimizer

@dataclass(frozen=True)
class Own(Optimizer):
    def init(self, theta):
        return {{"mean": torch.zeros_like(theta)}}

    def step(self, theta, gradient, state, rate):
        {step}
        return theta - rate * mean, {{"mean": mean}}
"""
DYNAMICS = """\
from dataclasses import dataclass
import torch
from ganbench.dynamics import Dynamics, StepResult, apply_gradients, record, scaled, simultaneous_gradient

COUNT = [0]


@dataclass(frozen=True)
class Own(Dynamics):
    @property
    def gradients_per_move(self):
        return 2

    def move(self, match, players, states, batches, optimizer, rates):
        here = simultaneous_gradient(match, players, batches[0])
        {step}
        return StepResult(*apply_gradients(match, players, states, here.gradients, optimizer, rates), record(here))
"""


@pytest.mark.parametrize(
    ("family", "source", "message"),
    [
        ("objective", OBJECTIVE.format(real="softplus(-logits)"), None),
        ("objective", OBJECTIVE.format(real="softplus(-logits).mean()"), r"its real\(\) gives shape \(\); must be"),
        ("objective", OBJECTIVE.format(real="logits - logits.mean()"), "is not elementwise"),
        ("objective", OBJECTIVE.format(real="softplus(-logits).detach()"), r"its real\(\) passes no gradient"),
        ("objective", OBJECTIVE.format(real="logits.float()"), "gives torch.float32 for float64"),
        ("objective", OBJECTIVE.format(real="logits + random.random()"), "draws from Python's global random numbers"),
        ("objective", OBJECTIVE.format(real="logits.log()"), "not finite"),
        ("objective", OBJECTIVE.format(real="{}['x']"), "line 10: KeyError: 'x'"),
        ("regularizer", REGULARIZER.format(draw="pass", penalty="pass"), None),
        ("regularizer", REGULARIZER.format(draw="pass", penalty="raise ValueError('no')"), "line 16: ValueError: no"),
        (
            "regularizer",
            REGULARIZER.format(draw="pass", penalty="return slope"),
            r"gives shape \(3, 8\); must be \(3,\)",
        ),
        ("regularizer", REGULARIZER.format(draw="pass", penalty="slope = slope + slope.mean()"), "mixes members"),
        (
            "regularizer",
            REGULARIZER.format(draw="pass", penalty="COUNT[0] += 1; slope = slope * COUNT[0]"),
            "gives something else when it is called again",
        ),
        (
            "regularizer",
            REGULARIZER.format(draw="return {'u': torch.rand(count, dtype=like.dtype)}", penalty="pass"),
            r"its draw\(\) draws from PyTorch's global random numbers, which all runs share; draw from the generator",
        ),
        ("regularizer", REGULARIZER.format(draw="return 1", penalty="pass"), r"its draw\(\) gives int; must be"),
        (
            "regularizer",
            REGULARIZER.format(draw="pass", penalty="pass").replace("COUNT = [0]", "Regularizer = object"),
            "must derive from ganbench.regularizers.Regularizer",
        ),
        ("optimizer", OPTIMIZER.format(step="mean = state['mean'] + gradient"), None),
        ("optimizer", OPTIMIZER.format(step="mean = state['mean'].add_(gradient)"), "something else|changes in place"),
        ("optimizer", OPTIMIZER.format(step="mean = gradient - gradient.mean()"), "mixes members"),
        (
            "optimizer",
            OPTIMIZER.format(step="mean = state['mean'].sum()"),
            r"has 'mean' in its state, whose first axis",
        ),
        ("optimizer", OPTIMIZER.format(step="mean = state['men']"), "line 11: KeyError: 'men'"),
        ("dynamics", DYNAMICS.format(step="pass"), None),
        (
            "dynamics",
            DYNAMICS.format(step="COUNT[0] += 1; rates = scaled(rates, COUNT[0])"),
            "something else when it is called",
        ),
        ("dynamics", DYNAMICS.format(step="rates['generator'] *= 0.5"), "changes in place|something else"),
        (
            "dynamics",
            DYNAMICS.format(step="return StepResult(players, states, {})"),
            "must measure discriminator's loss",
        ),
        ("dynamics", DYNAMICS.format(step="return None"), "AttributeError: 'NoneType'"),
        (
            "dynamics",
            DYNAMICS.format(
                step="mine = here.gradients; "
                "mine['generator'] = mine['generator'].mean(0, keepdim=True).expand(len(match.members), -1)"
            ),
            "two runs together differs from that of each run alone",
        ),
    ],
)
def test_parts_of_the_game(tmp_path, family, source, message):
    if message is None:
        _, found = own(tmp_path, family, source)
        try_study(found)
    else:
        assert re.search(message, first := refused(tmp_path, family, source)), first


# Metrics, diagnostics, judges and data sets ---------------------------------------------------------------------------

METRIC = """\
import random
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from ganbench.core.metric_info import MetricInfo
from ganbench.metrics import Metric

@dataclass(frozen=True)
class Own(Metric):
    columns: ClassVar = {{{column}: MetricInfo("Own", "An own number.", "low", 0.0, 1.0)}}

    def unsupported(self, data):
        return None

    def reference(self, real, heldout):
        return {reference}

    def score(self, generated, reference):
        {score}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("return {'own': 0.5}", None),
        ("return {'own': np.float32(1.0)}", None),
        ("return {}", "gives no value for its column 'own'"),
        ("return {'own': 0.5, 'more': 1.0}", "gives a value for 'more', which is none of its columns own"),
        ("return 0.5", "gives 0.5, which is no mapping of its columns own to numbers"),
        ("return {'own': 1.5}", "gives 1.5 for its column 'own', above its upper bound 1"),
        ("return {'own': -1}", "gives -1 for its column 'own', below its lower bound 0"),
        ("return {'own': float('nan')}", "gives NaN for its column 'own'"),
        ("return {'own': 1j}", "gives 1j for its column 'own', which is no real number"),
        ("return {'own': '0.5'}", "gives '0.5' for its column 'own', which is no real number"),
        ("return {'own': None}", "gives None for its column 'own'"),
        ("return {'own': True}", "gives True for its column 'own'"),
        ("return {'own': np.zeros(3)}", "for its column 'own', which is no real number"),
        ("generated.features[:] = 0; return {'own': 0.5}", "it changes the judged examples"),
        ("generated.examples[0] += 1; return {'own': 0.5}", "it changes the judged examples"),
        ("return {'own': random.random()}", "draws from Python's global random numbers"),
        ("return {'own': np.random.default_rng().random()}", "gives something else when it is called again"),
        ("return {'own': 1 / 0}", "line 19: ZeroDivisionError"),
    ],
)
def test_a_metric_s_numbers(tmp_path, score, message):
    source = METRIC.format(column="'own'", score=score, reference="{}")
    if message is None:
        try_study(own(tmp_path, "metric", source)[1])
    else:
        assert re.search(message, first := refused(tmp_path, "metric", source)), first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("np.zeros(3)", r"its reference\(\) gives an array of float64; must be NumPy arrays and numbers, in dicts"),
        ("{'a': {'b': [1.0]}}", r"its reference\(\) gives list at /a/b; must be"),
        ("{'a': np.array(['x'])}", r"its reference\(\) gives an array of <U1 at /a; must be"),
        ("{3: 1.0}", r"its reference\(\) has the key 3; a key must be text"),
        ("{'a': random.random()}", r"its reference\(\) draws from Python's global random numbers"),
    ],
)
def test_a_metric_s_reference_can_be_stored(tmp_path, reference, message):
    source = METRIC.format(column="'own'", score="return {'own': 0.5}", reference=reference)
    assert re.search(message, first := refused(tmp_path, "metric", source)), first


@pytest.mark.slow
def test_a_metric_s_score_leaves_the_reference_alone(tmp_path):
    score = "reference['a'][0] += 1; return {'own': 0.5}"
    source = METRIC.format(column="'own'", score=score, reference="{'a': np.zeros(3)}")
    assert re.search("changes the reference, which all runs share", first := refused(tmp_path, "metric", source)), first


@pytest.mark.cluster
def test_a_metric_that_needs_more_examples_than_there_will_be_is_refused(tmp_path):
    fewest = METRIC.replace("    def unsupported", "    fewest: ClassVar[int] = 3000\n\n    def unsupported")
    source = fewest.format(column="'own'", score="return {'own': 0.5}", reference="{}")
    with pytest.raises(GanbenchError, match=r"needs 3,000 examples or more, but evaluate\.samples is 2,000"):
        check(own(tmp_path, "metric", source)[1])


@pytest.mark.parametrize(("channels", "coloured", "told"), [(3, 0, 1), (3, 1, 0), (1, 0, 0)])
def test_grey_images_that_are_read_as_colours_are_told(tmp_path, channels, coloured, told):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(8):
        image = Image.new("RGB", (8, 8), (9, 9, index)) if coloured else Image.new("L", (8, 8), index)
        image.save(folder / f"{index}.png")
    dataset = {"name": "image_folder", "folder": str(folder), "image_size": 8, "channels": channels, "label": "blobs"}
    found, said = plan(tmp_path, {"dataset": dataset}), []
    components = component_trials.ComponentTrials(said.append)
    spec, _ = trial_data.DataTrials(found, components).tried(found.grid.runs[0].choice("dataset"))
    grey = [note for note in notes(said) if "channels: 1" in note]
    assert len(grey) == told
    assert all(
        note.startswith("blobs = image_folder(") and f"all {spec.train} training images" in note for note in grey
    )


@pytest.mark.parametrize("draws", [1, 0, 2.5, True])
def test_a_metric_whose_null_would_have_no_spread_is_refused(draws):
    class Own(FD):
        pass

    Own.draws = draws
    real = look(np.arange(8.0).reshape(4, 2))
    fault = metric_fault(Own(), DataSpec(shape=(2,), bounded=False, train=64, modes=2), real, real)
    assert fault == f"its draws is {draws}; must be a whole number of 2 or more"


@pytest.mark.slow
def test_too_few_samples_for_the_judge_s_features_are_told(tmp_path):
    evaluate = {"metrics": ["fd", "mode_coverage"], "samples": 32, "judge": {"name": "random_features"}}
    for features, told in ((31, []), (32, ["32 samples are too few for 32 features"])):
        evaluate["judge"]["features"] = features
        said = []
        found = plan(tmp_path, {"dataset": "digits", "architecture": "fc"}, evaluate=evaluate)
        try_study(found, say=said.append)
        cautions = [note for note in notes(said) if "too few for" in note]
        assert len(cautions) == len(told)
        assert all(note.startswith(f"fd on digits: {text}") for note, text in zip(cautions, told, strict=True))


@pytest.mark.slow
def test_too_few_real_examples_for_a_null_are_told(tmp_path):
    """360 held-out digits are fewer than two times 500 samples; at half of 1,797 / 1,937 of the size, 231 play 500."""
    evaluate = {"metrics": ["fd"], "samples": 500, "judge": {"name": "random_features"}}
    for features, told in ((230, 0), (231, 1)):
        evaluate["judge"]["features"] = features
        said = []
        found = plan(tmp_path, {"dataset": "digits", "architecture": "fc"}, evaluate=evaluate)
        try_study(found, say=said.append)
        found = [note for note in notes(said) if "it will not be known what real data score" in note]
        assert len(found) == told
        assert all("231 samples are too few for 231 features" in note for note in found)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("'modes'", "column 'modes' is one of metric mode_coverage already; call it something else"),
        ("'step'", "column 'step' is one of the tables already"),
        ("'learning_rate'", "column 'learning_rate' is one of the tables already"),
        ("'judge_accuracy'", "is one of the tables already"),
        ("3", "column 3: a name has 1 to 64 lower-case letters"),
        ("'Own one'", "column 'Own one': a name has"),
    ],
)
def test_a_metric_s_columns(tmp_path, column, message):
    assert re.search(
        message, first := refused(tmp_path, "metric", METRIC.format(column=column, score="pass", reference="{}"))
    ), first


DIAGNOSTIC = """\
from dataclasses import dataclass
import numpy as np
from ganbench.core.metric_info import MetricInfo
from ganbench.diagnostics import Diagnostic, DiagnosticResult


@dataclass(frozen=True)
class Own(Diagnostic):
    def columns(self, game):
        return {{"own": MetricInfo("Own", "An own number.", "low", 0.0, 1.0)}}

    def measure(self, trajectories):
        runs = len(trajectories.match.members)
        {measure}
"""


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("return DiagnosticResult({'own': np.full(runs, np.nan)})", None),
        ("return DiagnosticResult({'own': np.zeros(runs + 1)})", r"gives shape \(3,\) for 'own'; must be \(2,\)"),
        ("return DiagnosticResult({'own': np.full(runs, 2.0)})", "above its upper bound 1"),
        ("return DiagnosticResult({'other': np.zeros(runs)})", "gives no value for its column 'own'"),
        ("return {'own': 0}", r"its measure\(\) gives dict; must be a DiagnosticResult"),
        ("raise LookupError('nothing')", "line 14: LookupError: nothing"),
    ],
)
def test_a_diagnostic_s_reading(tmp_path, measure, message):
    source = DIAGNOSTIC.format(measure=measure)
    if message is None:
        try_study(own(tmp_path, "diagnostic", source)[1])
    else:
        assert re.search(message, first := refused(tmp_path, "diagnostic", source)), first


@pytest.mark.slow
def test_a_diagnostic_that_takes_long_is_no_fault_but_told(tmp_path, monkeypatch):
    monkeypatch.setattr(component_trials, "BRIEF_SECONDS", 0.3)
    said = []
    _, found = own(tmp_path, "diagnostic", DIAGNOSTIC.format(measure="while True: pass"))
    try_study(found, say=said.append)
    assert any("diagnose.own: " in note and "was not tried to its end" in note for note in notes(said)), said


DATASET = """\
import os, random
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from ganbench.data import Dataset, DataSpec, Examples

CENTRES = np.array([[0.0, 0.5], [0.5, 0.0]])


@dataclass(frozen=True)
class Own(Dataset):
    judge: ClassVar = "mixture"

    @property
    def spec(self):
        return DataSpec(shape=(2,), bounded=True, train=20, modes=2{spec})

    def load(self):
        modes = np.arange(20) % 2
        train = (CENTRES[modes] + 0.01 * np.random.default_rng(0).normal(size=(20, 2))).astype(np.float32)
        heldout, heldout_modes = train[:8].copy(), modes[:8].copy()
        {load}
        return Examples(train, modes, heldout, heldout_modes, {{"centers": CENTRES, "sigma": np.array(0.01)}})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("load", "message"),
    [
        ("pass", None),
        ("train, modes = train[:10], modes[:10]", "it has 10 training examples, but its spec says 20"),
        ("heldout, heldout_modes = heldout[:0], heldout_modes[:0]", "it has 0 heldout examples; must be two or more"),
        ("heldout, heldout_modes = heldout[:1], heldout_modes[:1]", "it has 1 heldout examples; must be two or more"),
        ("modes = modes + 1", "train modes hold 2; with 2 modes in its spec, valid are 0 to 1"),
        ("modes = modes - 1", "train modes hold -1"),
        ("modes = modes * 0", "spec says 2 modes, but no training example is of mode 1"),
        ("modes = modes.astype(float)", "train modes are float64, not int64"),
        ("modes = list(modes)", "train modes are list, not a NumPy array"),
        ("modes = modes[:, None]", r"train has modes of shape \(20, 1\) for 20 examples"),
        ("train = 3 * train", "but its spec says all values lie in"),
        ("train[3, 1] = np.nan", "train examples hold values that are not finite"),
        ("train = train.astype(float)", "train examples are float64, not float32"),
        ("train = train[:, :1]", r"train examples have shape \(1,\), but its spec says \(2,\)"),
        ("train[0] += random.random() * 1e-3", r"its load\(\) draws from Python's global random numbers"),
        ("train[0] += np.random.default_rng().random() * 1e-3", r"its load\(\) gives something else"),
        ("return train", r"its load\(\) gives ndarray; must be Examples"),
        ("open('/nowhere/at/all')", "line 22: FileNotFoundError"),
    ],
)
def test_a_data_set_s_examples(tmp_path, load, message):
    source = DATASET.format(spec="", load=load)
    if message is None:
        try_study(own(tmp_path, "dataset", source)[1])
    else:
        assert re.search(message, first := refused(tmp_path, "dataset", source)), first


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (", files=('/nowhere/x.npy',)", "its file '/nowhere/x.npy' is not there"),
        (") if 1 / 0 else DataSpec((2,), True, 20, 2", "line 16: ZeroDivisionError"),
        (") and os._exit(0", r"ended the process that asked what it is \(0\)"),
        (") and DataSpec((2,), True, 1, 2", "its spec says 1 training examples; must be a whole number, two or more"),
        (") and DataSpec((0,), True, 20, 2", r"its spec says shape \(0,\)"),
        (") and DataSpec((2,), True, 20, 2.5", "its spec says 2.5 modes"),
    ],
)
def test_what_a_data_set_says_of_itself_is_asked_in_another_process(tmp_path, spec, message):
    with pytest.raises(GanbenchError, match=message) as told:
        own(tmp_path, "dataset", DATASET.format(spec=spec, load="pass"))
    first, second = str(told.value).split("\n")
    assert "own_dataset.py" in first
    assert second.startswith("A data set has `judge`")


JUDGE = """\
from dataclasses import dataclass
import numpy as np
from ganbench.core.errors import GanbenchError
from ganbench.judges import Judge, JudgedExamples


@dataclass(frozen=True)
class Own(Judge):
    def untrained(self, examples):
        return {{}}

    def fit(self, examples, report):
        {fit}
        return {{"accuracy": 1.0}}

    def judge(self, state, examples):
        mode, features = (examples[:, 0] > 0.25).astype(int), examples.astype(np.float64)
        {look}
        return JudgedExamples(examples, features, mode, np.ones(len(mode), dtype=bool), 2)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fit", "look", "message"),
    [
        ("pass", "pass", None),
        ("if len(examples.train) < 20: raise GanbenchError('too few to learn from')", "pass", None),
        ("return {}", "pass", r"must be a dict of arrays and numbers, with 'accuracy'"),
        ("return {'accuracy': float(np.random.rand())}", "pass", r"its fit\(\) draws from NumPy's global"),
        ("pass", "mode = mode + 1", "gives modes from 1 to 2; valid are 0 to 1"),
        ("pass", "features = features.astype(np.float32)", "gives features of float32"),
        ("pass", "features = features[0]", r"gives features of ndarray \(2,\) for 20 examples"),
        ("pass", "examples += 1", "something else|changes the examples"),
        ("pass", "raise IndexError('out')", "line 18: IndexError: out"),
    ],
)
def test_a_judge(tmp_path, fit, look, message):
    path = tmp_path / "own_judge.py"
    path.write_text(JUDGE.format(fit=fit, look=look))
    _, found = own(tmp_path, "dataset", DATASET.format(spec="", load="pass").replace('"mixture"', repr(str(path))))
    if message is None:
        try_study(found)
        return
    with pytest.raises(GanbenchError) as told:
        try_study(found)
    first, second = str(told.value).split("\n")
    assert str(path) in first
    assert second == CONTRACTS["judge"]
    assert re.search(message, first), first


def test_a_judge_that_refuses_the_data_is_told_before_work_starts(tmp_path):
    path = tmp_path / "own_judge.py"
    path.write_text(JUDGE.format(fit="raise GanbenchError('the classes are mixed up')", look="pass"))
    _, found = own(tmp_path, "dataset", DATASET.format(spec="", load="pass").replace('"mixture"', repr(str(path))))
    with pytest.raises(GanbenchError, match="the classes are mixed up"):
        try_study(found)


# The process ----------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_what_ends_the_process_is_named_and_what_it_prints_is_kept(tmp_path):
    path, found = own(tmp_path, "architecture", architecture(forward="print('noise', flush=True); os._exit(0)"))
    with pytest.raises(GanbenchError) as told:
        check(found)
    log = found.folder / "logs" / "check.log"
    assert str(told.value) == (
        f"grid: architecture {path}: the process that tried it ended with exit status 0; its output is in {log}."
    )
    assert "noise" in log.read_text()


@pytest.mark.slow
def test_the_process_reports_errors_and_estimates_whatever_is_printed(tmp_path):
    noise = "print('{\"error\": 1}'); sys.stderr.write('noise')"
    _, fine = own(tmp_path, "architecture", architecture(forward=noise))
    assert check(fine)[0].runs == 2
    path, found = own(tmp_path, "architecture", architecture(generator="raise ValueError('no')"))
    with pytest.raises(GanbenchError, match=rf"grid: architecture {path}, line 34: ValueError: no\.\nAn architecture"):
        check(found)
    assert "Traceback" in (found.folder / "logs" / "check.log").read_text()


@pytest.mark.slow
def test_a_network_of_too_many_parameters_is_refused_before_it_fills_the_memory(tmp_path):
    _, found = own(tmp_path, "architecture", architecture(build="self.more = nn.Linear(10**6, 10**6)"))
    with pytest.raises(GanbenchError, match=r"needs at least 32,000\.0 GB of memory.*: 1,000,001,000,006 param"):
        check(found)


@pytest.mark.slow
def test_a_network_that_takes_more_memory_than_there_is_is_ended_in_its_trial(tmp_path):
    path, found = own(tmp_path, "architecture", architecture(forward="torch.ones(2**40)"))
    with pytest.raises(GanbenchError, match=rf"{path}, line \d+: needs more memory than a trial may take"):
        check(found)


# Later stages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ("return {'own': float(np.abs(generated.examples).max())}", r"gives 9 for its column 'own', above its upper"),
        ("generated.mode[0] = 1; return {'own': 0.5}", r"changes the judged examples"),
    ],
)
def test_a_metric_is_held_to_its_contract_at_every_snapshot(tmp_path, score, message):
    path, _ = own(tmp_path, "metric", METRIC.format(column="'own'", score=score, reference="{}"))
    metric = registry.find("metric", str(path)).build({})
    data = DataSpec(shape=(2,), bounded=False, train=8, modes=2)
    real = np.zeros((8, 2), np.float32)
    panel = Scorer.of(StandIn(2), {}, [metric], data, Examples(real, None, real, None))
    with pytest.raises(GanbenchError, match=rf"metric {path}: its score\(\) {message}"):
        panel.score(np.full((8, 2), 9, np.float32) * np.array([[0], [1]] * 4, np.float32))


def test_a_data_set_that_loads_something_else_is_refused_by_prepare(tmp_path):
    load = "train[0] += np.random.default_rng().random() * 1e-3"
    _, found = own(tmp_path, "dataset", DATASET.format(spec="", load=load))
    (job,) = found.prepare.values()
    with pytest.raises(GanbenchError, match=r"own_dataset\.py: its load\(\) gives something else when it is called"):
        run(job)
    assert not job.path.exists()


@pytest.mark.parametrize("mean", [0.5, pytest.param(0.0, marks=pytest.mark.slow)])
def test_outputs_that_do_not_reach_the_data_s_range_are_a_note(tmp_path, mean):
    settings = {
        "dataset": {"name": "digits", "mean": mean, "std": 0.5 if mean else 1.0},
        "architecture": {"name": "fc", "output_activation": "sigmoid", "hidden_sizes": [4], "latent_size": 2},
    }
    said = []
    try_study(plan(tmp_path, settings), say=said.append)
    assert sum("do not reach the data's range [-1, 1]" in note for note in notes(said)) == (mean == 0.5)


def test_a_shipped_data_set_is_loaded_once_however_long_that_takes(tmp_path, monkeypatch):
    """Decoding CelebA takes more processor time than a user's file may; trial and estimates share its examples."""
    loads, load = [], Ring8.load

    def slow(dataset):
        loads.append(dataset)
        _spin(0.3)
        return load(dataset)

    monkeypatch.setattr(Ring8, "load", slow)
    monkeypatch.setattr(trial_data, "LOAD_SECONDS", 0.05)
    said = []
    (estimate,), timings = try_study(plan(tmp_path), say=said.append)
    assert len(loads) == 1
    progress = [each.text for each in said if isinstance(each, Progress)]
    assert progress[:2] == ["trying method 1 of 1: ring8-mlp", "timing method 1 of 1: ring8-mlp"]
    assert [each.estimate for each in said if isinstance(each, Estimated)] == [estimate]
    assert 0.3 <= timings.prepare["ring8-examples-64"] < 0.6, "it is prepared by one load, too"


WIDE, NARROW = ({"name": "mlp", "width": width, "depth": 1, "latent_size": 2} for width in (9, 3))


@pytest.mark.cluster
def test_training_steps_of_the_package_are_held_to_contracts_once_with_the_smallest_networks(tmp_path, monkeypatch):
    """Other networks take steps too; other dynamics, other settings and components of a user's own are held again."""
    own_path = tmp_path / "own.py"
    own_path.write_text(textwrap.dedent(architecture()))
    blocks = [
        RING | {"architecture": [WIDE, NARROW]},
        RING | {"architecture": WIDE, "dynamics": "simultaneous"},
        RING | {"architecture": [{"name": str(own_path)}], "regularizer": ["none", "r1"]},
        RING | {"architecture": [NARROW], "train": {"ema_decay": 0.9}, "label": "averaged"},
    ]
    found, held, trained = plan(tmp_path, grid=blocks, diagnose=[]), [], []
    monkeypatch.setattr(trial_steps, "game_fault", lambda game, *_: held.append(game))
    for name in ("dynamics_fault", "steps_fault"):
        monkeypatch.setattr(trial_steps, name, lambda *_, **__: None)
    trial = Trial(found, lambda line: None, 2**40)
    monkeypatch.setattr("ganbench.pipeline.preflight.trial.train", lambda game, *_, **__: trained.append(game))
    for part_ in (trial.metrics, trial.diagnostics):
        for name in ("evaluation", "diagnosis"):
            monkeypatch.setattr(part_, name, lambda *_: None, raising=False)
    methods = {name: [run for run in found.grid.runs if run.method == name] for name in found.grid.methods}
    for runs in small_first(methods.values()):
        trial.method(runs)
    assert len(trained) == len(found.grid.methods) == 6
    widths = [getattr(game.architecture, "width", "own") for game in held]
    assert widths == ["own", "own", 3, 3, 9], (
        "own networks with each penalty; the narrow ones; averages; simultaneous steps"
    )


def test_a_block_without_a_limit_suspends_the_limit_around_it():
    reached = []

    def inner_and_outer():
        with limits.limited(0.05):
            with limits.limited(None):
                _spin(0.15)
            reached.append(True)
            _spin(5.0)

    with pytest.raises(limits.TooLong):
        inner_and_outer()
    assert reached


def _spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
