"""The plan of the study, and the functions by which rules find their files, jobs and resources.

Inputs are `ancient`, which ignores time stamps: a file's name carries the digest of everything that can change its
content, so a file that exists is up to date.
"""

from pathlib import Path

from snakemake.logging import logger

from ganbench.core.source_digests import digest
from ganbench.report.figure_info import figure_infos
from ganbench.report.file_names import figure_name
from ganbench.pipeline import job_files
from ganbench.pipeline.resources import stored_estimates, requests
from ganbench.pipeline.execution.processor import chosen_kernels
from ganbench.pipeline.snakemake import (
    Shortened,
    failure_message,
    job_named,
    plan_of,
    set_job_environment,
    before_first_job,
)

logger.addFilter(Shortened())

plan = plan_of(
    config,
    origin=", ".join(map(str, workflow.configfiles)) or "the configuration",
    files=workflow.configfiles,
    verify=workflow.is_main_process,
)
RESULTS = str(plan.folder)

set_job_environment()


# Jobs compute with the kernels that were chosen in this process's environment. On most clusters jobs inherit the
# environment; a pod has the environment of its image, with the variables that are named here.
envvars:
    *chosen_kernels(),


wildcard_constraints:
    digest="[0-9a-f]{12}",


def files_of(stage, name):
    """The input files of a job."""
    return [ancient(str(path)) for path in plan.jobs(stage)[name].inputs]


# The command of every job but `archive` and `weights`. `params.job` is the path of the job's file, which holds its task and settings.
JOB_COMMAND = "exec ganbench job {params.job:q} --asked {resources.mem_mb} 2>> {log:q}"


def job_of(stage):
    """A function from wildcards to the path of the job's file."""
    return lambda wildcards: str(
        job_files.path_of(plan.folder, job_named(plan, stage, wildcards))
    )


def requested(stage):
    """The resources of a stage's jobs: GPUs, and memory (MB) and time (minutes), computed before every attempt."""

    def of(what):
        def next_time(wildcards, attempt):
            job = plan.jobs(stage)[getattr(wildcards, "name", stage)]
            estimates = stored_estimates.read_estimates(plan.folder)
            return getattr(requests.request(plan, job, estimates, attempt), what)

        return next_time

    gpus = requests.gpus(plan, stage)
    return {"mem_mb": of("mem_mb"), "runtime": of("runtime")} | (
        {"gpu": gpus} if gpus else {}
    )


def outputs_of(stage):
    """The output files of a stage that runs once per study."""
    return [str(path) for path in plan.jobs(stage)[stage].outputs]


def shown_figures():
    """The figures as SVG, marked for `snakemake --report`, and as PNG."""
    shown, others = [], []
    for kind, of in plan.figures.task.shown:
        path = f"{plan.folder}/figures/{figure_name(kind, of)}"
        about = {
            "category": "Figures",
            "subcategory": of or "the whole study",
            "labels": {
                "figure": figure_infos()[kind].title,
                "of": of or "the whole study",
            },
        }
        shown.append(report(f"{path}.svg", caption=f"../report/{kind}.rst", **about))
        others.append(f"{path}.png")
    return shown + others


onstart:
    before_first_job(
        plan,
        here=workflow.local_exec,
        parallel_jobs=(
            workflow.resource_settings.cores
            if workflow.local_exec
            else workflow.resource_settings.nodes
        ),
    )


onerror:
    print(failure_message(plan))
