// InProcess: the way of bytes to operations without a socket, for tests and fuzzers.
//
// Purpose:       parser, router, dispatcher and handlers as the server strings them together, on bytes in memory.
// Ownership:     borrows the dispatcher.
// Thread safety: none.
// Invariants:    a connection that the server would close ends the bytes here too.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "faces/rest/dispatcher.h"

namespace strata::rest {

class InProcess {
 public:
  struct Answer {
    Response response;
    // The whole body, of a streamed response too.
    Bytes body;
    Bytes request_id;
    // A streamed response that broke off.
    bool broken = false;
  };

  explicit InProcess(Dispatcher& dispatcher, ParserLimits limits = {}) : dispatcher_(dispatcher), parser_(limits) {}

  // Every request that is complete in `bytes`, in order.
  std::vector<Answer> send(Bytes bytes) {
    // The server promises handlers readable bytes behind a body.
    const size_t size = bytes.size();
    bytes.resize(size + Request::body_padding_bytes);
    BytesView rest = BytesView(bytes).substr(0, size);
    std::vector<Answer> answers;
    for (;;) {
      parser_.reset();
      const Result<size_t> head = parser_.parse_head(rest, exchange_.head);
      if (!head.ok()) {
        Answer answer;
        answer.response = dispatcher_.refuse(head.error());
        answer.body = answer.response.body;
        answers.push_back(std::move(answer));
        return answers;
      }
      if (*head == 0) return answers;
      rest.remove_prefix(*head);
      Source source(*this, rest);
      answers.push_back(answer(source));
      if (!exchange_.head.keep_alive || !source.skip()) return answers;
    }
  }

  // The answer to one request.
  Answer send_one(Bytes bytes) {
    std::vector<Answer> answers = send(std::move(bytes));
    STRATA_ASSERT(answers.size() == 1);
    return std::move(answers.front());
  }

 private:
  class Source final : public BodySource {
   public:
    Source(InProcess& owner, BytesView& rest)
        : owner_(owner), rest_(rest), left_(owner.exchange_.head.content_length.value_or(0)) {}

    Result<size_t> read(std::span<char> into) override {
      if (!owner_.exchange_.head.chunked) {
        const size_t count = std::min({into.size(), rest_.size(), static_cast<size_t>(left_)});
        if (count == 0 && left_ > 0) return gone();
        std::memcpy(into.data(), rest_.data(), count);
        rest_.remove_prefix(count);
        left_ -= count;
        return count;
      }
      if (done_) return size_t{0};
      ASSIGN_OR_RETURN(const ChunkDecoder::Step step, owner_.parser_.decode_chunked(rest_, into));
      rest_.remove_prefix(step.consumed);
      done_ = step.done;
      if (step.produced == 0 && !step.done) return gone();
      return step.produced;
    }
    std::optional<BytesView> take_whole() override {
      if (left_ > rest_.size()) return std::nullopt;
      const BytesView body = rest_.substr(0, left_);
      rest_.remove_prefix(left_);
      left_ = 0;
      return body;
    }
    // What the handler left. False: the connection cannot go on.
    bool skip() {
      char scratch[4'096];
      for (;;) {
        const Result<size_t> count = read(scratch);
        if (!count.ok()) return false;
        if (*count == 0) return true;
      }
    }

   private:
    static Error gone() { return {ErrorCode::operation_cancelled, "the client closed the connection"}; }

    InProcess& owner_;
    BytesView& rest_;
    uint64_t left_;
    bool done_ = false;
  };

  class Collector final : public ResponseStream {
   public:
    explicit Collector(Bytes& out) : out_(out) {}
    Result<void> write(BytesView bytes) override {
      // An event stream has no end of its own.
      if (out_.size() + bytes.size() > (16u << 20)) return ErrorCode::operation_cancelled;
      out_.append(bytes);
      return {};
    }
    Result<void> flush() override { return {}; }

   private:
    Bytes& out_;
  };

  Answer answer(Source& source) {
    Answer answer;
    answer.response = dispatcher_.dispatch(exchange_, source);
    answer.request_id = exchange_.request_id;
    if (answer.response.stream) {
      Collector collector(answer.body);
      if (exchange_.head.method != Method::head) answer.broken = !answer.response.stream(collector).ok();
    } else {
      answer.body = answer.response.body;
    }
    return answer;
  }

  Dispatcher& dispatcher_;
  RequestParser parser_;
  Exchange exchange_;
};

}  // namespace strata::rest
