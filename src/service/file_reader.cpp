#include "service/file_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::service {
namespace {

using archive::EntryKind;
using archive::file_chunk_bytes;

// Rows that are under way at once.
constexpr size_t row_window = 1'000;

Error damaged(const Hash& chunk) {
  return {ErrorCode::corruption, fmt::format("the chunk {} is missing or damaged", hash_hex(chunk))};
}

}  // namespace

FileReader::FileReader(FileSystem& system, const Hash& hash, archive::FileRecord record, FilePins::Pin pin)
    : system_(system),
      record_(hash),
      chunks_(std::move(record.chunks)),
      size_(record.total_size),
      pin_(std::move(pin)),
      left_(record.total_size) {}

FileReader::FileReader(FileSystem& system, const Hash& chunk, uint64_t size, FilePins::Pin pin)
    : system_(system), chunks_({chunk}), size_(size), pin_(std::move(pin)), left_(size) {}

Result<void> FileReader::select(uint64_t first, uint64_t count) {
  STRATA_ASSERT(first <= size_ && count <= size_ - first);
  ahead_.reset();
  left_ = count;
  next_chunk_ = 0;
  skip_ = first;
  if (first < file_chunk_bytes || chunks_.size() < 2 || count == 0) return {};
  if (sizes_.empty() && !system_.is_regular(*record_)) RETURN_IF_ERROR(find_sizes());
  if (sizes_.empty()) {
    next_chunk_ = first / file_chunk_bytes;
    skip_ = first % file_chunk_bytes;
    return {};
  }
  while (next_chunk_ < sizes_.size() && skip_ >= sizes_[next_chunk_]) skip_ -= sizes_[next_chunk_++];
  return {};
}

Result<void> FileReader::find_sizes() {
  std::vector<uint32_t> sizes;
  const size_t count = chunks_.size() - 1;
  for (size_t begin = 0; begin < count; begin += row_window) {
    const auto read = system_.read({}, [&](const files::EntryReader& reader) -> Result<void> {
      sizes.resize(begin);
      std::vector<Future<std::optional<Bytes>>> rows;
      for (size_t i = begin; i < std::min(count, begin + row_window); ++i) {
        rows.push_back(reader.transaction().get(files::entry_row_key(chunks_[i])));
      }
      for (auto& row : rows) {
        ASSIGN_OR_RETURN(const auto stored, row.get());
        if (!stored) return damaged(chunks_[sizes.size()]);
        ASSIGN_OR_RETURN(const files::EntryRow entry, files::decode_entry_row(*stored));
        sizes.push_back(entry.raw_size);
      }
      return {};
    });
    RETURN_IF_ERROR(read);
  }
  if (std::ranges::all_of(sizes, [](uint32_t size) { return size == file_chunk_bytes; })) {
    system_.set_regular(*record_);
  } else {
    sizes_ = std::move(sizes);
  }
  return {};
}

void FileReader::ask(size_t chunk) {
  asker_.emplace(system_.database().create_transaction());
  ahead_chunk_ = chunk;
  ahead_.emplace(
      files::EntryReader(asker_->snapshot(), system_.cache()).get_first_part(EntryKind::chunk, chunks_[chunk]));
}

Result<Bytes> FileReader::fetch(size_t chunk) {
  if (!ahead_ || ahead_chunk_ != chunk) ask(chunk);
  for (;;) {
    Result<std::optional<Bytes>> first = ahead_->get();
    ahead_.reset();
    if (first.ok()) {
      if (!*first) return damaged(chunks_[chunk]);
      Result<Bytes> bytes =
          files::EntryReader(asker_->snapshot(), system_.cache()).finish(EntryKind::chunk, chunks_[chunk], **first);
      if (bytes.ok()) return bytes;
      first = bytes.error();
    }
    RETURN_IF_ERROR(asker_->on_error(first.error()).get());
    ask(chunk);
  }
}

Result<BytesView> FileReader::next() {
  while (left_ > 0) {
    if (next_chunk_ == chunks_.size()) return Error(ErrorCode::corruption, "a file's chunks are less than its size");
    ASSIGN_OR_RETURN(current_, fetch(next_chunk_));
    const Hash& name = chunks_[next_chunk_++];
    if (archive::content_hash(EntryKind::chunk, current_) != name) return damaged(name);
    if (skip_ >= current_.size()) {
      skip_ -= current_.size();
      continue;
    }
    const BytesView piece = BytesView(current_).substr(skip_, left_);
    skip_ = 0;
    left_ -= piece.size();
    if (left_ > 0 && next_chunk_ < chunks_.size()) ask(next_chunk_);
    return piece;
  }
  return BytesView();
}

}  // namespace strata::service
