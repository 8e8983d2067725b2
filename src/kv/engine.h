// Engine: the seam between what a transaction means and where its bytes lie.
//
// Purpose:       an ordered key space with versions. Everything that FoundationDB's client does above its wire
//                (read-your-writes, key selectors, conflict bookkeeping, retries) is kv::Transaction and is written
//                once; an engine answers reads at a version and decides commits.
// Ownership:     requests borrow nothing: a CommitRequest owns its bytes; get and range copy what they need before
//                they return a pending future.
// Thread safety: every method may be called from any thread at any time.
// Invariants:    versions only grow. A read at version v sees every commit with a version <= v and nothing else, for
//                at least Limits::read_lifetime_ms after v was handed out. A commit that was answered with a version
//                is durable as its durability asks; one that failed left no trace; only commit_unknown_result leaves
//                the question open.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/future.h"

namespace strata::kv {

// About 1,000,000 a second; jumps forward at a restart. Negative: none.
using Version = int64_t;
inline constexpr Version invalid_version = -1;

// FoundationDB's numbers, of its API (2 and up) and of its wire (0 and 1); `clear` is ours: one key.
enum class MutationType : uint8_t {
  set = 0,
  clear_range = 1,  // key = begin, value = end
  add = 2,
  bit_and = 6,
  bit_or = 7,
  bit_xor = 8,
  append_if_fits = 9,
  max = 12,
  min = 13,
  set_versionstamped_key = 14,
  set_versionstamped_value = 15,
  byte_min = 16,
  byte_max = 17,
  compare_and_clear = 20,
  clear = 255,
};

// Views into CommitRequest::arena.
struct Mutation {
  MutationType type;
  BytesView key;
  BytesView value;
};

// [begin, end)
struct KeyRange {
  Bytes begin;
  Bytes end;
  friend bool operator==(const KeyRange&, const KeyRange&) = default;
};
struct KeyRangeView {
  BytesView begin;
  BytesView end;
};

struct Limits {
  size_t key_bytes = 10'000;
  size_t value_bytes = 100'000;
  // What a transaction may write at most, mutations and conflict ranges counted: 64 MiB embedded, 10 MB on
  // FoundationDB.
  size_t transaction_bytes = 64u << 20;
  // How long a version can be read after it was handed out, at least.
  int64_t read_lifetime_ms = 5'000;
  size_t watches = 10'000;
};

enum class Durability : uint8_t {
  engine_default,  // what the engine was opened with
  sync,            // on disk before the answer
  async,           // on disk within 100 ms
};

// A page of a range, flat: one buffer of bytes and one array of offsets, so that a row costs no allocation.
class Rows {
 public:
  size_t size() const { return rows_.size(); }
  bool empty() const { return rows_.empty(); }
  BytesView key(size_t i) const { return BytesView(bytes_).substr(rows_[i].offset, rows_[i].key_size); }
  BytesView value(size_t i) const {
    return BytesView(bytes_).substr(rows_[i].offset + rows_[i].key_size, rows_[i].value_size);
  }
  void append(BytesView key, BytesView value) {
    rows_.push_back({bytes_.size(), static_cast<uint32_t>(key.size()), static_cast<uint32_t>(value.size())});
    bytes_.append(key);
    bytes_.append(value);
  }
  void reserve(size_t rows, size_t bytes) {
    rows_.reserve(rows);
    bytes_.reserve(bytes);
  }
  // Keeps the first `count` rows.
  void truncate(size_t count) { rows_.resize(count); }

 private:
  struct Row {
    size_t offset;
    uint32_t key_size;
    uint32_t value_size;
  };
  Bytes bytes_;
  std::vector<Row> rows_;
};

struct RangeRequest {
  BytesView begin;  // inclusive
  BytesView end;    // exclusive; begin >= end is an empty range
  Version version = invalid_version;
  // The page ends with the row that reaches either limit (so at least one row comes); 0: no limit. A row costs
  // key + value + 8 bytes. Without limits an engine may still end a page where it likes.
  size_t limit_rows = 0;
  size_t limit_bytes = 0;
  // From the end backwards, rows in descending order.
  bool reverse = false;
  // Part of a scan that reads much, and once: an engine with a cache leaves in it what is there.
  bool one_pass = false;
};

struct RangePage {
  Rows rows;
  // The range may hold more rows beyond the last one. Always true when a limit was reached.
  bool more = false;
};

struct CommitRequest {
  // Owns what mutations and conflict ranges view. The engine writes stamps into operands.
  Arena arena;
  std::vector<Mutation> mutations;
  std::vector<KeyRangeView> read_conflicts;
  std::vector<KeyRangeView> write_conflicts;
  // What read_conflicts are checked against; may be invalid_version when there are none.
  Version read_version = invalid_version;
  Durability durability = Durability::engine_default;
  // Asked for (not null): on not_committed the engine fills in the indexes of the read_conflicts that met a newer
  // write.
  std::shared_ptr<std::vector<uint32_t>> conflicting;
};

struct Committed {
  Version version = invalid_version;
  // The place among the commits of this version: the second part of the versionstamp.
  uint16_t batch_order = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const Limits& limits() const = 0;

  // The newest version whose commits are all visible and as durable as they were asked to be.
  virtual Future<Version> read_version() = 0;

  // Errors: transaction_too_old (no longer kept), future_version (newer than any commit), io_error, corruption.
  virtual Future<std::optional<Bytes>> get(BytesView key, Version version) = 0;
  virtual Future<RangePage> range(const RangeRequest& request) = 0;

  // Conflicts are checked against everything committed after read_version, earlier commits of the same batch included;
  // atomics and versionstamps are evaluated here. Commits that are under way together have no order among them. Errors:
  // not_committed, transaction_too_old (read_version is older than the conflict history), disk_full and io_error
  // (nothing written; the engine says so to every later commit too), commit_unknown_result.
  // The request has been validated by kv::Transaction: sizes, versionstamp offsets, mutation types.
  virtual Future<Committed> commit(CommitRequest request) = 0;

  // Ready when a version newer than `version` holds a value of `key` that differs from `value`; an older change, one
  // that is already committed, counts too. Errors: too_many_watches. Cancelling the future forgets the watch.
  virtual Future<void> watch(BytesView key, std::optional<Bytes> value, Version version) = 0;

  // Bytes of keys and values in [begin, end), roughly.
  virtual Future<int64_t> estimated_bytes(BytesView begin, BytesView end) = 0;

  // Keys that cut [begin, end) into pieces of about chunk_bytes each, ascending, both ends included.
  virtual Future<std::vector<Bytes>> split_points(BytesView begin, BytesView end, int64_t chunk_bytes) = 0;
};

}  // namespace strata::kv
