#include "service/file_uploads.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "layers/files/path.h"
#include "service/content_type.h"
#include "service/file_operations.h"
#include "service/file_writer.h"
#include "service/upload_marks.h"

namespace strata::service {
namespace {

using archive::EntryKind;

static_assert(upload_chunk_bytes == archive::file_chunk_bytes && upload_chunk_hash_prefix == archive::chunk_domain);

// Of a transaction.
constexpr size_t checked_at_once = 1'000;

void mark(kv::Transaction& transaction, const Hash& chunk, int64_t now_ms) {
  files::set_upload_mark(
      transaction, {.session = files::loose_chunks, .chunk = chunk, .expires_at_ms = now_ms + upload_mark_lifetime_ms});
}

// Which of them are there; those are marked.
Result<std::vector<bool>> find_chunks(FileSystem& system, const Context& context, std::span<const Hash> chunks) {
  return system.write(context, kv::Durability::async, [&](kv::Transaction& transaction) -> Result<std::vector<bool>> {
    ASSIGN_OR_RETURN(auto entries, files::EntryWriter::begin(transaction, system.cache()));
    std::vector<Future<std::optional<Bytes>>> found;
    for (const Hash& chunk : chunks) found.push_back(entries.look_up(chunk));
    std::vector<bool> there;
    for (size_t i = 0; i < chunks.size(); ++i) {
      ASSIGN_OR_RETURN(const auto stored, found[i].get());
      ASSIGN_OR_RETURN(const auto row, entries.reuse(chunks[i], stored));
      there.push_back(row && row->kind == EntryKind::chunk);
      if (there.back()) mark(transaction, chunks[i], system.now_ms());
    }
    return there;
  });
}

// The directories above these canonical paths, each once.
size_t count_directories(std::vector<std::string_view> paths) {
  std::ranges::sort(paths);
  size_t count = 0;
  std::string_view before;
  for (const std::string_view path : paths) {
    // What it shares with any path before it, it shares with the last.
    const auto differs = std::ranges::mismatch(path, before).in1;
    count += static_cast<size_t>(std::count(std::max(differs, path.begin() + 1), path.end(), '/'));
    before = path;
  }
  return count;
}

}  // namespace

Result<CheckedChunks> FileUploads::check(const Context& context, std::span<const Hash> chunks) {
  if (chunks.size() > max_checked_chunks) {
    return Error(ErrorCode::invalid_argument, fmt::format("more than {} hashes", max_checked_chunks));
  }
  // Not by their first bytes: they are what a client says, and need not be hashes of anything.
  std::set<Hash> seen;
  std::vector<Hash> asked;
  for (const Hash& chunk : chunks) {
    if (seen.insert(chunk).second) asked.push_back(chunk);
  }
  CheckedChunks checked;
  for (size_t at = 0; at < asked.size(); at += checked_at_once) {
    const auto part = std::span(asked).subspan(at, std::min(checked_at_once, asked.size() - at));
    ASSIGN_OR_RETURN(const std::vector<bool> there, find_chunks(system_, context, part));
    for (size_t i = 0; i < part.size(); ++i) (there[i] ? checked.have : checked.needed).push_back(part[i]);
  }
  return checked;
}

Result<bool> FileUploads::put_chunk(const Context& context, const Hash& hash, BytesView bytes) {
  if (bytes.size() > upload_chunk_bytes) {
    return Error(ErrorCode::invalid_argument, fmt::format("a chunk has at most {} bytes", upload_chunk_bytes));
  }
  if (const Hash actual = ChunkPacker::name(bytes); actual != hash) {
    return Error(ErrorCode::invalid_argument, fmt::format("hash mismatch: these bytes are {}", hash_hex(actual)));
  }
  return system_.write(context, system_.options().durability, [&](kv::Transaction& transaction) -> Result<bool> {
    ASSIGN_OR_RETURN(auto entries, files::EntryWriter::begin(transaction, system_.cache()));
    ASSIGN_OR_RETURN(const auto stored, entries.look_up(hash).get());
    ASSIGN_OR_RETURN(const auto row, entries.reuse(hash, stored));
    mark(transaction, hash, system_.now_ms());
    if (row) return false;
    ChunkPacker({}).put(entries, hash, bytes);
    return true;
  });
}

Result<std::vector<FileStat>> FileUploads::commit(const Context& context, std::span<const UploadedFile> files,
                                                  std::string_view fork) {
  const Hash empty_chunk = ChunkPacker::name({});
  std::vector<PutFile> puts(files.size());
  std::vector<FileOperation*> group;
  std::vector<std::string_view> paths;
  for (size_t i = 0; i < files.size(); ++i) {
    ASSIGN_OR_RETURN(puts[i].path, files::canonical_written_path(files[i].path));
    paths.push_back(puts[i].path);
  }
  if (count_directories(std::move(paths)) > max_committed_directories) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("the files are in more than {} directories", max_committed_directories));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    PutFile& put = puts[i];
    if (files[i].content_type.size() > max_content_type_bytes) {
      return Error(ErrorCode::invalid_argument, "the content type is too long");
    }
    put.content_type = files[i].content_type;
    put.chunks = files[i].chunks;
    // They add nothing, and an archive with a file of such is refused.
    std::erase(put.chunks, empty_chunk);
    put.gather_up_to = system_.options().max_file_bytes;
    if (put.content_type.empty()) {
      ASSIGN_OR_RETURN(put.content_type, content_type_of(context, put.chunks));
    }
    group.push_back(&put);
  }
  if (group.empty()) return std::vector<FileStat>();
  RETURN_IF_ERROR(system_.writer(fork)->submit(context, group));
  std::vector<FileStat> stats;
  for (PutFile& put : puts) stats.push_back(std::move(put.stat));
  return stats;
}

Result<std::string> FileUploads::content_type_of(const Context& context, std::span<const Hash> chunks) const {
  if (chunks.empty()) return detect_content_type({});
  ASSIGN_OR_RETURN(const auto first, system_.read(context, [&](const files::EntryReader& reader) {
    return reader.read(EntryKind::chunk, chunks.front());
  }));
  // One that is missing is named by the commit.
  return detect_content_type(first ? *first : BytesView());
}

}  // namespace strata::service
