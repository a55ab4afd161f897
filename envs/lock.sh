#!/bin/sh
# Resolve envs/requirements.in in a fresh environment and pin the result twice: requirements.txt for
# pip, swsr.yaml for conda.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch"
"$scratch/bin/pip" install -q -r requirements.in
{
    echo "# Made by \`make lock\` from envs/requirements.in; envs/README.md says how."
    # A build's tag (+cpu, +cu128) is the machine's business.
    "$scratch/bin/pip" freeze --all --exclude pip | sed 's/+[a-z0-9.]*$//'
} >requirements.txt
sh conda.sh
