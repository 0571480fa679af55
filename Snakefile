"""A study of GAN stability: prepare -> judge -> train -> evaluate -> diagnose -> collect -> track, tables, figures, report."""

from snakemake.utils import min_version

min_version("9.0")

# A study named by --configfile stands for itself; it is not laid over the default one.
if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/diagnose.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/summarise.smk"


# The results of packs too. So what is removed is made again, though the report is there; and where a job is repeated
# whose output is there, Snakemake forgets none of those that lack theirs, as it does with jobs that have an `ancient`
# file of it for input (its issue 4166).
rule all:
    default_target: True
    input:
        [str(path) for path in plan.files()],
    message:
        "all of {plan.study.study}"
