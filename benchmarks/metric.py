"""How much k-NN classes and depths depend on the metric: cosine next to Euclidean distance.

Reads a finished run of the study whose activations were kept, classifies its test split again with
the other metric, and prints a table.

    python -m benchmarks.metric results/shapes/resnet18/seed1
"""

import sys
from pathlib import Path

import numpy as np
from scipy import stats

from depthlens import tables
from depthlens.depth import prediction_depth
from depthlens.knn.points import Normalized
from depthlens.knn.search import Queries, nearest
from depthlens.knn.votes import vote

METRICS = ("euclidean", "cosine")


def main(run: Path) -> None:
    depth = tables.read(run / "depth/test.parquet")
    about = tables.metadata(run / "depth/test.parquet")
    train = tables.read(run / "predictions/train.parquet", ["label"])["label"].to_numpy()
    label, answer = depth["label"].to_numpy(), depth["prediction"].to_numpy()
    classes: dict[str, list] = {metric: [] for metric in METRICS}
    print("k-NN right of the test images; classes that differ")
    print(f"{'probe':16} {'euclidean':>9} {'cosine':>9} {'differ':>7}")
    for probe in about["probes"]:
        settings = tables.metadata(run / f"knn/test/{probe}.parquet")["config"]
        points = [
            tables.Rows(run / f"activations/{split}/{probe}.parquet", "activation")
            for split in ("test", "train")
        ]
        for metric in METRICS:
            queries, references = map(Normalized, points) if metric == "cosine" else points
            k = settings["n_neighbors"]
            (near,) = nearest([Queries(queries)], references, n_neighbors=k, ranks=[k])
            classes[metric].append(vote(train[near.rows]))
        euclidean, cosine = (classes[metric][-1] for metric in METRICS)
        right = [(found == label).mean() for found in (euclidean, cosine)]
        differ = int((euclidean != cosine).sum())
        print(f"{probe:16} {right[0]:9.4f} {right[1]:9.4f} {differ:7}", flush=True)

    depths = [prediction_depth(np.stack(classes[metric], axis=1), answer) for metric in METRICS]
    print(f"depths that differ: {int((depths[0] != depths[1]).sum())} of {len(answer)}")
    print(f"mean depth: {depths[0].mean():.3f} euclidean, {depths[1].mean():.3f} cosine")
    print(f"rank correlation of the two depths: {stats.spearmanr(*depths).statistic:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
