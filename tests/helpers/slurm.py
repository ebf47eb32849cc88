"""A Slurm of two nodes with two counted GPUs each, all on this machine and gone when it is stopped.

munged, slurmctld and each slurmd run in a PID namespace of their own: what one of them starts, a job too,
ends with it, and nothing else can be hit. Keys, sockets, ports and state are its own; all is loopback.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

NODES = ("node1", "node2")
GPUS = 2

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=10
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdSpoolDir={folder}/%n
SlurmdLogFile={folder}/%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
# The two cores of a small machine pass for as many as the nodes want.
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=1000
# Impatient: a job gets 10 seconds to end itself, and one that a node has lost is missed in as many.
KillWait=10
BatchStartTimeout=1
ReturnToService=2
NodeName=DEFAULT CPUs=8 RealMemory=60000 Gres=gpu:{gpus}
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]}
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]}
PartitionName=main Nodes=ALL Default=YES PriorityTier=1
PartitionName=urgent Nodes=ALL PriorityTier=2
"""


class Slurm:
    """The cluster; `environment` is what its commands, and Snakemake, need to find it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        config = CONFIG.format(
            host=socket.gethostname().split(".")[0],
            folder=self.folder,
            ports=free_ports(3),
            nodes=NODES,
            gpus=GPUS,
        )
        (self.folder / "slurm.conf").write_text(config)
        # A GPU is a device file; a link to /dev/null passes for one.
        for number in range(GPUS):
            (self.folder / f"gpu{number}").symlink_to("/dev/null")
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]\n")
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # none is used
        subprocess.run(["mungekey", "--create", f"--keyfile={self.folder}/munge.key"], check=True)
        munge = self.folder / "munge.socket"
        files = [f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
        self._spawn("munged", "--foreground", "--force", f"--socket={munge}", *files)
        wait_until(munge.exists, "munged listens")
        self._spawn("slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        wait_until(
            lambda: self.run("sinfo", "-hN", "-pmain", "-o%T").split() == ["idle"] * len(NODES),
            "all nodes are idle",
        )

    def start_node(self, node: str) -> None:
        (self.folder / node).mkdir(exist_ok=True)
        self._spawn("slurmd", "-D", "-N", node, name=node)

    def crash(self, node: str) -> None:
        """Kill all processes of a node at once, by killing the first one of its namespace."""
        daemon = self.daemons[node]
        [first] = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
        os.kill(int(first), signal.SIGKILL)
        daemon.wait()

    def stop(self) -> None:
        for daemon in reversed(self.daemons.values()):
            daemon.kill()
            daemon.wait()

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints; empty where it fails."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        ).stdout

    def _spawn(self, *command: str, name: str | None = None) -> None:
        """Start a daemon that dies with this process, and whose descendants die with it."""
        alone = ["setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
        # Snakemake's executor takes SLURM_CONF away from its job steps, which then look in /etc/slurm.
        seen = ["sh", "-c", f'mount --bind {self.folder} /etc/slurm && exec "$@"', "sh"]
        with (self.folder / f"{name or command[0]}.out").open("ab") as out:
            self.daemons[name or command[0]] = subprocess.Popen(
                [*alone, *seen, *command],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )


def free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in {seconds} seconds: {what}"
        time.sleep(0.1)
