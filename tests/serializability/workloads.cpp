#include "serializability/workloads.h"

#include <fmt/format.h>

#include <set>

#include "serializability/clients.h"

namespace strata::serializability {
namespace {

Bytes key_of(const char* prefix, uint64_t number) { return fmt::format("{}{:06}", prefix, number); }

Result<uint64_t> read_number(const kv::ReadTransaction& transaction, const Bytes& key) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> value, transaction.get(key).get());
  if (!value || value->size() != 8) return Error(ErrorCode::corruption, "no number at " + key);
  return read_le64(*value);
}

void write_number(kv::Transaction& transaction, const Bytes& key, uint64_t number) {
  Bytes value;
  append_le64(value, number);
  transaction.set(key, value);
}

Result<std::vector<uint64_t>> read_all(const kv::ReadTransaction& transaction, const Bytes& prefix) {
  std::vector<uint64_t> numbers;
  kv::RangeIterator rows(transaction, prefix, *prefix_end(prefix));
  while (rows.next()) {
    if (rows.value().size() != 8) return Error(ErrorCode::corruption, "no number at " + Bytes(rows.key()));
    numbers.push_back(read_le64(rows.value()));
  }
  RETURN_IF_ERROR(rows.status());
  return numbers;
}

// Before the clients: all numbers behind a prefix.
Finding set_up(const kv::Database& database, const char* prefix, const std::vector<uint64_t>& numbers) {
  const Result<void> done = database.run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.clear_prefix(prefix);
    for (size_t i = 0; i < numbers.size(); ++i) write_number(transaction, key_of(prefix, i), numbers[i]);
    return {};
  });
  if (done.ok()) return std::nullopt;
  return "set-up: " + std::string(done.error().message());
}

// The transaction of a client, and what went wrong if it is no conflict.
template <class Body>
void run_once(Clients& clients, const kv::Database& database, Body body) {
  const Result<void> done = database.run(body);
  if (!done.ok()) clients.report(std::string(done.error().message()));
}

Finding check_ring(const std::vector<uint64_t>& next) {
  size_t steps = 0;
  uint64_t at = 0;
  do {
    if (at >= next.size()) return fmt::format("a pointer to {} leaves the ring", at);
    at = next[at];
    ++steps;
  } while (at != 0 && steps <= next.size());
  if (steps != next.size()) return fmt::format("a ring of {} instead of {}", steps, next.size());
  return std::nullopt;
}

}  // namespace

Finding run_cycle(const kv::Database& database, const Load& load) {
  constexpr const char* prefix = "cycle/";
  constexpr size_t nodes = 24;
  std::vector<uint64_t> ring(nodes);
  for (size_t i = 0; i < nodes; ++i) ring[i] = (i + 1) % nodes;
  if (auto failed = set_up(database, prefix, ring)) return failed;
  Clients clients(load);
  return clients.run([&](size_t, Random& random) {
    if (random.one_in(8)) {
      const auto next = database.read([&](const kv::ReadTransaction& reads) { return read_all(reads, prefix); });
      if (!next.ok()) return clients.report(std::string(next.error().message()));
      if (const Finding broken = check_ring(*next)) clients.report(*broken);
      return;
    }
    run_once(clients, database, [&](kv::Transaction& transaction) -> Result<void> {
      const uint64_t a = random.below(nodes);
      ASSIGN_OR_RETURN(const uint64_t b, read_number(transaction, key_of(prefix, a)));
      Clients::pause(random);
      ASSIGN_OR_RETURN(const uint64_t c, read_number(transaction, key_of(prefix, b)));
      Clients::pause(random);
      ASSIGN_OR_RETURN(const uint64_t d, read_number(transaction, key_of(prefix, c)));
      write_number(transaction, key_of(prefix, a), c);
      write_number(transaction, key_of(prefix, c), b);
      write_number(transaction, key_of(prefix, b), d);
      return {};
    });
  });
}

Finding run_write_skew(const kv::Database& database, const Load& load) {
  constexpr const char* prefix = "skew/";
  constexpr size_t pairs = 3;
  if (auto failed = set_up(database, prefix, std::vector<uint64_t>(2 * pairs, 1))) return failed;
  Clients clients(load);
  return clients.run([&](size_t, Random& random) {
    run_once(clients, database, [&](kv::Transaction& transaction) -> Result<void> {
      const uint64_t pair = random.below(pairs);
      const uint64_t mine = 2 * pair + random.below(2);
      const uint64_t other = mine ^ 1;
      ASSIGN_OR_RETURN(const uint64_t other_is_set, read_number(transaction, key_of(prefix, other)));
      Clients::pause(random);
      ASSIGN_OR_RETURN(const uint64_t mine_is_set, read_number(transaction, key_of(prefix, mine)));
      if (mine_is_set + other_is_set == 0) return Error(ErrorCode::corruption, "both of a pair were cleared");
      Clients::pause(random);
      // Cleared only while the other one is set; set again otherwise.
      write_number(transaction, key_of(prefix, mine), mine_is_set && other_is_set ? 0 : 1);
      return {};
    });
  });
}

Finding run_seats(const kv::Database& database, const Load& load) {
  constexpr const char* prefix = "seats/";
  constexpr size_t room = 8;
  if (auto failed = set_up(database, prefix, {})) return failed;
  // Keys come again and again: a range of ever new keys, cleared soon, is slow to scan on any engine.
  constexpr uint64_t guests = 512;
  Clients clients(load);
  return clients.run([&](size_t, Random& random) {
    run_once(clients, database, [&](kv::Transaction& transaction) -> Result<void> {
      ASSIGN_OR_RETURN(const std::vector<uint64_t> taken, read_all(transaction, prefix));
      if (taken.size() > room) return Error(ErrorCode::corruption, fmt::format("{} seats taken", taken.size()));
      Clients::pause(random);
      if (taken.size() == room) {
        for (const uint64_t guest : taken) {
          if (random.one_in(2)) transaction.clear(key_of(prefix, guest));
        }
      } else {
        const uint64_t guest = random.below(guests);
        write_number(transaction, key_of(prefix, guest), guest);
      }
      return {};
    });
  });
}

Finding run_bank(const kv::Database& database, const Load& load) {
  constexpr const char* prefix = "bank/";
  constexpr size_t accounts = 8;
  constexpr uint64_t at_first = 100;
  if (auto failed = set_up(database, prefix, std::vector<uint64_t>(accounts, at_first))) return failed;
  Clients clients(load);
  return clients.run([&](size_t, Random& random) {
    if (random.one_in(6)) {
      const auto money = database.read([&](const kv::ReadTransaction& reads) { return read_all(reads, prefix); });
      if (!money.ok()) return clients.report(std::string(money.error().message()));
      uint64_t sum = 0;
      for (const uint64_t account : *money) sum += account;
      if (sum != accounts * at_first) clients.report(fmt::format("{} in all accounts", sum));
      return;
    }
    run_once(clients, database, [&](kv::Transaction& transaction) -> Result<void> {
      const uint64_t from = random.below(accounts);
      const uint64_t to = (from + 1 + random.below(accounts - 1)) % accounts;
      ASSIGN_OR_RETURN(const uint64_t had, read_number(transaction, key_of(prefix, from)));
      Clients::pause(random);
      ASSIGN_OR_RETURN(const uint64_t has, read_number(transaction, key_of(prefix, to)));
      const uint64_t amount = random.below(had + 1);
      write_number(transaction, key_of(prefix, from), had - amount);
      write_number(transaction, key_of(prefix, to), has + amount);
      return {};
    });
  });
}

}  // namespace strata::serializability
