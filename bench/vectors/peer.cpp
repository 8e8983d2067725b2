#include "vectors/peer.h"

#if __has_include(<hnswlib/hnswlib.h>)
#include <hnswlib/hnswlib.h>

namespace strata::bench {

namespace {

#if __has_include(<hnswlib/stop_condition.h>)
#define HAS_FILTERS 1
class Divided : public hnswlib::BaseFilterFunctor {
 public:
  explicit Divided(uint64_t by) : by_(by) {}
  bool operator()(hnswlib::labeltype label) override { return label % by_ == 0; }

 private:
  const uint64_t by_;
};
#endif

class Hnswlib : public Peer {
 public:
  Hnswlib(size_t dimension, size_t capacity, size_t m, size_t ef_construction)
      : space_(dimension), index_(&space_, capacity, m, ef_construction) {}

  void insert(uint64_t label, const float* values) override { index_.addPoint(values, label); }

  std::vector<uint64_t> search(const float* query, size_t k, size_t ef, uint64_t one_in) override {
    index_.setEf(ef);
#ifdef HAS_FILTERS
    Divided filter(one_in == 0 ? 1 : one_in);
    auto found = index_.searchKnn(query, k, one_in == 0 ? nullptr : &filter);
#else
    if (one_in != 0) return {};
    auto found = index_.searchKnn(query, k);
#endif
    std::vector<uint64_t> labels;
    for (; !found.empty(); found.pop()) labels.push_back(found.top().second);
    return labels;
  }

 private:
  hnswlib::L2Space space_;
  hnswlib::HierarchicalNSW<float> index_;
};

}  // namespace

std::unique_ptr<Peer> make_hnswlib(size_t dimension, size_t capacity, size_t m, size_t ef_construction) {
  return std::make_unique<Hnswlib>(dimension, capacity, m, ef_construction);
}

std::string hnswlib_version() {
#ifdef HAS_FILTERS
  return "hnswlib 0.8";
#else
  return "hnswlib before 0.8, without filters";
#endif
}

}  // namespace strata::bench

#else

namespace strata::bench {

std::unique_ptr<Peer> make_hnswlib(size_t, size_t, size_t, size_t) { return nullptr; }
std::string hnswlib_version() { return "no hnswlib"; }

}  // namespace strata::bench

#endif
