// Is this history serializable? An anomaly of list-append histories, found from what the clients saw.
//
// Purpose:       clients append unique elements to lists and read lists. A list shows the order of all appends to it,
//                so that every dependency between transactions can be told: who wrote after whom, who read from whom,
//                and who read before whom wrote. A cycle of dependencies has no serial order.
// Ownership:     values.
// Thread safety: pure functions.
// Invariants:    says nothing about histories that are right: every anomaly it reports is one, with the transactions
//                that show it. Real time counts too: a transaction that began after another had ended comes after it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace strata::serializability {

using Element = uint32_t;
using List = std::vector<Element>;

struct Operation {
  enum class Kind { append, read } kind;
  uint32_t key;
  // Unique in the history; of an append.
  Element element = 0;
  // Of a read: what it saw, the transaction's own appends included.
  List list = {};
};

struct RecordedTransaction {
  enum class Outcome { committed, failed, unknown } outcome;
  // Moments of one clock.
  uint64_t began;
  uint64_t ended;
  std::vector<Operation> operations;
};

using History = std::vector<RecordedTransaction>;
// What the lists hold when all is over; a key that is absent has an empty one.
using FinalLists = std::map<uint32_t, List>;

struct Anomaly {
  std::string name;
  // Who did what, and why that cannot be.
  std::string description;
  // Their places in the history.
  std::vector<size_t> transactions;
};

std::optional<Anomaly> find_anomaly(const History& history, const FinalLists& final_lists);

std::string describe(const RecordedTransaction& transaction);

}  // namespace strata::serializability
