// FileUploads: files whose chunks the client has cut and named.
//
// Purpose:       only what the server lacks is sent; any number of files become visible in one transaction.
// Ownership:     borrows the FileSystem.
// Thread safety: any thread.
// Invariants:    a chunk that was answered as there, by check or put_chunk, is kept from collections for 24 hours.
//                commit writes all its files or none.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/context.h"
#include "service/file_system.h"
#include "service/file_types.h"

namespace strata::service {

inline constexpr std::string_view upload_hash_algorithm = "blake3";
inline constexpr size_t upload_chunk_bytes = 262'144;
inline constexpr std::string_view upload_chunk_hash_prefix = "chunk:";
inline constexpr size_t max_checked_chunks = 100'000;
// That one commit makes or changes. A body of 1 MiB has room for half a million, which took 12 s and 640 MB.
inline constexpr size_t max_committed_directories = 30'000;

struct CheckedChunks {
  // In the order of the question, each once.
  std::vector<Hash> have;
  std::vector<Hash> needed;
};

struct UploadedFile {
  std::string_view path;
  // Empty: told from the first bytes.
  std::string_view content_type = {};
  std::vector<Hash> chunks;
};

class FileUploads {
 public:
  explicit FileUploads(FileSystem& system) : system_(system) {}

  Result<CheckedChunks> check(const Context& context, std::span<const Hash> chunks);
  // True: it is new. invalid_argument: more than upload_chunk_bytes, or not the bytes of that hash.
  Result<bool> put_chunk(const Context& context, const Hash& hash, BytesView bytes);
  // In the order of the request. invalid_argument: a chunk that is missing, by name; a path that is none; more than
  // max_committed_directories on their ways. conflict as Files::put. fork: empty is HEAD.
  Result<std::vector<FileStat>> commit(const Context& context, std::span<const UploadedFile> files,
                                       std::string_view fork = {});

 private:
  Result<std::string> content_type_of(const Context& context, std::span<const Hash> chunks) const;

  FileSystem& system_;
};

}  // namespace strata::service
