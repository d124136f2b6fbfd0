"""The one table of options: every command that picks is made from it, RELION's and CryoSPARC's too.

To add an option, add a row here and its field in the dataclass that `Option.field` names.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.options.crf import FILTERS, REFERENCES, SOLVERS, CrfChoice
from cryoseg_ext.options.extraction import METHODS, ExtractionOptions
from cryoseg_ext.options.job import PRECISIONS, JobOptions
from cryoseg_ext.options.kinds import (
    AREA,
    COUNT,
    DIAMETER,
    DISTANCE,
    FLAG,
    FRACTION,
    LENGTH,
    MINUTES,
    NUMBER,
    PIXEL_SIZE,
    TEXT,
    Constant,
    File,
    Folder,
    Gpu,
    Kind,
    Word,
)
from cryoseg_ext.options.size import ParticleSize

_PARTS = {"size": ParticleSize, "extraction": ExtractionOptions, "crf": CrfChoice}


@dataclass(frozen=True)
class Option:
    """An option.

    Parameters
    ----------
    name : str
        As a user writes it, without dashes.
    field : str
        The field of `JobOptions` that it decides, as in ``extraction.border_A``.
    kind : Kind
        What it takes.
    help : str
        What it means; the default of the field is added.
    group : str
        The heading that it stands under.
    """

    name: str
    field: str
    kind: Kind
    help: str
    group: str

    @property
    def decides(self) -> str:
        """What it decides: options that decide the same replace each other."""
        part = self.field.partition(".")[0]
        return part if part == "size" else "device" if part == "gpu" else self.field

    @property
    def default(self) -> Any:
        """The default of its field; None where there is none."""
        part, _, name = self.field.rpartition(".")
        owner: Any = _PARTS[part] if part else JobOptions
        found: Field[Any] = next(field for field in fields(owner) if field.name == name)
        return None if found.default is MISSING else found.default

    @property
    def text(self) -> str:
        """Its help with the default."""
        shown = "" if self.kind.is_flag or self.default is None else f" ({self.default})"
        return f"{self.help}{shown}"


def _rows(group: str, part: str, *rows: tuple[Any, ...]) -> tuple[Option, ...]:
    return tuple(Option(name, part + field, kind, text, group) for name, field, kind, text in rows)


OPTIONS = (
    *_rows(
        "Size of the particles",
        "size.",
        ("particle_diameter", "particle_diameter_A", DIAMETER, "longest extent; auto estimates it"),
        ("min_diameter", "min_diameter_A", LENGTH, "in its place, for several sizes: the smallest,"),
        ("max_diameter", "max_diameter_A", LENGTH, "and the largest"),
    ),
    *_rows(
        "Picks",
        "",
        ("threshold", "threshold", FRACTION, "lowest score of a pick (the model's own)"),
        ("invert", "invert", FLAG, "protein is bright on these micrographs"),
    ),
    *_rows(
        "Extraction",
        "extraction.",
        ("extraction", "method", Word(METHODS), ", ".join(METHODS)),
        ("min_distance", "min_distance_A", LENGTH, "least distance between picks (0.4 diameters)"),
        ("max_picks", "max_picks", COUNT, "only the best N of each micrograph (all)"),
        ("border_distance", "border_A", DISTANCE, "least distance from the rim and dead areas"),
        ("contaminant_distance", "contaminant_distance_A", DISTANCE, "least distance from contamination"),
        (
            "carbon_distance",
            "carbon_distance_A",
            DISTANCE,
            "the same from areas over ten particles",
        ),
        ("mask_threshold", "mask_threshold", FRACTION, "particle probability of a pixel of the mask"),
        ("mask_erosion", "erosion_A", DISTANCE, "peeled off the mask; contours"),
        ("min_area", "min_area", AREA, "smallest area, particle discs; contours, watershed"),
        ("max_area", "max_area", AREA, "largest area, particle discs; contours, watershed"),
        ("min_solidity", "min_solidity", FRACTION, "least share of the convex hull; contours"),
        ("helical_rise", "helical_rise_A", LENGTH, "pick along filaments of this helical rise"),
        ("helical_nr_asu", "helical_nr_asu", COUNT, "rises from one segment to the next"),
        ("helical_tube_length_min", "helical_tube_length_min_A", LENGTH, "shortest filament (two diameters)"),
    ),
    *_rows(
        "Conditional random field (as the model was trained)",
        "crf.",
        ("no_crf", "solver", Constant("none"), "leave it out"),
        ("crf_solver", "solver", Word(SOLVERS), ", ".join(SOLVERS)),
        ("crf_filter", "filter", Word(FILTERS), ", ".join(FILTERS)),
        ("crf_reference", "reference", Word(REFERENCES), ", ".join(REFERENCES)),
        ("crf_iterations", "iterations", NUMBER, "iterations of the solver"),
    ),
    *_rows(
        "Model",
        "",
        ("model", "model", File("FILE"), "model to pick with (the one in the package)"),
        ("architecture", "architecture", TEXT, "your own network class module:Class of that model"),
    ),
    *_rows(
        "Images and masks",
        "",
        ("pixel_size", "pixel_size_A", PIXEL_SIZE, "of all micrographs (from the list or the files)"),
        (
            "pick_on",
            "pick_on",
            Kind("STAR|PATTERN|DIR"),
            "pick on other images of the fields, matched by name",
        ),
        ("masks_in", "masks_in", Folder("DIR"), "drop picks where the mask (MRC of any size) is 0"),
        (
            "in_coords",
            "in_coords",
            File("FILE"),
            "edits of review.html, or any picks: they replace those of their micrographs",
        ),
        ("masks", "masks", FLAG, "also write the segmentations as MRC to the folder masks"),
    ),
    *_rows(
        "Computation",
        "",
        ("j", "workers", COUNT, "processor cores to use (1; with GPUs 4 for each)"),
        ("device", "device", TEXT, "torch device: cpu, cuda, cuda:1 ..."),
        ("gpu", "gpu", Gpu("ID"), "the same in RELION's words: all GPUs, or those of these numbers"),
        ("precision", "precision", Word(PRECISIONS), ", ".join(PRECISIONS)),
        (
            "cluster",
            "cluster",
            Kind("ADDRESS|NAME"),
            "workers of a dask scheduler (tcp://host:8786), or --j N jobs of slurm, pbs, lsf or sge",
        ),
        (
            "only_do_unfinished",
            "only_do_unfinished",
            FLAG,
            "keep all that is finished, whatever changed since",
        ),
        ("watch", "watch", FLAG, "pick micrographs as they appear, until you end the job"),
        (
            "watch_until_idle",
            "watch_until_idle_min",
            MINUTES,
            "the same, until nothing new has come for so long",
        ),
    ),
)
BY_NAME = {option.name: option for option in OPTIONS}
SETTINGS = tuple(option.name for option in OPTIONS[: list(BY_NAME).index("model")])
"""What may stand in a file of settings: all that decides about the picks of a given model."""


def job_options(given: Mapping[str, Any], settings: Mapping[str, Any] | None = None) -> JobOptions:
    """Return the options of a job.

    Parameters
    ----------
    given : Mapping[str, Any]
        Checked values by the name of the option; None is not given.
    settings : Mapping[str, Any], optional
        Values of a file, which give way to those given.

    Raises
    ------
    CryosegError
        If values are missing or contradict each other.
    """
    decided = {BY_NAME[name].decides for name, value in given.items() if value is not None}
    # A flag that is given as off decides too: it wins over the file.
    chosen = {name: value for name, value in given.items() if value is not None and value is not False}
    _refuse_two(chosen)
    chosen |= {
        name: value for name, value in (settings or {}).items() if BY_NAME[name].decides not in decided
    }
    values: dict[str, dict[str, Any]] = {part: {} for part in ("", *_PARTS)}
    for name, value in chosen.items():
        part, _, field = BY_NAME[name].field.rpartition(".")
        if value is not False:
            values[part][field] = value
    parts = {part: owner(**values[part]) for part, owner in _PARTS.items()}
    return JobOptions(**parts, **values[""])


def changed(options: JobOptions) -> dict[str, Any]:
    """Return the values that are not at their defaults, by the name of the option; flags are True."""
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for option in OPTIONS:
        value: Any = options
        for name in option.field.split("."):
            value = getattr(value, name)
        is_other = isinstance(option.kind, Constant) and value != option.kind.value
        if value == option.default or is_other or option.field in seen:
            continue
        seen.add(option.field)
        values[option.name] = True if option.kind.is_flag else value
    return values


def as_arguments(options: JobOptions) -> str:
    """Return the options as a user would write them, without those at their defaults."""
    words: list[str] = []
    for name, value in changed(options).items():
        words.append(f"--{name}")
        if not BY_NAME[name].kind.is_flag and value != "":
            words.append(str(value).removesuffix(".0") if isinstance(value, float) else str(value))
    return shlex.join(words)


def _refuse_two(chosen: Mapping[str, Any]) -> None:
    for first, second in (("no_crf", "crf_solver"), ("device", "gpu")):
        if first in chosen and second in chosen:
            raise CryosegError(f"--{first} and --{second} decide the same: leave one out")
