#include "engine/rocksdb/value_survey.h"

#include <algorithm>

#include "engine/rocksdb/store.h"

namespace strata::kv {

Result<bool> is_held(rocksdb::DB& db, const rocksdb::ReadOptions& read, BytesView key,
                     const ValueReference& reference) {
  rocksdb::PinnableSlice stored;
  const rocksdb::Status status = db.Get(read, db.DefaultColumnFamily(), to_slice(key), &stored);
  if (status.IsNotFound()) return false;
  if (!status.ok()) return to_error(status);
  return is_reference(to_view(stored)) && decode_reference(to_view(stored)) == reference;
}

const ValueSurvey::Found* ValueSurvey::find(uint64_t file) const {
  const auto it = known_.find(file);
  return it == known_.end() ? nullptr : &it->second;
}

Result<ValueSurvey::Found> ValueSurvey::count_living(uint64_t file, const std::atomic<bool>& stop) {
  rocksdb::ManagedSnapshot snapshot(&db_);
  rocksdb::ReadOptions read;
  read.snapshot = snapshot.snapshot();
  read.fill_cache = false;
  Found found{0, snapshot.snapshot()->GetSequenceNumber()};
  RETURN_IF_ERROR(files_.visit(file, [&](BytesView key, const ValueReference& reference) -> Result<bool> {
    ++lookups_;
    ASSIGN_OR_RETURN(const bool held, is_held(db_, read, key, reference));
    if (held) found.living_bytes += reference.size;
    return !stop.load();
  }));
  return found;
}

Result<void> ValueSurvey::look_at(uint64_t file, const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(const Found found, count_living(file, stop));
  if (!stop) known_[file] = found;
  return {};
}

Result<void> ValueSurvey::look(std::vector<ValueFiles::Listed> files, const std::atomic<bool>& stop) {
  const rocksdb::SequenceNumber now = db_.GetLatestSequenceNumber();
  std::erase_if(files, [&](const ValueFiles::Listed& file) {
    const Found* known = find(file.number);
    return known && (known->living_bytes == 0 || known->at == now);
  });
  const auto seen_at = [&](const ValueFiles::Listed& file) {
    const Found* known = find(file.number);
    return known ? known->at : 0;
  };
  std::sort(files.begin(), files.end(), [&](const auto& a, const auto& b) { return seen_at(a) < seen_at(b); });
  const uint64_t appended = files_.counters().bytes;
  const uint64_t most = least_lookups + 2 * ((appended - appended_bytes_) / large_value_bytes_);
  appended_bytes_ = appended;
  lookups_ = 0;
  uint64_t bytes = 0;
  uint64_t living = 0;
  for (const ValueFiles::Listed& file : files) {
    if (stop || (lookups_ >= most && living > bytes / 2)) break;
    RETURN_IF_ERROR(look_at(file.number, stop));
    bytes += file.bytes;
    if (const Found* known = find(file.number)) living += known->living_bytes;
  }
  return {};
}

}  // namespace strata::kv
