#include "service/vectors.h"

#include <fmt/format.h>

#include <cmath>

#include "service/run.h"
#include "service/vector_checks.h"
#include "service/vector_collections.h"

namespace strata::service {
namespace {

using vectors::VectorEntity;

CollectionInfo describe(const VectorCollection& collection, const vectors::Counters& counters) {
  const vectors::CollectionOptions& options = collection.row().options;
  const VectorView& view = collection.view();
  CollectionInfo info{.name = collection.name(),
                      .dimension = options.dimension,
                      .distance_metric = std::string(vectors::metric_name(options.metric)),
                      .vector_count = counters.count,
                      .default_threshold = collection.default_threshold(),
                      .status = "ready",
                      .quantization_type = options.quantized ? "scalar" : "none"};
  if (view.deferred_count() > 0) info.status = "pending_optimization";
  if (collection.optimizing) info.status = "optimizing";
  info.indexed_count = counters.count - std::min<uint64_t>(counters.count, view.unindexed_count());
  return info;
}

// The one operation's answer, or the call's.
Result<void> outcome(const Result<uint64_t>& submitted, const VectorOperation& operation) {
  if (!submitted.ok()) return submitted.error();
  if (operation.error) return *operation.error;
  return {};
}

}  // namespace

Result<void> check_values(std::span<const float> values, uint32_t dimension) {
  if (values.size() != dimension) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("dimension mismatch: the collection has {}, this has {}", dimension, values.size()));
  }
  for (size_t at = 0; at < values.size(); ++at) {
    if (!std::isfinite(values[at])) {
      return Error(ErrorCode::invalid_argument, fmt::format("value {} is not a finite number", at));
    }
  }
  return {};
}

Vectors::Vectors(const kv::Database& database, const VectorsOptions& options)
    : database_(database), options_(options), collections_(std::make_unique<VectorCollections>(database_, options_)) {}
Vectors::~Vectors() = default;

Result<void> Vectors::open() { return collections_->open(); }
void Vectors::stop() {
  jobs_.stop();
  long_searches_.jobs.stop();
  collections_->stop();
}
void Vectors::set_edges(VectorEdges* edges) { edges_ = edges; }

std::string Vectors::not_ready() const {
  size_t recovering = 0;
  for (const auto& collection : collections_->all()) {
    const auto readiness = collection->readiness();
    if (!readiness) {
      ++recovering;
    } else if (!readiness->ok()) {
      return fmt::format("collection '{}': {}", collection->name(), readiness->error().message());
    }
  }
  return recovering == 0 ? "" : fmt::format("recovering {} collections", recovering);
}

Result<CollectionInfo> Vectors::make_collection(const Context& context, const MakeCollectionRequest& request) {
  RETURN_IF_ERROR(vectors::validate_collection_name(request.name));
  vectors::CollectionOptions options{
      .dimension = static_cast<uint32_t>(std::min<uint64_t>(request.dimension, UINT32_MAX)),
      .default_threshold = request.default_threshold,
      .max_vectors = request.max_vectors,
      .quantized = request.quantized,
      .mode = static_cast<uint8_t>(request.mode)};
  const auto metric =
      request.distance_metric.empty() ? vectors::Metric::cosine : vectors::parse_metric(request.distance_metric);
  if (!metric) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("unknown distance_metric \"{}\": cosine, euclidean, dot_product or manhattan",
                             printable(request.distance_metric)));
  }
  options.metric = *metric;
  // 0 is what a client sends that has nothing to say.
  if (request.m.value_or(0) != 0) options.m = *request.m;
  if (request.ef_construction.value_or(0) != 0) options.ef_construction = *request.ef_construction;
  RETURN_IF_ERROR(vectors::validate_collection_options(options));
  ASSIGN_OR_RETURN(const auto made, collections_->make(context, request.name, options));
  return describe(*made, {});
}

Result<void> Vectors::drop_collection(const Context& context, std::string_view name) {
  return collections_->drop(context, name);
}

Result<CollectionInfo> Vectors::collection(const Context& context, std::string_view name) {
  ASSIGN_OR_RETURN(const auto found, collections_->find(context, name));
  return run_transaction(database_, context, *options_.clock, options_.durability,
                         [&](kv::Transaction& transaction) -> Result<CollectionInfo> {
                           ASSIGN_OR_RETURN(const auto counters,
                                            vectors::read_counters(transaction.snapshot(), found->row()));
                           return describe(*found, counters);
                         });
}

Result<std::vector<CollectionInfo>> Vectors::collections(const Context& context) {
  std::vector<CollectionInfo> infos;
  for (const auto& each : collections_->all()) {
    auto info = collection(context, each->name());
    if (info.ok()) {
      infos.push_back(*std::move(info));
    } else if (info.error().code() != ErrorCode::not_found) {
      return info.error();
    }
  }
  return infos;
}

uint64_t Vectors::collection_count() const { return collections_->all().size(); }

uint64_t Vectors::vector_count() const {
  uint64_t count = 0;
  for (const auto& collection : collections_->all()) {
    const auto readiness = collection->readiness();
    if (readiness && readiness->ok()) count += collection->view().count();
  }
  return count;
}

Result<std::shared_ptr<VectorCollection>> Vectors::open_collection(const Context& context, std::string_view name) {
  return collections_->find(context, name);
}

Result<uint64_t> Vectors::insert(const Context& context, std::string_view name, VectorRow row) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  RETURN_IF_ERROR(check_values(row.values, collection->dimension()));
  RETURN_IF_ERROR(vectors::check_metadata(row.metadata));
  ++collection->writes;
  VectorOperation operation{.id = row.id, .values = row.values, .metadata = &row.metadata};
  RETURN_IF_ERROR(outcome(collection->writer().submit(std::span(&operation, 1), options_.durability), operation));
  return operation.assigned_id;
}

Result<StoredVector> Vectors::get(const Context& context, std::string_view name, uint64_t id) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  ++collection->reads;
  return run_transaction(database_, context, *options_.clock, options_.durability,
                         [&](kv::Transaction& transaction) -> Result<StoredVector> {
                           const kv::ReadTransaction snapshot = transaction.snapshot();
                           const Bytes& prefix = collection->row().prefix;
                           auto values = snapshot.get(vectors::entity_key(prefix, VectorEntity::vector, id));
                           auto metadata = snapshot.get(vectors::entity_key(prefix, VectorEntity::metadata, id));
                           ASSIGN_OR_RETURN(const auto stored, values.get());
                           if (!stored) return no_such_vector(id);
                           StoredVector vector{.id = id};
                           ASSIGN_OR_RETURN(vector.values,
                                            vectors::finish_values(snapshot, collection->row(), id, *stored));
                           ASSIGN_OR_RETURN(const auto encoded, metadata.get());
                           if (encoded) {
                             ASSIGN_OR_RETURN(vector.metadata, vectors::decode_metadata(*encoded));
                           }
                           return vector;
                         });
}

Result<void> Vectors::update(const Context& context, std::string_view name, VectorUpdate update) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  if (!update.values && !update.metadata) {
    return Error(ErrorCode::invalid_argument, "an update brings values, metadata or both");
  }
  if (update.values) RETURN_IF_ERROR(check_values(*update.values, collection->dimension()));
  if (update.metadata) RETURN_IF_ERROR(vectors::check_metadata(*update.metadata));
  ++collection->writes;
  VectorOperation operation{.kind = VectorOperation::Kind::update,
                            .id = update.id,
                            .values = update.values,
                            .metadata = update.metadata ? &*update.metadata : nullptr};
  return outcome(collection->writer().submit(std::span(&operation, 1), options_.durability), operation);
}

Result<void> Vectors::remove(const Context& context, std::string_view name, uint64_t id) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  ++collection->writes;
  VectorOperation operation{.kind = VectorOperation::Kind::remove, .id = id};
  return outcome(collection->writer().submit(std::span(&operation, 1), options_.durability), operation);
}

Result<void> Vectors::set_default_threshold(const Context& context, VectorCollection& collection, float threshold) {
  ASSIGN_OR_RETURN(
      const bool set,
      run_transaction(database_, context, *options_.clock, options_.durability, [&](kv::Transaction& transaction) {
        return vectors::set_default_threshold(transaction, collection.row(), threshold);
      }));
  if (!set) return no_such_collection(collection.name());
  collection.set_default_threshold(threshold);
  return {};
}

Result<void> Vectors::set_threshold(const Context& context, std::string_view name, uint64_t id, float threshold) {
  ASSIGN_OR_RETURN(const auto collection, collections_->find(context, name));
  if (!std::isfinite(threshold)) return Error(ErrorCode::invalid_argument, "threshold must be a finite number");
  if (id == 0) return set_default_threshold(context, *collection, threshold);
  ++collection->writes;
  VectorOperation operation{.kind = VectorOperation::Kind::threshold, .id = id, .threshold = threshold};
  return outcome(collection->writer().submit(std::span(&operation, 1), options_.durability), operation);
}

}  // namespace strata::service
