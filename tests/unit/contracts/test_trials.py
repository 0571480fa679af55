"""The trial of one component: every family's template holds, and broken ones fail at the right line with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.contracts import trials
from ganbench.contracts.templates import template, written
from ganbench.contracts.trials import Tried
from ganbench.core import registry
from ganbench.core.errors import GanbenchError

SLOW = ("architecture", "diagnostic", "dynamics", "game", "judge")  # whose trials look at several games or data sets


def tried(folder: Path, source: str, name: str = "own") -> tuple[Path, list[Tried]]:
    path = folder / f"{name}.py"
    path.write_text(source)
    return path, list(trials.trial(trials.read(path)))


def failures(results: list[Tried]) -> list[Tried]:
    return [result for result in results if result.held is False]


def test_every_family_has_checks_and_a_template():
    assert trials.CHECKS.keys() == registry.FAMILIES.keys()
    assert all(template(family).is_file() for family in registry.FAMILIES)


@pytest.mark.parametrize(
    "family", [pytest.param(each, marks=pytest.mark.cluster if each in SLOW else ()) for each in registry.FAMILIES]
)
def test_a_template_holds_under_another_name(tmp_path, family):
    _, results = tried(tmp_path, written(family, "own_thing"), "own_thing")
    assert failures(results) == []
    assert len(results) >= 4
    assert sum(result.held is None for result in results) <= 2, "a template shall leave next to nothing open"
    assert all(result.said for result in results if result.held is None)
    assert registry.find(family, str(tmp_path / "own_thing.py")).cls == "OwnThing"


# What is changed in a template, by what, what the trial says of it, and the text of the line that it names.
BROKEN = {
    "metric-bound": ("metric", "return {", "return {'x': 0.0, ", "score() gives a value for 'x'", "def score("),
    "metric-in-place": (
        *("metric", "apart = generated", "generated.features[:] = 0\n        apart = generated"),
        *("it changes the judged examples", "def score("),
    ),
    "metric-raises": ("metric", "np.linalg.norm(apart)", "np.linalg.nom(apart)", "AttributeError", "np.linalg.nom"),
    "objective-score": (
        *("objective", "(logits / self.temperature).sigmoid()", "logits / self.temperature"),
        *("which is no probability", "def output("),
    ),
    "misspelt": (
        *("regularizer", "def penalty(", "def penality("),
        *("its penality() is never called; did you mean penalty()?", "def penality("),
    ),
    "network-not-finite": (
        *("architecture", "return x + self.layer(x).relu()", "return x + self.layer(x).relu() * float('nan')"),
        *("gives values that are not finite", "def generator("),
    ),
    "network-in-place": (
        *(
            "architecture",
            "nn.Sequential(nn.Flatten(),",
            "nn.Sequential(nn.Flatten(), nn.LeakyReLU(0.2, inplace=True),",
        ),
        *("changes its inputs in place", "def discriminator("),
    ),
    "network-draws": (
        *("architecture", "self.layer(x).relu()", "self.layer(x).relu() * x.new_ones(1).exponential_()"),
        *("those that each run has of its own are answered to bernoulli, dropout", "def generator("),
    ),
    "objective-mixes": (
        *(
            "objective",
            "return softplus(-logits / self.temperature)\n\n    def fake",
            "return softplus(-logits / logits.std())\n\n    def fake",
        ),
        *("its real() is not elementwise", "def real("),
    ),
    "objective-detached": (
        *("objective", "return softplus(logits / self.temperature)", "return softplus(logits.detach())"),
        *("its fake() passes no gradient", "def fake("),
    ),
    "regularizer-mixes": (
        *(
            "regularizer",
            "real.mean(discriminator(*given).square())",
            "discriminator(*given).square().mean().expand(3)",
        ),
        *("its penalty() mixes members", "def penalty("),
    ),
    "regularizer-projects-runs-together": (
        *(
            "regularizer",
            "    def penalty(",
            "    def project(self, player, weights):\n"
            "        return {name: each / each.norm() for name, each in weights.items()}\n\n    def penalty(",
        ),
        *("its project() of the discriminator mixes members: '0.weight' of one", "def project("),
    ),
    "dynamics-in-place": (
        *(
            "dynamics",
            "here = simultaneous_gradient",
            "players[match.players[0]].mul_(0.5)\n        here = simultaneous_gradient",
        ),
        *("its move() gives something else when it is called again", "def move("),
    ),
    "optimizer-mixes": (
        *("optimizer", "velocity.square().sum(1, keepdim=True)", "velocity.square().sum().expand(len(theta), 1)"),
        *("its step() mixes members", "def step("),
    ),
    "optimizer-climbs": ("optimizer", "theta - rate * step", "theta + rate * step", "does not descend", "def step("),
    "schedule-negative": (
        *("schedule", "(1 + step / self.period) ** -0.5", "1.0 - step / self.period"),
        *("its decay() makes the factor -", "def decay("),
    ),
    "dataset-draws-anew": (
        *("dataset", "np.random.default_rng(0)", "np.random.default_rng()"),
        *("its load() gives something else when it is called again", "def load("),
    ),
    "dataset-precision": (
        *("dataset", ").astype(np.float32)", ")"),
        *("train examples are float64, not float32", "def load("),
    ),
    "judge-neighbours": (
        *(
            "judge",
            "features = _flat(examples) / state[",
            "features = (_flat(examples) - _flat(examples).mean(0)) / state[",
        ),
        *("its judge() gives an example other features when", "def judge("),
    ),
    "architecture-range": (
        *("architecture", "nn.Tanh() if data.bounded", "nn.Softplus(0.1) if data.bounded"),
        *("its generator() gives values up to", "def generator("),
    ),
    "architecture-shape": (
        *("architecture", "prod(data.shape), 1), nn.Flatten(0))", "prod(data.shape), 1))"),
        *("its discriminator gives outputs of shape", "def discriminator("),
    ),
    "diagnostic-shape": (
        *("diagnostic", '{"distance": distance[:, -1]}', '{"distance": distance[:1, -1]}'),
        *("its measure() gives shape (1,)", "def measure("),
    ),
    "game-mixes": (
        *("game", "(-value if player", "(-value.mean().expand(len(value)) if player"),
        *("of a training step of two runs together differs from that of each run alone", "class Own("),
    ),
    "game-series": (
        *("game", "value), {}", 'value), {"energy": value.detach()}'),
        *("its loss() gives ['energy'], but its `series` names []", "def loss("),
    ),
    "game-loss-alone": (
        *("game", '(-value if player == "x" else value), {}', '-value if player == "x" else value'),
        *("its loss() of x must give the loss and a dict of what is recorded", "def loss("),
    ),
    "signature": (
        *(
            "regularizer",
            "discriminator: Discriminator, real: Sample, fake: Sample, noise: Noise)",
            "discriminator: Discriminator, real: Sample)",
        ),
        *("; must be penalty(self, discriminator, real, fake, noise)", "def penalty("),
    ),
    "labels-unasked": (
        *("architecture", "def forward(self, x: Tensor)", "def forward(self, x: Tensor, labels: Tensor)"),
        *("; a network is given labels where `conditional` names it", "def forward("),
    ),
    "no-dataclass": ("metric", "@dataclass(frozen=True)", "", "must be a frozen dataclass", "class Own("),
    "not-frozen": ("metric", "@dataclass(frozen=True)", "@dataclass", "must be a frozen dataclass", "class Own("),
    "import": (
        "metric",
        "import numpy as np",
        "import numpy as np\nimport nowhere_to_be_found",
        "ModuleNotFoundError",
        "import nowhere",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_component_fails_at_its_line_with_the_reason(tmp_path, fault):
    family, old, new, said, line = BROKEN[fault]
    source = written(family, "own")
    assert old in source, f"the template of {family} no longer has what this test breaks"
    path = tmp_path / "own.py"
    path.write_text(source.replace(old, new))
    failed = []
    for result in trials.trial(trials.read(path)):  # up to the one that says it: what follows takes long
        failed += failures([result])
        if failed and said in failed[-1].said:
            break
    else:
        pytest.fail(f"not found in {[each.said for each in failed] or 'no failure'}")
    assert result.line is not None
    assert line in path.read_text().splitlines()[result.line - 1]


def test_a_component_that_is_not_built_is_not_tried_further(tmp_path):
    _, results = tried(tmp_path, written("metric", "own").replace("import numpy as np", "import numpy as np\n1 / 0"))
    assert [result.held for result in results] == [False]
    assert "ZeroDivisionError" in results[0].said


def test_what_rests_on_a_check_that_failed_is_left_open(tmp_path):
    _, (_, described, *rest) = tried(tmp_path, written("metric", "own").replace('best="low"', 'best="min"'))
    assert described.held is False
    assert "best must be one of" in described.said
    assert {(each.held, each.said) for each in rest} == {(None, "a check failed on which it rests")}


def test_a_parameter_that_no_network_of_the_trial_has_is_left_open_at_its_line(tmp_path):
    source = written("regularizer", "own").replace(
        "    def penalty(",
        "    def weight_penalty(self, player, weights):\n        return weights['bogus'].sum()\n\n    def penalty(",
    )
    path, results = tried(tmp_path, source)
    lines = [path.read_text().splitlines()[each.line - 1] for each in results if each.held is None and each.line]
    assert lines == ["        return weights['bogus'].sum()"]


def test_a_limit_of_time_ends_a_check_and_not_the_trial(tmp_path):
    class Over(BaseException):
        pass

    class Limit:
        def __enter__(self):
            return None

        def __exit__(self, *_):
            raise Over("not done after 1 second")

    path = tmp_path / "own.py"
    path.write_text(written("schedule", "own"))
    results = list(trials.trial(trials.read(path), Limit))
    assert [(result.held, result.said) for result in results] == [(False, "Over: not done after 1 second")]


def test_a_doubtful_best_end_is_left_open_and_said(tmp_path):
    source = written("metric", "own").replace('best="low"', 'best="high"')
    *_, last = tried(tmp_path, source)[1]
    assert last.held is None
    assert "its column 'own', of which high is best" in last.said


@pytest.mark.parametrize(
    ("answer", "held", "said"),
    [
        ("'for sounds'", None, "(for sounds); `ganbench check` tries it"),
        ("False", False, "None or a sentence"),
    ],
)
def test_what_supports_nothing_of_the_trial_is_left_open_and_a_wrong_answer_is_not(tmp_path, answer, held, said):
    source = written("metric", "own").replace(
        "    def reference", f"    def unsupported(self, data):\n        return {answer}\n\n    def reference"
    )
    _, (_, asked, *_) = tried(tmp_path, source)
    assert (asked.held, said in asked.said) == (held, True), asked


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\n", "it has none"),
        ("def broken(:\n", "line 1 is not valid Python"),
        (
            written("metric", "own") + written("schedule", "other").replace("from __future__ import annotations\n", ""),
            "schedule and metric",
        ),
    ],
)
def test_a_file_without_one_family_is_refused(tmp_path, source, said):
    path = tmp_path / "own.py"
    path.write_text(source)
    with pytest.raises(GanbenchError, match=said):
        trials.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(GanbenchError, match="there is no file"):
        trials.read(tmp_path / "nowhere.py")


@pytest.mark.parametrize("name", ["My_metric", "", "9lives", "a b", "../up", "x" * 65])
def test_a_name_that_is_no_name_is_refused(name):
    with pytest.raises(GanbenchError, match="must be 1 to 64 lower-case letters"):
        written("metric", name)


@pytest.mark.parametrize(
    ("family", "name", "said"),
    [
        ("regularizer", "r1", "'r1' is the name of a regularizer of ganbench; choose another name, such as my_r1"),
        ("optimizer", "none", "the class of 'none' would be None, which means something else in its file"),
        ("architecture", "residual_layer", "would be ResidualLayer"),
        ("game", "tensor", "would be Tensor"),
        ("judge", "judge", "would be Judge"),
    ],
)
def test_a_name_that_is_taken_in_the_package_or_in_the_file_is_refused(family, name, said):
    with pytest.raises(GanbenchError, match=said):
        written(family, name)


def test_a_column_of_a_metric_of_the_package_is_left_open_and_said(tmp_path):
    _, (_, described, *_) = tried(tmp_path, written("metric", "own").replace('"own":', '"fd":'))
    assert described.held is None
    assert "its column 'fd' is one of ganbench's metric fd" in described.said


def test_an_unknown_family_is_refused_with_the_valid_ones():
    with pytest.raises(GanbenchError, match=r"unknown family 'metrics'. Did you mean 'metric'\?"):
        written("metrics", "own")
