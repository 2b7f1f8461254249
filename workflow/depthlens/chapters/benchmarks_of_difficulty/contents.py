"""The sections and sweeps of the chapter."""

from collections.abc import Mapping, Sequence

from depthlens.chapters.chapter import Chapter, Section
from depthlens.sweep import Cell, Sweep, grid

SECTIONS: tuple[Section, ...] = (
    Section(
        name="label_noise",
        title="Finding wrong labels",
        explanation=(
            "Some training images get a wrong label by one of four rules: any other class "
            "(uniform), the class that looks nearest on average (asymmetric), the class before or "
            "after (adjacent), or one that depends on the image itself (feature). A network is "
            "trained on these labels until its end, and every score ranks the images. An AUROC of "
            "1 has all wrong labels before all right ones; 0.5 is what choosing at random gives.",
            "Input margin and variance of gradients are known of 600 images a network only; the "
            "searched margin is left out, as its few images would hold too few wrong labels.",
        ),
        tables=("label_noise",),
        figures=("label_noise_scores", "label_noise_rates"),
    ),
    Section(
        name="foreign",
        title="Images that do not belong",
        explanation=(
            "A network learns all classes of a dataset but a few, which the seed chooses. It then "
            "sees test images of the classes that it knows, of those that it does not, of another "
            "dataset (padded with black or cut at the edges to the same size), and the known ones "
            "with noise, blur or less contrast, at severities 1, 3 and 5 of CIFAR-10-C. Each "
            "detector ranks all of them; an AUROC of 1 has every foreign image before every known "
            "one, 0.5 is what choosing at random gives.",
            "The k-NN distance at the features is that of Sun et al. (2022), to the k-th nearest "
            "training image with features of unit length. That of all probes is the mean, over "
            "probes, of its rank among the distances of the training images themselves.",
        ),
        tables=("foreign",),
        figures=("foreign_detectors", "foreign_severity"),
    ),
    Section(
        name="early_exit",
        title="Leaving a network early",
        explanation=(
            "A residual network gets a head (global average pooling and a linear layer) after each "
            "of its four stages. It learns from the same batches, at the same rates and from the "
            "same initial weights as the network with one exit; a test image leaves at the first "
            "head whose softmax has less entropy than a threshold. Multiply-accumulates are "
            "counted by torch, all heads on the way included. Beside it: the same number of images "
            "at each exit, drawn at random.",
            "An image can also leave where its nearest training images agree, or give the same "
            "class at several probes in a row. This needs no training, but a search for neighbours "
            "at every probe: the table says what an exhaustive one costs.",
        ),
        tables=("early_exit",),
        figures=("early_exit_heads", "early_exit_neighbours"),
    ),
    Section(
        name="pruning",
        title="Training on a part of the images",
        explanation=(
            "A first network is trained on all images, and a score ranks them. Then new networks "
            "are trained on a share of the images: the hardest, the easiest, or some by lot. Every "
            "network takes as many steps as one on all images does, so that a small part is passed "
            "over more often; what is compared is images, not computation.",
            "The classes are not held in balance, but for the share nearest to a half, where the "
            "hardest and the easiest of every class are kept too (diamonds). All networks of a "
            "seed begin with the same weights. Scores are those of one network; papers average "
            "several.",
        ),
        tables=("pruning",),
        figures=("pruning",),
    ),
    Section(
        name="orders",
        title="Training from easy to hard",
        explanation=(
            "Images are ordered by the prediction depth that a first network gives them, the "
            "classes taking turns. A training begins with the first fifth of the order; the images "
            "that it may draw from grow linearly, until after 80 % of the steps all are there. The "
            "random order grows as fast; the standard training has all images from the start. All "
            "take the same number of steps from the same weights.",
            "The short training has a fifth of the epochs. Other paces, other scores and longer "
            "trainings were not tried.",
        ),
        tables=("orders",),
        figures=("orders",),
    ),
    Section(
        name="labelling",
        title="What to label first",
        explanation=(
            "Of the training images 5 % are labelled at the start, the classes in equal shares, "
            "and 5 % more in each of five rounds. Each round trains a new network, with as many "
            "steps as a training on all images takes, and labels what it finds deepest, or what "
            "has the smallest output margin; drawing lots is the comparison. The depth of an image "
            "without a label is that of a query: the labelled images nearest to it vote.",
            "As few images are labelled, fewer neighbours vote than elsewhere: at most half as "
            "many as a class has labelled images.",
        ),
        tables=("labelling",),
        figures=("labelling",),
    ),
    Section(
        name="sayings",
        title="What is said about difficulty",
        explanation=(
            "Networks of the first architecture are trained on the same images with several seeds. "
            "An image is settled at the first probe from which the k-NN class is the network's, "
            "up to the last. How much of the network that takes is counted in "
            "multiply-accumulates by torch's counter; probes are the children of the network, so "
            "that an image may settle earlier than the probe that shows it.",
            "Rank correlations are signed so that they are positive where images that another "
            "measure calls harder are deeper. Beside them stands a random number an image.",
        ),
        tables=("portraits",),
        figures=("settled_by_computation", "what_depth_follows"),
    ),
    Section(
        name="causes",
        title="What makes an image deep",
        explanation=(
            "Gradient-boosted trees learn, from half of the test images, to tell depth from what "
            "an image was made with (shapes) or looks like (imported images), and from its class. "
            "On the other half stands how much of the variance of depth they explain (R²), how "
            "much of that is lost when one factor is shuffled (permutation importance), and how "
            "the predicted depth moves with one factor (partial dependence). A random number is "
            "among the factors: what it has is chance.",
        ),
        tables=("portraits",),
        figures=("causes_of_depth", "depth_by_cause"),
    ),
    Section(
        name="architectures",
        title="Across architectures",
        explanation=(
            "Networks of several architectures are trained on the same images. The ranks of depth "
            "are compared between two architectures, beside one architecture with itself: "
            "networks that are compared never have the same seed. A rank correlation does not "
            "change when depth is divided by the number of probes; that images are settled at the "
            "same share of the probes is told by the difference of relative depth.",
        ),
        tables=("portraits",),
        figures=("depth_across_architectures", "relative_depth_across_architectures"),
    ),
    Section(
        name="human",
        title="Depth and people",
        explanation=(
            "Where files say what people answered, depth of test images is held against the "
            "entropy of their answers, and depth of training images of a network that learned "
            "from people's labels against where these differ from the dataset's. The files are "
            "named in the config, and are the user's own: CIFAR-10H and CIFAR-10N are such.",
        ),
        tables=("portraits", "human"),
        figures=("depth_and_people",),
    ),
)


def sweeps(block: Mapping) -> list[Sweep]:
    """The sweeps that a block `chapters.benchmarks_of_difficulty` of config.yaml asks for."""
    common = {key: block[key] for key in ("recipe", "n_neighbors", "early_epoch")}
    noise, subsets = block["label_noise"], block["subsets"]
    found = [
        Sweep(
            name="label_noise",
            experiment="benchmarks_of_difficulty.experiments.label_noise",
            cells=grid(
                dataset=noise["datasets"],
                kind=noise["kinds"],
                rate=noise["rates"],
                seed=block["seeds"],
            ),
            settings=common,
        ),
        Sweep(
            name="foreign",
            experiment="benchmarks_of_difficulty.experiments.foreign",
            cells=_with_other(block["datasets"], block["seeds"]),
            settings={key: block[key] for key in ("recipe", "n_neighbors")} | block["foreign"],
        ),
        Sweep(
            name="early_exit",
            experiment="benchmarks_of_difficulty.experiments.early_exit",
            cells=grid(dataset=block["datasets"], seed=block["seeds"]),
            settings={"n_neighbors": block["n_neighbors"]} | block["early_exit"],
        ),
        Sweep(
            name="pruning",
            experiment="benchmarks_of_difficulty.experiments.pruning",
            cells=grid(
                dataset=block["datasets"],
                score=[*subsets["scores"], "random"],
                seed=block["seeds"],
            ),
            settings={**common, "shares": subsets["shares"]},
        ),
        Sweep(
            name="orders",
            experiment="benchmarks_of_difficulty.experiments.orders",
            cells=grid(
                dataset=block["datasets"],
                order=["standard", "random", "easy_to_hard", "hard_to_easy"],
                seed=block["seeds"],
            ),
            settings=common,
        ),
        Sweep(
            name="labelling",
            experiment="benchmarks_of_difficulty.experiments.labelling",
            cells=grid(
                dataset=block["datasets"],
                strategy=["random", "margin", "depth"],
                seed=block["seeds"],
            ),
            settings={key: block[key] for key in ("recipe", "n_neighbors")},
        ),
        Sweep(
            name="portraits",
            experiment="benchmarks_of_difficulty.experiments.portraits",
            cells=grid(
                dataset=block["datasets"],
                architecture=block["portraits"]["architectures"],
                seed=block["seeds"],
            ),
            settings=common | {"recipe": block["portraits"]["recipe"]},
        ),
        Sweep(
            name="human",
            experiment="benchmarks_of_difficulty.experiments.human",
            cells=grid(
                dataset=[name for name, files in block["human"].items() if any(files.values())],
                seed=block["seeds"],
            ),
            settings=common | {"files": block["human"]},
        ),
    ]
    return [sweep for sweep in found if sweep.cells]


def _with_other(datasets: Sequence[str], seeds: Sequence[int]) -> list[Cell]:
    """Cells of each dataset with the next one, if there is another, as the foreign one."""
    cells = []
    for place, dataset in enumerate(datasets):
        other = datasets[(place + 1) % len(datasets)]
        foreign = {} if other == dataset else {"other": [other]}
        cells += grid(dataset=[dataset], **foreign, seed=seeds)
    return cells


CHAPTER = Chapter(
    name="benchmarks_of_difficulty",
    title="Does difficulty deliver?",
    introduction=(
        "People use difficulty to find wrong labels, to spot foreign images, to stop a network "
        "early and to choose what to train on, and they say a good deal about it. Here each of "
        "these is put to the test, with choosing at random beside it, over several seeds, and "
        "with thresholds that were written down before anything was run.",
    ),
    sections=SECTIONS,
    sweeps=sweeps,
)
