"""Notebooks as pages: their text as it is, their code as code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from myst_parser.parsers.sphinx_ import MystParser

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


class NotebookParser(MystParser):
    """Reads a notebook as the MyST text that its cells make one after another; outputs are not shown."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Parse a notebook.

        Parameters
        ----------
        inputstring : str
            The file.
        document : nodes.document
            What is filled.
        """
        super().parse("\n\n".join(map(_as_myst, json.loads(inputstring)["cells"])), document)


def _as_myst(cell: dict[str, Any]) -> str:
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the kind of file."""
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
