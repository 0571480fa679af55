"""Regularizers together: as studies write them, as tables show them, and their sums against each part alone."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from building import CPU, gan, part, toy, training
from study_example import changed, plan

from ganbench.core import registry
from ganbench.core.errors import GanbenchError
from ganbench.core.random_streams import stream_seed
from ganbench.core.signatures import read_sum, split_signature, split_sum, without_options
from ganbench.core.source_digests import engine_digest
from ganbench.dynamics import simultaneous_gradient
from ganbench.engine.train import train
from ganbench.games import CHUNK, Match, Member
from ganbench.lab import games as lab
from ganbench.nn.sample import Sample
from ganbench.nn.weights import Weights
from ganbench.pipeline.planning.grid import component_config
from ganbench.regularizers.instance_noise import InstanceNoise
from ganbench.report.display_names import shorten_signatures
from ganbench.study.choices import Choice, expand_choice, option_axes, parse_choice
from ganbench.study.selectors import _parse_selector, matches

BOTH = "r1(gamma=10.0) + r2(gamma=5.0)"
DOUBLE = torch.float64


def combined(*regularizers):
    return part("regularizer", "combined", regularizers=list(regularizers))


def read(value) -> Choice:
    return parse_choice("regularizer", value)


# As studies write them ------------------------------------------------------------------------------------------------


def test_every_form_of_a_combination_is_the_same_choice():
    forms = [
        "r1(gamma=10) + r2(gamma=5)",
        "r2(gamma=5) + r1(gamma=10)",
        "r1(gamma=10)+r2(gamma=5)",
        "r2(gamma=+5)+ r1(gamma=1e+1)",
        {"name": "r1(gamma=10) + r2(gamma=5)"},
        {"name": "combined", "regularizers": ["r1(gamma=10)", "r2(gamma=5)"]},
        {"name": "combined", "regularizers": [{"name": "r2", "gamma": 5}, {"name": "r1", "gamma": 10.0, "every": 1}]},
    ]
    choices = [read(form) for form in forms]
    assert {choice.signature for choice in choices} == {BOTH}
    assert len(set(choices)) == 1
    again = read(json.loads(json.dumps(choices[0].model_dump())))
    assert again == choices[0], "a written study is read as it was"
    assert choices[0].flat_options == {"r1_gamma": 10.0, "r1_every": 1, "r2_gamma": 5.0, "r2_every": 1}


def test_a_single_signature_is_a_sum_of_one():
    assert read("r1(gamma=10, every=4)") == read({"name": "r1", "gamma": 10, "every": 4})
    assert read("r1") == read({"name": "r1"})
    with pytest.raises(
        ValueError, match=r"'r1\(10\)' is no signature such as name\(option=1\): every option needs its name"
    ):
        read("r1(10)")
    with pytest.raises(ValueError, match=r"unknown objective 'minimax\(label_smoothing=0.1\)'"):
        parse_choice("objective", "minimax(label_smoothing=0.1)")


def test_every_strength_of_a_part_can_be_an_axis():
    value = {
        "name": "combined",
        "regularizers": [{"name": "r1", "gamma": [1, 10]}, {"name": "r2", "gamma": [1, 10, 100]}, "dragan"],
    }
    assert {name: len(each) for name, each in option_axes("regularizer", value).items()} == {
        "regularizers[0].gamma": 2,
        "regularizers[1].gamma": 3,
    }
    found = [read(each).signature for each in expand_choice("regularizer", value)]
    assert len(set(found)) == 6
    assert found[:2] == ["dragan + r1 + r2", "dragan + r1 + r2(gamma=10.0)"]
    with pytest.raises(
        ValueError, match=r"option 'regularizers\[0\].gamma' must have values that all differ, but is \[1, 1\]"
    ):
        expand_choice("regularizer", {"name": "combined", "regularizers": [{"name": "r1", "gamma": [1, 1]}, "r2"]})


WRONG = [
    ("r1 + r1(gamma=2)", "'r1' stands in it twice; the parts must be different regularizers"),
    ("r1 + none", "'none' adds nothing to the other parts; leave it out"),
    ("r1 + ", "'r1 + ' has an empty part; write a regularizer on each side of every +"),
    ("+r1", "'+r1' has an empty part"),
    ("r1 + + r2", "'r1 + + r2' has an empty part"),
    ("r1++r2", "'r1++r2' has an empty part"),
    ("r1 + combined", "'combined' cannot be a part of itself"),
    ("r1 + r3", "unknown regularizer 'r3'. Did you mean"),
    ("r1(gama=2) + r2", "regularizer 'r1': unknown option 'gama'. Did you mean 'gamma'"),
    ("r1(gamma=-1) + r2", "regularizer 'r1': option 'gamma' must be a finite number of at least 0, but is -1.0"),
    ("r1(2) + r2", "every option needs its name"),
    (["r1"], "option 'regularizers' must list two regularizers or more, each as name, name(option=1) or"),
    ([], "option 'regularizers' must list two regularizers or more"),
    ([{"gamma": 1}, "r2"], "{'gamma': 1} has no 'name'"),
    ([1, "r2"], "option 'regularizers' must be a list"),
]


@pytest.mark.parametrize(("given", "why"), WRONG)
def test_a_wrong_combination_is_refused_in_one_sentence(given, why):
    value = given if isinstance(given, str) else {"name": "combined", "regularizers": given}
    with pytest.raises(ValueError, match=re.escape(why)) as told:
        read(value)
    assert "\n" not in str(told.value)


def test_files_of_one_name_are_told_apart_from_one_component_twice(tmp_path):
    own = tmp_path / "r1.py"
    own.write_text((registry.PACKAGE / "regularizers/r1.py").read_text())
    with pytest.raises(ValueError, match="two files are called 'r1'; rename one of them"):
        read(f"r1 + {own}")
    with pytest.raises(GanbenchError, match=r"has 'r1' and '.*r1\.py', which would both be called 'r1'; rename a file"):
        study_of("r1", str(own))
    with pytest.raises(GanbenchError, match="has r1 more than once"):
        study_of("r1", "r1")


def study_of(*regularizers):
    return plan(changed("grid", 1, "regularizer", list(regularizers)))


def test_a_study_names_and_selects_combinations_by_their_parts():
    found = study_of("none", "r1 + r2", {"name": "combined", "regularizers": [{"name": "r1", "gamma": [10, 20]}, "r2"]})
    shown = {run.axes["regularizer"]: run.method for run in found.grid.runs if run.axes["regularizer"] != "none"}
    assert [*shown] == ["r1 + r2", "r1(gamma=10.0) + r2", "r1(gamma=20.0) + r2"]
    assert shown["r1(gamma=10.0) + r2"].endswith("r1-gamma-10.0-r2")
    assert len(set(shown.values())) == 3

    def selected(value):
        selector = _parse_selector({"regularizer": value})
        return [each for each in shown if matches(selector, {"regularizer": each})]

    assert selected("r1 + r2") == [*shown], "a name without options selects every strength"
    assert selected("r2 + r1(gamma=10)") == ["r1(gamma=10.0) + r2"]
    assert selected("r1") == []
    assert next(run for run in found.grid.runs if "gamma-20" in run.method).options["regularizer_r1_gamma"] == 20
    assert shorten_signatures([BOTH, "none"]) == {BOTH: BOTH, "none": "none"}


def test_a_sum_may_have_a_label():
    found = read({"name": "r1+r2(gamma=5)", "label": "both"})
    assert (found.text, found) == ("both = r1 + r2(gamma=5.0)", read("r1 + r2(gamma=5)"))
    with pytest.raises(ValueError, match="regularizer 'combined': unknown option 'gamma'"):
        read({"name": "r1+r2", "gamma": 5})
    with pytest.raises(ValueError, match=r"'r1 \+' has an empty part"):
        read({"name": "r1 +", "label": "both"})
    shown = study_of({"name": "r1+r2", "label": "both"}).grid.runs[-1].axes["regularizer"]
    assert matches(_parse_selector({"regularizer": "r2+r1"}), {"regularizer": shown})
    match = lab.game("dirac", objective="minimax", regularizer={"name": "r2(gamma=0.5)+r1"})
    assert match.game.regularizer.parts["r2"].gamma == 0.5


def test_paths_of_files_stay_whole_in_a_sum():
    assert read_sum("r1+r2(gamma='a+b', x=(1+2)) +r3") == ["r1", "r2(gamma='a+b', x=(1+2))", "r3"]
    for path in ("c++/own.py", "own+other.py", "./c++/own.py(strength=1e+1)"):
        assert read_sum(path) == [path]
        assert read_sum(f"r1 + {path}") == ["r1", path]
    assert read_sum("r1 +") == ["r1", ""]
    assert read_sum("") == [""]


def test_a_sum_is_split_outside_brackets_and_quotes_only():
    assert split_sum("a(x='1 + 2') + b(y=(1 + 2), z=3) + c") == ["a(x='1 + 2')", "b(y=(1 + 2), z=3)", "c"]
    assert without_options(BOTH) == "r1 + r2"
    assert split_signature(BOTH) == (BOTH, [])


OWN = '''"""A penalty of one's own."""

from dataclasses import dataclass
from typing import Annotated

from ganbench.core.interval import Interval
from ganbench.regularizers import Regularizer


@dataclass(frozen=True)
class Own(Regularizer):
    strength: Annotated[float, Interval(ge=0)] = 1.0

    def weight_penalty(self, player, weights):
        return self.strength * weights.vector.square().sum(-1)
'''


def test_a_part_may_be_a_file_of_one_s_own_whose_edits_train_anew(tmp_path):
    for folder, text in (("one", OWN), ("other", OWN.replace("square()", "abs()"))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "penalty.py").write_text(text)
    paths = [str(tmp_path / folder / "penalty.py") for folder in ("one", "other")]
    choices = [read({"name": "combined", "regularizers": ["r1", {"name": path, "strength": 0.5}]}) for path in paths]
    assert [choice.signature for choice in choices] == ["penalty(strength=0.5) + r1"] * 2
    digests = [engine_digest("train", choice.component.with_parts(choice.options)) for choice in choices]
    assert digests[0] != digests[1], "the digest of the sources must cover the parts' files"
    weights = Weights(torch.tensor([[3.0, -1.0]]), {"weight": (2,)})
    assert [choice.build().weight_penalty("generator", weights).item() for choice in choices] == [5.0, 2.0]
    written = component_config(choices[0])
    assert registry.find("regularizer", written.name).parts(written.options)[0] == (paths[0], {"strength": 0.5})


def test_the_folder_of_a_part_is_in_no_digest(tmp_path):
    found = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "penalty.py").write_text(OWN)
        parts = ["r1", {"name": str(tmp_path / folder / "penalty.py"), "strength": 0.5}]
        study = study_of({"name": "combined", "regularizers": parts})
        found.append((study.digests.train, [job.digest for job in study.train.values()]))
    assert found[0] == found[1]


def test_a_shipped_part_s_file_is_in_the_digest_of_a_run(monkeypatch, tmp_path):
    """As above, for the plan of a study: an edit of r2.py trains r1 + r2 anew, and not r1."""
    from ganbench.core import source_digests

    def digests():
        found = study_of("r1", "r1 + r2")
        return {
            run.axes["regularizer"]: found.digests.train[run.id] for run in found.grid.runs if run.choice("regularizer")
        }

    before, known = digests(), source_digests._read
    source_digests._closure_digest.cache_clear()
    edited = registry.PACKAGE / "regularizers" / "r2.py"
    monkeypatch.setattr(
        source_digests, "_read", lambda path: ("edited", ()) if path == edited else known(path), raising=True
    )
    after = digests()
    monkeypatch.undo()
    source_digests._closure_digest.cache_clear()
    assert after["r1"] == before["r1"]
    assert after["r1 + r2"] != before["r1 + r2"]


def test_the_laboratory_reads_a_sum():
    match = lab.game("dirac", objective="minimax", regularizer="r2(gamma=0.5) + r1")
    assert {name: made.gamma for name, made in match.game.regularizer.parts.items()} == {"r1": 1.0, "r2": 0.5}


# Their numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gamma", "other"), [(0.3, 0.4), (1.0, 1.5)])
def test_r1_and_r2_damp_the_dirac_gan_as_their_sum_does(gamma, other):
    """Eigenvalues -g / 2 +- sqrt(g^2 / 4 - 1 / 4) of the flow at 0, with g the sum of both strengths."""
    regularizer = combined(f"r1(gamma={gamma})", f"r2(gamma={other})")
    match = Match(
        toy("dirac", regularizer=regularizer, initial_parameters=(0.0, 0.0)), [Member(0, None, 0.1)], CPU, DOUBLE
    )
    here = simultaneous_gradient(match, match.init(), match.draw(0, 1)[0], differentiable=True)
    columns = []
    for unit in torch.eye(2, dtype=DOUBLE):
        along = here.products(dict(zip(match.players, unit[:, None, None], strict=True)))
        columns.append(torch.cat([along[player][0] for player in match.players]))
    found = np.sort_complex(np.linalg.eigvals(-torch.stack(columns, dim=1).numpy()))
    g = gamma + other
    root = np.sqrt(complex(g**2 / 4 - 1 / 4))
    np.testing.assert_allclose(found, np.sort_complex([-g / 2 - root, -g / 2 + root]), atol=1e-7)


POINTS = torch.randn(2, 3, 6, 2, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
A = torch.tensor([[2.0, -1.0], [-1.0, 3.0]], dtype=DOUBLE)


def judge(points):
    return (points @ A * points).sum(-1) / 2


def drawn(regularizer, seed: int = 5):
    return regularizer.draw(torch.Generator().manual_seed(seed), 3, (6, 2), POINTS[:0].double())


def test_penalties_add_up_and_the_order_of_parts_changes_no_bit():
    real, fake = (Sample(points) for points in POINTS)
    parts = ["r1(gamma=10)", "r2(gamma=3)", "wgan_gp(gamma=2)", "weight_decay(strength=0.1)"]
    one, other = combined(*parts), combined(*reversed(parts))
    noise = drawn(one)
    assert noise.keys() == drawn(other).keys()
    assert all(torch.equal(values, drawn(other)[name]) for name, values in noise.items())
    found = one.penalty(judge, real, fake, noise)
    assert torch.equal(found, other.penalty(judge, real, fake, noise))
    mix = noise["wgan_gp.mix"]
    lengths = [(points @ A).norm(dim=-1) for points in (*POINTS, torch.lerp(*POINTS, mix))]
    expected = 5 * lengths[0] ** 2 + 1.5 * lengths[1] ** 2 + 2 * (lengths[2] - 1) ** 2
    torch.testing.assert_close(found, expected.mean(1))
    theta = POINTS[0].flatten(1)
    weights = Weights(theta, {"weight": theta.shape[1:]})
    torch.testing.assert_close(one.weight_penalty("generator", weights), 0.05 * theta.square().sum(1))
    both = combined("orthogonal(strength=0.5)", "weight_decay(strength=0.1)")
    rows = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], dtype=DOUBLE)  # whose products are 5, 11 and 25
    found = both.weight_penalty("generator", Weights(rows.flatten(1), {"weight": (2, 2)}))
    torch.testing.assert_close(found, torch.tensor([0.5 * 2 * 11**2 + 0.05 * 30], dtype=DOUBLE))
    assert one.per_example
    assert not combined("instance_noise", "weight_decay").per_example
    assert combined("instance_noise", "weight_decay").penalty(judge, real, fake, {}) is None


def test_the_random_numbers_of_a_part_do_not_depend_on_the_others():
    small, large = (
        combined("zero_centered_gp", "instance_noise"),
        combined("zero_centered_gp", "dragan", "wgan_gp", "r1"),
    )
    assert torch.equal(drawn(small)["zero_centered_gp.mix"], drawn(large)["zero_centered_gp.mix"])
    assert not torch.equal(drawn(small)["zero_centered_gp.mix"], drawn(small, 6)["zero_centered_gp.mix"])
    assert not torch.equal(drawn(large)["zero_centered_gp.mix"], drawn(large)["wgan_gp.mix"]), "two parts, two streams"
    assert not torch.equal(drawn(large)["dragan.mix"], drawn(large)["wgan_gp.mix"])
    stream = torch.Generator().manual_seed(stream_seed(5, "wgan_gp"))
    alone = part("regularizer", "wgan_gp").draw(stream, 3, (6, 2), POINTS[:0].double())
    assert torch.equal(drawn(large)["wgan_gp.mix"], alone["mix"])


KINDS = [("r1", "real"), ("r2", "fake"), ("zero_centered_gp", "between")]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_gradients_are_those_at_noisy_examples_with_the_noise_of_their_kind(name, kind):
    """Noise moves points and leaves gradients: those of D(x + n) in x are D's at x + n. Between real and generated
    examples n is that of the real ones."""
    both = combined(f"{name}(gamma=2)", "instance_noise(sigma=0.5)")
    noise, (real, fake) = drawn(both), (Sample(points) for points in POINTS)
    at = {"real": real.points, "fake": fake.points}
    if kind == "between":
        at["between"] = torch.lerp(real.points, fake.points, noise["zero_centered_gp.mix"])
    seen = at[kind] + 0.5 * noise[f"instance_noise.{'fake' if kind == 'fake' else 'real'}"]
    torch.testing.assert_close(both.penalty(judge, real, fake, noise), (seen @ A).square().sum(-1).mean(1))


@pytest.mark.parametrize("packing", [1, 2])
@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_gradients_are_taken_through_the_changes_of_images(name, kind, packing):
    """With D(x) = <w, x> and T of colours, T's derivative is 1 along the mean of an image, c along the rest of the
    means of pixels over channels, and c s along all else, for the saturation s and the contrast c of the image."""
    both = combined(f"{name}(gamma=2)", {"name": "differentiable_augmentation", "policy": ["color"]})
    shape, random = (3, 4, 5), torch.Generator().manual_seed(3)
    images = torch.randn((2, 2, 6, *shape), generator=random, dtype=DOUBLE)
    w = torch.randn(shape, generator=random, dtype=DOUBLE)
    noise = both.draw(torch.Generator().manual_seed(5), 2, (6, *shape), torch.empty(0, dtype=DOUBLE))
    real, fake = (Sample(points, packing=packing) for points in images)

    def linear(points):
        return (points * w).sum((2, 3, 4)).unflatten(1, (-1, packing)).sum(-1)

    mean, grey = w.mean(), w.mean(0)
    parts = 60 * mean**2, 3 * (grey - mean).square().sum(), (w - grey).square().sum()
    _, s, c, *_ = noise[f"differentiable_augmentation.{'fake' if kind == 'fake' else 'real'}"].unbind(-1)
    s, c = 2 * s, c + 0.5
    of_images = parts[0] + c**2 * parts[1] + (c * s) ** 2 * parts[2]
    expected = of_images.unflatten(1, (-1, packing)).sum(-1).mean(1)
    torch.testing.assert_close(both.penalty(linear, real, fake, noise), expected)


def test_other_penalties_are_given_the_changed_images():
    both = combined("consistency(gamma=2)", {"name": "differentiable_augmentation", "policy": ["cutout"], "cutout": 1})
    images, blank = torch.ones(2, 1, 6, 1, 4, 4, dtype=DOUBLE), 0.5
    noise = both.draw(torch.Generator().manual_seed(5), 1, (6, 1, 4, 4), torch.empty(0, dtype=DOUBLE))
    noise |= {
        name: torch.full_like(noise[name], blank)
        for name in ("differentiable_augmentation.real", "differentiable_augmentation.fake")
    }
    seen = []

    def watched(points):
        seen.append(points)
        return points.sum((2, 3, 4))

    both.penalty(watched, *(Sample(points) for points in images), noise)
    assert seen
    assert all((points == 0).all() for points in seen)


def test_examples_are_not_changed_for_penalties_that_are_not_due(monkeypatch):
    changed, known = [], InstanceNoise.perturb
    monkeypatch.setattr(InstanceNoise, "perturb", lambda *given: changed.append(1) or known(*given))
    real, fake = (Sample(points) for points in POINTS)
    noise = drawn(combined("r1", "weight_decay", "instance_noise"))
    for penalties, step, count in ((("r1(every=4)",), 0, 1), (("r1(every=4)",), 1, 0), ((), 0, 0)):
        changed.clear()
        lazy = combined(*penalties, "weight_decay", "instance_noise")
        found = lazy.in_phase(lazy.phase(step)).penalty(judge, real, fake, noise)
        assert len(changed) == count
        assert (found is None) == (count == 0)


def test_a_combination_trains_fused_as_solo_and_as_its_parts_do():
    ring = part("dataset", "ring8", examples=64)
    members = [Member(seed, 40, 1e-3) for seed in range(2)]

    def trained(regularizer, who=members):
        game = gan(
            ring.load().train,
            data=ring.spec,
            architecture=part("architecture", "mlp", width=6, depth=1),
            regularizer=regularizer,
        )
        return [each["snapshots"]["discriminator"][-1] for each in train(game, training(CHUNK), who, device=CPU)]

    parts = ("weight_clipping(clip_value=0.3)", "zero_centered_gp(gamma=0.1)", "instance_noise", "r2(every=3)")
    together = trained(combined(*parts))
    for k, member in enumerate(members):
        np.testing.assert_allclose(trained(combined(*parts), [member])[0], together[k], rtol=1e-9, atol=1e-9)
    assert np.abs(together[0]).max() <= 0.3
    bare, with_nothing = trained(part("regularizer", "r1")), trained(combined("weight_decay(strength=0)", "r1"))
    np.testing.assert_allclose(bare, with_nothing, rtol=0, atol=0)


def test_what_a_part_lacks_is_said_of_the_combination():
    with pytest.raises(
        GanbenchError, match="regularizer Combined: its part differentiable_augmentation: it is for images, but "
    ):
        toy("dirac", regularizer=combined("differentiable_augmentation", "r1"))
