#!/bin/sh
# Make the virtual environment in .venv: locked packages, MPI, Horovod for that torch, swsr itself.
# As root on Debian it installs the missing system packages; otherwise it takes MPI from PyPI and
# says what else is missing.
set -eu
cd "$(dirname "$0")/.."
venv=$PWD/.venv

say() { printf 'install: %s\n' "$*"; }
missing() { printf 'install: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# System packages: a compiler for Horovod, MPI, venv. ----------------------------------------------
python=${PYTHON:-python3}
have "$python" || [ "$(id -u)" = 0 ] || missing "python3 is missing: install Python 3.11 or newer"
wanted=
have g++ || wanted="$wanted g++"
have make || wanted="$wanted make"
have git || wanted="$wanted git"
have mpicxx || wanted="$wanted openmpi-bin libopenmpi-dev"
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted="$wanted python3 python3-venv"
[ -f "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
    wanted="$wanted python3-dev"
if [ -n "$wanted" ]; then
    if [ "$(id -u)" = 0 ] && have apt-get; then
        say "Debian packages:$wanted"
        apt-get update -qq
        # shellcheck disable=SC2086
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
    else
        for need in g++ make python3-venv python3-dev; do
            case " $wanted " in *" $need "*)
                missing "$need is missing, and only root can install it: ask for the packages$wanted" ;;
            esac
        done
    fi
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    missing "$("$python" --version) is too old: set PYTHON to Python 3.11 or newer"

# Locked packages. ---------------------------------------------------------------------------------
say "Python packages into .venv"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
PATH=$venv/bin:$PATH
PIP_DISABLE_PIP_VERSION_CHECK=1
export PATH PIP_DISABLE_PIP_VERSION_CHECK
# A CPU build of torch where one is on offer: TORCH_INDEX is an index that has it.
pip install -q ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r envs/requirements.txt
have mpicxx || { say "MPI from PyPI"; pip install -q -r envs/requirements-mpi.txt; }

# Horovod, built for this torch and this MPI. ------------------------------------------------------
built() { python -c 'import horovod.torch as h; raise SystemExit(not (h.mpi_built() and h.gloo_built()))'; }
if ! built 2>/dev/null; then
    say "building Horovod (3 to 6 minutes on 2 cores; log in .venv/horovod.log)"
    sh envs/swsr.post-deploy.sh "$venv" >"$venv/horovod.log" 2>&1 ||
        missing "Horovod does not build: see .venv/horovod.log"
    built || missing "Horovod was built without MPI or Gloo: see .venv/horovod.log"
fi

pip install -q --no-deps --no-build-isolation -e .
say "done: . .venv/bin/activate"
