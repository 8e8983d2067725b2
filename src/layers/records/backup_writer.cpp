#include "layers/records/backup_writer.h"

#include <algorithm>

#include "archive/fields.h"

namespace strata::records {
namespace {

using archive::append_sized16;
using archive::append_sized32;
using backup_format::Frame;
using backup_format::StateItem;

void append_stamp(Bytes& out, const Stamp& stamp) { out.append(stamp.data(), stamp.size()); }

void append_place(Bytes& out, const BackupPlace& place) {
  append_le64(out, place.segment);
  append_le64(out, place.offset);
  append_le64(out, place.lsn);
  append_stamp(out, place.stamp);
}

}  // namespace

BackupWriter::BackupWriter(ByteSink& sink) : frames_(sink, backup_format::kind) {}

Result<void> BackupWriter::prepare(Frame type, size_t item_bytes) {
  STRATA_ASSERT(object_left_ == 0 || type == Frame::object_bytes);
  return frames_.prepare(static_cast<uint8_t>(type), item_bytes);
}

Result<void> BackupWriter::begin(const BackupHeader& header) {
  STRATA_ASSERT(header.log_id.size() <= backup_format::max_log_id_bytes);
  RETURN_IF_ERROR(frames_.begin());
  RETURN_IF_ERROR(prepare(Frame::header, 0));
  Bytes& frame = frames_.payload();
  frame.push_back(static_cast<char>(header.kind));
  append_le64(frame, static_cast<uint64_t>(header.created_us));
  append_place(frame, header.start);
  append_sized16(frame, header.name_space);
  append_sized16(frame, header.log_id);
  end_ = header.start;
  return frames_.flush();
}

Result<void> BackupWriter::add_value(BytesView key, BytesView value) {
  RETURN_IF_ERROR(prepare(Frame::state, 1 + 2 + key.size() + 4 + value.size()));
  Bytes& frame = frames_.payload();
  frame.push_back(static_cast<char>(StateItem::value));
  append_sized16(frame, key);
  append_sized32(frame, value);
  ++totals_.values;
  return {};
}

Result<void> BackupWriter::add_row(BytesView key) {
  RETURN_IF_ERROR(prepare(Frame::state, 1 + 2 + key.size()));
  Bytes& frame = frames_.payload();
  frame.push_back(static_cast<char>(StateItem::row));
  append_sized16(frame, key);
  row_.assign(key);
  row_frame_ = frames_.frames();
  ++totals_.rows;
  return {};
}

Result<void> BackupWriter::add_column(BytesView name, BytesView value) {
  RETURN_IF_ERROR(prepare(Frame::state, 1 + 2 + name.size() + 4 + value.size()));
  Bytes& frame = frames_.payload();
  if (row_frame_ != frames_.frames()) {
    frame.push_back(static_cast<char>(StateItem::row));
    append_sized16(frame, row_);
    row_frame_ = frames_.frames();
    ++totals_.rows;
  }
  frame.push_back(static_cast<char>(StateItem::column));
  append_sized16(frame, name);
  append_sized32(frame, value);
  ++totals_.columns;
  return {};
}

Result<void> BackupWriter::begin_object(const BackupObject& object) {
  RETURN_IF_ERROR(frames_.flush());
  RETURN_IF_ERROR(prepare(Frame::object, 0));
  Bytes& frame = frames_.payload();
  frame.append(object.reference.id.data(), object.reference.id.size());
  append_le64(frame, object.reference.size);
  append_le32(frame, object.reference.checksum);
  append_sized16(frame, object.key);
  ++totals_.objects;
  totals_.object_bytes += object.reference.size;
  RETURN_IF_ERROR(frames_.flush());
  object_left_ = object.reference.size;
  return {};
}

Result<void> BackupWriter::add_object_bytes(BytesView bytes) {
  if (bytes.size() > object_left_) {
    return Error(ErrorCode::corruption, "an object holds more bytes than the size that stands with it");
  }
  while (!bytes.empty()) {
    RETURN_IF_ERROR(prepare(Frame::object_bytes, 1));
    Bytes& frame = frames_.payload();
    const BytesView piece = bytes.substr(0, std::max<size_t>(frames_.room(), 1));
    frame.append(piece);
    bytes.remove_prefix(piece.size());
    object_left_ -= piece.size();
  }
  return object_left_ == 0 ? frames_.flush() : Result<void>();
}

Result<void> BackupWriter::add_record(const BackupPlace& place, BytesView record) {
  if (place.lsn != end_.lsn + 1 || view(place.stamp) <= view(end_.stamp) || place.segment < end_.segment ||
      (place.segment == end_.segment && place.offset <= end_.offset)) {
    return Error(ErrorCode::corruption, "the records of the log do not follow each other");
  }
  RETURN_IF_ERROR(prepare(Frame::log, 34 + 4 + record.size()));
  Bytes& frame = frames_.payload();
  append_place(frame, place);
  append_sized32(frame, record);
  end_ = place;
  ++totals_.records;
  return {};
}

Result<void> BackupWriter::finish() {
  if (object_left_ != 0) {
    return Error(ErrorCode::corruption, "an object holds fewer bytes than the size that stands with it");
  }
  RETURN_IF_ERROR(frames_.flush());
  const archive::Digest128 digest = frames_.digest();
  RETURN_IF_ERROR(prepare(Frame::footer, 0));
  Bytes& frame = frames_.payload();
  append_place(frame, end_);
  for (const uint64_t count :
       {totals_.values, totals_.rows, totals_.columns, totals_.objects, totals_.object_bytes, totals_.records}) {
    append_le64(frame, count);
  }
  append_le64(frame, digest.low);
  append_le64(frame, digest.high);
  return frames_.flush();
}

}  // namespace strata::records
