// Blocks: an array of records that grows without moving any.
//
// Purpose:       what searches read while inserts append: one step from a slot to its record, no lock, no copy.
// Ownership:     owns its memory: anonymous, or one unnamed file that is mapped block by block; before these, blocks of
//                an image.
// Thread safety: at() and table() from any thread for slots below capacity(); grow by one at a time.
// Invariants:    a record's address never changes; new records are zero.
// Errors:        disk_full, io_error, internal (no memory).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "hnsw/kernels.h"

namespace strata::hnsw {

class Blocks {
 public:
  // directory empty: anonymous memory.
  explicit Blocks(size_t stride, std::string directory = {});
  ~Blocks();
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  // Makes room for slots below `end`.
  Result<void> grow(uint64_t end);
  // The first records of an empty array are those that lie at `offset` (a multiple of the page) of the file, block by
  // block of block_bytes(), the last one whole too. They are mapped: what is written stays in memory.
  Result<void> adopt(int file, uint64_t offset, uint64_t count);
  uint64_t capacity() const { return capacity_.load(std::memory_order_acquire); }

  std::byte* at(uint32_t slot) const {
    return table_.load(std::memory_order_acquire)[slot >> shift_] + (slot & mask_) * stride_;
  }
  // Good for slots that were known before the call.
  SlotTable table() const { return {table_.load(std::memory_order_acquire), shift_, mask_, stride_}; }
  size_t stride() const { return stride_; }
  uint64_t slots_per_block() const { return uint64_t{mask_} + 1; }
  bool file_backed() const { return !directory_.empty(); }
  size_t block_bytes() const { return block_bytes_; }
  uint64_t adopted() const { return adopted_; }

 private:
  Result<void> open_file();
  Result<std::byte*> map_block(size_t index);
  void append(std::byte* block);

  const size_t stride_;
  const std::string directory_;
  uint32_t shift_ = 0;
  uint32_t mask_ = 0;
  size_t block_bytes_ = 0;
  uint64_t adopted_ = 0;  // records
  size_t adopted_blocks_ = 0;
  int file_ = -1;
  std::atomic<std::byte**> table_{nullptr};
  std::atomic<uint64_t> capacity_{0};
  size_t blocks_ = 0;
  // All tables that ever were: a reader may still hold an older one.
  std::vector<std::unique_ptr<std::byte*[]>> tables_;
  size_t table_size_ = 0;
};

}  // namespace strata::hnsw
