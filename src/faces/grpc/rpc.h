// Rpc: one row of the gRPC door's table, one method; and the call as its handler sees it.
//
// Purpose:       everything the dispatcher must know and enforce about a method stands in its row. Handlers know
//                protobuf's messages and the services, not gRPC's library: that is in server*.cpp alone.
// Ownership:     rows are static data; every view is of a literal. A Call belongs to the server and lives until its
//                handler has returned.
// Thread safety: rows are constant; a Call belongs to one coroutine, its cancellation runs on the same thread while
//                that is suspended.
// Invariants:    a handler runs only for a call that passed every column of its row. No two rows have one path.
//
// A table:
//   const Rpc rows[] = {
//       {.path = "/swarndb.v1.VectorService/Get", .permission = Permission::read, .handler = unary<get>}};
// where  Result<void> get(Call& call, const GetVectorRequest& request, GetVectorResponse& response).
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>

#include <span>
#include <string_view>

#include "base/cancellation.h"
#include "base/result.h"
#include "faces/grpc/services.h"
#include "service/context.h"
#include "service/permission.h"

namespace strata::rpc {

using google::protobuf::Arena;
using google::protobuf::MessageLite;
using service::Permission;

class Call {
 public:
  virtual ~Call() = default;

  // The client's next message. False: it sends no more. Waits by suspending the coroutine, so that a client is held up
  // (HTTP/2's flow control) by a handler that does not read. Errors: invalid_argument (not such a message),
  // operation_cancelled (the client is gone).
  virtual Result<bool> read(MessageLite& message) = 0;
  // Sends one message and waits until it was taken. Errors: operation_cancelled.
  virtual Result<void> write(const MessageLite& message) = 0;
  // The last message, of a method that answers with one: goes out with the status, if that is good.
  virtual Result<void> answer(const MessageLite& message) = 0;
  // Of everything that lives as long as the call.
  virtual Arena& arena() = 0;

  Services& services() { return *services_; }
  const service::Context& context() const { return context_; }
  Cancellation& cancellation() { return cancellation_; }

 protected:
  friend class Dispatcher;
  Services* services_ = nullptr;
  service::Context context_;
  Cancellation cancellation_;
};

// Errors become a status (status.h). Never throws.
using Handler = Result<void> (*)(Call& call);

struct Rpc {
  // "/package.Service/Method"
  std::string_view path;
  // none: no key is asked for.
  Permission permission = Permission::read;
  // What needs more than the permission to read is refused by a server that follows a leader, but for these.
  bool on_replica = false;
  // Answer within, if the client's deadline is not sooner. 0: the client's, else the server's default. -1: the
  // client's, else never.
  int64_t timeout_ms = 0;
  // A conversation without an end of its own: cancelled when the server begins to stop.
  bool long_lived = false;
  // ALREADY_EXISTS is kept for collections: what a client sent twice is its argument here.
  bool duplicate_is_argument = false;
  Handler handler = nullptr;
};

namespace detail {
template <class Function>
struct UnaryTypes;
template <class RequestType, class ResponseType>
struct UnaryTypes<Result<void> (*)(Call&, const RequestType&, ResponseType&)> {
  using Request = RequestType;
  using Response = ResponseType;
};
Result<void> read_only_message(Call& call, MessageLite& request);
}  // namespace detail

// One message in, one out.
template <auto function>
Result<void> unary(Call& call) {
  using Types = detail::UnaryTypes<decltype(function)>;
  auto* request = Arena::CreateMessage<typename Types::Request>(&call.arena());
  auto* response = Arena::CreateMessage<typename Types::Response>(&call.arena());
  RETURN_IF_ERROR(detail::read_only_message(call, *request));
  RETURN_IF_ERROR(function(call, *request, *response));
  return call.answer(*response);
}

std::span<const Rpc> collection_rpcs();
std::span<const Rpc> vector_rpcs();
std::span<const Rpc> search_rpcs();
std::span<const Rpc> graph_rpcs();
std::span<const Rpc> math_rpcs();
std::span<const Rpc> health_rpcs();
std::span<const Rpc> reflection_rpcs();
// Every table of the server, in one list.
std::vector<std::span<const Rpc>> all_rpcs();

}  // namespace strata::rpc
