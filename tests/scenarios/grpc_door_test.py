"""The gRPC port itself: health, reflection, keys, TLS, limits, metrics, shutdown, what no table has."""

import concurrent.futures
import socket
import subprocess
import threading

import grpc
import pytest

from grpc_help import Door, failure, message_class, method
from strata_server import Server

HEALTH = "grpc.health.v1.Health.Check"
WATCH = "grpc.health.v1.Health.Watch"
REFLECTION = "grpc.reflection.v1.ServerReflection.ServerReflectionInfo"
SERVING, SERVICE_UNKNOWN = 1, 3
KEYS = {"STRATA_API_KEYS": "one,id:secret"}


@pytest.fixture(scope="module")
def running():
    with Server(engine="memory") as server:
        yield server
        assert server.stop() == 0, server.log()


@pytest.fixture(scope="module")
def door(running):
    with Door(running.grpc_port) as opened:
        yield opened


@pytest.fixture(scope="module")
def with_keys():
    with Server(engine="memory", environment=KEYS) as server:
        yield server


def test_health(door):
    assert door(HEALTH).status == SERVING
    assert door(HEALTH, service="grpc.health.v1.Health").status == SERVING
    assert failure(lambda: door(HEALTH, service="nobody"))[0] == "NOT_FOUND"


def test_health_is_watched(door):
    watched = door(WATCH)
    assert next(watched).status == SERVING
    watched.cancel()
    unknown = door(WATCH, service="nobody")
    assert next(unknown).status == SERVICE_UNKNOWN
    unknown.cancel()


def test_a_watcher_does_not_hold_up_the_end():
    with Server(engine="memory") as server, Door(server.grpc_port) as door:
        watched = door(WATCH)
        assert next(watched).status == SERVING
        reflected = door.stream(REFLECTION, iter(threading.Event().wait, True))
        assert server.stop(timeout_s=20) == 0
        assert failure(lambda: next(watched))[0] in ("CANCELLED", "UNAVAILABLE")
        assert failure(lambda: next(reflected))[0] in ("CANCELLED", "UNAVAILABLE")


def test_reflection(door):
    asked = [{"list_services": ""}, {"file_containing_symbol": "grpc.health.v1.Health"},
             {"file_by_filename": "grpc/reflection/v1/reflection.proto"}, {"file_containing_symbol": "no.such.Symbol"},
             {"file_by_filename": "no.proto"}, {"all_extension_numbers_of_type": "grpc.health.v1.HealthCheckRequest"},
             {"all_extension_numbers_of_type": "no.such.Type"},
             {"file_containing_extension": {"containing_type": "a.B", "extension_number": 1}}, {"host": "x"}]
    services, health, reflection, *rest = door.stream(REFLECTION, asked)
    names = {service.name for service in services.list_services_response.service}
    assert {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"} <= names
    assert b"HealthCheckRequest" in health.file_descriptor_response.file_descriptor_proto[0]
    assert b"ServerReflectionInfo" in reflection.file_descriptor_response.file_descriptor_proto[0]
    no_symbol, no_file, extensions, no_type, no_extension, nothing = rest
    assert no_symbol.error_response.error_code == no_file.error_response.error_code == 5
    assert extensions.all_extension_numbers_response.base_type_name == "grpc.health.v1.HealthCheckRequest"
    assert no_type.error_response.error_code == no_extension.error_response.error_code == 5
    assert nothing.error_response.error_code == 3 and nothing.valid_host == "x"


def test_reflection_of_the_older_version(door):
    kind = message_class(method(REFLECTION).input_type.full_name)
    answers = door.channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", kind.SerializeToString,
        message_class(method(REFLECTION).output_type.full_name).FromString)
    assert next(answers(iter([kind(list_services="")]))).list_services_response.service


def call_bytes(door, path, payload=b"", **options):
    return door.channel.unary_unary(path, lambda given: given, lambda given: given)(payload, timeout=30, **options)


@pytest.mark.parametrize("path", [
    "/swarndb.v1.GraphService/PutNode", "/swarndb.v1.GraphService/HybridQuery", "/swarndb.v1.ExtractionService/CostPreview",
    "/swarndb.v1.VectorService/NoSuchMethod", "/no.Service/Method", "/", "/x"])
def test_what_no_table_has(door, path):
    assert failure(lambda: call_bytes(door, path))[0] == "UNIMPLEMENTED"


def test_bytes_that_are_no_message(door):
    code, details = failure(lambda: call_bytes(door, "/grpc.health.v1.Health/Check", b"\x0a\xff\xff\xff\xff\x0f"))
    assert code == "INVALID_ARGUMENT" and "HealthCheckRequest" in details
    # A string that is not UTF-8.
    assert failure(lambda: call_bytes(door, "/grpc.health.v1.Health/Check", b"\x0a\x01\xff"))[0] == "INVALID_ARGUMENT"
    # Fields of later versions are passed over.
    assert call_bytes(door, "/grpc.health.v1.Health/Check", b"\x98\x06\x01") == b"\x08\x01"


def test_a_call_without_a_message(door):
    empty = door.channel.stream_unary("/grpc.health.v1.Health/Check", lambda given: given, lambda given: given)
    assert failure(lambda: empty(iter(())))[0] == "INVALID_ARGUMENT"


def test_compressed_messages_are_refused(door):
    kind = message_class("grpc.health.v1.HealthCheckRequest")
    request = kind(service="a" * 1_000).SerializeToString()
    refused = failure(lambda: call_bytes(door, "/grpc.health.v1.Health/Check", request,
                                         compression=grpc.Compression.Gzip))
    assert refused[0] == "UNIMPLEMENTED"


def test_not_http2(running):
    with socket.create_connection(("127.0.0.1", running.grpc_port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        while connection.recv(4_096):
            pass


def test_messages_up_to_128_mib(running, door):
    kind = message_class("grpc.health.v1.HealthCheckRequest")
    fits = kind(service="a" * (65 << 20))
    assert failure(lambda: door(HEALTH, message=fits))[0] == "NOT_FOUND"
    with Door(running.grpc_port, options=[("grpc.max_send_message_length", -1)]) as other:
        too_large = kind(service="a" * (128 << 20))
        assert failure(lambda: other(HEALTH, message=too_large))[0] == "RESOURCE_EXHAUSTED"


def test_many_calls_at_once(door):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda _: door(HEALTH).status == SERVING, range(400)))


def test_metrics(running, door):
    assert door(HEALTH).status == SERVING
    text = running.client().get("/metrics").body.decode()
    assert 'strata_grpc_requests_total{code="OK",method="/grpc.health.v1.Health/Check"}' in text
    assert 'strata_grpc_request_duration_seconds_count{method="/grpc.health.v1.Health/Check"}' in text


def test_tls(tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    options = ("--grpc-tls-cert", str(certificate), "--grpc-tls-key", str(key))
    with Server(*options, engine="memory") as server:
        trusted = grpc.ssl_channel_credentials(certificate.read_bytes())
        with Door(server.grpc_port, credentials=trusted) as door:
            assert door(HEALTH).status == SERVING
        with Door(server.grpc_port) as plain_door:
            assert failure(lambda: plain_door(HEALTH, timeout_s=20))[0] == "UNAVAILABLE"
    for name, wrong in (("--grpc-tls-cert", str(tmp_path / "none")), ("--grpc-tls-key", str(certificate))):
        arguments = list(options)
        arguments[arguments.index(name) + 1] = wrong
        with pytest.raises(AssertionError, match="cannot"):
            Server(*arguments, engine="memory")
