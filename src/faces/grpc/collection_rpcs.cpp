#include <swarndb/v1/collection.pb.h>

#include "faces/grpc/rpc.h"
#include "service/vectors.h"

namespace strata::rpc {
namespace {

namespace v1 = swarndb::v1;

Result<service::CollectionMode> mode_of(v1::Mode mode) {
  switch (mode) {
    case v1::MODE_VECTOR_ONLY:
      return service::CollectionMode::vector_only;
    case v1::MODE_AUTO_SIMILARITY:
      return service::CollectionMode::auto_similarity;
    case v1::MODE_HYBRID:
      return service::CollectionMode::hybrid;
    default:
      return Error(ErrorCode::invalid_argument, "unknown mode " + std::to_string(mode));
  }
}

Result<void> create(Call& call, const v1::CreateCollectionRequest& message, v1::CreateCollectionResponse& response) {
  service::MakeCollectionRequest request{.name = message.name(),
                                         .dimension = message.dimension(),
                                         .distance_metric = message.distance_metric(),
                                         .default_threshold = message.default_threshold(),
                                         .max_vectors = message.max_vectors(),
                                         .quantized = message.quantization().has_scalar()};
  if (message.has_m()) request.m = message.m();
  if (message.has_ef_construction()) request.ef_construction = message.ef_construction();
  ASSIGN_OR_RETURN(request.mode, mode_of(message.mode()));
  ASSIGN_OR_RETURN(service::CollectionInfo made, call.services().vectors->make_collection(call.context(), request));
  response.set_name(std::move(made.name));
  response.set_success(true);
  return {};
}

Result<void> drop(Call& call, const v1::DeleteCollectionRequest& message, v1::DeleteCollectionResponse& response) {
  RETURN_IF_ERROR(call.services().vectors->drop_collection(call.context(), message.name()));
  response.set_success(true);
  return {};
}

void fill_info(service::CollectionInfo&& info, v1::GetCollectionResponse& response) {
  response.set_name(std::move(info.name));
  response.set_dimension(info.dimension);
  response.set_distance_metric(std::move(info.distance_metric));
  response.set_vector_count(info.vector_count);
  response.set_default_threshold(info.default_threshold);
  response.set_status(std::move(info.status));
  response.set_quantization_type(std::move(info.quantization_type));
  response.set_indexed_count(info.indexed_count);
}

Result<void> get(Call& call, const v1::GetCollectionRequest& message, v1::GetCollectionResponse& response) {
  ASSIGN_OR_RETURN(service::CollectionInfo info, call.services().vectors->collection(call.context(), message.name()));
  fill_info(std::move(info), response);
  return {};
}

Result<void> list(Call& call, const v1::ListCollectionsRequest&, v1::ListCollectionsResponse& response) {
  ASSIGN_OR_RETURN(std::vector<service::CollectionInfo> all, call.services().vectors->collections(call.context()));
  for (service::CollectionInfo& info : all) fill_info(std::move(info), *response.add_collections());
  return {};
}

v1::RecoveryPath path_of(service::RecoveryPath path) {
  switch (path) {
    case service::RecoveryPath::none:
      return v1::RECOVERY_UNKNOWN;
    case service::RecoveryPath::snapshot_only:
      return v1::RECOVERY_CLEAN_SHUTDOWN;
    case service::RecoveryPath::snapshot_plus_wal:
      return v1::RECOVERY_INCREMENTAL_REPLAY;
    case service::RecoveryPath::full_wal_replay:
      return v1::RECOVERY_FULL_REBUILD;
  }
  return v1::RECOVERY_UNKNOWN;
}

Result<void> recovery(Call& call, const v1::GetRecoveryStatusRequest&, v1::GetRecoveryStatusResponse& response) {
  const service::RecoveryStatus status = call.services().vectors->recovery_status();
  response.set_elapsed_secs(status.elapsed_seconds);
  response.set_path(path_of(status.path));
  for (const auto& collection : status.collections) {
    v1::CollectionRecoveryEntry& entry = *response.add_collections();
    entry.set_name(collection.name);
    entry.set_path(path_of(collection.path));
  }
  return {};
}

Result<void> snapshot(Call& call, const v1::SnapshotCollectionRequest& message,
                      v1::SnapshotCollectionResponse& response) {
  ASSIGN_OR_RETURN(const uint64_t lsn, call.services().vectors->snapshot(call.context(), message.name()));
  response.set_last_snapshot_lsn(lsn);
  return {};
}

Result<void> persistence(Call& call, const v1::GetPersistenceStatusRequest& message,
                         v1::GetPersistenceStatusResponse& response) {
  ASSIGN_OR_RETURN(const service::PersistenceStatus status,
                   call.services().vectors->persistence_status(call.context(), message.name()));
  response.set_last_snapshot_lsn(status.last_snapshot_lsn);
  response.set_current_lsn(status.current_lsn);
  response.set_next_lsn(status.next_lsn);
  return {};
}

Result<void> counters(Call& call, const v1::GetCollectionMetricsRequest& message,
                      v1::GetCollectionMetricsResponse& response) {
  ASSIGN_OR_RETURN(const service::CollectionCounters counted,
                   call.services().vectors->counters(call.context(), message.name()));
  response.set_map_lock_acquisitions(counted.map_lock_acquisitions);
  response.set_collection_read_acquisitions(counted.collection_read_acquisitions);
  response.set_collection_write_acquisitions(counted.collection_write_acquisitions);
  response.set_total_blocked_microseconds(counted.total_blocked_microseconds);
  return {};
}

const Rpc rows[] = {
    {.path = "/swarndb.v1.CollectionService/CreateCollection",
     .permission = Permission::write,
     .handler = unary<create>},
    {.path = "/swarndb.v1.CollectionService/DeleteCollection", .permission = Permission::write, .handler = unary<drop>},
    {.path = "/swarndb.v1.CollectionService/GetCollection", .handler = unary<get>},
    {.path = "/swarndb.v1.CollectionService/ListCollections", .handler = unary<list>},
    {.path = "/swarndb.v1.CollectionService/GetRecoveryStatus",
     .permission = Permission::none,
     .handler = unary<recovery>},
    {.path = "/swarndb.v1.CollectionService/SnapshotCollection",
     .permission = Permission::write,
     .timeout_ms = -1,
     .handler = unary<snapshot>},
    {.path = "/swarndb.v1.CollectionService/GetPersistenceStatus", .handler = unary<persistence>},
    {.path = "/swarndb.v1.CollectionService/GetCollectionMetrics", .handler = unary<counters>},
};

}  // namespace

std::span<const Rpc> collection_rpcs() { return rows; }

}  // namespace strata::rpc
