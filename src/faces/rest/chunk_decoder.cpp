#include "faces/rest/chunk_decoder.h"

#include <algorithm>
#include <cstring>

namespace strata::rest {
namespace {

constexpr int max_size_digits = 16;
constexpr uint64_t free_framing_bytes = 65'536;

Error bad(const char* what) { return {ErrorCode::invalid_argument, std::string("malformed chunked body: ") + what}; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

}  // namespace

Result<void> ChunkDecoder::take(char c) {
  switch (state_) {
    case State::size:
      if (const int digit = hex_digit(c); digit >= 0) {
        if (++digits_ > max_size_digits) return bad("chunk size");
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        return {};
      }
      if (digits_ == 0) return bad("chunk size");
      if (c == '\r') {
        state_ = State::size_end;
      } else if (c == ';') {
        state_ = State::extension;
      } else {
        return bad("chunk size");
      }
      return {};
    case State::extension:
      if (c == '\r') {
        state_ = State::size_end;
      } else if (is_control(c)) {
        return bad("chunk extension");
      }
      return {};
    case State::size_end:
      if (c != '\n') return bad("line ending");
      state_ = left_ == 0 ? State::line_begin : State::data;
      return {};
    case State::data_return:
      if (c != '\r') return bad("chunk is longer than its size");
      state_ = State::data_end;
      return {};
    case State::data_end:
      if (c != '\n') return bad("line ending");
      state_ = State::size;
      digits_ = 0;
      left_ = 0;
      return {};
    case State::line_begin:
      if (c == '\r') {
        state_ = State::last_end;
        return {};
      }
      if (c == ':' || c == ' ' || c == '\t' || is_control(c)) return bad("trailer");
      state_ = State::name;
      return {};
    case State::name:
      if (c == ':') {
        state_ = State::value;
      } else if (c == ' ' || c == '\t' || is_control(c)) {
        return bad("trailer");
      }
      return {};
    case State::value:
      if (c == '\r') {
        state_ = State::line_end;
      } else if (is_control(c)) {
        return bad("trailer");
      }
      return {};
    case State::line_end:
      if (c != '\n') return bad("line ending");
      state_ = State::line_begin;
      return {};
    case State::last_end:
      if (c != '\n') return bad("line ending");
      state_ = State::done;
      return {};
    case State::data:
    case State::done:
      break;
  }
  return ErrorCode::internal;
}

Result<ChunkDecoder::Step> ChunkDecoder::decode(BytesView input, std::span<char> output) {
  Step step;
  while (step.consumed < input.size() && state_ != State::done) {
    if (state_ != State::data) {
      RETURN_IF_ERROR(take(input[step.consumed++]));
      if (++framing_bytes_ > free_framing_bytes + 8 * data_bytes_) return bad("too much around its data");
      continue;
    }
    const size_t room = output.size() - step.produced;
    if (room == 0) break;
    const size_t there = std::min(input.size() - step.consumed, room);
    const size_t count = static_cast<size_t>(std::min<uint64_t>(there, left_));
    std::memcpy(output.data() + step.produced, input.data() + step.consumed, count);
    step.consumed += count;
    step.produced += count;
    data_bytes_ += count;
    left_ -= count;
    if (left_ == 0) state_ = State::data_return;
  }
  step.done = state_ == State::done;
  return step;
}

}  // namespace strata::rest
