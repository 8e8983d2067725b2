"""The gRPC door as a test uses it: messages from proto/ as dictionaries, calls by name."""

import functools
import pathlib
import subprocess
import tempfile

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from strata_server import REPOSITORY

PROTO = REPOSITORY / "proto"
MESSAGE_LIMIT = 128 << 20


@functools.cache
def _pool():
    names = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "all.pb"
        subprocess.run(["protoc", "-I", str(PROTO), "--descriptor_set_out", str(out), *names], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


@functools.cache
def message_class(name):
    descriptor = _pool().FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(_pool()).GetPrototype(descriptor)


def method(name):
    """Of "VectorService.Insert" or "grpc.health.v1.Health.Check"."""
    full = name if name.count(".") > 1 else f"swarndb.v1.{name}"
    return _pool().FindMethodByName(full)


class Door:
    """A connection; door("VectorService.Insert", collection="a", ...) is one call and its answer."""

    def __init__(self, port, key=None, credentials=None, host="127.0.0.1", options=()):
        options = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT),
                   ("grpc.use_local_subchannel_pool", 1), *options]
        target = f"{host}:{port}"
        self.channel = (grpc.secure_channel(target, credentials, options) if credentials else
                        grpc.insecure_channel(target, options))
        self.metadata = [("x-api-key", key)] if key else []

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.channel.close()

    def stub(self, name):
        described = method(name)
        kind = {(0, 0): "unary_unary", (1, 0): "stream_unary", (0, 1): "unary_stream",
                (1, 1): "stream_stream"}[_streaming(name)]
        return getattr(self.channel, kind)(
            f"/{described.containing_service.full_name}/{described.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_class(described.output_type.full_name).FromString)

    def __call__(self, name, /, timeout_s=60, sent=None, message=None, **fields):
        request = message if message is not None else self.request(name, **fields)
        return self.stub(name)(request, timeout=timeout_s, metadata=self.metadata + (sent or []))

    def request(self, name, /, **fields):
        return json_format.ParseDict(fields, message_class(method(name).input_type.full_name)())

    def stream(self, name, requests, timeout_s=60):
        """requests: dictionaries or messages, in any iterable."""
        messages = (one if not isinstance(one, dict) else self.request(name, **one) for one in requests)
        return self.stub(name)(messages, timeout=timeout_s, metadata=self.metadata)


@functools.cache
def _streaming(name):
    described = method(name)
    proto = descriptor_pb2.ServiceDescriptorProto()
    described.containing_service.CopyToProto(proto)
    one = next(each for each in proto.method if each.name == described.name)
    return int(one.client_streaming), int(one.server_streaming)


def plain(message):
    """A message as a dictionary: fields by their names in the file, absent ones included."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True, including_default_value_fields=True)


def failure(call):
    """The status code's name and the message of a call that must fail."""
    try:
        call()
    except grpc.RpcError as error:
        return error.code().name, error.details()
    raise AssertionError("the call did not fail")
