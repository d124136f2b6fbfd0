"""A model file needs no torch until it is loaded."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from cryoseg_ext.errors import CryosegError
from cryoseg_ext.model.checkpoint import load_model
from cryoseg_ext.model.file import ModelFile
from cryoseg_ext.model.weights import DEFAULT_MODEL


def test_the_digest_is_that_of_the_content_and_known_without_torch() -> None:
    code = (
        "import sys; from cryoseg_ext.model.file import ModelFile;"
        "print(ModelFile().digest); assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(DEFAULT_MODEL.read_bytes()).hexdigest()


def test_it_is_read_once_and_its_model_is_that_of_the_digest(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(DEFAULT_MODEL.read_bytes())
    file = ModelFile(path)
    digest = file.digest
    path.unlink()
    model = file.load()
    assert model.fingerprint == digest[:16] == load_model().fingerprint


@pytest.mark.parametrize(
    ("name", "told"),
    [("absent.safetensors", "no such model file; give --model"), (".", "give another --model")],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(CryosegError, match=told) as caught:
        _ = ModelFile(tmp_path / name).digest
    assert str(tmp_path / name) in str(caught.value)
