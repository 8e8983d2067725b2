#include "service/leader_records.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/base64.h"
#include "base/hex.h"

namespace strata::service {
namespace {

using records::Column;
using records::Operation;
using records::OperationType;
using Object = simdjson::dom::object;
using Element = simdjson::dom::element;

static_assert(LineBuffer::line_padding_bytes >= simdjson::SIMDJSON_PADDING);

constexpr size_t max_depth = 16;
// A parser that a large line has grown (about 10 bytes for each of the line) is not kept.
constexpr size_t max_kept_capacity = 2u << 20;

Error refuse(std::string_view what) {
  return Error(ErrorCode::invalid_argument, fmt::format("a record of the leader's log is not understood: {}", what));
}

Result<uint64_t> number_of(const Object& object, std::string_view name) {
  uint64_t number = 0;
  if (object[name].get(number)) return refuse(fmt::format("{} is no number", name));
  return number;
}

Result<std::string_view> text_of(const Object& object, std::string_view name) {
  std::string_view text;
  if (object[name].get(text)) return refuse(fmt::format("{} is no text", name));
  return text;
}

bool has(const Object& object, std::string_view name) { return object.at_key(name).error() == simdjson::SUCCESS; }

Result<BytesView> decode(Arena& arena, std::string_view base64) {
  char* into = arena.allocate(base64_decoded_limit(base64.size()));
  const auto size = base64_decode(base64, into);
  if (!size) return refuse("base64");
  return BytesView(into, *size);
}

Result<BytesView> key_of(const Object& object, Arena& arena) {
  if (has(object, "keyBase64")) {
    ASSIGN_OR_RETURN(const std::string_view text, text_of(object, "keyBase64"));
    return decode(arena, text);
  }
  ASSIGN_OR_RETURN(const std::string_view text, text_of(object, "key"));
  return arena.copy(text);
}

template <size_t N>
Result<void> parse_hex(std::string_view text, std::array<char, N>& out, std::string_view name) {
  if (text.size() != 2 * N) return refuse(fmt::format("{} has the wrong length", name));
  const std::optional<Bytes> bytes = decode_hex(text);
  if (!bytes) return refuse(fmt::format("{} is not hexadecimal", name));
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return {};
}

Result<void> add_columns(const Object& object, std::string_view field, bool encoded_names, bool with_values,
                         Arena& arena, std::vector<Column>& columns) {
  Element element;
  if (object[field].get(element)) return {};
  Object members;
  if (element.get(members)) return refuse(fmt::format("{} is no object", field));
  for (const auto& [name, value] : members) {
    std::string_view text;
    if (value.get(text)) return refuse("a column's value is no text");
    Column column;
    if (encoded_names) {
      ASSIGN_OR_RETURN(column.name, decode(arena, name));
    } else {
      column.name = arena.copy(name);
    }
    if (with_values) {
      ASSIGN_OR_RETURN(column.value, decode(arena, text));
    }
    columns.push_back(column);
  }
  return {};
}

Result<void> parse_object_reference(const Object& object, Operation& operation) {
  ASSIGN_OR_RETURN(const std::string_view id, text_of(object, "object"));
  RETURN_IF_ERROR(parse_hex(id, operation.object.id, "object"));
  ASSIGN_OR_RETURN(operation.object.size, number_of(object, "size"));
  ASSIGN_OR_RETURN(const uint64_t checksum, number_of(object, "checksum"));
  if (checksum > UINT32_MAX) return refuse("checksum is too large");
  operation.object.checksum = static_cast<uint32_t>(checksum);
  return {};
}

std::optional<OperationType> type_of(std::string_view name) {
  static constexpr std::pair<std::string_view, OperationType> names[] = {
      {"put", OperationType::put_value},
      {"delete", OperationType::delete_value},
      {"put_row", OperationType::put_row},
      {"delete_row", OperationType::delete_row},
      {"delete_columns", OperationType::delete_columns},
      {"put_lob", OperationType::put_object},
      {"delete_lob", OperationType::delete_object}};
  for (const auto& [known, type] : names) {
    if (known == name) return type;
  }
  return std::nullopt;
}

Result<Operation> parse_operation(const Object& object, Arena& arena) {
  ASSIGN_OR_RETURN(const std::string_view name, text_of(object, "op"));
  const auto type = type_of(name);
  if (!type) return refuse(fmt::format("the operation {} is unknown", printable(name)));
  Operation operation{.type = *type};
  ASSIGN_OR_RETURN(operation.key, key_of(object, arena));
  if (*type == OperationType::put_value) {
    ASSIGN_OR_RETURN(const std::string_view value, text_of(object, "value"));
    ASSIGN_OR_RETURN(operation.value, decode(arena, value));
  }
  if (*type == OperationType::put_row || *type == OperationType::delete_columns) {
    const bool with_values = *type == OperationType::put_row;
    RETURN_IF_ERROR(add_columns(object, "columns", false, with_values, arena, operation.columns));
    RETURN_IF_ERROR(add_columns(object, "columnsBase64", true, with_values, arena, operation.columns));
  }
  if (*type == OperationType::put_object) RETURN_IF_ERROR(parse_object_reference(object, operation));
  RETURN_IF_ERROR(records::validate(operation));
  return operation;
}

Result<LeaderRecord> parse_head(const Object& object) {
  LeaderRecord record;
  ASSIGN_OR_RETURN(record.position.segment, number_of(object, "segmentId"));
  ASSIGN_OR_RETURN(record.position.offset, number_of(object, "offset"));
  ASSIGN_OR_RETURN(record.lsn, number_of(object, "lsn"));
  ASSIGN_OR_RETURN(const std::string_view version, text_of(object, "version"));
  RETURN_IF_ERROR(parse_hex(version, record.stamp, "version"));
  ASSIGN_OR_RETURN(const std::string_view timestamp, text_of(object, "timestamp"));
  const auto wall_us = parse_timestamp(timestamp);
  if (!wall_us) return refuse("timestamp is no time");
  record.wall_us = *wall_us;
  return record;
}

}  // namespace

Result<void> LineBuffer::append(BytesView bytes) {
  // What was handed out is done with.
  if (begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    searched_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
    if (end_ == 0 && bytes_.size() > (1u << 20)) bytes_ = Bytes();
  }
  const size_t needed = end_ + bytes.size() + line_padding_bytes;
  if (bytes_.size() < needed) bytes_.resize(std::max(needed, std::min(bytes_.size() * 2, max_line_bytes_)));
  std::memcpy(bytes_.data() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
  const auto* found = static_cast<const char*>(std::memchr(bytes_.data() + searched_, '\n', end_ - searched_));
  searched_ = found ? static_cast<size_t>(found - bytes_.data()) : end_;
  if (searched_ - begin_ > max_line_bytes_) {
    return Error(ErrorCode::payload_too_large,
                 fmt::format("the leader sent a line of more than {} bytes", max_line_bytes_));
  }
  return {};
}

std::optional<BytesView> LineBuffer::next() {
  const auto* found = static_cast<const char*>(std::memchr(bytes_.data() + searched_, '\n', end_ - searched_));
  if (!found) {
    searched_ = end_;
    return std::nullopt;
  }
  const auto at = static_cast<size_t>(found - bytes_.data());
  const BytesView line = BytesView(bytes_).substr(begin_, at - begin_);
  begin_ = at + 1;
  searched_ = begin_;
  return line;
}

struct LeaderRecordParser::Json {
  simdjson::dom::parser parser;
};

LeaderRecordParser::LeaderRecordParser() = default;
LeaderRecordParser::~LeaderRecordParser() = default;

Result<void> LeaderRecordParser::parse(BytesView line, LeaderBatch& batch) {
  if (!json_ || json_->parser.capacity() > max_kept_capacity) json_ = std::make_unique<Json>();
  if (json_->parser.capacity() < line.size() &&
      json_->parser.allocate(std::max(line.size(), size_t{65'536}), max_depth)) {
    return Error(ErrorCode::unavailable, "out of memory");
  }
  Element root;
  if (const auto error = json_->parser.parse(line.data(), line.size(), false).get(root)) {
    return refuse(simdjson::error_message(error));
  }
  Object object;
  if (root.get(object)) return refuse("it is no object");
  ASSIGN_OR_RETURN(LeaderRecord record, parse_head(object));
  simdjson::dom::array operations;
  if (object["ops"].get(operations)) return refuse("ops is no array");
  record.first_operation = batch.operations.size();
  for (const Element element : operations) {
    Object member;
    Result<Operation> operation = element.get(member) ? Result<Operation>(refuse("an operation is no object"))
                                                      : parse_operation(member, batch.arena);
    if (!operation.ok()) {
      batch.operations.resize(record.first_operation);
      return std::move(operation).error();
    }
    batch.operations.push_back(*std::move(operation));
  }
  batch.records.push_back(record);
  batch.line_bytes += line.size();
  return {};
}

std::optional<int64_t> parse_timestamp(std::string_view text) {
  // YYYY-MM-DDTHH:MM:SS, a fraction where there is one, Z
  static constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (text.size() < shape.size() + 1 || text.size() > shape.size() + 11 || text.back() != 'Z') return std::nullopt;
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (shape[i] == '0' ? !digit : text[i] != shape[i]) return std::nullopt;
  }
  const auto number = [&](size_t at, size_t digits) {
    int64_t value = 0;
    for (size_t i = at; i < at + digits; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(number(0, 4))),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  if (!date.ok() || number(11, 2) > 23 || number(14, 2) > 59 || number(17, 2) > 60) return std::nullopt;
  int64_t us = std::chrono::sys_days(date).time_since_epoch().count() * 86'400'000'000;
  us += ((number(11, 2) * 60 + number(14, 2)) * 60 + number(17, 2)) * 1'000'000;
  std::string_view fraction = text.substr(shape.size(), text.size() - shape.size() - 1);
  if (fraction.empty()) return us;
  if (fraction.front() != '.' || fraction.size() == 1) return std::nullopt;
  fraction.remove_prefix(1);
  int64_t unit = 100'000;
  for (const char c : fraction) {
    if (c < '0' || c > '9') return std::nullopt;
    us += unit * (c - '0');
    unit /= 10;
  }
  return us;
}

}  // namespace strata::service
