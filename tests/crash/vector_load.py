"""Vectors among what the clients of load.py write: inserts, updates, deletes, bulk loads and images of one collection that
all of them share; and whether searches show what GET answers.

Keys are ("vec", id); values are multiples of 1/64, which floats hold exactly.
"""

import http.client
import json
import math

COLLECTION = "/collections/crash"
DIMENSION = 4
# Of a client, by ids of its own.
VECTORS = 12
IMAGE_WRITERS = 4  # of the clients: more would wait for each other


def keys(client):
    return [("vec", 1 + client.number * VECTORS + i) for i in range(VECTORS)]


def row(client):
    return {"values": [client.random.randrange(-64, 65) / 64 for _ in range(DIMENSION)],
            "metadata": {"client": client.number, "sequence": client.sequence}}


def next_write(client):
    """(method, path, body, effects)"""
    known = {key: client.model.get(key) for key in keys(client)}
    for operation in client.operations:
        known.update((key, value) for key, value in operation.effects.items() if key in known)
    there = [key for key, value in known.items() if value is not None]
    absent = [key for key, value in known.items() if value is None]
    draw = client.random.random()
    if draw < 0.15 and client.number < IMAGE_WRITERS:
        return "POST", COLLECTION + "/snapshot", {}, {}
    if len(absent) > VECTORS / 2 and draw < 0.5:
        rows = {key: row(client) for key in absent}
        body = {"vectors": [{"id": key[1], **value} for key, value in rows.items()], "batch_lock_size": VECTORS}
        return "POST", COLLECTION + "/vectors/bulk", body, rows
    if absent and (draw < 0.4 or not there):
        key, value = client.random.choice(absent), row(client)
        return "POST", COLLECTION + "/vectors", {"id": key[1], **value}, {key: value}
    key = client.random.choice(there)
    if draw < 0.7:
        value = row(client)
        return "PUT", path(key), value, {key: value}
    if draw < 0.8:  # the values stay
        value = {**known[key], "metadata": row(client)["metadata"]}
        return "PUT", path(key), {"metadata": value["metadata"]}, {key: value}
    return "DELETE", path(key), None, {key: None}


def path(key):
    return "%s/vectors/%d" % (COLLECTION, key[1])


def seen(body):
    vector = json.loads(body)
    return {"values": vector["values"], "metadata": vector["metadata"]}


def request(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, "/api/v1" + path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def make_collection(port):
    """It is there already in all lives but the first. ConnectionError: the server has ended."""
    body = {"name": "crash", "dimension": DIMENSION, "distance_metric": "euclidean"}
    try:
        status, answer = request(port, "POST", "/collections", body)
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    if status not in (200, 409):
        raise AssertionError("POST /collections: %d %s" % (status, answer))


def check_search(port, held, query):
    """held: {id: what GET answers}."""
    status, info = request(port, "GET", COLLECTION)
    if status == 404 and not held:
        return
    if status != 200 or info["vector_count"] != len(held):
        raise AssertionError("%d vectors are there, and the collection says: %d %s" % (len(held), status, info))
    for client in (None, 0):
        body = {"query": query, "k": 10_000, "include_metadata": True}
        expected = held
        if client is not None:
            body["filter"] = {"field": "client", "op": "eq", "value": client}
            expected = {id: one for id, one in held.items() if one["metadata"]["client"] == client}
        status, answer = request(port, "POST", COLLECTION + "/search", body)
        if status != 200:
            raise AssertionError("search: %d %s" % (status, answer))
        check_results(answer["results"], expected, query)


def check_results(results, expected, query):
    found = {result["id"]: result for result in results}
    wrong = sorted(found.keys() ^ expected.keys())
    for id in found.keys() & expected.keys():
        distance = math.dist(query, expected[id]["values"])
        if abs(found[id]["score"] - distance) > 1e-5 or found[id]["metadata"] != expected[id]["metadata"]:
            wrong.append(id)
    scores = [result["score"] for result in results]
    if wrong or len(found) != len(results) or scores != sorted(scores):
        raise AssertionError("a search does not show what is there, of ids %s" % wrong[:5])
