// Store: the vectors of an index, as rows and as codes.
//
// Purpose:       one place that knows what a slot's vector is and how far it is from a query, near enough for a walk
//                (codes) or exactly (rows).
// Ownership:     owns its memory.
// Thread safety: a slot is written by one thread before it is told to others; reading from any thread.
// Invariants:    with int8, a code stands for center + scale * code; cosine codes are of the vector of length 1. The
//                distance of two codes is that of the points that they stand for, so it errs less the nearer they are.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "hnsw/blocks.h"
#include "hnsw/kernels.h"

namespace strata::hnsw {

// What a walk compares slots with; reused from call to call.
class Query {
 public:
  const float* row() const { return row_; }

 private:
  friend class Store;
  const float* row_ = nullptr;
  CodeQuery code_;
  float scale_ = 0;
  float square_ = 0;
  float error_ = 0;
  std::vector<int8_t> codes_;
};

class Store {
 public:
  explicit Store(const Options& options);

  bool coded() const { return coded_; }
  Result<void> grow(uint64_t end);
  void write(uint32_t slot, const float* values);

  const float* row(uint32_t slot) const { return reinterpret_cast<const float*>(rows_.at(slot)); }
  // The values stay while the query is used.
  void prepare(const float* values, Query& query) const;
  void prepare(uint32_t slot, Query& query) const;
  // Orders as the metric does. Not comparable between queries, nor with scores.
  void distances(const Query& query, const uint32_t* slots, size_t count, float* out) const;
  float distance(const Query& query, uint32_t slot) const {
    float out;
    distances(query, &slot, 1, &out);
    return out;
  }
  // Asks for what distances() reads of a slot.
  SlotTable walked() const { return coded_ ? codes_.table() : rows_.table(); }
  size_t walked_bytes() const { return coded_ ? codes_.stride() : rows_.stride(); }
  // Whatever has a distance above this scores worse than something with the distance that is given; and above `score`.
  // nullopt: nothing can be said (rows are walked, or values near the ends of the range of float32).
  std::optional<float> cut_of_distance(const Query& query, float distance) const;
  std::optional<float> cut_of_score(const Query& query, float score) const;
  // The exact scores of slots.
  void scores(const float* values, const uint32_t* slots, size_t count, float* out) const;

  // For images.
  size_t row_block_bytes() const { return rows_.block_bytes(); }
  uint64_t rows_per_block() const { return rows_.slots_per_block(); }
  Result<void> adopt_rows(int file, uint64_t offset, uint64_t count);
  // Its code, from its row.
  void write_code(uint32_t slot);

  size_t code_stride() const { return codes_.stride(); }
  size_t row_bytes() const { return rows_.stride(); }
  bool rows_in_file() const { return rows_.file_backed(); }

 private:
  // How far the distance of two points may be from that of their codes.
  struct Slack {
    float error = 0;     // of a length, or of a product
    float rounding = 0;  // of a distance as it is computed
  };
  std::optional<Slack> slack(const Query& query) const;
  float relative_rounding() const;
  // Of the vector, or of its direction.
  Encoded encode_row(const float* values, int8_t* codes) const;
  int8_t* room_for_codes(Query& query) const;
  void finish(float scale, int32_t sum, float square, Query& query) const;

  const Metric metric_;
  const uint32_t dimension_;
  const bool coded_;
  const size_t code_bytes_;
  const std::vector<float> center_;
  Blocks codes_;
  Blocks rows_;
  // The largest that ever were, of codes: they bound what these err.
  std::atomic<float> max_error_{0};
  std::atomic<float> max_scale_{0};
  std::atomic<float> max_square_{0};
};

}  // namespace strata::hnsw
