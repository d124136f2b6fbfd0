"""The paper's headline: pixel scores on its synthetic micrographs after training on at most 16 of them.

    python benchmarks/paper_fine_tuning.py --train 16 --test 17 [--structure FILE] [--initial FILE]

Simulates as ``cryoseg simulate --preset paper`` does, fine-tunes on their masks with ``cryoseg train``, and
scores the pixels of the particle class, at the working scale, and the picks of the model to start from and of
the fine-tuned one on micrographs that were not trained on, without and with the CRF.  What a stopped run has
finished is not done again.  Without --train it prints the rows of the last run.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from fine_tuning import command

from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.crf import CrfChoice
from cryoseg_ext.training.compare import Row, score
from cryoseg_ext.training.labelled import TrainingFiles, read_training_set
from cryoseg_ext.training.targets import TrainingExample

SEED = "20"
_COLUMNS = ("accuracy", "particle_precision", "particle_recall", "particle_iou", "particle_f1", "pick_f1")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=int, default=0, help="micrographs to train on, at least 2")
    parser.add_argument("--test", type=int, default=17, help="micrographs to score")
    parser.add_argument("--structure", help="PDB, mmCIF or MRC file; default: a made-up molecule")
    parser.add_argument("--initial", type=Path)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/paper_fine_tuning"))
    args = parser.parse_args()
    stored = args.out / "rows.json"
    if args.train:
        stored.unlink(missing_ok=True)
        rows = run(args)
        stored.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{'model':12s} CRF " + " ".join(f"{name:>18s}" for name in _COLUMNS))
    for row in json.loads(stored.read_text()) if stored.exists() else []:
        print(f"{row['model']:12s} {row['crf']:3s} " + " ".join(f"{row[name]:18.4f}" for name in _COLUMNS))


def run(args: argparse.Namespace) -> list[Row]:
    """Simulate, train and score, and return a row for each model and CRF."""
    session, training = args.out / "session", args.out / "training"
    molecule = ["--structure", args.structure] if args.structure else ["--family", "globular"]
    number = str(args.train + args.test)
    command("simulate", "--preset", "paper", "--n", number, "--out", str(session), "--seed", SEED, *molecule)
    names = sorted(str(path) for path in (session / "Micrographs").iterdir())
    labels = session / "labels.star"
    diameter_A = float(json.loads((session / "Truth" / "mic_0001.json").read_text())["diameter_A"])
    arguments = ["train", "--in_labels", str(labels), "--particle_diameter", str(diameter_A)]
    for name in names[: args.train]:
        arguments += ["--in_mics", name]
    # Only these micrographs count here: there is nothing else to remember.
    arguments += ["--simulated_share", "0"]
    arguments += ["--initial", str(args.initial)] if args.initial else []
    command(*arguments, "--out", str(training), "--j", args.threads)
    files = TrainingFiles(names[args.train :], in_labels=labels)
    examples = [
        TrainingExample(one, one.classes)
        for one in read_training_set(files, diameter_A, print)
        if one.classes is not None
    ]
    rows: list[Row] = []
    for label, path in (("zero-shot", args.initial), ("fine-tuned", training / "model.safetensors")):
        model = load_model(path)
        for name, crf in (("no", None), ("yes", CrfChoice())):
            row: Row = {"model": label, "crf": name}
            rows.append(row | score(model, examples, crf))
    return rows


if __name__ == "__main__":
    main()
