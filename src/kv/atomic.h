// Atomic mutations: what one makes of the value that is there.
//
// Purpose:       one definition for engines (at commit) and for read-your-writes (before it).
// Thread safety: pure functions.
// Invariants:    FoundationDB's semantics at API version 520 and up: the result has the operand's length, a missing
//                value gives the operand unless the operation says otherwise.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "kv/engine.h"

namespace strata::kv {

// The types whose result depends on the value that is there: add .. compare_and_clear without set, clears and stamps.
bool is_atomic(MutationType type);

// nullopt: the key is absent afterwards. `type` is one that is_atomic accepts.
std::optional<Bytes> apply_atomic(MutationType type, std::optional<BytesView> existing, BytesView operand,
                                  size_t value_limit_bytes);

// Versionstamp, 10 bytes: big-endian commit version, big-endian batch order.
Bytes make_versionstamp(const Committed& committed);

// What SET_VERSIONSTAMPED_KEY / _VALUE make of an operand: the last 4 bytes, a little-endian offset, are trimmed off
// and the 10 bytes at that offset replaced by the stamp. The operand has been validated (versionstamp_offset_ok).
Bytes apply_versionstamp(BytesView operand, BytesView stamp);
// The same without a copy, where the operand lies in memory that is the caller's to write; again with another stamp.
BytesView stamp_in_place(BytesView operand, BytesView stamp);
bool versionstamp_offset_ok(BytesView operand);

}  // namespace strata::kv
