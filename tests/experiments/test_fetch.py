import gzip
import hashlib
import io
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from experiments import fetch
from experiments.data import sources
from experiments.data.recipes import DATASETS, Recipe, _series, load_dataset
from experiments.data.sources import Source

GOOD = b"date,a,b\n2020-01-01,1,2\n2020-01-02,3,4\n"


@pytest.fixture(scope="module")
def server():
    """A local server; `pages` maps a path to (body, announced length)."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.hits.append(self.path)
            if self.path not in server.pages:
                self.send_error(404)
                return
            body, length = server.pages[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.pages, server.hits = {}, []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def world(server, tmp_path, monkeypatch):
    server.pages.clear()
    server.hits.clear()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("DENOGRAD_DATA", raising=False)
    monkeypatch.setattr(sources, "RAW", tmp_path / "raw")


@pytest.fixture
def publish(server, monkeypatch):
    """Put a body behind an address and register the dataset `my_data` whose file is there."""

    def put(body, path="/f.csv", cut=0, more=(), by_blob=False, file="f.csv"):
        server.pages[path] = (body[: len(body) - cut], len(body))
        urls = [f"http://127.0.0.1:{server.server_port}{p}" for p in (*more, path)]
        proof = (
            {"blobs": (sources.git_blob(GOOD),)} if by_blob else {"sha256": hashlib.sha256(GOOD).hexdigest()}
        )
        source = Source(
            f"my_data/{file}", "https://page.test", "CC0", n_bytes=len(GOOD), urls=tuple(urls), **proof
        )
        monkeypatch.setitem(sources.SOURCES, source.path, source)
        files = tuple(key for key in sources.SOURCES if key.startswith("my_data/"))
        monkeypatch.setitem(DATASETS, "my_data", Recipe("my_data", "series", (2, 2), "b", files, _series))

    return put


def zipped(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def left_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_downloaded_once_and_can_be_loaded(publish, server, tmp_path, capsys):
    publish(GOOD)
    assert fetch.main(["my_data"]) == 0
    assert left_in(tmp_path) == ["raw/my_data/f.csv"]
    assert load_dataset("my_data").shape == (2, 2)
    assert fetch.main(["my_data"]) == 0
    assert "at hand" in capsys.readouterr().out
    assert server.hits == ["/f.csv"]


def test_data_dir_says_where(publish, tmp_path):
    publish(GOOD)
    assert fetch.main(["my_data", f"data_dir={tmp_path / 'new' / 'folder'}"]) == 0
    assert left_in(tmp_path) == ["new/folder/my_data/f.csv"]


@pytest.mark.parametrize("by_blob", [False, True])
def test_the_right_member_of_a_zip_is_found_by_its_sum(by_blob, publish, tmp_path):
    publish(
        zipped(**{"read me.txt": b"x", "a/b/other name": GOOD, "c.csv": GOOD[:-1] + b"x"}), by_blob=by_blob
    )
    assert fetch.main(["my_data"]) == 0
    assert (tmp_path / "raw/my_data/f.csv").read_bytes() == GOOD


def test_two_files_of_one_zip_cost_one_download(publish, server, tmp_path):
    body = zipped(one=GOOD)
    publish(body)
    publish(body, file="g.csv")
    assert fetch.main(["my_data"]) == 0
    assert left_in(tmp_path) == ["raw/my_data/f.csv", "raw/my_data/g.csv"]
    assert server.hits == ["/f.csv"]


def test_other_line_ends_are_put_right(publish, tmp_path):
    publish(GOOD.replace(b"\n", b"\r\n"))
    assert fetch.main(["my_data"]) == 0
    assert (tmp_path / "raw/my_data/f.csv").read_bytes() == GOOD


def test_the_next_address_is_tried(publish, server, tmp_path):
    publish(GOOD, more=["/gone.csv"])
    assert fetch.main(["my_data"]) == 0
    assert server.hits == ["/gone.csv", "/f.csv"]


@pytest.mark.parametrize(
    ("body", "cut", "why"),
    [
        (GOOD, 9, "IncompleteRead|Connection broken"),
        (GOOD[:-9], 0, "does not hold the published file"),
        (GOOD.replace(b"3", b"9"), 0, "does not hold the published file"),
        (b"<html>please log in</html>", 0, "does not hold the published file"),
        (b"", 0, "does not hold the published file"),
        (zipped(a=b"other"), 0, "a: 5 bytes"),
        (zipped(a=GOOD)[:-30], 0, "does not hold the published file"),
        (zipped(a=GOOD * 1000), 0, "it is empty"),
        (zipped(**{"../../evil.csv": GOOD}), 0, "not to be trusted"),
        (zipped(**{"/etc/evil.csv": GOOD}), 0, "not to be trusted"),
        (zipped(**{"C:\\evil.csv": GOOD}), 0, "not to be trusted"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(body, cut, why, publish, tmp_path, capsys):
    publish(body, cut=cut)
    assert fetch.main(["my_data"]) == 1
    assert left_in(tmp_path) == []
    said = capsys.readouterr().err
    assert re.search(why, said)
    for part in (
        "https://page.test",
        "f.csv",
        str(tmp_path / "raw/my_data/f.csv"),
        hashlib.sha256(GOOD).hexdigest(),
    ):
        assert part in said


def test_a_member_with_a_wrong_crc(publish, tmp_path, capsys):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", GOOD)
    publish(buffer.getvalue().replace(b"2020-01-02", b"2020-01-03", 1))
    assert fetch.main(["my_data"]) == 1
    assert "damaged" in capsys.readouterr().err


def test_without_an_address_the_rest_goes_on_and_the_code_is_1(publish, tmp_path, monkeypatch, capsys):
    publish(GOOD)
    manual = Source("by_hand/g.csv", "https://folder.test", "CC0", hashlib.sha256(b"g").hexdigest(), 1)
    monkeypatch.setitem(sources.SOURCES, manual.path, manual)
    monkeypatch.setitem(
        DATASETS, "by_hand", Recipe("by_hand", "series", (1, 2), "b", (manual.path,), _series)
    )
    assert fetch.main(["by_hand", "my_data"]) == 1
    assert left_in(tmp_path) == ["raw/my_data/f.csv"]
    said = capsys.readouterr().err
    for part in (
        "no direct download",
        "https://folder.test",
        "g.csv",
        str(tmp_path / "raw/by_hand/g.csv"),
        "1 of 2",
    ):
        assert part in said


def test_a_damaged_file_in_place_is_replaced(publish, tmp_path):
    publish(GOOD)
    (tmp_path / "raw/my_data").mkdir(parents=True)
    (tmp_path / "raw/my_data/f.csv").write_bytes(GOOD[:-5])
    assert fetch.main(["my_data"]) == 0
    assert load_dataset("my_data").shape == (2, 2)


def test_a_damaged_file_elsewhere_is_named_not_hidden(publish, tmp_path, monkeypatch, capsys):
    publish(GOOD)
    (tmp_path / "env/my-data").mkdir(parents=True)
    (tmp_path / "env/my-data/f.csv.gz").write_bytes(gzip.compress(GOOD)[:-5])
    monkeypatch.setenv("DENOGRAD_DATA", str(tmp_path / "env"))
    assert fetch.main(["my_data"]) == 1
    assert str(tmp_path / "env/my-data/f.csv.gz") in capsys.readouterr().err


def test_an_interrupt_leaves_no_half_file(publish, tmp_path, monkeypatch, capsys):
    publish(GOOD)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch.os, "replace", interrupted)
    assert fetch.main(["my_data"]) == 130
    assert left_in(tmp_path) == []
    assert "Interrupted" in capsys.readouterr().err


def test_verify_reports_and_touches_nothing(publish, server, tmp_path, capsys):
    publish(GOOD)
    assert fetch.main(["my_data", "--verify"]) == 1
    assert "missing" in capsys.readouterr().out
    file = tmp_path / "raw/my_data/f.csv"
    file.parent.mkdir(parents=True)
    file.write_bytes(GOOD)
    assert fetch.main(["my_data", "verify=true"]) == 0
    assert "right" in capsys.readouterr().out
    file.write_bytes(GOOD + b"x")
    assert fetch.main(["my_data", "--verify"]) == 1
    assert "altered" in capsys.readouterr().out
    assert server.hits == []


def test_bad_arguments(publish, tmp_path, capsys):
    publish(GOOD)
    assert fetch.main(["my_dat"]) == 2
    assert fetch.main([]) == 2
    assert "my_data" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert fetch.main(["my_data", "--data-dir", str(tmp_path / "file")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_embedded_data_need_no_fetching(capsys):
    assert fetch.main(["diabetes", "poly2"]) == 0
    assert "Nothing to fetch" in capsys.readouterr().out


def test_all_covers_every_file_once():
    assert {source.path for source in fetch.sources_of(["all"])} == set(sources.SOURCES)
    assert len(fetch.sources_of(["all", "ett"])) == len(sources.SOURCES)


def test_help(capsys):
    assert fetch.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples" in shown
    assert "data_dir=null" in shown
