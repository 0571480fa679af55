"""A study of GAN stability: prepare, judge, reference, train -> evaluate, diagnose -> collect -> tables, figures -> report -> track."""

from snakemake.utils import min_version

min_version("9.0")

# A study given by --configfile replaces the default one; the two are not merged.
if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/prepare.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/diagnose.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/summarise.smk"


# The targets include the results of packs, so that a removed file is made again even if the report exists. They also
# avoid an error of Snakemake (its issue 4166): when it repeats a job whose output exists, it forgets jobs that lack their
# output and have an `ancient` input from that job.
rule all:
    default_target: True
    input:
        [str(path) for path in plan.files()],
    message:
        "all of {plan.study.study}"
