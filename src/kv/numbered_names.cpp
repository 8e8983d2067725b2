#include "kv/numbered_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "tuple/encode.h"

namespace strata::kv {
namespace {

// Second tuple element of the rows; things count from 1.
constexpr int64_t registry_number = 0;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

}  // namespace

Bytes NumberedNames::registry_prefix() const {
  Bytes key;
  tuple::append_int(key, layer_);
  tuple::append_int(key, registry_number);
  return key;
}

Bytes NumberedNames::names_prefix() const {
  Bytes key = name_key("");
  key.pop_back();  // the end of the empty name
  return key;
}

Bytes NumberedNames::prefix(int64_t number) const {
  STRATA_ASSERT(number > registry_number);
  Bytes key;
  tuple::append_int(key, layer_);
  tuple::append_int(key, number);
  return key;
}

// An integer, so that no name's row can be the same key.
Bytes NumberedNames::next_number_key() const { return other_key(0); }

Bytes NumberedNames::other_key(int64_t row) const {
  Bytes key = registry_prefix();
  tuple::append_int(key, row);
  return key;
}

Bytes NumberedNames::name_key(std::string_view name) const {
  Bytes key = registry_prefix();
  tuple::append_string(key, name);
  return key;
}

Result<void> NumberedNames::validate(std::string_view name) const {
  const auto is_legal = [](char c) { return is_word(c) || c == '.' || c == '-'; };
  if (may_exist(name) && is_word(name[0]) && std::ranges::all_of(name, is_legal)) return {};
  return Error(ErrorCode::invalid_argument,
               fmt::format("invalid {} name: 1 to {} letters, digits, '.', '_' and '-', beginning with a letter, a "
                           "digit or '_'",
                           one_, max_name_bytes_));
}

Bytes NumberedNames::names_begin(std::string_view after) const {
  if (after.empty()) return names_prefix();
  // What is no name can still say where to begin: a longer key would not fit the engine.
  return key_after(name_key(after.substr(0, max_name_bytes_ + 1)));
}

Bytes NumberedNames::names_end() const {
  auto end = prefix_end(names_prefix());
  STRATA_ASSERT(end.has_value());
  return *std::move(end);
}

Result<Bytes> NumberedNames::parse_name_key(BytesView key) const {
  const size_t prefix_bytes = names_prefix().size();
  // Names hold no zeros (validate), so the encoding escapes nothing.
  if (key.size() > prefix_bytes) {
    const BytesView name = key.substr(prefix_bytes, key.size() - prefix_bytes - 1);
    if (name_key(name) == key) return Bytes(name);
  }
  return Error(ErrorCode::corruption, fmt::format("a key of the names of {} is malformed: {}", many_, printable(key)));
}

Result<int64_t> NumberedNames::take_number(Transaction& transaction) const {
  const Bytes key = next_number_key();
  ASSIGN_OR_RETURN(const auto stored, transaction.get(key).get());
  if (stored && stored->size() != 8) {
    return Error(ErrorCode::corruption, fmt::format("the counter of {} is broken", many_));
  }
  const uint64_t number = stored ? read_le64(*stored) : 1;
  Bytes next;
  append_le64(next, number + 1);
  transaction.set(key, next);
  return static_cast<int64_t>(number);
}

}  // namespace strata::kv
