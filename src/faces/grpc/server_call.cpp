#include "faces/grpc/server_call.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>
#include <grpcpp/support/status.h>

#include <chrono>

namespace strata::rpc {
namespace {

// Without a whole message; then the call is cancelled, so that a silent client does not hold its place for ever.
constexpr int64_t read_timeout_us = 120'000'000;

Result<void> serialize(const MessageLite& message, ::grpc::ByteBuffer& buffer) {
  constexpr int block_bytes = 1 << 20;
  const size_t size = message.ByteSizeLong();
  if (size > INT32_MAX) return Error(ErrorCode::payload_too_large, "the answer is too large for one message");
  bool written = false;
  {
    ::grpc::ProtoBufferWriter writer(&buffer, block_bytes, static_cast<int>(size));
    written = message.SerializeToZeroCopyStream(&writer);
  }
  if (!written) return Error(ErrorCode::internal, "the answer cannot be written");
  return {};
}

std::string_view value_of(const std::multimap<::grpc::string_ref, ::grpc::string_ref>& metadata, const char* name) {
  const auto found = metadata.find(name);
  if (found == metadata.end()) return {};
  return {found->second.data(), found->second.size()};
}

}  // namespace

ServerCall::ServerCall(ServerThread& thread, size_t method) : thread_(thread), method_(method) {}

void ServerCall::wait(TableService& service, int index) {
  library_context_.AsyncNotifyWhenDone(&done_event_);
  service.request(index, &library_context_, &stream_, thread_.queue(), &arrived_event_);
}

void ServerCall::arrived(bool ok) {
  if (!ok) {
    // The server ends: no call, and no event of its end either.
    delete this;
    return;
  }
  thread_.wait_for_call(method_);
  thread_.add(this);
  const auto body = [](void* call) { static_cast<ServerCall*>(call)->run(); };
  if (!thread_.coroutines().start(body, this)) {
    finish({StatusCode::resource_exhausted, "no memory for another call"});
  }
}

void ServerCall::run() { finish(thread_.dispatcher().run(method_, *this, credentials(), client_deadline_steady_us())); }

void ServerCall::finish(const Outcome& outcome) {
  // What a handler registered may refer to what died with it.
  cancellation_.on_request({});
  context_.deadline_steady_us = 0;
  if (outcome.code == StatusCode::ok && has_answer_) {
    stream_.WriteAndFinish(answer_, ::grpc::WriteOptions(), ::grpc::Status::OK, &finished_event_);
    return;
  }
  stream_.Finish(::grpc::Status(static_cast<::grpc::StatusCode>(outcome.code), outcome.message), &finished_event_);
}

void ServerCall::finished(bool) { end_one(); }

void ServerCall::done(bool) {
  if (library_context_.IsCancelled()) cancellation_.request();
  end_one();
}

void ServerCall::end_one() {
  if (--ends_left_ > 0) return;
  thread_.remove(this);
  delete this;
}

void ServerCall::moved(bool ok) {
  move_ok_ = ok;
  waiting_->resume();
}

bool ServerCall::wait_for_move() {
  waiting_ = CoroutinePool::current();
  waiting_->suspend();
  return move_ok_;
}

Result<bool> ServerCall::read(MessageLite& message) {
  ::grpc::ByteBuffer buffer;
  reading_since_us_ = thread_.dispatcher().services().clock->steady_us();
  stream_.Read(&buffer, &moved_event_);
  const bool any = wait_for_move();
  reading_since_us_ = 0;
  if (!any) {
    // The library says the same of a client that has sent all and of one that is gone.
    if (cancellation_.requested()) return ErrorCode::operation_cancelled;
    return false;
  }
  ::grpc::ProtoBufferReader reader(&buffer);
  if (!reader.status().ok() || !message.ParseFromZeroCopyStream(&reader)) {
    return Error(ErrorCode::invalid_argument, "the message is not a " + message.GetTypeName());
  }
  return true;
}

Result<void> ServerCall::write(const MessageLite& message) {
  ::grpc::ByteBuffer buffer;
  RETURN_IF_ERROR(serialize(message, buffer));
  stream_.Write(buffer, &moved_event_);
  if (!wait_for_move()) return ErrorCode::operation_cancelled;
  return {};
}

Result<void> ServerCall::answer(const MessageLite& message) {
  has_answer_ = true;
  return serialize(message, answer_);
}

void ServerCall::drain() {
  if (thread_.dispatcher().rpcs()[method_]->long_lived) library_context_.TryCancel();
}

void ServerCall::check_deadline(int64_t now_steady_us) {
  const int64_t deadline_us = context_.deadline_steady_us;
  if (deadline_us != 0 && now_steady_us >= deadline_us) cancellation_.request();
  if (reading_since_us_ != 0 && now_steady_us - reading_since_us_ >= read_timeout_us) library_context_.TryCancel();
}

int64_t ServerCall::client_deadline_steady_us() const {
  const auto deadline = library_context_.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return 0;
  const auto left = deadline - std::chrono::system_clock::now();
  const int64_t left_us = std::chrono::duration_cast<std::chrono::microseconds>(left).count();
  // Years are no deadline, and must not overflow.
  constexpr int64_t longest_us = int64_t{86'400} * 365 * 1'000'000;
  if (left_us > longest_us) return 0;
  return std::max<int64_t>(thread_.dispatcher().services().clock->steady_us() + left_us, 1);
}

Credentials ServerCall::credentials() const {
  const auto& metadata = library_context_.client_metadata();
  return {.api_key = value_of(metadata, "x-api-key"), .authorization = value_of(metadata, "authorization")};
}

}  // namespace strata::rpc
