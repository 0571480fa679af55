"""`ganbench clean`: remove results under old digests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ganbench.commands import DEFAULT, AStudy, out
from ganbench.core.formatting import join_words, plural
from ganbench.core.locks import hold_lock
from ganbench.pipeline import results_folder, superseded
from ganbench.pipeline.plan import Plan
from ganbench.pipeline.resources import cluster_profile as profiles
from ganbench.pipeline.superseded import Superseded
from ganbench.study.schema import load


def clean(
    study: AStudy = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking, unless others share the folder.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    profile: Annotated[
        Path | None, typer.Option(help="Profile of the cluster that runs the study, whose `config` applies.")
    ] = None,
) -> None:
    """Remove results under old digests, leftovers of interrupted jobs, and old logs.

    Results of the present study and sources stay, and so do other studies and MLflow's store.
    """
    plan = Plan(load(study, over={} if profile is None else profiles.read(profile).config), study)
    others = results_folder.other_studies(plan)
    if dry_run or not plan.folder.exists():
        _show(plan, superseded.find(plan), others)
        return
    with hold_lock(plan.folder / results_folder.LOCK, f"the results folder {plan.folder}"):
        superseded.refuse_running(plan)
        found = superseded.find(plan)
        _show(plan, found, others)
        if found and ((yes and not others) or typer.confirm("Remove it?")):
            for each in found:
                each.remove()
            out.print("Removed.")


def _show(plan: Plan, found: list[Superseded], others: list[str]) -> None:
    if not found:
        out.print(f"Nothing in {plan.folder} lies under an old digest.", markup=False, soft_wrap=True)
        return
    sizes = {each: each.size for each in found}
    for each in found:
        out.print(f"{each.path} ({sizes[each] / 1e6:,.1f} MB)", markup=False, soft_wrap=True)
    table = Table()
    table.add_column("under old digests", no_wrap=True)
    for column in ("number", "size"):
        table.add_column(column, justify="right", no_wrap=True)
    for kind in dict.fromkeys(each.kind for each in found):
        mine = [each for each in found if each.kind == kind]
        table.add_row(kind, f"{len(mine):,}", f"{sum(sizes[each] for each in mine) / 1e6:,.1f} MB")
    out.print(table)
    whole = sum(sizes.values()) / 1e6
    count = plural(len(found), "file or folder", "files and folders")
    out.print(f"{plan.folder}: {count}, {whole:,.1f} MB", markup=False, soft_wrap=True)
    if others:
        shared = f"{plan.study.study!r} is also the study of {join_words(others)}: these may be its results."
        out.print(f"Note: {shared}", markup=False, soft_wrap=True)
