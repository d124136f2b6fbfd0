"""How far to go from the network that the training started from to the trained one (WiSE-FT).

The mean of the weights of a network before and after fine-tuning is nearly as good as the latter on what it
was tuned to and keeps more of what the former knew (Wortsman et al. 2022, Robust fine-tuning of zero-shot
models), which counts where few picks say what to tune to. It is one network, so it costs nothing later.
After 48 picks of three micrographs of EMPIAR-10017 the average precision on two others was .858 half way,
.852 for the trained network and .853 for the one before; after 1642 picks .886, .901 and .853.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, lerp, nn

from cryoseg_ext.training.loop import Validation

SHARES = (0.25, 0.5, 0.75, 1.0)
PRIOR_PARTICLES = 50
"""With so many labelled validation particles the share kept is midway between the one found and a half."""


def blend(
    network: nn.Module,
    first: Mapping[str, Tensor],
    score: Validation,
    judged_by: Sequence[str],
    n_particles: int,
) -> float:
    """Move a trained network part of the way back, in place; return the share of the training that is kept.

    Parameters
    ----------
    network : nn.Module
        The trained one, in evaluation mode.
    first : Mapping[str, Tensor]
        The weights that the training started from.
    score : callable
        Scores a network on the validation micrographs.
    judged_by : sequence of str
        Scores whose sum is highest at the best share.
    n_particles : int
        Labelled particles on them: of few the scores are chance.
    """
    trained = weights_of(network)

    def merit(share: float) -> float:
        interpolate(network, first, trained, share)
        scores = score(network)
        return sum(scores[name] or 0.0 for name in judged_by)

    best = max(SHARES, key=merit)
    share = (n_particles * best + PRIOR_PARTICLES / 2) / (n_particles + PRIOR_PARTICLES)
    interpolate(network, first, trained, share)
    return share


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights of a network as they are now."""
    return {name: value.clone() for name, value in network.state_dict().items()}


def interpolate(
    network: nn.Module, first: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float
) -> None:
    """Give a network the weights that lie `share` of the way from the `first` to the `trained`."""
    network.load_state_dict(
        {
            name: lerp(first[name], value, share) if value.is_floating_point() else value
            for name, value in trained.items()
        }
    )
