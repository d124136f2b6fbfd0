"""The default model; this module imports nothing heavy, so that a command can name the file at once."""

from pathlib import Path

DEFAULT_MODEL = Path(__file__).with_name("default.safetensors")
