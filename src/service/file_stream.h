// FileStream: a large file's chunks on their way into the store.
//
// Purpose:       chunks are named, looked up, packed and written by transactions that overlap, before anybody can see
//                the file: PutFile with the stream's session does that.
// Ownership:     borrows the FileSystem. Holds about 4 MiB while bytes come.
// Thread safety: one coroutine or thread at a time.
// Invariants:    every chunk has a mark of this upload, written with it or with the look-up that found it there, so
//                that no collection takes it within a day. Errors are final.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/byte_stream.h"
#include "service/chunk_packer.h"
#include "service/file_system.h"
#include "service/upload_marks.h"

namespace strata::service {

class FileStream {
 public:
  FileStream(FileSystem& system, std::string_view content_type);
  // Waits for what is under way.
  ~FileStream();
  FileStream(const FileStream&) = delete;
  FileStream& operator=(const FileStream&) = delete;

  // `first`, which is full, then all of the source. payload_too_large: max_file_bytes.
  Result<void> write(Bytes first, ByteSource& rest);
  // Nobody will commit it.
  void abandon();

  const files::SessionId& session() const { return session_; }
  const std::vector<Hash>& chunks() const { return chunks_; }
  uint64_t total_size() const { return total_size_; }

 private:
  static constexpr size_t group_chunks = 4;
  static constexpr size_t most_in_flight = 3;
  struct Group {
    size_t first = 0;  // of chunks_
    std::vector<Bytes> chunks;
    std::optional<kv::Transaction> transaction;
    Future<void> committed;
  };

  Result<void> add(Bytes chunk);
  Result<void> send();
  Future<void> commit(Group& group);
  Result<void> put(kv::Transaction& transaction, const Group& group);
  // Waits for the oldest group.
  Result<void> settle();
  Bytes buffer();

  FileSystem& system_;
  ChunkPacker packer_;
  const files::SessionId session_;
  const int64_t expires_at_ms_;
  std::vector<Hash> chunks_;
  uint64_t total_size_ = 0;
  Group filling_;
  std::deque<Group> in_flight_;
  std::vector<Bytes> spare_;
};

// Nobody will commit what this upload has put.
void abandon_upload(FileSystem& system, const files::SessionId& session);

// Fills `into` from `at` on. How many bytes are there then; fewer than into.size(): the source has ended.
Result<size_t> read_full(ByteSource& source, Bytes& into, size_t at = 0);

}  // namespace strata::service
