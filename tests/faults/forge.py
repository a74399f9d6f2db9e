"""Real commands in real processes that start at once: a server has imported the heavy libraries and forks for each.

``python tests/faults/forge.py`` reads one JSON request a line and answers each with one line.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Child:
    """A command that was started: ``text`` is what it has printed so far."""

    forge: "Forge"
    pid: int
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    @property
    def state(self) -> str:
        """The kernel's letter for it; Z where it has ended."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return "Z"

    @property
    def is_alive(self) -> bool:
        return self.state not in "ZX"

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait(self, timeout: float = 120) -> int:
        """Its exit code; minus the signal's number where a signal ended it."""
        until = time.monotonic() + timeout
        while self.is_alive:
            if time.monotonic() > until:
                self.send(signal.SIGKILL)
                raise TimeoutError(f"still running after {timeout} s:\n{self.text[-2000:]}")
            time.sleep(0.002)
        return self.forge.ask({"wait": self.pid})

    def run_until(self, what) -> None:
        """Until ``what()`` is true or it has ended."""
        while self.is_alive and not what():
            pass

    def wait_for(self, what, timeout: float = 60) -> None:
        """Until ``what()`` is true."""
        until = time.monotonic() + timeout
        while not what():
            if not self.is_alive or time.monotonic() > until:
                raise AssertionError(f"did not come to it:\n{self.text[-2000:]}")
            time.sleep(0.001)


class Forge:
    """The client's side of the server."""

    def __init__(self) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.server = subprocess.Popen(
            [sys.executable, __file__], cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        self.ask({"ready": True})

    def ask(self, request: dict) -> int:
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def start(
        self,
        log: Path,
        module: str,
        *arguments: str,
        limit: int | None = None,
        pause_after: tuple[str, int] | None = None,
    ) -> Child:
        """``python -m module arguments``; its output goes to ``log``.

        ``limit``: bytes of memory it may address. ``pause_after``: it stops (SIGSTOP) when it has written a file
        of that name so many times: what comes next does not depend on how fast the machine is.
        """
        log.unlink(missing_ok=True)
        request = {"module": module, "arguments": list(map(str, arguments)), "log": str(log), "limit": limit}
        child = Child(self, self.ask(request | {"pause_after": pause_after}), log)
        if pause_after:
            child.wait_for(lambda: child.state in "Tt")
        return child

    def run(self, log: Path, module: str, *arguments: str, limit: int | None = None) -> tuple[int, str]:
        """Exit code and output."""
        child = self.start(log, module, *arguments, limit=limit)
        return child.wait(), child.text

    def close(self) -> None:
        self.server.stdin.close()
        self.server.wait(timeout=30)


def serve() -> None:
    import tempfile

    import torch

    from synthpet.generators.crossfit import ensure_generators
    from tests.conftest import study, write_cohort
    from tests.faults.conftest import training

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):  # imports what it needs
        cohort = write_cohort(Path(folder) / "cohort")
        ensure_generators(study("train", *training(cohort.root, Path(folder) / "work")[1:]))
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        elif "module" in request:
            answer = os.fork() or become(request)
        else:
            answer = 0
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def become(request: dict) -> None:
    """In the fork: run the module as ``python -m`` does, in a process group of its own, and never return."""
    import runpy

    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)
        if request["limit"]:
            import resource

            resource.setrlimit(resource.RLIMIT_AS, (request["limit"], request["limit"]))
        if request["pause_after"]:
            pause_once(*request["pause_after"])
        sys.argv = [request["module"], *request["arguments"]]
        try:
            runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def pause_once(name: str, times: int) -> None:
    """Stop this process when it has moved a finished file of this name to its place so many times."""
    replace, left = os.replace, times

    def replace_and_pause(source, target, **more) -> None:
        nonlocal left
        replace(source, target, **more)
        left -= Path(target).name == name
        if not left:
            os.replace = replace
            os.kill(os.getpid(), signal.SIGSTOP)

    os.replace = replace_and_pause


if __name__ == "__main__":
    serve()
