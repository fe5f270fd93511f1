"""A kitchen that renders the image set ``hotdog-mini``: ten foods, path-traced from procedural meshes and textures.

``python -m tools.kitchen hotdog-mini.zip`` makes the archive. Imports run one way, down this list::

    __main__.py    the command line and nothing else
    dataset.py     which image shows which food; labels.csv; the archive
    sheet.py       many images of one food side by side, to look at
    render.py      a dish in a scene -> an image, by Mitsuba 3
    photo.py       what a camera makes of light: exposure, white balance, grain, JPEG
    foods.py       the menu: each food and what is true of it
    sandwiches.py, pastries.py, plain.py   the foods, one short function each
    garnish.py     what goes into or onto several foods
    scenes.py      table, plate, clutter, camera and light, drawn without a look at the food
    props.py       plates, boards, paper, cutlery, glasses
    surfaces.py    pictures of wood, stone, cloth
    parts.py       Part and Dish: what foods and props are made of
    colours.py     colours, noise and baking
    shapes.py      meshes

Everything is seeded: image `i` depends on (seed, i) alone, and with the same versions of Mitsuba,
NumPy and Pillow on one machine it is the same to the byte.
"""
