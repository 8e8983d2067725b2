#include "layers/records/backup_reader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "layers/records/namespaces.h"
#include "layers/records/operation.h"

namespace strata::records {
namespace {

using backup_format::StateItem;

// More than that is not read before the bytes so far have come.
constexpr size_t growth_bytes = 1u << 20;

// Takes fields off the front; after a failure every further take fails too, so that one check at the end is enough.
class Fields {
 public:
  explicit Fields(BytesView& rest) : rest_(rest) {}

  bool ok() const { return ok_; }

  BytesView take(size_t count) {
    if (!ok_ || count > rest_.size()) {
      ok_ = false;
      return {};
    }
    const BytesView bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  uint8_t take8() {
    const BytesView bytes = take(1);
    return ok_ ? static_cast<uint8_t>(bytes[0]) : 0;
  }
  uint32_t take32() {
    const BytesView bytes = take(4);
    return ok_ ? read_le32(bytes) : 0;
  }
  uint64_t take64() {
    const BytesView bytes = take(8);
    return ok_ ? read_le64(bytes) : 0;
  }
  BytesView take_sized16() {
    const BytesView size = take(2);
    if (!ok_) return {};
    return take(static_cast<uint8_t>(size[0]) | static_cast<size_t>(static_cast<uint8_t>(size[1])) << 8);
  }
  BytesView take_sized32() {
    const uint32_t size = take32();
    return take(size);
  }
  BackupPlace take_place() {
    BackupPlace place{.segment = take64(), .offset = take64(), .lsn = take64()};
    const BytesView stamp = take(stamp_bytes);
    if (ok_) std::copy_n(stamp.begin(), stamp_bytes, place.stamp.begin());
    return place;
  }

 private:
  BytesView& rest_;
  bool ok_ = true;
};

bool follows(const BackupPlace& place, const BackupPlace& before) {
  return place.lsn == before.lsn + 1 && view(place.stamp) > view(before.stamp) &&
         (place.segment > before.segment || (place.segment == before.segment && place.offset > before.offset));
}

}  // namespace

struct BackupReader::Digest {
  Digest() : state(XXH3_createState()) {
    STRATA_ASSERT(state != nullptr);
    XXH3_128bits_reset(state);
  }
  ~Digest() { XXH3_freeState(state); }
  void add(BytesView bytes) { XXH3_128bits_update(state, bytes.data(), bytes.size()); }
  XXH3_state_t* state;
};

BackupReader::BackupReader(ByteSource& source) : source_(source), digest_(std::make_unique<Digest>()) {}
BackupReader::~BackupReader() = default;

Error BackupReader::broken(std::string_view what) const {
  return Error(ErrorCode::corruption,
               fmt::format("the backup is damaged near byte {} (frame {}): {}", bytes_, frames_, what));
}

// Appends; memory follows what comes.
Result<void> BackupReader::read_exactly(Bytes& into, size_t count) {
  while (count > 0) {
    const size_t before = into.size();
    const size_t step = std::min(count, growth_bytes);
    into.resize(before + step);
    ASSIGN_OR_RETURN(const size_t got, source_.read(std::span(into.data() + before, step)));
    into.resize(before + got);
    if (got == 0) return broken("it ends here, before its end");
    bytes_ += got;
    count -= got;
  }
  return {};
}

Result<void> BackupReader::read_frame() {
  // The footer speaks of everything before it.
  if (type_ != Frame::footer) digest_->add(frame_);
  frame_.clear();
  if (frame_.capacity() > 4 * backup_format::frame_target_bytes) frame_.shrink_to_fit();
  RETURN_IF_ERROR(read_exactly(frame_, backup_format::frame_header_bytes));
  const size_t payload = read_le32(BytesView(frame_).substr(9));
  if (payload > backup_format::max_frame_bytes) return broken("a frame of an impossible length");
  RETURN_IF_ERROR(read_exactly(frame_, payload));
  const uint64_t checksum = XXH3_64bits_withSeed(frame_.data() + 8, frame_.size() - 8, frames_);
  if (checksum != read_le64(frame_)) return broken("wrong checksum");
  ++frames_;
  type_ = static_cast<Frame>(frame_[8]);
  rest_ = BytesView(frame_).substr(backup_format::frame_header_bytes);
  in_row_ = false;
  return {};
}

Result<BackupHeader> BackupReader::read_header() {
  STRATA_ASSERT(bytes_ == 0);
  Bytes start;
  const auto read = read_exactly(start, backup_format::magic.size() + 1);
  if (!read.ok() && read.error().code() != ErrorCode::corruption) return read.error();
  if (!read.ok() || !start.starts_with(backup_format::magic)) {
    return Error(ErrorCode::corruption, "this is not a backup: it does not begin as one");
  }
  if (start.back() != backup_format::version) {
    return Error(ErrorCode::corruption, fmt::format("the backup has format {}; this version reads format {}",
                                                    static_cast<unsigned char>(start.back()), backup_format::version));
  }
  digest_->add(start);
  RETURN_IF_ERROR(read_frame());
  if (type_ != Frame::header) return broken("it does not begin with a header");
  BackupHeader header;
  Fields fields(rest_);
  const uint8_t kind = fields.take8();
  header.created_us = static_cast<int64_t>(fields.take64());
  header.start = fields.take_place();
  header.name_space = fields.take_sized16();
  header.log_id = fields.take_sized16();
  if (!fields.ok() || !rest_.empty() || header.log_id.size() > backup_format::max_log_id_bytes) {
    return broken("a header of the wrong shape");
  }
  if (kind != static_cast<uint8_t>(BackupKind::snapshot) && kind != static_cast<uint8_t>(BackupKind::segment)) {
    return broken("a kind that this version does not know");
  }
  if (!validate_namespace_name(header.name_space).ok()) return broken("a header without the name of a namespace");
  header.kind = kind_ = static_cast<BackupKind>(kind);
  place_ = header.start;
  return header;
}

// A frame where `next` looks for an item: its type fits what came before.
Result<void> BackupReader::open_frame() {
  RETURN_IF_ERROR(read_frame());
  if (type_ == Frame::footer) return {};
  if (rest_.empty()) return broken("an empty frame");
  switch (type_) {
    case Frame::state:
      if (in_log_ || kind_ != BackupKind::snapshot) return broken("data where the log has begun");
      return {};
    case Frame::object:
      if (!in_log_ && kind_ != BackupKind::snapshot) return broken("an object in front of the log");
      return {};
    case Frame::log:
      in_log_ = true;
      return {};
    default:
      return broken("a frame that does not belong here");
  }
}

Result<BackupItem> BackupReader::next() {
  STRATA_ASSERT(!ended_);
  if (object_left_ > 0) {
    RETURN_IF_ERROR(read_frame());
    if (type_ != Frame::object_bytes || rest_.empty() || rest_.size() > object_left_) {
      return broken("an object that is not whole");
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
      if (!in_row_) return broken("a column without a row");
      item.type = BackupItemType::column;
      item.key = row_;
      item.name = fields.take_sized16();
      item.bytes = fields.take_sized32();
      ++totals_.columns;
      if (fields.ok() && !validate_column(item.name).ok()) return broken("a column that no request can ask for");
      break;
    default:
      return broken("an item of an unknown type");
  }
  if (!fields.ok()) return broken("an item that is cut off");
  if (!validate_key(item.key, "key").ok()) return broken("a key that no request can ask for");
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
  if (!fields.ok() || !rest_.empty()) return broken("an object of the wrong shape");
  if (item.object.key.empty() != in_log_) return broken("an object that belongs to nothing");
  if (!in_log_ && !validate_key(item.object.key, "key").ok()) return broken("a key that no request can ask for");
  std::copy(id.begin(), id.end(), reference.id.begin());
  if (reference.size > max_object_bytes) return broken("an object of an impossible size");
  object_left_ = reference.size;
  ++totals_.objects;
  totals_.object_bytes += object_left_;
  return item;
}

Result<BackupItem> BackupReader::next_record() {
  Fields fields(rest_);
  BackupItem item{.type = BackupItemType::record};
  item.place = fields.take_place();
  item.bytes = fields.take_sized32();
  if (!fields.ok()) return broken("a record that is cut off");
  if (!follows(item.place, place_)) return broken("a record that does not follow the one before it");
  place_ = item.place;
  ++totals_.records;
  return item;
}

Result<void> BackupReader::check_footer() {
  const XXH128_hash_t digest = XXH3_128bits_digest(digest_->state);
  Fields fields(rest_);
  const BackupPlace end = fields.take_place();
  BackupTotals totals;
  for (uint64_t* count :
       {&totals.values, &totals.rows, &totals.columns, &totals.objects, &totals.object_bytes, &totals.records}) {
    *count = fields.take64();
  }
  const uint64_t low = fields.take64();
  const uint64_t high = fields.take64();
  if (!fields.ok() || !rest_.empty()) return broken("a footer of the wrong shape");
  if (totals != totals_ || end != place_) return broken("it does not hold what its footer says");
  if (low != digest.low64 || high != digest.high64) return broken("the checksum of the whole is wrong");
  char beyond;
  ASSIGN_OR_RETURN(const size_t more, source_.read(std::span(&beyond, 1)));
  if (more != 0) return broken("bytes behind its end");
  return {};
}

Result<BackupItem> BackupReader::end() {
  RETURN_IF_ERROR(check_footer());
  ended_ = true;
  return BackupItem{.type = BackupItemType::end, .place = place_};
}

}  // namespace strata::records
