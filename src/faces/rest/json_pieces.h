// JSON pieces: a body taken apart into the texts of its parts, without a tree of the whole.
//
// Purpose:       documents are stored as the text that came. Each of them is parsed alone, so that memory follows the
//                largest document instead of the body.
// Ownership:     pieces are views of the text that was given; names that hold escapes lie in the caller's arena.
// Thread safety: pure functions.
// Invariants:    what is taken apart is strict JSON at its own level: commas, colons, strings, no name twice. What is
//                inside a piece has been skipped, not checked: whoever takes the piece parses it. The text is UTF-8
//                (check_body looks once).
// Errors:        invalid_argument; `what` names the part in messages.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/result.h"

namespace strata::rest {

struct JsonMember {
  BytesView name;
  BytesView value;
};

// UTF-8, and not empty.
Result<void> check_json_body(BytesView body);
// Blanks around the piece are allowed; `json` is nothing but the object or the array.
Result<std::vector<JsonMember>> split_json_object(BytesView json, Arena& arena, std::string_view what);
Result<std::vector<BytesView>> split_json_array(BytesView json, std::string_view what);

using JsonPiece = std::optional<BytesView>;
// The values of these names; null counts as absent. Another name is refused: a word that is misspelt would be lost.
Result<void> take_json_pieces(BytesView json, std::span<const std::string_view> names, std::span<JsonPiece> values,
                              std::string_view what);
template <size_t N>
Result<std::array<JsonPiece, N>> json_pieces(BytesView json, const std::array<std::string_view, N>& names,
                                             std::string_view what) {
  std::array<JsonPiece, N> values;
  RETURN_IF_ERROR(take_json_pieces(json, names, values, what));
  return values;
}

// A view of the text, or of the arena where it holds escapes.
Result<BytesView> json_piece_string(BytesView json, Arena& arena, std::string_view what);
Result<bool> json_piece_bool(BytesView json, std::string_view what);
// An integer of 64 bits.
Result<int64_t> json_piece_integer(BytesView json, std::string_view what);

}  // namespace strata::rest
