#include "service/object_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/random.h"

namespace strata::service {
namespace {

using records::object_chunk_bytes;

// With the one that is being filled four batches of 480 KiB: one commits while the next ones wait.
constexpr size_t most_in_flight = 3;

records::ObjectId random_id() {
  const Bytes random = secure_random_bytes(records::object_id_bytes);
  records::ObjectId id;
  std::copy_n(random.begin(), id.size(), id.begin());
  return id;
}

}  // namespace

void AbandonedObjects::add(Object object) {
  std::lock_guard lock(mutex_);
  objects_.push_back(std::move(object));
  if (wake_) wake_();
}

std::vector<AbandonedObjects::Object> AbandonedObjects::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(objects_, {});
}

void AbandonedObjects::detach() {
  std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

ObjectWriter::ObjectWriter(const kv::Database& database, records::Namespace space, ObjectWriterOptions options,
                           std::shared_ptr<AbandonedObjects> abandoned)
    : database_(database),
      space_(std::move(space)),
      options_(std::move(options)),
      abandoned_(std::move(abandoned)),
      id_(random_id()) {}

ObjectWriter::~ObjectWriter() {
  // A batch that commits after the object was cleared would come back from the dead.
  for (Batch& batch : in_flight_) static_cast<void>(batch.committed.get().ok());
  if (sent_any_ && !kept_) abandoned_->add({space_, id_});
}

Result<void> ObjectWriter::append(BytesView bytes) {
  if (bytes.size() > options_.max_bytes || size_ > options_.max_bytes - bytes.size()) {
    return Error(ErrorCode::payload_too_large, fmt::format("an object has at most {} bytes here", options_.max_bytes));
  }
  while (!bytes.empty()) {
    ASSIGN_OR_RETURN(const std::span<char> space, room());
    const size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    RETURN_IF_ERROR(filled(count));
    bytes.remove_prefix(count);
  }
  return {};
}

Result<std::span<char>> ObjectWriter::room() {
  if (failed_) return *failed_;
  if (filling_ && filling_->size == batch_bytes) send();
  if (!filling_) RETURN_IF_ERROR(open_batch());
  return std::span<char>(filling_->bytes.get() + filling_->size, batch_bytes - filling_->size);
}

Result<void> ObjectWriter::filled(size_t count) {
  STRATA_ASSERT(filling_ && count <= batch_bytes - filling_->size);
  if (size_ + count > options_.max_bytes) {
    return fail(
        Error(ErrorCode::payload_too_large, fmt::format("an object has at most {} bytes here", options_.max_bytes)));
  }
  checksum_.update({filling_->bytes.get() + filling_->size, count});
  filling_->size += count;
  size_ += count;
  // At once, so that it commits while the next bytes come.
  if (filling_->size == batch_bytes) send();
  return {};
}

Result<void> ObjectWriter::open_batch() {
  while (in_flight_.size() >= most_in_flight) RETURN_IF_ERROR(settle());
  Batch batch;
  if (spare_.empty()) {
    batch.bytes.reset(new char[batch_bytes]);
  } else {
    batch.bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  batch.first_chunk = static_cast<uint32_t>(size_ / object_chunk_bytes);
  // Behind a rest(): the last chunk is there and not full. It is written again with what comes now.
  if (const size_t tail = size_ % object_chunk_bytes; tail != 0) {
    const auto chunk = database_.read([&](const kv::ReadTransaction& transaction) {
      return transaction.get(records::object_chunk_key(space_, id_, batch.first_chunk)).get();
    });
    if (!chunk.ok()) return fail(chunk.error());
    if (!*chunk || (*chunk)->size() != tail) {
      return fail(Error(ErrorCode::gone, "the object that was being staged is gone"));
    }
    std::memcpy(batch.bytes.get(), (*chunk)->data(), tail);
    batch.size = tail;
  }
  filling_.emplace(std::move(batch));
  return {};
}

void ObjectWriter::send() {
  sent_any_ = true;
  in_flight_.push_back(std::move(*filling_));
  filling_.reset();
  Batch& batch = in_flight_.back();
  batch.transaction.emplace(database_.create_transaction());
  batch.committed = commit(batch);
}

Future<void> ObjectWriter::commit(Batch& batch) {
  kv::Transaction& transaction = *batch.transaction;
  transaction.raise_size_limit_to_engine();
  // The commit that refers to the object makes everything before it durable.
  transaction.set_durability(kv::Durability::async);
  if (options_.guard) {
    if (Result<void> wanted = options_.guard(transaction); !wanted.ok()) return std::move(wanted).error();
  }
  records::stage_object(transaction, space_, id_, options_.run);
  Bytes key = records::object_chunk_key(space_, id_, batch.first_chunk);
  uint32_t index = batch.first_chunk;
  for (size_t at = 0; at < batch.size; at += object_chunk_bytes, ++index) {
    key.resize(key.size() - 4);
    append_be32(key, index);
    // Nobody else knows the id.
    STRATA_ASSERT(transaction.set_option(kv::TransactionOption::next_write_no_write_conflict_range).ok());
    transaction.set(key, {batch.bytes.get() + at, std::min(object_chunk_bytes, batch.size - at)});
  }
  return transaction.commit();
}

Result<void> ObjectWriter::settle() {
  Batch batch = std::move(in_flight_.front());
  in_flight_.pop_front();
  for (;;) {
    Result<void> committed = batch.committed.get();
    if (committed.ok()) break;
    Result<void> again = batch.transaction->on_error(committed.error()).get();
    if (!again.ok()) return fail(std::move(again).error());
    batch.committed = commit(batch);
  }
  spare_.push_back(std::move(batch.bytes));
  return {};
}

Result<void> ObjectWriter::fail(Error error) {
  if (!failed_) failed_ = std::move(error);
  return *failed_;
}

Result<void> ObjectWriter::rest() {
  if (failed_) return *failed_;
  if (filling_) send();
  while (!in_flight_.empty()) RETURN_IF_ERROR(settle());
  spare_.clear();
  return {};
}

Result<records::ObjectReference> ObjectWriter::finish() {
  RETURN_IF_ERROR(rest());
  return records::ObjectReference{.id = id_, .size = size_, .checksum = checksum_.value()};
}

}  // namespace strata::service
