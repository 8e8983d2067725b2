#include "layers/records/log_segments.h"

#include <algorithm>

namespace strata::records {
namespace {

constexpr char format = 1;
constexpr size_t totals_bytes = 4 * 8;
// format, after, limit, opened, totals known, totals, bytes of the segment before
constexpr size_t segment_bytes = 1 + stamp_bytes + 8 + 8 + 1 + totals_bytes + 8;
// format, stamp, segment, offset, weight of the segment, totals, record's clock, clock
constexpr size_t checkpoint_bytes = 1 + stamp_bytes + 8 + 8 + 8 + totals_bytes + 8 + 8;

Error broken(const char* what) { return Error(ErrorCode::corruption, std::string("a log's ") + what + " is broken"); }

void append_totals(Bytes& out, const LogTotals& totals) {
  append_le64(out, totals.records);
  append_le64(out, totals.operations);
  append_le64(out, totals.bytes);
  append_le64(out, totals.weight);
}

// Takes fields off the front of bytes whose number was checked before.
class Fields {
 public:
  explicit Fields(BytesView rest) : rest_(rest) {}
  uint8_t byte() {
    const auto value = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }
  uint64_t number() {
    const uint64_t value = read_le64(rest_);
    rest_.remove_prefix(8);
    return value;
  }
  int64_t signed_number() { return static_cast<int64_t>(number()); }
  Stamp stamp() {
    Stamp stamp;
    std::copy_n(rest_.begin(), stamp_bytes, stamp.begin());
    rest_.remove_prefix(stamp_bytes);
    return stamp;
  }
  LogTotals totals() {
    LogTotals totals;
    totals.records = number();
    totals.operations = number();
    totals.bytes = number();
    totals.weight = number();
    return totals;
  }

 private:
  BytesView rest_;
};

Result<std::vector<LogSegment>> decode_segments(const Namespace& space, const kv::Rows& rows) {
  std::vector<LogSegment> segments;
  for (size_t i = 0; i < rows.size(); ++i) {
    ASSIGN_OR_RETURN(const uint64_t number, parse_log_segment_key(space, rows.key(i)));
    ASSIGN_OR_RETURN(segments.emplace_back(), decode_log_segment(number, rows.value(i)));
  }
  return segments;
}

}  // namespace

Bytes encode_log_segment(const LogSegment& segment) {
  Bytes out(1, format);
  out.append(segment.after.data(), segment.after.size());
  append_le64(out, segment.limit_bytes);
  append_le64(out, static_cast<uint64_t>(segment.opened_us));
  out.push_back(segment.totals_known ? '\1' : '\0');
  append_totals(out, segment.before);
  append_le64(out, segment.previous_bytes);
  return out;
}

Result<LogSegment> decode_log_segment(uint64_t number, BytesView bytes) {
  // No log gets to the largest number: there is always a next one.
  if (number == 0 || number == UINT64_MAX || bytes.size() != segment_bytes || bytes[0] != format)
    return broken("segment row");
  Fields fields(bytes.substr(1));
  LogSegment segment{.number = number};
  segment.after = fields.stamp();
  segment.limit_bytes = fields.number();
  segment.opened_us = fields.signed_number();
  const uint8_t known = fields.byte();
  segment.totals_known = known == 1;
  segment.before = fields.totals();
  segment.previous_bytes = fields.number();
  const bool empty = segment.before == LogTotals() && segment.previous_bytes == 0;
  if (known > 1 || (known == 0 && !empty) || segment.opened_us < 0) return broken("segment row");
  return segment;
}

Result<std::vector<LogSegment>> read_log_segments(const kv::ReadTransaction& transaction, const Namespace& space,
                                                  uint64_t from, size_t limit) {
  const auto end = prefix_end(log_segments_prefix(space));
  STRATA_ASSERT(end.has_value());
  std::vector<LogSegment> segments;
  kv::RangeIterator rows(transaction, log_segment_key(space, from), *end,
                         {.limit = static_cast<int>(limit), .mode = kv::StreamingMode::want_all});
  while (rows.next()) {
    ASSIGN_OR_RETURN(const uint64_t number, parse_log_segment_key(space, rows.key()));
    ASSIGN_OR_RETURN(segments.emplace_back(), decode_log_segment(number, rows.value()));
  }
  RETURN_IF_ERROR(rows.status());
  return segments;
}

Result<std::optional<LogSegment>> read_log_segment(const kv::ReadTransaction& transaction, const Namespace& space,
                                                   uint64_t number) {
  ASSIGN_OR_RETURN(const auto row, transaction.get(log_segment_key(space, number)).get());
  if (!row) return std::optional<LogSegment>();
  ASSIGN_OR_RETURN(LogSegment segment, decode_log_segment(number, *row));
  return std::optional<LogSegment>(segment);
}

Result<std::optional<LogSegment>> read_last_log_segment(const kv::ReadTransaction& transaction,
                                                        const Namespace& space) {
  const Bytes begin = log_segments_prefix(space);
  const auto end = prefix_end(begin);
  STRATA_ASSERT(end.has_value());
  ASSIGN_OR_RETURN(const kv::RangePage page, transaction.get_range(begin, *end, {.limit = 1, .reverse = true}).get());
  ASSIGN_OR_RETURN(const std::vector<LogSegment> segments, decode_segments(space, page.rows));
  if (segments.empty()) return std::optional<LogSegment>();
  return std::optional<LogSegment>(segments[0]);
}

void write_log_segment(kv::Transaction& transaction, const Namespace& space, const LogSegment& segment) {
  STRATA_ASSERT(segment.number > 0);
  transaction.set(log_segment_key(space, segment.number), encode_log_segment(segment));
}

void write_stamped_log_segment(kv::Transaction& transaction, const Namespace& space, LogSegment segment) {
  segment.after.fill('\xFF');
  Bytes operand = encode_log_segment(segment);
  append_le32(operand, 1);  // where the stamp goes
  transaction.mutate(kv::MutationType::set_versionstamped_value, log_segment_key(space, segment.number), operand);
}

void write_log_seal(kv::Transaction& transaction, const Namespace& space, uint64_t number, uint64_t limit_bytes,
                    int64_t opened_us) {
  write_stamped_log_segment(transaction, space, {.number = number, .limit_bytes = limit_bytes, .opened_us = opened_us});
}

Result<Stamp> read_first_kept(const kv::ReadTransaction& transaction, const Namespace& space) {
  ASSIGN_OR_RETURN(const auto segments, read_log_segments(transaction, space, 0, 1));
  return segments.empty() ? Stamp{} : segments[0].after;
}

void drop_log_segments(kv::Transaction& transaction, const Namespace& space, const LogSegment& first) {
  transaction.clear_range(log_segments_prefix(space), log_segment_key(space, first.number));
  transaction.clear_range(log_prefix(space), key_after(log_key(space, first.after, UINT16_MAX)));
}

Bytes encode_log_checkpoint(const LogCheckpoint& checkpoint) {
  Bytes out(1, format);
  out.append(checkpoint.stamp.data(), checkpoint.stamp.size());
  append_le64(out, checkpoint.position.segment);
  append_le64(out, checkpoint.position.offset);
  append_le64(out, checkpoint.segment_weight);
  append_totals(out, checkpoint.totals);
  append_le64(out, static_cast<uint64_t>(checkpoint.record_us));
  append_le64(out, static_cast<uint64_t>(checkpoint.wall_us));
  return out;
}

Result<LogCheckpoint> decode_log_checkpoint(BytesView bytes) {
  if (bytes.size() != checkpoint_bytes || bytes[0] != format) return broken("checkpoint");
  Fields fields(bytes.substr(1));
  LogCheckpoint checkpoint;
  checkpoint.stamp = fields.stamp();
  checkpoint.position.segment = fields.number();
  checkpoint.position.offset = fields.number();
  checkpoint.segment_weight = fields.number();
  checkpoint.totals = fields.totals();
  checkpoint.record_us = fields.signed_number();
  checkpoint.wall_us = fields.signed_number();
  return checkpoint;
}

Result<std::optional<LogCheckpoint>> read_log_checkpoint(const kv::ReadTransaction& transaction,
                                                         const Namespace& space) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(log_checkpoint_key(space)).get());
  if (!stored) return std::optional<LogCheckpoint>();
  ASSIGN_OR_RETURN(LogCheckpoint checkpoint, decode_log_checkpoint(*stored));
  return std::optional<LogCheckpoint>(checkpoint);
}

void write_log_checkpoint(kv::Transaction& transaction, const Namespace& space, const LogCheckpoint& checkpoint) {
  transaction.set(log_checkpoint_key(space), encode_log_checkpoint(checkpoint));
}

}  // namespace strata::records
