// Document tree: a JSON value that can be changed.
//
// Purpose:       what transforms work on. Reading alone is done on the parser's elements (document_text.h).
// Ownership:     a Value owns everything below it.
// Thread safety: a value.
// Invariants:    members of an object keep the order of the text, and no name is there twice. An integer stays one: it
//                is written without a point, a double always with a point or an exponent. A uint64_t is above
//                INT64_MAX.
#pragma once

#include <simdjson.h>

#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::documents {

struct Value;
struct Member;
using Null = std::monostate;
using Array = std::vector<Value>;
using Object = std::vector<Member>;

struct Value {
  std::variant<Null, bool, int64_t, uint64_t, double, std::string, Array, Object> data;

  template <class T>
  T* get_if() {
    return std::get_if<T>(&data);
  }
  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&data);
  }
  bool is_number() const { return get_if<int64_t>() || get_if<uint64_t>() || get_if<double>(); }
  bool is_integer() const { return get_if<int64_t>() || get_if<uint64_t>(); }
};

struct Member {
  std::string name;
  Value value;
};

Value make_value(simdjson::dom::element element);
// Any JSON value, checked like a document.
Result<Value> parse_value(BytesView json);
// The tree of a stored document.
Result<Value> parse_stored_value(BytesView text);

// Null where there is none.
Value* find_member(Object& object, std::string_view name);
const Value* find_member(const Object& object, std::string_view name);

// Equal as JSON: numbers by value, members in any order. `work` grows by the values looked at.
bool deep_equal(const Value& a, const Value& b, uint64_t& work);
// Of two numbers: negative, 0 or positive.
int compare_numbers(const Value& a, const Value& b);
// How deep it is nested; a value that holds no other counts 0. `work` as above.
size_t depth_of(const Value& value, uint64_t& work);
inline size_t depth_of(const Value& value) {
  uint64_t work = 0;
  return depth_of(value, work);
}

void append_json(Bytes& out, const Value& value);
// With its quotes; `text` is UTF-8.
void append_json_text(Bytes& out, std::string_view text);

}  // namespace strata::documents
