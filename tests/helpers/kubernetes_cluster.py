"""A Kubernetes cluster of make-believe: as much of its API as Snakemake's executor calls, and pods that are processes.

A pod's container sees a file system as its specification says: an empty folder or a claim at every mount path, and what
the image holds, which is all this machine has but the cluster's own folder, where the claims lie. It has processes and
a host name of its own. All that takes mount namespaces; there is no limit to what pods use.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

PLUGIN = "snakemake_executor_plugin_kubernetes"
UNSHARE = ("unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--propagation", "private")

TRY = "mount -t tmpfs none /mnt && mount -t proc proc /mnt && hostname pod"

# A new root: this machine's folders, all but one; then pairs of a mount path and a folder, which is empty if it is "-".
ENTER = """
set -e
root=$1 hidden=$2 name=$3 mounts=$4; shift 4
mount -t tmpfs pod "$root"
for entry in /*; do
    if [ -L "$entry" ]; then cp -P "$entry" "$root$entry"
    elif [ -d "$entry" ]; then
        mkdir "$root$entry"
        [ "$entry" = /proc ] || mount --rbind "$entry" "$root$entry"
    fi
done
mount -t proc proc "$root/proc"
mount -t tmpfs hidden "$root$hidden"
while [ "$mounts" -gt 0 ]; do
    mkdir -p "$root$1"
    [ "$2" = - ] || mount --bind "$2" "$root$1"
    mounts=$((mounts - 1)); shift 2
done
hostname "$name"
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$@"
"""


def missing_plugin() -> str | None:
    """What Snakemake lacks."""
    return None if find_spec(PLUGIN) else f"no {PLUGIN.replace('_', '-')}: pip install it"


def missing() -> str | None:
    """What Snakemake or this machine lacks."""
    tried = shutil.which("unshare") and subprocess.run([*UNSHARE, "sh", "-c", TRY], capture_output=True, check=False)
    return missing_plugin() or (None if tried and not tried.returncode else "no mount namespaces: be root on Linux")


@dataclass
class Pod:
    """A job of the cluster and its only pod."""

    name: str
    spec: dict[str, Any]  # of the pod
    environment: dict[str, str]  # that it adds to the image's
    process: subprocess.Popen[bytes]
    log: Path
    deleted: bool = False

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.spec["containers"]
        return container

    @property
    def command(self) -> str:
        return " ".join([*self.container["command"], *self.container["args"]])

    @property
    def exit_code(self) -> int | None:
        """As a shell would tell it: 137 where it was killed; None while it runs."""
        code = self.process.poll()
        return code if code is None or code >= 0 else 128 - code

    def evict(self) -> None:
        """Tell its first process to end, as when its node is needed for others."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (first,) = map(int, children.split())
        os.kill(first, signal.SIGTERM)

    def kill(self) -> None:
        """End all its processes at once, as when a node runs out of memory."""
        self.process.kill()
        self.process.wait()


@dataclass
class Cluster:
    """A cluster that runs, with one namespace.

    `claims` are the folders that pods see, to be made by who fills them; `pods` all there ever were, in order.
    """

    folder: Path
    namespace: str
    claims: Mapping[str, Path]
    image: Mapping[str, str]  # the environment that the image gives its containers
    pods: list[Pod] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def started(
        cls, folder: Path, namespace: str, claims: Sequence[str], image: Mapping[str, str]
    ) -> Iterator[Cluster]:
        """A cluster that is gone with all its pods when the block ends.

        Args:
            folder: for all it keeps; no pod sees it.
            namespace: the only one there is.
            claims: names of the claims on persistent volumes.
            image: the environment that the image gives its containers.
        """
        cluster = cls(folder, namespace, {name: folder / "claims" / name for name in claims}, image)
        for path in ("claims", "pods", "config"):
            (folder / path).mkdir(parents=True)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(cluster))
        server.daemon_threads = True
        (folder / "config" / "kubeconfig").write_text(_kubeconfig(f"http://127.0.0.1:{server.server_port}"))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield cluster
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            for pod in cluster.pods:
                pod.kill()

    def enter(
        self,
        name: str,
        mounts: Mapping[str, Path | None],
        workdir: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        **popen: Any,
    ) -> subprocess.Popen[Any]:
        """Start a command in a file system, process tree and host of its own.

        Args:
            name: of the host.
            mounts: by path: the folder to see there; None for an empty one.
            workdir: where to work.
            command: what to run.
            environment: variables beside the image's.
            popen: further arguments of `subprocess.Popen`.
        """
        root = self.folder / "pods" / name
        root.mkdir()
        pairs = [str(each) for path, source in mounts.items() for each in (path, source or "-")]
        arguments = [root, self.folder, name, str(len(mounts)), *pairs, workdir, *command]
        return subprocess.Popen(
            [*UNSHARE, "sh", "-c", ENTER, "sh", *arguments],
            env={**self.image, **environment},
            start_new_session=True,
            **popen,
        )

    @contextmanager
    def console(
        self, mounts: Mapping[str, Path | None], workdir: str, command: Sequence[str], **environment: str
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a command in a pod whose user may use the cluster; it is gone when the block ends."""
        process = self.enter(
            "console",
            {**mounts, "/config": self.folder / "config"},
            workdir,
            command,
            {"KUBECONFIG": "/config/kubeconfig", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    # What Snakemake's executor calls: (status, answer) ---------------------------------------------------------------

    def create_secret(self, body: dict[str, Any], **_: str) -> tuple[int, dict[str, Any]]:
        self.secrets[body["metadata"]["name"]] = body.get("data", {})
        return 201, body

    def delete_secret(self, name: str, **_: str) -> tuple[int, dict[str, Any]]:
        del self.secrets[name]
        return 200, {"kind": "Status", "status": "Success"}

    def create_job(self, body: dict[str, Any], **_: str) -> tuple[int, dict[str, Any]]:
        name, spec = body["metadata"]["name"], body["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        asked, limits = (container["resources"].get(kind, {}) for kind in ("requests", "limits"))
        for resource, amount in asked.items():
            if "/" in resource and limits.get(resource) != amount:
                return _refused(422, f"{resource}: Limit must be set for non overcommitable resources")
        volumes = {volume["name"]: volume.get("persistentVolumeClaim") for volume in spec["volumes"]}
        mounts = {}
        for mount in container["volumeMounts"]:
            claim = volumes[mount["name"]]
            mounts[mount["mountPath"]] = self.claims[claim["claimName"]] if claim else None
        references = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container.get("env", ())}
        environment = {
            variable: base64.b64decode(self.secrets[reference["name"]][reference["key"]]).decode()
            for variable, reference in references.items()
        }
        command = [*container["command"], *container["args"]]
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = self.enter(
                name, mounts, container["workingDir"], command, environment, stdout=output, stderr=output
            )
        self.pods.append(Pod(name, spec, environment, process, log))
        return 201, body

    def read_job(self, name: str, **_: str) -> tuple[int, dict[str, Any]]:
        pod = self._pod(name)
        if pod is None:
            return _refused(404, f'jobs.batch "{name}" not found')
        state = {None: "active", 0: "succeeded"}.get(pod.exit_code, "failed")
        return 200, {"metadata": {"name": name}, "status": {state: 1}}

    def list_pods(self, query: dict[str, str], **_: str) -> tuple[int, dict[str, Any]]:
        pod = self._pod(query["labelSelector"].removeprefix("job-name="))
        if pod is None:
            return 200, {"items": []}
        code = pod.exit_code
        about = {"name": "snakemake", "image": "", "imageID": "", "ready": False, "restartCount": 0}
        about["state"] = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
        return 200, {"items": [{"metadata": {"name": pod.name}, "status": {"containerStatuses": [about]}}]}

    def read_log(self, name: str, query: dict[str, str], **_: str) -> tuple[int, dict[str, Any] | str]:
        pod = self._pod(name)
        if pod is None:
            return _refused(404, f'pods "{name}" not found')
        if query.get("previous", "false").lower() != "false":  # no container of a pod that never restarts has one
            return _refused(400, f'previous terminated container "snakemake" in pod "{name}" not found')
        return 200, pod.log.read_text()

    def delete_pod(self, name: str, **_: str) -> tuple[int, dict[str, Any]]:
        pod = self._pod(name)
        if pod is None:
            return _refused(404, f'"{name}" not found')
        pod.kill()
        return 200, {"kind": "Status", "status": "Success"}

    def delete_job(self, name: str, **_: str) -> tuple[int, dict[str, Any]]:
        status, answer = self.delete_pod(name)
        if status == 200:
            self._pod(name).deleted = True
        return status, answer

    def _pod(self, name: str) -> Pod | None:
        return next((pod for pod in self.pods if pod.name == name and not pod.deleted), None)


# By method and path: what is done, and what one must be permitted to do it: a verb, a group and a resource.
CALLS = {
    ("POST", "/api/v1/NAMESPACE/secrets"): (Cluster.create_secret, ("create", "", "secrets")),
    ("DELETE", "/api/v1/NAMESPACE/secrets/NAME"): (Cluster.delete_secret, ("delete", "", "secrets")),
    ("POST", "/apis/batch/v1/NAMESPACE/jobs"): (Cluster.create_job, ("create", "batch", "jobs")),
    ("GET", "/apis/batch/v1/NAMESPACE/jobs/NAME/status"): (Cluster.read_job, ("get", "batch", "jobs/status")),
    ("DELETE", "/apis/batch/v1/NAMESPACE/jobs/NAME"): (Cluster.delete_job, ("delete", "batch", "jobs")),
    ("GET", "/api/v1/NAMESPACE/pods"): (Cluster.list_pods, ("list", "", "pods")),
    ("GET", "/api/v1/NAMESPACE/pods/NAME/log"): (Cluster.read_log, ("get", "", "pods/log")),
    ("DELETE", "/api/v1/NAMESPACE/pods/NAME"): (Cluster.delete_pod, ("delete", "", "pods")),
}
PERMISSIONS = [permission for _, permission in CALLS.values()]


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    """What answers requests to a cluster's API."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, answer = _refused(404, f"{self.command} {url.path} is not of this world")
            for (method, pattern), (call, _) in CALLS.items():
                path = pattern.replace("NAMESPACE", f"namespaces/{re.escape(cluster.namespace)}")
                found = re.fullmatch(path.replace("NAME", "(?P<name>[^/]+)"), url.path)
                if found and method == self.command:
                    status, answer = call(cluster, body=body, query=query, **found.groupdict())
            data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


def _refused(code: int, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "status": "Failure", "code": code, "message": message}


def _kubeconfig(server: str) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": server}}],
            "users": [{"name": "test", "user": {"token": "test"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
    )


def image_of(project: str) -> dict[str, str]:
    """The environment that the profile's image gives its containers: this Python, and the package where it is mounted.

    Args:
        project: where the project is mounted.
    """
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{project}{os.pathsep}{project}/workflow/profiles/kubernetes",
        "OMP_NUM_THREADS": "1",
        "HOME": "/workdir",
    }
