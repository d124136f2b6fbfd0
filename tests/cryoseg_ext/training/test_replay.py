"""Fields that are shown several times."""

from collections.abc import Iterator

import torch
from hypothesis import given
from hypothesis import strategies as st

from cryoseg_ext.training.replay import shown_again

Batch = tuple[torch.Tensor, ...]


def _numbered(n_batches: int, size: int) -> Iterator[Batch]:
    """Yield batches of an image and labels, each field with its own pixel values."""
    for batch in range(n_batches):
        first = torch.arange(16.0).reshape(1, 4, 4)
        image = torch.stack([first + 16 * (batch * size + field) for field in range(size)])
        yield image, image[:, 0].long()


@given(n_batches=st.integers(1, 4), size=st.integers(1, 3), times=st.integers(2, 5), seed=st.integers(0, 99))
def test_fields_come_back_turned_with_their_labels(n_batches: int, size: int, times: int, seed: int) -> None:
    shown = list(shown_again(_numbered(n_batches, size), times, "cpu", seed))
    assert len(shown) == times * n_batches
    for number, (image, labels) in enumerate(shown):
        assert torch.equal(image[:, 0].long(), labels)
        # Each field is a whole one, of those made so far.
        field = labels.flatten(1).sort().values
        assert torch.equal(field - field[:, :1], torch.arange(16).expand(size, 16))
        assert field.max() < 16 * size * (number // times + 1)
    again = shown_again(_numbered(n_batches, size), times, "cpu", seed)
    assert all(torch.equal(one[0], other[0]) for one, other in zip(shown, again, strict=True))


def test_fields_come_back_in_all_eight_positions() -> None:
    shown = shown_again(_numbered(1, 1), 100, "cpu", seed=1)
    assert len({tuple(image.flatten().tolist()) for image, _ in shown}) == 8
