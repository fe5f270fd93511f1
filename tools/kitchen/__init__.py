"""A kitchen that renders the image set ``hotdog-mini``: ten foods, path-traced from procedural meshes and textures.

``python -m tools.kitchen hotdog-mini.zip`` makes the archive. Image `i` depends on (seed, i) alone. With the same
versions of Mitsuba, NumPy and Pillow on one machine, it is the same to the byte. Imports run one way, down this list::

    __main__     command line
    dataset      the food of each image; labels.csv; the archive
    sheet        contact sheet of one food
    render       a dish in a scene -> an image, by Mitsuba 3
    photo        exposure, white balance, grain, JPEG
    foods        the menu, with the attributes of each food
    sandwiches, pastries, plain, garnish    one function for each food or ingredient
    scenes, props, surfaces    table, camera and light, which do not depend on the food
    parts, colours, shapes     what foods and props are made of
"""
