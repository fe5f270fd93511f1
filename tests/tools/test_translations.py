"""The check of the translations finds each kind of mistake, and none in the project's own catalogues."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

pytest.importorskip("sphinx_intl", reason="needs the extra docs")

from tools.translations import WRITTEN, pages, pictures, simplified
from tools.translations.check import find_terms, has_words

pytestmark = pytest.mark.full  # needs the extra docs

TERMS = {
    "layer": "tầng",
    "output layer": "lớp ra",
    "batch": "lô",
    "batch size": "cỡ lô",
    "strategy": "chiến lược",
    "class": "lớp",
    "LP-FT": "LP-FT",
}
UP_TO_DATE = [("An image", "Một ảnh"), ("Use `--net` with 2 of %(count)d", "Dùng `--net` với 2 trong %(count)d")]


def write(file: Path, messages, comments=()):
    """Write a catalogue of pairs: a text and its translation."""
    above = "".join(f"{comment}\n" for comment in comments)
    entries = [f'{above}msgid "{text}"\nmsgstr "{translation}"\n' for text, translation in messages]
    file.parent.mkdir(parents=True, exist_ok=True)
    head = pages.HEAD.format("vi")
    file.write_text(head + "\n".join(entries), encoding="utf-8")


def problems(folder, translated, source=None, comments=(), terms=TERMS):
    """Check a catalogue, which by default has the messages of the source."""
    source = [text for text, _ in translated] if source is None else source
    write(folder / "templates/page.pot", [(text, "") for text in source])
    write(folder / "vi/page.po", translated, comments)
    return list(pages.check_folder(folder / "vi", folder / "templates", terms))


def test_nothing_is_wrong(tmp_path):
    assert problems(tmp_path, UP_TO_DATE) == []


def test_a_problem_names_file_and_message(tmp_path):
    assert problems(tmp_path, [("An image", "")]) == [f"{tmp_path}/vi/page.po: 'An image' has no translation"]


@pytest.mark.parametrize("text", ["Summary", "Use `--out` here", "On Python 3.11", "yes (10.13 or later)"])
def test_a_text_translated_by_itself_is_not_translated(tmp_path, text):
    [problem] = problems(tmp_path, [(text, text)])
    assert problem.endswith("is translated by itself")


@pytest.mark.parametrize(
    "text",
    [
        "`a.jpg`, `b.png`",
        "0.3144",
        "MXNet",
        "Linux x86-64",
        "$a + b$",
        "%(name)s: {0:.2f}",
        "5.x, RTX 20",
        "![](a.png)",
    ],
)
def test_code_numbers_and_names_stay_as_they_are(tmp_path, text):
    assert not has_words(text)
    assert problems(tmp_path, [(text, text)]) == []


@pytest.mark.parametrize("comment", ["#, fuzzy", "#, fuzzy, python-format"])
def test_the_translation_of_an_earlier_text(tmp_path, comment):
    found = problems(tmp_path, UP_TO_DATE, comments=[comment])
    assert len(found) == 2
    assert all("has the translation of an earlier text" in problem for problem in found)


def test_a_message_that_the_source_no_longer_has_and_the_reverse(tmp_path):
    found = problems(tmp_path, UP_TO_DATE, source=["An image", "A new text", "Another"])
    assert len(found) == 3
    assert "'A new text' is not in it" in found[0]
    assert "'Another' is not in it" in found[1]
    assert "'Use `--net` with 2 of %(count)d' is no longer in the source" in found[2]


def test_a_catalogue_that_is_missing_and_one_of_nothing(tmp_path):
    write(tmp_path / "templates/howto/new.pot", [("An image", "")])
    write(tmp_path / "vi/howto/old.po", UP_TO_DATE)
    new, old = pages.check_folder(tmp_path / "vi", tmp_path / "templates", TERMS)
    assert "howto/new.po: 'An image' is not in it" in new
    assert "howto/old.po translates nothing" in old


@pytest.mark.parametrize(
    ("text", "translation", "lacking", "added"),
    [
        ("2,000 images", "2000 ảnh", "2,000", "2000"),
        ("from 0.5 to 1", "từ 0,5 đến 1", "0.5", "0,5"),
        ("5 and 5", "5 và 6", "5", "6"),
        ("ResNet-18", "ResNet-50", "18", "50"),
    ],
)
def test_another_number(tmp_path, text, translation, lacking, added):
    lacks, adds = problems(tmp_path, [(text, translation)])
    assert lacks.endswith(f"has {lacking}, which its translation lacks")
    assert adds.endswith(f"has no {added}, which is in its translation")


@pytest.mark.parametrize(
    ("translation", "wrong"), [("1. Tăng tốc", 1), ("12. Tăng 1 lần", 1), (r"1\. Tăng tốc", 0), ("Bước 1. Tăng tốc", 0)]
)
def test_a_heading_with_a_number_is_no_list(tmp_path, translation, wrong):
    found = problems(tmp_path, [("1. Go faster" if "12" not in translation else "12. Go 1 faster", translation)])
    assert [problem for problem in found if "item of a list" in problem] == found
    assert len(found) == wrong


@pytest.mark.parametrize(
    ("text", "translation"),
    [("three of 1,000, or 95 %", "95% hay ba trong 1,000"), ("1 to 2", "2、1"), ("224 × 224.", "224×224。")],
)
def test_numbers_in_another_order(tmp_path, text, translation):
    assert problems(tmp_path, [(text, translation)]) == []


@pytest.mark.parametrize(
    ("text", "translation", "lacking"),
    [
        ("Run `make docs`", "Chạy `make doc`", "`make docs`"),
        ("See [it](a.md#b)", "Xem [nó](a.md)", "(a.md#b)"),
        ("At https://d2l.ai/x.html", "Ở https://d2l.ai", "https://d2l.ai/x.html"),
        ("If $a < b$", "Nếu $a > b$", "$a < b$"),
        ("%(count)d files", "%(number)d tệp", "%(count)d"),
        ("{file} is empty", "tệp rỗng", "{file}"),
        ("%s is empty", "%d rỗng", "%s"),
        ("Without --resume", "Không có --resumes", "--resume"),
        ("<b>A</b> b", "<b>A</i> b", "</b>"),
        ("``a`b``", "``a`c``", "``a`b``"),
    ],
)
def test_another_code_span_link_formula_or_placeholder(tmp_path, text, translation, lacking):
    found = problems(tmp_path, [(text, translation)])
    assert any(problem.endswith(f"has {lacking}, which its translation lacks") for problem in found)


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("95 % is `a` and `b`", "`b` và `a` là 95 %"),
        ("a cost of $5", "giá $5"),
        ("[a](b.md) (c)", "(c) [a](b.md)"),
        ("`x` at https://d2l.ai.", "在 https://d2l.ai.，`x`"),
    ],
)
def test_what_is_kept_may_stand_elsewhere(tmp_path, text, translation):
    assert problems(tmp_path, [(text, translation)]) == []


@pytest.mark.parametrize(
    ("text", "translation", "term"),
    [
        ("One batch", "Một nhóm", "batch"),
        ("The batches", "Các nhóm", "batch"),
        ("Two Strategies", "Hai cách", "strategy"),
        ("the batch\\nsize", "lô", "batch size"),
        ("An output layer", "Một tầng đầu ra", "output layer"),
        ("Many classes!", "Nhiều loại!", "class"),
    ],
)
def test_a_term_translated_in_another_way(tmp_path, text, translation, term):
    [problem] = problems(tmp_path, [(text, translation)])
    assert f"has the term {term!r}, which is {TERMS[term]!r} in the glossary" in problem


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("Batches of LP-FT", "Lô của LP-FT"),
        ("An output layer", "Một lớp ra"),
        ("multi-layer, classify, `batch`", "nhiều lớp, phân loại, `batch`"),
        ("a [page](batch.md)", "một [trang](batch.md)"),
    ],
)
def test_a_term_translated_as_in_the_glossary(tmp_path, text, translation):
    assert problems(tmp_path, [(text, translation)]) == []


def test_the_word_of_a_term_in_another_sense(tmp_path):
    pupils = [("The layers of a class", "Các tầng của học sinh")]
    assert problems(tmp_path, pupils, comments=["# another sense: class"]) == []
    assert problems(tmp_path, pupils, comments=["# another sense: batch, class"]) == []
    assert len(problems(tmp_path, pupils, comments=["# another sense: layer"])) == 1


@pytest.mark.parametrize(
    ("translation", "wrong"),
    [("%(n)d lô", []), ("một lô", ["%(n)d"]), ("%(n)d nhóm", ["'batch'"]), ("", ["no translation"])],
)
def test_a_message_with_a_plural(tmp_path, translation, wrong):
    file = tmp_path / "vi.po"
    write(file, [])
    entry = f'msgid "one batch"\nmsgid_plural "%(n)d batches"\nmsgstr[0] "{translation}"\n'
    file.write_text(file.read_text(encoding="utf-8") + entry, encoding="utf-8")
    found = list(pages.check_file(file, file, TERMS))
    assert len(found) == len(wrong)
    assert all(part in problem for part, problem in zip(wrong, found))


def test_a_longer_term_hides_the_shorter_ones_in_it():
    assert find_terms("Batch sizes and the output layers", TERMS) == {"batch size", "output layer"}
    assert find_terms("An output layer is a layer.", TERMS) == {"output layer", "layer"}
    for plural, term in (("confusion matrices", "confusion matrix"), ("accuracies", "accuracy"), ("losses", "loss")):
        assert find_terms(f"Two {plural}.", {term: ""}) == {term}


@pytest.mark.parametrize(
    ("taiwan", "mainland"),
    [
        ("遷移學習的影像", "迁移学习的图像"),
        ("批次正規化", "批量规范化"),
        ("信賴區間 95 %", "置信区间 95 %"),
        ("程式庫的工作行程", "库的工作进程"),
        ("執行程式，一行程式", "运行程序，一行程序"),
        ("亂數產生器的亂數", "随机数生成器的随机数"),
        ("橫列和直行", "行和列"),
        ("預設 `預設`，[檔案](資料夾/檔案.md)", "默认 `預設`，[文件](資料夾/檔案.md)"),
    ],
)
def test_simplified_chinese_is_derived_except_for_code_and_links(taiwan, mainland):
    assert simplified.simplify(taiwan) == mainland


def test_an_update_keeps_translations_and_comments(tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    settings = "extensions = ['myst_parser']\ngettext_compact = False\ngettext_location = False\n"
    (docs / "conf.py").write_text(settings, encoding="utf-8")
    (docs / "index.md").write_text(
        "# Start\n\nA class of pupils\n\nAn old sentence with a few words.\n", encoding="utf-8"
    )
    monkeypatch.setattr(pages, "DOCS", docs)
    monkeypatch.setattr(pages, "PAGES", docs / "locale")
    monkeypatch.setattr(pages, "WRITTEN", ("vi",))
    file = docs / "locale/vi/LC_MESSAGES/index.po"
    sense = ["# another sense: class"]
    pairs = [("Start", "Mở đầu"), ("A class of pupils", "Một nhóm"), ("An old sentence with a few words.", "Câu cũ.")]
    write(file, pairs, sense)
    pages.update()
    first = file.read_text(encoding="utf-8")
    assert "Date" not in first
    assert [pages.read(file)[text].string for text, _ in pairs] == ["Mở đầu", "Một nhóm", "Câu cũ."]
    (docs / "index.md").write_text(
        "# Start\n\nA class of pupils\n\nA new sentence with a few words.\n", encoding="utf-8"
    )
    pages.update()
    catalogue = pages.read(file)
    assert catalogue["A class of pupils"].string == "Một nhóm"
    assert catalogue["A class of pupils"].user_comments == ["another sense: class"]
    assert catalogue["A new sentence with a few words."].fuzzy
    assert "An old sentence" not in file.read_text(encoding="utf-8")
    second = file.read_text(encoding="utf-8")
    pages.update()
    assert file.read_text(encoding="utf-8") == second


def test_the_catalogues_of_the_project(tmp_path_factory):
    check = [sys.executable, "-m", "tools.translations", "check"]
    with FileLock(tmp_path_factory.getbasetemp().parent / "docs.lock"):  # another test writes there too
        done = subprocess.run(check, cwd=pages.ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_words_of_a_picture_are_translated_and_nothing_else():
    svg = '<svg><title>A layer</title><text x="1">a &lt; layer</text><text>2</text><text>…</text><path d="M1 2"/></svg>'
    drawn = pictures.translated(svg, {"A layer": "Một tầng", "a < layer": "tầng <"})
    assert drawn == svg.replace("A layer", "Một tầng").replace("a &lt; layer", "tầng &lt;")


@pytest.mark.parametrize("language", WRITTEN)
def test_a_picture_has_no_english_words_in_another_language(tmp_path, language):
    catalogue = pages.read(pages.folder_of(language) / f"{pictures.DOMAIN}.po")
    pictures.write_pictures(tmp_path, language, catalogue)
    [drawn] = tmp_path.glob(f"four-steps.{language}.svg")
    words = pictures.WORDS.findall(drawn.read_text(encoding="utf-8"))
    assert len(words) > 20
    assert not {message.id for message in pictures.template()} & set(words)
