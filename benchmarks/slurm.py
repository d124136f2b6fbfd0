"""A job in a real queue: SLURM of Debian's packages on this one machine, set up here without systemd.

    python benchmarks/slurm.py [--micrographs 150] [--size 1024]

Needs root on Debian or Ubuntu: it installs ``slurm-wlm`` and ``munge`` where they are missing, writes all
configuration and state to a temporary folder (but munge's key), and ends what it has started. It picks
simulated micrographs in this process and then with ``--cluster slurm``, cancels one of the jobs in the
middle, which is then submitted again, and compares the results byte by byte; writes ``slurm.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORKERS, N_SIMULATED = 2, 6
CONFIGURATION = """\
ClusterName=cryoseg
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
# A container has no control groups to give away.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_MB} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
"""Of SLURM."""
JOBQUEUE = """\
jobqueue:
  slurm:
    queue: main
    cores: 1
    memory: 2GB
    walltime: "00:20:00"
"""
"""What a user writes to ``~/.config/dask/jobqueue.yaml``."""


def main() -> None:
    """Print what was done and how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--micrographs", type=int, default=150)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, slurm(Path(scratch) / "slurm") as environment:
        project = Path(scratch) / "project"
        project.mkdir()
        simulate(project, args.micrographs, args.size)
        local_s = pick(project, "local", environment)
        queue_s, n_jobs = pick_in_queue(project, environment)
        names = sorted(path.relative_to(project / "local") for path in results(project / "local"))
        different = [
            name
            for name in names
            if (project / "local" / name).read_bytes() != (project / "queue" / name).read_bytes()
        ]
    print(f"{len(names)} files of {args.micrographs} micrographs, {len(different)} of them different")
    print(f"one process: {local_s:.1f} s; --cluster slurm --j {WORKERS}: {queue_s:.1f} s in {n_jobs} jobs")
    measured = {"local_s": local_s, "queue_s": queue_s, "jobs": n_jobs, "different": len(different)}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "slurm.json").write_text(json.dumps(measured, indent=1) + "\n")
    sys.exit(1 if different or not names else 0)


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start SLURM, and yield the environment in which its programs find it."""
    if not shutil.which("slurmctld") or not shutil.which("munged"):
        command("apt-get", "install", "-y", "--no-install-recommends", "slurm-wlm", "munge")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0],
        folder=folder,
        cpus=os.cpu_count(),
        memory_MB=pages * page_bytes // 2**20 * 9 // 10,
    )
    (folder / "slurm.conf").write_text(text)
    (folder / "jobqueue.yaml").write_text(JOBQUEUE)
    environment = os.environ | {"SLURM_CONF": f"{folder}/slurm.conf", "DASK_CONFIG": f"{folder}"}
    Path("/run/munge").mkdir(exist_ok=True)
    shutil.chown("/run/munge", "munge", "munge")
    commands = (
        ["runuser", "-u", "munge", "--", "munged", "--foreground"],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    )
    with (folder / "daemons.log").open("wb") as log:
        daemons = [subprocess.Popen(words, env=environment, stdout=log, stderr=log) for words in commands]
    try:
        wait_for_node(environment)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


def wait_for_node(environment: dict[str, str]) -> None:
    """Wait until SLURM has a node for jobs."""
    for _ in range(60):
        states = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if states.stdout.strip() == "idle":
            return
        time.sleep(1)
    sys.exit(f"SLURM has no idle node after a minute: {states.stdout}{states.stderr}")


def simulate(project: Path, micrographs: int, size: int) -> None:
    """Simulate some micrographs, and link to them for the others."""
    options = ["--n", f"{N_SIMULATED}", "--size", f"{size}", f"{size}", "--pixel_size", "2"]
    command(*cryoseg("simulate", "--out", ".", *options), cwd=project)
    for number in range(N_SIMULATED, micrographs):
        target = f"mic_{number % N_SIMULATED + 1:04d}.mrc"
        (project / f"Micrographs/mic_{number + 1:04d}.mrc").symlink_to(target)


def cryoseg(*words: str) -> list[str]:
    """Return a command of cryoseg."""
    return [sys.executable, "-c", "from cryoseg_ext.cli import main; main()", *words]


def picking(out: str, *options: str) -> list[str]:
    """Return the command that picks the micrographs."""
    return cryoseg("pick", "Micrographs", "--particle_diameter", "180", "--out", out, *options)


def pick(project: Path, out: str, environment: dict[str, str]) -> float:
    """Pick in one process, and return the seconds."""
    start = time.perf_counter()
    command(*picking(out), cwd=project, env=environment)
    return time.perf_counter() - start


def pick_in_queue(project: Path, environment: dict[str, str]) -> tuple[float, int]:
    """Pick in the queue, cancel a job in the middle, and return the seconds and the number of jobs."""
    start, seen, cancelled = time.perf_counter(), set[str](), ""
    options = ("--cluster", "slurm", "--j", f"{WORKERS}")
    with subprocess.Popen(picking("queue", *options), cwd=project, env=environment) as job:
        while job.poll() is None:
            jobs = subprocess.run(
                ["squeue", "--noheader", "--format=%i %T"],
                env=environment, capture_output=True, text=True, check=False,
            ).stdout.splitlines()  # fmt: skip
            for line in jobs:
                if line not in seen:
                    print(f"{time.perf_counter() - start:6.1f} s  job {line}")
            seen.update(jobs)
            if not cancelled and len(results(project / "queue")) > 3:
                cancelled = jobs[0].split()[0]
                print(f"{time.perf_counter() - start:6.1f} s  scancel {cancelled}")
                command("scancel", cancelled, env=environment)
            time.sleep(0.5)
    if job.returncode:
        logs = (path.read_text() for path in (project / "queue/cluster").glob("*"))
        sys.exit("the job in the queue has failed\n" + "\n".join(logs))
    return time.perf_counter() - start, len({line.split()[0] for line in seen})


def results(folder: Path) -> list[Path]:
    """Return the files that must be the same."""
    return [*folder.glob("*_candidates.star"), *folder.glob("*.csv")]


def command(*words: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, cwd=cwd, env=env, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
