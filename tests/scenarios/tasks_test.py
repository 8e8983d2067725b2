"""Tasks: /admin/tasks."""

from strata_server import Server

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_there_are_none_yet():
    with Server(engine="memory") as server:
        assert server.client().get("/admin/tasks").json == []


def test_unknown_ones_are_404(client):
    for verb, path in (("GET", f"/admin/tasks/{UNKNOWN}"), ("DELETE", f"/admin/tasks/{UNKNOWN}"),
                       ("POST", f"/admin/tasks/{UNKNOWN}/cancel"), ("GET", "/admin/tasks/x")):
        answer = client.request(verb, path)
        assert (answer.status, answer.json) == (404, {"error": f"task not found: {path.split('/')[3]}"})
