// BytesPipe: bytes on their way from a job to a request.
//
// Purpose:       a job writes as a thread that may wait, the request reads as a coroutine; a few blocks lie between
// them. Ownership:     owns the blocks. Thread safety: one writer and one reader. Invariants:    blocks arrive in
// order, and all of them unless one of the two gives up.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "base/byte_stream.h"
#include "base/future.h"

namespace strata::service {

class BytesPipe final : public ByteSink {
 public:
  // Waits while `max_blocks` are on their way, as a thread. operation_cancelled after close() or refuse().
  Result<void> write(BytesView bytes) override;
  // The writer's end: what it wrote is all, or it failed.
  void finish(Result<void> result);

  // The next block; empty: the end. Then, and after an error, no more.
  Future<Bytes> read();
  // The reader does not want more.
  void close();
  // The writer gets no further, and has to finish().
  void refuse();

 private:
  static constexpr size_t max_blocks = 4;

  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Bytes> blocks_;
  std::optional<Promise<Bytes>> waiting_;
  std::optional<Result<void>> result_;
  bool closed_ = false;
};

}  // namespace strata::service
