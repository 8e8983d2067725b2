// The list-append workload: every attempt of every client is recorded, whatever became of it.
#include <fmt/format.h>

#include "serializability/clients.h"
#include "serializability/history_checker.h"

namespace strata::serializability {
namespace {

constexpr const char* prefix = "list/";
constexpr size_t lists_at_a_time = 5;
// After so many transactions the next list is taken up: short lists keep the history small.
constexpr size_t transactions_a_list = 40;

Bytes key_of(uint32_t list) { return fmt::format("{}{:06}", prefix, list); }

Bytes encode(Element element) {
  Bytes out;
  append_le32(out, element);
  return out;
}

List decode(BytesView value) {
  List list;
  for (; value.size() >= 4; value.remove_prefix(4)) list.push_back(read_le32(value));
  return list;
}

class Recorder {
 public:
  Recorder(const kv::Database& database, const Load& load)
      : database_(database), clients_(load), blind_appends_(load.blind_appends) {}

  Finding run() {
    if (auto failed = clear_lists()) return failed;
    if (auto failed = clients_.run([this](size_t, Random& random) { transact(random); })) return failed;
    FinalLists final_lists;
    const auto read = database_.read([&](const kv::ReadTransaction& reads) -> Result<void> {
      final_lists.clear();
      kv::RangeIterator rows(reads, prefix, *prefix_end(prefix));
      while (rows.next()) final_lists[list_of(rows.key())] = decode(rows.value());
      return rows.status();
    });
    if (!read.ok()) return "reading the lists: " + std::string(read.error().message());
    const auto anomaly = find_anomaly(history_, final_lists);
    if (!anomaly) return std::nullopt;
    return anomaly->name + ": " + anomaly->description;
  }

 private:
  static uint32_t list_of(BytesView key) {
    return static_cast<uint32_t>(std::stoul(std::string(key.substr(std::string_view(prefix).size()))));
  }

  Finding clear_lists() const {
    const auto cleared = database_.run([](kv::Transaction& transaction) -> Result<void> {
      transaction.clear_prefix(prefix);
      return {};
    });
    return cleared.ok() ? Finding() : Finding(std::string(cleared.error().message()));
  }

  void transact(Random& random) {
    const auto first = static_cast<uint32_t>(transactions_++ / transactions_a_list);
    kv::Transaction transaction = database_.create_transaction();
    for (;;) {
      RecordedTransaction record{RecordedTransaction::Outcome::failed, clock_++, 0, {}};
      Result<void> done = operate(transaction, record, first, random);
      if (done.ok()) {
        done = transaction.commit().get();
        if (done.ok()) record.outcome = RecordedTransaction::Outcome::committed;
        if (!done.ok() && done.error().code() == ErrorCode::commit_unknown_result) {
          record.outcome = RecordedTransaction::Outcome::unknown;
        }
      }
      record.ended = clock_++;
      {
        std::lock_guard lock(mutex_);
        history_.push_back(std::move(record));
      }
      if (done.ok()) return;
      const Result<void> again = transaction.on_error(done.error()).get();
      if (!again.ok()) return clients_.report(std::string(again.error().message()));
    }
  }

  Result<void> operate(kv::Transaction& transaction, RecordedTransaction& record, uint32_t first, Random& random) {
    // Some only read: nothing confirms their version, it has to be right.
    const bool only_reads = random.one_in(5);
    for (uint64_t left = 1 + random.below(4); left > 0; --left) {
      const uint32_t list = first + static_cast<uint32_t>(random.below(lists_at_a_time));
      const uint64_t draw = random.below(10);
      if (only_reads || draw < 4) {
        RETURN_IF_ERROR(read(transaction, record, list));
      } else if (draw < 5) {
        RETURN_IF_ERROR(read_range(transaction, record, first));
      } else {
        RETURN_IF_ERROR(append(transaction, record, list, draw < 8 && !blind_appends_));
      }
      Clients::pause(random);
    }
    return {};
  }

  Result<void> append(kv::Transaction& transaction, RecordedTransaction& record, uint32_t list, bool by_reading) {
    const Element element = next_element_++;
    if (by_reading) {
      ASSIGN_OR_RETURN(const std::optional<Bytes> before, transaction.get(key_of(list)).get());
      record.operations.push_back({Operation::Kind::read, list, 0, decode(before.value_or(Bytes()))});
      transaction.set(key_of(list), before.value_or(Bytes()) + encode(element));
    } else {
      transaction.mutate(kv::MutationType::append_if_fits, key_of(list), encode(element));
    }
    record.operations.push_back({Operation::Kind::append, list, element, {}});
    return {};
  }

  Result<void> read(kv::Transaction& transaction, RecordedTransaction& record, uint32_t list) {
    ASSIGN_OR_RETURN(const std::optional<Bytes> value, transaction.get(key_of(list)).get());
    record.operations.push_back({Operation::Kind::read, list, 0, decode(value.value_or(Bytes()))});
    return {};
  }

  Result<void> read_range(kv::Transaction& transaction, RecordedTransaction& record, uint32_t first) {
    std::map<uint32_t, List> found;
    for (uint32_t list = first; list < first + lists_at_a_time; ++list) found[list] = {};
    kv::RangeIterator rows(transaction, key_of(first), key_of(first + lists_at_a_time));
    while (rows.next()) found[list_of(rows.key())] = decode(rows.value());
    RETURN_IF_ERROR(rows.status());
    for (auto& [list, elements] : found) {
      record.operations.push_back({Operation::Kind::read, list, 0, std::move(elements)});
    }
    return {};
  }

  const kv::Database& database_;
  Clients clients_;
  const bool blind_appends_;
  std::atomic<uint64_t> clock_ = 1;
  std::atomic<uint64_t> transactions_ = 0;
  std::atomic<Element> next_element_ = 1;
  std::mutex mutex_;
  History history_;
};

}  // namespace

Finding run_list_append(const kv::Database& database, const Load& load) { return Recorder(database, load).run(); }

}  // namespace strata::serializability
