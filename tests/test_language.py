"""The commands in other languages: which language it is, the help, and the labels of figures."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from _data_hub import language
from _data_hub.language import LANGUAGES, N_, _
from _data_hub.terminal import columns, wrap
from d2ltl import fonts, plot
from d2ltl.cli import text_table
from d2ltl.history import Epoch, History

VARIABLES = ("D2LTL_LANG", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
OTHERS = [name for name in LANGUAGES if name != "en"]
COMMANDS = [
    *([f"d2ltl.{name}"] for name in ("compare", "advice", "exercises", "show", "data_parallel")),
    *(["d2ltl", *name] for name in ([], ["predict"], ["export"], ["app"], ["web"])),
    *(["data_hub", *name] for name in ([], ["verify"], ["clear"])),
]


@pytest.fixture
def speak(monkeypatch):
    """A function that makes the variables of the environment that choose the language just these."""

    def set_to(**variables):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_to


def run(*arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", env={**environment, **variables})


@pytest.mark.parametrize(
    ("chosen", "variables"),
    [
        ("en", {}),
        ("en", {"LANG": "C.UTF-8"}),
        ("en", {"LANG": "de_DE.UTF-8"}),
        ("vi", {"LANG": "vi_VN.UTF-8"}),
        ("vi", {"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN"}),
        ("vi", {"LC_MESSAGES": "vi_VN.UTF-8", "LANG": "en_US.UTF-8"}),
        ("vi", {"LANGUAGE": "de:vi:en", "LANG": "de_DE.UTF-8"}),
        ("en", {"LANGUAGE": "en_GB:vi", "LANG": "vi_VN.UTF-8"}),
        *(("zh_CN", {"LANG": name}) for name in ("zh_CN.UTF-8", "zh_SG.GB2312", "zh", "zh_Hans_HK", "zh-Hans")),
        *(("zh_TW", {"LANG": name}) for name in ("zh_TW.Big5", "zh_HK.UTF-8", "zh_MO", "zh_Hant", "zh-Hant-HK")),
        ("vi", {"D2LTL_LANG": "vi", "LC_ALL": "zh_TW.UTF-8"}),
        ("zh_TW", {"D2LTL_LANG": "zh-hk"}),
        ("en", {"D2LTL_LANG": "en", "LANG": "vi_VN.UTF-8"}),
        ("vi", {"D2LTL_LANG": "", "LANG": "vi_VN.UTF-8"}),
    ],
)
def test_the_language_is_that_of_the_variable_or_the_locale(chosen, variables, speak):
    speak(**variables)
    assert language.language() == chosen


@pytest.mark.parametrize("wanted", ["fr", "vietnamese", "C"])
def test_an_unknown_language_is_said_once_and_english_is_used(wanted, speak, caplog):
    speak(D2LTL_LANG=wanted, LANG="vi_VN.UTF-8")
    language._unknown.cache_clear()
    assert [_("options"), _("loss")] == ["options", "loss"]
    (record,) = caplog.records
    assert record.getMessage().startswith(f"D2LTL_LANG is {wanted}, ")
    assert "en, vi, zh_TW, zh_CN" in record.getMessage()


def test_an_unknown_language_of_a_command_is_one_line():
    done = run("d2ltl.show", D2LTL_LANG="fr")
    assert done.returncode == 0
    assert done.stdout == run("d2ltl.show").stdout
    assert len(done.stderr.splitlines()) == 1


def test_the_language_can_change_in_a_process(speak):
    said = []
    for name in LANGUAGES:
        speak(D2LTL_LANG=name)
        said.append(_("options"))
    assert len({*said}) == 4
    assert _("") == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_has_the_same_options_in_every_language(command):
    english = run(*command, "--help")
    assert english.returncode == 0
    seen = {english.stdout}
    for name in OTHERS:
        told = run(*command, "--help", D2LTL_LANG=name)
        assert (told.returncode, told.stderr) == (0, "")
        assert _options(told.stdout) == _options(english.stdout)
        seen.add(told.stdout)
    assert len(seen) == 4


def _options(text):
    """Return the options, and the words of the usage, without its first."""
    usage = text.partition("\n\n")[0].split("python -m", 1)[1]
    return {*re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text)}, usage.split()


@pytest.mark.parametrize("name", OTHERS)
def test_the_lines_of_the_usage_are_aligned(name):
    first, *others = run("d2ltl.compare", "--help", D2LTL_LANG=name).stdout.partition("\n\n")[0].splitlines()
    assert {columns(line) - columns(line.lstrip()) for line in others} == {columns(first.partition("[")[0])}


@pytest.mark.parametrize("name", OTHERS)
def test_argparse_says_what_is_missing_in_the_language(name, speak):
    done = run("d2ltl.advice", D2LTL_LANG=name)
    assert done.returncode == 2
    assert "FOLDER" in done.stderr.splitlines()[-1]
    assert "required" not in done.stderr


def test_what_the_terminal_cannot_encode_is_escaped():
    done = run("d2ltl.compare", "--help", D2LTL_LANG="zh_TW", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--strategies" in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "略過無法讀取的影像，也就是沒有辦法用任何方式解碼的檔案；預設：不略過。" * 3,
        "epoch 的數量：對訓練影像的完整走訪次數（例如 freeze-2），預設為 5，hotdog-mini 為 10。" * 2,
        "a few words of English, 然後是中文，và tiếng Việt nữa.",
    ],
)
@pytest.mark.parametrize("width", [20, 37, 54])
def test_lines_of_wide_characters_fit_and_nothing_is_lost(text, width):
    lines = wrap(text, width)
    assert max(map(columns, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line[0] in "，。；：）、" for line in lines)


@pytest.mark.parametrize("word", [".params", ".onnx", "?x", "!important"])
def test_the_dot_of_a_suffix_stays_with_it(word):
    lines = wrap(f"檔案、影像、{word}、影像", 12)
    assert any(line.startswith(word) for line in lines), lines


def test_a_table_of_wide_characters_has_straight_columns():
    table = text_table([["策略", "損失"], ["finetune", "0.1"], ["基準", "0.2"]]).splitlines()
    assert {columns(line.rsplit("  ", 1)[0] + "  ") for line in (table[0], *table[2:])} == {10}


@pytest.mark.parametrize("name", LANGUAGES)
@pytest.mark.filterwarnings("error:Glyph")
def test_the_labels_of_figures_are_drawn(name, speak):
    speak(D2LTL_LANG=name)
    history = History(["cpu(0)"], [Epoch(i, 1 / i, 0.5, 0.6, 1.0, 4.0, 0.7) for i in (1, 2)])
    curves = plot.plot_curves({"finetune": [history]}, chance=0.5)
    assert curves.axes[0].get_ylabel() == fonts.drawn_label(N_("loss"))
    confusion = plot.plot_confusion({"finetune": np.eye(2, dtype=int)}, ["hot dog", "other"])
    assert all(plot.png(figure) for figure in (curves, confusion))  # Matplotlib's warning of a missing glyph fails


@pytest.mark.parametrize("name", ["zh_TW", "zh_CN"])
def test_without_a_font_for_the_language_labels_are_in_english(name, speak, monkeypatch, caplog):
    speak(D2LTL_LANG=name)
    monkeypatch.setattr(fonts, "_system_fonts", list)
    for cache in (fonts._family_with, fonts._say_english):
        cache.cache_clear()
    assert [fonts.drawn_label("loss"), fonts.drawn_label("accuracy"), fonts.drawn_label("{name}: none", name="a")] == [
        "loss",
        "accuracy",
        "a: none",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert name in caplog.text
    fonts._family_with.cache_clear()


def test_vietnamese_needs_no_font_of_the_system(speak, monkeypatch):
    speak(D2LTL_LANG="vi")
    monkeypatch.setattr(fonts, "_system_fonts", list)
    fonts._family_with.cache_clear()
    assert fonts.drawn_label("loss") == _("loss") != "loss"
    fonts._family_with.cache_clear()
    assert fonts.is_drawable("ắằẳẵặấầẩẫậếềểễệốồổỗộớờởỡợứừửữựỳỵỷỹđĐƯƠ")


@pytest.mark.parametrize(
    ("text", "template", "told"),
    [
        ("images in a {b}/ itself", "images in {folder}/ itself", "a {b}/ 裡的影像"),
        ("3 of 40 images", "{number} of {all} images", "40 張影像中的 3 張"),
        ("something else", "{number} of {all} images", "something else"),
    ],
)
def test_a_saved_text_is_told_again_in_another_language(text, template, told, monkeypatch):
    translations = {
        "images in {folder}/ itself": "{folder}/ 裡的影像",
        "{number} of {all} images": "{all} 張影像中的 {number} 張",
    }
    assert language.retell(text, template) == text
    monkeypatch.setattr(language, "_", lambda text: translations.get(text, text))
    assert language.retell(text, template) == told
