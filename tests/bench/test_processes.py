"""The processor time of a server is read while its threads come and go."""

import subprocess
import sys

from bench.processes import family, processor_seconds
from tests.cli.servers import until

THREADS = """
import time
from threading import Thread
print(flush=True)
while True:
    for _ in range(5):
        Thread(target=time.sleep, args=(0.0005,)).start()
    time.sleep(0.0003)
"""


def test_a_thread_that_ends_meanwhile_is_passed_over() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", THREADS], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            assert {tuple(family(process.pid)) for _ in range(600)} == {(process.pid,)}
            # The kernel counts in hundredths of a second.
            until(lambda: processor_seconds(process.pid) > 0)
        finally:
            process.kill()
