"""Options that mean the same in several commands."""

from __future__ import annotations

from pathlib import Path

import click

POSITIVE = click.FloatRange(min=0, min_open=True)

out_option = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write to."
)
pixel_size_option = click.option(
    "--pixel_size", type=POSITIVE, metavar="Å/px", help="Pixel size; default: from the list or the files."
)
threshold_option = click.option(
    "--threshold", type=click.FloatRange(0, 1), metavar="P", help="Lowest score; default: the model's own."
)
invert_option = click.option(
    "--invert", is_flag=True, help="Protein is bright on these micrographs: invert their contrast."
)
model_option = click.option(
    "--model", type=click.Path(path_type=Path), help="Model file; default: the one in the package."
)
architecture_option = click.option(
    "--architecture",
    metavar="MODULE:CLASS",
    help="Your own network class, for a --model that was trained with it.",
)
threads_option = click.option(
    "--j", "threads", type=click.IntRange(min=1), default=1, help="Processor threads."
)
device_option = click.option(
    "--device", default="cpu", show_default=True, help="Torch device: cpu, cuda, cuda:1 ..."
)
workers_option = click.option(
    "--workers", default=1, show_default=True, help="Processes that prepare fields beside it."
)
