#include "service/file_content.h"

#include <algorithm>

#include "service/file_stream.h"
#include "service/file_trees.h"

namespace strata::service {
namespace {

using archive::file_chunk_bytes;

// Where nobody told a size.
constexpr size_t first_buffer_bytes = 16'384;

}  // namespace

Result<Bytes> read_first(ByteSource& source, std::optional<uint64_t> expected) {
  Bytes first(std::min<uint64_t>(expected.value_or(first_buffer_bytes - 1), file_chunk_bytes - 1) + 1, '\0');
  size_t size = 0;
  for (;;) {
    ASSIGN_OR_RETURN(size, read_full(source, first, size));
    if (size < first.size() || size == file_chunk_bytes) break;
    first.resize(std::min(2 * size, file_chunk_bytes));
  }
  first.resize(size);
  return first;
}

Result<void> take_content(FileSystem& system, Bytes first, ByteSource& rest, PutFile& put) {
  if (first.size() < file_chunk_bytes) {
    if (first.size() > system.options().max_file_bytes) return file_too_large(system.options().max_file_bytes);
    put.total_size = first.size();
    if (!first.empty()) {
      put.small = ChunkPacker(put.content_type).make(std::move(first));
      put.chunks = {put.small->hash};
    }
    return {};
  }
  FileStream stream(system, put.content_type);
  if (Result<void> done = stream.write(std::move(first), rest); !done.ok()) {
    stream.abandon();
    return done;
  }
  put.chunks = stream.chunks();
  put.total_size = stream.total_size();
  put.session = stream.session();
  return {};
}

}  // namespace strata::service
