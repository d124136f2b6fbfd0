"""What a CryoSPARC instance knows and refuses, whichever protocol it is asked by; see rest.py and rpc.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from cryosparc.dataset import Dataset

EMAIL, PASSWORD = "ali@example.com", "secret 1"
LICENSE = "0123abcd-0123-abcd-ef01-0123456789ab"

# Each column of a slot: its name and type.
SLOT_FIELDS = {
    "location": [
        ("micrograph_uid", "u8"),
        ("exp_group_id", "u4"),
        ("micrograph_path", "O"),
        ("micrograph_shape", "2u4"),
        ("center_x_frac", "f4"),
        ("center_y_frac", "f4"),
        ("micrograph_psize_A", "f4"),
        ("min_dist_A", "f4"),
    ],
    "pick_stats": [("ncc_score", "f4"), ("power", "f4"), ("template_idx", "u4"), ("angle_rad", "f4")],
}
OPTIONAL = {"micrograph_psize_A", "min_dist_A"}
"""Columns that an output may have; servers differ in whether it is made with them."""
# The data types of slots that an input of each type may have.
SLOT_TYPES = {
    "exposure": {"micrograph_blob", "mscope_params", "ctf"},
    "particle": {"location", "pick_stats", "blob", "alignments3D"},
    "volume": {"map"},
}


class RefusedError(Exception):
    """The server says no."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class Group:
    """An input or an output of a job."""

    type: str
    title: str
    slots: list[str]
    source: tuple[str, str] | None = None
    dataset: Dataset[Any] | None = None
    image: str = ""


@dataclass
class Job:
    uid: str
    type: str = "snowflake"
    title: str = ""
    status: str = "building"
    error: str = ""
    inputs: dict[str, Group] = field(default_factory=dict)
    outputs: dict[str, Group] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    plots: list[str] = field(default_factory=list)
    tile: str = ""


@dataclass
class Instance:
    """A CryoSPARC with project P3, workspace W1 and job J12, which gives exposures."""

    project_folder: Path
    exposures: Dataset[Any]
    version: str
    optional_fields: bool
    """Whether an output is made with the optional columns."""
    required_fields: list[tuple[str, str]] = field(default_factory=list)
    """More columns that an output has to have."""
    jobs: dict[str, Job] = field(default_factory=dict)
    assets: dict[str, bytes] = field(default_factory=dict)
    triggers: list[tuple[re.Pattern[str], Callable[[], object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        source = Job("J12", "patch_ctf_estimation_multi", "CTF", "completed")
        source.outputs["exposures_accepted"] = Group("exposure", "Exposures", [], dataset=self.exposures)
        source.outputs["exposures_incomplete"] = Group("exposure", "Incomplete", [])
        self.jobs["J12"] = source

    @property
    def picking(self) -> Job:
        """The only External job, or the last one."""
        return [job for job in self.jobs.values() if job.type == "snowflake"][-1]

    @property
    def particles(self) -> Dataset[Any]:
        dataset = self.picking.outputs["particles"].dataset
        assert dataset is not None
        return dataset

    def when(self, pattern: str, action: Callable[[], object]) -> None:
        """Do something once, when what happens is said in words that fit a pattern."""
        self.triggers.append((re.compile(pattern), action))

    def happens(self, what: str) -> None:
        fitting = [trigger for trigger in self.triggers if trigger[0].search(what)]
        for trigger in fitting:
            self.triggers.remove(trigger)
            trigger[1]()

    def check_project(self, uid: str) -> None:
        if uid != "P3":
            raise RefusedError(404, f"no project {uid}")

    def job(self, project: str, uid: str) -> Job:
        self.check_project(project)
        if uid not in self.jobs:
            raise RefusedError(404, f"no job {uid} in {project}")
        return self.jobs[uid]

    def job_folder(self, uid: str) -> Path:
        return self.project_folder / uid

    def create_external_job(self, project: str, workspace: str, title: str) -> Job:
        self.check_project(project)
        if workspace != "W1":
            raise RefusedError(404, f"no workspace {workspace} in {project}")
        number = 45 + sum(job.type == "snowflake" for job in self.jobs.values())
        job = Job(f"J{number}", title=title)
        self.jobs[job.uid] = job
        self.job_folder(job.uid).mkdir()
        return job

    def add_input(self, job: Job, name: str, type_: str, title: str, slots: dict[str, str]) -> None:
        """Add an input with slots, whose data types are given by their names."""
        self._check_external(job)
        if not slots or not set(slots.values()) <= SLOT_TYPES[type_]:
            raise RefusedError(422, f"unknown slots for {type_}: {slots}")
        job.inputs[name] = Group(type_, title, list(slots))

    def add_output(self, job: Job, name: str, type_: str, title: str, slots: list[str]) -> None:
        self._check_external(job)
        if type_ != "particle" or not slots or not set(slots) <= set(SLOT_FIELDS):
            raise RefusedError(422, f"unknown slots for {type_}: {slots}")
        job.outputs[name] = Group(type_, title, slots)

    def connect(self, job: Job, input_name: str, source_uid: str, output: str) -> None:
        source = self.job("P3", source_uid)
        if input_name not in job.inputs:
            raise RefusedError(422, f"no input {input_name}")
        if output not in source.outputs or source.outputs[output].type != job.inputs[input_name].type:
            raise RefusedError(422, f"no output {output} for this input in {source_uid}")
        job.inputs[input_name].source = source_uid, output

    def load_input(self, job: Job, name: str, slots: list[str]) -> Dataset[Any]:
        group = job.inputs.get(name)
        if group is None or group.source is None:
            raise RefusedError(422, f"input {name} is not connected")
        source_uid, output = group.source
        dataset = self.jobs[source_uid].outputs[output].dataset
        assert dataset is not None
        if slots in ([], ["all"]):
            return dataset
        if unknown := set(slots) - set(group.slots):
            raise RefusedError(422, f"no slots {unknown}")
        return dataset.filter_prefixes(slots, copy=True)

    def fields_of(self, job: Job, output: str) -> list[tuple[str, str]]:
        """Return the columns that the output is made with, except for uid."""
        if output not in job.outputs:
            raise RefusedError(404, f"no output {output} in {job.uid}")
        return _columns(job.outputs[output].slots, optional=self.optional_fields) + self.required_fields

    def save_output(self, job: Job, output: str, content: bytes) -> None:
        if job.status != "running":
            raise RefusedError(422, f"{job.uid} is {job.status}")
        self.happens(f"receives {output}")
        dataset: Dataset[Any] = Dataset.load(BytesIO(content))
        slots, found = job.outputs[output].slots, set(dataset.descr())
        # As a real server does, and in its words.
        if missing := _described(_columns(slots, optional=False) + self.required_fields) - found:
            raise RefusedError(422, f"Invalid dataset; missing the following required fields: {missing}")
        if unknown := found - _described(_columns(slots, optional=True)):
            raise RefusedError(422, f"unknown columns: {unknown}")
        if len(set(dataset["uid"])) != len(dataset):
            raise RefusedError(422, "uids are not unique")
        job.outputs[output].dataset = dataset
        self.happens(f"saved {output}")

    def set_status(self, job: Job, status: str, error: str = "") -> None:
        self._check_external(job)
        if status == "running" and job.status == "running":
            raise RefusedError(422, f"{job.uid} runs already")
        if len(error) > 1000:
            raise RefusedError(414, "URI too long")
        job.status, job.error = status, error
        self.happens(f"{job.uid} is {status}")

    def write_log(self, job: Job, text: str, number: int | None = None) -> int:
        """Add a line, or replace line `number`, and return its number."""
        if number is None:
            job.log.append(text)
            number = len(job.log) - 1
        else:
            job.log[number] = text
        self.happens(f"log: {text}")
        return number

    def upload_asset(self, filename: str, format_: str, content: bytes) -> dict[str, str]:
        magic = {"png": b"\x89PNG", "pdf": b"%PDF"}
        if not content.startswith(magic.get(format_, b"unknown")):
            raise RefusedError(422, f"{filename} is no {format_}")
        fileid = f"{len(self.assets):024x}"
        self.assets[fileid] = content
        return {"fileid": fileid, "filename": filename, "filetype": format_}

    def _check_external(self, job: Job) -> None:
        if job.type != "snowflake":
            raise RefusedError(422, f"{job.uid} is not an External job")


def _columns(slots: list[str], *, optional: bool) -> list[tuple[str, str]]:
    return [
        (f"{slot}/{name}", dtype)
        for slot in slots
        for name, dtype in SLOT_FIELDS[slot]
        if optional or name not in OPTIONAL
    ]


def _described(fields: list[tuple[str, str]]) -> set[tuple[Any, ...]]:
    """Return columns as a data set describes them, with uid."""
    return set(Dataset.allocate(0, fields).descr())
