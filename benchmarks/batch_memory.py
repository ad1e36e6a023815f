"""Memory of a batch: what a folder of thousands of photos takes, from beginning to end.

    python benchmarks/batch_memory.py FOLDER [COUNT]

FOLDER holds some photos; COUNT (2,000 by default) links to them, in turn, are annotated by
``img2poem batch`` in a new process, whose memory is read every second.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from img2poem.pipeline.batch import find_photos

RESIDENT = re.compile(r"VmRSS:\s+(\d+) kB")


def resident(process: subprocess.Popen[bytes]) -> float:
    """A process's resident memory in MB; 0 when it has ended."""
    found = RESIDENT.search(Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main(folder: Path, count: int) -> None:
    """Run the batch and print the peak of each tenth of its time."""
    photos = find_photos(folder)
    with tempfile.TemporaryDirectory() as name:
        links = Path(name) / "photos"
        links.mkdir()
        for number in range(count):
            photo = photos[number % len(photos)].resolve()
            (links / f"{number:05}{photo.suffix}").symlink_to(photo)
        command = [str(Path(sys.executable).with_name("img2poem")), "batch", str(links)]
        command += ["-o", str(Path(name) / "poems.csv")]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        samples = []
        while process.poll() is None:
            samples.append(resident(process))
            time.sleep(1)
        seconds = time.perf_counter() - began
        if process.returncode:
            sys.exit(f"img2poem batch ended with {process.returncode}")
    tenths = [
        max(samples[i * len(samples) // 10 : (i + 1) * len(samples) // 10 + 1]) for i in range(10)
    ]
    print(f"{count:,} photos in {seconds:.0f} s, {count / seconds:.1f} a second")
    print(f"peak {max(samples):.0f} MB; by tenths of the run", *(f"{peak:.0f}" for peak in tenths))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 2_000)
