#include "crash/simulation/records_workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "crash/log_check.h"
#include "layers/records/namespaces.h"
#include "service/log.h"
#include "service/log_signal.h"
#include "service/objects.h"
#include "service/records.h"
#include "service/transactions.h"

namespace strata::crash {
namespace {

constexpr std::string_view name_space = records::default_namespace;
constexpr uint64_t value_keys = 5;
constexpr uint64_t object_keys = 4;

std::string value_key(uint64_t number) { return fmt::format("v{}", number); }
std::string object_key(uint64_t number) { return fmt::format("o{}", number); }

std::string fingerprint(uint64_t size, uint32_t checksum) { return fmt::format("{} bytes, CRC-32 {}", size, checksum); }

Bytes some_bytes(Random& random, size_t most) {
  Bytes bytes(random.below(most), static_cast<char>('a' + random.below(26)));
  for (size_t at = 0; at < bytes.size(); at += 4'096) bytes[at] = static_cast<char>(random.next());
  return bytes;
}

}  // namespace

// What a server opens on a store: its start clears what an earlier one staged.
class RecordsWorkload::Server {
 public:
  explicit Server(const kv::Database& database)
      : records_(database, {.signal = &signal_}),
        objects_(database, {.signal = &signal_, .pass_interval_ms = 3'600'000}),
        transactions_(database, objects_, {.signal = &signal_, .sweep_interval_ms = 3'600'000}),
        log_(database, signal_, {.segment_bytes = 20'000, .pass_interval_us = 0}) {}

  Result<void> open() {
    RETURN_IF_ERROR(records_.open({}));
    RETURN_IF_ERROR(objects_.open());
    RETURN_IF_ERROR(transactions_.open());
    return log_.open();
  }

  service::Records& records() { return records_; }
  service::Objects& objects() { return objects_; }
  service::Transactions& transactions() { return transactions_; }
  service::Log& log() { return log_; }

 private:
  service::LogSignal signal_;
  service::Records records_;
  service::Objects objects_;
  service::Transactions transactions_;
  service::Log log_;
};

Result<RecordsWorkload::State> RecordsWorkload::read(Server& server) {
  State state;
  for (uint64_t number = 0; number < value_keys; ++number) {
    const std::string key = value_key(number);
    ASSIGN_OR_RETURN(const auto value, server.records().read_value({}, name_space, key));
    if (value) state[key] = std::string(value->value());
  }
  for (uint64_t number = 0; number < object_keys; ++number) {
    const std::string key = object_key(number);
    ASSIGN_OR_RETURN(auto reader, server.objects().read({}, name_space, key));
    if (!reader) continue;
    Crc32 checksum;
    uint64_t size = 0;
    for (;;) {
      ASSIGN_OR_RETURN(const BytesView piece, reader->next());
      if (piece.empty()) break;
      checksum.update(piece);
      size += piece.size();
    }
    state[key] = fingerprint(size, checksum.value());
  }
  return state;
}

Result<void> RecordsWorkload::adopt(const kv::Database& database) {
  Server server(database);
  RETURN_IF_ERROR(server.open());
  ASSIGN_OR_RETURN(state_at_adopt_, read(server));
  entries_.clear();
  answered_ = 0;
  return {};
}

Result<void> RecordsWorkload::put_values(Server& server, Entry& entry, Random& random) {
  std::map<std::string, Bytes> values;
  for (uint64_t left = 1 + random.below(3); left > 0; --left) {
    values[value_key(random.below(value_keys))] = some_bytes(random, random.one_in(8) ? 300'000 : 2'000);
  }
  std::vector<records::Operation> operations;
  for (const auto& [key, value] : values) {
    const bool deletes = random.one_in(6);
    operations.push_back({.type = deletes ? records::OperationType::delete_value : records::OperationType::put_value,
                          .key = key,
                          .value = deletes ? BytesView() : BytesView(value)});
    entry.effects[key] = deletes ? std::nullopt : std::optional<std::string>(value);
  }
  return server.records().write({}, {.name_space = name_space, .operations = operations});
}

Result<void> RecordsWorkload::change_object(Server& server, Entry& entry, Random& random) {
  const std::string key = object_key(random.below(object_keys));
  service::ObjectChange change{.key = key};
  std::unique_ptr<service::ObjectWriter> writer;
  if (!random.one_in(5)) {
    const Bytes bytes = some_bytes(random, random.one_in(3) ? 600'000 : 10'000);
    ASSIGN_OR_RETURN(writer, server.objects().create({}, name_space));
    RETURN_IF_ERROR(writer->append(bytes));
    // A client that leaves: nothing of it may stay.
    if (random.one_in(6)) return writer->rest();
    change.writer = writer.get();
    entry.effects[key] = fingerprint(writer->size(), writer->checksum());
  } else {
    entry.effects[key] = std::nullopt;
  }
  ASSIGN_OR_RETURN(const auto version, server.objects().commit({}, {name_space, {&change, 1}}));
  static_cast<void>(version);
  return {};
}

Result<void> RecordsWorkload::run_transaction(Server& server, Entry& entry, Random& random) {
  service::Transactions& transactions = server.transactions();
  const bool of_objects = random.one_in(2);
  const auto type = of_objects ? service::EntryType::object : service::EntryType::value;
  ASSIGN_OR_RETURN(const std::string id, transactions.begin({}, {.name_space = name_space, .type = type}));
  std::map<std::string, Bytes> objects;
  for (uint64_t left = 1 + random.below(4); left > 0; --left) {
    const Bytes bytes = some_bytes(random, of_objects ? 150'000 : 3'000);
    if (of_objects) {
      const std::string key = object_key(random.below(object_keys));
      ASSIGN_OR_RETURN(const uint64_t size,
                       transactions.append_object({}, name_space, id, {.key = key, .bytes = bytes, .offset = {}}));
      objects[key].append(bytes);
      Crc32 checksum;
      checksum.update(objects[key]);
      entry.effects[key] = fingerprint(size, checksum.value());
    } else {
      const std::string key = value_key(random.below(value_keys));
      RETURN_IF_ERROR(transactions.append({}, name_space, id,
                                          {.type = records::OperationType::put_value, .key = key, .value = bytes}));
      entry.effects[key] = bytes;
    }
  }
  if (random.one_in(4)) {
    entry.effects.clear();
    return random.one_in(2) ? transactions.abort({}, name_space, id) : Result<void>();
  }
  ASSIGN_OR_RETURN(const auto committed, transactions.commit({}, name_space, id));
  static_cast<void>(committed);
  return {};
}

Result<void> RecordsWorkload::operate(Server& server, Entry& entry, Random& random) {
  const uint64_t draw = random.below(10);
  if (draw < 4) return put_values(server, entry, random);
  if (draw < 7) return change_object(server, entry, random);
  if (draw < 9) return run_transaction(server, entry, random);
  // What runs in the background: nobody sees it.
  server.log().run_pass(true);
  ASSIGN_OR_RETURN(const size_t cleared, server.objects().run_pass());
  static_cast<void>(cleared);
  if (random.one_in(2)) return {};
  ASSIGN_OR_RETURN(const uint64_t sealed, server.log().seal({}, name_space));
  static_cast<void>(sealed);
  return {};
}

Result<void> RecordsWorkload::step(const kv::Database& database, Random& random) {
  Server server(database);
  RETURN_IF_ERROR(server.open());
  for (uint64_t left = 1 + random.below(8); left > 0; --left) {
    Entry& entry = entries_.emplace_back();
    RETURN_IF_ERROR(operate(server, entry, random));
    ASSIGN_OR_RETURN(const auto status, server.log().status({}, name_space));
    entry.position = status.end.position;
    entry.records = status.end.totals.records;
    answered_ = entries_.size();
  }
  return {};
}

// Positions that were told lead to the same records.
Finding RecordsWorkload::check_positions(Server& server, size_t count) const {
  std::map<uint64_t, records::LogPosition> told;
  for (size_t i = 0; i < count; ++i) {
    if (entries_[i].records != 0) told[entries_[i].records] = entries_[i].position;
  }
  auto reader = server.log().read({}, {.name_space = name_space, .after = std::nullopt, .log_id = {}});
  if (!reader.ok()) return fmt::format("the log cannot be read: {}", reader.error().message());
  for (;;) {
    const auto batch = reader->next({});
    if (!batch.ok()) return fmt::format("the log cannot be read: {}", batch.error().message());
    if (batch->entries.empty()) break;
    for (const service::LogEntry& entry : batch->entries) {
      const auto found = told.find(entry.lsn);
      if (found == told.end()) continue;
      if (found->second != entry.position) return fmt::format("record {} has another position", entry.lsn);
      told.erase(found);
    }
  }
  const uint64_t last = reader->end().totals.records;
  if (!told.empty() && told.rbegin()->first > last) return fmt::format("the log ends with record {}", last);
  return std::nullopt;
}

Finding RecordsWorkload::check(const kv::Database& database, uint64_t at_least, const Marks&) {
  Server server(database);
  const Result<void> opened = server.open();
  if (!opened.ok()) return fmt::format("cannot be served: {}", opened.error().message());
  const Result<State> shown = read(server);
  if (!shown.ok()) return fmt::format("cannot read: {}", shown.error().message());
  State state = state_at_adopt_;
  bool found = at_least == 0 && state == *shown;
  for (size_t i = 0; i < entries_.size() && !found; ++i) {
    for (const auto& [key, effect] : entries_[i].effects) {
      if (effect) {
        state[key] = *effect;
      } else {
        state.erase(key);
      }
    }
    found = i + 1 >= at_least && state == *shown;
  }
  if (!found) return fmt::format("shows no state from operation {} to {}", at_least, entries_.size());
  if (const Finding wrong = check_positions(server, at_least)) return wrong;
  const auto checked = check_log(database, name_space, Staged::is_cleared);
  return checked.ok() ? Finding() : Finding(checked.error().message());
}

}  // namespace strata::crash
