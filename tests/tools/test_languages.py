"""The documentation in another language: which pages it has, and where their links lead."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from filelock import FileLock

pytest.importorskip("sphinx_intl", reason="needs the extra docs")

from tools.translations import LANGUAGES, pages, simplified

pytestmark = pytest.mark.full  # needs the extra docs


SEEN = "See without installing"  # a link in the sidebar


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """Build the pages in one language, where those in English would be around them."""
    folder = tmp_path_factory.mktemp("html")
    options = ["-D", "language=zh_CN", "-d", str(folder / "pages"), str(pages.DOCS), str(folder / "html/zh_CN")]
    sphinx = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-A", "gallery=1"]
    with FileLock(tmp_path_factory.getbasetemp().parent / "docs.lock"):  # another test writes there too
        pages.derive()  # as the English pages do, which are built before
        subprocess.run([*sphinx, *options], check=True)
    return folder / "html"


def texts_of(html):
    return {page: page.read_text(encoding="utf-8") for page in sorted(html.rglob("*.html"))}


def addresses(text):
    return [urlsplit(address) for address in re.findall(r'<a [^>]*href="([^"]+)"', text)]


def exists(target: Path, html: Path) -> bool:
    """Say whether there is a page, will be one in English or in another language, or is the gallery above."""
    if target == html.parent / "index.html" or target.is_relative_to(html / "zh_CN"):
        return target == html.parent / "index.html" or target.is_file()
    page = target.relative_to(html).with_suffix("")
    if page.parts[0] in LANGUAGES:
        page = page.relative_to(page.parts[0])
    sources = (pages.DOCS / f"{page}.md", pages.ROOT / f"{page}.ipynb")
    return page.name in ("search", "genindex") or any(source.is_file() for source in sources)


def test_it_has_the_translated_pages_only(html):
    built = {page.relative_to(html / "zh_CN").as_posix() for page in texts_of(html)}
    assert {"index.html", "glossary.html", "howto/gpu.html", "chapters/01-fine-tuning.html"} <= built
    assert built.isdisjoint({"scale.html", "api/index.html", "chapters/03-why-transfer.html"})


def test_the_words_of_the_templates_are_translated(html):
    link = re.search(r'<a class="gallery"[^>]*>(.+)</a>', texts_of(html)[html / "zh_CN/index.html"])
    assert link[1] == simplified.simplify(pages.read(pages.folder_of("zh_TW") / "sphinx.po")[SEEN].string)
    assert link[1] != SEEN


def test_every_page_says_its_language(html):
    for page, text in texts_of(html).items():
        assert '<html class="no-js" lang="zh-CN"' in text, page
        assert 'lang="zh-CN" aria-current="true"' in re.sub(r'hreflang="[^"]*"\s*', "", text), page


def test_every_link_leads_to_a_page_also_the_links_to_english_and_other_languages(html):
    english = set()
    for page, text in texts_of(html).items():
        links = [link for link in addresses(text) if link.path and not link.netloc]
        assert {link.scheme for link in links} == {""}, page
        targets = {(page.parent / link.path).resolve() for link in links}
        assert [target for target in targets if not exists(target, html)] == [], page
        assert html.parent / "index.html" in targets
        english |= {target for target in targets if target.parent == html}
    assert {html / "index.html", html / "scale.html", html / "vocabulary.html"} <= english


def test_a_page_is_offered_in_all_languages(html):
    text = (html / "zh_CN/howto/gpu.html").read_text(encoding="utf-8")
    for there in ("../../howto", "../../vi/howto", "../../zh_TW/howto", "../../zh_CN/howto"):
        assert f'href="{there}/gpu.html"' in text


def test_the_glossary_shows_the_terms_of_all_languages(html):
    text = (html / "zh_CN/glossary.html").read_text(encoding="utf-8")
    entry = text[text.index("预训练模型") :]
    names = re.findall(r'<strong lang="([^"]+)">([^<]+)</strong>', entry)[:3]
    assert names == [("en", "pretrained model"), ("vi", "mô hình huấn luyện trước"), ("zh-TW", "預訓練模型")]
