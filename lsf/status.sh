#!/bin/sh
# Say running, success or failed of a job of LSF, as Snakemake asks:  status.sh NUMBER
case $(bjobs -noheader -o stat "$1" 2>/dev/null) in
    DONE) echo success ;;
    EXIT | ZOMBI) echo failed ;;
    *) echo running ;; # PEND, RUN, ...; also when LSF does not answer just now
esac
