"""A real Slurm cluster of two nodes on this machine, for the workflow to run on.

The nodes are two `slurmd` of three pretended CPUs each, memory that is enforced by sampling, and two GPUs, which are
`/dev/null` and `/dev/zero`. Everything the cluster keeps, its key included, lies in one temporary folder, so several
clusters do not know of one another. Any user may run one, root or not.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from free_ports import free_ports
from needs import need

NODES = ("node1", "node2")
CPUS, MEMORY_MB, GPUS = 3, 12000, ("/dev/null", "/dev/zero")  # of each node
GPU_MODEL = "pretended"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr", "sshare")

READY = ("idle", "mixed", "allocated")  # states of a node that takes jobs, or would if it had room

START_SECONDS = 60  # for the nodes to be ready; reached only when something hangs
NODE_SECONDS = 20  # of silence, after which a node is down
GRACE_SECONDS = 5  # from SIGTERM to SIGKILL for a job that is out of time or cancelled
EXPIRE_SECONDS = 15  # of a job's credential; a job that Slurm itself queues again waits for it

CONFIGURATION = """
ClusterName=ganbench
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={expire}
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n

ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout={silence}
KillWait={grace}
MinJobAge=3600
SchedulerParameters=batch_sched_delay=0,bf_interval=1

SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=1000
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none

GresTypes=gpu
NodeName=DEFAULT CPUs={cpus} RealMemory={memory} Gres=gpu:{model}:{gpus}
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName=node2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 State=UP
"""


def missing() -> str | None:
    """How to get what a cluster lacks on this machine."""
    absent = [program for program in PROGRAMS if not _program(program)]
    return f"no {', '.join(absent)}: apt-get install slurm-wlm munge" if absent else None


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of a test's own: it starts within a second."""
    need(missing())
    with Cluster.started() as cluster:
        yield cluster


@dataclass(frozen=True)
class Job:
    """A job as `squeue` shows it."""

    number: str
    state: str  # PENDING, RUNNING, COMPLETED, FAILED, TIMEOUT, CANCELLED, OUT_OF_MEMORY, NODE_FAIL ...
    node: str  # "" before it has started
    folder: Path  # in which it was submitted
    comment: str  # by Snakemake: `rule_train_wildcards_digits-fc-..._...`


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs; nodes may go down and come up again."""

    folder: Path
    _daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Cluster]:
        """A cluster that is gone with all its jobs when the block ends."""
        with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
            cluster = cls(Path(folder))
            try:
                cluster._configure()
                cluster._start("munged", *_munged(cluster.folder))
                _wait_for((cluster.folder / "munge.socket").exists, "munged")
                cluster._start("slurmctld", _program("slurmctld"), "-D")
                for node in NODES:
                    cluster.up(node)
                yield cluster
            finally:
                cluster._kill(*cluster._daemons)

    # Nodes -----------------------------------------------------------------------------------------------------------

    def up(self, node: str) -> None:
        """Switch a node on; returns when it takes jobs."""
        before = self._started_at(node)
        self._start(node, _program("slurmd"), "-D", "-N", node)
        _wait_for(lambda: self._started_at(node) != before and self.state(node) in READY, f"{node} that takes jobs")

    def down(self, node: str) -> None:
        """Pull a node's plug: its daemon and all jobs on it are gone at once, and nobody is told."""
        self._kill(node)

    def set_down(self, node: str) -> None:
        """Tell the controller that a node is down, as it would find out after a while; its jobs fail or are requeued.

        A node that answers comes back at once. A node that does not, after `down`, stays down until `up`.
        """
        self._client("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def state(self, node: str) -> str:
        """What the controller thinks of a node: `idle`, `mixed`, `allocated`, `down`, `idle*` when silent ..."""
        return self._client("sinfo", "--noheader", "--Node", f"--nodes={node}", "--format=%T", check=False).strip()

    # Jobs ------------------------------------------------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """What makes any process a user of this cluster."""
        # Snakemake's executor takes SLURM_CONF away from the `srun` within its jobs, so the programs bring it along.
        return {"SLURM_CONF": str(self._conf), "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def jobs(self) -> list[Job]:
        """All jobs so far, those that have ended too."""
        lines = self._client("squeue", "--noheader", "--states=all", "--sort=i", "--format=%i|%T|%N|%Z|%k").splitlines()
        shown = [line.split("|", 4) for line in lines]
        return [Job(number, state, node, Path(folder), comment) for number, state, node, folder, comment in shown]

    def about(self, job: Job) -> dict[str, str]:
        """Everything the controller knows of a job: `EndTime`, `TimeLimit`, `ExitCode`, `Restarts`, `TRES` ..."""
        shown = self._client("scontrol", "--oneliner", "show", "job", job.number)
        return dict(item.split("=", 1) for item in shown.split() if "=" in item)

    def cancel(self, job: Job) -> None:
        """End a job as its owner would."""
        self._client("scancel", job.number)

    # Inside ----------------------------------------------------------------------------------------------------------

    @property
    def _conf(self) -> Path:
        return self.folder / "slurm.conf"

    def _configure(self) -> None:
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        (self.folder / "state").mkdir()
        self._conf.write_text(
            CONFIGURATION.format(
                folder=self.folder,
                host=socket.gethostname().split(".")[0],
                user=getpass.getuser(),
                ports=free_ports(3),
                cpus=CPUS,
                memory=MEMORY_MB,
                gpus=len(GPUS),
                model=GPU_MODEL,
                silence=NODE_SECONDS,
                grace=GRACE_SECONDS,
                expire=EXPIRE_SECONDS,
            )
        )
        (self.folder / "gres.conf").write_text("".join(f"Name=gpu Type={GPU_MODEL} File={device}\n" for device in GPUS))
        (self.folder / "bin").mkdir()
        for client in filter(_program, CLIENTS):
            path = self.folder / "bin" / client
            path.write_text(f'#!/bin/sh\nSLURM_CONF={self._conf} exec {_program(client)} "$@"\n')
            path.chmod(0o755)

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as output:
            self._daemons[name] = subprocess.Popen(
                command,
                env=os.environ | {"SLURM_CONF": str(self._conf), "SLURMD_NODENAME": name},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _kill(self, *names: str) -> None:
        """SIGKILL for daemons and everything on their nodes, jobs that lost their parents too."""
        found: set[int] = set()
        while new := self._processes(*names) - found:  # stopped, they start no more
            found |= new
            _signal(new, signal.SIGSTOP)
        _signal(found, signal.SIGKILL)
        for name in names:
            self._daemons.pop(name).wait()

    def _processes(self, *names: str) -> set[int]:
        """Daemons, and what runs on their nodes: Slurm tells every process the node it is on, and most keep that."""
        parents, found = {}, set()
        conf, marks = f"SLURM_CONF={self._conf}".encode(), {f"SLURMD_NODENAME={name}".encode() for name in names}
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has just ended
                parents[int(process.name)] = int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1])
                environment = process.joinpath("environ").read_bytes().split(b"\0")
                if conf in environment and marks.intersection(environment):
                    found.add(int(process.name))
        while more := {child for child, parent in parents.items() if parent in found} - found:
            found |= more
        return found

    def _started_at(self, node: str) -> str | None:
        """The time at which a node last reported for work."""
        shown = self._client("scontrol", "--oneliner", "show", "node", node, check=False)
        return next((item for item in shown.split() if item.startswith("SlurmdStartTime=")), None)

    def _client(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]], capture_output=True, text=True, timeout=START_SECONDS
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)} failed: {done.stderr}"
        return done.stdout


def _program(name: str) -> str | None:
    """The path of a program; daemons are where users do not look."""
    return shutil.which(name, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/usr/local/sbin")))


def _munged(folder: Path) -> list[str]:
    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
    options = [f"--{option}={folder}/munge.{ending}" for option, ending in files.items()]
    return [_program("munged"), "--foreground", "--force", *options]


def _signal(processes: set[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _wait_for(event: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not event():
        assert time.monotonic() < end, f"after {START_SECONDS} s there is still no {what}"
        time.sleep(0.05)
