"""Training as an External job, by the real clients of both versions."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mrcfile
import numpy as np
import pytest

from cryoseg_ext.cryosparc import TrainingInputs, train_on_exposures
from cryoseg_ext.cryosparc.truth import images_of, read_particle_picks
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.formats.groups import exposures as read_exposures
from cryoseg_ext.formats.micrographs import list_exposures
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.options.training import FineTuningOptions
from tests.cryoseg_ext.cryosparc.conftest import Finished, Site
from tests.cryoseg_ext.cryosparc.instance import Instance
from tests.cryoseg_ext.cryosparc.session import CENTRES_PX, DIAMETER_A, PIXEL_SIZE_A, exposures, particles

SOURCES = ("--particles", "J20:particles")
SHORT = ("--steps", "1", "--batch", "1", "--workers", "0")


def _train(site: Site, *more: str) -> Finished:
    site.start("train", *SOURCES, *SHORT, *more)
    return site.commands.wait()


def _epochs(log: list[str]) -> list[str]:
    """Return after which steps the log has the validation scores."""
    return [line.split(":")[0] for line in log if "average precision" in line]


def test_a_training_keeps_its_model_in_the_job_and_picking_finds_it_there(site: Site) -> None:
    done = _train(site)
    assert done.code == 0, done.output
    job = site.instance.picking
    assert (job.status, job.error, job.title) == ("completed", "", "cryoseg training")
    assert {name: one.source for name, one in job.inputs.items()} == {
        "exposures": ("J12", "exposures_accepted"),
        "particles": ("J20", "particles"),
    }
    assert job.inputs["particles"].slots == ["location"]
    log = "\n".join(job.log)
    assert "the particles of J45: origin shifts of up to 10 Å are applied" in log
    # Of four micrographs with particles, three are among the exposures.
    assert "1 micrographs skipped:\nJ2/imported/mic3.mrc: no micrograph in the exposures of J45" in log
    assert "particle diameter: 120 Å\n3 micrographs with 9 particles" in log
    # Version 5 has replaced one line; version 4 writes one for each epoch.
    steps = ["step 1"] if site.version == "5" else ["step 0", "step 1"]
    assert _epochs(job.log) == steps
    progress = [line for line in job.log if " of " in line and ", in " in line]
    assert progress[-1].startswith("Writing the report: 1 of 1, in ")
    # Version 5 replaces one line; in version 4 all work has its own.
    for begin in ("Reading micrographs and labels: 3 of 3", "Training: 1 of 1, loss "):
        assert any(line.startswith(begin) for line in progress) == (site.version == "4.7")
    assert "Reading micrographs and labels: 0 of 3" in done.output
    assert job.plots == ["Learning curves", "Overlays of validation micrographs"]
    assert (job.tile != "") == (site.version == "5")

    model = load_model(site.job_folder / "model.safetensors")
    done = site.pick("--model", job.uid)
    assert done.code == 0, done.output
    assert site.instance.picking.uid == "J46"
    path = site.instance.job_folder(job.uid) / "model.safetensors"
    settings = f"Settings: --particle_diameter 120 --model {path} (model {model.fingerprint})"
    assert site.instance.picking.log[1] == settings
    assert len(site.instance.particles) > 0


def test_an_interrupted_training_goes_on_where_it_was(site: Site) -> None:
    done = site.signalled("log: step 0", signal.SIGTERM, "train", *SOURCES, *SHORT)
    job = site.instance.picking
    assert done.code != 0
    assert "Traceback" not in done.output
    assert job.status == "failed"
    assert "stopped by SIGTERM" in job.error
    assert not (site.job_folder / "model.safetensors").exists()
    before = len(job.log)

    done = _train(site, "--job", job.uid)
    assert done.code == 0, done.output
    assert job.status == "completed"
    # The network as it was has been scored before.
    assert _epochs(job.log[before:]) == ["step 1"]


def test_labels_lie_on_the_copies_that_are_trained_on(tmp_path: Path) -> None:
    found = read_exposures("the exposures", exposures(1), "micrograph_blob_denoised")
    images = images_of(list_exposures(tmp_path, tmp_path, found))
    (image,) = images.micrographs
    assert (image.path, image.pixel_size_A) == (tmp_path / "J2/denoised0.mrc", 2 * PIXEL_SIZE_A)
    skipped: list[str] = []
    notes: list[str] = []
    job = SimpleNamespace(
        uid="J45",
        read_input=lambda _: particles(2),
        log=notes.append,
        log_skipped=skipped.extend,
    )
    picks = read_particle_picks(job, images, set)  # type: ignore[arg-type]
    assert list(picks) == ["J2/imported/mic0.mrc"]
    assert [sentence.partition(":")[0] for sentence in skipped] == ["J2/imported/mic1.mrc"]
    # They lie where the refinement moved them.
    assert [note for note in notes if "shift" in note] == notes != []
    x_px, y_px = np.array(CENTRES_PX).T / 2
    found_px = sorted(zip(picks[image.name].x_px, picks[image.name].y_px, strict=True))
    np.testing.assert_allclose(found_px, sorted(zip(x_px, y_px, strict=True)), atol=1e-4)


@pytest.mark.usefixtures("environment")
def test_a_training_learns_the_pixels_that_a_volume_covers(instance: Instance) -> None:
    learnt_from = TrainingInputs(
        DIAMETER_A, "J12:exposures_accepted", "J20:particles", "J20:volume", n_micrographs=2
    )
    job = train_on_exposures("P3", "W1", learnt_from, FineTuningOptions(steps=1, batch=1), workers=0)
    inputs = instance.picking.inputs
    assert inputs["volume"].source == ("J20", "volume")
    assert inputs["particles"].slots == ["location", "alignments3D", "blob"]
    files = sorted((job.folder / "labels").glob("*_labels.mrc"))
    assert len(files) == 2
    labels = mrcfile.read(files[0])
    radius_px = DIAMETER_A / PIXEL_SIZE_A / 2
    for x_px, y_px in CENTRES_PX:
        # A ball of 24 px, 2 px to the right of where its image was cut.
        assert labels[y_px, x_px - 9 : x_px + 10].all()
        assert labels[y_px, x_px - 16] == labels[y_px, x_px + 16] == 0
    assert labels.sum() == pytest.approx(len(CENTRES_PX) * np.pi * radius_px**2, rel=0.2)
    assert load_model(job.model).training["data"] == "1 micrographs, validated on 1"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"particles": "J20:volume"},
            "--particles J20:volume: volume is of type volume: give J20:particles",
        ),
        ({"particles": "J12:particles"}, "no output particles: J12 has none of type particle"),
        ({"particles": "J99:particles"}, "could not find job J99"),
        ({"particles": None}, "give --workspace and --exposures and --particles for a new job"),
        ({"volume": "J20"}, "--volume J20: no output: give J20:volume"),
        ({"volume": "J20:particles"}, "particles is of type particle: give J20:volume"),
    ],
)
def test_what_is_wrong_with_an_input_is_said_in_one_sentence_and_makes_no_job(
    instance: Instance, given: dict[str, Any], sentence: str
) -> None:
    sources = {"exposures": "J12:exposures_accepted", "particles": "J20:particles"}
    with pytest.raises(CryosegError, match=sentence):
        train_on_exposures("P3", "W1", TrainingInputs(DIAMETER_A, **sources | given))
    assert set(instance.jobs) == {"J12", "J20"}


@pytest.mark.usefixtures("environment")
def test_a_training_with_a_wrong_model_or_device_makes_no_job(instance: Instance) -> None:
    learnt_from = TrainingInputs(DIAMETER_A, "J12:exposures_accepted", "J20:particles")
    with pytest.raises(CryosegError, match=r"J12/model\.safetensors: no such model file"):
        train_on_exposures("P3", "W1", learnt_from, FineTuningOptions(initial="J12"))
    with pytest.raises(CryosegError, match="--device cuda:99: PyTorch finds no such device"):
        train_on_exposures("P3", "W1", learnt_from, device="cuda:99")
    assert set(instance.jobs) == {"J12", "J20"}
