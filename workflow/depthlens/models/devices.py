"""Where to compute."""

import os

import torch

from depthlens.errors import StudyError


def choose(device: str, *, key: str) -> torch.device:
    """The device that a config asks for.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        `auto` takes a GPU where there is one.
    key : str
        Key of config.yaml to name in the message.

    Raises
    ------
    StudyError
        If `cuda` is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise StudyError(f"{key}: cuda was asked for, but torch sees no GPU; use auto or cpu")
    return torch.device("cuda" if device != "cpu" and available else "cpu")


def make_deterministic() -> None:
    """Same bits on every run of this process' work on the same machine."""
    # cuBLAS reads this when it starts; without it its reductions may differ from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
