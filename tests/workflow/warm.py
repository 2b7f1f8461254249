"""Commands that need not import first what others have made: torch alone takes seconds.

One process imports those libraries, and nothing of ours. For each command it forks a process that
is like any other: its own folder, variables, streams, arguments and exit status, and the package
that it finds in them. Only the seed of hashes is that of all: a process imports for each seed.
"""

import atexit
import functools
import gc
import importlib
import json
import multiprocessing
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import wait
from pathlib import Path

COMMANDS = {"depthlens": "depthlens.cli", "dvc": "dvc.cli", "snakemake": "snakemake.cli"}
"""modules with a function `main`"""
IMPORTED = (
    "click",
    "dvc.commands.repro",
    "dvc.repo",
    "jinja2",
    "matplotlib.pyplot",
    "pandas",
    "PIL.Image",
    "pyarrow.parquet",
    "pydantic",
    "ruamel.yaml",
    "safetensors.torch",
    "scipy.stats",
    "seaborn",
    "smart_open",
    "snakemake.cli",
    "torchvision.models",
)

_ASK = Path(__file__).with_name("ask.py")


@functools.cache
def commands(hash_seed: str = "random") -> str:
    """A folder with the commands; they work as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="warm"))
    for name in COMMANDS:
        ask = [sys.executable, "-I", "-S", str(_ASK), f"{folder}/socket", name]
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.join(ask)} "$@"\n')
        (folder / name).chmod(0o755)
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, f"{folder}/socket"],
        env={**os.environ, "PYTHONPATH": "", "PYTHONHASHSEED": hash_seed},
        stdin=subprocess.PIPE,  # ends when this process does, however it does
        stdout=subprocess.PIPE,
    )
    assert server.stdout.readline() == b"ready\n"
    atexit.register(server.communicate)
    return str(folder)


def serve(address: str) -> None:
    """Run what is asked for until the standard input ends."""
    for module in IMPORTED:
        importlib.import_module(module)
    sys.modules["snakemake.cli"].get_argument_parser()  # imports the plugins, and looks for them
    assert "depthlens" not in sys.modules
    gc.freeze()  # what is here already is nobody's garbage: looked at, it would be copied
    running = {}
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while sys.stdin not in (ready := wait([server, sys.stdin, *running])):
            for ended in running.keys() & ready:
                process, connection = running.pop(ended)
                process.join()
                # As a shell says it of a process that a signal has ended.
                status = process.exitcode if process.exitcode >= 0 else 128 - process.exitcode
                connection.sendall(f"{status}\n".encode())
                connection.close()
            if server in ready:
                connection, _ = server.accept()
                _, streams, *_ = socket.recv_fds(connection, 1, 3)
                asked = json.loads(connection.makefile().readline())
                process = multiprocessing.get_context("fork").Process(
                    target=_run, args=(streams, *asked)
                )
                process.start()
                running[process.sentinel] = process, connection
                for stream in streams:
                    os.close(stream)
    shutil.rmtree(Path(address).parent)


def _run(streams: list[int], folder: str, environment: dict[str, str], name: str, *arguments: str):
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = [str(Path(sys.executable).with_name(name)), *arguments]
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    try:
        sys.exit(importlib.import_module(COMMANDS[name]).main())
    finally:
        atexit._run_exitfuncs()


if __name__ == "__main__":
    serve(sys.argv[1])
