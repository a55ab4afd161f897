"""A real SLURM cluster on one machine: two CPU nodes and four GPU nodes, with accounting.

    python tests/cluster/slurm_cluster.py start /tmp/cluster
    eval "$(python tests/cluster/slurm_cluster.py env /tmp/cluster)"     # then sinfo, snakemake ...
    python tests/cluster/slurm_cluster.py stop /tmp/cluster

munged, mariadbd, slurmdbd, slurmctld and a slurmd for each node, from Debian's packages, which are
installed where they are missing. Everything lies below one folder and listens on 127.0.0.1. Nodes
are slurmd processes of different names; GPUs are pretended. Needs root, not systemd.
"""

import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from string import Template

sys.path.insert(0, str(Path(__file__).parent.parent))

import debian

CPU_NODES = ("cpu1", "cpu2")
GPU_NODES = ("gpu1", "gpu2", "gpu3", "gpu4")
NODES = (*CPU_NODES, *GPU_NODES)
GPUS_PER_NODE = 2
CPUS_PER_NODE = 16
MEMORY_MB = 64000
ACCOUNT = "project"
PATIENCE = 1200
"""Seconds after which what has not happened will not, on a slow machine with other tests beside."""

_PACKAGES = "slurmctld slurmd slurmdbd slurm-client slurm-wlm-basic-plugins munge mariadb-server"
_DAEMONS = ("slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd", "srun")
_COMMANDS = ("sacct", "sacctmgr", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
_ADD = ("sacctmgr", "--immediate", "--quiet", "add")
_TEMPLATES = Path(__file__).parent / "etc"
_STOPPED_IN_ORDER = ("slurmd.", "slurmctld", "slurmdbd", "mariadbd", "munged")


def why_not() -> str | None:
    """Why no cluster can be started here; None when one can."""
    if os.geteuid() != 0:
        return "only root can start SLURM's daemons"
    if _runs("slurmctld") or _runs("slurmd"):
        # Its jobs have the same numbers as ours, and one name for what they share on a machine.
        return "another SLURM runs on this machine"
    if all(shutil.which(name) for name in _DAEMONS) or debian.can_install():
        return None
    return f"SLURM is not installed, and there is no apt-get to install {_PACKAGES}"


class SlurmCluster:
    """Starts, stops and harms the cluster in the folder `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._pids_file = self.root / "run" / "pids.json"

    # Starting and stopping. ------------------------------------------------------------------

    def start(self) -> None:
        """Start every daemon and wait until all nodes are idle."""
        _install()
        self._write_configuration()
        run = self.root / "run"
        self._spawn(
            "munged", "/usr/sbin/munged", "--foreground", "--num-threads=4",
            f"--key-file={run}/munge.key", f"--socket={run}/munge.socket",
            f"--pid-file={run}/munged.pid", f"--log-file={self.root}/log/munged.log",
            f"--seed-file={run}/munged.seed",
        )  # fmt: skip
        wait_until((run / "munge.socket").exists, PATIENCE, "munged")
        self._start_accounting()
        self._spawn("slurmctld", "/usr/sbin/slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        wait_until(lambda: self.idle_nodes() == set(NODES), PATIENCE, "nodes")

    def stop(self) -> None:
        """End all jobs, then all daemons; the folder stays."""
        self.run("scancel", "--user=root", check=False)
        try:
            wait_until(lambda: not self.run("squeue", "-h", check=False), 15, "end of jobs")
        except TimeoutError as error:
            print(error, file=sys.stderr)
        for prefix in _STOPPED_IN_ORDER:
            for name, pid in self._pids().items():
                if name.startswith(prefix):
                    _end(pid)
        self._pids_file.unlink(missing_ok=True)

    def start_node(self, node: str) -> None:
        """Start the daemon of one node."""
        self._spawn(f"slurmd.{node}", "/usr/sbin/slurmd", "-D", "-N", node)

    def crash_node(self, node: str) -> None:
        """Take a node down as a power cut would: its daemon and all that it runs."""
        daemon = self._pids()[f"slurmd.{node}"]
        os.kill(daemon, signal.SIGKILL)
        wait_until(lambda: _reap(daemon), 60, "end of a killed daemon")
        for step in self._step_daemons(node):
            for pid in [*_descendants(step), step]:
                _kill(pid)

    # Using it. -------------------------------------------------------------------------------

    def env(self) -> dict[str, str]:
        """What differs in the environment of a user of this cluster."""
        return {
            "SLURM_CONF": f"{self.root}/etc/slurm.conf",
            "PATH": f"{self.root}/bin:{os.environ['PATH']}",
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            # Open MPI names its shared memory by host and number on the node, so that ranks of
            # two nodes that are one machine would overwrite each other's: they use sockets.
            "OMPI_MCA_btl": "tcp,self",
            "OMPI_MCA_btl_tcp_if_include": "lo",
            "OMPI_MCA_oob_tcp_if_include": "lo",
            # More ranks than cores: those that wait let others work.
            "OMPI_MCA_mpi_yield_when_idle": "1",
        }

    def run(self, *command: str, check: bool = True) -> str:
        """Output of a SLURM command."""
        done = subprocess.run(
            command, env=os.environ | self.env(), text=True, capture_output=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def add_account(self, name: str) -> None:
        """Let jobs be charged to an account."""
        self.run(*_ADD, "account", name, "Description=tests", "Organization=tests")
        self.run(*_ADD, "user", "root", f"account={name}")

    def nodes_of(self, job: str) -> list[str]:
        """Names of the nodes that a job runs on."""
        names = self.run("squeue", "-h", "-j", job, "-o", "%N")
        return self.run("scontrol", "show", "hostnames", names).split()

    def idle_nodes(self) -> set[str]:
        """Names of the nodes that are up and free."""
        return set(self.run("sinfo", "-hN", "-t", "idle", "-o", "%N", check=False).split())

    # Inside. ---------------------------------------------------------------------------------

    def _write_configuration(self) -> None:
        for folder in ("etc", "log", "run", "state", "dev", "bin", "spool", "tmp"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for node in NODES:
            (self.root / "tmp" / node).mkdir(exist_ok=True)
            (self.root / "spool" / node).mkdir(exist_ok=True)
        self.root.chmod(0o755)
        key = self.root / "run" / "munge.key"
        if not key.exists():
            key.write_bytes(os.urandom(1024))
            key.chmod(0o400)
        for number in range(GPUS_PER_NODE):
            device = self.root / "dev" / f"gpu{number}"
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        values = self._values()
        for template in _TEMPLATES.glob("*.conf"):
            path = self.root / "etc" / template.name
            path.write_text(Template(template.read_text()).substitute(values))
            path.chmod(0o600 if template.name == "slurmdbd.conf" else 0o644)
        # Snakemake's executor takes SLURM_CONF away from jobs; these put it back.
        for command in _COMMANDS:
            script = self.root / "bin" / command
            conf = self.root / "etc" / "slurm.conf"
            script.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec /usr/bin/{command} "$@"\n')
            script.chmod(0o755)

    def _values(self) -> dict[str, str]:
        controller, daemon, self._database_port, *ports = _free_ports(3 + len(NODES))
        self._database_daemon_port = daemon
        host = socket.gethostname().split(".")[0]
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
            f"CPUs={CPUS_PER_NODE} RealMemory={MEMORY_MB}"
            + (f" Gres=gpu:pretended:{GPUS_PER_NODE}" if node in GPU_NODES else "")
            for node, port in zip(NODES, ports, strict=True)
        ]
        return {
            "root": str(self.root),
            "controller_port": str(controller),
            "database_daemon_port": str(daemon),
            "database_port": str(self._database_port),
            "nodes": "\n".join(nodes),
        }

    def _start_accounting(self) -> None:
        data, sock = self.root / "database", self.root / "run" / "mariadb.socket"
        fresh = not data.exists()
        small = ["--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0"]
        if fresh:
            debian.run_quietly(
                "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root",
                "--auth-root-authentication-method=normal", "--skip-test-db", *small,
            )  # fmt: skip
        self._spawn(
            "mariadbd", "/usr/sbin/mariadbd", "--no-defaults", "--user=root", f"--datadir={data}",
            f"--socket={sock}", f"--pid-file={self.root}/run/mariadb.pid",
            "--bind-address=127.0.0.1", f"--port={self._database_port}", "--skip-log-bin",
            "--skip-name-resolve", "--innodb-buffer-pool-size=64M",
            "--innodb-lock-wait-timeout=900", *small,
        )  # fmt: skip
        sql = ["mariadb", "--no-defaults", "-S", str(sock), "-e"]
        wait_until(lambda: _succeeds(*sql, "select 1"), PATIENCE, "mariadbd")
        if fresh:
            user = "slurm@'127.0.0.1'"
            debian.run_quietly(
                *sql, f"create database slurm_accounting; create user {user} identified by "
                f"'slurm'; grant all on slurm_accounting.* to {user}",
            )  # fmt: skip
        self._spawn("slurmdbd", "/usr/sbin/slurmdbd", "-D")
        wait_until(lambda: _listens(self._database_daemon_port), PATIENCE, "slurmdbd")
        if fresh:
            self.run(*_ADD, "cluster", "laptop")
            self.add_account(ACCOUNT)

    def _spawn(self, name: str, *command: str) -> None:
        env = os.environ | {"SLURM_CONF": f"{self.root}/etc/slurm.conf"}
        with (self.root / "log" / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                start_new_session=True, cwd=self.root,
            )  # fmt: skip
        self._pids_file.write_text(json.dumps(self._pids() | {name: process.pid}))

    def _pids(self) -> dict[str, int]:
        return json.loads(self._pids_file.read_text()) if self._pids_file.exists() else {}

    def _step_daemons(self, node: str) -> list[int]:
        """The processes that watch over job steps of a node: slurmstepd, which tells its spool."""
        mark = f"{self.root}/spool/{node}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                name = (folder / "comm").read_text().strip()
                files = [str(link.readlink()) for link in (folder / "fd").iterdir()]
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            ours = mark in words or any(file.startswith(mark.decode()) for file in files)
            logs = f"{self.root}/log/slurmd.{node}.log" in files
            if name == "slurmstepd" and (ours or logs):
                found.append(int(folder.name))
        return found


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for `condition`, or raise TimeoutError that says for what."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not there after {seconds:g} s")
        time.sleep(0.1)


def _runs(daemon: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if path.read_text().strip() == daemon:
                return True
    return False


def _install() -> None:
    if not all(shutil.which(name) for name in _DAEMONS):
        debian.install(_PACKAGES)


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _free_ports(count: int) -> list[int]:
    """Below those that the system gives to others, such as ranks of tests beside these."""
    candidates = iter(random.sample(range(20_000, 32_000), 1000))
    free: list[int] = []
    while len(free) < count:
        port = next(candidates)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            free.append(port)
    return free


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, children) for each in (*_descendants(child), child)]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> bool:
    """Whether a process is gone, whoever started it."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return not Path(f"/proc/{pid}").exists()


def _end(pid: int) -> None:
    """Ask a daemon to end; after two seconds end it."""
    if _reap(pid):
        return
    try:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: _reap(pid), 2, "end of a daemon")
    except TimeoutError:
        _kill(pid)
        wait_until(lambda: _reap(pid), 10, "end of a killed daemon")
    except ProcessLookupError:
        pass


def main(arguments: list[str]) -> int:
    """The command line of the module's docstring."""
    if len(arguments) != 2 or arguments[0] not in ("start", "stop", "env"):
        print(__doc__, file=sys.stderr)
        return 2
    action, cluster = arguments[0], SlurmCluster(Path(arguments[1]))
    if action == "start":
        reason = why_not()
        if reason:
            print(f"no cluster: {reason}", file=sys.stderr)
            return 1
        cluster.start()
        print(cluster.run("sinfo", "-N", "-o", "%N %P %T %c CPUs %m MB %G"))
    elif action == "stop":
        cluster.stop()
    else:
        for name, value in cluster.env().items():
            print(f"export {name}='{value}'")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
