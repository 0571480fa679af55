"""The plan of the study; every rule asks it for its files and its slice of the configuration.

Inputs are `ancient`: a file's name carries the digest of all that made it, so a file that exists is up to date and time
stamps say nothing.
"""

import json
import shlex
import sys
from pathlib import Path

from ganbench.report.outputs import figure_name
from ganbench.stages.workflow import named, plan_of, start

plan = plan_of(
    config,
    origin=", ".join(map(str, workflow.configfiles)) or "the configuration",
    look=workflow.is_main_process,
)
RESULTS = str(plan.folder)
# Not among the parameters of jobs, whose change would make them run again: it changes no result.
SITE = json.dumps(plan.site)

# Jobs use the environment that Snakemake itself runs in, activated or not; one job is one thread.
shell.prefix(
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH OMP_NUM_THREADS=1; "
)

# GPUs that a job computes on: Snakemake counts them where it is told how many there are (--resources gpu=2).
GPUS = 0 if plan.study.machine.device == "cpu" else 1


wildcard_constraints:
    digest="[0-9a-f]{12}",


def files_of(stage, name):
    """The input files of a job."""
    return [ancient(str(path)) for path in plan.jobs(stage)[name].inputs]


def slice_of(stage):
    """A function from wildcards to the slice of the job they name."""
    return lambda wildcards: named(plan, stage, wildcards).argument


def outputs_of(stage):
    """The files of a stage that runs once a study."""
    return [str(path) for path in plan.jobs(stage)[stage].outputs]


def shown_figures():
    """The figures, as `snakemake --report` shows them; their other formats."""
    shown, others = [], []
    for kind, of in plan.shown:
        path = f"{plan.folder}/figures/{figure_name(kind, of)}"
        about = {
            "category": "Figures",
            "subcategory": of or "the whole study",
            "labels": {"figure": kind, "of": of or "the whole study"},
        }
        shown.append(report(f"{path}.svg", caption=f"../report/{kind}.rst", **about))
        others.append(f"{path}.png")
    return shown + others


onstart:
    start(plan)
