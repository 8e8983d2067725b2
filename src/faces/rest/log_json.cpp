#include "faces/rest/log_json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "base/base64.h"
#include "base/hex.h"

namespace strata::rest {
namespace {

using records::Operation;
using records::OperationType;

// A multiple of three: pieces join without padding between them.
constexpr size_t base64_piece_bytes = 48'000;

void append_number(Bytes& out, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

bool is_utf8(BytesView bytes) { return simdjson::validate_utf8(bytes.data(), bytes.size()); }

// "2026-01-15T10:30:45"
Bytes text_of_second(int64_t second) {
  constexpr int64_t last_second = 253'402'300'799;  // of the year 9999
  const std::time_t time = std::clamp<int64_t>(second, 0, last_second);
  std::tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void append_fraction(Bytes& out, int64_t wall_us) {
  char digits[] = ".000000";
  int64_t rest = std::max<int64_t>(wall_us, 0) % 1'000'000;
  for (char* at = digits + 6; at > digits; --at, rest /= 10) *at = static_cast<char>('0' + rest % 10);
  out.append(digits, 7);
}

std::string_view name_of(OperationType type) {
  switch (type) {
    case OperationType::put_value:
      return "put";
    case OperationType::delete_value:
      return "delete";
    case OperationType::put_row:
      return "put_row";
    case OperationType::delete_row:
      return "delete_row";
    case OperationType::delete_columns:
      return "delete_columns";
    case OperationType::put_object:
      return "put_lob";
    case OperationType::delete_object:
      return "delete_lob";
  }
  return "";
}

}  // namespace

void append_time(Bytes& out, int64_t wall_us, bool with_fraction) {
  out += text_of_second(wall_us / 1'000'000);
  if (with_fraction) append_fraction(out, wall_us);
  out.push_back('Z');
}

void LogJson::append_timestamp(int64_t wall_us) {
  const int64_t second = wall_us / 1'000'000;
  if (second != second_ || second_text_.empty()) {
    second_ = second;
    second_text_ = text_of_second(second);
  }
  out_ += second_text_;
  append_fraction(out_, wall_us);
  out_.push_back('Z');
}

void LogJson::append_key(BytesView key) {
  out_ += ",\"key\":";
  append_json_string(out_, key);
  if (is_utf8(key)) return;
  out_ += ",\"keyBase64\":\"";
  append_base64(out_, key);
  out_.push_back('"');
}

Result<void> LogJson::spill() {
  if (out_.size() < gathered_bytes) return {};
  Result<void> written = stream_.write(out_);
  out_.clear();
  return written;
}

Result<void> LogJson::flush() {
  if (!out_.empty()) RETURN_IF_ERROR(stream_.write(out_));
  out_.clear();
  return stream_.flush();
}

Result<void> LogJson::write_base64(BytesView bytes) {
  out_.push_back('"');
  while (!bytes.empty()) {
    const BytesView piece = bytes.substr(0, base64_piece_bytes);
    append_base64(out_, piece);
    bytes.remove_prefix(piece.size());
    RETURN_IF_ERROR(spill());
  }
  out_.push_back('"');
  return {};
}

Result<void> LogJson::write_columns(const Operation& operation) {
  const auto write_those = [&](bool text) -> Result<void> {
    const char* separator = "";
    for (const records::Column& column : operation.columns) {
      if (is_utf8(column.name) != text) continue;
      out_ += separator;
      if (text) {
        append_json_string(out_, column.name);
      } else {
        out_.push_back('"');
        append_base64(out_, column.name);
        out_.push_back('"');
      }
      out_.push_back(':');
      RETURN_IF_ERROR(write_base64(column.value));
      separator = ",";
    }
    return {};
  };
  out_ += ",\"columns\":{";
  RETURN_IF_ERROR(write_those(true));
  out_.push_back('}');
  const bool all_text = std::all_of(operation.columns.begin(), operation.columns.end(),
                                    [](const records::Column& column) { return is_utf8(column.name); });
  if (all_text) return {};
  out_ += ",\"columnsBase64\":{";
  RETURN_IF_ERROR(write_those(false));
  out_.push_back('}');
  return {};
}

Result<void> LogJson::write_operation(const Operation& operation) {
  out_ += "{\"op\":\"";
  out_ += name_of(operation.type);
  out_.push_back('"');
  append_key(operation.key);
  if (operation.type == OperationType::put_value) {
    out_ += ",\"value\":";
    RETURN_IF_ERROR(write_base64(operation.value));
  } else if (operation.type == OperationType::put_row || operation.type == OperationType::delete_columns) {
    RETURN_IF_ERROR(write_columns(operation));
  } else if (operation.type == OperationType::put_object) {
    out_ += ",\"size\":";
    append_number(out_, operation.object.size);
    out_ += ",\"checksum\":";
    append_number(out_, operation.object.checksum);
    out_ += ",\"object\":\"";
    append_hex(out_, BytesView(operation.object.id.data(), operation.object.id.size()));
    out_.push_back('"');
  }
  out_.push_back('}');
  return spill();
}

Result<void> LogJson::write(const service::LogEntry& entry) {
  ASSIGN_OR_RETURN(const records::LogRecord record, records::decode_log_record(entry.bytes));
  if (events_) {
    out_ += "id: ";
    append_number(out_, entry.position.segment);
    out_.push_back(':');
    append_number(out_, entry.position.offset);
    out_ += "\ndata: ";
  }
  out_ += "{\"segmentId\":";
  append_number(out_, entry.position.segment);
  out_ += ",\"offset\":";
  append_number(out_, entry.position.offset);
  out_ += ",\"lsn\":";
  append_number(out_, entry.lsn);
  out_ += ",\"timestamp\":\"";
  append_timestamp(record.wall_us);
  out_ += "\",\"version\":\"";
  append_hex(out_, records::view(entry.stamp));
  out_ += "\",\"ops\":[";
  for (size_t i = 0; i < record.operations.size(); ++i) {
    if (i > 0) out_.push_back(',');
    RETURN_IF_ERROR(write_operation(record.operations[i]));
  }
  out_ += events_ ? "]}\n\n" : "]}\n";
  return spill();
}

}  // namespace strata::rest
