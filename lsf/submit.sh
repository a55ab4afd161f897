#!/bin/sh
# Submit a job script with bsub and print the number of the job, which bsub says in a sentence:
#   submit.sh BSUB-OPTIONS... SCRIPT
set -eu
mkdir -p logs/lsf # bsub -o makes none
said=$(bsub "$@")
number=$(printf '%s\n' "$said" | sed -n 's/^Job <\([0-9]*\)>.*/\1/p')
[ -n "$number" ] || { printf 'bsub said no job number: %s\n' "$said" >&2; exit 1; }
printf '%s\n' "$number"
