"""The contract of architectures: networks are functions of parameters and inputs, and equal alone and fused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from ganbench.architectures import initial_module, labels_fault, packing_fault, trial_inputs
from ganbench.contracts import supports_fault
from ganbench.contracts.buffers import call, constants_fault, passing_fault
from ganbench.contracts.repeatability import attributes_of, fingerprint, globals_of, identical, world
from ganbench.core.formatting import join_words
from ganbench.data import DataSpec
from ganbench.nn.network import Network
from ganbench.nn.probes import disturbed
from ganbench.nn.random_numbers import ANSWERS
from ganbench.nn.sample import NAMES, named_outputs

MAX_LATENT = 1_000_000
TRIED = 4  # examples with which networks are tried, or groups that the discriminator judges together
RTOL = 1e-9  # tolerance for equal results in double precision, relative to the largest value


def latent_fault(architecture: Any) -> str | None:
    """The fault of an architecture's `latent_size`, as a clause; None for a valid size."""
    missing = object()
    size = getattr(architecture, "latent_size", missing)
    if size is missing:
        return "it has no latent_size, the number of values that its generator takes"
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_LATENT:
        return f"its latent_size must be a whole number from 1 to {MAX_LATENT:,}, but is {size!r}"
    return None


def architecture_fault(architecture: Any, data: DataSpec, *, fused: bool = True) -> str | None:
    """The reason why an architecture cannot be trained on a data set, as a clause; None if it can.

    Args:
        architecture: the architecture.
        data: the spec of the data set.
        fused: whether members are computed together.
    """
    refusal = architecture.unsupported(data)
    fault = supports_fault(refusal) or refusal or latent_fault(architecture) or labels_fault(architecture, data)
    if fault := fault or packing_fault(architecture):
        return fault
    results = {"generator": {"examples": data.shape}, "discriminator": {"logits": ()}}
    if data.modes:
        results["discriminator"]["class_logits"] = (data.modes,)
    starts, generator = {}, None
    for player in results:

        def build(seed: int = 0, player: str = player) -> nn.Module:
            return initial_module(architecture, player, data, seed)

        inputs = trial_inputs(architecture, player, data, TRIED)
        packing = architecture.packing_degree if player == "discriminator" else 1
        if fault := network_fault(build, inputs, results[player], fused=fused, packing=packing):
            return f"its {player} {fault}"
        module = build()
        generator = module if generator is None else generator
        if fault := passing_fault(architecture, player, module, inputs, generator) or constants_fault(
            build, inputs, architecture.passed_to_generator if player == "generator" else ()
        ):
            return f"its {player} {fault}"
        starts[player] = [Network.vector(build(seed)) for seed in (0, 1)]
        if torch.equal(*starts[player]):
            return f"its {player} starts from the same parameters whatever the seed; draw them from PyTorch's generator"
    for player in reversed(results):
        if not identical(Network.vector(initial_module(architecture, player, data, 0)), starts[player][0]):
            return f"its {player} starts from other parameters when the networks are built in another order"
    return None


def network_fault(
    build: Callable[[], nn.Module],
    inputs: tuple[Tensor, ...],
    outputs: Mapping[str, tuple[int, ...]],
    *,
    fused: bool = True,
    packing: int = 1,
) -> str | None:
    """The reason why a network cannot be a member of a pack, as a clause; None if it can.

    Args:
        build: function that makes the network with initial parameters; called several times.
        inputs: a batch of inputs, of which the first are values and others labels.
        outputs: shape of an example's output, by name. The first is the output that the network must give; only
            `logits` may have others beside it.
        fused: whether members are computed together.
        packing: number of inputs that have one output together.
    """
    with world(1) as observed:
        module = build()
    if observed.fault or (fault := _module_fault(module)):
        return observed.fault or fault
    one, other = inputs, (_normal(inputs[0].shape, 1), *inputs[1:])
    given = [x.clone() for x in one]
    with world(1) as observed:
        try:
            first = call(module, one)
        except Exception as error:
            error.add_note(f"on inputs of shape {_shapes(inputs)}")
            raise
    if observed.fault and "PyTorch" in observed.fault:
        answered = join_words(sorted({function.__name__ for function in ANSWERS}))
        return f"{observed.fault}; those that each run has of its own are answered to {answered}"
    if fault := observed.fault or _outputs_fault(first, inputs, outputs, packing):
        return fault
    if not identical(given, list(one)):
        return "changes its inputs in place; write x = x * 2 for x.mul_(2), and inplace=False in a first activation"
    for values in tree_leaves(first):
        if values.is_floating_point() and not values.isfinite().all():
            return "gives values that are not finite for ordinary inputs, at its initial parameters"

    # State between calls: the first call may set lazy attributes; the second call must not change anything.
    before, globals_before = attributes_of(module), _globals(module)
    with world(2) as observed:
        changed = call(module, other)
    if observed.fault:
        return observed.fault
    for where, kept, now in (("", before, attributes_of(module)), ("global value ", globals_before, _globals(module))):
        moved = [name for name in now if now[name] != kept.get(name)]
        if moved:
            return (
                f"changes its {where or 'attribute '}{moved[0]!r} in a forward pass; what a network keeps from call to "
                "call must be a buffer (register_buffer)"
            )
    if not identical(call(module, one), first):
        return (
            "gives another output for the same input at its next call; a network must be a function of its input, its "
            "buffers and PyTorch's random numbers"
        )

    with world(2) as observed:
        again = build()
    parameters = [[(name, fingerprint(value)) for name, value in each.named_parameters()] for each in (module, again)]
    if observed.fault or parameters[0] != parameters[1]:
        return observed.fault or "starts from other parameters when it is built again from the same seed"
    if not identical(call(again, other), changed):
        return "gives another output for an input that comes first than for the same one that comes second"
    return _gradient_fault(module, one) or _precision_fault(build, one, fused, packing)


def _shapes(inputs: tuple[Tensor, ...]) -> str:
    return " and ".join(str(tuple(x.shape)) for x in inputs)


def _globals(module: nn.Module) -> dict[str, Any]:
    """Global values of the files that define a network's modules, except PyTorch's files, which no author changes."""
    files = {type(part).__module__ for part in module.modules()}
    return {
        k: v
        for file in sorted(files)
        if file.split(".")[0] != "torch"
        for k, v in globals_of(sys.modules[file]).items()
    }


def _module_fault(module: Any) -> str | None:
    """The fault of a network's modules and parameters, as a clause; None if a run can train them."""
    if not isinstance(module, nn.Module):
        return f"is {type(module).__name__}, which is no nn.Module"
    parameters = dict(module.named_parameters())
    if not parameters:
        return "has no parameters"
    for name, value in parameters.items():
        if isinstance(value, nn.UninitializedParameter):
            return f"has a parameter {name!r} that has no shape before the first call; give it one"
        if value.dtype != torch.float32:
            return f"has a parameter {name!r} of {value.dtype}; all must be float32"
        if not value.requires_grad:
            return f"has a parameter {name!r} that asks for no gradient, but training moves all; make it a buffer"
    return None


def _outputs_fault(
    outputs: Any, inputs: tuple[Tensor, ...], shapes: Mapping[str, tuple[int, ...]], packing: int
) -> str | None:
    first = next(iter(shapes))
    if first == "logits" and isinstance(outputs, tuple | Mapping):
        if not isinstance(outputs, Mapping) and len(outputs) > len(NAMES):
            return f"gives {len(outputs)} outputs; more than {join_words(NAMES)} must have their names, in a dict"
        outputs = named_outputs(outputs)
        if first not in outputs:
            return f"gives a dict of {join_words(list(outputs)) or 'nothing'}; one must be {first!r}"
    else:
        outputs = {first: outputs}
    for name, values in outputs.items():
        said = name if len(outputs) > 1 else "outputs"
        if not isinstance(values, Tensor):
            return f"gives out {type(values).__name__} for a tensor of inputs; must be a tensor"
        wanted = (len(inputs[0]) // packing, *shapes.get(name, values.shape[1:]))
        if tuple(values.shape) != wanted:
            return (
                f"gives {said} of shape {tuple(values.shape)} for inputs of shape {_shapes(inputs)}; must be {wanted}"
                + (f", one for every {packing} examples" if packing > 1 else "")
            )
        is_whole = not (values.is_floating_point() or values.is_complex())  # such as indices of a pooling
        if values.dtype != torch.float32 and not (is_whole and name != first):
            return f"gives {said} of {values.dtype} for inputs of float32"
    return None


def _gradient_fault(module: nn.Module, inputs: tuple[Tensor, ...]) -> str | None:
    x = inputs[0].clone().requires_grad_()
    outputs, named = tree_leaves(call(module, (x, *inputs[1:]))), dict(module.named_parameters())
    outputs = [values for values in outputs if values.is_floating_point()]  # others, such as indices, have no gradient
    if not all(values.requires_grad for values in outputs):
        return "gives outputs that no gradient reaches (no_grad, detach, or made from numbers)"
    *gradients, grad = torch.autograd.grad(
        sum(values.square().sum() for values in outputs), [*named.values(), x], allow_unused=True
    )
    unreached = [name for name, each in zip(named, gradients, strict=True) if each is None]
    if unreached:
        return f"passes no gradient to its parameter {unreached[0]!r}: it is not used, or detached"
    return "passes no gradient to its inputs" if grad is None else None


def _precision_fault(
    build: Callable[[], nn.Module], inputs: tuple[Tensor, ...], fused: bool, packing: int
) -> str | None:
    """The fault of a network that leaves float64 or, if fused, mixes two members, as a clause; else None."""
    module = build()
    network = Network(module, inputs, packing=packing).to(inputs[0].device, torch.float64)
    theta = Network.vector(module).double()
    theta = torch.stack([disturbed(theta, seed) for seed in (0, 1)])  # initial zeros would hide what they multiply
    buffers = {name: torch.stack([value, value]) for name, value in network.start_buffers(module).items()}
    key = torch.tensor([1, 2])
    given = [torch.stack([x, x.flip(0)]) for x in inputs]
    given[0] = given[0].double()

    def outputs(k: slice) -> list[Tensor]:
        kept = {name: value[k] for name, value in buffers.items()}
        return tree_leaves(network.apply(theta[k], kept, key[k], *(x[k] for x in given))[0])

    alone = [torch.cat(parts) for parts in zip(outputs(slice(0, 1)), outputs(slice(1, 2)), strict=True)]
    for values in alone:
        if values.is_floating_point() and values.dtype != torch.float64:
            return f"gives outputs of {values.dtype} for inputs of float64; compute in the precision of the inputs"
    if not fused or network.unvectorised(theta, buffers, key, *given):
        return None
    for values, own in zip(outputs(slice(0, 2)), alone, strict=True):
        apart = (values - own).abs().max()
        if not apart <= RTOL * own.abs().max():  # nor NaN
            return f"gives outputs for two members at once that differ from those of each alone by {apart:.2g}"
    return None


def _normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
