#!/usr/bin/env bash
# Try a wheel in a clean environment of each Python that this machine has, see `make wheels`:
#
#     packaging/try_wheel.sh dist/*.whl
#
# All that it requires is installed, from wheels alone, so that no compiler is needed; all but torch, which may come
# with several GB of CUDA for each. What needs no torch is run: a job that .venv has picked is continued with another
# threshold, and must end with the same files. Then it is looked up whether macOS has wheels of everything, torch too.
set -euo pipefail
wheel=$(realpath "$1")
root=$(realpath "$(dirname "$0")/..")
bin=$root/.venv/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# A busy package index is waited for, and the certificates are those that pip uses.
export UV_PYTHON_DOWNLOADS=never UV_HTTP_TIMEOUT=180 UV_SYSTEM_CERTS=1
echo "torch; python_version < '3'" >no_torch.txt

"$bin/cryoseg" simulate --out sim --n 1 --size 768 768 --pixel_size 2 --particles 20 --snr 1 2>log
"$bin/cryoseg" pick sim/Micrographs --particle_diameter 180 --out picked
cp -r picked expected
again=(sim/Micrographs --particle_diameter 180 --threshold 0.9)
"$bin/cryoseg" pick "${again[@]}" --out expected

for version in 3.10 3.11 3.12 3.13; do
    if ! python=$("python$version" -c 'import sys; print(sys.executable)' 2>log); then
        echo "Python $version is not here: not tried"
        continue
    fi
    "$bin/uv" venv --quiet --python "$python" "$version"
    "$bin/uv" pip install --quiet --python "$version/bin/python" --only-binary :all: \
        --constraints "$root/constraints.txt" --overrides no_torch.txt "$wheel"
    "$version/bin/python" -m compileall -q "$version"/lib/*/site-packages/{cryoseg_ext,relion_wrapper}
    for command in cryoseg cryoseg-relion cryoseg-relion-train; do
        "$version/bin/$command" --help >log
    done
    cp -r picked "picked_$version"
    "$version/bin/cryoseg" pick "${again[@]}" --out "picked_$version" >log
    diff -r --exclude '*.pdf' --exclude '*.html' expected "picked_$version"
    echo "Python $version: works"
done

for version in 3.10 3.11 3.12 3.13; do
    MACOSX_DEPLOYMENT_TARGET=14.0 "$bin/uv" pip compile --quiet --python-version "$version" \
        --python-platform aarch64-apple-darwin --only-binary :all: --constraints "$root/constraints.txt" \
        "$root/pyproject.toml" >log
    echo "Python $version on macOS: all that is required has wheels"
done
