"""The CRF as a stage, as a layer, and learned."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit

from cryoseg_ext.arrays import Image, Mask
from cryoseg_ext.crf.kernels import KernelBank
from cryoseg_ext.crf.layer import CrfLayer, confidence
from cryoseg_ext.crf.refinement import refine_maps
from cryoseg_ext.errors import CryosegError
from cryoseg_ext.model.checkpoint import load_model, save_model
from cryoseg_ext.options.crf import MILD_POTTS, CrfChoice, CrfOptions, Kernel, Terms, chosen_crf
from cryoseg_ext.progress import showing
from cryoseg_ext.training.crf_learning import CrfExample, GradientDescent, learn_crf
from tests.told import Told

DIAMETER_PX = 24.0
EVERYTHING = Terms(
    scale=1.2,
    bias=-0.3,
    context=0.5,
    support=(Kernel(0.4, 0.2),),
    kernels=(Kernel(0.5, 0.08), Kernel(-0.2, 0.9), Kernel(0.6, 0.3, 1.5)),
)
FULL = CrfOptions(mask=EVERYTHING, centre=EVERYTHING)
FORM = CrfOptions(
    iterations=1,
    mask=Terms(kernels=(Kernel(0.0, 0.1), Kernel(0.0, 0.3, 1.5))),
    centre=Terms(
        support=(Kernel(0.0, 0.5),), kernels=(Kernel(0.0, 0.08), Kernel(0.0, 0.25), Kernel(0.0, 0.7))
    ),
)


def simulate(seed: int, shape: tuple[int, int] = (96, 80)) -> tuple[Mask, Image, Image, Image]:
    """True disc; noisy logit, centre map and micrograph."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    distance = np.hypot(y - shape[0] / 2, x - shape[1] / 2)
    disc = distance < DIAMETER_PX / 2
    logit = np.where(disc, 1.5, -1.5) + rng.normal(scale=1.2, size=shape)
    centre = expit(3 - distance + rng.normal(scale=0.5, size=shape))
    micrograph = np.where(disc, -1.5, 0.0) + rng.normal(size=shape)
    return disc, logit.astype(np.float32), centre.astype(np.float32), micrograph.astype(np.float32)


Scene = tuple[Image, Image, Image]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return simulate(3)[1:]


def test_options_survive_json() -> None:
    options = replace(FULL, solver="frank_wolfe", steps=(0.7, 0.3), reference="stack")
    assert CrfOptions.from_dict(json.loads(json.dumps(options.as_dict()))) == options


def test_the_user_changes_the_crf_of_the_model_or_brings_another_or_none() -> None:
    assert chosen_crf(CrfChoice(), FULL) == FULL
    assert chosen_crf(CrfChoice(iterations=0, filter="window"), FULL) == replace(
        FULL, iterations=0, filter="window"
    )
    assert chosen_crf(CrfOptions(), FULL) == CrfOptions()
    assert chosen_crf(None, FULL).solver == "none"


def test_options_of_another_version_are_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        CrfOptions.from_dict({**FULL.as_dict(), "colour": "red"})


def test_no_solver_returns_the_maps_of_the_network(scene: Scene) -> None:
    refined = refine_maps(*scene, DIAMETER_PX, replace(FULL, solver="none"))
    np.testing.assert_allclose(refined.particle, expit(scene[0]), rtol=1e-5)
    np.testing.assert_allclose(refined.centre, scene[1], atol=1e-5)


@pytest.mark.parametrize("crf_filter", ["grid", "window", "permutohedral"])
@pytest.mark.parametrize("reference", ["micrograph", "logit", "stack"])
def test_every_filter_and_reference_cleans_the_mask(crf_filter: Any, reference: Any) -> None:
    gain = []
    for seed in range(3):
        disc, logit, centre, micrograph = simulate(seed)
        options = CrfOptions(filter=crf_filter, reference=reference, mask=MILD_POTTS)
        after = refine_maps(logit, centre, micrograph, DIAMETER_PX, options).particle > 0.5
        gain.append(iou(after, disc) - iou(logit > 0, disc))
    assert np.mean(gain) > 0.08


def iou(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def test_scale_and_offset_of_the_micrograph_do_not_matter(scene: Scene) -> None:
    logit, centre, micrograph = scene
    expected = refine_maps(*scene, DIAMETER_PX, FULL).particle
    actual = refine_maps(logit, centre, 700 * micrograph + 3000, DIAMETER_PX, FULL).particle
    np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_pydensecrf_is_needed_only_by_its_own_filter(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cryoseg_ext.crf.permutohedral", raising=False)
    for module in ("pydensecrf", "pydensecrf.densecrf"):
        monkeypatch.setitem(sys.modules, module, None)
    refine_maps(*scene, DIAMETER_PX, FULL)
    with pytest.raises(CryosegError, match=r"pip install pydensecrf2 \(which needs a C\+\+ compiler"):
        refine_maps(*scene, DIAMETER_PX, replace(FULL, filter="permutohedral"))


def test_a_faint_micrograph_has_less_confidence_than_a_clear_one() -> None:
    shape = torch.where(torch.rand(50, 50, generator=torch.Generator().manual_seed(0)) < 0.2, 1.0, -6.0)
    faint, clear = (float(confidence(strength * shape)) for strength in (0.5, 4))
    assert 0.05 <= faint < 0.6 < clear <= 1
    assert float(confidence(torch.full((9, 9), -80.0))) == pytest.approx(0.05)


@pytest.mark.parametrize("solver", ["mean_field", "frank_wolfe"])
def test_gradients_of_the_layer_are_right(solver: Any) -> None:
    torch.manual_seed(0)
    logit, centre, micrograph = torch.randn(3, 6, 5, dtype=torch.float64)
    options = replace(FULL, solver=solver, regulariser="entropy", steps=(0.6,), iterations=2)
    bank = KernelBank(options, micrograph, logit, centre, 4.0)
    layer = CrfLayer(options).double()
    names = [name for name, _ in layer.named_parameters() if solver == "frank_wolfe" or name != "steps"]

    def run(*tensors: torch.Tensor) -> Any:
        weights = dict(zip(names, tensors[2:], strict=True))
        mask, peaks = torch.func.functional_call(layer, weights, (*tensors[:2], bank))
        return mask.log_odds, peaks.log_odds

    inputs = [logit, centre, *(layer.get_parameter(name).detach() for name in names)]
    assert torch.autograd.gradcheck(
        run, [tensor.clone().requires_grad_() for tensor in inputs], fast_mode=True
    )


def examples() -> list[CrfExample]:
    scenes = [simulate(seed, (48, 48)) for seed in range(6)]
    middle = np.array([[24.0, 24.0]])
    return [CrfExample(image, logit, centre, disc, middle) for disc, logit, centre, image in scenes]


def mean_iou(scenes: list[CrfExample], options: CrfOptions) -> float:
    masks = [
        refine_maps(scene.particle_logit, scene.centre, scene.micrograph, DIAMETER_PX, options).particle > 0.5
        for scene in scenes
    ]
    return float(np.mean([iou(mask, scene.particle) for mask, scene in zip(masks, scenes, strict=True)]))


def test_a_learned_crf_finds_more_of_the_mask_than_the_network() -> None:
    scenes = examples()
    learned = learn_crf(scenes[:4], DIAMETER_PX, FORM)
    assert [kernel.sigma for kernel in learned.mask.kernels] == [0.1, 0.3]
    assert max(kernel.weight for kernel in learned.mask.kernels) > 0.1
    unseen = scenes[4:]
    assert mean_iou(unseen, learned) > mean_iou(unseen, replace(learned, solver="none")) + 0.1


def test_a_learned_crf_leaves_no_peak_where_there_is_no_particle() -> None:
    """The regression sees the centre map at its peaks only; the rest must follow."""
    scenes = examples()
    for example in scenes:
        example.centre[5:8, 5:8] = 0.3
    learned = learn_crf(scenes, DIAMETER_PX, FORM)
    for example in scenes:
        maps = (example.particle_logit, example.centre, example.micrograph)
        centre = refine_maps(*maps, DIAMETER_PX, learned).centre
        assert centre[24, 24] > 0.5
        assert centre[6, 6] < 0.3
        assert np.median(centre[~example.particle]) < 0.1


def test_gradient_descent_goes_on_where_one_iteration_is_not_all() -> None:
    # Filters that the pipeline has built without gradients serve here as well.
    scenes = examples()
    mean_iou(scenes, FORM)
    descent = GradientDescent(epochs=12, batch=6, learning_rate=0.05)
    with showing(told := Told()):
        learned = learn_crf(scenes, DIAMETER_PX, replace(FORM, iterations=3), descent)
    losses = [float(note.removeprefix("loss ")) for *_, note in told.calls if note]
    assert len(losses) == told.calls[-1][2]
    assert losses[-1] < losses[0]
    assert learned.iterations == 3


def test_a_model_file_keeps_its_crf(tmp_path: Path) -> None:
    save_model(replace(load_model(), crf=FULL), tmp_path / "model.safetensors")
    assert load_model(tmp_path / "model.safetensors").crf == FULL


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda: replace(FULL, iterations=-1), "iterations"),
        (lambda: replace(FULL, filter="wavelet"), "filter"),  # type: ignore[arg-type]
        (lambda: replace(FULL, steps=()), "steps"),
        (lambda: replace(FULL, strength=0.0), "strength"),
        (lambda: Kernel(np.nan, 1.0), "weight"),
        (lambda: Kernel(1.0, 0.0), "sigma"),
        (lambda: Kernel(1.0, 1.0, np.nan), "reference_sigma"),
        (lambda: Terms(bias=np.inf), "bias"),
    ],
)
def test_senseless_settings_are_refused(change: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        change()


def test_maps_of_different_shape_are_refused() -> None:
    upright, lying = np.zeros((5, 4), np.float32), np.zeros((4, 5), np.float32)
    with pytest.raises(ValueError, match="shape"):
        refine_maps(upright, upright, lying, DIAMETER_PX, CrfOptions())
