"""The plan of the study; every rule asks it for its files and its job.

Inputs are `ancient`: a file's name carries the digest of all that made it, so a file that exists is up to date and time
stamps say nothing.
"""

from snakemake.logging import logger

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


# Jobs compute with the kernels that whoever submits them chose. Those of most clusters inherit the environment; a pod has
# its image's, and what is named here.
envvars:
    *chosen_kernels(),


wildcard_constraints:
    digest="[0-9a-f]{12}",


def files_of(stage, name):
    """The input files of a job."""
    return [ancient(str(path)) for path in plan.jobs(stage)[name].inputs]


# Every job but `weights` is run by this; the rule's `job` is the path of its file, which says all it needs to know.
JOB_COMMAND = "exec ganbench job {params.job:q} --asked {resources.mem_mb} 2>> {log:q}"


def job_of(stage):
    """A function from wildcards to the path of the file of the job they name."""
    return lambda wildcards: str(
        job_files.path_of(plan.folder, job_named(plan, stage, wildcards))
    )


def requested(stage):
    """What a stage's jobs request of a cluster; memory (MB) and time (minutes) anew before every attempt."""

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
