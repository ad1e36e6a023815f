"""Put the fitted heads into the two files that ship beside the backbone.

    python export.py --pack DIR --tags DIR --vector DIR --embedder FINGERPRINT --out WEIGHTS
    python export.py --vector DIR --embedder FINGERPRINT --out WEIGHTS

The second leaves the tag head in WEIGHTS as it is: for when the embedder has changed. Each tag's
score is calibrated (Platt) on scores of training photos by heads that had not seen them; the
threshold from which a tag is named aloud is where those reach the precision asked.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from measure import average_precision
from photos import label_matrix, read_rows

PRECISION = 0.8
FLICKR = {"RlNZLER/Image-Text-Matching"}
LEAST_PHOTOS, LEAST_AP = 10, 0.3

# ImageNet classes that speak for tags with too few photos to learn from.
CLASSES = {
    "鸭": [97, 98], "雁鹅": [99, 100], "鹰": [21, 22, 23], "蝉": [316], "孔雀": [84],
    "熊": [294, 295, 296, 297], "大象": [101, 385, 386], "骆驼": [354], "兔": [330, 331, 332],
    "茶": [849], "咖啡": [967], "蛙": [30, 31, 32], "鸡": [7, 8], "秋千": [843],
    "酒": [440, 441, 572, 907, 966],
    "果实": list(range(948, 958)),
    "虎": [292], "猿猴": list(range(365, 385)), "蝴蝶": list(range(321, 327)), "蜜蜂": [309],
    "蜻蜓": [319, 320], "鹤鹭": [127, 128, 131, 132, 134],
}  # fmt: skip
# Learnt from one source each, where every flower had its bee: the classes must agree.
DOUBTED = ["蜜蜂", "蝴蝶", "蜻蜓", "虎", "猿猴"]


def platt(scores: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Scale and offset that make a logistic of the scores most likely; ridge towards 1, 0."""
    scale, offset = 1.0, 0.0
    for _ in range(100):
        p = 1 / (1 + np.exp(-(scale * scores + offset)))
        w = p * (1 - p) + 1e-9
        g = np.array([((p - truth) * scores).sum() + (scale - 1), (p - truth).sum()])
        h = np.array(
            [[(w * scores**2).sum() + 1, (w * scores).sum()], [(w * scores).sum(), w.sum() + 1e-3]]
        )
        # Bounded, or a tag with few photos runs away from where the quadratic holds.
        step = np.clip(np.linalg.solve(h, g), -0.5, 0.5)
        scale, offset = scale - step[0], offset - step[1]
        if abs(step).max() < 1e-6:
            break
    return float(scale), float(offset)


def threshold(p: np.ndarray, truth: np.ndarray) -> float:
    """The least probability above which the share of right tags is PRECISION, ending at 0.9."""
    order = np.argsort(-p)
    right = (np.cumsum(truth[order]) + 1) / (np.arange(1, len(p) + 1) + 1.5)
    good = np.nonzero(right >= PRECISION)[0]
    least = p[order][good[-1]] if len(good) else 0.9
    return float(np.clip(least, 0.45, 0.92))


def strictest(p: np.ndarray, truth: np.ndarray, flickr: np.ndarray) -> float:
    """The threshold that holds among Flickr's photos of people, and among all the others."""
    parts = [part for part in (flickr, ~flickr) if truth[part].sum() >= 10]
    return max(threshold(p[part], truth[part]) for part in parts or [np.ones_like(flickr)])


def tag_head(pack: Path, folder: Path) -> tuple[list[dict], list[int]]:
    """Calibrated tags that are good enough to ship, and their columns in the head."""
    rows = read_rows(pack)
    tags = json.loads((folder / "tags.json").read_text("utf-8"))["tags"]
    labels = label_matrix(rows, tags)
    held = np.load(folder / "held_out.npy")
    # Captions leave much unsaid, so photos labelled from captions alone do not calibrate.
    use = np.array([r["train"] and r["tag_split"] == "train" for r in rows])
    flickr = np.array(["flickr" in r["src"].lower() or r["src"] in FLICKR for r in rows])
    kept: list[dict] = []
    columns: list[int] = []
    for column, tag in enumerate(tags):
        known = use & ~np.isnan(labels[:, column]) & ~np.isnan(held[:, column])
        score, truth = held[known, column].astype(np.float64), labels[known, column] == 1
        ap = average_precision(truth, score) if truth.any() else 0.0
        if truth.sum() < LEAST_PHOTOS or ap < LEAST_AP:
            print(f"left out: {tag} ({truth.sum()} photos, held-out precision {ap:.2f})")
            continue
        scale, offset = platt(score, truth)
        p = 1 / (1 + np.exp(-(scale * score + offset)))
        columns.append(column)
        kept.append(
            {"tag": tag, "scale": round(scale, 4), "offset": round(offset, 4),
             "threshold": round(strictest(p, truth, flickr[known]), 3), "photos": int(truth.sum()),
             "held_out_ap": round(ap, 3)}
        )  # fmt: skip
        print(kept[-1], f"recall {(p[truth] >= kept[-1]['threshold']).mean():.2f}")
    return kept, columns


def layers(name: str, folder: Path, columns: list[int] | None = None) -> dict[str, np.ndarray]:
    """A fitted head's arrays under the names it ships with; ``columns`` of its outputs."""
    arrays: dict[str, np.ndarray] = {}
    with np.load(folder / f"{name}.npz") as fitted:
        arrays[f"{name}.mean"], arrays[f"{name}.spread"] = fitted["mean"], fitted["spread"]
        for layer, number in enumerate((1, 4), 1):
            w, b = fitted[f"{number}.weight"].T, fitted[f"{number}.bias"]
            if columns is not None and layer == 2:
                w, b = w[:, columns], b[columns]
            arrays[f"{name}.w{layer}"] = w.astype(np.float16)
            arrays[f"{name}.b{layer}"] = b.astype(np.float32)
    return arrays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, help="with --tags")
    parser.add_argument("--tags", type=Path)
    for name in ("--vector", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--embedder", required=True, help="fingerprint of the vector's embedder")
    args = parser.parse_args()
    if args.tags and not args.pack:
        parser.error("--tags needs the --pack that they were fitted on")
    args.out.mkdir(parents=True, exist_ok=True)
    weights, written = args.out / "heads.npz", args.out / "heads.json"
    if args.tags:
        kept, columns = tag_head(args.pack, args.tags)
        arrays = layers("tags", args.tags, columns)
    else:
        kept = json.loads(written.read_text("utf-8"))["tags"]
        with np.load(weights) as shipped:
            arrays = {name: shipped[name] for name in shipped.files if name.startswith("tags.")}
    with weights.open("wb") as file:
        np.savez(file, **arrays, **layers("vector", args.vector))  # type: ignore[arg-type]
    settings = {"vector_space": args.embedder, "tags": kept, "classes": CLASSES, "doubted": DOUBTED}
    written.write_text(json.dumps(settings, ensure_ascii=False, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
