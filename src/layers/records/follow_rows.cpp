#include "layers/records/follow_rows.h"

#include <algorithm>

namespace strata::records {
namespace {

constexpr char format = 1;
// format, position, lsn, stamp, before, wall clock; the log's id is the rest
constexpr size_t follow_row_bytes = 1 + 16 + 8 + stamp_bytes + 16 + 8;
constexpr size_t role_row_bytes = 1 + 1 + 8;

Error broken(const char* what) { return Error(ErrorCode::corruption, std::string(what) + " is broken"); }

void append_position(Bytes& out, const LogPosition& position) {
  append_le64(out, position.segment);
  append_le64(out, position.offset);
}

// The caller has checked that there are 16 bytes.
LogPosition take_position(BytesView& rest) {
  const LogPosition position{.segment = read_le64(rest), .offset = read_le64(rest.substr(8))};
  rest.remove_prefix(16);
  return position;
}

uint64_t take_number(BytesView& rest) {
  const uint64_t number = read_le64(rest);
  rest.remove_prefix(8);
  return number;
}

}  // namespace

Bytes encode_follow_row(const FollowRow& row) {
  STRATA_ASSERT(!row.log_id.empty() && row.log_id.size() <= max_log_id_bytes);
  Bytes out(1, format);
  append_position(out, row.position);
  append_le64(out, row.lsn);
  out.append(row.stamp.data(), row.stamp.size());
  append_position(out, row.before);
  append_le64(out, static_cast<uint64_t>(row.wall_us));
  out.append(row.log_id);
  return out;
}

Result<FollowRow> decode_follow_row(BytesView bytes) {
  if (bytes.size() <= follow_row_bytes || bytes.size() > follow_row_bytes + max_log_id_bytes || bytes[0] != format) {
    return broken("the row that says how far a namespace follows its leader");
  }
  BytesView rest = bytes.substr(1);
  FollowRow row;
  row.position = take_position(rest);
  row.lsn = take_number(rest);
  std::copy_n(rest.begin(), stamp_bytes, row.stamp.begin());
  rest.remove_prefix(stamp_bytes);
  row.before = take_position(rest);
  row.wall_us = static_cast<int64_t>(take_number(rest));
  row.log_id = rest;
  return row;
}

Result<std::optional<FollowRow>> read_follow_row(const kv::ReadTransaction& transaction, const Namespace& space) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(follow_key(space)).get());
  if (!stored) return std::optional<FollowRow>();
  ASSIGN_OR_RETURN(FollowRow row, decode_follow_row(*stored));
  return std::optional<FollowRow>(std::move(row));
}

void write_follow_row(kv::Transaction& transaction, const Namespace& space, const FollowRow& row) {
  transaction.set(follow_key(space), encode_follow_row(row));
}

Bytes encode_store_role(const StoreRoleRow& row) {
  Bytes out(1, format);
  out.push_back(static_cast<char>(row.role));
  append_le64(out, static_cast<uint64_t>(row.since_us));
  return out;
}

Result<StoreRoleRow> decode_store_role(BytesView bytes) {
  if (bytes.size() != role_row_bytes || bytes[0] != format || (bytes[1] != 1 && bytes[1] != 2)) {
    return broken("the row that says whether the store follows a leader");
  }
  return StoreRoleRow{.role = static_cast<StoreRole>(bytes[1]),
                      .since_us = static_cast<int64_t>(read_le64(bytes.substr(2)))};
}

Result<std::optional<StoreRoleRow>> read_store_role(const kv::ReadTransaction& transaction) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(store_role_key()).get());
  if (!stored) return std::optional<StoreRoleRow>();
  ASSIGN_OR_RETURN(const StoreRoleRow row, decode_store_role(*stored));
  return std::optional<StoreRoleRow>(row);
}

void write_store_role(kv::Transaction& transaction, const StoreRoleRow& row) {
  transaction.set(store_role_key(), encode_store_role(row));
}

}  // namespace strata::records
