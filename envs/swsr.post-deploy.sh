#!/bin/sh
# Build Horovod for the torch that is installed, with MPI and Gloo, and NCCL where CUDA is.
# Snakemake runs this after it made the conda environment of swsr.yaml; install.sh for .venv:
#   sh envs/swsr.post-deploy.sh PREFIX      PREFIX: the environment, default $CONDA_PREFIX
set -eu
prefix=${1:-${CONDA_PREFIX:?no PREFIX given and no conda environment active}}

# Horovod's CMake files force C++14, which torch's headers refuse; a compiler that is told C++17
# last is the only way round them. -g0 keeps the library small.
printf '#!/bin/sh\nexec %s "$@" -std=c++17 -g0\n' "${CXX:-g++}" >"$prefix/bin/cxx17"
chmod +x "$prefix/bin/cxx17"

export CXX="$prefix/bin/cxx17"
export CMAKE_POLICY_VERSION_MINIMUM=3.5 # Horovod's CMake files predate CMake 4
export MAKEFLAGS="-j${HOROVOD_JOBS:-2}"
export HOROVOD_WITH_PYTORCH=1 HOROVOD_WITH_MPI=1 HOROVOD_WITH_GLOO=1
export HOROVOD_WITHOUT_TENSORFLOW=1 HOROVOD_WITHOUT_MXNET=1
cuda='import sys, torch; sys.exit(torch.version.cuda is None)'
if command -v nvcc >/dev/null 2>&1 && "$prefix/bin/python" -c "$cuda"; then
    export HOROVOD_GPU_OPERATIONS=NCCL
fi
# No cache: pip would take a wheel that was built for another torch.
exec "$prefix/bin/pip" install --no-cache-dir --no-build-isolation --no-binary horovod horovod==0.28.1
