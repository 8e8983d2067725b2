#include <swarndb/v1/vector.pb.h>

#include "faces/grpc/rpc.h"
#include "faces/grpc/vector_messages.h"
#include "service/vector_bulk.h"
#include "service/vectors.h"

namespace strata::rpc {
namespace {

namespace v1 = swarndb::v1;

// Of a bulk insert that names no options: one commit for so many.
constexpr uint32_t default_batch_rows = 256;

service::Vectors& vectors(Call& call) { return *call.services().vectors; }

Result<service::VectorRow> row_of(const v1::InsertRequest& message) {
  ASSIGN_OR_RETURN(service::Metadata metadata, metadata_of(message.metadata()));
  return service::VectorRow{.id = message.id(), .values = values_of(message.vector()), .metadata = std::move(metadata)};
}

Result<void> insert(Call& call, const v1::InsertRequest& message, v1::InsertResponse& response) {
  ASSIGN_OR_RETURN(service::VectorRow row, row_of(message));
  ASSIGN_OR_RETURN(const uint64_t id, vectors(call).insert(call.context(), message.collection(), std::move(row)));
  response.set_id(id);
  response.set_success(true);
  return {};
}

Result<void> get(Call& call, const v1::GetVectorRequest& message, v1::GetVectorResponse& response) {
  ASSIGN_OR_RETURN(const service::StoredVector stored,
                   vectors(call).get(call.context(), message.collection(), message.id()));
  response.set_id(stored.id);
  fill(*response.mutable_vector()->mutable_values(), stored.values);
  fill_metadata(stored.metadata, *response.mutable_metadata());
  return {};
}

Result<void> update(Call& call, const v1::UpdateRequest& message, v1::UpdateResponse& response) {
  service::VectorUpdate update{.id = message.id()};
  if (message.has_vector()) update.values = values_of(message.vector());
  if (message.has_metadata()) {
    ASSIGN_OR_RETURN(update.metadata, metadata_of(message.metadata()));
  }
  RETURN_IF_ERROR(vectors(call).update(call.context(), message.collection(), std::move(update)));
  response.set_success(true);
  return {};
}

Result<void> remove(Call& call, const v1::DeleteVectorRequest& message, v1::DeleteVectorResponse& response) {
  RETURN_IF_ERROR(vectors(call).remove(call.context(), message.collection(), message.id()));
  response.set_success(true);
  return {};
}

void fill_bulk(service::BulkAnswer&& answer, v1::BulkInsertResponse& response) {
  response.set_inserted_count(answer.inserted_count);
  for (std::string& error : answer.errors) response.add_errors(std::move(error));
  response.set_last_completed_batch_idx(answer.last_completed_batch_index);
  response.set_last_committed_lsn(answer.last_committed_lsn);
  response.set_resume_token(std::move(answer.resume_token));
  fill(*response.mutable_assigned_ids(), answer.assigned_ids);
}

std::string_view index_mode_of(const std::string& message) {
  return message.empty() ? std::string_view("immediate") : std::string_view(message);
}

// One insert a message; holds as many as the service gathers for a commit, and reads no further while it commits.
class BulkStream {
 public:
  BulkStream(Call& call, service::BulkOptions options) : call_(call), options_(options) {}

  // False: the bulk has ended, there is no use in more.
  Result<bool> add(const v1::InsertRequest& message) {
    if (!bulk_) {
      collection_ = message.collection();
      ASSIGN_OR_RETURN(bulk_, vectors(call_).begin_bulk(call_.context(), collection_, options_));
    }
    if (message.collection() != collection_ && !message.collection().empty()) {
      return bulk_->add_failed(call_.context(), "is for another collection than the first one, '" + collection_ + "'");
    }
    Result<service::VectorRow> row = row_of(message);
    if (!row.ok()) return bulk_->add_failed(call_.context(), row.error().message());
    return bulk_->add(call_.context(), *std::move(row));
  }

  Result<void> finish() {
    v1::BulkInsertResponse response;
    if (bulk_) {
      ASSIGN_OR_RETURN(service::BulkAnswer answer, bulk_->finish(call_.context()));
      fill_bulk(std::move(answer), response);
    }
    return call_.answer(response);
  }

 private:
  Call& call_;
  const service::BulkOptions options_;
  std::string collection_;
  std::unique_ptr<service::VectorBulk> bulk_;
};

Result<void> bulk_insert(Call& call) {
  BulkStream stream(call, {.batch_rows = default_batch_rows});
  v1::InsertRequest message;
  for (;;) {
    ASSIGN_OR_RETURN(const bool any, call.read(message));
    if (!any) return stream.finish();
    ASSIGN_OR_RETURN(const bool goes_on, stream.add(message));
    if (!goes_on) return stream.finish();
  }
}

// Views of the message. A field that is 0 was not named: so the clients send it.
service::BulkOptions options_of(const v1::BulkInsertOptions& message) {
  return {.batch_rows = message.batch_lock_size() == 0 ? 1 : message.batch_lock_size(),
          .defer_graph = message.defer_graph(),
          .sync_every = message.wal_flush_every() == 0 ? 1 : message.wal_flush_every(),
          .ef_construction = message.ef_construction(),
          .index_mode = index_mode_of(message.index_mode()),
          .skip_metadata_index = message.skip_metadata_index(),
          .parallel_build = message.parallel_build(),
          .checkpoint_every = message.checkpoint_every(),
          .resume_token = message.resume_token()};
}

Result<void> bulk_insert_with_options(Call& call) {
  v1::BulkInsertStreamMessage first;
  ASSIGN_OR_RETURN(const bool begins, call.read(first));
  const bool has_options = begins && first.has_options();
  BulkStream stream(call, options_of(first.options()));
  v1::BulkInsertStreamMessage next;
  const v1::BulkInsertStreamMessage* message = &first;
  bool any = begins && !has_options;
  if (has_options) {
    ASSIGN_OR_RETURN(any, call.read(next));
    message = &next;
  }
  while (any) {
    if (!message->has_vector()) {
      return Error(ErrorCode::invalid_argument, "options come first and once, then vectors follow");
    }
    ASSIGN_OR_RETURN(const bool goes_on, stream.add(message->vector()));
    if (!goes_on) break;
    ASSIGN_OR_RETURN(any, call.read(next));
    message = &next;
  }
  return stream.finish();
}

Result<void> bulk_insert_from_path(Call& call, const v1::BulkInsertFromPathRequest& message,
                                   v1::BulkInsertResponse& response) {
  const service::BulkFromPathRequest request{.path = message.path(),
                                             .dimension = message.dim(),
                                             .expected_count = message.expected_count(),
                                             .total_count_hint = message.total_count_hint(),
                                             .id_start = message.id_start() == 0 ? 1 : message.id_start(),
                                             .ids_path = message.ids_path(),
                                             .skip_metadata_index = message.skip_metadata_index(),
                                             .index_mode = index_mode_of(message.index_mode()),
                                             .ef_construction = message.ef_construction(),
                                             .chunk_rows = message.chunk_size()};
  ASSIGN_OR_RETURN(service::BulkAnswer answer,
                   vectors(call).bulk_from_path(call.context(), message.collection(), request));
  fill_bulk(std::move(answer), response);
  return {};
}

Result<void> optimize(Call& call, const v1::OptimizeRequest& message, v1::OptimizeResponse& response) {
  ASSIGN_OR_RETURN(service::OptimizeAnswer answer,
                   vectors(call).optimize(call.context(), message.collection(), message.rebuild_graph()));
  response.set_status(std::move(answer.status));
  response.set_message(std::move(answer.message));
  response.set_duration_ms(answer.duration_ms);
  response.set_vectors_processed(answer.vectors_processed);
  return {};
}

Result<void> prune(Call& call, const v1::PruneWALRequest& message, v1::PruneWALResponse& response) {
  ASSIGN_OR_RETURN(service::PruneAnswer answer, vectors(call).prune_log(call.context(), message.collection()));
  response.set_status(std::move(answer.status));
  response.set_files_deleted(answer.files_deleted);
  response.set_bytes_freed(answer.bytes_freed);
  response.set_duration_ms(answer.duration_ms);
  return {};
}

Result<void> compact(Call& call, const v1::CompactRequest& message, v1::CompactResponse& response) {
  const service::CompactRequest request{.min_segments = message.min_segments(),
                                        .remove_deleted = message.remove_deleted()};
  ASSIGN_OR_RETURN(service::CompactAnswer answer, vectors(call).compact(call.context(), message.collection(), request));
  response.set_status(std::move(answer.status));
  response.set_segments_merged(answer.segments_merged);
  response.set_vectors_written(answer.vectors_written);
  response.set_vectors_removed(answer.vectors_removed);
  response.set_duration_ms(answer.duration_ms);
  return {};
}

constexpr Rpc write_row(std::string_view path, Handler handler, int64_t timeout_ms = 0) {
  return {.path = path,
          .permission = Permission::write,
          .timeout_ms = timeout_ms,
          .duplicate_is_argument = true,
          .handler = handler};
}

const Rpc rows[] = {
    write_row("/swarndb.v1.VectorService/Insert", unary<insert>),
    {.path = "/swarndb.v1.VectorService/Get", .handler = unary<get>},
    write_row("/swarndb.v1.VectorService/Update", unary<update>),
    write_row("/swarndb.v1.VectorService/Delete", unary<remove>),
    write_row("/swarndb.v1.VectorService/BulkInsert", bulk_insert, -1),
    write_row("/swarndb.v1.VectorService/BulkInsertWithOptions", bulk_insert_with_options, -1),
    write_row("/swarndb.v1.VectorService/BulkInsertFromPath", unary<bulk_insert_from_path>, -1),
    write_row("/swarndb.v1.VectorService/Optimize", unary<optimize>, -1),
    write_row("/swarndb.v1.VectorService/PruneWAL", unary<prune>, -1),
    write_row("/swarndb.v1.VectorService/Compact", unary<compact>, -1),
};

}  // namespace

std::span<const Rpc> vector_rpcs() { return rows; }

}  // namespace strata::rpc
