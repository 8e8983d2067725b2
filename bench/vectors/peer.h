// Peer: hnswlib, compiled with -O3 -march=native, behind an interface that its flags do not leak through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace strata::bench {

class Peer {
 public:
  virtual ~Peer() = default;
  virtual void insert(uint64_t label, const float* values) = 0;
  // one_in 0: no filter; else labels that it divides. Empty where the headers know no filters.
  virtual std::vector<uint64_t> search(const float* query, size_t k, size_t ef, uint64_t one_in) = 0;
};

// Euclidean. Null: built without hnswlib's headers.
std::unique_ptr<Peer> make_hnswlib(size_t dimension, size_t capacity, size_t m, size_t ef_construction);
std::string hnswlib_version();

}  // namespace strata::bench
