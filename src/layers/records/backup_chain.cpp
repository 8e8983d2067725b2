#include "layers/records/backup_chain.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::records {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }
Error damaged(std::string message) { return Error(ErrorCode::corruption, std::move(message)); }

std::string text(const BackupPlace& place) {
  return fmt::format("{}:{} (record {})", place.segment, place.offset, place.lsn);
}

}  // namespace

Result<BackupHeader> BackupChain::add(ByteSource& source) {
  BackupReader reader(source);
  ASSIGN_OR_RETURN(BackupHeader header, reader.read_header());
  RETURN_IF_ERROR(check_header(header));
  RETURN_IF_ERROR(add_items(reader, header));
  started_ = true;
  return header;
}

Result<void> BackupChain::check_header(const BackupHeader& header) {
  if (!started_) {
    log_id_ = header.log_id;
    if (header.kind == BackupKind::snapshot) {
      place_ = read_ = header.start;
    } else if (header.start.lsn != 0) {
      return invalid(
          fmt::format("the records in front of {} are missing: name a snapshot, or the segments from the first one on",
                      text(header.start)));
    }
    return {};
  }
  if (header.kind == BackupKind::snapshot) return invalid("a snapshot can only be the first one");
  if (header.log_id != log_id_) {
    return invalid(fmt::format("it is of another log ({}) than what came before ({})", header.log_id, log_id_));
  }
  if (header.start.lsn > read_.lsn) {
    return invalid(
        fmt::format("a gap: it begins behind {}, what came before ends at {}", text(header.start), text(read_)));
  }
  return {};
}

Result<void> BackupChain::add_items(BackupReader& reader, const BackupHeader& header) {
  for (;;) {
    ASSIGN_OR_RETURN(const BackupItem item, reader.next());
    if (!awaited_.empty() && item.type != BackupItemType::object && item.type != BackupItemType::object_bytes) {
      return damaged("a record puts an object that does not follow it");
    }
    switch (item.type) {
      case BackupItemType::value:
      case BackupItemType::row:
      case BackupItemType::column:
        RETURN_IF_ERROR(consumer_.put(item));
        break;
      case BackupItemType::object:
        RETURN_IF_ERROR(add_object(item));
        break;
      case BackupItemType::object_bytes:
        if (counts_) RETURN_IF_ERROR(consumer_.add_object_bytes(item.bytes));
        break;
      case BackupItemType::record:
        RETURN_IF_ERROR(add_record(item));
        break;
      case BackupItemType::end:
        // The state of a snapshot is one only together with all of its records.
        if (header.kind == BackupKind::snapshot && (place_ != item.place || is_behind_target(place_))) {
          return invalid(fmt::format("the snapshot is of {}, which is behind the wanted position: use an older one",
                                     text(item.place)));
        }
        return {};
    }
  }
}

Result<void> BackupChain::add_object(const BackupItem& item) {
  if (item.object.key.empty()) {
    if (awaited_.empty() || awaited_.front() != item.object.reference) {
      return damaged("an object follows a record that does not put it");
    }
    awaited_.erase(awaited_.begin());
  }
  return counts_ ? consumer_.begin_object(item.object) : Result<void>();
}

bool BackupChain::is_behind_target(const BackupPlace& place) const {
  return target_ && std::pair(place.segment, place.offset) > std::pair(target_->segment, target_->offset);
}

Result<bool> BackupChain::is_beyond(const BackupPlace& place) const {
  if (!target_) return false;
  if (!is_behind_target(place)) return false;
  const auto wanted = std::pair(target_->segment, target_->offset);
  if (target_->offset != 0 && std::pair(place_.segment, place_.offset) < wanted) {
    return invalid(fmt::format("no record ends at {}:{}; the ones around it end at {} and {}", target_->segment,
                               target_->offset, text(place_), text(place)));
  }
  return true;
}

Result<void> BackupChain::add_record(const BackupItem& item) {
  ASSIGN_OR_RETURN(const LogRecord record, decode_log_record(item.bytes));
  for (const Operation& operation : record.operations) {
    if (operation.type == OperationType::put_object) awaited_.push_back(operation.object);
  }
  counts_ = false;
  if (item.place.lsn < read_.lsn) return {};
  if (item.place.lsn == read_.lsn) {
    const bool same_position = item.place.segment == read_.segment && item.place.offset == read_.offset;
    if (same_position && (!read_a_record_ || item.place.stamp == read_.stamp)) return {};
    return invalid(
        fmt::format("its record {} is not the one that came before as {}: the two are of different histories",
                    text(item.place), text(read_)));
  }
  read_ = item.place;
  read_a_record_ = true;
  ASSIGN_OR_RETURN(const bool beyond, is_beyond(item.place));
  if (beyond) return {};
  counts_ = true;
  RETURN_IF_ERROR(consumer_.add_record(item.place, item.bytes, record));
  place_ = item.place;
  return {};
}

Result<void> BackupChain::finish() {
  if (!started_) return invalid("there is no backup to restore from");
  if (!target_) return {};
  const auto position = std::pair(place_.segment, place_.offset);
  const auto wanted = std::pair(target_->segment, target_->offset);
  // The start of the segment that follows the last one of the chain is the end of that.
  if (position == wanted || (target_->offset == 0 && place_.segment + 1 >= target_->segment)) return {};
  return invalid(fmt::format("the backups end at {}, before {}:{}", text(place_), target_->segment, target_->offset));
}

}  // namespace strata::records
