"""Settings of the conditional random field, in physical terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from cryoseg_ext.extras import require

SolverName = Literal["mean_field", "frank_wolfe", "none"]
FilterName = Literal["grid", "window", "permutohedral"]
ReferenceName = Literal["micrograph", "low_pass", "denoised", "logit", "centre", "stack"]
Regulariser = Literal["none", "entropy", "euclidean"]
StepRule = Literal["fixed", "harmonic", "line_search"]


SOLVERS: tuple[SolverName, ...] = get_args(SolverName)
FILTERS: tuple[FilterName, ...] = get_args(FilterName)
REFERENCES: tuple[ReferenceName, ...] = get_args(ReferenceName)
REGULARISERS: tuple[Regulariser, ...] = get_args(Regulariser)
STEPS: tuple[StepRule, ...] = get_args(StepRule)


@dataclass(frozen=True)
class Kernel:
    """One pairwise term of a conditional random field.

    Parameters
    ----------
    weight : float
        How strongly a pixel follows its neighbours; a negative weight repels.
    sigma : float
        Spatial standard deviation as a fraction of the particle diameter.
    reference_sigma : float, optional
        Standard deviation on the reference map, in robust noise units of it (1.4826 times its median
        absolute deviation); None makes the kernel a plain Gaussian on position.
    """

    weight: float
    sigma: float
    reference_sigma: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.weight):
            raise ValueError(f"weight must be finite, not {self.weight}")
        for name in ("sigma", "reference_sigma"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be greater than 0, not {value}")


@dataclass(frozen=True)
class Terms:
    """The energy of one of the two maps, the particle mask or the centre map.

    Parameters
    ----------
    scale, bias : float
        The unary term is ``scale * logit + bias``: the inverse temperature, and all that an asymmetric
        compatibility does when the kernels are row-normalised.
    context : float
        Weight of ``-log(confidence)`` in the unary term, see `cryoseg_ext.crf.layer.confidence`; it lowers
        the threshold on a faint micrograph.
    support : tuple of Kernel
        Further unary terms: how strongly a pixel follows its neighbours in the other map.
    kernels : tuple of Kernel
        Pairwise terms: how strongly a pixel follows its neighbours in the same map.
    """

    scale: float = 1.0
    bias: float = 0.0
    context: float = 0.0
    support: tuple[Kernel, ...] = ()
    kernels: tuple[Kernel, ...] = ()

    def __post_init__(self) -> None:
        for name in ("scale", "bias", "context"):
            if not math.isfinite(value := getattr(self, name)):
                raise ValueError(f"{name} must be finite, not {value}")


MILD_POTTS = Terms(kernels=(Kernel(0.4, 0.08), Kernel(0.4, 0.3, 1.5)))
"""A weak classical dense CRF that is not learned; a stronger one removes weak particles."""


@dataclass(frozen=True)
class CrfOptions:
    """Settings of the conditional random field.

    Lengths are fractions of the particle diameter and reference values are in robust noise units, so one set
    of values serves every specimen, pixel size and detector. A trained model brings its own.

    Parameters
    ----------
    solver : {"mean_field", "frank_wolfe", "none"}
        How the field is solved; "none" returns the maps of the network unchanged.
    iterations : int
        Number of iterations of the solver; 0 leaves only the unary terms.
    filter : {"grid", "window", "permutohedral"}
        How kernels with a `reference_sigma` are applied: the bilateral grid, a dilated local window, or the
        lattice of pydensecrf, a package of its own, which is slower and less exact.
    reference : {"micrograph", "low_pass", "denoised", "logit", "centre", "stack"}
        The map whose values these kernels compare, see `cryoseg_ext.crf.references.reference_map`.
    regulariser, strength, step, steps
        Settings of Frank-Wolfe, see `cryoseg_ext.crf.solvers.FrankWolfe`.
    mask, centre : Terms
        Energies of the particle mask and of the centre map; empty Terms leave the map as it is.

    Raises
    ------
    ValueError
        If a value is out of its range or unknown.
    """

    solver: SolverName = "mean_field"
    iterations: int = 3
    filter: FilterName = "grid"
    reference: ReferenceName = "micrograph"
    regulariser: Regulariser = "euclidean"
    strength: float = 1.0
    step: StepRule = "fixed"
    steps: tuple[float, ...] = (1.0,)
    mask: Terms = MILD_POTTS
    centre: Terms = Terms()

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise ValueError(f"iterations must be 0 or more, not {self.iterations}")
        if not 0 < self.strength < math.inf:
            raise ValueError(f"strength must be greater than 0, not {self.strength}")
        if not self.steps or not all(0 <= step <= 1 for step in self.steps):
            raise ValueError(f"steps must be one or more numbers from 0 to 1, not {self.steps}")
        for name, known in _CHOICES.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")

    def as_dict(self) -> dict[str, Any]:
        """Return the options as plain values that JSON can store."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CrfOptions:
        """Return the options from the result of `as_dict`, also after a round trip through JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If the values come from another version.
        """
        maps = {name: _terms(values[name]) for name in ("mask", "centre")}
        return cls(**{**values, "steps": tuple(values["steps"]), **maps})


@dataclass(frozen=True)
class CrfChoice:
    """The user's changes to the CRF of the model; None keeps the model's setting.

    Parameters
    ----------
    solver, filter, reference, iterations
        As in `CrfOptions`.

    Examples
    --------
    >>> CrfChoice(iterations=5).applied_to(CrfOptions()).iterations
    5
    """

    solver: SolverName | None = None
    filter: FilterName | None = None
    reference: ReferenceName | None = None
    iterations: int | None = None

    def __post_init__(self) -> None:
        # Found here, before any work begins.
        require_filter(self.filter)

    def applied_to(self, options: CrfOptions) -> CrfOptions:
        """Return `options` with these changes."""
        changes: dict[str, Any] = {name: value for name, value in vars(self).items() if value is not None}
        return replace(options, **changes)


def require_filter(name: FilterName | None) -> None:
    """Check that the package of a filter is installed.

    Raises
    ------
    CryosegError
        If it is not.
    """
    if name == "permutohedral":
        otherwise = " (which needs a C++ compiler), or choose another"
        require("pydensecrf", "--crf_filter permutohedral", otherwise)


def chosen_crf(wanted: CrfChoice | CrfOptions | None, of_model: CrfOptions) -> CrfOptions:
    """Return the CRF to use: that of the model with the user's changes, the user's own, or none for None."""
    if wanted is None:
        return replace(of_model, solver="none")
    return wanted if isinstance(wanted, CrfOptions) else wanted.applied_to(of_model)


_CHOICES = {
    "solver": SOLVERS,
    "filter": FILTERS,
    "reference": REFERENCES,
    "regulariser": REGULARISERS,
    "step": STEPS,
}


def _terms(values: Mapping[str, Any]) -> Terms:
    kernels = {name: tuple(Kernel(**kernel) for kernel in values[name]) for name in ("support", "kernels")}
    return Terms(**{**values, **kernels})
