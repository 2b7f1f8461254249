"""The sections and sweeps of the chapter."""

from collections.abc import Iterable, Mapping

from depthlens.chapters.chapter import Chapter, Section
from depthlens.sweep import Cell, Sweep, grid, together

_CLASSES = ("horizontal", "vertical", "none")
_FIVE_CLASSES = (*_CLASSES, "diagonal", "both")

SECTIONS: tuple[Section, ...] = (
    Section(
        name="overfit",
        title="Both can learn a few images by heart",
        explanation=(
            "Images of 28×28 show one bright edge along a row, one along a column, or none, on a "
            "darker ground. A convolutional network of 606 parameters (two convolutions of three "
            "filters of 7×7, each with ReLU and 2×2 maximum pooling; global average pooling; one "
            "linear layer) and an MLP of 39,793 (784 – 50 – 10 – 3) learn the same few images. A "
            "network that cannot learn these by heart says nothing about what it assumes.",
        ),
        tables=("overfit",),
        figures=("overfit",),
    ),
    Section(
        name="few_images",
        title="What a few images teach",
        explanation=(
            "Both networks are trained on few images a class and asked about new ones. What one "
            "gets right more often than the other, from the same images, it must have assumed.",
        ),
        tables=("few_images",),
        figures=("few_images",),
    ),
    Section(
        name="edge_detectors",
        title="Edge detectors set by hand",
        explanation=(
            "The three filters of the first convolution are set to detectors of an edge along a "
            "row, along a column and of a slanted one: differences of neighbours (2×2) or Sobel's "
            "(3×3). They do not learn; everything behind them does. Beside them is the network "
            "that learns all of its filters.",
        ),
        tables=("few_images", "edge_detectors"),
        figures=("edge_detectors",),
    ),
    Section(
        name="longer",
        title="Longer training",
        explanation=(
            "The same networks, three times as many passes over the images. An answer's "
            "confidence is the probability that the softmax gives it; of a calibrated network, "
            "the answers of confidence 0.8 are right in 80 % of the cases. The expected "
            "calibration error is the mean distance of the two, over ten bins of equal width.",
        ),
        tables=("longer", "longer_answers", "longer_kernels"),
        figures=("longer", "calibration", "kernels"),
    ),
    Section(
        name="domain_shift",
        title="Edges where no edge was",
        explanation=(
            "Training edges start in the upper or left half of the image, validation edges in the "
            "lower or right half. Two ways to train: kernels of 7×7, and for longer with kernels "
            "of 3×3.",
        ),
        tables=("domain_shift", "domain_shift_answers"),
        figures=("domain_shift", "domain_shift_confusion"),
    ),
    Section(
        name="permuted",
        title="Pixels moved around",
        explanation=(
            "All images have their pixels moved by the same permutation. An MLP cannot notice; a "
            "convolution finds no neighbours any more that have to do with each other.",
        ),
        tables=("permuted", "permuted_kernel_size"),
        figures=("permuted", "permuted_kernel_size"),
    ),
    Section(
        name="five_classes",
        title="Pooling, width and depth",
        explanation=(
            "Two classes more: a slanted edge, and both an edge along a row and one along a "
            "column. Maximum pooling is compared with average pooling, and the network with one "
            "of six filters a convolution and one of four convolutions (the further two without "
            "pooling).",
        ),
        tables=("pooling", "width_and_depth"),
        figures=("pooling", "width_and_depth"),
    ),
    Section(
        name="matching",
        title="How many images an assumption is worth",
        explanation=(
            "The MLP gets more and more images, until it does as well as the convolutional network "
            "with few. Then both are given the best of a random search over learning rate, passes "
            "over the images and kernel size: the candidate with the highest validation accuracy, "
            "mean over seeds, is judged on test images that played no part in the choice.",
        ),
        tables=("few_images", "matching", "search"),
        figures=("matching", "search"),
    ),
    Section(
        name="filters",
        title="Filters by hand",
        explanation=(
            "An averaging filter of n×n has weights of 1/n²; the Laplacian is four times the pixel "
            "less its four neighbours, with the sign turned. Left, an image of both edges with "
            "noise; right, a photograph.",
        ),
        tables=("filters",),
        figures=("filters",),
    ),
    Section(
        name="convolutions",
        title="Arithmetic of convolutions",
        explanation=(
            "Output size, parameters and receptive field of every layer by their formulas, and as "
            "found by running the network: shapes of its activations, numbers of its weights, and "
            "where the gradient of one value reaches the image.",
        ),
        tables=("convolutions",),
        figures=("receptive_fields",),
    ),
    Section(
        name="translation",
        title="Shifted images",
        explanation=(
            "Networks learn edges of the upper and left half; new images of such edges are then "
            "shifted right and down, what comes in repeating the border. Equivariance is measured "
            "on the features: how far those of the shifted image are from the shifted features of "
            "the image, relative to their size, away from the borders. Behind a pooling, a shift "
            "by less than its stride has no counterpart among the features.",
        ),
        tables=("translation", "equivariance"),
        figures=("translation", "equivariance"),
    ),
    Section(
        name="depth",
        title="Through the lens of difficulty",
        explanation=(
            "Prediction depth of the validation images: the first layer from which the nearest "
            "training images, k-NN, agree with the network's answer up to the last. A random "
            "number an image stands beside what depth is held against.",
        ),
        tables=("depth_of_edges",),
        figures=("depth_of_edges", "depth_by_factor"),
    ),
)


def sweeps(block: Mapping) -> list[Sweep]:
    """The sweeps that a block `chapters.inductive_bias` of config.yaml asks for."""
    common = {key: block[key] for key in ("validation_images", "batch_size", "momentum")}
    seeds = together(block["seeds"], block["seeds_at_once"])
    three, five = {**common, "classes": _CLASSES}, {**common, "classes": _FIVE_CLASSES}
    few, permuted, search = block["few_images"], block["permuted"], block["search"]
    shift = block["domain_shift"]
    of_few = {**three, **_training(few)}
    of_permuted = {**three, **_training(permuted), "weight_decay": permuted["weight_decay"]}

    def sweep(name: str, experiment: str, cells: Iterable[Cell], settings: Mapping, *tables: str):
        return Sweep(
            name=name,
            experiment=f"inductive_bias.experiments.{experiment}",
            cells=list(cells),
            settings=settings,
            tables=tables,
        )

    def course(name: str, architectures: Iterable[str], settings: Mapping, *tables: str, **axes):
        cells = grid(architecture=architectures, **axes, seeds=seeds)
        asked = {**settings, "name": name}
        return sweep(name, "course", cells, asked, name, *(f"{name}_{table}" for table in tables))

    def learning(name: str, settings: Mapping, **axes: Iterable):
        return sweep(name, "learning", grid(**axes, seeds=seeds), settings)

    both = ["cnn", "mlp"]
    return [
        course("overfit", both, {**three, **block["overfit"]}),
        learning("few_images", of_few, architecture=both, images=few["images"]),
        learning(
            "edge_detectors",
            of_few,
            architecture=["cnn_2x2", "cnn_sobel"],
            images=few["images"],
        ),
        course(
            "longer",
            both,
            {**three, **block["longer"], "answers_at": [few["epochs"]]},
            "answers",
            "kernels",
        ),
        course(
            "domain_shift",
            both,
            {
                **three,
                **{key: shift[key] for key in ("images", "location_ratio")},
                "recipes": {key: shift[key] for key in ("large_kernels", "small_kernels")},
            },
            "answers",
            recipe=["large_kernels", "small_kernels"],
        ),
        learning(
            "permuted",
            {**of_permuted, "kernel_size": permuted["kernel_sizes"][0]},
            architecture=both,
            permuted=[True, False],
            images=permuted["images"],
        ),
        learning(
            "permuted_kernel_size",
            {**of_permuted, "images": _middle(permuted["images"])},
            architecture=["cnn"],
            permuted=[True, False],
            kernel_size=permuted["kernel_sizes"],
        ),
        course("pooling", ["cnn", "cnn_average"], {**five, **block["pooling"]}),
        course(
            "width_and_depth",
            ["cnn", "cnn_wider", "cnn_deeper"],
            {**five, **block["width_and_depth"]},
        ),
        learning("matching", of_few, architecture=["mlp"], images=block["matching"]),
        sweep(
            "search",
            "search",
            grid(architecture=both, candidate=range(1, search["budget"] + 1), seeds=seeds),
            {
                **three,
                "images": search["images"],
                "splits": ("train", "validation", "test"),
                "search": {key: search[key] for key in ("learning_rate", "epochs", "kernel_size")},
            },
        ),
        sweep(
            "filters",
            "filters",
            grid(picture=["edges", "photograph"]),
            {
                "averaging_sizes": block["averaging_sizes"],
                "files": {"photograph": {"picture": block["picture"]}},
            },
        ),
        sweep(
            "convolutions",
            "convolutions",
            grid(architecture=["cnn", "cnn_deeper"], kernel_size=permuted["kernel_sizes"]),
            {},
        ),
        sweep(
            "translation",
            "translation",
            grid(architecture=both, seeds=seeds),
            {**three, **block["translation"]},
            "translation",
            "equivariance",
        ),
        sweep(
            "depth_of_edges",
            "depths",
            grid(architecture=both, seeds=seeds),
            {**three, **block["depth"]},
        ),
    ]


def _training(block: Mapping) -> dict:
    return {key: block[key] for key in ("learning_rate", "epochs")}


def _middle(values: list[int]) -> int:
    return values[len(values) // 2]


CHAPTER = Chapter(
    name="inductive_bias",
    title="What a network assumes",
    introduction=(
        "A convolution assumes that what matters is local, and the same wherever it is; an MLP "
        "assumes neither. Small networks on generated images of edges show what such an assumption "
        "is worth, what it costs where it is false, and which images are hard under it. Every "
        "measurement is over several seeds, of images and of networks.",
    ),
    sections=SECTIONS,
    sweeps=sweeps,
)
