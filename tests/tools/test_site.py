"""The folder for a web server: complete, with no photograph, and with nothing from elsewhere."""

import re
import shutil
from urllib.parse import urlsplit

import pytest

from tools import site

pytestmark = [
    pytest.mark.full,  # needs the extra onnx
    pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm: apt-get install npm"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    for language in ("", "vi", "zh_TW", "zh_CN"):
        (folder / "html" / language).mkdir()
        (folder / "html" / language / "index.html").write_text("the documentation")
    codes = {"size": 32, "strategies": ["codes-softmax"]}
    short = [one._replace(options={**one.options, **codes, "cross_validate": None}) for one in site.COMPARISONS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site, "COMPARISONS", short)
        site.build_site(folder / "site", docs=folder / "html")
    return folder / "site"


def test_every_link_of_the_first_page_leads_to_a_file(built):
    links = re.findall(r'href="([^":]+)"', (built / "index.html").read_text(encoding="utf-8"))
    assert len(links) == 5 + len(site.COMPARISONS)
    assert [link for link in links if not (built / link).is_file()] == []


def test_reports_and_page_are_of_rendered_images(built):
    for name, *_ in site.COMPARISONS:
        assert "hotdog-mini (rendered images)" in (built / "reports" / f"{name}.html").read_text(encoding="utf-8")
    assert "rendered images, not photographs" in " ".join((built / "photograph/index.html").read_text().split())


def test_nothing_is_loaded_from_elsewhere_and_no_path_of_this_machine_is_told(built):
    for page in (*built.glob("*.html"), *built.glob("reports/*.html"), *built.glob("photograph/*.html")):
        text = page.read_text(encoding="utf-8")
        addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert {urlsplit(address).scheme for address in addresses} <= {"", "data"}, page
        assert str(built.parent) not in text
        assert "/tmp/" not in text


def test_the_network_of_another_comparison(built, monkeypatch, tmp_path):
    monkeypatch.setattr(site, "COMPARISONS", [])
    with pytest.raises(site.d2ltl.WeightsError, match=f"{tmp_path} is not a trained network"):
        site.build_site(tmp_path / "site", docs=built / "docs", run=tmp_path)
