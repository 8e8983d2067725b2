#include "service/file_stream.h"

#include <algorithm>

#include "base/log.h"
#include "base/random.h"
#include "service/file_trees.h"

namespace strata::service {
namespace {

using archive::file_chunk_bytes;

files::SessionId random_session() {
  const Bytes random = secure_random_bytes(std::tuple_size_v<files::SessionId>);
  files::SessionId session;
  std::copy_n(random.begin(), session.size(), session.begin());
  return session;
}

}  // namespace

Result<size_t> read_full(ByteSource& source, Bytes& into, size_t at) {
  while (at < into.size()) {
    ASSIGN_OR_RETURN(const size_t count, source.read({into.data() + at, into.size() - at}));
    if (count == 0) break;
    at += count;
  }
  return at;
}

FileStream::FileStream(FileSystem& system, std::string_view content_type)
    : system_(system),
      packer_(content_type),
      session_(random_session()),
      expires_at_ms_(system.now_ms() + upload_mark_lifetime_ms) {}

FileStream::~FileStream() {
  for (Group& group : in_flight_) static_cast<void>(group.committed.get().ok());
}

Bytes FileStream::buffer() {
  if (spare_.empty()) return Bytes(file_chunk_bytes, '\0');
  Bytes buffer = std::move(spare_.back());
  spare_.pop_back();
  return buffer;
}

Result<void> FileStream::write(Bytes first, ByteSource& rest) {
  STRATA_ASSERT(first.size() == file_chunk_bytes);
  RETURN_IF_ERROR(add(std::move(first)));
  for (bool ended = false; !ended;) {
    Bytes chunk = buffer();
    ASSIGN_OR_RETURN(const size_t size, read_full(rest, chunk));
    ended = size < file_chunk_bytes;
    chunk.resize(size);
    if (size != 0) RETURN_IF_ERROR(add(std::move(chunk)));
  }
  RETURN_IF_ERROR(send());
  while (!in_flight_.empty()) RETURN_IF_ERROR(settle());
  return {};
}

Result<void> FileStream::add(Bytes chunk) {
  total_size_ += chunk.size();
  if (total_size_ > system_.options().max_file_bytes) {
    return file_too_large(system_.options().max_file_bytes);
  }
  if (filling_.chunks.empty()) filling_.first = chunks_.size();
  chunks_.push_back(ChunkPacker::name(chunk));
  filling_.chunks.push_back(std::move(chunk));
  return filling_.chunks.size() == group_chunks ? send() : Result<void>();
}

Result<void> FileStream::send() {
  if (filling_.chunks.empty()) return {};
  while (in_flight_.size() >= most_in_flight) RETURN_IF_ERROR(settle());
  in_flight_.push_back(std::exchange(filling_, {}));
  Group& group = in_flight_.back();
  group.transaction.emplace(system_.database().create_transaction());
  group.committed = commit(group);
  return {};
}

Future<void> FileStream::commit(Group& group) {
  kv::Transaction& transaction = *group.transaction;
  transaction.raise_size_limit_to_engine();
  RETURN_IF_ERROR(FileSystem::shorten_pauses(transaction));
  // The commit that refers to the chunks makes everything before it durable.
  transaction.set_durability(kv::Durability::async);
  RETURN_IF_ERROR(put(transaction, group));
  return transaction.commit();
}

Result<void> FileStream::put(kv::Transaction& transaction, const Group& group) {
  ASSIGN_OR_RETURN(files::EntryWriter entries, files::EntryWriter::begin(transaction, system_.cache()));
  if (group.first == 0) {
    files::set_upload_mark(transaction, {.session = session_, .chunk = whole_upload, .expires_at_ms = expires_at_ms_});
  }
  std::vector<Future<std::optional<Bytes>>> found;
  for (size_t i = 0; i < group.chunks.size(); ++i) found.push_back(entries.look_up(chunks_[group.first + i]));
  for (size_t i = 0; i < group.chunks.size(); ++i) {
    const Hash& name = chunks_[group.first + i];
    ASSIGN_OR_RETURN(const auto stored, found[i].get());
    // A file of one byte again and again has the same chunk four times.
    const auto begin = chunks_.begin() + static_cast<ptrdiff_t>(group.first);
    if (std::find(begin, begin + static_cast<ptrdiff_t>(i), name) != begin + static_cast<ptrdiff_t>(i)) continue;
    files::set_upload_mark(transaction, {.session = session_, .chunk = name, .expires_at_ms = expires_at_ms_});
    ASSIGN_OR_RETURN(const auto row, entries.reuse(name, stored));
    if (row) continue;
    packer_.put(entries, name, group.chunks[i]);
  }
  return {};
}

Result<void> FileStream::settle() {
  // It stays in the list until it is committed, so that the destructor waits for what is under way.
  Group& group = in_flight_.front();
  for (;;) {
    const Result<void> committed = group.committed.get();
    if (committed.ok()) break;
    // What was written perhaps is written again: the same.
    const Result<void> again = group.transaction->on_error(committed.error()).get();
    if (!again.ok()) {
      in_flight_.pop_front();
      return again;
    }
    group.committed = commit(group);
  }
  for (Bytes& chunk : group.chunks) {
    if (chunk.size() == file_chunk_bytes) spare_.push_back(std::move(chunk));
  }
  in_flight_.pop_front();
  return {};
}

void FileStream::abandon() {
  while (!in_flight_.empty()) {
    static_cast<void>(in_flight_.front().committed.get().ok());
    in_flight_.pop_front();
  }
  abandon_upload(system_, session_);
}

void abandon_upload(FileSystem& system, const files::SessionId& session) {
  const auto cleared = system.database().run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set_durability(kv::Durability::async);
    files::clear_upload_marks(transaction, session);
    return {};
  });
  if (!cleared.ok()) log::warning("an upload's marks stay for a day", {{"error", cleared.error().message()}});
}

}  // namespace strata::service
