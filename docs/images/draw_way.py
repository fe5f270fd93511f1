"""Draw way.svg, the path of an image through the library: ``python docs/images/draw_way.py``."""

from html import escape
from pathlib import Path

WIDTH, LEFT, BOX_WIDTH, BOX_HEIGHT, STEP = 480, 24, 432, 54, 94

# What is handed on; the file that takes it; what the file does.
WAY = [
    ("hotdog-mini.zip, or an archive of your own", "data_hub.py", "fetch, check the SHA1, unpack"),
    ("a folder of images for each class", "d2ltl/data/folders.py", "find classes; read files as RGB"),
    ("uint8 (height, width, 3), and a label", "d2ltl/data/batches.py", "crop, flip, normalise; make batches"),
    ("float32 (n, 3, size, size)", "d2ltl/models/networks.py", "source features (models/sources.py), new output"),
    ("scores: float32 (n, classes)", "d2ltl/training/loop.py", "loss, gradient, step; training/evaluation.py tests"),
    ("loss and accuracy of every epoch", "d2ltl/history.py", "record them, as plain data"),
    ("one history for each strategy and seed", "d2ltl/comparison/running.py", "same data and epochs for all of them"),
    ("all histories", "d2ltl/comparison/gains.py", "higher start, slope, asymptote"),
    ("three numbers, with their spread", "d2ltl/comparison/report.py", "table, sentence, curves (plot.py)"),
]
END = "report.html, report.json"
LOOP_FROM, LOOP_TO = 4, 2  # every batch goes through the network and back: rows of WAY


def svg() -> str:
    """Return the drawing. It has a ground of its own, so that it can be read on a dark page too."""
    height = len(WAY) * STEP + 62
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="Helvetica, Arial, sans-serif" font-size="15" fill="#1f2933">',
        "<title>The path of an image through the library</title>",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="#52606d"/></marker></defs>',
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="12" fill="#fbfaf7" stroke="#cbd2d9"/>',
    ]
    for row, (handed, file, does) in enumerate(WAY):
        parts += [*_arrow(row, handed), *_box(row, file, does)]
    parts += [*_arrow(len(WAY), END, tip=False), *_loop(), "</svg>"]
    return "\n".join(parts) + "\n"


def _top(row: int) -> int:
    return 46 + row * STEP


def _arrow(row: int, text: str, tip: bool = True) -> list[str]:
    """Return the arrow into the box of a row, or the last one, which ends at the text, and the text beside it."""
    end = _top(row)
    start = end - STEP + BOX_HEIGHT if row else end - 14
    line = f'<path d="M44 {start} V{end}" stroke="#52606d" stroke-width="2" marker-end="url(#tip)"/>'
    y = (start + end) // 2 + 5 if row else 28
    return [
        *([line] if tip else [line.replace(f"V{end}", f"V{end - 16}")]),
        f'<text x="60" y="{y}">{escape(text)}</text>',
    ]


def _box(row: int, file: str, does: str) -> list[str]:
    y = _top(row)
    return [
        f'<rect x="{LEFT}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#c5dcf2" stroke="#2b6cb0"/>',
        f'<text x="{LEFT + 14}" y="{y + 23}" font-weight="bold">{escape(file)}</text>',
        f'<text x="{LEFT + 14}" y="{y + 43}">{escape(does)}</text>',
    ]


def _loop() -> list[str]:
    """Return the arrow that takes training back to the next batch."""
    x, y, back = LEFT + BOX_WIDTH - 90, _top(LOOP_FROM), _top(LOOP_TO) + BOX_HEIGHT
    between = _top(LOOP_TO + 1)
    return [
        f'<path d="M{x} {y} V{between + BOX_HEIGHT + 2} M{x} {between} V{back + 2}" fill="none" stroke="#b8691b" '
        'stroke-width="2" stroke-dasharray="5 4"/>',
        f'<path d="M{x} {back + 8} V{back + 2}" stroke="#b8691b" stroke-width="2" marker-end="url(#tip)"/>',
        f'<text x="{x - 8}" y="{(between + back) // 2 + 5}" text-anchor="end" fill="#8a4b0c" font-size="13">'
        "next batch</text>",
    ]


if __name__ == "__main__":
    Path(__file__).with_name("way.svg").write_text(svg(), encoding="utf-8")
