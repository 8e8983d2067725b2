#include "layers/records/backup_writer.h"

#include <xxhash.h>

#include <algorithm>

namespace strata::records {
namespace {

using backup_format::Frame;
using backup_format::StateItem;

void append_sized16(Bytes& out, BytesView bytes) {
  STRATA_ASSERT(bytes.size() <= UINT16_MAX);
  out.push_back(static_cast<char>(bytes.size() & 0xFF));
  out.push_back(static_cast<char>(bytes.size() >> 8));
  out.append(bytes);
}

void append_sized32(Bytes& out, BytesView bytes) {
  append_le32(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

void append_stamp(Bytes& out, const Stamp& stamp) { out.append(stamp.data(), stamp.size()); }

void append_place(Bytes& out, const BackupPlace& place) {
  append_le64(out, place.segment);
  append_le64(out, place.offset);
  append_le64(out, place.lsn);
  append_stamp(out, place.stamp);
}

Error too_large() {
  return Error(ErrorCode::payload_too_large, "a piece of a backup is larger than its format allows");
}

}  // namespace

struct BackupWriter::Digest {
  Digest() : state(XXH3_createState()) {
    STRATA_ASSERT(state != nullptr);
    XXH3_128bits_reset(state);
  }
  ~Digest() { XXH3_freeState(state); }
  XXH3_state_t* state;
};

BackupWriter::BackupWriter(ByteSink& sink) : sink_(sink), digest_(std::make_unique<Digest>()) {}
BackupWriter::~BackupWriter() = default;

Result<void> BackupWriter::write(BytesView bytes) {
  bytes_ += bytes.size();
  XXH3_128bits_update(digest_->state, bytes.data(), bytes.size());
  return sink_.write(bytes);
}

Result<void> BackupWriter::flush() {
  if (frame_.empty()) return {};
  const size_t payload = frame_.size() - backup_format::frame_header_bytes;
  Bytes fields;
  fields.push_back(static_cast<char>(type_));
  append_le32(fields, static_cast<uint32_t>(payload));
  frame_.replace(8, fields.size(), fields);
  // The frame's number is the seed: frames that are swapped, dropped or repeated do not fit.
  const uint64_t checksum = XXH3_64bits_withSeed(frame_.data() + 8, frame_.size() - 8, frames_++);
  Bytes checksum_field;
  append_le64(checksum_field, checksum);
  frame_.replace(0, 8, checksum_field);
  RETURN_IF_ERROR(write(frame_));
  frame_.clear();
  row_in_frame_ = false;
  if (frame_.capacity() > 4 * backup_format::frame_target_bytes) frame_.shrink_to_fit();
  return {};
}

Result<void> BackupWriter::prepare(Frame type, size_t item_bytes) {
  if (item_bytes > backup_format::max_frame_bytes) return too_large();
  STRATA_ASSERT(object_left_ == 0 || type == Frame::object_bytes);
  if (type != type_ || frame_.size() + item_bytes > backup_format::frame_target_bytes) RETURN_IF_ERROR(flush());
  if (frame_.empty()) frame_.assign(backup_format::frame_header_bytes, '\0');
  type_ = type;
  return {};
}

Result<void> BackupWriter::begin(const BackupHeader& header) {
  STRATA_ASSERT(frames_ == 0 && header.log_id.size() <= backup_format::max_log_id_bytes);
  Bytes start(backup_format::magic);
  start.push_back(backup_format::version);
  RETURN_IF_ERROR(write(start));
  RETURN_IF_ERROR(prepare(Frame::header, 0));
  frame_.push_back(static_cast<char>(header.kind));
  append_le64(frame_, static_cast<uint64_t>(header.created_us));
  append_place(frame_, header.start);
  append_sized16(frame_, header.name_space);
  append_sized16(frame_, header.log_id);
  end_ = header.start;
  return flush();
}

Result<void> BackupWriter::add_value(BytesView key, BytesView value) {
  RETURN_IF_ERROR(prepare(Frame::state, 1 + 2 + key.size() + 4 + value.size()));
  frame_.push_back(static_cast<char>(StateItem::value));
  append_sized16(frame_, key);
  append_sized32(frame_, value);
  ++totals_.values;
  return {};
}

Result<void> BackupWriter::add_row(BytesView key) {
  RETURN_IF_ERROR(prepare(Frame::state, 1 + 2 + key.size()));
  frame_.push_back(static_cast<char>(StateItem::row));
  append_sized16(frame_, key);
  row_.assign(key);
  row_in_frame_ = true;
  ++totals_.rows;
  return {};
}

Result<void> BackupWriter::add_column(BytesView name, BytesView value) {
  RETURN_IF_ERROR(prepare(Frame::state, 1 + 2 + name.size() + 4 + value.size()));
  if (!row_in_frame_) {
    frame_.push_back(static_cast<char>(StateItem::row));
    append_sized16(frame_, row_);
    row_in_frame_ = true;
    ++totals_.rows;
  }
  frame_.push_back(static_cast<char>(StateItem::column));
  append_sized16(frame_, name);
  append_sized32(frame_, value);
  ++totals_.columns;
  return {};
}

Result<void> BackupWriter::begin_object(const BackupObject& object) {
  RETURN_IF_ERROR(flush());
  RETURN_IF_ERROR(prepare(Frame::object, 0));
  frame_.append(object.reference.id.data(), object.reference.id.size());
  append_le64(frame_, object.reference.size);
  append_le32(frame_, object.reference.checksum);
  append_sized16(frame_, object.key);
  ++totals_.objects;
  totals_.object_bytes += object.reference.size;
  RETURN_IF_ERROR(flush());
  object_left_ = object.reference.size;
  return {};
}

Result<void> BackupWriter::add_object_bytes(BytesView bytes) {
  if (bytes.size() > object_left_) {
    return Error(ErrorCode::corruption, "an object holds more bytes than the size that stands with it");
  }
  while (!bytes.empty()) {
    RETURN_IF_ERROR(prepare(Frame::object_bytes, 1));
    const size_t room = backup_format::frame_target_bytes - std::min(frame_.size(), backup_format::frame_target_bytes);
    const BytesView piece = bytes.substr(0, std::max<size_t>(room, 1));
    frame_.append(piece);
    bytes.remove_prefix(piece.size());
    object_left_ -= piece.size();
  }
  return object_left_ == 0 ? flush() : Result<void>();
}

Result<void> BackupWriter::add_record(const BackupPlace& place, BytesView record) {
  if (place.lsn != end_.lsn + 1 || view(place.stamp) <= view(end_.stamp) || place.segment < end_.segment ||
      (place.segment == end_.segment && place.offset <= end_.offset)) {
    return Error(ErrorCode::corruption, "the records of the log do not follow each other");
  }
  RETURN_IF_ERROR(prepare(Frame::log, 34 + 4 + record.size()));
  append_place(frame_, place);
  append_sized32(frame_, record);
  end_ = place;
  ++totals_.records;
  return {};
}

Result<void> BackupWriter::finish() {
  if (object_left_ != 0) {
    return Error(ErrorCode::corruption, "an object holds fewer bytes than the size that stands with it");
  }
  RETURN_IF_ERROR(flush());
  const XXH128_hash_t digest = XXH3_128bits_digest(digest_->state);
  RETURN_IF_ERROR(prepare(Frame::footer, 0));
  append_place(frame_, end_);
  for (const uint64_t count :
       {totals_.values, totals_.rows, totals_.columns, totals_.objects, totals_.object_bytes, totals_.records}) {
    append_le64(frame_, count);
  }
  append_le64(frame_, digest.low64);
  append_le64(frame_, digest.high64);
  return flush();
}

}  // namespace strata::records
