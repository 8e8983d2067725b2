#include "service/transactions.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/hex.h"
#include "base/log.h"
#include "base/random.h"
#include "layers/records/apply.h"
#include "layers/records/rows.h"
#include "layers/records/values.h"
#include "service/log_signal.h"
#include "service/run.h"

namespace strata::service {
namespace {

using records::Namespace;
using records::Operation;
using records::OperationType;

// Of an object that is being staged, beside its key.
constexpr size_t object_overhead_bytes = 1'024;

Error no_such_transaction(std::string_view id) {
  return {ErrorCode::not_found, "transaction not found: " + printable(id, 64)};
}

std::string_view name_of(EntryType type) {
  switch (type) {
    case EntryType::value:
      return "kv";
    case EntryType::row:
      return "row";
    case EntryType::object:
      return "lob";
  }
  return "";
}

Result<bool> exists(kv::Transaction& transaction, const Namespace& space, const Operation& operation) {
  const Bytes key = operation.type == OperationType::put_row
                        ? records::row_marker_key(records::row_prefix(space, operation.key))
                        : records::value_key(space, operation.key);
  ASSIGN_OR_RETURN(const auto stored, transaction.get(key).get());
  return stored.has_value();
}

}  // namespace

struct Transactions::Entry {
  std::string id;
  records::TransactionId number{};
  Namespace space;
  EntryType type = EntryType::value;
  ChangeKind kind = ChangeKind::put;
  int64_t begun_us = 0;
  std::atomic<int64_t> used_us{0};
  Turns turns;

  // For whoever has the turn.
  bool ended = false;
  Crc32 checksum;
  size_t commit_bytes = records::most_empty_commit_bytes;
  uint32_t operations = 0;
  // Null: the object is to be deleted.
  std::map<Bytes, std::unique_ptr<ObjectWriter>> objects;
  size_t object_memory_bytes = 0;
};

// Declared in this order: the turn ends before the entry may go.
struct Transactions::InUse {
  std::shared_ptr<Entry> entry;
  Turns::Turn turn;

  Entry* operator->() const { return entry.get(); }
};

Transactions::Transactions(const kv::Database& database, Objects& objects, const TransactionsOptions& options)
    : database_(database), objects_(objects), options_(options) {}

Transactions::~Transactions() { stop(); }

Result<void> Transactions::open() {
  std::string after;
  for (;;) {
    constexpr size_t page = 100;
    ASSIGN_OR_RETURN(const auto spaces, database_.read([&](const kv::ReadTransaction& transaction) {
      return records::list_namespaces(transaction, after, page);
    }));
    for (const auto& named : spaces) {
      RETURN_IF_ERROR(database_.run(
          [&](kv::Transaction& transaction) { return records::clear_all_staged(transaction, named.space); }));
    }
    if (spaces.size() < page) break;
    after = spaces.back().name;
  }
  task_.start(options_.sweep_interval_ms, [this] { sweep(); });
  return {};
}

void Transactions::stop() { task_.stop(); }

size_t Transactions::open_count() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

bool Transactions::is_over(const Entry& entry, int64_t now_us) const {
  return now_us - entry.used_us.load() >= options_.idle_us || now_us - entry.begun_us >= options_.age_us;
}

Result<std::string> Transactions::begin(const Context& context, const BeginRequest& request) {
  auto entry = std::make_shared<Entry>();
  ASSIGN_OR_RETURN(
      entry->space,
      run_transaction(database_, context, *options_.clock, options_.durability, [&](kv::Transaction& transaction) {
        return namespace_or_error(transaction.snapshot(), request.name_space);
      }));
  const Bytes random = secure_random_bytes(entry->number.size());
  std::copy_n(random.begin(), entry->number.size(), entry->number.begin());
  entry->id = to_hex(random);
  entry->type = request.type;
  entry->kind = request.kind;
  entry->begun_us = options_.clock->steady_us();
  entry->used_us = entry->begun_us;
  std::lock_guard lock(mutex_);
  if (entries_.size() >= options_.most_open) {
    return Error(ErrorCode::too_many_requests,
                 fmt::format("{} transactions are open: commit or abort some", options_.most_open));
  }
  entries_.emplace(entry->id, entry);
  return entry->id;
}

Result<std::shared_ptr<Transactions::Entry>> Transactions::find(const Context& context, std::string_view name_space,
                                                                std::string_view id, std::optional<EntryType> type) {
  ASSIGN_OR_RETURN(
      const Namespace space,
      run_transaction(database_, context, *options_.clock, options_.durability, [&](kv::Transaction& transaction) {
        return namespace_or_error(transaction.snapshot(), name_space);
      }));
  std::shared_ptr<Entry> entry;
  {
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(std::string(id));
    if (found != entries_.end()) entry = found->second;
  }
  const int64_t now_us = options_.clock->steady_us();
  if (!entry || entry->space != space || is_over(*entry, now_us)) return no_such_transaction(id);
  if (type && *type != entry->type) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("the transaction is of type {}, not {}", name_of(entry->type), name_of(*type)));
  }
  entry->used_us = now_us;
  return entry;
}

Result<Transactions::InUse> Transactions::use(const Context& context, std::string_view name_space, std::string_view id,
                                              std::optional<EntryType> type) {
  ASSIGN_OR_RETURN(std::shared_ptr<Entry> entry, find(context, name_space, id, type));
  ASSIGN_OR_RETURN(Turns::Turn turn, entry->turns.take());
  if (entry->ended) return no_such_transaction(id);
  entry->used_us = options_.clock->steady_us();
  return InUse{std::move(entry), std::move(turn)};
}

Result<ChangeKind> Transactions::kind_of(const Context& context, std::string_view name_space, std::string_view id,
                                         EntryType type) {
  ASSIGN_OR_RETURN(const auto entry, find(context, name_space, id, type));
  return entry->kind;
}

Result<void> Transactions::append(const Context& context, std::string_view name_space, std::string_view id,
                                  const Operation& operation) {
  const bool of_row = operation.type != OperationType::put_value && operation.type != OperationType::delete_value;
  ASSIGN_OR_RETURN(const InUse entry, use(context, name_space, id, of_row ? EntryType::row : EntryType::value));
  RETURN_IF_ERROR(records::validate(operation));
  const size_t bytes = entry->commit_bytes + records::most_commit_bytes(operation);
  if (bytes > database_.engine().limits().transaction_bytes) {
    return Error(ErrorCode::payload_too_large,
                 fmt::format("the transaction would have {} bytes with its bookkeeping, at most {} can be committed in "
                             "one step; nothing was added",
                             bytes, database_.engine().limits().transaction_bytes));
  }
  // As durable as the commit that will clear it needs it to be: not at all.
  RETURN_IF_ERROR(run_transaction(
      database_, context, *options_.clock, kv::Durability::async, [&](kv::Transaction& transaction) -> Result<void> {
        ASSIGN_OR_RETURN(const Namespace space, namespace_or_error(transaction, name_space));
        if (space != entry->space) return no_such_transaction(id);
        records::stage_operation(transaction, space, entry->number, objects_.run(), entry->operations, operation);
        return {};
      }));
  ++entry->operations;
  entry->commit_bytes = bytes;
  entry->checksum.update(operation.value);
  for (const auto& column : operation.columns) entry->checksum.update(column.value);
  entry->used_us = options_.clock->steady_us();
  return {};
}

Result<ObjectWriter*> Transactions::writer_of(const Context& context, std::string_view name_space, Entry& entry,
                                              BytesView key) {
  const auto found = entry.objects.find(Bytes(key));
  if (found != entry.objects.end()) return found->second.get();
  const Operation operation{.type = OperationType::put_object, .key = key};
  RETURN_IF_ERROR(records::validate(operation));
  const size_t bytes = entry.commit_bytes + records::most_commit_bytes(operation);
  const size_t memory = key.size() + object_overhead_bytes;
  std::unique_ptr<ObjectWriter> writer;
  if (entry.kind != ChangeKind::remove) {
    ASSIGN_OR_RETURN(writer, objects_.create(context, name_space));
  }
  {
    std::lock_guard lock(mutex_);
    if (bytes > database_.engine().limits().transaction_bytes ||
        object_memory_bytes_ + memory > options_.most_object_memory_bytes) {
      return Error(ErrorCode::payload_too_large, "too many objects are being changed by transactions");
    }
    object_memory_bytes_ += memory;
  }
  entry.object_memory_bytes += memory;
  entry.commit_bytes = bytes;
  return entry.objects.emplace(Bytes(key), std::move(writer)).first->second.get();
}

Result<uint64_t> Transactions::append_object(const Context& context, std::string_view name_space, std::string_view id,
                                             const AppendObjectRequest& request) {
  ASSIGN_OR_RETURN(const InUse entry, use(context, name_space, id, EntryType::object));
  const auto known = entry->objects.find(Bytes(request.key));
  const bool removes = entry->kind == ChangeKind::remove;
  const uint64_t size = known == entry->objects.end() || removes ? 0 : known->second->size();
  if (request.offset && !removes) {
    if (*request.offset > size || *request.offset + request.bytes.size() < *request.offset) {
      return Error(ErrorCode::conflict,
                   fmt::format("offset {} leaves a gap: {} bytes are there", *request.offset, size));
    }
    const bool whole = *request.offset + request.bytes.size() <= size;
    if (whole && *request.offset < size) return size;
    if (*request.offset < size) {
      return Error(ErrorCode::conflict,
                   fmt::format("the bytes from {} on are there in part: {} bytes in all", *request.offset, size));
    }
  }
  ASSIGN_OR_RETURN(ObjectWriter* const writer, writer_of(context, name_space, *entry.entry, request.key));
  if (writer == nullptr) return uint64_t{0};
  RETURN_IF_ERROR(writer->append(request.bytes));
  // Answered means staged: nothing waits in memory for the next request.
  RETURN_IF_ERROR(writer->rest());
  entry->checksum.update(request.bytes);
  entry->used_us = options_.clock->steady_us();
  return writer->size();
}

Result<CommittedTransaction> Transactions::commit_operations(const Context& context, std::string_view name_space,
                                                             Entry& entry) {
  // Nobody changes what is staged: read once, however often the commit is tried. Where it is gone, an earlier request
  // to commit came through and was not told.
  ASSIGN_OR_RETURN(const records::StagedOperations staged,
                   database_.read([&](const kv::ReadTransaction& transaction) -> Result<records::StagedOperations> {
                     ASSIGN_OR_RETURN(const bool there, records::has_staged(transaction, entry.space, entry.number));
                     if (!there) return records::StagedOperations();
                     return records::read_staged(transaction, entry.space, entry.number, entry.operations);
                   }));
  Future<Bytes> stamp;
  bool done_before = false;
  const auto body = [&](kv::Transaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(const Namespace space, namespace_or_error(transaction, name_space));
    if (space != entry.space) return no_such_transaction(entry.id);
    ASSIGN_OR_RETURN(const bool there, records::has_staged(transaction, space, entry.number));
    // Tried again after an answer was lost: that commit took the staged operations with it.
    done_before = !there;
    if (done_before) return {};
    if (entry.kind == ChangeKind::update) {
      for (const Operation& operation : staged.operations) {
        ASSIGN_OR_RETURN(const bool found, exists(transaction, space, operation));
        if (!found) {
          return Error(ErrorCode::conflict, "there is nothing to update at the key " + printable(operation.key));
        }
      }
    }
    RETURN_IF_ERROR(records::apply(transaction, space, staged.operations, options_.clock->wall_us()));
    records::clear_staged(transaction, space, entry.number);
    stamp = transaction.get_versionstamp();
    return {};
  };
  RETURN_IF_ERROR(run_transaction(database_, context, *options_.clock, options_.durability, body));
  if (options_.signal) options_.signal->notify(entry.space.id);
  CommittedTransaction committed{.checksum = entry.checksum.value(), .version = std::nullopt};
  if (done_before) return committed;
  ASSIGN_OR_RETURN(const Bytes bytes, stamp.get());
  committed.version.emplace();
  std::copy_n(bytes.begin(), committed.version->size(), committed.version->begin());
  return committed;
}

Result<CommittedTransaction> Transactions::commit_objects(const Context& context, std::string_view name_space,
                                                          Entry& entry) {
  std::vector<ObjectChange> changes;
  for (const auto& [key, writer] : entry.objects) {
    changes.push_back(
        {.key = key, .writer = writer.get(), .condition = {.must_exist = entry.kind == ChangeKind::update}});
  }
  ASSIGN_OR_RETURN(const records::Stamp version,
                   objects_.commit(context, {.name_space = name_space, .changes = changes}));
  return CommittedTransaction{.checksum = entry.checksum.value(), .version = version};
}

Result<CommittedTransaction> Transactions::commit(const Context& context, std::string_view name_space,
                                                  std::string_view id) {
  ASSIGN_OR_RETURN(const InUse entry, use(context, name_space, id, std::nullopt));
  CommittedTransaction committed;
  if (entry->operations != 0) {
    ASSIGN_OR_RETURN(committed, commit_operations(context, name_space, *entry.entry));
  } else if (!entry->objects.empty()) {
    ASSIGN_OR_RETURN(committed, commit_objects(context, name_space, *entry.entry));
  }
  end(*entry.entry, false);
  return committed;
}

Result<void> Transactions::abort(const Context& context, std::string_view name_space, std::string_view id) {
  ASSIGN_OR_RETURN(const InUse entry, use(context, name_space, id, std::nullopt));
  end(*entry.entry, true);
  return {};
}

void Transactions::end(Entry& entry, bool clear) {
  entry.ended = true;
  entry.objects.clear();
  {
    std::lock_guard lock(mutex_);
    object_memory_bytes_ -= std::exchange(entry.object_memory_bytes, 0);
    entries_.erase(entry.id);
  }
  if (!clear || entry.operations == 0) return;
  const Result<void> cleared = database_.run([&](kv::Transaction& transaction) -> Result<void> {
    transaction.set_durability(kv::Durability::async);
    records::clear_staged(transaction, entry.space, entry.number);
    return {};
  });
  if (!cleared.ok()) {
    log::warning("what a transaction staged stays until the next start", {{"error", cleared.error().message()}});
  }
}

size_t Transactions::sweep() {
  const int64_t now_us = options_.clock->steady_us();
  std::vector<std::shared_ptr<Entry>> over;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (is_over(*entry, now_us)) over.push_back(entry);
    }
  }
  size_t ended = 0;
  for (const auto& entry : over) {
    // A request that is under way ends first; the next sweep comes for the transaction.
    const std::optional<Turns::Turn> turn = entry->turns.try_take();
    if (!turn || entry->ended) continue;
    end(*entry, true);
    ++ended;
  }
  return ended;
}

}  // namespace strata::service
