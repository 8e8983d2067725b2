#include "layers/records/backup_reader.h"

#include <algorithm>

#include "archive/fields.h"
#include "layers/records/namespaces.h"
#include "layers/records/operation.h"

namespace strata::records {
namespace {

using backup_format::StateItem;

using archive::Fields;

BackupPlace take_place(Fields& fields) {
  BackupPlace place{.segment = fields.take64(), .offset = fields.take64(), .lsn = fields.take64()};
  const BytesView stamp = fields.take(stamp_bytes);
  if (fields.ok()) std::copy_n(stamp.begin(), stamp_bytes, place.stamp.begin());
  return place;
}

bool follows(const BackupPlace& place, const BackupPlace& before) {
  return place.lsn == before.lsn + 1 && view(place.stamp) > view(before.stamp) &&
         (place.segment > before.segment || (place.segment == before.segment && place.offset > before.offset));
}

}  // namespace

BackupReader::BackupReader(ByteSource& source)
    : frames_(source, backup_format::kind, "backup"), rest_(frames_.rest()) {}

Result<void> BackupReader::read_frame() {
  RETURN_IF_ERROR(frames_.next());
  type_ = static_cast<Frame>(frames_.type());
  in_row_ = false;
  return {};
}

Result<BackupHeader> BackupReader::read_header() {
  RETURN_IF_ERROR(frames_.begin());
  RETURN_IF_ERROR(read_frame());
  if (type_ != Frame::header) return frames_.broken("it does not begin with a header");
  BackupHeader header;
  Fields fields(rest_);
  const uint8_t kind = fields.take8();
  header.created_us = static_cast<int64_t>(fields.take64());
  header.start = take_place(fields);
  header.name_space = fields.take_sized16();
  header.log_id = fields.take_sized16();
  if (!fields.all() || header.log_id.size() > backup_format::max_log_id_bytes) {
    return frames_.broken("a header of the wrong shape");
  }
  if (kind != static_cast<uint8_t>(BackupKind::snapshot) && kind != static_cast<uint8_t>(BackupKind::segment)) {
    return frames_.broken("a kind that this version does not know");
  }
  if (!validate_namespace_name(header.name_space).ok())
    return frames_.broken("a header without the name of a namespace");
  header.kind = kind_ = static_cast<BackupKind>(kind);
  place_ = header.start;
  return header;
}

// A frame where `next` looks for an item: its type fits what came before.
Result<void> BackupReader::open_frame() {
  RETURN_IF_ERROR(read_frame());
  if (type_ == Frame::footer) return {};
  if (rest_.empty()) return frames_.broken("an empty frame");
  switch (type_) {
    case Frame::state:
      if (in_log_ || kind_ != BackupKind::snapshot) return frames_.broken("data where the log has begun");
      return {};
    case Frame::object:
      if (!in_log_ && kind_ != BackupKind::snapshot) return frames_.broken("an object in front of the log");
      return {};
    case Frame::log:
      in_log_ = true;
      return {};
    default:
      return frames_.broken("a frame that does not belong here");
  }
}

Result<BackupItem> BackupReader::next() {
  STRATA_ASSERT(!ended_);
  if (object_left_ > 0) {
    RETURN_IF_ERROR(read_frame());
    if (type_ != Frame::object_bytes || rest_.empty() || rest_.size() > object_left_) {
      return frames_.broken("an object that is not whole");
    }
    object_left_ -= rest_.size();
    return BackupItem{.type = BackupItemType::object_bytes, .bytes = std::exchange(rest_, {})};
  }
  if (rest_.empty()) RETURN_IF_ERROR(open_frame());
  switch (type_) {
    case Frame::state:
      return next_state();
    case Frame::object:
      return next_object();
    case Frame::log:
      return next_record();
    default:
      return end();
  }
}

Result<BackupItem> BackupReader::next_state() {
  Fields fields(rest_);
  BackupItem item;
  switch (static_cast<StateItem>(fields.take8())) {
    case StateItem::value:
      item.type = BackupItemType::value;
      item.key = fields.take_sized16();
      item.bytes = fields.take_sized32();
      ++totals_.values;
      break;
    case StateItem::row:
      item.type = BackupItemType::row;
      item.key = row_ = fields.take_sized16();
      in_row_ = true;
      ++totals_.rows;
      break;
    case StateItem::column:
      if (!in_row_) return frames_.broken("a column without a row");
      item.type = BackupItemType::column;
      item.key = row_;
      item.name = fields.take_sized16();
      item.bytes = fields.take_sized32();
      ++totals_.columns;
      if (fields.ok() && !validate_column(item.name).ok())
        return frames_.broken("a column that no request can ask for");
      break;
    default:
      return frames_.broken("an item of an unknown type");
  }
  if (!fields.ok()) return frames_.broken("an item that is cut off");
  if (!validate_key(item.key, "key").ok()) return frames_.broken("a key that no request can ask for");
  return item;
}

Result<BackupItem> BackupReader::next_object() {
  Fields fields(rest_);
  BackupItem item{.type = BackupItemType::object};
  ObjectReference& reference = item.object.reference;
  const BytesView id = fields.take(reference.id.size());
  reference.size = fields.take64();
  reference.checksum = fields.take32();
  item.object.key = fields.take_sized16();
  if (!fields.all()) return frames_.broken("an object of the wrong shape");
  if (item.object.key.empty() != in_log_) return frames_.broken("an object that belongs to nothing");
  if (!in_log_ && !validate_key(item.object.key, "key").ok())
    return frames_.broken("a key that no request can ask for");
  std::copy(id.begin(), id.end(), reference.id.begin());
  if (reference.size > max_object_bytes) return frames_.broken("an object of an impossible size");
  object_left_ = reference.size;
  ++totals_.objects;
  totals_.object_bytes += object_left_;
  return item;
}

Result<BackupItem> BackupReader::next_record() {
  Fields fields(rest_);
  BackupItem item{.type = BackupItemType::record};
  item.place = take_place(fields);
  item.bytes = fields.take_sized32();
  if (!fields.ok()) return frames_.broken("a record that is cut off");
  if (!follows(item.place, place_)) return frames_.broken("a record that does not follow the one before it");
  place_ = item.place;
  ++totals_.records;
  return item;
}

Result<void> BackupReader::check_footer() {
  const archive::Digest128 digest = frames_.digest();
  Fields fields(rest_);
  const BackupPlace end = take_place(fields);
  BackupTotals totals;
  for (uint64_t* count :
       {&totals.values, &totals.rows, &totals.columns, &totals.objects, &totals.object_bytes, &totals.records}) {
    *count = fields.take64();
  }
  const uint64_t low = fields.take64();
  const uint64_t high = fields.take64();
  if (!fields.all()) return frames_.broken("a footer of the wrong shape");
  if (totals != totals_ || end != place_) return frames_.broken("it does not hold what its footer says");
  if (low != digest.low || high != digest.high) return frames_.broken("the checksum of the whole is wrong");
  return frames_.expect_end();
}

Result<BackupItem> BackupReader::end() {
  RETURN_IF_ERROR(check_footer());
  ended_ = true;
  return BackupItem{.type = BackupItemType::end, .place = place_};
}

}  // namespace strata::records
