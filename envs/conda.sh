#!/bin/sh
# Write swsr.yaml, the conda environment with the pins of requirements.txt.
set -eu
cd "$(dirname "$0")"
{
    cat <<'HEAD'
# Made by `make lock`: the pins of requirements.txt for conda (`snakemake --sdm conda`, or
# `conda env create -f envs/swsr.yaml`). Horovod is built afterwards by swsr.post-deploy.sh.
name: swsr
channels: [conda-forge, nodefaults]
dependencies:
  - python=3.11
  - pip
  - cxx-compiler
  - make
  - git
  - openmpi=5.0
  - openmpi-mpicxx
  - pip:
HEAD
    sed -n '/^[^#]/s/^/      - /p' requirements.txt
} >swsr.yaml
