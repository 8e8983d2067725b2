// TableService: methods of one service, by name, for gRPC's library. Internal to the server.
//
// Purpose:       what generated code would be: tells the library the names; messages stay bytes. Every method is a
//                stream of both sides to the library, so that nothing of a message is read before its call is admitted.
// Ownership:     owned by the server, outlives the library's server object.
// Thread safety: request from any thread.
// Invariants:    a service of the library registers one service's methods: it tells clients the names from them.
#pragma once

#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <vector>

namespace strata::rpc {

using ByteStream = ::grpc::ServerAsyncReaderWriter<::grpc::ByteBuffer, ::grpc::ByteBuffer>;

class TableService final : public ::grpc::Service {
 public:
  // The method's index.
  int add(std::string_view path) {
    // The library keeps the pointer to the name.
    names_.push_back(std::make_unique<std::string>(path));
    AddMethod(new ::grpc::internal::RpcServiceMethod(names_.back()->c_str(),
                                                     ::grpc::internal::RpcMethod::BIDI_STREAMING, nullptr));
    const int index = static_cast<int>(names_.size()) - 1;
    MarkMethodRaw(index);
    return index;
  }

  void request(int index, ::grpc::ServerContext* context, ByteStream* stream, ::grpc::ServerCompletionQueue* queue,
               void* tag) {
    RequestAsyncBidiStreaming(index, context, stream, queue, queue, tag);
  }

 private:
  std::vector<std::unique_ptr<std::string>> names_;
};

}  // namespace strata::rpc
