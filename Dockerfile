# A BIDS App: `<image> <bids_dir> <out_dir> participant [--participant_label ...]` prepares a raw data set, on a CPU.
# Other commands: `--entrypoint synthpet <image> evaluate cohort=<folder>`, `--entrypoint uad <image> compare ...`.
# Nothing is fetched when it runs: start it with `--network none`.
FROM python:3.11.14-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

COPY pyproject.toml constraints.txt README.md LICENSE /src/
# The build of torch for CPUs comes first: that of PyPI carries CUDA, three times the size
RUN pip install --index-url https://download.pytorch.org/whl/cpu torch==2.13.0
COPY configs /src/configs
COPY synthpet /src/synthpet
COPY uad /src/uad
RUN pip install -c /src/constraints.txt '/src[registration]' && rm -r /src

# Caches of Matplotlib and Numba go where any user may write, since `--user` may name one who has no home
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib NUMBA_CACHE_DIR=/tmp/numba
USER 1000:1000
WORKDIR /tmp
ENTRYPOINT ["synthpet", "prepare"]
