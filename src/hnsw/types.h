// Types: what an index is told and what it tells.
//
// Purpose:       options with their bounds, matches, reports.
// Ownership:     values; SearchOptions borrows its set and its check for the call.
// Thread safety: values.
// Invariants:    Metric and Quantization are bytes of the format of images.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace strata::hnsw {

class SlotSet;

// A score is smaller the nearer: 1 - cos (1 where a vector is zero), L2, -dot, L1.
enum class Metric : uint8_t { cosine = 0, euclidean = 1, dot_product = 2, manhattan = 3 };

// What the graph is walked on. Scores are exact either way. none: the rows themselves, which then are memory that is
// always in use.
enum class Quantization : uint8_t { none = 0, int8 = 1 };

inline constexpr uint32_t max_dimension = 65'536;
inline constexpr uint32_t min_m = 2;
inline constexpr uint32_t max_m = 512;
inline constexpr uint32_t max_ef_construction = 10'000;
inline constexpr uint32_t default_ef = 50;

struct Options {
  uint32_t dimension = 0;  // 1 .. max_dimension
  Metric metric = Metric::cosine;
  Quantization quantization = Quantization::int8;
  uint32_t m = 16;                 // links of a node; twice as many in the lowest layer
  uint32_t ef_construction = 200;  // 1 .. max_ef_construction
  std::string directory;           // for the rows' unnamed file; empty: anonymous memory
  uint64_t seed = 1;               // of the levels of nodes
};

struct Match {
  uint64_t label = 0;
  float score = 0;
  friend bool operator==(const Match&, const Match&) = default;
  // NaN does not occur: values are finite, and sums that leave the range of float32 become infinite.
  friend bool operator<(const Match& a, const Match& b) {
    return a.score != b.score ? a.score < b.score : a.label < b.label;
  }
};

// How a filtered search goes about it.
enum class Plan : uint8_t {
  automatic,  // the cheaper one, by their measured costs
  scan,       // all of the set, exactly
  gated,      // a walk through everything that keeps what is in the set, and becomes a scan when that is cheaper
};

// True: whoever wanted the answer wants it no more.
using StopCheck = std::function<bool()>;

struct SearchOptions {
  uint32_t ef = 0;
  const SlotSet* allowed = nullptr;
  Plan plan = Plan::automatic;
  const StopCheck* stopped = nullptr;  // asked now and then by scans
};

// The vector to insert at a place; the values stay until the next call of the same thread.
struct BuildRow {
  uint64_t label = 0;
  std::span<const float> values;
};
struct BuildSource {
  uint64_t count = 0;
  // Called by several threads at once, for each place once.
  std::function<BuildRow(uint64_t place)> row;
};
struct BuildOptions {
  uint32_t threads = 1;
  uint32_t ef_construction = 0;                  // 0: that of the index
  const std::atomic<bool>* cancelled = nullptr;  // looked at before each vector
  std::atomic<uint64_t>* inserted = nullptr;     // progress, counted up
};
struct BuildReport {
  uint64_t inserted = 0;
  bool cancelled = false;
};

// Anonymous memory is what the process must keep; file-backed pages may be dropped and read again.
struct Memory {
  uint64_t graph_bytes = 0;
  uint64_t code_bytes = 0;
  uint64_t label_bytes = 0;
  uint64_t anonymous_row_bytes = 0;
  uint64_t file_row_bytes = 0;

  uint64_t anonymous_bytes() const { return graph_bytes + code_bytes + label_bytes + anonymous_row_bytes; }
};

struct ImageReport {
  uint64_t vectors = 0;
  uint64_t bytes = 0;
};

}  // namespace strata::hnsw
