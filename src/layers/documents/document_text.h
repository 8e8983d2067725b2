// Document text: what a document is, and the one place where it is checked.
//
// Purpose:       a document is one JSON object. It is stored as the text that came, without the blanks between its
//                tokens; strings and numbers keep their bytes.
// Ownership:     a minified text is a view of what came or of the caller's arena. Parsed elements live in a parser of
//                the thread until the thread parses again, so nobody waits while holding one.
// Thread safety: pure functions; each thread has its parser.
// Invariants:    what minify_document accepts: UTF-8; nested at most max_document_depth deep, the object itself
//                counted; no name twice in an object; numbers that fit int64, uint64 or a finite double.
// Errors:        invalid_argument with the reason; payload_too_large for a document above its limit.
#pragma once

#include <simdjson.h>

#include <memory>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/result.h"

namespace strata::documents {

inline constexpr size_t max_document_bytes = 16u << 20;
inline constexpr size_t max_document_depth = 128;
inline constexpr size_t max_document_key_bytes = 1'024;

// 1 to max_document_key_bytes of UTF-8. The message begins with `what`.
Result<void> validate_document_key(BytesView key, std::string_view what = "key");

// The text to store: `json` itself where it holds no blanks, else in the arena. `limit_bytes` counts what comes out.
Result<BytesView> minify_document(BytesView json, Arena& arena, size_t limit_bytes = max_document_bytes);

// For who waits while holding what it parsed; as large as the largest text that it has seen.
class DocumentParser {
 public:
  DocumentParser();
  ~DocumentParser();
  // Lives until the next one.
  Result<simdjson::dom::element> parse(BytesView json);
  size_t capacity() const;

 private:
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

// Text that was checked before: a broken one is corruption.
Result<simdjson::dom::element> parse_stored(BytesView text);
Result<simdjson::dom::element> parse_stored(BytesView text, DocumentParser& parser);
// One JSON value of any kind, checked like a document.
Result<simdjson::dom::element> parse_json(BytesView json);

}  // namespace strata::documents
