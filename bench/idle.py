"""What a server holds that has nothing to do: memory and threads, and how soon after its start it is ready.

Started on a store that holds 10 million readings of 3,000 series; memory is read after a pause.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench.processes import barograph
from bench.stored import build

_FINISH_SECONDS = 3.0
"""In which the server makes its pages' routes, once it is ready."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readings", type=int, default=10_000_000)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30, help="of doing nothing")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="keep the store here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = (given.directory or Path(scratch)) / f"{given.readings}-{given.devices}"
        build(directory, given.readings, given.devices)
        ready, cpu = [], []
        for start in range(given.starts):
            with barograph(directory) as server:
                ready.append(server.ready_seconds)
                cpu.append(server.cpu_seconds())
                if start == given.starts - 1:
                    print(f"resident when ready        {server.resident_mb():>8.1f} MB")
                    time.sleep(_FINISH_SECONDS)
                    before = server.cpu_seconds()
                    time.sleep(given.seconds)
                    spent = server.cpu_seconds() - before
                    threads = len(list(Path(f"/proc/{server.pid}/task").iterdir()))
                    print(
                        f"resident after {given.seconds:3g} s idle  {server.resident_mb():>8.1f} MB"
                    )
                    print(f"CPU while idle             {spent / given.seconds:>8.2%}")
                    print(f"threads                    {threads:>8}")
        print(f"ready after                {statistics.median(ready):>8.2f} s (median of {ready})")
        print(f"CPU until ready            {statistics.median(cpu):>8.2f} s")


if __name__ == "__main__":
    main()
