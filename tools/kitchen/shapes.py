"""Meshes: solids swept along a path or turned on a lathe, displaced, strewn with grains. Lengths in cm, z up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

AXES = {"x": 0, "y": 1, "z": 2}


@dataclass(frozen=True)
class Mesh:
    """Triangles in space.

    `vertices` are float, shape (n, 3). `faces` are indices of vertices, anticlockwise as seen from outside: int, shape
    (m, 3).
    """

    vertices: np.ndarray
    faces: np.ndarray

    @property
    def normals(self) -> np.ndarray:
        """Unit normals of the vertices, shape (n, 3): the mean of those of their faces, weighted by area."""
        corners = self.vertices[self.faces]
        of_faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(normals, self.faces[:, corner], of_faces)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    def moved(self, x: float = 0, y: float = 0, z: float = 0) -> Mesh:
        """Return the mesh moved by a vector."""
        return replace(self, vertices=self.vertices + np.array([x, y, z]))

    def scaled(self, x: float, y: float | None = None, z: float | None = None) -> Mesh:
        """Return the mesh stretched along the axes; by one factor if only one is given."""
        return replace(self, vertices=self.vertices * np.array([x, x if y is None else y, x if z is None else z]))

    def turned(self, degrees: float, axis: str = "z") -> Mesh:
        """Return the mesh turned about an axis through the origin, anticlockwise as seen from its tip."""
        return replace(self, vertices=self.vertices @ rotation(degrees, axis).T)

    def swollen(self, heights: np.ndarray | float) -> Mesh:
        """Return the mesh with each vertex moved along its normal, by one height for all or one for each."""
        return replace(self, vertices=self.vertices + self.normals * np.reshape(heights, (-1, 1)))

    def flattened(self, floor: float) -> Mesh:
        """Return the mesh with all that lies below the height `floor` pressed up to it."""
        return replace(self, vertices=np.maximum(self.vertices, [-np.inf, -np.inf, floor]))

    def raised(self, heights: np.ndarray) -> Mesh:
        """Return the mesh with each vertex moved upwards by its own height."""
        return replace(self, vertices=self.vertices + np.outer(heights, [0, 0, 1]))


def rotation(degrees: float, axis: str = "z") -> np.ndarray:
    """Return the matrix (3, 3) that turns column vectors about an axis."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (AXES[axis] + 1) % 3, (AXES[axis] + 2) % 3
    matrix = np.eye(3)
    matrix[[i, i, j, j], [i, j, i, j]] = cos, -sin, sin, cos
    return matrix


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Return several meshes as one."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def _grid(points: np.ndarray, closed: bool = False) -> Mesh:
    """Return the surface through points (rows, columns, 3); the columns always close, the rows if `closed`."""
    rows, columns = points.shape[:2]
    i, j = np.meshgrid(np.arange(rows if closed else rows - 1), np.arange(columns), indexing="ij")
    here, right = i * columns + j, i * columns + (j + 1) % columns
    below, across = (i + 1) % rows * columns + j, (i + 1) % rows * columns + (j + 1) % columns
    faces = np.concatenate([np.stack([here, right, below], -1), np.stack([right, across, below], -1)]).reshape(-1, 3)
    return Mesh(points.reshape(-1, 3), faces)


def circle(sides: int = 24, width: float = 1, height: float = 1) -> np.ndarray:
    """Return the outline (sides, 2) of an ellipse with these half axes, anticlockwise from the right."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.stack([width * np.cos(angles), height * np.sin(angles)], 1)


def ring(radius: float, number: int = 96) -> np.ndarray:
    """Return a closed path (number, 3) around the z axis."""
    return radius * np.pad(circle(number), ((0, 0), (0, 1)))


def arc(length: float, bend: float = 0, number: int = 80) -> np.ndarray:
    """Return a path (number, 3) along x that turns by `bend` degrees to the left, denser towards its ends."""
    s = length / 2 * -np.cos(np.linspace(0, np.pi, number))
    curvature = np.radians(bend) / length + 1e-9
    points = np.stack([np.sin(s * curvature), 1 - np.cos(s * curvature), 0 * s], 1) / curvature
    return points - [0, points[:, 1].mean(), 0]


def rounded(corners: np.ndarray, times: int = 4) -> np.ndarray:
    """Return a smooth path close to a few corners (n, 3): Chaikin's corner cutting, so many times."""
    for _ in range(times):
        early, late = 0.75 * corners[:-1] + 0.25 * corners[1:], 0.25 * corners[:-1] + 0.75 * corners[1:]
        cut = np.stack([early, late], 1).reshape(-1, 3)
        corners = np.concatenate([corners[:1], cut, corners[-1:]])
    return corners


def along(path: np.ndarray) -> np.ndarray:
    """Return how far along a path each of its points lies, shape (n,), from 0 to its length."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])


def round_ends(path: np.ndarray, reach: float) -> np.ndarray:
    """Return a scale for each point of a path that falls from 1 to 0 over the last `reach` cm, as a circle does."""
    s = along(path)
    inside = np.clip(np.minimum(s, s[-1] - s) / reach, 0, 1)
    return np.sqrt(1 - (1 - inside) ** 2) + 1e-4


def sweep(path: np.ndarray, section: np.ndarray, scale: np.ndarray | float = 1, closed: bool = False) -> Mesh:
    """Return the solid that a section leaves behind on its way along a path.

    `path` has the shape (n, 3), and is nowhere vertical. `section` has the shape (sides, 2), anticlockwise as seen
    against the path; its first axis points to the left of the path, its second upwards. `scale` is the size of the
    section at each point of the path, shape (n,). If `closed`, the end of the path meets its start, as in a ring.
    """
    ahead = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0) if closed else np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    left = np.cross([0, 0, 1], ahead)
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    up = np.cross(ahead, left)
    scale = np.broadcast_to(scale, len(path))[:, None, None]
    sides = section[:, :1] * left[:, None] + section[:, 1:] * up[:, None]
    return _grid(path[:, None] + scale * sides, closed)


def tube(path: np.ndarray, radius: float, sides: int = 24, flat: float = 1) -> Mesh:
    """Return a round tube along a path with rounded ends, its height `flat` times its width."""
    return sweep(path, radius * circle(sides, height=flat), round_ends(path, radius))


def lathe(profile: np.ndarray, sides: int = 64, outline: np.ndarray | float = 1) -> Mesh:
    """Return the solid that a profile leaves behind on its way around the z axis.

    `profile` contains distances from the axis and heights, shape (n, 2), from the bottom to the top along the outside.
    `outline` multiplies the distance in each direction, shape (sides,), anticlockwise from x: 0 cuts a slice out.
    """
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    distance = profile[:, :1] * np.broadcast_to(outline, sides)
    height = np.broadcast_to(profile[:, 1:], distance.shape)
    return _grid(np.stack([distance * np.cos(angles), distance * np.sin(angles), height], -1))


def slab(radius: float, thickness: float, rings: int = 12) -> np.ndarray:
    """Return the profile of a disc that lies on z = 0, its rim rounded."""
    rim = np.radians(np.linspace(-90, 90, 9))
    edge = np.stack([radius - thickness / 2 * (1 - np.cos(rim)), thickness / 2 * (1 + np.sin(rim))], 1)
    inside = np.linspace(0, edge[0, 0], rings, endpoint=False)
    below, above = np.stack([inside, 0 * inside], 1), np.stack([inside[::-1], 0 * inside + thickness], 1)
    return np.concatenate([below, edge, above])


def dome(radius: float, height: float, belly: float = 0.25, rings: int = 24) -> np.ndarray:
    """Return the profile of a bun's top: flat below, widest at the share `belly` of its height, round above."""
    under = np.radians(np.linspace(-90, 0, 8))
    over = np.radians(np.linspace(0, 90, rings))[1:]
    side = np.stack([radius * (0.9 + 0.1 * np.cos(under)), belly * height * (1 + np.sin(under))], 1)
    top = np.stack([radius * np.cos(over), height * (belly + (1 - belly) * np.sin(over))], 1)
    return np.concatenate([[[0, 0]], side, top])


def ball(radius: float, sides: int = 24) -> Mesh:
    """Return a sphere about the origin."""
    angles = np.radians(np.linspace(-90, 90, sides // 2 + 1))
    return lathe(radius * np.stack([np.cos(angles), np.sin(angles)], 1), sides)


def box(x: float, y: float, z: float) -> Mesh:
    """Return a box about the origin, each face with corners of its own so that its edges stay sharp."""
    sides = []
    for axis, degrees in [("z", 0), ("z", 90), ("z", 180), ("z", 270), ("y", 90), ("y", -90)]:
        square = Mesh(np.array([[1, -1, -1], [1, 1, -1], [1, 1, 1], [1, -1, 1]]) / 2, np.array([[0, 1, 2], [0, 2, 3]]))
        sides.append(square.turned(degrees, axis))
    return join(sides).scaled(x, y, z)


def wavy(rng: np.random.Generator, amount: float, waves: int = 7, sides: int = 64) -> np.ndarray:
    """Return an outline (sides,) that strays from the circle by about `amount`, in up to so many waves."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    k = np.arange(2, waves + 1)
    waves_of_k = rng.normal(size=len(k)) * np.cos(np.outer(angles, k) + rng.uniform(0, 2 * np.pi, len(k)))
    return 1 + amount * waves_of_k.sum(1) / np.sqrt(len(k))


def square(sides: int = 64, sharpness: float = 8, aspect: float = 1) -> np.ndarray:
    """Return the outline (sides,) of a rectangle with rounded corners, `aspect` times as long in x as in y."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    x, y = np.abs(np.cos(angles)) / aspect, np.abs(np.sin(angles))
    return (x**sharpness + y**sharpness) ** (-1 / sharpness)


def strew(rng: np.random.Generator, grain: Mesh, surface: Mesh, number: int, where: np.ndarray | None = None) -> Mesh:
    """Return copies of a grain that lie on a surface, each turned at random about the surface's normal.

    The z axis of `grain` will point out of the surface. `where` marks the vertices near which grains may lie, bool; by
    default all.
    """
    corners = surface.vertices[surface.faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1)
    weights = areas if where is None else areas * where[surface.faces].all(1)
    grains = []
    for face in rng.choice(len(weights), number, p=weights / weights.sum()):
        up = crosses[face] / areas[face]
        right = np.cross(up, rng.normal(size=3))
        right /= np.linalg.norm(right)
        place = rng.dirichlet([1, 1, 1]) @ corners[face]
        grains.append(Mesh(grain.vertices @ np.stack([right, np.cross(up, right), up]) + place, grain.faces))
    return join(grains)
