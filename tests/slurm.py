"""A private SLURM on this machine, for tests that run what users submit: its own ports, keys and folders; nothing of it stays."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo", "squeue")
CPUS = 4

CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=6
SlurmctldPort={controller_port}
FirstJobId={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
JobRequeue=1
KillWait=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=16000
PartitionName=tests Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


@dataclass(frozen=True)
class Slurm:
    """A running cluster of one node.

    Attributes:
        folder: where its configuration and logs lie.
    """

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The caller's own, and what its commands need."""
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _path()}

    def run(self, *words: str, cwd: Path | None = None) -> str:
        """What a command of SLURM prints."""
        done = subprocess.run(words, env=self.environment, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def submit(self, *words: str, cwd: Path | None = None) -> str:
        """``sbatch`` with these words; the number of the job."""
        return self.run("sbatch", "--parsable", *words, cwd=cwd)

    def wait(self, job: str, seconds: float = 300) -> None:
        """Until nothing of a job is waiting or running."""
        self.wait_until(lambda: not self.run("squeue", "--noheader", "--job", job), seconds, f"job {job}")

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Look again and again; fails with the logs of the cluster."""
        _wait_until(condition, seconds, what, self.folder)

    def fact(self, job: str, name: str) -> str:
        """What ``scontrol show job`` says of a job that has not ended long ago, such as its ``JobState``: COMPLETED, ..."""
        words = self.run("scontrol", "--oneliner", "show", "job", job).split()
        return next(word.partition("=")[2] for word in words if word.startswith(f"{name}="))


@contextmanager
def private_slurm(folder: Path) -> Iterator[Slurm]:
    """Start a cluster of one node in an empty folder, wait until it is idle, and stop it in the end.

    Skips the test where SLURM or munge is not installed, or the user is not root, whom the node's daemon needs.
    """
    missing = [program for program in PROGRAMS if shutil.which(program, path=_path()) is None]
    if missing:
        pytest.skip(f"SLURM is not installed here: no {', '.join(missing)} (Debian: apt-get install slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("a private SLURM needs root")
    folder.chmod(0o755)  # munge refuses folders that others may write
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    ports = {"controller_port": _free_port(), "node_port": _free_port()}
    (folder / "slurm.conf").write_text(CONFIGURATION.format(host=host, folder=folder, cpus=CPUS, **ports))
    slurm = Slurm(folder)
    munge = [f"--key-file={key}", f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge.pid"]
    munge += [f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    with ExitStack() as stack:
        stack.enter_context(_daemon(["munged", "--foreground", "--force", *munge], slurm))
        _wait_until((folder / "munge.socket").exists, 20, "munge", folder)
        stack.enter_context(_daemon(["slurmctld", "-D"], slurm))
        stack.enter_context(_daemon(["slurmd", "-D"], slurm))
        _wait_until(lambda: _is_idle(slurm), 60, "the node", folder)
        try:
            yield slurm
        finally:
            slurm.run("scancel", "--user=root")
            slurm.wait_until(lambda: not slurm.run("squeue", "--noheader"), 60, "the end of all jobs")


@contextmanager
def _daemon(words: list[str], slurm: Slurm) -> Iterator[None]:
    with (slurm.folder / f"{words[0]}.out").open("wb") as output:
        process = subprocess.Popen(words, env=slurm.environment, stdout=output, stderr=output, start_new_session=True)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _is_idle(slurm: Slurm) -> bool:
    done = subprocess.run(["sinfo", "-h", "-o", "%T"], env=slurm.environment, capture_output=True, text=True, check=False)
    return done.stdout.strip() == "idle"


def _wait_until(condition: Callable[[], bool], seconds: float, what: str, folder: Path) -> None:
    end = time.monotonic() + seconds
    while not condition():
        logs = "\n".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in folder.glob("*.log"))
        assert time.monotonic() < end, f"{what} is not ready after {seconds} s\n{logs}"
        time.sleep(0.1)


def _path() -> str:
    return os.environ["PATH"] + os.pathsep + "/usr/sbin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
