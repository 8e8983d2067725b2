#include "faces/rest/connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "faces/rest/stream_writer.h"

namespace strata::rest {
namespace {

// Bodies up to this are copied behind their head: one buffer, one write for a burst of responses.
constexpr size_t copied_body_bytes = 16'384;
constexpr size_t flush_bytes = 65'536;
// What is read and thrown away to keep a connection whose request's body nobody wanted.
constexpr uint64_t drained_body_bytes = 65'536;

int64_t after_ms(int64_t ms) { return IoThread::now_us() + ms * 1'000; }

}  // namespace

Connection::Connection(IoThread& thread, EventSocket socket) : thread_(thread), socket_(std::move(socket)) {
  thread_.state().connections.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  ServerState& state = thread_.state();
  if (state.connections.fetch_sub(1) == 1 && state.draining.load()) {
    std::lock_guard lock(state.mutex);
    state.all_closed.notify_all();
  }
}

void Connection::start() {
  // The first request is often there already.
  phase_ = Phase::idle;
  deadline_us_ = after_ms(thread_.options().header_timeout_ms);
  arm_read();
}

void Connection::arm_read() {
  STRATA_ASSERT(!waiting_);
  waiting_ = true;
  socket_.wait(Event::readable, *this);
}

void Connection::on_event(bool cancelled) {
  waiting_ = false;
  if (!cancelled) timed_out_ = false;  // bytes came in the last moment
  if (coroutine_) return coroutine_->resume();
  if (phase_ == Phase::closed) return delete_if_unused();
  if (phase_ == Phase::lingering) return on_lingering();
  on_readable();
}

// Reads once. False: closed.
bool Connection::receive() {
  WorkSpace& work = *work_;
  if (work.input_begin == work.input_end) work.input_begin = work.input_end = 0;
  const size_t capacity = work.input.size() - Request::body_padding_bytes;
  if (work.input_end == capacity) {
    if (work.input_begin > 0) {
      std::memmove(work.input.data(), work.input.data() + work.input_begin, work.input_end - work.input_begin);
      work.input_end -= work.input_begin;
      work.input_begin = 0;
    } else {
      work.input.resize(2 * capacity + Request::body_padding_bytes);
    }
  }
  const size_t room = work.input.size() - Request::body_padding_bytes - work.input_end;
  const Result<size_t> count = receive_into(work.input.data() + work.input_end, room);
  if (!count.ok()) {
    close();
    return false;
  }
  work.input_end += *count;
  return true;
}

// 0: nothing there now. An error: the client is gone.
Result<size_t> Connection::receive_into(char* at, size_t size) {
  for (;;) {
    const ssize_t count = ::recv(socket_.descriptor(), at, size, MSG_DONTWAIT);
    if (count > 0) {
      thread_.state().received_bytes.add(static_cast<uint64_t>(count));
      return static_cast<size_t>(count);
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return size_t{0};
    broken_ = count < 0;
    return Error(ErrorCode::operation_cancelled, "the client closed the connection");
  }
}

void Connection::on_readable() {
  if (timed_out_) {
    timed_out_ = false;
    if (phase_ == Phase::idle) return close();
    parse_error_ = Error(ErrorCode::request_timeout, "the request's headers did not come in time");
  } else {
    if (!work_) work_ = thread_.take_work_space();
    if (!receive() || !try_head()) return;
  }
  phase_ = Phase::running;
  deadline_us_ = 0;
  if (!thread_.coroutines().start([](void* self) { static_cast<Connection*>(self)->run(); }, this)) close();
}

// A head has begun to come.
void Connection::begin_head() {
  phase_ = Phase::head;
  const int64_t limit_ms = thread_.options().header_timeout_ms;
  const bool draining = thread_.state().draining.load(std::memory_order_relaxed);
  deadline_us_ = after_ms(draining ? std::min(limit_ms, drained_head_ms) : limit_ms);
}

// True: there is a request (or something that is none) to answer. False: it waits for more, or has deleted itself.
bool Connection::try_head() {
  const Result<size_t> parsed = work_->parser.parse_head(work_->unread(), work_->exchange.head);
  if (!parsed.ok()) {
    parse_error_ = parsed.error();
    return true;
  }
  if (*parsed > 0) {
    work_->input_begin += *parsed;
    return true;
  }
  if (work_->unread().empty()) {
    become_idle();
    return false;
  }
  if (phase_ == Phase::idle) begin_head();
  arm_read();
  return false;
}

void Connection::become_idle() {
  if (phase_ != Phase::idle) {
    phase_ = Phase::idle;
    deadline_us_ = after_ms(thread_.options().keep_alive_timeout_ms);
  }
  work_->parser.reset();
  thread_.give_back(std::move(work_));
  if (thread_.state().draining.load(std::memory_order_relaxed)) return close();
  arm_read();
}

void Connection::run() {
  coroutine_ = CoroutinePool::current();
  coroutine_->on_suspend([](void* self) { static_cast<Connection*>(self)->try_flush(); }, this);
  bool reuse = true;
  for (;;) {
    if (parse_error_) {
      refuse(*parse_error_);
      reuse = false;
      break;
    }
    reuse = serve();
    if (!reuse) break;
    finish_request();
    if (work_->output.size() >= flush_bytes && !flush()) break;
    // Pipelined requests that are here in full are answered in one burst.
    const Result<size_t> parsed = work_->parser.parse_head(work_->unread(), work_->exchange.head);
    if (!parsed.ok()) {
      parse_error_ = parsed.error();
    } else if (*parsed == 0) {
      break;
    } else {
      work_->input_begin += *parsed;
    }
  }
  flush();
  coroutine_ = nullptr;
  if (broken_) return close(reset_);
  if (!reuse) {
    // What the client still sends would make the kernel answer with a reset, which can overtake our response.
    const bool more_may_come = parse_error_ || body_left_ > 0 || chunks_left_ || !work_->unread().empty();
    return more_may_come ? linger() : close();
  }
  if (work_->unread().empty()) return become_idle();
  begin_head();
  arm_read();
}

// One request. False: the connection ends after it.
bool Connection::serve() {
  WorkSpace& work = *work_;
  const RequestHead& head = work.exchange.head;
  body_left_ = head.content_length.value_or(0);
  chunks_left_ = head.chunked;
  continue_wanted_ = head.expects_continue && head.has_body();
  body_waited_us_ = 0;
  body_received_ = 0;
  body_failed_ = false;
  if (head.chunked) {
    work.chunked_input.assign(work.unread());
    work.input_begin = work.input_end = 0;
  }
  ServerState& state = thread_.state();
  Response response;
  if (state.requests_in_flight.fetch_add(1, std::memory_order_relaxed) >= thread_.options().max_requests_in_flight) {
    response = thread_.dispatcher().refuse({ErrorCode::unavailable, "too many requests in flight"});
  } else {
    response = thread_.dispatcher().dispatch(work.exchange, *this);
  }
  const bool until_close = response.stream && !response.stream_length && head.http_1_0;
  const bool reuse = !broken_ && head.keep_alive && !until_close && body_can_be_drained() &&
                     !state.draining.load(std::memory_order_relaxed);
  if (!broken_) respond(std::move(response), reuse);
  work.exchange.cancellation.clear();
  work.exchange.deadline_steady_us = 0;
  state.requests_in_flight.fetch_sub(1, std::memory_order_relaxed);
  return reuse && !broken_ && drain_body();
}

void Connection::refuse(const Error& error) {
  work_->exchange.head.clear();
  work_->exchange.request_id.clear();
  respond(thread_.dispatcher().refuse(error), false);
}

void Connection::respond(Response&& response, bool reuse) {
  const RequestHead& head = work_->exchange.head;
  Bytes& output = work_->output;
  HeadOptions options;
  options.keep_alive = reuse;
  options.http_1_0 = head.http_1_0;
  options.date = thread_.date().now();
  options.request_id = work_->exchange.request_id;
  const bool no_body = response.status == 204 || response.status == 304;
  if (response.stream && !no_body) return respond_streamed(response, options);
  options.framing = no_body ? Framing::none : Framing::length;
  options.length = response.body.size();
  append_response_head(output, response, options);
  if (no_body || head.method == Method::head) return;
  if (response.body.size() <= copied_body_bytes) {
    output += response.body;
    return;
  }
  const BytesView parts[] = {output, response.body};
  send(parts, 2);
  output.clear();
}

void Connection::respond_streamed(Response& response, HeadOptions options) {
  const RequestHead& head = work_->exchange.head;
  options.framing = response.stream_length ? Framing::length : head.http_1_0 ? Framing::until_close : Framing::chunked;
  options.length = response.stream_length.value_or(0);
  append_response_head(work_->output, response, options);
  if (head.method == Method::head) return;
  StreamWriter writer(*this, options.framing == Framing::chunked, response.stream_length);
  if (response.content_type == event_stream_type) events_ = &writer;
  Result<void> written = writer.flush();
  try {
    if (written.ok()) written = response.stream(writer);
  } catch (const std::exception& exception) {
    written = Error(ErrorCode::internal, exception.what());
  }
  if (written.ok()) written = writer.finish();
  events_ = nullptr;
  // A message that is not whole must not look whole: the connection is reset, not closed.
  if (!written.ok()) broken_ = reset_ = true;
}

bool Connection::body_can_be_drained() const {
  if (chunks_left_ || body_failed_) return false;
  if (body_left_ == 0) return true;
  // One that asked whether to send may do either now.
  return !continue_wanted_ && body_left_ <= drained_body_bytes;
}

bool Connection::drain_body() {
  char scratch[4'096];
  while (body_left_ > 0) {
    if (!read_sized(scratch).ok()) return false;
  }
  return true;
}

void Connection::finish_request() {
  WorkSpace& work = *work_;
  if (work.exchange.head.chunked && !work.chunked_input.empty()) {
    // What came behind the last chunk is the next request.
    const size_t needed = work.chunked_input.size() + Request::body_padding_bytes;
    if (work.input.size() < needed) work.input.resize(needed);
    std::memcpy(work.input.data(), work.chunked_input.data(), work.chunked_input.size());
    work.input_begin = 0;
    work.input_end = work.chunked_input.size();
    work.chunked_input.clear();
  }
  work.parser.reset();
}

}  // namespace strata::rest
