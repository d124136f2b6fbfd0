"""How far to go from the network that the training started from to the trained one (WiSE-FT).

The mean of the weights of a network before and after fine-tuning is nearly as good as the latter on what it
was tuned to and keeps more of what the former knew (Wortsman et al. 2022, Robust fine-tuning of zero-shot
models), which counts where there are few picks to tune to. It is one network, so it costs nothing later.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, lerp, nn

from cryoseg_ext.progress import showing, silent, tracked
from cryoseg_ext.training.loop import Validation

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the trained weights that are tried."""
PRIOR_PARTICLES = 50
"""Number of labelled validation particles at which the share is halfway between the best one and a half."""


def blend(
    network: nn.Module, initial: Mapping[str, Tensor], validation: Validation, n_particles: int
) -> float:
    """Move a trained network part of the way back to its initial weights, in place.

    Parameters
    ----------
    network : nn.Module
        The trained network, in evaluation mode.
    initial : Mapping[str, Tensor]
        The weights that the training started from.
    validation : Validation
        Scores a network on the validation micrographs.
    n_particles : int
        Labelled particles on them: the scores of a few are chance, so that the share stays near a half.

    Returns
    -------
    float
        Share of the training that is kept.
    """
    trained = weights_of(network)

    def total_score(share: float) -> float:
        interpolate(network, initial, trained, share)
        # One display, of the shares.
        with showing(silent):
            scores = validation.score(network)
        return sum(scores[name] or 0.0 for name in validation.metrics)

    best = max(tracked(SHARES, "Choosing how much of the training to keep"), key=total_score)
    share = (n_particles * best + PRIOR_PARTICLES / 2) / (n_particles + PRIOR_PARTICLES)
    interpolate(network, initial, trained, share)
    return share


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights of a network as they are now."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def interpolate(
    network: nn.Module, initial: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> None:
    """Load into a network the weights at `share` of the way from the initial to the trained ones.

    Parameters
    ----------
    network : nn.Module
        The network, changed in place.
    initial, trained : Mapping[str, Tensor]
        Weights by name.
    share : float
        0 for the initial weights, 1 for the trained ones.
    """
    network.load_state_dict(
        {
            name: lerp(initial[name], value, share) if value.is_floating_point() else value
            for name, value in trained.items()
        }
    )
