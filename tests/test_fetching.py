"""Fetching against a real web server that cuts, lies, forgets and refuses."""

import errno
import hashlib
import re
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import fetching
from pipeline.fetching import fetch

CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2
MD5, SHA256 = hashlib.md5(CONTENT).hexdigest(), hashlib.sha256(CONTENT).hexdigest()
PATIENCE = 5.0  # seconds
PAGE = b"<html>Sign in to the network</html>"
PORTAL = b"Sign in to the network"  # served as a page, though it does not begin like one


class Mirror(BaseHTTPRequestHandler):
    """Serves CONTENT everywhere, in the manner that the test queued for the path, and notes what was asked and sent."""

    def do_GET(self):
        manners = self.server.manners.get(self.path, [])
        manner = manners.pop(0) if manners else "whole"
        asked = self.headers.get("Range")
        note = SimpleNamespace(path=self.path, range=asked, sent=0)
        self.server.notes.append(note)
        if isinstance(manner, int):
            self.send_error(manner)
            return
        body = {"page": PAGE, "flipped": CONTENT[:-1] + b"?", "portal": PORTAL}.get(manner, CONTENT)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and manner != "no ranges" else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if manner == "portal":
            self.send_header("Content-Type", "text/html; charset=utf-8")
        if manner != "no length":
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.send(body[start:], manner, note)

    def send(self, body, manner, note):
        first = len(body) // 2 if manner in ("cut", "stall", "gate") else len(body)
        note.sent = first
        self.wfile.write(body[:first])
        if manner == "stall":
            self.server.over.wait(PATIENCE)
        if manner == "gate":
            self.server.half_sent.set()
            self.server.gate.wait(5)
            note.sent = len(body)
            self.wfile.write(body[first:])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(fetching, "BACKOFF", 0.001)
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as web:
        web.manners, web.notes = {}, []
        web.half_sent, web.gate, web.over = threading.Event(), threading.Event(), threading.Event()
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield web
        web.over.set()
        web.shutdown()


def sources(server, *paths, **digest):
    port = server.server_address[1]
    return {"data.gz": (digest or {"md5": MD5}) | {"urls": [f"http://127.0.0.1:{port}{path}" for path in paths]}}


def asked(server):
    return [(note.path, note.range) for note in server.notes]


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".fetching")


def assert_fetched(folder):
    assert (folder / "data.gz").read_bytes() == CONTENT
    assert names(folder) == ["data.gz"]


@pytest.mark.parametrize("digest", [{"md5": MD5}, {"sha256": SHA256}])
def test_fetches_an_absent_file_into_a_folder_that_it_makes_and_tells_its_sha256(server, tmp_path, digest):
    folder = tmp_path / "new" / "folder"
    assert fetch(sources(server, "/a", **digest), folder) == {"data.gz": SHA256}
    assert_fetched(folder)


def test_a_second_call_asks_nobody(server, tmp_path):
    for _ in range(2):
        fetch(sources(server, "/a"), tmp_path)
    assert asked(server) == [("/a", None)]


def test_nothing_is_written_where_everything_is_right(tmp_path):
    (tmp_path / "data.gz").write_bytes(CONTENT)
    tmp_path.chmod(0o555)
    before = tmp_path.stat().st_mtime_ns
    try:
        assert fetch({"data.gz": {"md5": MD5, "urls": []}}, tmp_path) == {"data.gz": SHA256}
    finally:
        tmp_path.chmod(0o755)
    assert tmp_path.stat().st_mtime_ns == before, "a file was made or removed, which a read-only folder refuses"


@pytest.mark.parametrize("digest", [{"md5": MD5}, {"sha256": SHA256}])
def test_a_wrong_file_of_the_users_is_named_and_left(server, tmp_path, digest):
    (tmp_path / "data.gz").write_bytes(PAGE)
    ((kind, expected),) = digest.items()
    found = hashlib.new(kind, PAGE).hexdigest()
    with pytest.raises(ValueError, match=f"{tmp_path}/data.gz .* {kind} is {found} instead of {expected}"):
        fetch(sources(server, "/a", **digest), tmp_path)
    assert (tmp_path / "data.gz").read_bytes() == PAGE
    assert server.notes == []


def test_after_a_cut_only_the_missing_bytes_are_sent(server, tmp_path):
    server.manners["/a"] = ["cut"]
    fetch(sources(server, "/a"), tmp_path)
    assert asked(server) == [("/a", None), ("/a", f"bytes={HALF}-")]
    assert [note.sent for note in server.notes] == [HALF, len(CONTENT) - HALF]
    assert_fetched(tmp_path)


def test_after_a_silence_only_the_missing_bytes_are_sent(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", 0.2)
    server.manners["/a"] = ["stall"]
    begin = time.monotonic()
    fetch(sources(server, "/a"), tmp_path)
    assert time.monotonic() - begin < PATIENCE, "it waited until the server gave up"
    assert asked(server) == [("/a", None), ("/a", f"bytes={HALF}-")]
    assert_fetched(tmp_path)


def test_a_server_without_ranges_starts_again(server, tmp_path):
    server.manners["/a"] = ["cut", "no ranges"]
    fetch(sources(server, "/a"), tmp_path)
    assert asked(server) == [("/a", None), ("/a", f"bytes={HALF}-")]
    assert_fetched(tmp_path)


def test_a_file_of_unannounced_length_is_fetched(server, tmp_path):
    server.manners["/a"] = ["no length"]
    fetch(sources(server, "/a"), tmp_path)
    assert asked(server) == [("/a", None)]
    assert_fetched(tmp_path)


def test_the_next_mirror_goes_on_where_a_broken_one_stopped(server, tmp_path):
    server.manners["/a"] = ["cut", "cut", "cut", "cut"]
    fetch(sources(server, "/a", "/b"), tmp_path)
    left = [len(CONTENT) >> halvings for halvings in range(4)]
    assert asked(server) == [
        ("/a", None),
        *(("/a", f"bytes={len(CONTENT) - rest}-") for rest in left[1:3]),
        ("/b", f"bytes={len(CONTENT) - left[3]}-"),
    ]
    assert_fetched(tmp_path)


@pytest.mark.parametrize("manner", ["page", "flipped", 404])
def test_a_mirror_with_something_else_is_asked_once_and_left_for_the_next(server, tmp_path, manner):
    server.manners["/a"] = [manner]
    fetch(sources(server, "/a", "/b"), tmp_path)
    assert asked(server) == [("/a", None), ("/b", None)]
    assert_fetched(tmp_path)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_trouble_of_a_mirror_is_waited_for(server, tmp_path, status):
    server.manners["/a"] = [status, status]
    fetch(sources(server, "/a", "/b"), tmp_path)
    assert asked(server) == [("/a", None)] * 3
    assert_fetched(tmp_path)


def test_a_broken_mirror_is_asked_three_times_and_a_closed_port_does_no_harm(server, tmp_path):
    server.manners["/a"] = [500] * 9
    wanted = sources(server, "/a", "/b")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as closed:
        port = closed.server_address[1]
    wanted["data.gz"]["urls"].insert(0, f"http://127.0.0.1:{port}/")
    fetch(wanted, tmp_path)
    assert asked(server) == [("/a", None)] * 3 + [("/b", None)]
    assert_fetched(tmp_path)


def test_what_a_former_run_left_is_continued(server, tmp_path):
    (tmp_path / "data.gz.part").write_bytes(CONTENT[:1000])
    fetch(sources(server, "/a"), tmp_path)
    assert asked(server) == [("/a", "bytes=1000-")]
    assert_fetched(tmp_path)


def test_what_a_former_run_completed_is_taken(server, tmp_path):
    (tmp_path / "data.gz.part").write_bytes(CONTENT)
    fetch(sources(server, "/a"), tmp_path)
    assert server.notes == []
    assert_fetched(tmp_path)


@pytest.mark.parametrize("left", [PAGE, b"?" * len(CONTENT), CONTENT + b"?"])
def test_rubbish_that_a_former_run_left_is_not_held_against_the_mirror(server, tmp_path, left):
    (tmp_path / "data.gz.part").write_bytes(left)
    fetch(sources(server, "/a"), tmp_path)
    assert asked(server) == [("/a", f"bytes={len(left)}-"), ("/a", None)]
    assert_fetched(tmp_path)


def test_when_all_mirrors_fail_the_sentence_says_what_happened_at_each(server, tmp_path):
    server.manners = {"/a": ["page"], "/b": [404], "/c": [500] * 3}
    wrong = hashlib.md5(PAGE).hexdigest()
    told = rf"data\.gz .*/a: it is .* its md5 is {wrong} instead of {MD5}; .*/b: .*404.*; .*/c: .*500.* into {tmp_path}"
    with pytest.raises(ValueError, match=told):
        fetch(sources(server, "/a", "/b", "/c"), tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("page", ["page", "portal"])
def test_a_page_of_the_web_that_comes_instead_is_called_so_and_not_kept(server, tmp_path, page):
    server.manners["/a"] = [page]
    with pytest.raises(ValueError, match=r"/a: it is a page of the web, .*; its md5 is [0-9a-f]{32} instead of"):
        fetch(sources(server, "/a"), tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize("start", [b"<html>", b"\n <!DOCTYPE html>", b"\xef\xbb\xbf<HTML lang=en>"])
def test_a_page_of_the_web_that_a_browser_saved_is_called_so(tmp_path, start):
    (tmp_path / "data.gz").write_bytes(start + b"Sign in")
    with pytest.raises(ValueError, match=r"data\.gz is not the file it should be: it is a page of the web"):
        fetch({"data.gz": {"md5": MD5}}, tmp_path)


def test_another_wrong_file_is_not_called_a_page(tmp_path):
    (tmp_path / "data.gz").write_bytes(b"a < b: <html>")
    with pytest.raises(ValueError, match=r"should be: its md5 is") as caught:
        fetch({"data.gz": {"md5": MD5}}, tmp_path)
    assert "page" not in str(caught.value)


def test_the_first_digits_of_a_sha256_suffice_from_eight_on(tmp_path):
    (tmp_path / "data.gz").write_bytes(CONTENT)
    assert fetch({"data.gz": {"sha256": SHA256[:8]}}, tmp_path) == {"data.gz": SHA256}
    for digest in ({"sha256": SHA256[:7]}, {"sha256": SHA256[1:9]}, {"sha256": ""}, {"md5": MD5[:8]}, {"md5": ""}):
        with pytest.raises(ValueError, match="is not the file it should be"):
            fetch({"data.gz": digest}, tmp_path)


def test_a_name_may_begin_with_folders(server, tmp_path):
    found = fetch({"deep/down/data.gz": sources(server, "/a")["data.gz"]}, tmp_path)
    assert found == {"deep/down/data.gz": SHA256}
    assert_fetched(tmp_path / "deep" / "down")


def test_a_file_without_mirrors_is_asked_for_by_hand(tmp_path):
    with pytest.raises(ValueError, match=r"data\.gz \(it has no mirror\); put the file by hand into"):
        fetch({"data.gz": {"md5": MD5, "urls": []}}, tmp_path)


def test_what_came_before_all_mirrors_failed_is_kept_for_the_next_run(server, tmp_path):
    server.manners["/a"] = ["cut", 500, 500]
    with pytest.raises(ValueError, match="HTTP status 500"):
        fetch(sources(server, "/a"), tmp_path)
    assert names(tmp_path) == ["data.gz.part"]
    fetch(sources(server, "/a"), tmp_path)
    assert asked(server)[-1] == ("/a", f"bytes={HALF}-")
    assert_fetched(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_full_disk_is_named_and_leaves_nothing_under_the_final_name(server, tmp_path):
    (tmp_path / "data.gz.part").symlink_to("/dev/full")
    with pytest.raises(ValueError, match=r"cannot write .*data\.gz\.part: No space left on device") as caught:
        fetch(sources(server, "/a", "/b"), tmp_path)
    assert caught.value.__cause__.errno == errno.ENOSPC
    assert not (tmp_path / "data.gz").exists()
    assert asked(server) == [("/a", None)], "another mirror does not help"


FETCH = """
import os, resource, sys
from pipeline.fetching import fetch
if sys.argv[1] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    fetch({"data.gz": {"md5": sys.argv[2], "urls": [sys.argv[3]]}}, __import__("pathlib").Path(sys.argv[4]))
except ValueError as error:
    print(error, sorted(name for name in os.listdir(sys.argv[4]) if name != ".fetching"), sep=chr(10))
"""


@pytest.mark.parametrize("kind", ["limit", "disk"])
def test_where_only_some_of_it_fits_nothing_stands_under_the_final_name(server, tmp_path, kind):
    (url,) = sources(server, "/a")["data.gz"]["urls"]
    command = [sys.executable, "-c", FETCH, kind, MD5, url, str(tmp_path)]
    if kind == "disk":
        small = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
        mount = f"mount -t tmpfs -o size=100k none {tmp_path}"
        if not shutil.which("unshare") or subprocess.run([*small, mount], capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a file system of 100 kB")
        command = [*small, f'{mount} && exec "$@"', "sh", *command]
    root = Path(__file__).parent.parent
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    told, left = run.stdout.splitlines()
    reason = {"limit": "File too large", "disk": "No space left on device"}[kind]
    assert told == (
        f"cannot write {tmp_path}/data.gz.part: {reason}; what came so far is kept, so make room there and run again"
    )
    assert left == "['data.gz.part']"


def test_two_at_the_same_time_fetch_once_and_show_nothing_before_it_is_whole(server, tmp_path):
    server.manners["/a"] = ["gate"]
    found = []
    fetchers = [threading.Thread(target=lambda: found.append(fetch(sources(server, "/a"), tmp_path))) for _ in "ab"]
    fetchers[0].start()
    assert server.half_sent.wait(5)
    fetchers[1].start()
    fetchers[1].join(0.05)
    assert fetchers[1].is_alive()
    assert names(tmp_path) == ["data.gz.part"]
    server.gate.set()
    for fetcher in fetchers:
        fetcher.join(5)
    assert found == [{"data.gz": SHA256}] * 2
    assert asked(server) == [("/a", None)]
    assert_fetched(tmp_path)


def test_a_log_gets_lines_and_no_bar(server, tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.setattr(fetching, "REPORT", 0.0)
    with caplog.at_level("INFO"):
        fetch(sources(server, "/a"), tmp_path)
    assert "data.gz: 0.3 of 0.3 MB" in caplog.messages
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(sources(server, "/a"), tmp_path)
    assert re.search(r"data\.gz: 100%.*256k/256k", capsys.readouterr().err)


def test_fetching_needs_no_torch():
    code = "import sys, pipeline.fetching; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False).returncode == 0
