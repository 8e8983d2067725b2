#include "service/bytes_pipe.h"

namespace strata::service {

Result<void> BytesPipe::write(BytesView bytes) {
  std::optional<Promise<Bytes>> reader;
  {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || blocks_.size() < max_blocks; });
    if (closed_) return Error(ErrorCode::operation_cancelled, "the reader is gone");
    if (!waiting_) {
      blocks_.emplace_back(bytes);
      return {};
    }
    reader = std::exchange(waiting_, std::nullopt);
  }
  reader->fulfil(Bytes(bytes));
  return {};
}

void BytesPipe::finish(Result<void> result) {
  std::optional<Promise<Bytes>> reader;
  {
    std::lock_guard lock(mutex_);
    reader = std::exchange(waiting_, std::nullopt);
    if (!reader) {
      result_ = std::move(result);
      return;
    }
  }
  reader->fulfil(result.ok() ? Result<Bytes>(Bytes()) : Result<Bytes>(std::move(result).error()));
}

Future<Bytes> BytesPipe::read() {
  std::lock_guard lock(mutex_);
  if (!blocks_.empty()) {
    Bytes block = std::move(blocks_.front());
    blocks_.pop_front();
    room_.notify_one();
    return Future<Bytes>(Result<Bytes>(std::move(block)));
  }
  if (result_) return result_->ok() ? Future<Bytes>(Result<Bytes>(Bytes())) : Future<Bytes>(result_->error());
  return waiting_.emplace().future();
}

void BytesPipe::close() {
  std::optional<Promise<Bytes>> reader;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    reader = std::exchange(waiting_, std::nullopt);
  }
  room_.notify_one();
}

void BytesPipe::refuse() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_.notify_one();
}

}  // namespace strata::service
