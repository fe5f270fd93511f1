import unicodedata
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from d2ltl import fonts, plot
from d2ltl.exercises import plots as exercise_plots

NAMES = ["热狗", "ホットドッグ", "핫도그", "кот", "نقانق", "हॉट", "🌭", "$5_a$", "caf\u0065\u0301", "a\udcffb", "<b>"]


def test_every_script_is_drawn_or_numbered():
    names = fonts.drawn_names(NAMES, 24)
    for i, (name, drawn) in enumerate(zip(NAMES, names)):
        assert drawn in (unicodedata.normalize("NFC", name), f"class {i}")
    assert names[3] == "кот"
    assert names[8] == "café"
    assert names[9] == "class 9"  # half a character of a file name that is not Unicode
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns of a character that it cannot draw
        image = np.zeros((4, 4, 3), np.uint8)
        plot.png(plot.plot_confusion({"a": np.eye(11, dtype=int), "b": np.eye(11, dtype=int)}, NAMES, names[0]))
        plot.png(plot.plot_images({names[0]: [(image, f"{name}\n99%") for name in names]}, names[1]))
        plot.png(plot.plot_curves({}, names[2]))
        plot.png(plot.plot_lines({names[0]: {1: 0.5}}, names[1], names[2], title=names[3]))
        plot.png(plot.plot_bars({names[0]: {names[1]: 0.5}}, names[2], names[3]))
        plot.png(exercise_plots.plot_learning_curve([], names[0], 0.5))
        plot.show_images([image] * 11, 3, 4, names)[0].figure.canvas.draw()


def test_without_fonts_of_the_system_a_number_takes_the_place_of_a_name(monkeypatch):
    fonts._family_with.cache_clear()
    monkeypatch.setattr(fonts, "_system_fonts", list)
    assert fonts.drawn_names(["热狗", "hot dog", "🌭"], 24) == ["class 0", "hot dog", "class 2"]
    with fonts.fonts_for(["热狗"]):
        assert mpl.rcParams["font.family"] == ["sans-serif"]
    fonts._family_with.cache_clear()


@pytest.mark.parametrize("version", [(3, 7, 0), (3, 10, 8), (3, 11, 2)])
def test_letters_that_join_need_a_matplotlib_that_joins_them(monkeypatch, version):
    monkeypatch.setattr(mpl, "__version_info__", version)
    assert fonts.is_drawable("نقانق") == fonts.is_drawable("עברית") == (version >= (3, 11))
    assert fonts.is_drawable("кот")


def test_long_names_are_wrapped_and_keep_their_ends():
    first, second, short = fonts.drawn_names(["long_name_" * 10 + "1", "long_name_" * 10 + "2", "one two three"], 8)
    assert first != second
    assert all(len(line) <= 8 for name in (first, second, short) for line in name.splitlines())
    assert short == "one two\nthree"


def test_the_settings_of_matplotlib_stay_as_they_were():
    before = mpl.rcParams["font.family"]
    with fonts.fonts_for(["热狗"]):
        pass
    assert mpl.rcParams["font.family"] == before


@pytest.mark.parametrize("classes", [31, 120, 200])
def test_of_many_classes_those_with_the_most_mistakes_are_shown_first(classes):
    matrix = 10 * np.eye(classes, dtype=int)
    matrix[7, 5], matrix[5, 7], matrix[20, 9] = 9, 5, 3
    names = [f"{i:03}.breed" for i in range(classes)]
    figure = plot.plot_confusion({"a": matrix, "b": matrix}, names)
    for ax in figure.axes:
        assert [label.get_text() for label in ax.get_yticklabels()][:4] == [names[i] for i in (5, 7, 9, 20)]
        shares = ax.images[0].get_array()
        assert shares.shape == (30, 30)
        assert shares[1, 0] == pytest.approx(9 / 19)
    assert f"the 30 of {classes} classes" in figure.get_suptitle()
    assert max(figure.get_size_inches()) < 20


def test_a_figure_of_long_names_has_no_label_upon_another(tmp_path):
    names = ["hot dog with everything", "not hot dog, but something else on the plate"]
    figure = plot.plot_confusion({"a": np.eye(2, dtype=int)}, names)
    (tmp_path / "a.png").write_bytes(plot.png(figure))
    left, right = (label.get_window_extent() for label in figure.axes[0].get_xticklabels())
    assert left.x1 <= right.x0
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 200
