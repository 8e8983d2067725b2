// Result<T>: a value or an Error.
//
// Purpose:       errors are values; nothing in Strata throws across a function of its own.
// Ownership:     holds its value.
// Thread safety: as T.
// Invariants:    exactly one of value and error; reading the wrong one is a bug and asserts, in release builds too.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/error.h"

namespace strata {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT
  Result(ErrorCode code) : state_(std::in_place_index<1>, Error(code)) {}    // NOLINT
  template <class U>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, ErrorCode>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    STRATA_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    STRATA_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    STRATA_ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    STRATA_ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    STRATA_ASSERT(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT
  Result(ErrorCode code) : error_(Error(code)) {}    // NOLINT

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  void value() const { STRATA_ASSERT(ok()); }

  const Error& error() const& {
    STRATA_ASSERT(!ok());
    return *error_;
  }
  Error&& error() && {
    STRATA_ASSERT(!ok());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

// RETURN_IF_ERROR(expression): returns the error of a Result, to a caller that returns a Result.
#define STRATA_CONCAT_INNER(a, b) a##b
#define STRATA_CONCAT(a, b) STRATA_CONCAT_INNER(a, b)
#define RETURN_IF_ERROR(expression)                                                 \
  do {                                                                              \
    if (auto return_if_error_result = (expression); !return_if_error_result.ok()) { \
      return std::move(return_if_error_result).error();                             \
    }                                                                               \
  } while (false)

// ASSIGN_OR_RETURN(auto value, expression): the value, or returns the error.
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_INNER(STRATA_CONCAT(assign_or_return_result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_INNER(temporary, declaration, expression) \
  auto temporary = (expression);                                   \
  if (!temporary.ok()) return std::move(temporary).error();        \
  declaration = std::move(temporary).value()

}  // namespace strata
