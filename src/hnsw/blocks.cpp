#include "hnsw/blocks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace strata::hnsw {

namespace {

// Large enough for huge pages, small enough that a part of one is no loss.
constexpr size_t target_block_bytes = 4u << 20;
constexpr size_t huge_page_bytes = 2u << 20;
constexpr uint64_t most_slots_of_a_block = 1u << 16;

Error failed(const char* what) {
  const int number = errno;
  const ErrorCode code = number == ENOSPC || number == EDQUOT ? ErrorCode::disk_full
                         : number == ENOMEM                   ? ErrorCode::internal
                                                              : ErrorCode::io_error;
  return Error(code, std::string("vector index: ") + what + ": " + std::strerror(number));
}

uint64_t slots_of_block(size_t stride) {
  const uint64_t wanted = std::bit_ceil(target_block_bytes / stride + 1);
  return wanted < 64 ? 64 : (wanted > most_slots_of_a_block ? most_slots_of_a_block : wanted);
}

}  // namespace

Blocks::Blocks(size_t stride, std::string directory) : stride_(stride), directory_(std::move(directory)) {
  const uint64_t slots = slots_of_block(stride);
  shift_ = static_cast<uint32_t>(std::countr_zero(slots));
  mask_ = static_cast<uint32_t>(slots - 1);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  block_bytes_ = (slots * stride + page - 1) / page * page;
}

Blocks::~Blocks() {
  std::byte** table = table_.load(std::memory_order_acquire);
  for (size_t i = 0; i < blocks_; ++i) munmap(table[i], block_bytes_);
  if (file_ >= 0) close(file_);
}

Result<void> Blocks::open_file() {
  file_ = open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file_ >= 0) return {};
  // Not every file system has unnamed files.
  std::string name = directory_ + "/rows.XXXXXX";
  file_ = mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0) return failed("cannot create the file of rows");
  unlink(name.c_str());
  return {};
}

Result<std::byte*> Blocks::map_block(size_t index) {
  if (file_backed()) {
    if (file_ < 0) RETURN_IF_ERROR(open_file());
    const off_t offset = static_cast<off_t>((index - adopted_blocks_) * block_bytes_);
    // Room is taken before the mapping is written: a full disk is an error here and a SIGBUS there.
    if (const int error = posix_fallocate(file_, offset, static_cast<off_t>(block_bytes_)); error != 0) {
      errno = error;
      return failed("cannot extend the file of rows");
    }
    void* at = mmap(nullptr, block_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file_, offset);
    if (at == MAP_FAILED) return failed("cannot map the file of rows");
    return static_cast<std::byte*>(at);
  }
  void* at = mmap(nullptr, block_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return failed("no memory");
  // The first block stays small: most collections are.
  if (index > 0 && block_bytes_ >= huge_page_bytes) madvise(at, block_bytes_, MADV_HUGEPAGE);
  return static_cast<std::byte*>(at);
}

void Blocks::append(std::byte* block) {
  if (blocks_ == table_size_) {
    const size_t size = table_size_ == 0 ? 4 : table_size_ * 2;
    auto larger = std::make_unique<std::byte*[]>(size);
    if (blocks_ > 0) std::memcpy(larger.get(), tables_.back().get(), blocks_ * sizeof(std::byte*));
    tables_.push_back(std::move(larger));
    table_size_ = size;
  }
  tables_.back()[blocks_] = block;
  ++blocks_;
  // After the entry: who sees the table sees the block, and a slot is told to others only later.
  table_.store(tables_.back().get(), std::memory_order_release);
  capacity_.store(blocks_ * slots_per_block(), std::memory_order_release);
}

Result<void> Blocks::adopt(int file, uint64_t offset, uint64_t count) {
  STRATA_ASSERT(blocks_ == 0);
  for (; blocks_ * slots_per_block() < count; ++adopted_blocks_) {
    const auto at = static_cast<off_t>(offset + blocks_ * block_bytes_);
    void* block = mmap(nullptr, block_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, at);
    if (block == MAP_FAILED) return failed("cannot map the image");
    append(static_cast<std::byte*>(block));
  }
  adopted_ = count;
  return {};
}

Result<void> Blocks::grow(uint64_t end) {
  while (capacity() < end) {
    ASSIGN_OR_RETURN(std::byte * block, map_block(blocks_));
    append(block);
  }
  return {};
}

}  // namespace strata::hnsw
