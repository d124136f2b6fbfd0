# cryoseg without RELION, to pick, train and evaluate from the command line and in CryoSPARC.
#
#     docker build --tag cryoseg .
#     docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:/data" cryoseg \
#         pick 'micrographs/*.mrc' --particle_diameter 180 --out picks
#
# With CUDA: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130, and then: docker run --gpus all
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# pydensecrf2 is compiled.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/cryoseg
ENV PATH=/opt/cryoseg/bin:$PATH PIP_NO_CACHE_DIR=1
WORKDIR /src
# PyTorch alone and first, so that no other package brings another build of it along.
COPY constraints.txt ./
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install torch --constraint constraints.txt --extra-index-url "${TORCH_INDEX}"
COPY pyproject.toml README.md LICENSE ./
COPY cryoseg_ext cryoseg_ext
COPY relion_wrapper relion_wrapper
RUN pip install '.[cluster,extraction,networks,pydensecrf,simulation]' --constraint constraints.txt

FROM ${BASE}
COPY --from=build /opt/cryoseg /opt/cryoseg
# Any user can run it: caches of matplotlib and others go to /tmp.
ENV PATH=/opt/cryoseg/bin:$PATH HOME=/tmp
USER 65534
WORKDIR /data
ENTRYPOINT ["cryoseg"]
CMD ["--help"]
