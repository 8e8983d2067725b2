// VectorsWorkload: collections of vectors by the service that the server runs: one by one, in bulk, deferred, with
// thresholds, long ones, and collections that are dropped and made again.
//
// Purpose:       whatever crashed, keys, counters and log are those after some prefix of its operations, with nothing
//                left over, and a search shows what the keys hold.
// Ownership:     keeps what every operation of its life would leave in memory.
// Thread safety: marks() from any thread.
// Invariants:    one operation at a time, each one transaction and durable when it is answered.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "crash/simulation/crash_suite.h"
#include "layers/vectors/vectors.h"
#include "service/vectors.h"

namespace strata::crash {

class VectorsWorkload final : public Workload {
 public:
  Result<void> adopt(const kv::Database& database) override;
  Result<void> step(const kv::Database& database, Random& random) override;
  Marks marks() const override { return {answered_, answered_}; }
  Finding check(const kv::Database& database, uint64_t at_least, const Marks& marks) override;

 private:
  struct Row {
    // Shared by all states that hold it.
    std::shared_ptr<const std::vector<float>> values;
    service::Metadata metadata;
    float threshold = 0;
    vectors::Deferral deferral;
    friend bool operator==(const Row& a, const Row& b) {
      return *a.values == *b.values && a.metadata == b.metadata && a.threshold == b.threshold &&
             a.deferral == b.deferral;
    }
  };
  struct Collection {
    vectors::Counters counters;
    std::map<uint64_t, Row> rows;
    friend bool operator==(const Collection&, const Collection&) = default;
  };
  using State = std::map<std::string, Collection>;

  // Changes `next` as the operation does, records it, then does it.
  Result<void> operate(service::Vectors& vectors, Random& random);
  Result<void> insert(service::Vectors& vectors, const std::string& name, State next, Random& random);
  Result<void> change(service::Vectors& vectors, const std::string& name, State next, Random& random);
  Result<void> bulk(service::Vectors& vectors, const std::string& name, State next, Random& random);
  Result<void> maintain(service::Vectors& vectors, const std::string& name, State next, Random& random);

  static Result<Collection> read(const kv::Database& database, const vectors::Collection& collection);
  static Result<State> read(const kv::Database& database);
  static Finding check_keys(const kv::Database& database, const vectors::Collection& collection,
                            const Collection& shown);
  static Finding check_dropped(const kv::Database& database, const std::vector<vectors::Collection>& there);
  static Finding check_service(service::Vectors& vectors, const std::string& name, const Collection& shown);

  std::vector<State> states_;  // at adopt, and after each operation
  std::atomic<uint64_t> answered_ = 0;
};

}  // namespace strata::crash
