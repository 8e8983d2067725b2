// Versionstamp: where a commit stands among all commits, as 12 bytes of a tuple.
//
// Purpose:       10 bytes from the database (big-endian version, batch order) and 2 of the user's that order what one
//                transaction wrote.
// Ownership:     a value.
// Thread safety: as a value.
// Invariants:    sorts as its 12 bytes do. An incomplete one is a place to be filled in at commit: it can be packed by
//                pack_with_versionstamp alone.
#pragma once

#include <array>

#include "base/bytes.h"
#include "base/result.h"

namespace strata::tuple {

class Versionstamp {
 public:
  static constexpr size_t transaction_bytes = 10;
  static constexpr size_t size_bytes = 12;

  // To be filled in at commit.
  static Versionstamp incomplete(uint16_t user_version = 0);
  // `stamp`: 10 bytes, as Transaction::get_versionstamp answers.
  static Versionstamp complete(BytesView stamp, uint16_t user_version = 0);
  // 12 bytes.
  static Result<Versionstamp> from_bytes(BytesView bytes);

  bool is_complete() const { return complete_; }
  // 10 bytes; of an incomplete one 0xff each, so that it sorts behind every complete one.
  BytesView transaction_version() const { return BytesView(bytes_.data(), transaction_bytes); }
  uint16_t user_version() const { return read_be16(bytes().substr(transaction_bytes)); }
  BytesView bytes() const { return BytesView(bytes_.data(), bytes_.size()); }

  friend bool operator==(const Versionstamp& a, const Versionstamp& b) { return a.bytes_ == b.bytes_; }

 private:
  Versionstamp(BytesView stamp, uint16_t user_version, bool complete);

  std::array<char, size_bytes> bytes_;
  bool complete_;
};

}  // namespace strata::tuple
