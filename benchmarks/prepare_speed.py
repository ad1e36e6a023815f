"""Speed and memory of ``prepare`` on a large works.json, against loading it whole.

    python benchmarks/prepare_speed.py data/works.json
    python benchmarks/prepare_speed.py WORKS --gigabytes 1

WORKS is a works.json or a folder of them. Its works are repeated, as an indented array, up
to the size asked for; ``prepare`` reads that file and writes the corpora, in a process of
its own. The peer does what a script would: ``json.load``, the same rules for kinds and
contents, sentences by a regular expression, one ``json.dumps`` a row. It gets a tenth of
the file, since it holds all of it in memory, and so does ``prepare`` for the ratio.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

PREPARE = """
import json, sys, time
from pathlib import Path
from img2poem.corpus.prepare import prepare

begun = time.perf_counter()
report = prepare(Path(sys.argv[1]), Path(sys.argv[2]))
seconds = time.perf_counter() - begun
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({"seconds": seconds, "peak": peak / 1024, "works": report.works}))
"""
PEER = """
import json, re, sys, time
from pathlib import Path

begun = time.perf_counter()
works = json.load(open(sys.argv[1], encoding="utf-8"))
out = Path(sys.argv[2])
out.mkdir()
with open(out / "c.jsonl", "w", encoding="utf-8") as c, open(out / "ct.jsonl", "w") as ct:
    for work in works:
        content, translation = work["Content"] or "", work["Translation"] or ""
        if work["Kind"] not in "诗词曲" or len(content) < 2 or "【" in content:
            continue
        lines, renderings = content.split("\\n"), translation.split("\\n")
        if translation and len(lines) == len(renderings):
            for line, rendering in zip(lines, renderings):
                row = {"content": line.strip(" “”"), "translation": rendering.strip(" “”")}
                ct.write(json.dumps(row, ensure_ascii=False) + "\\n")
        text = re.sub("[\\r\\n “”]", "", content)
        for sentence in re.findall("[^。！？…]+[。！？…]+[」』”’》）】]*", text):
            row = {"content": sentence, "author": work["Author"]}
            c.write(json.dumps(row, ensure_ascii=False) + "\\n")
seconds = time.perf_counter() - begun
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({"seconds": seconds, "peak": peak / 1024}))
"""


def repeat_works(source: Path, target: Path, size: int) -> None:
    """Write the works of a source to one array, again and again up to a size in bytes."""
    files = sorted(source.glob("works*.json")) if source.is_dir() else [source]
    works = [work for file in files for work in orjson.loads(file.read_bytes())]
    block = orjson.dumps(works, option=orjson.OPT_INDENT_2)[2:-2]
    with target.open("wb") as file:
        file.write(b"[\n" + block)
        while file.tell() + len(block) < size:
            file.write(b",\n" + block)
        file.write(b"\n]\n")


def measure(code: str, *arguments: object) -> dict[str, float]:
    """Run code in a new process; what it prints, as JSON."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    answer: dict[str, float] = json.loads(run.stdout)
    return answer


def main() -> None:
    """Make the files, time both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("works", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "works.json"), Path(folder, "small.json")
        repeat_works(options.works, large, int(options.gigabytes * 1e9))
        repeat_works(options.works, small, int(options.gigabytes * 1e8))
        whole = measure(PREPARE, large, Path(folder, "whole"))
        ours = measure(PREPARE, small, Path(folder, "ours"))
        peer = measure(PEER, small, Path(folder, "peer"))
        size, part = large.stat().st_size / 1e6, small.stat().st_size / 1e6
    print(
        f"prepare    {size:6,.0f} MB {size / whole['seconds']:6.1f} MB/s, {whole['peak']:6.0f} MB"
    )
    print(f"prepare    {part:6,.0f} MB {part / ours['seconds']:6.1f} MB/s, {ours['peak']:6.0f} MB")
    print(f"json.load  {part:6,.0f} MB {part / peer['seconds']:6.1f} MB/s, {peer['peak']:6.0f} MB")
    print(f"ratio      {peer['seconds'] / ours['seconds']:.1f} x the speed, ", end="")
    print(f"{ours['peak'] / peer['peak']:.2f} of the memory")


if __name__ == "__main__":
    main()
