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
# With CUDA, NCCL is taken from torch's own packages unless HOROVOD_NCCL_HOME names another.
cuda='import sys, torch; sys.exit(torch.version.cuda is None)'
nccl='import nvidia.nccl; print(list(nvidia.nccl.__path__)[0])'
if command -v nvcc >/dev/null 2>&1 && "$prefix/bin/python" -c "$cuda"; then
    export HOROVOD_GPU_OPERATIONS=NCCL
    # Of CUDA, not of a wrapper on the path; and Horovod's C++11 is too old for CUDA 13 too.
    compiler=$(nvcc --dryrun -x cu /dev/null 2>&1 | sed -n 's/^#\$ _HERE_=//p')
    if [ -z "${CUDA_HOME:-}" ] && [ -x "$compiler/nvcc" ]; then
        export CUDA_HOME="${compiler%/bin}"
    fi
    if [ -x "${CUDA_HOME:-}/bin/nvcc" ]; then
        export HOROVOD_CUDA_HOME="${HOROVOD_CUDA_HOME:-$CUDA_HOME}"
    fi
    export NVCC_APPEND_FLAGS="${NVCC_APPEND_FLAGS:-} -std=c++17"
    if [ -z "${HOROVOD_NCCL_HOME:-}" ] && found=$("$prefix/bin/python" -c "$nccl" 2>/dev/null); then
        # The packages have the library without the name that linkers look for.
        export HOROVOD_NCCL_HOME="$prefix/nccl" HOROVOD_NCCL_LINK=SHARED
        mkdir -p "$prefix/nccl/lib"
        ln -sfn "$found/include" "$prefix/nccl/include"
        ln -sf "$found/lib/libnccl.so.2" "$prefix/nccl/lib/libnccl.so"
    fi
fi
# No cache: pip would take a wheel that was built for another torch.
exec "$prefix/bin/pip" install --no-cache-dir --no-build-isolation --no-binary horovod horovod==0.28.1
