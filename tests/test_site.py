"""The site: it builds with no warning, a broken link fails it, and a browser finds nothing wrong with it."""

import functools
import http.server
import itertools
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
pytest.importorskip("mkdocstrings", reason="the site needs the extra `docs`")
pytest.importorskip("l2m4m", reason="the site needs the extra `docs`")

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = {".git", ".venv", ".oracle", "build", "site"}
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)
WIDTHS = (400, 1000, 1600)  # pixels: a telephone, a tablet, a screen


@pytest.mark.parametrize(("link", "code"), [("docs/map.md", 0), ("docs/none.md", 1), ("docs/map.md#none", 1)])
def test_a_broken_link_fails_the_build(link, code, tmp_path):
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    alone = {"docs_dir": "pages", "nav": None, "plugins": ["search"], "hooks": [], "extra_css": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump({**settings, **alone, "extra_javascript": []}))
    (tmp_path / "pages/docs").mkdir(parents=True)
    (tmp_path / "pages/README.md").write_text(f"# Start\n\n[a]({link})\n")
    (tmp_path / "pages/docs/map.md").write_text("# Map\n")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of the whole site, built by `make docs` in a copy of links."""
    if not shutil.which("make"):
        pytest.skip("no make")
    folder = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.name not in LEFT_OUT:
            (folder / path.name).symlink_to(path)
    stamps = [f"{sys.prefix}/{name}" for name in (".ready", ".with-docs")]
    as_it_is = [word for stamp in stamps for word in ("-o", stamp)]  # nothing is installed
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = ["make", "docs", f"VENV={sys.prefix}", *as_it_is]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder / "site"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra `browser`")
    if BROWSER is None:
        pytest.skip("no Chromium")
    quiet = ("background-networking", "component-update", "sync", "gpu")
    options = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=BROWSER, args=options)
        yield started
        started.close()


@pytest.fixture
def opened(browser, site):
    """Opens pages; what went wrong with any of them is in ``opened.wrong``."""

    class Opened:
        wrong: list = []  # noqa: RUF012  # of one test

        def page(self, width, scheme="light"):
            self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = self.context.new_page()
            page.on(
                "console", lambda m: self.wrong.append(m.text) if m.type in ("error", "warning") else None
            )
            page.on("pageerror", lambda error: self.wrong.append(str(error)))
            page.on(
                "request",
                lambda r: self.wrong.append(r.url) if not r.url.startswith((site, "data:")) else None,
            )
            return page

    found = Opened()
    found.wrong = []
    yield found
    found.context.close()
    assert found.wrong == []


SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


def sized(page, width):
    page.set_viewport_size({"width": width, "height": 900})


def pages_of_the_navigation(page):
    links = page.locator(".md-nav--primary a.md-nav__link")
    found = set(links.evaluate_all("links => links.map(link => link.pathname)"))
    assert len(found) > 20
    return found


@pytest.mark.slow
@SCHEMES
def test_every_page_fits_and_its_figures_have_texts(opened, site, scheme):
    page = opened.page(WIDTHS[0], scheme)
    page.goto(site)
    too_wide = []
    for path, first in zip(sorted(pages_of_the_navigation(page)), itertools.cycle(WIDTHS), strict=False):
        sized(page, first)  # the widths take turns to load
        page.goto(site + path.lstrip("/"))
        page.add_style_tag(content="* { transition: none !important }")  # a new width holds at once
        assert page.evaluate("[...document.images].filter(image => !image.alt).length") == 0, path
        shown = page.evaluate("document.body.dataset.mdColorScheme")
        assert shown == {"light": "default", "dark": "slate"}[scheme], path
        for width in WIDTHS:
            sized(page, width)
            if (needed := page.evaluate("document.documentElement.scrollWidth")) > width:
                too_wide.append((path, width, needed))
    assert too_wide == []


@pytest.mark.slow
@SCHEMES
def test_the_search_finds_sigma(opened, site, scheme):
    page = opened.page(WIDTHS[0], scheme)
    for width in WIDTHS:
        sized(page, width)
        page.goto(site)
        page.keyboard.press("/")
        page.keyboard.type("sigma")
        page.wait_for_selector(".md-search-result__item a")
        assert "sigma" in page.inner_text(".md-search-result").lower(), width


@pytest.mark.slow
@SCHEMES
def test_every_page_is_reached_by_keyboard(opened, site, scheme):
    page = opened.page(WIDTHS[0], scheme)
    for width in WIDTHS:
        sized(page, width)
        page.goto(site + "docs/start/")
        wanted = pages_of_the_navigation(page)
        if width < 1220:  # the navigation is a menu
            page.focus("label[for=__drawer].md-header__button")
            page.keyboard.press("Enter")
            assert page.is_checked("#__drawer")
        reached = set()
        for _ in range(4 * len(wanted)):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.pathname ?? ''"))
        assert wanted - reached == set(), width


@pytest.mark.slow
def test_the_leaderboard_is_filtered_and_explains_a_rank(opened, site):
    page = opened.page(1000)
    page.goto(site + "docs/leaderboard/")
    page.select_option("select[name=metric]", "all")
    assert page.locator(".leaderboard thead th").count() > 2
    page.select_option("select[name=kind]", "series")
    assert "4 datasets" in page.inner_text(".leaderboard thead")
    page.locator(".leaderboard td button").first.press("Enter")
    detail = page.locator(".leaderboard .detail")
    assert "python -m experiments." in detail.inner_text()
    link = detail.locator("a").last.get_attribute("href")
    page.goto(page.url.split("#")[0] + link)
    assert page.locator(f"[id='{link.partition('#')[2]}']").count() == 1
