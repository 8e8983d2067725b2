"""Symlinks: made, followed, shown, deleted, versioned."""

import time

import pytest

from file_help import unique


def test_making_one(files):
    before_ms = time.time_ns() // 1_000_000
    answer = files.link("/latest-logo", "/assets/logo.psd")
    assert answer.status == 201
    made = answer.json
    assert {"path": files.root + "/latest-logo", "target": "/assets/logo.psd", "entry_type": 8}.items() <= made.items()
    assert before_ms <= made["created_at"] == made["updated_at"]
    again = files.link("/latest-logo", "/assets/other.psd").json
    assert (again["target"], again["created_at"]) == ("/assets/other.psd", made["created_at"])


def test_followed_by_reads(files):
    stored = files.store("/assets/logo.psd", b"logo", "image/x-psd")
    files.link("/latest", files.root + "/assets/logo.psd")
    files.link("/newest", files.root + "/latest")
    files.link("/dir", files.root + "/assets")
    for path in ("/latest", "/newest", "/dir/logo.psd"):
        answer = files.get(path)
        assert (answer.status, answer.body) == (200, b"logo"), path
        assert answer.headers["Content-Type"] == "image/x-psd"
        assert answer.headers["X-Path"] == stored["path"]
        assert answer.headers["ETag"] == f'"{stored["hash"]}"'
    assert files.names("/dir") == ["logo.psd"]
    assert [entry["path"] for entry in files.list("/dir", depth=-1)] == [stored["path"]]


def test_a_target_without_a_leading_slash(files):
    """From the link's directory."""
    files.store("/dir/a", b"1")
    files.store("/b", b"2")
    for target, body in (("a", b"1"), ("../b", b"2"), ("./a", b"1"), ("../dir/../b", b"2")):
        answer = files.link("/dir/link", target)
        assert (answer.status, answer.json["target"]) == (201, target)
        assert files.body("/dir/link") == body


def test_nofollow(files):
    files.store("/a", b"1")
    files.link("/link", files.root + "/a")
    (entry,) = [entry for entry in files.list("/") if entry["name"] == "link"]
    for value in ("true", "1", ""):
        answer = files.get("/link", nofollow=value)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json == entry
    for value in ("false", "0"):
        assert files.body("/link", nofollow=value) == b"1"
    assert files.get("/link", nofollow="maybe").status == 400
    assert files.body("/a", nofollow="true") == b"1"
    files.link("/dangling", "/nowhere")
    assert files.get("/dangling", nofollow="true").json["target"] == "/nowhere"


def test_head_tells_of_the_link(files):
    files.store("/a", b"1")
    made = files.link("/link", files.root + "/a").json
    (entry,) = [entry for entry in files.list("/") if entry["name"] == "link"]
    answer = files.head("/link")
    expected = {"X-Entry-Type": "symlink", "X-Symlink-Target": files.root + "/a", "X-Path": files.root + "/link",
                "X-Created-At": str(made["created_at"]), "X-Updated-At": str(made["updated_at"]),
                "ETag": f'"{entry["hash"]}"'}
    assert (answer.status, answer.body) == (200, b"")
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.headers["X-Total-Size"] is None
    files.link("/dangling", "/nowhere")
    assert files.head("/dangling").headers["X-Symlink-Target"] == "/nowhere"
    # In the middle of a path they are followed.
    files.link("/dir", files.root)
    assert files.head("/dir/a").headers["X-Path"] == files.root + "/a"


def test_dangling_ones_cycles_and_long_chains(files):
    files.link("/dangling", files.root + "/nowhere")
    answer = files.get("/dangling")
    assert answer.status == 404 and "error" in answer.json
    assert files.get("/dangling/below").status == 404
    for name, target in (("a", "b"), ("b", "c"), ("c", "a"), ("self", "self")):
        files.link("/" + name, f"{files.root}/{target}")
    for path in ("/a", "/b", "/c", "/self", "/a/below"):
        answer = files.get(path)
        assert answer.status == 400 and "cycle" in answer.json["error"], (path, answer)
    files.store("/0", b"end")
    for hop in range(1, 34):
        files.link(f"/{hop}", f"{files.root}/{hop - 1}")
    assert files.body("/32") == b"end"
    answer = files.get("/33")
    assert answer.status == 400 and "32" in answer.json["error"], answer


def test_deleting_one_leaves_the_target(files):
    files.store("/a", b"1")
    files.link("/link", files.root + "/a")
    assert files.delete("/link").json == {"deleted": True, "path": files.root[1:] + "/link", "type": "symlink"}
    assert files.body("/a") == b"1"
    assert files.get("/link").status == 404
    assert files.delete("/link").status == 404


def test_writes_do_not_follow_the_last_one(files):
    files.store("/a", b"1")
    files.link("/link", files.root + "/a")
    assert files.store("/link", b"2")["path"] == files.root + "/link"
    assert (files.body("/link"), files.body("/a")) == (b"2", b"1")
    assert [entry["entry_type"] for entry in files.list("/")] == [2, 2]
    # And a link may replace a file.
    assert files.link("/link", files.root + "/a").status == 201
    assert files.body("/link") == b"1"


@pytest.mark.parametrize("body", [
    b"", b"{}", b"[]", b"{", b'{"target":1}', b'{"target":null}', b'{"target":""}', b'{"target":"/a","target":"/b"}',
    b'{"target":"/\\u0000"}', b'{"target":"/\xff"}', b'{"target":"' + b"/n" * 2_500 + b'"}'])
def test_bodies_that_are_refused(client, files, body):
    answer = client.post(files.url("/link", "/engine-symlink"), body)
    assert answer.status == 400 and answer.json["error"], answer
    assert files.get("/link", nofollow="true").status == 404


def test_versioned_as_links(files):
    files.store("/a", b"first a")
    files.store("/b", b"first b")
    files.link("/link", files.root + "/a")
    snapshot = files.snapshot(unique("links"))["name"]
    files.store("/a", b"second a")
    files.link("/link", files.root + "/b")
    # The link and what it leads to, both as they were.
    assert files.body("/link", snapshot=snapshot) == b"first a"
    assert files.head("/link", snapshot=snapshot).headers["X-Symlink-Target"] == files.root + "/a"
    assert files.get("/link", snapshot=snapshot, nofollow="true").json["target"] == files.root + "/a"
    assert files.body("/link") == b"first b"
    assert files.restore(snapshot).status == 200
    assert files.head("/link").headers["X-Symlink-Target"] == files.root + "/a"
    assert files.body("/link") == b"first a"


def test_links_on_a_condition(files):
    def link(target, **headers):
        return files.client.post(files.url("/link", "/engine-symlink"), {"target": target}, headers=headers)

    assert link("/a", **{"If-Match": "*"}).status == 412
    tag = f'"{link("/a", **{"If-None-Match": "*"}).json["hash"]}"'
    assert link("/b", **{"If-None-Match": "*"}).status == 412
    assert link("/b", **{"If-Match": f'"{"0" * 64}"'}).status == 412
    assert files.get("/link", nofollow="true").json["target"] == "/a"
    assert link("/b", **{"If-Match": tag}).status == 201
    assert link("/c", **{"If-Match": tag}).status == 412
    assert files.get("/link", nofollow="true").json["target"] == "/b"
