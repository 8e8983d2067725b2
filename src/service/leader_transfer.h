// LeaderTransfer: one request to a leader and its answer on the way. Internal to LeaderClient.
//
// Purpose:       where the client's thread, which fills it, and a reader, who empties it, meet.
// Ownership:     shared by both; owns the bytes in between.
// Thread safety: any thread; one reader.
// Invariants:    holds buffer_bytes and one piece more at most: then the client is told to come later, and woken when
//                there is room. Ends once: the first of finish and cancel counts.
#pragma once

#include <strings.h>

#include <functional>
#include <mutex>
#include <optional>

#include "base/future.h"
#include "service/leader_client.h"

namespace strata::service {

class LeaderTransfer {
 public:
  LeaderTransfer(std::string path_and_query, Silence may_be_silent, int64_t limit_ms, size_t buffer_bytes,
                 std::function<void()> wake_client)
      : target(std::move(path_and_query)),
        silence(may_be_silent),
        whole_within_ms(limit_ms),
        buffer_bytes_(buffer_bytes),
        wake_client_(std::move(wake_client)) {}

  // The reader's side.
  Result<void> wait_for_head() {
    for (;;) {
      Future<void> change;
      {
        std::lock_guard lock(mutex_);
        if (head_is_complete_) return {};
        if (done_) return error_ ? *error_ : Error(ErrorCode::unavailable, "the leader sent no answer");
        change = arm();
      }
      static_cast<void>(change.get());
    }
  }

  Result<Bytes> read() {
    for (;;) {
      Future<void> change;
      {
        std::lock_guard lock(mutex_);
        if (cancelled_) return ErrorCode::operation_cancelled;
        if (!buffer_.empty()) {
          Bytes bytes;
          bytes.swap(buffer_);
          if (paused_) wants_to_go_on_ = true;
          if (wants_to_go_on_) wake_client_();
          return bytes;
        }
        if (done_) {
          if (error_) return *error_;
          return Bytes();
        }
        change = arm();
      }
      static_cast<void>(change.get());
    }
  }

  bool readable() {
    std::lock_guard lock(mutex_);
    return cancelled_ || done_ || !buffer_.empty();
  }

  void cancel() {
    std::optional<Promise<void>> waiter;
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
      if (!done_) {
        done_ = true;
        error_ = ErrorCode::operation_cancelled;
      }
      buffer_.clear();
      waiter = take_waiter();
    }
    wake_client_();
    if (waiter) waiter->fulfil(Result<void>());
  }

  int status() {
    std::lock_guard lock(mutex_);
    return status_;
  }
  std::string log_id() {
    std::lock_guard lock(mutex_);
    return log_id_;
  }

  // The client's side.
  enum class Taken : uint8_t { all, later, never };
  Taken take_bytes(BytesView bytes) {
    std::optional<Promise<void>> waiter;
    {
      std::lock_guard lock(mutex_);
      if (cancelled_) return Taken::never;
      if (buffer_.size() >= buffer_bytes_) {
        paused_ = true;
        return Taken::later;
      }
      buffer_.append(bytes);
      waiter = take_waiter();
    }
    if (waiter) waiter->fulfil(Result<void>());
    return Taken::all;
  }

  // A line of the head, its end included. A status line begins anew: what came before was informational.
  void take_header(BytesView line, int status) {
    std::optional<Promise<void>> waiter;
    {
      std::lock_guard lock(mutex_);
      if (line.starts_with("HTTP/")) log_id_.clear();
      static constexpr std::string_view name = "x-log-id:";
      if (line.size() > name.size() && strncasecmp(line.data(), name.data(), name.size()) == 0) {
        BytesView value = line.substr(name.size());
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
        while (!value.empty() && (value.back() == '\r' || value.back() == '\n' || value.back() == ' ')) {
          value.remove_suffix(1);
        }
        if (value.size() <= max_header_value_bytes) log_id_ = value;
      }
      if ((line == "\r\n" || line == "\n") && status >= 200) {
        status_ = status;
        head_is_complete_ = true;
        waiter = take_waiter();
      }
    }
    if (waiter) waiter->fulfil(Result<void>());
  }

  void finish(std::optional<Error> error) {
    std::optional<Promise<void>> waiter;
    {
      std::lock_guard lock(mutex_);
      if (!done_) {
        done_ = true;
        error_ = std::move(error);
      }
      waiter = take_waiter();
    }
    if (waiter) waiter->fulfil(Result<void>());
  }

  bool has_head() {
    std::lock_guard lock(mutex_);
    return head_is_complete_;
  }
  bool cancelled() {
    std::lock_guard lock(mutex_);
    return cancelled_;
  }
  // True: the reader has emptied the buffer that the transfer waits for.
  bool take_wish_to_go_on() {
    std::lock_guard lock(mutex_);
    if (!std::exchange(wants_to_go_on_, false)) return false;
    paused_ = false;
    return true;
  }

  const std::string target;
  const Silence silence;
  const int64_t whole_within_ms;  // 0: no limit

 private:
  // Of a header that is kept.
  static constexpr size_t max_header_value_bytes = 256;

  // With mutex_ held.
  Future<void> arm() {
    waiter_.emplace();
    return waiter_->future();
  }
  std::optional<Promise<void>> take_waiter() { return std::exchange(waiter_, std::nullopt); }

  const size_t buffer_bytes_;
  const std::function<void()> wake_client_;
  std::mutex mutex_;
  Bytes buffer_;
  std::string log_id_;
  int status_ = 0;
  bool head_is_complete_ = false;
  bool done_ = false;
  bool cancelled_ = false;
  bool paused_ = false;
  bool wants_to_go_on_ = false;
  std::optional<Error> error_;
  std::optional<Promise<void>> waiter_;
};

}  // namespace strata::service
