"""How Topaz, crYOLO and its box manager read and write files of picks, asked of the programs themselves.

    python benchmarks/pick_formats.py [--topaz PYTHON] [--boxmanager PYTHON] [--cryolo PYTHON] [--data FOLDER]

Each PYTHON is that of an environment with the program:

    pip install topaz-em
    pip install "napari==0.4.19" "pydantic<2" "numpy==1.23.5" napari-boxmanager PyQt5
    pip download --no-deps --ignore-requires-python cryolo==1.9.9   (unpack it, and pip install --no-deps
        pystardb "numpy<2" "pandas<3" and what else `import cryolo.CoordsIO` misses)

A program gets a micrograph whose particles are single bright pixels. It writes its own files of them
(``PROGRAM.box`` and so on), reads those that cryoseg writes (``ours.box`` and so on), and says which pixels
of the micrograph it means by them. The files and the answers (``PROGRAM.json``) go to FOLDER, where the tests
read them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np

from cryoseg_ext.formats.picks import FileOptions
from cryoseg_ext.formats.writing import write_micrograph
from cryoseg_ext.picks import Picks

SHAPE = (300, 400)
BOX_PX, PIXEL_SIZE_A = 20, 2.0
# Far from any symmetry, so that rows that are counted from the other end, or axes that are swapped, show.
PICKS = Picks(
    x_px=np.array([350.0, 60.0, 123.0]),
    y_px=np.array([35.0, 200.0, 77.0]),
    score=np.array([0.9, 0.5, 0.25]),
    diameter_A=np.array([36.0, 40.0, 44.0]),
    psi_deg=np.array([-30.0, 60.0, 0.0]),
)
# One filament runs right and up the rows, the other left and down.
FILAMENTS = Picks(
    x_px=np.array([50.0, 80.0, 110.0, 300.0, 280.0]),
    y_px=np.array([40.0, 80.0, 120.0, 250.0, 230.0]),
    score=np.array([0.8, 0.8, 0.8, 0.6, 0.6]),
    psi_deg=-np.degrees(np.arctan2([40.0, 40.0, 40.0, -20.0, -20.0], [30.0, 30.0, 30.0, -20.0, -20.0])),
    tube_id=np.array([1.0, 1.0, 1.0, 2.0, 2.0]),
)

# Run in the programs' environments, in a folder with micrograph.mrc, picks.json and the files of cryoseg.
PROGRAMS = {
    "topaz": """
import json, shutil
import numpy as np, pandas as pd
import topaz, topaz.mrc
import topaz.utils.files as files
from topaz.utils.picks import create_particle_stack

given = json.load(open("picks.json"))
table = pd.DataFrame({"image_name": "micrograph", "x_coord": given["x_px"], "y_coord": given["y_px"],
                      "score": given["score"]}).astype({"x_coord": int, "y_coord": int})
files.write_coordinates("topaz.txt", table)
files.write_coordinates(".", table, format="box", boxsize=given["box_px"])
shutil.move("micrograph.box", "topaz.box")
shutil.copy("micrograph.mrc", "ours.mrc")  # ours.txt calls the micrograph as the file
read = {name: files.read_coordinates(name) for name in ("ours.txt", "ours.box")}
create_particle_stack("ours.txt", "stack.mrcs", -1, given["box_px"], -1, "./", ".mrc", None)
stack = topaz.mrc.parse(open("stack.mrcs", "rb").read())[0]
brightest = [np.argwhere(box == box.max()).tolist() for box in stack]
print(json.dumps({
    "version": topaz.__version__,
    "read": {name: one[["x_coord", "y_coord"]].values.tolist() for name, one in read.items()},
    "scores": read["ours.txt"]["score"].tolist(),
    "image_names": read["ours.txt"]["image_name"].tolist(),
    "brightest_yx_in_boxes_of_ours_txt": brightest,
}))
""",
    "boxmanager": """
import json
import numpy as np, pandas as pd
import box_manager
from box_manager.io import box, cbox, mrc

given = json.load(open("picks.json"))
image = mrc.to_napari("micrograph.mrc")[0][0]
points = np.array([given["y_px"], given["x_px"]]).T
features = pd.DataFrame({"confidence": given["score"], "size": given["diameter_px"]})
sizes = np.full(len(points), given["box_px"])
box._write_box("boxmanager.box", box._make_df_data_particle(points, sizes))
cbox.write_cbox("boxmanager.cbox", cbox._make_df_data(points, sizes, features))
read = {}
for module, name in ((box, "ours.box"), (cbox, "ours.cbox"), (cbox, "ours_filaments.cbox")):
    data, kwargs, _ = module.to_napari(name)[0]
    told = {key: np.asarray(one, float).tolist() for key, one in kwargs["features"].items()}
    read[name] = {"yx": np.asarray(data, float).tolist(), "size": float(np.mean(kwargs["size"])),
                  "features": told}
pixels = {name: [float(image[int(y), int(x)]) > 1 for y, x in one["yx"]] for name, one in read.items()
          if name != "ours_filaments.cbox"}
print(json.dumps({"version": box_manager.__version__, "read": read, "bright_pixels": pixels}))
""",
    "cryolo": """
import json, sys
from unittest.mock import MagicMock
# What `cryolo.predict` imports for its windows and its networks.
for name in ("gooey", "lineenhancer", "watchdog", "watchdog.observers", "watchdog.events"):
    sys.modules[name] = MagicMock()
import cryolo
from cryolo import CoordsIO, imagereader, predict, utils
from cryolo.utils import BoundBox, Filament

given = json.load(open("picks.json"))
half = given["box_px"] / 2

def box(x, y, score):
    return BoundBox(x=x - half, y=y - half, w=given["box_px"], h=given["box_px"], c=score)

# As crYOLO finds them: where the pixel is bright in its own image, as shares of it.
image = imagereader.image_read("micrograph.mrc")
height, width = image.shape
boxes = []
columns = ("x_px", "y_px", "score", "diameter_px", "angle_rad")
for x, y, score, size, angle in zip(*(given[key] for key in columns)):
    # It counts rows from the other end.
    assert image[height - 1 - int(y), int(x)] > 1
    found = BoundBox(x=x / width, y=(height - y) / height, w=given["box_px"] / height,
                     h=given["box_px"] / width, c=score)
    found.meta["boxsize_estimated"] = (int(size), int(size))
    found.meta["angle"] = angle
    boxes.append(predict.rescale(found, height, width))
CoordsIO.write_cbox_file("cryolo.cbox", boxes)
CoordsIO.write_eman1_boxfile("cryolo.box", boxes)
lines = {}
for x, y, score, tube in zip(*(given["filaments"][key] for key in ("x_px", "y_px", "score", "tube_id"))):
    lines.setdefault(tube, []).append(box(x, y, score))
CoordsIO.write_cbox_file("cryolo_filaments.cbox", [Filament(some) for some in lines.values()])

def centre(one):
    return [one.x + one.w / 2, one.y + one.h / 2]

ours, filaments = (CoordsIO.read_cbox_boxfile(f"ours{end}.cbox") for end in ("", "_filaments"))
for filament in filaments:
    utils.set_filament_psi_priors(filament)
print(json.dumps({
    "version": cryolo.__version__,
    "read": {"ours.cbox": [centre(one) for one in ours],
             "ours.box": [centre(one) for one in CoordsIO.read_eman1_boxfile("ours.box")],
             "ours_filaments.cbox": [[centre(one) for one in some.boxes] for some in filaments]},
    "scores": [float(one.c) for one in ours],
    "sizes_px": [one.meta["est_box_size"] for one in ours],
    "angles_rad": [one.meta["angle"] for one in ours],
    "psi_priors_of_filaments": [some.meta["psi"] for some in filaments],
}))
""",
}


def main() -> None:
    """Ask the programs that are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in PROGRAMS:
        parser.add_argument(f"--{name}", type=Path, help="python of an environment with it")
    parser.add_argument("--data", type=Path, default=Path("tests/cryoseg_ext/formats/data"))
    args = parser.parse_args()
    args.data.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        if python := getattr(args, name):
            with tempfile.TemporaryDirectory() as scratch:
                answer = ask(name, python.absolute(), Path(scratch))
                for path in Path(scratch).glob(f"{name}*.*"):
                    shutil.copyfile(path, args.data / path.name)
            text = (
                "{\n" + ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in answer.items()) + "\n}"
            )
            (args.data / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")
            print(f"{name} {answer['version']}:\n{text}")
    write_ours(args.data)


def ask(name: str, python: Path, folder: Path) -> dict[str, Any]:
    """Run a program in a folder with the micrograph and our files, and return what it says."""
    image = np.zeros(SHAPE, np.float32)
    image[PICKS.y_px.astype(int), PICKS.x_px.astype(int)] = 100
    mrcfile.write(folder / "micrograph.mrc", image)
    given = {column: values.tolist() for column, values in PICKS.columns().items()}
    assert PICKS.diameter_A is not None
    assert PICKS.psi_deg is not None
    given["diameter_px"] = (PICKS.diameter_A / PIXEL_SIZE_A).tolist()
    # The direction of the axis in an image whose rows are turned over.
    given["angle_rad"] = (np.radians(PICKS.psi_deg) % np.pi).tolist()
    filaments = {column: values.tolist() for column, values in FILAMENTS.columns().items()}
    text = json.dumps({**given, "box_px": BOX_PX, "filaments": filaments})
    (folder / "picks.json").write_text(text, encoding="utf-8")
    write_ours(folder)
    done = subprocess.run(
        [python, "-W", "ignore", "-c", PROGRAMS[name]],
        cwd=folder,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def write_ours(folder: Path) -> None:
    """Write the files of cryoseg."""
    options = FileOptions(pixel_size_A=PIXEL_SIZE_A, box_size_px=BOX_PX)
    for name in ("box", "cbox", "txt"):
        write_micrograph(name, folder / "ours", PICKS, options)
    write_micrograph("cbox", folder / "ours_filaments", FILAMENTS, options)


if __name__ == "__main__":
    main()
