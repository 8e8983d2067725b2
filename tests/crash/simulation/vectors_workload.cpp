#include "crash/simulation/vectors_workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "hnsw/distance.h"
#include "layers/vectors/vector_log.h"
#include "service/vector_bulk.h"

namespace strata::crash {
namespace {

using service::Metadata;
using vectors::VectorEntity;

// The other one's vectors lie in two chunks.
constexpr uint32_t short_dimension = 4;
constexpr uint32_t long_dimension = 25'000;
const std::string names[] = {"short", "long"};

uint32_t dimension_of(const std::string& name) { return name == "long" ? long_dimension : short_dimension; }
size_t most_rows(const std::string& name) { return name == "long" ? 3 : 40; }

std::shared_ptr<const std::vector<float>> draw_values(const std::string& name, Random& random) {
  std::vector<float> values(dimension_of(name));
  for (float& value : values) value = static_cast<float>(random.fraction());
  return std::make_shared<const std::vector<float>>(std::move(values));
}

// Of the names that a filter asks for.
Metadata draw_metadata(Random& random) {
  if (random.one_in(3)) return {};
  return {{"even", random.one_in(2)}, {"text", std::string(random.below(40), 'x')}};
}

std::vector<uint64_t> nearest(std::vector<hnsw::Match> matches) {
  std::sort(matches.begin(), matches.end());
  std::vector<uint64_t> ids;
  for (const hnsw::Match& match : matches) ids.push_back(match.label);
  return ids;
}

service::VectorsOptions service_options() { return {.threads = 1}; }

// visit(key, value) of all keys of a range.
template <class Visit>
Result<void> visit_range(const kv::Database& database, BytesView prefix, Visit visit) {
  return database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    kv::RangeIterator keys(transaction, prefix, *prefix_end(prefix), {.mode = kv::StreamingMode::want_all});
    while (keys.next()) RETURN_IF_ERROR(visit(keys.key(), keys.value()));
    return keys.status();
  });
}

Result<std::vector<vectors::Collection>> collections_of(const kv::Database& database) {
  return database.read(
      [](const kv::ReadTransaction& transaction) { return vectors::list_collections(transaction, "", 100); });
}

template <class T>
Result<void> done(const Result<T>& result) {
  if (!result.ok()) return result.error();
  return {};
}

}  // namespace

Result<VectorsWorkload::Collection> VectorsWorkload::read(const kv::Database& database,
                                                          const vectors::Collection& collection) {
  Collection found;
  ASSIGN_OR_RETURN(found.counters, database.read([&](const kv::ReadTransaction& transaction) {
    return vectors::read_counters(transaction, collection);
  }));
  ASSIGN_OR_RETURN(auto rows, database.read([&](const kv::ReadTransaction& transaction) {
    return vectors::read_vectors_from(transaction, collection, 0, SIZE_MAX);
  }));
  for (vectors::StoredRow& row : rows) {
    found.rows[row.id].values = std::make_shared<const std::vector<float>>(std::move(row.values));
  }
  // Of a vector that is not there, a row without values shows it.
  const auto visit = [&](VectorEntity entity, auto take) {
    return visit_range(database, vectors::entity_prefix(collection.prefix, entity),
                       [&](BytesView key, BytesView value) -> Result<void> {
                         ASSIGN_OR_RETURN(const uint64_t id, vectors::number_of(collection.prefix, entity, key));
                         if (!found.rows.contains(id)) return Error(ErrorCode::corruption, "something is left over");
                         return take(found.rows[id], value);
                       });
  };
  RETURN_IF_ERROR(visit(VectorEntity::metadata, [](Row& row, BytesView value) -> Result<void> {
    ASSIGN_OR_RETURN(row.metadata, vectors::decode_metadata(value));
    return {};
  }));
  RETURN_IF_ERROR(visit(VectorEntity::threshold, [](Row& row, BytesView value) -> Result<void> {
    ASSIGN_OR_RETURN(row.threshold, vectors::decode_threshold(value));
    return {};
  }));
  RETURN_IF_ERROR(visit(VectorEntity::deferred, [](Row& row, BytesView value) -> Result<void> {
    ASSIGN_OR_RETURN(row.deferral, vectors::decode_deferral(value));
    return {};
  }));
  return found;
}

Result<VectorsWorkload::State> VectorsWorkload::read(const kv::Database& database) {
  State state;
  ASSIGN_OR_RETURN(const auto there, collections_of(database));
  for (const vectors::Collection& collection : there) {
    ASSIGN_OR_RETURN(state[collection.name], read(database, collection));
  }
  return state;
}

Result<void> VectorsWorkload::adopt(const kv::Database& database) {
  ASSIGN_OR_RETURN(State state, read(database));
  states_.assign(1, std::move(state));
  answered_ = 0;
  return {};
}

Result<void> VectorsWorkload::insert(service::Vectors& vectors, const std::string& name, State next, Random& random) {
  Collection& collection = next[name];
  uint64_t id = 0;
  // Some ids are given: ones that were there before, and ones that leave a gap.
  if (random.one_in(3)) id = 1 + random.below(collection.counters.next_id + 5);
  if (collection.rows.contains(id)) id = 0;
  const uint64_t taken = id == 0 ? collection.counters.next_id : id;
  collection.counters.next_id = std::max(collection.counters.next_id, taken + 1);
  ++collection.counters.next_lsn;
  ++collection.counters.count;
  Row& row = collection.rows[taken];
  row = {.values = draw_values(name, random), .metadata = draw_metadata(random)};
  const service::VectorRow asked{.id = id, .values = *row.values, .metadata = row.metadata};
  states_.push_back(next);
  ASSIGN_OR_RETURN(const uint64_t told, vectors.insert({}, name, asked));
  if (told != taken) return Error(ErrorCode::internal, fmt::format("id {} instead of {}", told, taken));
  return {};
}

Result<void> VectorsWorkload::change(service::Vectors& vectors, const std::string& name, State next, Random& random) {
  Collection& collection = next[name];
  const auto found = std::next(collection.rows.begin(), static_cast<ptrdiff_t>(random.below(collection.rows.size())));
  const uint64_t id = found->first;
  ++collection.counters.next_lsn;
  if (random.one_in(3) || collection.rows.size() >= most_rows(name)) {
    collection.rows.erase(found);
    --collection.counters.count;
    states_.push_back(next);
    return vectors.remove({}, name, id);
  }
  Row& row = found->second;
  if (random.one_in(4)) {
    row.threshold = random.one_in(3) ? 0.0F : static_cast<float>(random.fraction());
    states_.push_back(next);
    return vectors.set_threshold({}, name, id, row.threshold);
  }
  service::VectorUpdate update{.id = id};
  if (random.one_in(2)) {
    row.metadata = draw_metadata(random);
    update.metadata = row.metadata;
  }
  if (!update.metadata || random.one_in(2)) {
    row.values = draw_values(name, random);
    update.values = *row.values;
  }
  states_.push_back(next);
  return vectors.update({}, name, update);
}

Result<void> VectorsWorkload::bulk(service::Vectors& vectors, const std::string& name, State next, Random& random) {
  Collection& collection = next[name];
  const uint64_t room = most_rows(name) - std::min(most_rows(name), collection.rows.size());
  const uint64_t count = 1 + random.below(room + 1);
  const vectors::Deferral deferral{
      .index = random.one_in(3), .graph = random.one_in(3), .metadata = random.one_in(3), .parallel = false};
  std::vector<Row> rows;
  for (uint64_t at = 0; at < count; ++at) {
    rows.push_back({.values = draw_values(name, random), .metadata = draw_metadata(random), .deferral = deferral});
    collection.rows[collection.counters.next_id++] = rows.back();
  }
  collection.counters.next_lsn += count;
  collection.counters.count += count;
  states_.push_back(next);
  const service::BulkOptions options{.batch_rows = 10'000,
                                     .defer_graph = deferral.graph,
                                     .sync_every = 1,
                                     .index_mode = deferral.index ? "deferred" : "immediate",
                                     .skip_metadata_index = deferral.metadata};
  ASSIGN_OR_RETURN(const auto bulk, vectors.begin_bulk({}, name, options));
  for (const Row& row : rows) bulk->add({}, {.values = *row.values, .metadata = row.metadata});
  ASSIGN_OR_RETURN(const service::BulkAnswer answer, bulk->finish({}));
  if (!answer.errors.empty()) return Error(ErrorCode::internal, answer.errors.front());
  return {};
}

// What runs in the background, or for all of a collection: nobody sees it, but for optimize and drop.
Result<void> VectorsWorkload::maintain(service::Vectors& vectors, const std::string& name, State next, Random& random) {
  switch (random.below(5)) {
    case 0:
      for (auto& [id, row] : next[name].rows) row.deferral = {};
      states_.push_back(next);
      return done(vectors.optimize({}, name));
    case 1:
      return done(vectors.snapshot({}, name));
    case 2:
      return done(vectors.prune_log({}, name));
    case 3:
      return done(vectors.compact({}, name, {.min_segments = 1, .remove_deleted = random.one_in(2)}));
    default:
      break;
  }
  if (!random.one_in(4)) return {};
  next.erase(name);
  states_.push_back(next);
  return vectors.drop_collection({}, name);
}

Result<void> VectorsWorkload::operate(service::Vectors& vectors, Random& random) {
  const std::string& name = names[random.one_in(6) ? 1 : 0];
  State next = states_.back();
  const auto found = next.find(name);
  if (found == next.end()) {
    next[name] = {};
    states_.push_back(next);
    return done(vectors.make_collection(
        {}, {.name = name, .dimension = dimension_of(name), .distance_metric = "euclidean", .ef_construction = 10}));
  }
  const uint64_t draw = random.below(10);
  const size_t rows = found->second.rows.size();
  if (draw < 2) return maintain(vectors, name, std::move(next), random);
  if (draw < 6 && rows > 0) return change(vectors, name, std::move(next), random);
  if (draw < 7 && rows < most_rows(name)) return bulk(vectors, name, std::move(next), random);
  if (rows < most_rows(name)) return insert(vectors, name, std::move(next), random);
  return change(vectors, name, std::move(next), random);
}

Result<void> VectorsWorkload::step(const kv::Database& database, Random& random) {
  service::Vectors vectors(database, service_options());
  RETURN_IF_ERROR(vectors.open());
  for (uint64_t left = 1 + random.below(12); left > 0; --left) {
    RETURN_IF_ERROR(operate(vectors, random));
    answered_ = states_.size() - 1;
  }
  return {};
}

// What decides nothing of the state, and must fit it all the same: chunks, the log, and that there is no other key.
Finding VectorsWorkload::check_keys(const kv::Database& database, const vectors::Collection& collection,
                                    const Collection& shown) {
  size_t keys = 0;
  const auto visited = visit_range(database, collection.prefix, [&](BytesView, BytesView) -> Result<void> {
    ++keys;
    return {};
  });
  if (!visited.ok()) return std::string(visited.error().message());
  size_t expected = shown.counters == vectors::Counters() ? 0 : 1;
  for (const auto& [id, row] : shown.rows) {
    expected += 1 + (row.metadata.empty() ? 0 : 1) + (row.threshold == 0 ? 0 : 1) + (row.deferral.any() ? 1 : 0);
    if (collection.options.dimension == long_dimension) ++expected;
  }
  std::optional<vectors::ImageRow> image;
  std::vector<vectors::LogRecord> log;
  const auto looked = database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(image, vectors::read_image_row(transaction, collection));
    ASSIGN_OR_RETURN(log, vectors::read_log(transaction, collection, 0, SIZE_MAX));
    return {};
  });
  if (!looked.ok()) return std::string(looked.error().message());
  expected += (image ? 1 : 0) + log.size();
  if (keys != expected) return fmt::format("{} keys of {} instead of {}", keys, collection.name, expected);
  const uint64_t current = shown.counters.next_lsn - 1;
  if (image && image->lsn > current) return fmt::format("the image stands at {} of {}", image->lsn, current);
  uint64_t next = log.empty() ? current + 1 : log.front().last_lsn - log.front().entries.size() + 1;
  if (next > 1 && (!image || image->lsn + 1 < next)) return fmt::format("the log begins with {}", next);
  for (const vectors::LogRecord& record : log) {
    if (record.last_lsn != next + record.entries.size() - 1) return fmt::format("the log has a gap before {}", next);
    next = record.last_lsn + 1;
  }
  if (next != shown.counters.next_lsn) return fmt::format("the log ends before {}", next);
  return std::nullopt;
}

Finding VectorsWorkload::check_dropped(const kv::Database& database, const std::vector<vectors::Collection>& there) {
  int64_t last = 0;
  const auto read = database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(const auto next, transaction.get(vectors::collection_names.next_number_key()).get());
    if (next) last = static_cast<int64_t>(read_le64(*next)) - 1;
    return {};
  });
  if (!read.ok()) return std::string(read.error().message());
  for (int64_t number = 1; number <= last; ++number) {
    if (std::ranges::count(there, number, &vectors::Collection::number) > 0) continue;
    const auto visited = visit_range(
        database, vectors::collection_names.prefix(number),
        [](BytesView, BytesView) -> Result<void> { return Error(ErrorCode::corruption, "has left something behind"); });
    if (!visited.ok()) return fmt::format("collection {} {}", number, visited.error().message());
  }
  return std::nullopt;
}

// A start shows what the keys hold, to searches as well.
Finding VectorsWorkload::check_service(service::Vectors& vectors, const std::string& name, const Collection& shown) {
  const auto info = vectors.collection({}, name);
  if (!info.ok()) return fmt::format("cannot be served: {}", info.error().message());
  const std::vector<float> query(dimension_of(name), 0.5F);
  std::vector<hnsw::Match> all;
  std::vector<hnsw::Match> even;
  for (const auto& [id, row] : shown.rows) {
    if (row.deferral.index) continue;
    const float score = hnsw::score(hnsw::Metric::euclidean, query.data(), row.values->data(), query.size());
    all.push_back({id, score});
    const auto* field = vectors::find_field(row.metadata, "even");
    if (field != nullptr && std::get<bool>(*field)) even.push_back({id, score});
  }
  if (info->vector_count != shown.rows.size() || info->indexed_count != all.size()) {
    return fmt::format("counts {} and {} vectors", info->vector_count, info->indexed_count);
  }
  const service::VectorFilter filter{.kind = vectors::FilterKind::field, .field = "even", .values = {true}};
  for (const bool filtered : {false, true}) {
    service::VectorSearchRequest request{.collection = name, .query = query, .k = 100};
    if (filtered) request.filter = filter;
    const auto answer = vectors.search({}, request);
    if (!answer.ok()) return fmt::format("cannot search: {}", answer.error().message());
    std::vector<uint64_t> found;
    for (const service::ScoredVector& result : answer->results) found.push_back(result.id);
    if (found != nearest(filtered ? even : all)) return fmt::format("a search of {} shows something else", name);
  }
  return std::nullopt;
}

Finding VectorsWorkload::check(const kv::Database& database, uint64_t at_least, const Marks&) {
  const Result<State> shown = read(database);
  if (!shown.ok()) return fmt::format("cannot read: {}", shown.error().message());
  const auto from = states_.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(at_least, states_.size()));
  if (std::find(from, states_.end(), *shown) == states_.end()) {
    return fmt::format("shows no state from operation {} to {}", at_least, states_.size() - 1);
  }
  const auto there = collections_of(database);
  if (!there.ok()) return std::string(there.error().message());
  if (const Finding wrong = check_dropped(database, *there)) return wrong;
  service::Vectors vectors(database, service_options());
  const Result<void> opened = vectors.open();
  if (!opened.ok()) return fmt::format("cannot be served: {}", opened.error().message());
  for (const vectors::Collection& collection : *there) {
    const Collection& rows = shown->at(collection.name);
    if (const Finding wrong = check_keys(database, collection, rows)) return wrong;
    if (const Finding wrong = check_service(vectors, collection.name, rows)) return wrong;
  }
  return std::nullopt;
}

}  // namespace strata::crash
