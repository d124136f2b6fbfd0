"""The job with the engine itself; its network is untrained, so only the way through is tested."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile

from cryoseg_ext.extract.score import Calibration
from cryoseg_ext.model.checkpoint import Model, save_model
from cryoseg_ext.network.architectures import build_network, parse_architecture
from relion_wrapper.cli import main

ARCHITECTURE = {"name": "residual_unet", "base": 8}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with an oblong micrograph, one smaller than a particle, and a model."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name, shape in (("good.mrc", (180, 241)), ("small.mrc", (60, 300))):
        mrcfile.write(tmp_path / name, rng.normal(10, 1, shape).astype(np.float32), voxel_size=5)
    (tmp_path / "micrographs.star").write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographPixelSize #2\n1 5.0\n\n"
        "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\ngood.mrc 1\nsmall.mrc 1\n"
    )
    network = build_network(ARCHITECTURE).eval()
    save_model(
        Model(network, ARCHITECTURE, Calibration(0.0, (0.1, 0.1, 0.1, 0.0)), threshold=0.4),
        tmp_path / "model",
    )
    return tmp_path


def test_the_job_runs_through_the_engine(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--o", "External/job002", "--in_mics", "micrographs.star", "--model", "model"]
    main([*arguments, "--particle_diameter", "400"])
    job = project / "External/job002"
    assert (job / "RELION_JOB_EXIT_SUCCESS").exists()
    assert (job / "logfile.pdf").exists()
    picks = starfile.read(job / "good_autopick.star", always_dict=True)[""]
    candidates = starfile.read(job / "candidates.star", always_dict=True)["candidates"]
    assert len(picks) == np.sum(candidates["rlnAutopickFigureOfMerit"] >= 0.4) > 0
    assert picks["rlnCoordinateX"].between(0, 240).all()
    assert picks["rlnCoordinateY"].between(0, 179).all()
    told = capsys.readouterr().err
    assert "small.mrc" in told
    assert "smaller than one particle" in told


def test_the_job_picks_with_a_network_of_the_users_own_class_only_when_named(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(project)
    (project / "users_network.py").write_text(
        "from torch import nn\n\nclass Net(nn.Sequential):\n    stride = 1\n"
        "    def __init__(self):\n        super().__init__(nn.Conv2d(1, 4, 3, padding=1))\n"
    )
    own = "users_network:Net"
    architecture = parse_architecture(own)
    network = build_network(architecture, allowed=own).eval()
    model = Model(network, architecture, Calibration(0.0, (0.1, 0.1, 0.1, 0.0)), threshold=0.4)
    save_model(model, project / "own_model")
    arguments = ["--in_mics", "micrographs.star", "--model", "own_model", "--particle_diameter", "400"]
    with pytest.raises(SystemExit):
        main(["--o", "External/job003", *arguments])
    assert f"give --architecture {own}" in capsys.readouterr().err
    main(["--o", "External/job003", *arguments, "--architecture", own])
    assert (project / "External/job003/good_autopick.star").exists()
