// RecordsWorkload: values, large objects, transactions and the log of a namespace, by the services that the server
// runs.
//
// Purpose:       whatever crashed, the namespace holds what some prefix of its operations left: objects whole, half of
//                no transaction, no bytes that nobody names once a start has cleared them, and a log that tells the
//                same, with every position where readers were told it was.
// Ownership:     keeps the operations of its life, and what they would leave, in memory.
// Thread safety: marks() from any thread.
// Invariants:    one operation at a time, each durable when it is answered.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "crash/simulation/crash_suite.h"
#include "layers/records/log_segments.h"

namespace strata::crash {

class RecordsWorkload final : public Workload {
 public:
  Result<void> adopt(const kv::Database& database) override;
  Result<void> step(const kv::Database& database, Random& random) override;
  Marks marks() const override { return {answered_, answered_}; }
  Finding check(const kv::Database& database, uint64_t at_least, const Marks& marks) override;

 private:
  class Server;
  // Key -> what it holds: a value, or an object's size and checksum.
  using State = std::map<std::string, std::string>;
  struct Entry {
    // nullopt: the key goes. Nothing: the operation changes nothing, whatever it looks like on the way.
    std::map<std::string, std::optional<std::string>> effects;
    // What a reader was told after it.
    records::LogPosition position;
    uint64_t records = 0;
  };

  Result<void> operate(Server& server, Entry& entry, Random& random);
  static Result<void> put_values(Server& server, Entry& entry, Random& random);
  static Result<void> change_object(Server& server, Entry& entry, Random& random);
  static Result<void> run_transaction(Server& server, Entry& entry, Random& random);
  static Result<State> read(Server& server);
  Finding check_positions(Server& server, size_t count) const;

  State state_at_adopt_;
  std::vector<Entry> entries_;
  std::atomic<uint64_t> answered_ = 0;
};

}  // namespace strata::crash
