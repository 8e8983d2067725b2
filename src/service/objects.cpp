#include "service/objects.h"

#include <algorithm>

#include "base/random.h"
#include "layers/records/apply.h"
#include "layers/records/namespaces.h"
#include "service/log_signal.h"
#include "service/records.h"
#include "service/run.h"

namespace strata::service {
namespace {

using records::Namespace;
using records::ObjectId;
using records::StoredObject;

records::ObjectId random_run() {
  const Bytes random = secure_random_bytes(records::object_id_bytes);
  ObjectId run;
  std::copy_n(random.begin(), run.size(), run.begin());
  return run;
}

bool matches(std::string_view version, const std::optional<StoredObject>& stored) {
  return stored && (version == "*" || version == format_version(stored->stamp));
}

Result<void> check_condition(const ObjectCondition& condition, const std::optional<StoredObject>& stored,
                             BytesView key) {
  if (condition.must_exist && !stored) {
    return Error(ErrorCode::conflict, "there is nothing to update at the key " + printable(key));
  }
  if (condition.version && !matches(*condition.version, stored)) {
    return Error(
        ErrorCode::precondition_failed,
        stored ? "the object has another version: " + format_version(stored->stamp) : "the object does not exist");
  }
  if (condition.not_version && matches(*condition.not_version, stored)) {
    return Error(ErrorCode::precondition_failed, "the object has the version " + format_version(stored->stamp));
  }
  return {};
}

// What one attempt of a commit found or did.
struct Attempt {
  int64_t name_space = 0;
  // This very commit had happened before: its answer was lost, and it was tried again.
  std::optional<records::Stamp> done_before;
  // Nor can it be found out.
  bool is_unknown = false;
  Future<Bytes> stamp;
};

Result<Attempt> attempt_commit(kv::Transaction& transaction, const CommitObjectsRequest& request,
                               std::span<const records::Operation> operations, int64_t wall_us) {
  ASSIGN_OR_RETURN(const Namespace space, namespace_or_error(transaction, request.name_space));
  Attempt attempt;
  attempt.name_space = space.id;
  if (const std::optional<kv::Version> since = transaction.unknown_since()) {
    // Nobody else's record is like this one, by the random ids of the objects that it puts.
    const Bytes record = records::encode_log_record(wall_us, operations);
    ASSIGN_OR_RETURN(const records::LogSearch search,
                     records::find_in_log(transaction.snapshot(), space, *since, record));
    if (search.found == records::InLog::yes) attempt.done_before = search.stamp;
    attempt.is_unknown = search.found == records::InLog::not_known;
    if (search.found != records::InLog::no) return attempt;
  }
  for (const ObjectChange& change : request.changes) {
    ASSIGN_OR_RETURN(const auto stored, records::read_object_head(transaction, space, change.key));
    if (change.writer) {
      if (stored && stored->reference.id == change.writer->id()) {
        attempt.done_before = stored->stamp;
        return attempt;
      }
      // Made anew under the same name, or cleared: what was staged is not there.
      ASSIGN_OR_RETURN(const auto staged,
                       transaction.get(records::staged_object_key(space, change.writer->id())).get());
      const bool has_bytes = change.writer->size() != 0;
      if (space != change.writer->space() || (has_bytes && !staged)) {
        return Error(ErrorCode::gone, "the object that was being staged is gone");
      }
    }
    RETURN_IF_ERROR(check_condition(change.condition, stored, change.key));
  }
  RETURN_IF_ERROR(records::apply(transaction, space, operations, wall_us));
  attempt.stamp = transaction.get_versionstamp();
  return attempt;
}

}  // namespace

Objects::Objects(const kv::Database& database, const ObjectsOptions& options)
    : database_(database),
      options_(options),
      run_(random_run()),
      pins_(std::make_shared<ObjectPins>()),
      abandoned_(std::make_shared<AbandonedObjects>([this] { task_.wake(); })) {}

Objects::~Objects() { stop(); }

void Objects::stop() {
  abandoned_->detach();
  task_.stop();
}

Result<std::unique_ptr<ObjectWriter>> Objects::create(const Context& context, std::string_view name_space) {
  ASSIGN_OR_RETURN(
      const Namespace space,
      run_transaction(database_, context, *options_.clock, options_.durability, [&](kv::Transaction& transaction) {
        return namespace_or_error(transaction.snapshot(), name_space);
      }));
  return create_in(
      space, [id = space.id, name = std::string(name_space)](const kv::ReadTransaction& transaction) -> Result<void> {
        ASSIGN_OR_RETURN(const Namespace found, namespace_or_error(transaction, name));
        if (found.id != id) return no_such_namespace(name);
        return {};
      });
}

std::unique_ptr<ObjectWriter> Objects::create_in(const Namespace& space, SpaceGuard guard) {
  return std::make_unique<ObjectWriter>(
      database_, space,
      ObjectWriterOptions{.max_bytes = options_.max_object_bytes, .run = run_, .guard = std::move(guard)}, abandoned_);
}

Result<void> Objects::check(const Context& context, std::string_view name_space, BytesView key,
                            const ObjectCondition& condition) {
  RETURN_IF_ERROR(records::validate_key(key, "key"));
  const auto read_head = [&](kv::Transaction& transaction) -> Result<std::optional<StoredObject>> {
    const kv::ReadTransaction snapshot = transaction.snapshot();
    ASSIGN_OR_RETURN(const Namespace space, namespace_or_error(snapshot, name_space));
    return records::read_object_head(snapshot, space, key);
  };
  ASSIGN_OR_RETURN(const auto stored,
                   run_transaction(database_, context, *options_.clock, options_.durability, read_head));
  return check_condition(condition, stored, key);
}

Result<records::Stamp> Objects::commit(const Context& context, const CommitObjectsRequest& request) {
  STRATA_ASSERT(!request.changes.empty());
  std::vector<records::Operation> operations;
  for (const ObjectChange& change : request.changes) {
    records::Operation operation{.type = change.writer ? OperationType::put_object : OperationType::delete_object,
                                 .key = change.key};
    if (change.writer) {
      ASSIGN_OR_RETURN(operation.object, change.writer->finish());
    }
    RETURN_IF_ERROR(records::validate(operation));
    operations.push_back(std::move(operation));
  }
  const int64_t wall_us = options_.clock->wall_us();
  ASSIGN_OR_RETURN(Attempt done, run_transaction(database_, context, *options_.clock, options_.durability,
                                                 [&](kv::Transaction& transaction) {
                                                   return attempt_commit(transaction, request, operations, wall_us);
                                                 }));
  if (options_.signal) options_.signal->notify(done.name_space);
  if (done.is_unknown) return ErrorCode::commit_unknown_result;
  for (const ObjectChange& change : request.changes) {
    if (change.writer) change.writer->keep();
  }
  if (done.done_before) return *done.done_before;
  ASSIGN_OR_RETURN(const Bytes stamp, done.stamp.get());
  records::Stamp version;
  STRATA_ASSERT(stamp.size() == version.size());
  std::copy_n(stamp.begin(), version.size(), version.begin());
  return version;
}

Result<std::optional<ObjectReader>> Objects::read(const Context& context, std::string_view name_space, BytesView key) {
  RETURN_IF_ERROR(records::validate_key(key, "key"));
  for (;;) {
    Namespace space;
    const auto read_head = [&](kv::Transaction& transaction) -> Result<std::optional<StoredObject>> {
      const kv::ReadTransaction snapshot = transaction.snapshot();
      ASSIGN_OR_RETURN(space, namespace_or_error(snapshot, name_space));
      return records::read_object_head(snapshot, space, key);
    };
    ASSIGN_OR_RETURN(const auto stored,
                     run_transaction(database_, context, *options_.clock, options_.durability, read_head));
    if (!stored) return std::optional<ObjectReader>();
    // Replaced and cleared between the head and the pin: the head names another one by now.
    ObjectPins::Pin pin = pins_->pin(stored->reference.id);
    if (!pin) continue;
    std::optional<ObjectReader> reader(std::in_place, database_, space, *stored, std::move(pin));
    const Result<void> there = reader->open();
    if (there.ok()) return reader;
    if (there.error().code() != ErrorCode::gone) return there.error();
  }
}

Result<std::optional<ObjectReader>> Objects::read_by_id(const Context& context, std::string_view name_space,
                                                        const ObjectId& id) {
  const ObjectPins::Pin pin = pins_->pin(id);
  Namespace space;
  ASSIGN_OR_RETURN(const auto stored,
                   run_transaction(database_, context, *options_.clock, options_.durability,
                                   [&](kv::Transaction& transaction) -> Result<std::optional<StoredObject>> {
                                     const auto snapshot = transaction.snapshot();
                                     ASSIGN_OR_RETURN(space, namespace_or_error(snapshot, name_space));
                                     return records::read_object_descriptor(snapshot, space, id);
                                   }));
  if (!stored || !pin) return std::optional<ObjectReader>();
  return std::optional<ObjectReader>(std::in_place, database_, space, *stored, pin);
}

}  // namespace strata::service
