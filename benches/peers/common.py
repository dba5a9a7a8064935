"""What the programs share that compare: builds, runs, this machine, tables in Markdown."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Failure(Exception):
    """What one line can say."""


def build(folder, target, *options):
    """Runs `cargo build` in `folder`; the path of the program that it names."""
    command = ["cargo", "build", "--message-format", "json-render-diagnostics", *options]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failure(f"`{' '.join(command)}` failed in {folder}")
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == target:
            return message["executable"]
    raise Failure(f"cargo built no `{target}`")


def can_import(python, module):
    found = subprocess.run([python, "-c", f"import {module}"], capture_output=True)
    return found.returncode == 0


def environment(threads):
    """That of programs with so many threads."""
    return {**os.environ, "RAYON_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}


def run(command, threads):
    """One run: what the program says, with its peak memory in bytes."""
    with tempfile.TemporaryFile("w+") as errors:
        pipes = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        process = subprocess.Popen(command, env=environment(threads), **pipes)
        with process.stdout:
            output = process.stdout.read()
        memory = ended(process)
        errors.seek(0)
        said = errors.read()
    if process.returncode != 0:
        # Only then: TensorFlow says much.
        print(said, file=sys.stderr, end="")
        raise Failure(f"`{' '.join(command)}` ended with {process.returncode}")
    return {**json.loads(output), "memory": memory}


def ended(process):
    """Waits for a process; its peak memory in bytes, or that of what it has waited for, if that is larger."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Linux counts in KiB, macOS in bytes.
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Waiting:
    """A program that warms up, says `ready`, and times steps when it is told to."""

    def __init__(self, command, threads, **variables):
        self.command, self.errors = command, tempfile.TemporaryFile("w+")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.errors, "text": True}
        self.process = subprocess.Popen([*command, "--wait"], env={**environment(threads), **variables}, **pipes)

    def wait(self, seconds=None):
        """Until it is ready; a failure if it ends, or takes longer."""
        timer = threading.Timer(seconds or 0, self.process.kill)
        if seconds is not None:
            timer.start()
        ready = self.process.stdout.readline() == "ready\n"
        timer.cancel()
        if not ready:
            self.errors.seek(0)
            last = self.errors.read().strip().splitlines()[-1:]
            raise Failure(f"`{' '.join(self.command)}` did not begin: {last[0] if last else 'not ready in time'}")

    def start(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self.process.stdout.readline())

    def kill(self):
        self.process.kill()


def differences(network, every, tolerance):
    """What tells that programs do not compute the same, of pairs of name and result: the losses of two steps may differ
    by that share of the first."""
    expected_by, expected = every[0]
    for name, result in every[1:]:
        for key, allowed in [("parameters", 0), ("first", tolerance), ("second", tolerance)]:
            a, b = expected[key], result[key]
            # The loss after the first step may be almost 0: what counts is how far that step took it.
            if not abs(a - b) <= allowed * abs(expected["first"]):
                yield f"{network}: {key} is {a} in {expected_by}, {b} in {name}"


def number(rate):
    """Three digits of a small number, all of a large one."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def line(cells):
    return "| " + " | ".join(cells) + " |"


def processor():
    try:
        for text in Path("/proc/cpuinfo").read_text().splitlines():
            if text.startswith("model name"):
                return text.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
