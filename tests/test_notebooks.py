"""The notebooks of the documentation run from their first cell to their last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from tests.cryoseg_ext.cryosparc.instance import EMAIL, PASSWORD, Instance
from tests.cryoseg_ext.cryosparc.server import serve
from tests.cryoseg_ext.cryosparc.session import CENTRES_PX, DIAMETER_A, SHAPE, instance_of, write_project

FOLDER = Path(__file__).parent.parent / "docs/notebooks"


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # it has no type hints


def _run(name: str, folder: Path) -> list[str]:
    """Run a notebook in a folder and return the text that each of its code cells ends with."""
    notebook = _read(FOLDER / f"{name}.ipynb")
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [[one.data.get("text/plain", "") for one in cell.outputs if "data" in one] for cell in cells]
    return ["".join(texts) for texts in shown]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 5
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_picks_from_python(tmp_path: Path) -> None:
    shown = _run("picks_from_python", tmp_path)
    (scores,) = (text for text in shown if "precision" in text)
    precision, recall, _ = (float(word.split()[1]) for word in scores.strip("'").split(", "))
    assert precision > 0.8
    assert recall > 0.8
    assert (tmp_path / "field_autopick.star").is_file()
    n_picks = len((tmp_path / "field.csv").read_text().splitlines()) - 1
    assert n_picks > 10
    assert f"{n_picks}" in shown


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Run a CryoSPARC on loopback, and set in the environment where it is and who asks."""
    write_project(tmp_path)
    instance = instance_of(tmp_path, "5")
    server = serve(instance, "5")
    for name in ("CRYOSPARC_MASTER_HOSTNAME", "CRYOSPARC_BASE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CRYOSPARC_BASE_URL", server.url)
    monkeypatch.setenv("CRYOSPARC_EMAIL", EMAIL)
    monkeypatch.setenv("CRYOSPARC_PASSWORD", PASSWORD)
    monkeypatch.setenv("CRYOSEG_DIAMETER_A", f"{DIAMETER_A:g}")
    yield instance
    server.close()


def test_a_picker_in_cryosparc(instance: Instance, tmp_path: Path) -> None:
    shown = _run("cryosparc_picker", tmp_path)
    job, particles = instance.picking, instance.particles
    assert (job.status, job.error) == ("completed", "")
    assert job.inputs["exposures"].source == ("J12", "exposures_accepted")
    assert len(job.plots) == 1
    assert "3 of 3 micrographs picked" in job.log
    for number in range(3):
        rows = particles.query({"location/micrograph_uid": 2**63 + number})
        found = np.stack([rows["location/center_x_frac"], rows["location/center_y_frac"]], axis=1)
        distances_px = np.linalg.norm((found * SHAPE[::-1])[:, None] - np.array(CENTRES_PX), axis=2)
        assert (distances_px.min(axis=0) < 3).all()
    assert (particles["location/exp_group_id"] == 7).all()
    assert ((particles["pick_stats/power"] > 0) & (particles["pick_stats/power"] <= 1)).all()
    assert "Extraction box size (pix): 36" in shown[-1]
