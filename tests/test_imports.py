"""A command imports what it needs: torch alone takes longer than many a step."""

import subprocess
import sys

import pytest

PLOTTING = {"matplotlib", "seaborn"}
LEARNING = {"torch", "torchvision", "sklearn"}
STATISTICS = {"pandas", "scipy"}
HEAVY = PLOTTING | LEARNING | STATISTICS

NEEDLESS = {
    "cli": HEAVY | {"numpy", "pyarrow", "pydantic"},
    "study": HEAVY,  # every call of snakemake imports this
    "stages.generate": HEAVY,
    "stages.import_images": HEAVY,
    "stages.convergence": HEAVY,
    "stages.depth": HEAVY,
    "stages.claims": LEARNING,
    "stages.report": LEARNING,
    "stages.figures": LEARNING,
    "stages.train": HEAVY - {"torch", "torchvision"},
    "stages.activations": HEAVY - {"torch", "torchvision"},
    "stages.knn": HEAVY - {"torch"},
    "measuring.command": PLOTTING | {"sklearn"},
}


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """What each module has brought in, from an interpreter of its own, all at once."""
    program = "import sys, depthlens.{}; print(*sys.modules)"
    running = {
        module: subprocess.Popen(
            [sys.executable, "-c", program.format(module)], stdout=subprocess.PIPE, text=True
        )
        for module in NEEDLESS
    }
    found = {module: set(process.communicate()[0].split()) for module, process in running.items()}
    assert all(process.returncode == 0 for process in running.values())
    return found


@pytest.mark.parametrize("module", NEEDLESS)
def test_a_command_imports_nothing_heavy_that_it_does_not_need(module, imported):
    assert NEEDLESS[module] & imported[module] == set()
