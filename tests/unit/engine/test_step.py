"""Steps that are traced, compiled or captured, against eager ones; and what cannot be, which stays eager."""

from __future__ import annotations

import contextlib
import gc
import weakref
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from awkward_networks import LAYERS, network
from building import CPU, every_step, gan, names, part, players, refusal, toy, training
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.architectures import Architecture
from ganbench.core import result_files
from ganbench.core.errors import GanbenchError
from ganbench.core.recorder import series_names
from ganbench.engine import execution, replays
from ganbench.engine.execution import Execution, check_execution, decide, intended
from ganbench.engine.resuming import part_of
from ganbench.engine.step import Executor, Step, Variables
from ganbench.engine.tracing import Trace, Untraceable, trace
from ganbench.engine.train import train
from ganbench.games import CHUNK, Match, Member
from ganbench.nn.random_numbers import RandomNumbers
from ganbench.optimizers.sgd import SGD

RING = part("dataset", "ring8", examples=256)
MEMBERS = [Member(0, 256, 1e-3), Member(1, 40, 5e-4), Member(2, 256, 2e-4)]
STEPS = 6
FOCUS = {"matrix": (1.0, 2.0, -2.0, 1.0)}  # a linear game in which every method moves
WILD = 1e60  # a rate at which gradient descent diverges within a chunk


def networks(dtype=torch.float64, architecture=None, **changes):
    architecture = architecture or part("architecture", "mlp", width=6, depth=1)
    given = {"data": RING.spec, "architecture": architecture, "batch_size": 4, "dtype": dtype} | changes
    return gan(RING.load().train, **given)


def flat(result, prefix=""):
    """All arrays and numbers of a result but how its steps were executed, by path."""
    found = {}
    for name, value in result.items():
        if name not in ("about", "execution"):
            path = f"{prefix}/{name}"
            found |= flat(value, path) if isinstance(value, dict) else {path: value}
    return found


def assert_same(one, other, tolerance=0.0):
    """Two results agree; a tolerance of 0 is bit for bit."""
    one, other = flat(one), flat(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_allclose(value, other[name], rtol=tolerance, atol=tolerance, err_msg=name, strict=True)
        else:
            assert value == other[name], name


def form_of(results):
    (form,) = {result["about"]["execution"] for result in results}
    return form


def compare(game, how, members, form, tolerance=0.0):
    """Train in a form, tracing once, and eagerly, and compare."""
    with patch("ganbench.engine.step.trace", wraps=trace) as traces:
        found = train(game, replace(how, execution=form), members, device=CPU)
    assert form_of(found) == form, found[0]["about"]
    assert traces.call_count == 1
    for one, other in zip(found, train(game, replace(how, execution="eager"), members, device=CPU), strict=True):
        assert_same(one, other, tolerance)


# The same numbers ----------------------------------------------------------------------------------------------------


SECOND_ORDER = ("potential_component", "symplectic", "unrolled")  # and their like take seconds


@pytest.mark.parametrize(
    "dynamics",
    [pytest.param(name, marks=pytest.mark.slow) if name in SECOND_ORDER else name for name in names("dynamics")],
)
def test_a_traced_step_has_the_bits_of_an_eager_one(dynamics):
    for optimizer in [name for name in names("optimizer") if refusal(dynamics, name) is None]:
        how = {"dynamics": part("dynamics", dynamics), "optimizer": part("optimizer", optimizer)}
        compare(toy("linear", **FOCUS), every_step(STEPS, **how), players(0.03, 0.01), "traced")
        if dtype := {"adam": torch.float32, "sgd": torch.float64}.get(optimizer):
            for members in (MEMBERS, MEMBERS[:1]) if dynamics == "alternating" else (MEMBERS,):
                compare(networks(dtype), every_step(STEPS, dtype=dtype, **how), members, "traced")


@pytest.mark.parametrize("game", ["bilinear", "dirac", "gaussian", "quadratic"])
def test_games_of_a_few_numbers_are_traced(game):
    compare(toy(game), every_step(STEPS), players(0.03, 0.01), "traced")


def test_rates_that_change_averages_several_steps_and_parts_of_a_batch_are_traced():
    how = training(
        STEPS,
        dynamics=part("dynamics", "alternating", discriminator_steps=2),
        schedule=part("schedule", "linear"),
        ema_decay=0.9,
    )
    game = networks(batch_size=3, accumulation_steps=2, regularizer=part("regularizer", "r1"))
    compare(game, how, MEMBERS, "traced")
    compare(networks(torch.float32), training(STEPS, dtype=torch.float32, products="bfloat16"), MEMBERS, "traced")


class Awkward(Architecture):
    """Both networks with a layer of the kind."""

    latent_size = 2

    def __init__(self, layer):
        self.layer = layer

    def generator(self, data):
        return network(self.layer, self.latent_size, 2)

    def discriminator(self, data):
        return nn.Sequential(network(self.layer, 2, 1), nn.Flatten(0))


QUICK = (
    "dropout",
    "spectral norm",
    "running batch norm",
    "branching",
)  # of each kind of state, and what is untraceable


@pytest.mark.parametrize(
    "layer", [layer if layer in QUICK else pytest.param(layer, marks=pytest.mark.slow) for layer in LAYERS]
)
def test_networks_of_every_kind_give_the_same_traced_or_say_why_not(layer):
    for members in (MEMBERS[:2], MEMBERS[:1]):
        game = networks(architecture=Awkward(layer))
        with patch("ganbench.engine.step.trace", wraps=trace) as traces:
            results = train(game, training(STEPS, execution="traced"), members, device=CPU)
        assert traces.call_count == 1
        for one, other in zip(results, train(game, training(STEPS), members, device=CPU), strict=True):
            assert_same(one, other)
        about = results[0]["about"]
        assert about["execution"] == "traced" or about["execution_why"].startswith("a step cannot be traced: ")
        if layer in ("dropout", "spectral norm", "running batch norm"):
            assert about["execution"] == "traced", about


@pytest.mark.cluster
def test_a_compiled_step_agrees_to_rounding_and_resumes_bit_for_bit():
    how = training(60, execution="compiled")
    states = {}
    found = train(networks(), how, MEMBERS, device=CPU, at_chunk=lambda now: states.setdefault(now.step, now.state()))
    assert form_of(found) == "compiled", found[0]["about"]
    again = train(networks(), how, MEMBERS, device=CPU, resume=states[25])
    eager = train(networks(), training(60), MEMBERS, device=CPU)
    for one, other, resumed in zip(found, eager, again, strict=True):
        assert_same(one, other, 1e-9)
        assert_same(one, resumed)
    assert states[25]["execution"]["form"] == "compiled"


def test_a_study_that_asks_for_another_form_meanwhile_gets_it():
    states = {}
    how = training(60, execution="traced")
    train(networks(), how, MEMBERS, device=CPU, at_chunk=lambda now: states.setdefault(now.step, now.state()))
    for asked in ("eager", "traced"):
        found = train(networks(), training(60, execution=asked), MEMBERS, device=CPU, resume=states[25])
        assert form_of(found) == asked


# What cannot be traced ------------------------------------------------------------------------------------------------


class Odd(SGD):
    """Gradient descent that does something which a fixed sequence of operations does not."""

    deed = "none"
    calls = 0

    def step(self, theta, grad, state, rate):
        type(self).calls += 1
        scale = 1.0
        if self.deed == "branches":
            scale = 0.5 if grad.norm() > 0.1 else 1.0
        elif self.deed == "reads":
            scale = 1.0 + float(grad.detach().numpy().mean())
        elif self.deed == "lists":
            scale = 1.0 + grad.flatten().tolist()[0]
        elif self.deed == "counts":
            scale = 1.0 / type(self).calls
        elif self.deed == "draws":
            grad = grad + 0 * torch.randn_like(grad)
        elif self.deed == "selects":
            scale = grad[grad > 0].sum()
        return super().step(theta, scale * grad, state, rate)


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        ("branches", "its Python reads values"),
        ("reads", "its Python reads values"),
        ("lists", "its Python reads values"),
        ("counts", "its trace gives something else in the next step"),
        ("draws", "it draws from a random generator that all runs share"),
        ("selects", "shapes depend on values"),
    ],
)
def test_what_is_no_fixed_sequence_of_operations_stays_eager_and_says_so_once(deed, why, monkeypatch):
    lines = []
    monkeypatch.setattr("ganbench.engine.step.LOGGER.warning", lambda text, *values: lines.append(text % values))
    monkeypatch.setattr(Odd, "deed", deed)
    how, game = every_step(30, optimizer=Odd(momentum=0.0)), toy("linear", **FOCUS)
    found = {}
    for form in ("traced", "eager"):
        monkeypatch.setattr(Odd, "calls", 0)
        torch.manual_seed(0)
        found[form] = train(game, replace(how, execution=form), players(0.03, 0.01), device=CPU)
    assert form_of(found["traced"]) == "eager"
    assert found["traced"][0]["about"]["execution_why"].startswith(f"a step cannot be traced: {why}")
    assert len(lines) == 1
    assert lines[0].startswith(f"steps are executed eager: a step cannot be traced: {why}")
    if deed != "counts":  # tracing calls it once more
        for one, other in zip(found["traced"], found["eager"], strict=True):
            assert_same(one, other)


def test_too_long_a_sequence_is_not_traced(monkeypatch):
    monkeypatch.setattr("ganbench.engine.tracing.MAX_OPERATIONS", 20)
    results = train(networks(), training(STEPS, execution="traced"), MEMBERS, device=CPU)
    assert "it has more than 20 operations" in results[0]["about"]["execution_why"]


def test_memory_that_runs_out_while_tracing_is_no_obstacle_to_tracing():
    def short(inputs):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        trace(short, [torch.ones(2)])


def test_a_trace_is_the_operations_of_a_function_and_no_more():
    def function(inputs):
        x, y = inputs
        (x * y).exp()  # needed by nothing
        z = torch.zeros_like(x)
        z.add_(x.detach().view_as(x))  # in place, of something that is x over again
        return [z * 2, y]

    x = torch.randn(3, 4)
    found = trace(function, [x, x])
    operations = [node.target.name() for node in found.module.graph.nodes if node.op == "call_function"]
    assert operations == ["aten::zeros_like", "aten::add_.Tensor", "aten::mul.Tensor"]
    assert (found.operations, found.traffic, found.convolutions) == (3, 2 * x.nbytes, 0)
    kernel = torch.randn(2, 3, 3, 3)
    convolve = trace(lambda inputs: [torch.nn.functional.conv2d(*inputs)], [torch.randn(1, 3, 5, 5), kernel])
    assert convolve.convolutions == 1
    one, other = torch.randn(3, 4), torch.randn(3, 4)
    product, same = replays.Replay(found)([one, other])
    torch.testing.assert_close(product, 2 * one, rtol=0, atol=0)
    assert same is other, "inputs that were one tensor when traced are two"


def test_random_numbers_of_a_key_are_traced_and_those_of_the_generator_of_all_are_not():
    def draw(inputs):
        with RandomNumbers(inputs[0]):
            return [torch.randn(3)]

    found = replays.Replay(trace(draw, [torch.tensor(1)]))
    for key in (torch.tensor(2), torch.tensor(3)):
        torch.testing.assert_close(found([key])[0], draw([key])[0], rtol=0, atol=0)
    with pytest.raises(Untraceable, match="random generator"):
        trace(lambda inputs: [inputs[0] + torch.randn(3)], [torch.ones(3)])


# Interruptions and members that diverge -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["eager", "traced"])
@pytest.mark.parametrize(
    "rates",
    [
        (0.03, WILD, 0.01, 0.02),
        pytest.param((0.03, 0.01), marks=pytest.mark.slow),
        pytest.param((0.03, WILD, 0.9 * WILD, 0.02), marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_is_the_same_in_every_form(form, rates, tmp_path):
    game = toy("linear", **FOCUS)
    how = every_step(60, execution=form, dynamics=part("dynamics", "optimistic"), ema_decay=0.9)
    states = {}
    members = players(*rates)
    whole = train(game, how, members, device=CPU, at_chunk=lambda now: states.setdefault(now.step, now.state()))
    for step in (25, 50):
        path = tmp_path / f"{step}.h5"
        with result_files.create_file(path, "resume") as file:
            result_files.write_tree(file.create_group("saved"), states[step])
        with result_files.open_file(path, "resume") as file:
            state = result_files.read_tree(file["saved"])
        again = train(game, how, members, device=CPU, resume=state)
        for one, other in zip(whole, again, strict=True):
            assert_same(one, other)
            assert one["about"] == other["about"]
    assert form_of(whole) == form


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_members_that_diverged_stay_up_to_a_share_and_change_no_number(share, monkeypatch):
    monkeypatch.setattr(execution, "DIVERGED_SHARE", share)
    game, members = toy("linear", **FOCUS), players(0.03, WILD, 0.01, 0.02)
    kept = []
    how = every_step(60, execution="traced")
    found = train(game, how, members, device=CPU, at_chunk=lambda now: kept.append((now.alive, now.state()["pack"])))
    assert kept[0] == ((0, 2, 3), [0, 2, 3] if share < 0.25 else [0, 1, 2, 3])
    for one, other in zip(found, train(game, replace(how, execution="eager"), members, device=CPU), strict=True):
        assert_same(one, other, 1e-15)
    assert found[1]["diverged"] is not None
    assert len(found[1]["snapshots"]["step"]) == found[1]["diverged"][0], "no snapshot from then on"


def test_parts_of_a_pack_leave_out_members_that_diverged():
    states = []
    how, members = every_step(60, execution="traced"), players(0.03, WILD, 0.01, 0.02)
    whole = train(toy("linear", **FOCUS), how, members, device=CPU, at_chunk=lambda now: states.append(now.state()))
    assert states[0]["pack"] == [0, 1, 2, 3]
    for of in (range(2), range(2, 4)):
        part_state = part_of(states[0], of)
        expected = [k - of.start for k in of if k != 1]
        assert part_state["pack"] == part_state["alive"] == expected
        assert {len(value) for value in part_state["players"].values()} == {len(expected)}
        found = train(toy("linear", **FOCUS), how, members[of.start : of.stop], device=CPU, resume=part_state)
        for one, k in zip(found, of, strict=True):
            assert_same(one, whole[k], 1e-15)


def test_a_run_of_a_form_that_the_machine_lacks_goes_on_in_a_simpler_one(monkeypatch):
    def absent(*_):
        raise RuntimeError("no compiler\nanywhere")

    lines = []
    monkeypatch.setattr("ganbench.engine.step.LOGGER.warning", lambda text, *values: lines.append(text % values))
    monkeypatch.setattr(replays, "Compiled", absent)
    found = train(networks(), training(STEPS, execution="compiled"), MEMBERS, device=CPU)
    assert form_of(found) == "traced"
    assert lines == ["steps are executed traced: a step cannot be compiled: no compiler"]
    for one, other in zip(found, train(networks(), training(STEPS), MEMBERS, device=CPU), strict=True):
        assert_same(one, other)


@pytest.mark.slow
def test_without_a_compiler_steps_are_traced(monkeypatch):
    from torch._inductor import cpp_builder

    def absent(*_):
        raise RuntimeError("no working C++ compiler found")

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", absent)
    found = train(networks(), training(STEPS, execution="compiled"), MEMBERS, device=CPU)
    assert (form_of(found), found[0]["about"]["execution_why"]) == (
        "traced",
        "a step cannot be compiled: no working C++ compiler found",
    )


def test_a_form_that_gives_something_else_is_not_used(monkeypatch):
    class Wrong(replays.Replay):
        def __init__(self, trace, inputs):
            super().__init__(trace)

        def __call__(self, inputs):
            first, *others = super().__call__(inputs)
            return [1.1 * first, *others]

    monkeypatch.setattr(replays, "Compiled", Wrong)
    found = train(networks(), training(STEPS, execution="compiled"), MEMBERS, device=CPU)
    assert found[0]["about"] == {
        "execution": "traced",
        "execution_why": "a step compiled gives something else",
    }


def test_inputs_that_lie_in_memory_otherwise_are_traced_anew():
    match = Match(toy("linear", **FOCUS), players(0.03, 0.01), CPU, torch.float64)
    step = Step(match, part("dynamics", "simultaneous"), part("optimizer", "sgd"), None, ["discriminator_loss"])
    step = replace(step, series=[f"{match.players[0]}_loss"])
    start = match.init()
    variables = Variables(start, step.dynamics.init(match, start, step.optimizer), {}, {})
    execute = Executor(step, Execution(mode="traced"), 10, extends=False)
    for _ in range(4):
        variables, _ = execute(variables, match.draw(0, 1), match.rates())
    assert execute.execution.form == "traced"
    strange = variables._replace(
        players={name: torch.stack([theta, theta], -1)[..., 0] for name, theta in variables.players.items()}
    )
    for found, expected in zip(
        execute(strange, match.draw(0, 1), match.rates()), step(variables, match.draw(0, 1), match.rates()), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_nothing_of_the_step_that_was_traced_stays_in_memory():
    match = Match(networks(), MEMBERS, CPU, torch.float64)
    series = series_names(match.players, match.game.series)
    step = Step(match, part("dynamics", "alternating"), part("optimizer", "adam"), None, series)
    start = match.init()
    variables = Variables(start, step.dynamics.init(match, start, step.optimizer), {}, {})
    execute = Executor(step, Execution(mode="traced"), 10, extends=False)
    variables, _ = execute(variables, match.draw(0, 1), match.rates())
    seen = [weakref.ref(theta) for theta in variables.players.values()]
    for number in range(1, 4):
        variables, _ = execute(variables, match.draw(number, 1), match.rates())
    gc.collect()
    assert execute.execution.form == "traced"
    assert [reference() for reference in seen] == [None, None]


# A CUDA graph, played on the CPU --------------------------------------------------------------------------------------


class PlayedGraph(TorchDispatchMode):
    """A graph as CUDA has it: operations that are done again in the same memory, when it is replayed."""

    def __init__(self):
        super().__init__()
        self._operations = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        result = op(*args, **(kwargs or {}))
        self._operations.append((op, args, kwargs or {}, result))
        return result

    def replay(self):
        for op, args, kwargs, result in self._operations:
            again = op(*args, **kwargs)
            if isinstance(result, torch.Tensor) and not op.is_view and again is not result:
                result.copy_(again)
            elif isinstance(result, tuple | list) and not op.is_view:
                for own, new in zip(result, again, strict=True):
                    own.copy_(new)


class PlayedStream:
    def wait_stream(self, other):
        pass


@pytest.mark.parametrize("dynamics", ["alternating", "optimistic", "extragradient"])
def test_a_captured_step_has_memory_of_its_own_and_the_same_results(dynamics, monkeypatch):
    monkeypatch.setattr(torch.cuda, "Stream", PlayedStream)
    monkeypatch.setattr(torch.cuda, "current_stream", PlayedStream)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", PlayedGraph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph, **_: graph)
    monkeypatch.setattr(torch.cuda, "device", lambda _: contextlib.nullcontext())
    changes = {"ema_decay": 0.9, "snapshots": (0, 7, 30), "schedule": part("schedule", "linear")}
    how = training(30, dynamics=part("dynamics", dynamics), **changes)
    compare(networks(), how, MEMBERS, "graph", 1e-12)
    same = [replace(MEMBERS[0], learning_rate=rate) for rate in (1e-3, 2e-3)]  # which share their random numbers
    compare(networks(), how, same, "graph", 1e-12)


# The rule -------------------------------------------------------------------------------------------------------------


def traced(operations, traffic=0, convolutions=0):
    return Trace(None, (), operations, traffic, convolutions)


def test_short_runs_are_eager_and_long_ones_are_compiled_where_that_is_repaid():
    assert intended("auto", 199, CPU) == Execution("eager", "auto: 199 steps, and tracing pays from 200 on", True)
    assert not intended("auto", 200, CPU).settled
    assert not intended("traced", 1, CPU).settled
    assert intended("eager", 10_000, CPU).form == "eager"
    forms = [decide("auto", traced(300), steps, CPU, extends=False)[0] for steps in (200, 2_000, 200_000)]
    assert forms == ["traced", "traced", "compiled"]
    assert decide("auto", traced(300, 10**9), 4_000, CPU, extends=False)[0] == "compiled", "traffic counts"
    assert decide("auto", traced(300, 10**9, 2), 4_000, CPU, extends=False)[0] == "traced"
    assert decide("auto", traced(300), 10**9, CPU, extends=True)[0] == "traced"
    assert decide("compiled", traced(300), 200, CPU, extends=True)[0] == "compiled"
    _, why = decide("auto", traced(412), 6_000, CPU, extends=False)
    assert why.startswith("auto: 6,000 steps of 412 operations and 0 MB; compiling would save ")
    gpu = torch.device("cuda")
    assert decide("auto", traced(412), 6_000, gpu, extends=True)[0] == "graph"


def test_what_is_saved_by_compiling_is_what_it_takes_at_least():
    steps = next(n for n in range(1000, 10**6, 10) if decide("auto", traced(500), n, CPU, extends=False)[0] != "traced")
    cost = execution.COMPILING_SECONDS + 500 * execution.COMPILING_OPERATION_SECONDS
    assert steps * 500 * execution.OPERATION_SECONDS == pytest.approx(cost, rel=0.01)


def test_runs_that_may_go_on_have_the_same_bits_however_long_they_are():
    """A short run is eager, and the longer one that goes on from it is traced: as if that had been trained at once."""
    assert STEPS < execution.TRACED_FROM
    game, members = networks(), MEMBERS[:2]
    for form in ("eager", "traced"):
        how = training(50, every=25, snapshots=(0, 25, 50), execution=form)
        ends = train(game, how, members, device=CPU)
        assert all(np.isfinite(end["curves"]["mean"]).all() for end in ends)
        if form == "eager":
            expected = ends
    for one, other in zip(ends, expected, strict=True):
        assert_same(one, other)
        assert "execution" in one["state"]


def test_a_run_too_short_to_compare_its_trace_says_so():
    (found,) = train(networks(), training(1, execution="traced"), MEMBERS[:1], device=CPU)
    assert found["about"] == {"execution": "eager", "execution_why": "no step was left to compare a trace with"}


def test_a_graph_needs_a_gpu():
    with pytest.raises(GanbenchError, match=r"pack\.execution: 'graph' needs an NVIDIA GPU.*computes on cpu; choose"):
        check_execution("graph", CPU)
    check_execution("compiled", CPU)
    assert CHUNK > 2, "a form is settled before the first checkpoint"
