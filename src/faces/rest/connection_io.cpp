// The socket side of a connection: waiting, sending, the body's bytes, time limits and the end.
#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "faces/rest/connection.h"
#include "faces/rest/stream_writer.h"

namespace strata::rest {
namespace {

constexpr int64_t linger_ms = 2'000;
constexpr size_t chunked_read_bytes = 16'384;
constexpr size_t max_send_parts = 8;

int64_t after_ms(int64_t ms) { return IoThread::now_us() + ms * 1'000; }

}  // namespace

bool Connection::wait(Event event, int64_t timeout_ms) {
  if (broken_) return false;
  STRATA_ASSERT(!waiting_ && coroutine_ == CoroutinePool::current());
  waiting_ = true;
  timed_out_ = false;
  deadline_us_ = after_ms(timeout_ms);
  socket_.wait(event, *this);
  coroutine_->suspend();
  deadline_us_ = 0;
  return !broken_ && !std::exchange(timed_out_, false);
}

// All of the parts, in order. False: the connection is broken.
bool Connection::send(const BytesView* parts, size_t count) {
  STRATA_ASSERT(count <= max_send_parts);
  iovec vectors[max_send_parts];
  size_t used = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!parts[i].empty()) vectors[used++] = {const_cast<char*>(parts[i].data()), parts[i].size()};
  }
  iovec* at = vectors;
  while (used > 0 && !broken_) {
    msghdr message{};
    message.msg_iov = at;
    message.msg_iovlen = used;
    const ssize_t sent = ::sendmsg(socket_.descriptor(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      const bool full = errno == EAGAIN || errno == EWOULDBLOCK;
      if (!full || !wait(Event::writable, thread_.options().write_timeout_ms)) broken_ = true;
      continue;
    }
    thread_.state().sent_bytes.add(static_cast<uint64_t>(sent));
    if (events_) last_sent_us_ = IoThread::now_us();
    auto left = static_cast<size_t>(sent);
    while (used > 0 && left >= at->iov_len) {
      left -= at->iov_len;
      ++at;
      --used;
    }
    if (left > 0) {
      at->iov_base = static_cast<char*>(at->iov_base) + left;
      at->iov_len -= left;
    }
  }
  return !broken_;
}

bool Connection::flush() {
  if (work_->output.empty()) return !broken_;
  const BytesView part = work_->output;
  const bool sent = send(&part, 1);
  work_->output.clear();
  return sent;
}

// What the socket takes now; the rest stays. False: nothing is left to send or the connection is broken.
bool Connection::try_flush() {
  Bytes& output = work_->output;
  if (output.empty() || broken_) return false;
  const ssize_t sent = ::send(socket_.descriptor(), output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent > 0) {
    thread_.state().sent_bytes.add(static_cast<uint64_t>(sent));
    if (events_) last_sent_us_ = IoThread::now_us();
    output.erase(0, static_cast<size_t>(sent));
  } else if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    broken_ = true;
  }
  return !output.empty();
}

std::optional<BytesView> Connection::take_whole() {
  if (work_->exchange.head.chunked || work_->unread().size() < body_left_) return std::nullopt;
  const BytesView body = work_->unread().substr(0, body_left_);
  work_->input_begin += body_left_;
  body_left_ = 0;
  return body;
}

Result<size_t> Connection::read(std::span<char> into) {
  return work_->exchange.head.chunked ? read_chunked(into) : read_sized(into);
}

Result<size_t> Connection::body_error(Error error) {
  body_failed_ = true;
  return error;
}

// Waits for more of the body; the client is told to go on where it asked.
Result<void> Connection::await_body() {
  if (continue_wanted_) {
    work_->output += "HTTP/1.1 100 Continue\r\n\r\n";
    continue_wanted_ = false;
  }
  if (!flush()) return ErrorCode::operation_cancelled;
  const ServerOptions& options = thread_.options();
  const int64_t earned_ms = static_cast<int64_t>(body_received_) * 1'000 / options.minimum_body_bytes_per_s;
  const int64_t left_ms = options.body_timeout_ms + earned_ms - body_waited_us_ / 1'000;
  const int64_t begin_us = IoThread::now_us();
  const bool ready = left_ms > 0 && wait(Event::readable, std::min(left_ms, options.body_timeout_ms));
  body_waited_us_ += IoThread::now_us() - begin_us;
  if (broken_) return ErrorCode::operation_cancelled;
  if (!ready) return Error(ErrorCode::request_timeout, "the request's body did not come in time");
  return {};
}

Result<size_t> Connection::read_sized(std::span<char> into) {
  if (body_left_ == 0) return size_t{0};
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(into.size(), body_left_));
  const BytesView buffered = work_->unread().substr(0, wanted);
  if (!buffered.empty()) {
    std::memcpy(into.data(), buffered.data(), buffered.size());
    work_->input_begin += buffered.size();
    body_left_ -= buffered.size();
    return buffered.size();
  }
  for (;;) {
    // Never beyond the body: what follows belongs to the next request.
    const Result<size_t> count = receive_into(into.data(), wanted);
    if (!count.ok()) return body_error(count.error());
    if (*count > 0) {
      body_left_ -= *count;
      body_received_ += *count;
      return *count;
    }
    if (Result<void> ready = await_body(); !ready.ok()) return body_error(ready.error());
  }
}

Result<size_t> Connection::read_chunked(std::span<char> into) {
  Bytes& raw = work_->chunked_input;
  while (chunks_left_) {
    const Result<ChunkDecoder::Step> decoded = work_->parser.decode_chunked(raw, into);
    if (!decoded.ok()) return body_error(decoded.error());
    raw.erase(0, decoded->consumed);
    if (decoded->done) chunks_left_ = false;
    if (decoded->produced > 0) return decoded->produced;
    if (decoded->done) break;
    const size_t before = raw.size();
    raw.resize(before + chunked_read_bytes);
    const Result<size_t> count = receive_into(raw.data() + before, chunked_read_bytes);
    raw.resize(before + (count.ok() ? *count : 0));
    if (!count.ok()) return body_error(count.error());
    body_received_ += *count;
    if (*count > 0) continue;
    if (Result<void> ready = await_body(); !ready.ok()) return body_error(ready.error());
  }
  return size_t{0};
}

void Connection::check_time(int64_t now) {
  if (deadline_us_ != 0 && now >= deadline_us_ && waiting_) {
    deadline_us_ = 0;
    timed_out_ = true;
    socket_.cancel();
    return;
  }
  if (phase_ != Phase::running) return;
  Exchange& exchange = work_->exchange;
  if (exchange.deadline_steady_us != 0 && now >= exchange.deadline_steady_us) exchange.cancellation.request();
  if (!events_ || waiting_ || broken_) return;
  if (!work_->output.empty()) {
    try_flush();
    if (now - last_sent_us_ > thread_.options().write_timeout_ms * 1'000) broken_ = true;
  } else if (now - last_sent_us_ >= thread_.options().heartbeat_interval_ms * 1'000) {
    events_->heartbeat();
    try_flush();
  }
  if (broken_) exchange.cancellation.request();
}

void Connection::on_peer_gone() { work_->exchange.cancellation.request(); }

void Connection::drain() {
  switch (phase_) {
    case Phase::idle: {
      // A request may have come that the loop has not seen yet: it is answered, with Connection: close.
      char byte;
      if (::recv(socket_.descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) close();
      break;
    }
    case Phase::head:
      deadline_us_ = std::min(deadline_us_, after_ms(drained_head_ms));
      break;
    case Phase::running:
      // An answer that never ends by itself (an event stream has no deadline) is told now.
      if (work_->exchange.deadline_steady_us == 0) work_->exchange.cancellation.request();
      break;
    case Phase::lingering:
    case Phase::closed:
      break;
  }
}

void Connection::cut() {
  if (phase_ != Phase::running) return close();
  broken_ = true;
  work_->exchange.cancellation.request();
  ::shutdown(socket_.descriptor(), SHUT_RDWR);
  if (waiting_) socket_.cancel();
}

// The response is sent; what the client sends on is thrown away until it has seen our end.
void Connection::linger() {
  phase_ = Phase::lingering;
  ::shutdown(socket_.descriptor(), SHUT_WR);
  work_->parser.reset();
  thread_.give_back(std::move(work_));
  deadline_us_ = after_ms(linger_ms);
  arm_read();
}

void Connection::on_lingering() {
  char scratch[16'384];
  // 256 KiB at a time: others want their turn.
  for (int i = 0; i < 16 && !timed_out_; ++i) {
    const Result<size_t> count = receive_into(scratch, sizeof(scratch));
    if (!count.ok()) return close();
    if (*count == 0) return arm_read();
  }
  if (timed_out_ || IoThread::now_us() >= deadline_us_) return close();
  arm_read();
}

void Connection::close(bool abort) {
  if (phase_ != Phase::closed) {
    phase_ = Phase::closed;
    deadline_us_ = 0;
    const struct linger at_once{1, 0};
    if (abort) ::setsockopt(socket_.descriptor(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    socket_.close();
    if (work_) {
      work_->parser.reset();
      thread_.give_back(std::move(work_));
    }
  }
  delete_if_unused();
}

void Connection::delete_if_unused() {
  if (!waiting_ && coroutine_ == nullptr) thread_.remove(this);
}

}  // namespace strata::rest
