// Number: a JSON number, exactly.
//
// Purpose:       comparing what clients ask for with what documents hold without rounding 64-bit integers to doubles.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    the order is that of the mathematical values: 1 and 1.0 are equal, 2^53 + 1 and 2^53 are not.
#pragma once

#include <simdjson.h>

#include <cmath>
#include <compare>
#include <cstdint>
#include <optional>

namespace strata::documents {

class Number {
 public:
  Number() = default;
  Number(int64_t value) : kind_(Kind::signed_integer), signed_(value) {}  // NOLINT
  Number(double value) : kind_(Kind::real), real_(value) {}               // NOLINT
  static Number of_unsigned(uint64_t value) {
    if (value <= INT64_MAX) return static_cast<int64_t>(value);
    Number number;
    number.kind_ = Kind::big_integer;
    number.big_ = value;
    return number;
  }
  // nullopt: not a number.
  static std::optional<Number> of(simdjson::dom::element element) {
    switch (element.type()) {
      case simdjson::dom::element_type::INT64:
        return Number(element.get_int64().value_unsafe());
      case simdjson::dom::element_type::UINT64:
        return of_unsigned(element.get_uint64().value_unsafe());
      case simdjson::dom::element_type::DOUBLE:
        return Number(element.get_double().value_unsafe());
      default:
        return std::nullopt;
    }
  }

  double as_double() const {
    return kind_ == Kind::real          ? real_
           : kind_ == Kind::big_integer ? static_cast<double>(big_)
                                        : static_cast<double>(signed_);
  }
  std::optional<int64_t> as_integer() const {
    if (kind_ == Kind::signed_integer) return signed_;
    return std::nullopt;
  }

  // Above INT64_MAX.
  bool is_big() const { return kind_ == Kind::big_integer; }
  uint64_t as_big() const { return big_; }

  // Doubles here are finite: JSON has no others.
  friend std::strong_ordering operator<=>(const Number& a, const Number& b) {
    if (a.kind_ != Kind::real && b.kind_ != Kind::real) {
      if (a.kind_ == b.kind_) {
        return a.kind_ == Kind::signed_integer ? a.signed_ <=> b.signed_ : a.big_ <=> b.big_;
      }
      // Only what is above INT64_MAX is a big integer.
      return a.kind_ == Kind::big_integer ? std::strong_ordering::greater : std::strong_ordering::less;
    }
    if (a.kind_ == Kind::real && b.kind_ == Kind::real) return of_doubles(a.real_, b.real_);
    if (b.kind_ == Kind::real) return against_double(a, b.real_);
    return 0 <=> against_double(b, a.real_);
  }
  friend bool operator==(const Number& a, const Number& b) { return (a <=> b) == 0; }

 private:
  enum class Kind : uint8_t { signed_integer, big_integer, real };

  static std::strong_ordering of_doubles(double a, double b) {
    return a < b ? std::strong_ordering::less : a > b ? std::strong_ordering::greater : std::strong_ordering::equal;
  }
  static std::strong_ordering against_double(const Number& integer, double real) {
    if (real >= 0x1p64) return std::strong_ordering::less;
    if (real < -0x1p63) return std::strong_ordering::greater;
    const double whole = std::floor(real);
    const Number floor =
        whole >= 0x1p63 ? of_unsigned(static_cast<uint64_t>(whole)) : Number(static_cast<int64_t>(whole));
    const std::strong_ordering order = integer <=> floor;
    return order == 0 && whole < real ? std::strong_ordering::less : order;
  }

  Kind kind_ = Kind::signed_integer;
  union {
    int64_t signed_ = 0;
    uint64_t big_;
    double real_;
  };
};

}  // namespace strata::documents
