// Projection: the part of a document that `fields` asks for.
//
// Purpose:       fields "title", "user.address.city", "_chunks.*", "-_chunks.*._embedding", applied to stored text:
//                what is kept is copied byte for byte, no tree is built, numbers and strings keep their spelling.
// Ownership:     owns the parsed fields; appends to the caller's bytes.
// Thread safety: const methods from any thread.
// Invariants:    names descend arrays; `*` is any member of an object and any element of an array. With fields that
//                include, objects and arrays in which nothing was asked for are left out; with exclusions alone the
//                whole document is the start. An exclusion wins over an inclusion. Members keep their order.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::documents {

inline constexpr size_t max_projection_fields = 256;
inline constexpr size_t max_projection_segments = 1024;

class Projection {
 public:
  // The whole document.
  Projection();
  Projection(Projection&&) noexcept;
  Projection& operator=(Projection&&) noexcept;
  ~Projection();

  // One field each; none: the whole document. invalid_argument names the field.
  static Result<Projection> parse(std::span<const std::string_view> fields);
  // Separated by commas, blanks around them are dropped; an empty list: the whole document.
  static Result<Projection> parse_list(std::string_view fields);

  bool is_whole() const { return root_ == nullptr; }

  // Appends the projected document. `document`: minified text of an object; corruption when it is not.
  Result<void> append(BytesView document, Bytes& out) const;
  // Appends ,"name":value for each member that stays, but for a member called `without` at the top: what goes behind
  // members of the caller's own.
  Result<void> append_members(BytesView document, std::string_view without, Bytes& out) const;

  struct Node;

 private:
  Result<void> add(std::string_view field);

  // What the fields' names lead to; inclusions and exclusions in one tree.
  std::unique_ptr<Node> root_;
  bool only_exclusions_ = true;
  size_t segments_ = 0;
};

}  // namespace strata::documents
