"""Make the Dedalus files beside this script; needs Dedalus 3, which swsr does not.

python make_dedalus.py

`sphere`: linear shallow water on the sphere, 32 x 16 points, 30 frames; `plane`: the same on a doubly
periodic plane, 16 x 16 points, 8 frames, with the gradient, a vector. Each makes two files, `NAME_s1.h5`
and `NAME_s2.h5`.
"""

import shutil
from pathlib import Path

import dedalus.public as d3
import numpy as np

HERE = Path(__file__).parent


def solve(name, problem, tasks, frames):
    solver = problem.build_solver(d3.RK222)
    solver.stop_iteration = frames
    handler = solver.evaluator.add_file_handler(name, iter=1, max_writes=frames // 2)
    for task, field in tasks.items():
        handler.add_task(field, name=task)
    while solver.proceed:
        solver.step(0.05)
    for path in sorted(Path(name).glob("*.h5")):
        shutil.move(path, HERE / path.name)
    shutil.rmtree(name)


def sphere():
    coords = d3.S2Coordinates("phi", "theta")
    dist = d3.Distributor(coords, dtype=np.float64)
    basis = d3.SphereBasis(coords, (32, 16), radius=1, dtype=np.float64)
    u, h = dist.VectorField(coords, name="u", bases=basis), dist.Field(name="h", bases=basis)
    phi, theta = dist.local_grids(basis)
    h["g"] = np.cos(3 * phi) * np.sin(theta) ** 3 + np.cos(theta)
    names = {"u": u, "h": h, "grad": d3.grad, "div": d3.div}
    problem = d3.IVP([u, h], namespace=names)
    problem.add_equation("dt(u) + grad(h) = 0")
    problem.add_equation("dt(h) + div(u) = 0")
    solve("sphere", problem, {"h": h}, 30)


def plane():
    coords = d3.CartesianCoordinates("x", "y")
    dist = d3.Distributor(coords, dtype=np.float64)
    bases = tuple(d3.RealFourier(coords[axis], 16, bounds=(0, 4)) for axis in ("x", "y"))
    h, w = dist.Field(name="h", bases=bases), dist.Field(name="w", bases=bases)
    x, y = dist.local_grids(*bases)
    h["g"] = np.cos(np.pi / 2 * x) + np.sin(np.pi * y)
    names = {"h": h, "w": w, "lap": d3.lap}
    problem = d3.IVP([h, w], namespace=names)
    problem.add_equation("dt(h) - w = 0")
    problem.add_equation("dt(w) - lap(h) = 0")
    solve("plane", problem, {"h": h, "slope": d3.grad(h)}, 8)


if __name__ == "__main__":
    sphere()
    plane()
