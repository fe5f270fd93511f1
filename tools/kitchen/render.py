"""A dish in a scene becomes an image, path-traced by Mitsuba 3."""

from __future__ import annotations

from typing import Any

import drjit
import mitsuba
import numpy as np
import PIL

from tools.kitchen.foods import MENU
from tools.kitchen.parts import Part, fitted
from tools.kitchen.photo import develop, to_jpeg
from tools.kitchen.scenes import FOOD_SIZE, Camera, Light, Scene, draw_scene
from tools.kitchen.surfaces import SPAN

mitsuba.set_variant("scalar_rgb")
drjit.set_thread_count(1)  # the samples that Mitsuba draws depend on the number of threads

VERSIONS = (
    f"Mitsuba {mitsuba.__version__}, NumPy {np.__version__}, Pillow {PIL.__version__}"  # the bytes depend on them
)
SAMPLES = 25  # light paths per pixel, spread evenly: the square of a whole number
TABLE, WALL = 200.0, 160.0  # cm: half the table's width; how far away the wall is


def transform() -> Any:
    """Return the transform that changes nothing."""
    return mitsuba.ScalarTransform4f()


def shape_of(part: Part) -> Any:
    """Return a part as Mitsuba's mesh."""
    colours = {"type": "mesh_attribute", "name": "vertex_color"}
    metallic = float(part.material == "metal")
    glossy = {"type": "principled", "base_color": colours, "roughness": part.roughness, "metallic": metallic}
    bsdf = {"type": "thindielectric"} if part.material == "glass" else {"type": "twosided", "side": glossy}
    properties = mitsuba.Properties()
    properties["bsdf"] = mitsuba.load_dict(bsdf)
    vertices, faces = part.mesh.vertices, part.mesh.faces
    painted = np.broadcast_to(np.clip(part.colours, 0, 0.95), vertices.shape)
    shape = mitsuba.Mesh("part", len(vertices), len(faces), properties, has_vertex_normals=True)
    shape.add_attribute("vertex_color", 3, np.float32(painted).ravel())
    fields = mitsuba.traverse(shape)
    fields["vertex_positions"] = np.float32(vertices).ravel()
    fields["vertex_normals"] = np.float32(part.mesh.normals).ravel()
    fields["faces"] = np.uint32(faces).ravel()
    fields.update()
    return shape


def picture_of(picture: np.ndarray, repeats: float, roughness: float) -> dict[str, Any]:
    """Return the material of a rectangle that shows a picture so many times."""
    texture = {
        "type": "bitmap",
        "bitmap": mitsuba.Bitmap(np.float32(picture)),
        "raw": True,
        "wrap_mode": "mirror",
        "to_uv": transform().scale([repeats, repeats, 1]),
    }
    return {"type": "principled", "base_color": texture, "roughness": roughness}


def lamp_of(light: Light) -> dict[str, Any]:
    """Return a light as Mitsuba's emitter."""
    radiance = {"type": "rgb", "value": light.colour.tolist()}
    if light.size == (0, 0):
        return {"type": "directional", "direction": (-light.origin).tolist(), "irradiance": radiance}
    facing = transform().look_at(origin=light.origin.tolist(), target=[0, 0, 0], up=[0, 0, 1])
    emitter = {"type": "area", "radiance": radiance}
    return {"type": "rectangle", "to_world": facing.scale([*light.size, 1]), "emitter": emitter}


def sensor_of(camera: Camera, size: int) -> dict[str, Any]:
    """Return a camera as Mitsuba's sensor for a square image."""
    view = {"origin": camera.origin.tolist(), "target": camera.target.tolist(), "up": camera.up.tolist()}
    return {
        "type": "thinlens",
        "fov": camera.fov,
        "aperture_radius": camera.aperture,
        "focus_distance": float(np.linalg.norm(camera.target - camera.origin)),
        "to_world": transform().look_at(**view),
        "sampler": {"type": "multijitter", "sample_count": SAMPLES},
        "film": {"type": "hdrfilm", "width": size, "height": size, "pixel_format": "rgb"},
    }


def trace(food: list[Part], scene: Scene, size: int, seed: int) -> np.ndarray:
    """Return the light (size, size, 3) that reaches a camera, linear, not yet exposed."""
    dish = [part.turned(scene.food_turn).moved(z=scene.height) for part in fitted(food, FOOD_SIZE)]
    wall = transform().translate([0, WALL, 0]).rotate([1, 0, 0], 90).scale(WALL)
    world = {
        "type": "scene",
        "integrator": {"type": "path", "max_depth": 5},
        "sensor": sensor_of(scene.camera, size),
        "light": lamp_of(scene.light),
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": scene.light.sky.tolist()}},
        "table": {
            "type": "rectangle",
            "to_world": transform().rotate([0, 0, 1], scene.table_turn).scale(TABLE),
            "bsdf": picture_of(scene.table, 2 * TABLE / SPAN, scene.roughness),
        },
        "wall": {"type": "rectangle", "to_world": wall, "bsdf": picture_of(scene.wall, 2, 0.9)},
        **{f"part{i}": shape_of(part) for i, part in enumerate(dish + scene.parts)},
    }
    return np.array(mitsuba.render(mitsuba.load_dict(world), spp=SAMPLES, seed=seed))


def render_image(food: str, seed: int, index: int, size: int) -> tuple[bytes, dict[str, str]]:
    """Return one image of a food as a JPEG file, and its labels; both depend on the arguments alone.

    Food, scene and photograph draw from separate random numbers, so the scene contains no information about the food.
    The labels are the food, its attributes ('0' or '1') and the labels of the scene.
    """
    of_food, of_scene, of_photo = (np.random.default_rng([seed, index, stream]) for stream in range(3))
    dish, scene = MENU[food].draw(of_food), draw_scene(of_scene)
    radiance = trace(dish.parts, scene, size, int(of_photo.integers(2**31)))
    picture = develop(of_photo, radiance, scene.light.colour)
    labels = {"food": food, **MENU[food].attributes(dish), **scene.labels}
    return to_jpeg(picture, int(of_photo.integers(82, 94))), labels
