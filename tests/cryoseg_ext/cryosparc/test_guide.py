"""The commands of the guide to CryoSPARC, as they stand there, against a server."""

from __future__ import annotations

import pytest

from tests.cryoseg_ext.cryosparc.conftest import Site
from tests.pages import ROOT, commands_of

SHORT = {"train": ["--steps", "1", "--batch", "1", "--workers", "0"]}


@pytest.mark.parametrize("commands", ["5"], indirect=True)
def test_the_commands_of_the_guide_run_one_after_another(site: Site) -> None:
    lines = [words for words in commands_of(ROOT / "docs/guides/cryosparc.md") if "cryosparc" in words]
    assert [words[2] for words in lines] == ["pick", "train", "pick"]
    for words in lines:
        site.commands.start(site.server.url, [*words[1:], *SHORT.get(words[2], [])])
        done = site.commands.wait()
        assert done.code == 0, done.output
        assert site.instance.picking.status == "completed"
