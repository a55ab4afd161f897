# Thin names for the real commands. The first use sets everything up in .venv.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
CORES ?= 2
INSTALLED := .venv/installed

.PHONY: install run test test-fast lint bench lock

install: $(INSTALLED)

run: $(INSTALLED)
	snakemake --cores $(CORES) --quiet rules progress

# Also on a real SLURM cluster, which the tests start on this machine: without root and Debian those are
# skipped, and say so.
# Three processes: two for two cores, and one that mostly waits for SLURM, and so must begin at once.
test: $(INSTALLED)
	$(MAKE) -j 2 lint tests

.PHONY: tests
tests: $(INSTALLED)
	pytest -n 3 --dist loadgroup --no-loadscope-reorder --durations 15

test-fast: $(INSTALLED) lint
	pytest -m "not cluster and not chain"

lint: $(INSTALLED)
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow
	mypy
	codespell
	snakemake --lint

$(INSTALLED): envs/requirements.txt envs/requirements-mpi.txt envs/install.sh envs/swsr.post-deploy.sh pyproject.toml
	sh envs/install.sh
	touch $@

# Half an hour on two cores, which must have nothing else to do; writes docs/performance.md.
bench: $(INSTALLED)
	OMP_NUM_THREADS=1 PYTHONPATH=$(CURDIR)/src$${PYTHONPATH:+:$$PYTHONPATH} python benchmarks/bench.py

# Resolve envs/requirements.in anew and pin the result, for pip and for conda.
lock:
	sh envs/lock.sh

# A real SLURM cluster on this machine, to try the profile on: needs root and Debian.
CLUSTER ?= /tmp/cluster
.PHONY: cluster
cluster: $(INSTALLED)
	python tests/cluster/slurm_cluster.py start $(CLUSTER)
	@echo 'now: eval "$$(python tests/cluster/slurm_cluster.py env $(CLUSTER))"'
	@echo 'and: python tests/cluster/slurm_cluster.py stop $(CLUSTER)'
