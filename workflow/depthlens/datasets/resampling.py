"""Which images each replicate of a network does not see."""

import numpy as np
from numpy.typing import NDArray


def held_out_rows(
    labels: NDArray[np.integer], *, number: int, share: float, seed: int
) -> NDArray[np.int64]:
    """Rows that one of a series of replicates holds out.

    Every class is dealt out on its own, like a deck of cards: replicate 1 takes the first `share`
    of a shuffled deck, replicate 2 the next, and where the deck ends it is shuffled again. So each
    image is held out as often as any other of its class, give or take one, whatever the number of
    replicates; and replicate n does not depend on how many follow.

    Parameters
    ----------
    labels : int array, shape (n_examples,)
    number : int
        Of the replicate: 1, 2, …
    share : float
        Of the images, to hold out; greater than 0, less than 1.
    seed : int
        Of the shuffles: all replicates of a series have the same.

    Returns
    -------
    int64 array, ascending
        Of each class `share` of its rows, rounded up or down by turns.
    """
    held_out = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        generator = np.random.default_rng([seed, int(label)])
        held_out.append(members[_hand(len(members), number, share, generator)])
    return np.sort(np.concatenate(held_out))


def _hand(n: int, number: int, share: float, generator: np.random.Generator) -> NDArray[np.int64]:
    """Which of n cards are dealt in a round, each round taking the next share of the deck."""
    deck = generator.permutation(n)
    for turn in range(1, number + 1):
        # Sizes by differences of a rounded running total: they never drift from the share.
        size = round(turn * share * n) - round((turn - 1) * share * n)
        hand, deck = deck[:size], deck[size:]
        if len(hand) < size:
            # What this round has already taken is not taken twice: it goes into the deck after.
            fresh = generator.permutation(n)
            again = np.isin(fresh, hand)
            first, missing = fresh[~again], size - len(hand)
            hand = np.concatenate([hand, first[:missing]])
            deck = generator.permutation(np.concatenate([first[missing:], fresh[again]]))
    return np.sort(hand)
