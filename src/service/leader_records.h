// LeaderRecords: the leader's log as it comes over HTTP, from bytes to operations.
//
// Purpose:       LineBuffer cuts the stream into lines; parse_leader_record reads one (docs/log.md has the fields).
// Ownership:     a LeaderBatch owns what its operations view.
// Thread safety: none; one owner at a time.
// Invariants:    the leader is not trusted: a line has a limit, what is parsed has passed the checks of every write
//                (keys, columns), and memory follows the bytes that came. Unknown fields are ignored, an unknown
//                operation is an error: skipping it would be a lie about the data.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "layers/records/log_segments.h"
#include "layers/records/operation.h"

namespace strata::service {

class LineBuffer {
 public:
  explicit LineBuffer(size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // payload_too_large: the line that is under way exceeds the limit.
  Result<void> append(BytesView bytes);
  // Without its end; lives until the next append. line_padding_bytes readable bytes follow it.
  static constexpr size_t line_padding_bytes = 64;
  std::optional<BytesView> next();
  // Of the line that is not complete yet.
  size_t pending_bytes() const { return end_ - begin_; }

 private:
  const size_t max_line_bytes_;
  Bytes bytes_;
  size_t begin_ = 0;
  size_t searched_ = 0;  // no line ends in [begin_, searched_)
  size_t end_ = 0;
};

struct LeaderRecord {
  records::LogPosition position;
  uint64_t lsn = 0;
  records::Stamp stamp{};
  int64_t wall_us = 0;
  // Its operations are those of the batch from here to the next record's.
  size_t first_operation = 0;
};

// Consecutive records, to be applied together.
struct LeaderBatch {
  Arena arena;
  std::vector<LeaderRecord> records;
  std::vector<records::Operation> operations;
  // Of the lines that it was made from.
  size_t line_bytes = 0;

  bool empty() const { return records.empty(); }
};

class LeaderRecordParser {
 public:
  LeaderRecordParser();
  ~LeaderRecordParser();

  // Adds the record of the line to the batch; nothing on an error (invalid_argument, with words for the log).
  Result<void> parse(BytesView line, LeaderBatch& batch);

 private:
  struct Json;
  std::unique_ptr<Json> json_;
};

// The answer of GET /offset.
Result<records::LogPosition> parse_leader_position(Bytes body);

struct LeaderNamespace {
  std::string name;
  std::string log_id;
};
// A page of GET /api/v1, added to `namespaces`; names that no namespace can have are refused.
Result<void> parse_leader_namespaces(Bytes body, std::vector<LeaderNamespace>& namespaces);

// "2024-05-01T12:00:00.123456Z" as microseconds since 1970; nullopt: not such a text.
std::optional<int64_t> parse_timestamp(std::string_view text);

}  // namespace strata::service
