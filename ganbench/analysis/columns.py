"""The tables that `collect` writes, column by column: the contract between the stages and all readers of the tables.

`runs` has one row per run, `snapshots` one per run and snapshot, `curves` one per run, recorded series and bin of
steps, `references` one per data set and quantity measured on real data, `nulls` one per data set and metric,
`measurements` one per run and number that a diagnostic measured, `run_outcomes` one per run and outcome that holds or
was not judged, `events` one per run and event, `modes` one per run, snapshot and mode of the data. Options are columns
of `runs` too (see `option_columns`). Metrics are columns of `snapshots` under their own names, and of `runs` as
`<metric>_final`: the value of the last networks, empty where the run diverged or was stopped before. Next to the
tables, `metrics.json` describes the metrics and `quantities.json` the numbers of the diagnostics.
"""

from __future__ import annotations

from collections.abc import Iterable

from ganbench.analysis.events import EVENT_KINDS
from ganbench.analysis.outcome_catalogue import catalogue
from ganbench.core.recorder import GAN_SERIES, REGULARIZER_SERIES
from ganbench.core.registry import CHOICES
from ganbench.study.train_axes import COLUMNS

# The axes of the grid: together with the training options they define a run.
AXES = {
    "game": "what was played; gan is an architecture on a data set",
    "dataset": "data set the run was trained on; empty for games without one",
    "architecture": "pair of networks",
    "objective": "losses of the two players",
    "regularizer": "how the game is regularized: a penalty, noise, clipping or decay",
    "dynamics": "how the players are updated together",
    "optimizer": "how a gradient becomes a step",
    "schedule": "how learning rates change over training",
    "block": "label of the run's block of the grid; empty where that has none",
    "train": "training options that the study varies in the run's method, as `train(batch_size=64)`; empty for none",
    "n_train": "number of training examples the run could see",
    "learning_rate": "learning rate of the first player, and of the second unless that has its own",
    "generator_learning_rate": "learning rate of the second player, the generator; empty where it is `learning_rate`",
    "seed": "seed of every random stream of the run",
}

# Options of a run: each has its own column in `runs`, with one of these prefixes and `_`.
OPTIONS = {
    **{family: f"option `{{name}}` of the run's {family}; empty where that has no such option" for family in CHOICES},
    "train": "training option `{name}` of the run; empty where the run has no use for it",
    "evaluate": "evaluation option `{name}` of the study; empty where the run is not evaluated",
    "outcome": "threshold `{name}` of the study's section `outcome`, by which failures are told",
}

# The axes that vary within a method and define a setting: runs of a method at one setting differ only in their seeds.
SETTING = ("n_train", "learning_rate", "generator_learning_rate")

RUNS = {
    "run": "identifier of the run, unique in the study: its method, n_train, learning rates and seed",
    **AXES,
    "method": "what is compared: the run's data set, architecture and whatever else the study varies, as a slug",
    "outcome": "what became of the run: the most severe of `outcomes`, or undetermined",
    "outcomes": "all outcomes that hold, the most severe first, separated by commas; `run_outcomes` has the evidence",
    "outcome_onset": "training step since which the outcome holds, or at which it was first seen",
    "failure_onset": "training step since which the first of all failures found holds; empty where none was found",
    "stopped_step": "training step after which the run was stopped early; empty where it was not",
    "stopped_for": "outcome for which the run was stopped early; empty where it was not",
    "outcome_evidence": "the measurement that decided the outcome, in words with its numbers",
    "outcomes_judged": "outcomes that were looked for in this run, separated by commas",
    "failures_not_judged": "failures that were not, each with the reason; without those that such a run cannot"
    " have, and those that its early end cut short",
    "mode_forgetting": "mean of `forgetting` in the table of modes over the modes, of the last networks; empty where"
    " the run diverged or was stopped before them, or no modes are told apart",
    "steps": "training steps asked for",
    "continued_from": "step of a finished run from which this one went on; 0 if it was trained from the start",
    "steps_done": "training steps recorded before the run ended, diverged or was stopped",
    "discriminator_parameters": "number of trainable parameters of the discriminator, or first player",
    "generator_parameters": "number of trainable parameters of the generator, or second player",
    "pack": "pack in which the run was trained",
    "fused": "whether the run was trained fused with other members of its pack",
    "execution": "how its steps were executed: eager (in Python), traced, compiled or graph (a CUDA graph)",
    "trained_at": "UTC time at which the run's training ended, ISO 8601",
    "train_seconds": "the run's share of its pack's wall time in training steps, seconds",
    "device": "device the run was trained on",
    "processor": "processor of the machine that trained the run",
    "cpu_capability": "vector instructions that PyTorch used on it",
    "blas": "NumPy's BLAS there, its version and the kind of processor that its kernels are for",
    "threads": "most threads that a library computed with",
    "judged_on": "device, processor, kernels and threads with which the judge of the run's data set was fitted",
    "evaluated_on": "the same, with which the run's snapshots were scored",
    "diagnosed_on": "the same, with which diagnostics measured the run; of several, all",
    "collected_on": "the same, with which this table was made",
    "python": "Python version",
    "numpy": "NumPy version",
    "scipy": "SciPy version",
    "torch": "PyTorch version",
    "cuda": "CUDA version PyTorch was built for, or empty on a CPU",
    "tf32": "whether a GPU used TensorFloat-32 where `train_precision` does not say so; empty on a CPU",
    "commit": "git commit of the sources, with '+' where the working tree differed from it",
    "digest": "SHA-256 over the run's configuration and every source that can change its numbers",
}


def option_columns(columns: Iterable[str], metrics: Iterable[str]) -> dict[str, str]:
    """Describe the columns of `runs` that hold options, named `<prefix>_<name>` by the prefixes of `OPTIONS`.

    Args:
        columns: all columns of the table.
        metrics: the metrics whose final values are among the columns.

    Returns:
        By column, its description.
    """
    others = {*RUNS, *(f"{metric}_final" for metric in metrics)}
    parted = {column: column.partition("_") for column in columns if column not in others}
    return {column: OPTIONS[of].format(name=name) for column, (of, _, name) in parted.items() if of in OPTIONS}


# Columns that should have one value in a table: where they differ, the last bits of numbers may differ, and after long
# training the differences may grow.
ORIGINS = (
    *("device", "processor", "cpu_capability", "blas", "threads", "evaluated_on", "diagnosed_on"),
    *("python", "numpy", "scipy", "torch", "cuda", "tf32", "commit"),
)

SNAPSHOTS = {
    "run": RUNS["run"],
    **AXES,
    "method": RUNS["method"],
    "step": "training step after which the networks were kept",
}

CURVES = {
    "run": RUNS["run"],
    "series": "recorded quantity: "
    + "; ".join(f"{name}, the {what}" for name, what in (GAN_SERIES | REGULARIZER_SERIES).items()),
    "first_step": "first training step of the bin (steps count from 1)",
    "last_step": "last training step of the bin",
    "min": "smallest value in the bin; NaN where any value was NaN",
    "mean": "mean over the bin",
    "max": "largest value in the bin",
}

REFERENCES = {
    "dataset": AXES["dataset"],
    "quantity": "name of a metric, or of a property of the data set's judge",
    "value": "its value on real data: of a metric the mean of its null, what a perfect generator would score",
    "sampling": "which real examples were compared with which",
}

NULLS = {
    "dataset": AXES["dataset"],
    "metric": "name of a metric's column",
    "samples": "number of examples in a draw, as many as of every generator are scored",
    "examples": "number of real examples that were drawn from; empty where new ones were drawn from the distribution",
    "draws": "number of draws",
    "mean": "mean over the draws: what a perfect generator would score; empty where a draw has no finite value",
    "std": "standard deviation over the draws",
    "low": "lower bound of the interval that one more draw would lie in with a probability of 95%; a value within it "
    "is one that real data have, in this metric",
    "high": "upper bound of that interval",
    "sampling": "how real examples were drawn in place of generated ones",
    "noise": "value of as many examples of noise: independent numbers with the means and variances of the real ones",
    "caution": "what limits the meaning of the metric at these sizes; empty where nothing does",
}

MEASUREMENTS = {
    "run": RUNS["run"] + "; empty where a diagnostic measures no run",
    "quantity": "what was measured: <experiment>.<column>",
    "value": "its value; empty where there is none",
}

RUN_OUTCOMES = {
    "run": RUNS["run"],
    "outcome": "an outcome that holds for the run, or that was not judged",
    "primary": "whether it is the run's `outcome`; one row of every run is",
    "judged": "whether it was judged; of the outcomes that were judged, those that do not hold have no row",
    "onset": "training step since which it holds, or at which it was first seen; empty where it was not judged",
    "confidence": "0.5 where a threshold is just met, towards 1 far beyond it, less where the evidence is indirect; it"
    " orders findings and is no probability; empty where it was not judged",
    "evidence": "the measurement that shows it, in words with its numbers; or why it was not judged",
}

EVENTS = {
    "run": RUNS["run"],
    "kind": "what happened: " + "; ".join(f"{name}, {what}" for name, what in EVENT_KINDS.items()),
    "source": "the series or metric that shows it",
    "start": "first training step of the event, or the snapshot at which it was first seen",
    "end": "last training step of the event, or the last snapshot at which it was seen",
    "size": "its size, in the unit of its kind",
    "ended": "whether the record shows that it was over: the loss came back from a spike, later bins are without the"
    " saturation or rejection, a later snapshot has recovered from a relapse; empty for a mode hop, which is a change",
    "held_steps": "of a saturation or rejection, number of steps in bins in which its condition holds, without the gaps"
    " that were joined; empty for other kinds",
    "longest_steps": "number of steps in the longest run of such bins without a gap; empty for other kinds",
}

MODES = {
    "run": RUNS["run"],
    "step": "training step after which the networks were kept",
    "mode": "index of a mode of the data: a class, a Gaussian of a mixture; data of more than 100 modes have no rows",
    "share": "share of all generated examples that fall on the mode; empty where no example could be judged",
    "confident_share": "share of all generated examples that fall on the mode beyond the judge's doubt",
    "real_share": "share of the real training examples that fall on the mode, its fair share",
    "forgetting": "the mode's largest coverage at an earlier snapshot of training less that at this one, where coverage"
    " is `confident_share` over `real_share`, at most 1; 1 is a mode that was covered and is gone, and below 0 there is"
    " more of it than ever (Chaudhry et al. 2018); empty up to the first snapshot of training, and of a mode without"
    " real examples",
}

# The table of the runs that an unfinished study still lacks.
MISSING = {
    "run": RUNS["run"],
    **AXES,
    "method": RUNS["method"],
    **{column: RUNS.get(column) or OPTIONS["train"].format(name=name) for name, column in COLUMNS.items()},
    "pack": "pack in which the run is trained",
    "stage": "stage that it waits for",
    "state": "how that stage's job stands: waiting, running, silent, stopped or failed",
    "reason": "the same in words, with the cause where it failed",
}

UNDETERMINED = "undetermined"
OUTCOMES = {
    **{name: info.what for name, info in catalogue().items()},
    UNDETERMINED: "trained to its last step, no failure was seen, and one that it may have had was not measured, or"
    " nothing tells how far it came",
}
# The most severe first: failures of training. What is neither these nor a success was ended by the budget of steps.
FAILURES = {name: info.what for name, info in catalogue().items() if info.kind == "failure"}
OPEN = tuple(name for name, info in catalogue().items() if info.kind == "open")
SUCCESSES = tuple(name for name, info in catalogue().items() if info.kind == "success")
# Runs that somebody would use. One that has learned nothing did not fail, but a method of such runs is of no use.
HEALTHY = (*SUCCESSES, *(name for name in OPEN if name != "not-learned-yet"))

TABLES = {
    "runs": RUNS,
    "snapshots": SNAPSHOTS,
    "curves": CURVES,
    "references": REFERENCES,
    "nulls": NULLS,
    "measurements": MEASUREMENTS,
    "run_outcomes": RUN_OUTCOMES,
    "events": EVENTS,
    "modes": MODES,
}
