// ChunkDecoder: the chunked transfer coding of request bodies, strictly.
//
// Purpose:       a state machine that takes any split of its input. Written by hand because Beast's asserts (in release
//                builds too) on "0\r\n" and "\r" coming in two pieces, which any client can send.
// Ownership:     values.
// Thread safety: none.
// Invariants:    every line ends with CRLF, sizes are 1 to 16 hexadecimal digits and fit 64 bits, extensions and
//                trailer fields are checked for form and ignored. After an error the connection cannot go on.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::rest {

class ChunkDecoder {
 public:
  struct Step {
    size_t consumed = 0;
    size_t produced = 0;
    bool done = false;  // the last chunk and the trailer have been read
  };
  // Stops when the input or the output is used up, or at the end of the body. Everything of the input that it
  // understood is consumed.
  Result<Step> decode(BytesView input, std::span<char> output);

 private:
  enum class State : uint8_t {
    size,
    extension,
    size_end,
    data,
    data_return,
    data_end,
    line_begin,
    name,
    value,
    line_end,
    last_end,
    done
  };
  Result<void> take(char c);

  State state_ = State::size;
  int digits_ = 0;
  uint64_t left_ = 0;
  // A chunk of one byte costs six. Who sends much more around its data means harm: 64 KiB and 8 bytes a byte are
  // allowed.
  uint64_t framing_bytes_ = 0;
  uint64_t data_bytes_ = 0;
};

}  // namespace strata::rest
