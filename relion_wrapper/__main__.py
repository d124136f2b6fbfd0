"""``python -m relion_wrapper`` is ``cryoseg-relion``."""

from relion_wrapper.cli import main

main()
