// What the services of versioned files are asked and what they answer.
//
// Purpose:       one description of a file, a directory or a symlink, and one way to say which tree is meant.
// Ownership:     requests are views, answers own their bytes.
// Thread safety: values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/blake3.h"
#include "base/error.h"

namespace strata::service {

inline constexpr size_t max_content_type_bytes = 1'024;

// The numbers that listings and archives show.
enum class FileKind : uint8_t { chunk = 1, file = 2, directory = 3, symlink = 8 };

struct FileStat {
  FileKind kind = FileKind::file;
  // Canonical: "/" is the root, no slash at the end. Empty for a chunk.
  std::string path;
  // The file record's, the directory's, the symlink's; what an ETag shows.
  Hash hash{};
  uint64_t total_size = 0;  // of a file or chunk
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  std::string content_type;  // of a file
  std::string target;        // of a symlink

  std::string_view name() const { return std::string_view(path).substr(path.rfind('/') + 1); }
};

// Told the hash of what stands at a path, nullopt where nothing does, when a change of it is decided; its error refuses
// the change. Asked anew in every attempt.
using PathGuard = std::function<Result<void>(const std::optional<Hash>& standing)>;

// The tree that is read. A snapshot beats a version, both beat the fork.
struct FileTree {
  // Empty: HEAD.
  std::string_view fork = {};
  // A snapshot's name, a fork's, or "HEAD".
  std::optional<std::string_view> snapshot = std::nullopt;
  // A version hash in hexadecimal digits.
  std::optional<std::string_view> version = std::nullopt;
};

}  // namespace strata::service
