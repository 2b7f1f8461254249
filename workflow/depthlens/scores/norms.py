"""Lengths of the error and of the last layer's gradient, cheap enough to note at every step.

A module of its own: training uses it, and an edit of another score must not train anew.
"""

import torch


def error_norm(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Euclidean length of softmax less the one-hot label (EL2N of one network).

    Parameters
    ----------
    logits : float tensor, shape (n, n_classes)
    labels : int64 tensor, shape (n,)

    Returns
    -------
    float tensor, shape (n,)
        0 (certain and right) … √2 (certain and wrong).

    References
    ----------
    Paul, Ganguli, Dziugaite (2021), arXiv 2107.07075, definition 2.2.
    """
    error = logits.softmax(1)
    error = error - torch.nn.functional.one_hot(labels, logits.shape[1])
    return error.norm(dim=1)


def last_layer_gradient_norm(errors: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Length of each example's loss gradient with respect to a last linear layer (GraNd).

    The gradient of the cross-entropy with respect to the weights is (softmax − one-hot) hᵀ, and
    with respect to the bias it is (softmax − one-hot): together of length ‖error‖ √(‖h‖² + 1).

    Parameters
    ----------
    errors : float tensor, shape (n,)
        As `error_norm` gives them.
    features : float tensor, shape (n, dims)
        What the layer was given, h.

    Returns
    -------
    float tensor, shape (n,)
        0 or more.

    References
    ----------
    Paul, Ganguli, Dziugaite (2021), arXiv 2107.07075, definition 2.1, restricted to the last layer.
    """
    return errors * (features.float().square().sum(1) + 1).sqrt()
