// Clause: the members of one object of a filter while it is read. Internal to the parser.
//
// Purpose:       typed questions, with errors that name the place.
// Ownership:     views the JSON.
// Thread safety: none.
// Invariants:    what was not asked for is a mistake: finish() names it.
#pragma once

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "layers/documents/document_path.h"
#include "layers/documents/number.h"

namespace strata::documents {

class Clause {
 public:
  Clause(simdjson::dom::object object, std::string where) : object_(object), where_(std::move(where)) {}

  const std::string& where() const { return where_; }
  // Also where it is null; a null counts as absent for take.
  bool has(std::string_view name) const { return find(name).has_value(); }

  std::optional<simdjson::dom::element> take(std::string_view name) {
    const auto found = find(name);
    if (!found) return std::nullopt;
    taken_[count_++] = name;
    if (found->is_null()) return std::nullopt;
    return found;
  }

  Error wrong(std::string_view name, std::string_view what) const {
    std::string place = where_;
    if (!name.empty()) place.append(".").append(name);
    return Error(ErrorCode::invalid_argument, place + ": " + std::string(what));
  }
  template <class T>
  Result<T> placed(std::string_view name, Result<T> result) const {
    if (result.ok()) return result;
    return wrong(name, result.error().message());
  }

  Result<std::string_view> text(std::string_view name) {
    const auto element = take(name);
    std::string_view found;
    if (!element || element->get(found) != simdjson::SUCCESS) return wrong(name, "must be a string");
    return found;
  }
  Result<std::optional<bool>> truth(std::string_view name) {
    const auto element = take(name);
    if (!element) return std::optional<bool>();
    bool found = false;
    if (element->get(found) != simdjson::SUCCESS) return wrong(name, "must be true or false");
    return std::optional<bool>(found);
  }
  Result<uint32_t> count(std::string_view name, uint32_t limit, uint32_t otherwise) {
    const auto element = take(name);
    if (!element) return otherwise;
    const auto number = Number::of(*element);
    if (!number || *number < Number(int64_t{0}) || *number > Number(static_cast<int64_t>(limit)) ||
        number->as_double() != std::floor(number->as_double())) {
      return wrong(name, "must be a whole number from 0 to " + std::to_string(limit));
    }
    return static_cast<uint32_t>(number->as_double());
  }
  // Absent or empty: none.
  Result<std::optional<DocumentPath>> field() {
    if (!has("field")) return std::optional<DocumentPath>();
    const auto element = take("field");
    if (!element) return std::optional<DocumentPath>();
    std::string_view name;
    if (element->get(name) != simdjson::SUCCESS) return wrong("field", "must be a string");
    if (name.empty() || name == "_all") return std::optional<DocumentPath>();
    auto path = placed("field", DocumentPath::parse(name));
    if (!path.ok()) return std::move(path).error();
    if (path->is_root()) return std::optional<DocumentPath>();
    return std::optional<DocumentPath>(*std::move(path));
  }
  Result<double> boost() {
    const auto element = take("boost");
    if (!element) return 1.0;
    const auto number = Number::of(*element);
    if (!number || !(number->as_double() >= 0 && number->as_double() <= 1e6)) {
      return wrong("boost", "must be a number from 0 to 1000000");
    }
    return number->as_double();
  }
  // What nobody asked for.
  Result<void> finish() const {
    for (const auto [name, value] : object_) {
      static_cast<void>(value);
      if (std::find(taken_.begin(), taken_.begin() + count_, name) == taken_.begin() + count_) {
        return wrong(printable(name), "is not known here");
      }
    }
    return {};
  }

 private:
  std::optional<simdjson::dom::element> find(std::string_view name) const {
    simdjson::dom::element found;
    if (object_.at_key(name).get(found) != simdjson::SUCCESS) return std::nullopt;
    return found;
  }

  simdjson::dom::object object_;
  std::string where_;
  // No form has more members.
  std::array<std::string_view, 16> taken_;
  size_t count_ = 0;
};

}  // namespace strata::documents
