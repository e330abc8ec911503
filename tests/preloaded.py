"""A process that has imported what programs have in common, and forks for each that tests start (tests/programs.py).

python -m tests.preloaded SOCKET MODULE…: the number of a listening socket, and what to import. Each connection is one
program: the caller sends the descriptors of standard input, output and error, then a `Job` as a line of JSON, and
receives the pid and, when the program has ended, its wait status. A program is killed when its caller has ended. The
process ends with its own standard input.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import module_from_spec
from multiprocessing import util
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TypedDict

from tests.measured_programs import measured_spec, measuring, write_at_end

ROOT = Path(__file__).parents[1]
# A variable of a program whose workers multiprocessing starts as it does without the tests.
WORKERS_ANEW = "WORKERS_ANEW_FOR_TESTS"
IMPORTED = ("alembic.config", "service.app", "service.cli", "service.migrate", "service.models", "uvloop")


class Job(TypedDict):
    # The name of a module; or `-c`, and its code is the first of the arguments.
    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: str
    # Where imports look first.
    path: str
    # Where to write which lines ran, for `make test`.
    coverage: str | None
    # What the program starts as Python, in place of Python itself.
    python: str | None


def main(number: str, *modules: str) -> None:
    listener = socket.socket(fileno=int(number))
    # Ctrl-C is for the tests and the programs; this process ends with its standard input.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with measuring() as coverage:
        _preload(modules)
    gc.collect()
    gc.freeze()
    if job := _next_job(listener):
        signal.signal(signal.SIGINT, handler)
        if coverage and job["coverage"]:
            write_at_end(coverage, Path(job["coverage"]))
        _end(_status_of(job))


def _preload(modules: Sequence[str]) -> None:
    with warnings.catch_warnings():
        # As in the tests, but for what SlipCover says of its own work.
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Unable to activate pytest branch coverage", RuntimeWarning)
        for name in modules:
            module = importlib.import_module(name)
            if name.startswith("service.") and hasattr(module, "__path__"):
                for each in pkgutil.walk_packages(module.__path__, f"{name}."):
                    importlib.import_module(each.name)
    if {*IMPORTED} <= {*modules}:
        _warm_up()
    if (threads := len([*Path("/proc/self/task").iterdir()])) > 1:
        raise RuntimeError(f"An import started {threads - 1} threads, which a fork would lose.")


def _warm_up() -> None:
    """Do what imports more, or what each program would do again: make an application, plan Roster's revisions."""
    app, program, naming, config, revisions = (
        importlib.import_module(f"service.{name}")
        for name in ("app", "db.program", "migrate.naming", "migrate.plan.config", "migrate.plan.revisions")
    )
    # A program may be of another project, with names of its own.
    names = [(each, [*each]) for each in (program._in_use, naming._in_use, naming._files)]
    app.create_app(app.Settings())
    scripts = list(config.scripts().walk_revisions())
    for dialect in ("sqlite", "postgresql"):
        revisions.plans(scripts, dialect)
    for each, before in names:
        each[:] = before


def _next_job(listener: socket.socket) -> Job | None:
    """In each child the job to run; in this process `None`, when the tests are over."""
    with selectors.DefaultSelector() as selector, listener:
        selector.register(sys.stdin, selectors.EVENT_READ)
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is sys.stdin:
                    return None
                if key.fileobj is not listener:
                    _attend(key, selector)
                    continue
                job, child = _forked(listener)
                if child is None:
                    # The descriptors of other programs are not for this one.
                    for other in {each.data for each in selector.get_map().values() if each.data}:
                        other.close()
                    return job
                for file in (child.descriptor, child.caller):
                    selector.register(file, selectors.EVENT_READ, child)


def _attend(key: selectors.SelectorKey, selector: selectors.BaseSelector) -> None:
    """Kill a program that nobody waits for any more, or report the end of one."""
    child: _Child = key.data
    if key.fileobj not in selector.get_map():
        # Both happened at once.
        return
    if key.fileobj is child.caller:
        os.kill(child.pid, signal.SIGKILL)
        selector.unregister(child.caller)
        return
    if child.caller in selector.get_map():
        selector.unregister(child.caller)
    selector.unregister(child.descriptor)
    child.report()


@dataclass(frozen=True, kw_only=True)
class _Child:
    pid: int
    descriptor: int
    caller: socket.socket

    def report(self) -> None:
        """Send the wait status of the program, which has ended."""
        _, status = os.waitpid(self.pid, 0)
        # A caller that was killed does not wait for the end of its program.
        with suppress(OSError):
            self.caller.send(status.to_bytes(4, "big"))
        self.close()

    def close(self) -> None:
        os.close(self.descriptor)
        self.caller.close()


def _forked(listener: socket.socket) -> tuple[Job, _Child | None]:
    caller, _ = listener.accept()
    _, streams, _, _ = socket.recv_fds(caller, 1, 3)
    with caller.makefile("rb") as lines:
        job: Job = json.loads(lines.readline())
    if pid := os.fork():
        for each in streams:
            os.close(each)
        caller.send(pid.to_bytes(4, "big"))
        return job, _Child(pid=pid, descriptor=os.pidfd_open(pid), caller=caller)
    caller.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return job, None


def _status_of(job: Job) -> int:
    """Run the job; returns its exit status. Failures other than SystemExit are left to Python."""
    try:
        _run(job)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        return end.code or 0
    return 0


def _end(status: int) -> NoReturn:
    """End as Python does, but without the 60 ms in which it would take the imported modules apart."""
    threading._shutdown()  # type: ignore[attr-defined] # what Python calls first: it waits for threads
    atexit._run_exitfuncs()
    # What was left unfinished says so when it is collected.
    gc.collect()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.closed or stream.flush()
    except OSError:
        # Python reports a pipe that nobody reads any more.
        sys.exit(status)
    os._exit(status)


def _run(job: Job) -> None:
    """Run the module as `python -m` does, or the code as `python -c` does, in this process."""
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    tempfile.tempdir = None
    if WORKERS_ANEW not in os.environ:
        util.spawnv_passfds = _forked_again
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    sys.path[0] = job["path"]
    sys.executable = job["python"] or sys.executable
    sys.argv = [job["module"], *job["arguments"]]
    if job["module"] == "-c":
        code = sys.argv.pop(1)
        sys.modules["__main__"] = module = ModuleType("__main__")
        exec(code, vars(module))  # noqa: S102 - a test's own code
    elif job["coverage"] and (spec := measured_spec(job["module"])):
        sys.modules["__main__"] = module = module_from_spec(spec)
        module.__name__, sys.argv[0] = "__main__", str(spec.origin)
        spec.loader.exec_module(module)
    else:
        runpy.run_module(job["module"], run_name="__main__", alter_sys=True)


def _forked_again(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
    """Start what `multiprocessing` starts, with the libraries that this program has imported; returns its pid."""
    if pid := os.fork():
        return pid
    _be_as_after_exec(passfds)
    # prometheus_client decides at its import whether processes share their figures.
    values: Any = importlib.import_module("prometheus_client.values")
    values.ValueClass = values.get_value_class()
    at = args.index("-c")
    code, sys.argv = args[at + 1], ["-c", *args[at + 2 :]]
    try:
        exec(code, {"__name__": "__main__"})  # noqa: S102 - the code is multiprocessing's own
    except SystemExit as end:
        _end(end.code if isinstance(end.code, int) else int(bool(end.code)))
    except BaseException:  # noqa: BLE001 - the program that was forked must not go on here
        traceback.print_exc()
        _end(1)
    _end(0)


def _be_as_after_exec(descriptors: Sequence[int]) -> None:
    """Keep these descriptors and the standard streams; leave signals and the end to Python."""
    # What the other program left would close descriptors of the same numbers.
    gc.freeze()
    atexit._clear()
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for each in {int(each.name) for each in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *descriptors}:
        # One of them was that of the list.
        with suppress(OSError):
            os.close(each)


if __name__ == "__main__":
    main(*sys.argv[1:])
