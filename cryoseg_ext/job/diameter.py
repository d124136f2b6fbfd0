"""The particle diameter of a job: estimated once from a few of its micrographs, then kept in its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryoseg_ext.errors import CryosegError, NothingPickedError
from cryoseg_ext.files import replace_text
from cryoseg_ext.formats.micrographs import ListedMicrograph
from cryoseg_ext.job.finished import settings_key
from cryoseg_ext.job.micrograph import prepare
from cryoseg_ext.options.picking import PickingOptions
from cryoseg_ext.progress import tell
from cryoseg_ext.size.contrast import ENOUGH, is_clearly_more, opposite_contrast
from cryoseg_ext.size.estimate import DiameterEstimate, Measurement, estimate_diameter

if TYPE_CHECKING:
    from cryoseg_ext.model.checkpoint import Model

N_SAMPLE = 6
STORED_NAME = "particle_diameter.json"


def sampled_diameter(
    tasks: Sequence[ListedMicrograph],
    digest: str,
    folder: Path,
    load: Callable[[], Model],
    *,
    invert: bool = False,
) -> DiameterEstimate:
    """Return the particle diameter of a job, the stored one where the sample it was made from is still there.

    Parameters
    ----------
    tasks : Sequence of ListedMicrograph
        The micrographs of the job; a few, evenly spread, are looked at.
    digest : str
        Digest of the model.
    folder : Path
        Folder of the job, for the file `STORED_NAME`.
    load : Callable[[], Model]
        Returns the model; called where it is needed.
    invert : bool
        Whether protein is bright.

    Raises
    ------
    NothingPickedError
        If none of the sampled micrographs can be read, or too few particles are found on them.
    """
    # The estimate depends on no other option of the user.
    key = settings_key(PickingOptions(0.0, invert=invert), digest=digest, pixel_size_A=None)
    stored = folder / STORED_NAME
    if (earlier := _read(stored, key, tasks)) is not None:
        return earlier
    estimate = estimated_diameter(tasks, load(), invert=invert)
    named = [_named(task) for task in _sample(tasks)]
    content = {"settings": key, "estimate": asdict(estimate), "sample": named}
    replace_text(stored, json.dumps(content, indent=1) + "\n")
    return estimate


def _named(task: ListedMicrograph) -> list[str | float | None]:
    return [task.image.as_posix(), task.pixel_size_A]


def _sample(tasks: Sequence[ListedMicrograph]) -> Sequence[ListedMicrograph]:
    """Return a few micrographs, evenly spread."""
    return [tasks[len(tasks) * k // N_SAMPLE] for k in range(N_SAMPLE)] if len(tasks) > N_SAMPLE else tasks


def _read(path: Path, key: str, tasks: Sequence[ListedMicrograph]) -> DiameterEstimate | None:
    """Return a stored estimate; None when there is none that was made in this way of these micrographs.

    That there are more micrographs now does not count: the picks of all would change with the diameter.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        present = [_named(task) for task in tasks]
        if content["settings"] != key or any(one not in present for one in content["sample"]):
            return None
        return DiameterEstimate(**content["estimate"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def estimated_diameter(
    tasks: Sequence[ListedMicrograph], model: Model, *, invert: bool = False
) -> DiameterEstimate:
    """Return the particle diameter from a few of the micrographs.

    Parameters
    ----------
    tasks, invert
        As for `sampled_diameter`.
    model : Model
        The network.

    Raises
    ------
    NothingPickedError
        If none of them can be read, or too few particles are found on them.
    """
    from cryoseg_ext.size.measure import measure

    measured: list[list[Measurement]] = []
    opposite: list[list[Measurement]] = []
    errors: list[CryosegError] = []
    sample = _sample(tasks)

    def look() -> None:
        # As a rule one negative is looked at.
        done = len(measured) + len(errors) + len(opposite)
        tell("Estimating the particle diameter", done, len(sample) + max(len(opposite), 1))

    for task in sample:
        look()
        try:
            prepared = prepare(task, invert=invert)
        except CryosegError as error:
            # The picking says so too, and skips it.
            errors.append(error)
            continue
        measured.append(measure(prepared.repaired, prepared.pixel_size_A, model))
        # One micrograph with particles is enough to compare the contrasts.
        if not any(_most_particles(shown) >= ENOUGH for shown in (*measured[:-1], *opposite)):
            look()
            negative = replace(prepared.repaired, image=-prepared.repaired.image)
            opposite.append(measure(negative, prepared.pixel_size_A, model))
    if not measured:
        reason = errors[0] if errors else "there are no micrographs"
        raise NothingPickedError(f"no particle diameter can be estimated: {reason}")
    look()
    contrast = _doubt_of_contrast(measured, opposite, invert=invert)
    try:
        return replace(estimate_diameter(measured), contrast=contrast)
    except CryosegError as error:
        reason = contrast and f"no particle diameter can be estimated: {contrast}"
        raise NothingPickedError(reason or str(error)) from error


def _most_particles(measurements: Sequence[Measurement]) -> float:
    return max((measurement.n_expected for measurement in measurements), default=0.0)


def _doubt_of_contrast(
    measured: Sequence[Sequence[Measurement]], opposite: Sequence[Sequence[Measurement]], *, invert: bool
) -> str:
    """Return what to do if the negative of a micrograph shows clearly more particles than it does."""
    # The last one has the most, or was the last to be looked at.
    n_opposite, n_given = _most_particles(opposite[-1]), _most_particles(measured[len(opposite) - 1])
    if not is_clearly_more(n_opposite, n_given):
        return ""
    contrast, remedy = opposite_contrast(invert=invert)
    doubt = f"protein looks {contrast}: {remedy}"
    with suppress(CryosegError):
        doubt += f"; then {estimate_diameter([opposite[-1]]).diameter_A:.0f} Å"
    return f"{doubt} ({n_opposite:.0f} particles on a micrograph in place of {n_given:.0f})"
