#include "crash/simulation/ledger.h"

#include <fmt/format.h>

namespace strata::crash {
namespace {

constexpr const char* prefix = "ledger/";
constexpr const char* number_key = "ledger/number";
constexpr size_t keys = 60;
constexpr size_t most_in_flight = 8;

Bytes key_of(uint64_t number) { return fmt::format("ledger/key/{:03}", number); }

}  // namespace

Ledger::Entry Ledger::draw(Random& random) const {
  Entry entry;
  entry.sync = durability_ == kv::Durability::sync || random.one_in(6);
  for (uint64_t left = 1 + random.below(4); left > 0; --left) {
    const Bytes key = key_of(random.below(keys));
    const uint64_t draw = random.below(20);
    if (draw == 0) {
      entry.changes.push_back({kv::MutationType::clear_range, key, key_of(random.below(keys))});
      if (entry.changes.back().key > entry.changes.back().value) {
        std::swap(entry.changes.back().key, entry.changes.back().value);
      }
    } else if (draw < 4) {
      entry.changes.push_back({kv::MutationType::clear, key, ""});
    } else if (draw < 7) {
      entry.changes.push_back({kv::MutationType::append_if_fits, key, Bytes(1 + random.below(50), 'a')});
    } else {
      // Some records span many pages and blocks of the log; some are longer than what is written ahead at once.
      const size_t bytes = draw == 7   ? 60'000 + random.below(40'000)
                           : draw < 10 ? random.below(9'000)
                                       : random.below(300);
      entry.changes.push_back({kv::MutationType::set, key, Bytes(bytes, static_cast<char>('a' + random.below(26)))});
    }
  }
  return entry;
}

// Commits with large values wait for their values' sync while others pass: only those of one kind keep their order when
// they are under way together, and the numbers are in the order of the commits.
void Ledger::make_alike(std::span<Entry> entries, bool large) const {
  const size_t least = large_value_bytes(durability_);
  for (Entry& entry : entries) {
    for (Change& change : entry.changes) {
      if (!large && change.value.size() >= least) change.value.resize(least - 1);
    }
    if (large) entry.changes.push_back({kv::MutationType::set, key_of(entry.changes.size()), Bytes(least, 'l')});
  }
}

void Ledger::apply(const Entry& entry, uint64_t number, State& state) const {
  for (const Change& change : entry.changes) {
    switch (change.type) {
      case kv::MutationType::clear_range:
        state.erase(state.lower_bound(change.key), state.lower_bound(change.value));
        break;
      case kv::MutationType::clear:
        state.erase(change.key);
        break;
      case kv::MutationType::append_if_fits:
        if (state[change.key].size() + change.value.size() <= kv::Limits().value_bytes) {
          state[change.key] += change.value;
        }
        break;
      default:
        state[change.key] = change.value;
    }
  }
  state[number_key] = std::to_string(number);
}

Result<Ledger::State> Ledger::read(const kv::Database& database) {
  return database.read([&](const kv::ReadTransaction& transaction) -> Result<State> {
    State state;
    kv::RangeIterator rows(transaction, prefix, *prefix_end(prefix));
    while (rows.next()) state[Bytes(rows.key())] = Bytes(rows.value());
    RETURN_IF_ERROR(rows.status());
    return state;
  });
}

uint64_t Ledger::number_of(const State& state) {
  const auto number = state.find(number_key);
  return number == state.end() ? 0 : std::stoull(number->second);
}

Result<void> Ledger::adopt(const kv::Database& database) {
  ASSIGN_OR_RETURN(state_at_adopt_, read(database));
  state_ = state_at_adopt_;
  first_ = number_of(state_);
  entries_.clear();
  answered_ = durable_ = 0;
  version_at_adopt_ = newest_version_ = version_at_check_;
  return {};
}

Result<void> Ledger::step(const kv::Database& database, Random& random) {
  std::vector<kv::Transaction> transactions;
  std::vector<Future<void>> commits;
  const size_t count = 1 + (random.one_in(3) ? random.below(most_in_flight) : 0);
  const size_t begin = entries_.size();
  for (size_t i = 0; i < count; ++i) entries_.push_back(draw(random));
  if (count > 1) make_alike({entries_.begin() + static_cast<ptrdiff_t>(begin), entries_.end()}, random.one_in(2));
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = entries_[begin + i];
    kv::Transaction& transaction = transactions.emplace_back(database.create_transaction());
    transaction.set_durability(entry.sync ? kv::Durability::sync : kv::Durability::async);
    for (const Change& change : entry.changes) {
      if (change.type == kv::MutationType::set) transaction.set(change.key, change.value);
      if (change.type == kv::MutationType::clear) transaction.clear(change.key);
      if (change.type == kv::MutationType::clear_range) transaction.clear_range(change.key, change.value);
      if (change.type == kv::MutationType::append_if_fits) transaction.mutate(change.type, change.key, change.value);
    }
    transaction.set(number_key, std::to_string(first_ + begin + i + 1));
    commits.push_back(transaction.commit());
  }
  Result<void> all;
  for (size_t i = 0; i < count; ++i) {
    Entry& entry = entries_[begin + i];
    const uint64_t number = first_ + begin + i + 1;
    const Result<void> done = commits[i].get();
    if (!done.ok()) {
      if (all.ok()) all = done;
      // Any other error says that nothing was written, whatever comes later.
      entry.refused = done.error().code() != ErrorCode::commit_unknown_result;
      continue;
    }
    ASSIGN_OR_RETURN(const kv::Version version, transactions[i].get_committed_version());
    if (version < newest_version_) return Error(ErrorCode::internal, "a version went back");
    newest_version_ = entry.version = version;
    answered_ = begin + i + 1;
    if (entry.sync) durable_ = begin + i + 1;
    apply(entry, number, state_);
  }
  RETURN_IF_ERROR(all);
  if (random.one_in(4)) {
    ASSIGN_OR_RETURN(const Finding wrong, check_read(database, random));
    if (wrong) return Error(ErrorCode::internal, *wrong);
  }
  return {};
}

Result<Finding> Ledger::check_read(const kv::Database& database, Random& random) {
  const Bytes key = key_of(random.below(keys));
  ASSIGN_OR_RETURN(const std::optional<Bytes> value,
                   database.read([&](const kv::ReadTransaction& transaction) { return transaction.get(key).get(); }));
  const auto expected = state_.find(key);
  const bool right = expected == state_.end() ? !value : value == expected->second;
  return right ? Finding() : Finding(fmt::format("{} is not what was written last", key));
}

Finding Ledger::check(const kv::Database& database, uint64_t at_least, const Marks& marks) {
  const Result<State> shown = read(database);
  if (!shown.ok()) return fmt::format("cannot read: {}", shown.error().message());
  const uint64_t number = number_of(*shown);
  const uint64_t least = first_ + at_least;
  const uint64_t most = first_ + entries_.size();
  if (number < least || number > most) return fmt::format("commit {} is the last, not {} to {}", number, least, most);
  State state = state_at_adopt_;
  for (uint64_t i = 0; i < number - first_; ++i) {
    if (!entries_[i].refused) apply(entries_[i], first_ + i + 1, state);
  }
  if (state != *shown) return fmt::format("is not as after commit {} ({} to {} were possible)", number, least, most);
  kv::Transaction transaction = database.create_transaction();
  const Result<kv::Version> version = transaction.get_read_version().get();
  if (!version.ok()) return std::string(version.error().message());
  const kv::Version newest = marks.answered == 0 ? version_at_adopt_ : entries_[marks.answered - 1].version;
  version_at_check_ = newest;
  if (*version < newest) return fmt::format("version {} after {} was handed out", *version, newest);
  return std::nullopt;
}

}  // namespace strata::crash
