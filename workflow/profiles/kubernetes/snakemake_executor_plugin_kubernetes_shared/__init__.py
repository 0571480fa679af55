"""Snakemake's executor for Kubernetes, for a project on a volume that all pods share.

That executor holds that nothing is shared: every pod is sent the sources, fetches its inputs from a storage provider
and sends its outputs there. But this project's jobs know their files by name, and leave checkpoints and journals beside
them. So here pods work in the project's own folder, as jobs on the nodes of a cluster do, and `shared-fs-usage` says
what is shared.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import snakemake_executor_plugin_kubernetes as plugin
from kubernetes.client import ApiException, CoreV1Api

ExecutorSettings = plugin.ExecutorSettings
common_settings = replace(
    plugin.common_settings,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
)


class Executor(plugin.Executor):
    """Runs every job in a pod that works where Snakemake was started."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._over: set[Any] = set()

    async def check_active_jobs(self, active_jobs: list[Any]) -> AsyncGenerator[Any]:
        # The executor forgets a job about which Kubernetes does not answer, and waits for it for ever.
        running = []
        async for job in super().check_active_jobs(active_jobs):
            running.append(job)
            yield job
        for job in active_jobs:
            if job not in running and job.external_jobid not in self._over:
                yield job

    def report_job_success(self, job_info: Any) -> None:
        self._over.add(job_info.external_jobid)
        super().report_job_success(job_info)

    def report_job_error(self, job_info: Any, **about: Any) -> None:
        self._over.add(job_info.external_jobid)
        super().report_job_error(job_info, **about)

    def format_job_exec(self, job: Any) -> str:
        # Kubernetes tells the first process of a pod to end, and this shell would not even hear it while it waits for
        # Snakemake. The job has to know: it keeps what it has.
        tell_all = "trap 'kill -s TERM -- -1; wait $!; exit $?' TERM"
        return f"{tell_all}; (trap : TERM; {super().format_job_exec(job)}) & wait $!"

    def get_job_exec_prefix(self, job: Any) -> str:
        return f"cd {shlex.quote(self.workflow.workdir_init)}"

    @property
    def kubeapi(self) -> CoreV1Api:
        """The part of Kubernetes' interface that knows of pods."""
        return self._kubeapi

    @kubeapi.setter
    def kubeapi(self, api: CoreV1Api) -> None:
        # Of a failed pod the executor asks for the log of the container before the one that failed. There is none, pods
        # being started only once, and the error that Kubernetes answers with would end the whole workflow.
        read = api.read_namespaced_pod_log

        def log(**asked: Any) -> str:
            try:
                return read(**asked | {"previous": False})
            except ApiException as error:  # its node is gone
                return f"Kubernetes has no log of it: {error.reason}"

        api.read_namespaced_pod_log = log
        self._kubeapi = api
