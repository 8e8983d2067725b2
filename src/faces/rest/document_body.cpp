#include "faces/rest/document_body.h"

#include <fmt/format.h>

#include "faces/rest/json_pieces.h"

namespace strata::rest {
namespace {

constexpr std::string_view body_name = "the body";

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

Result<void> take_sync_level(const JsonPiece& piece, Arena& arena) {
  if (!piece) return {};
  ASSIGN_OR_RETURN(const BytesView level, json_piece_string(*piece, arena, "sync_level"));
  return service::Documents::check_sync_level(level);
}

Result<bool> flag_or(const JsonPiece& piece, bool otherwise, std::string_view name) {
  return piece ? json_piece_bool(*piece, name) : Result<bool>(otherwise);
}

Result<std::vector<service::DocumentInsert>> take_documents(BytesView json, Arena& arena, std::string_view what) {
  ASSIGN_OR_RETURN(const auto members, split_json_object(json, arena, what));
  std::vector<service::DocumentInsert> documents;
  documents.reserve(members.size());
  for (const JsonMember& member : members) documents.push_back({member.name, member.value});
  return documents;
}

// {"op", "path", "value"}
Result<service::DocumentOperation> take_operation(BytesView json, Arena& arena, const std::string& what) {
  Arena names;
  ASSIGN_OR_RETURN(const auto members, split_json_object(json, names, what));
  service::DocumentOperation operation;
  JsonPiece op;
  JsonPiece path;
  for (const JsonMember& member : members) {
    if (member.name == "op") {
      op = member.value;
    } else if (member.name == "path") {
      path = member.value;
    } else if (member.name == "value") {
      // null is a value here.
      operation.value = member.value;
    } else {
      return invalid(fmt::format("unknown field {} in {}: it has op, path, value", printable(member.name, 60), what));
    }
  }
  ASSIGN_OR_RETURN(operation.op, json_piece_string(op.value_or(""), arena, what + ".op"));
  ASSIGN_OR_RETURN(operation.path, json_piece_string(path.value_or(""), arena, what + ".path"));
  return operation;
}

Result<service::DocumentTransform> take_transform(BytesView json, Arena& arena, const std::string& what) {
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<3>(json, {"key", "operations", "upsert"}, what));
  service::DocumentTransform transform;
  ASSIGN_OR_RETURN(transform.key, json_piece_string(pieces[0].value_or(""), arena, what + ".key"));
  ASSIGN_OR_RETURN(const auto operations, split_json_array(pieces[1].value_or(""), what + ".operations"));
  if (operations.empty()) return invalid(what + ".operations is empty");
  for (size_t i = 0; i < operations.size(); ++i) {
    ASSIGN_OR_RETURN(auto operation, take_operation(operations[i], arena, fmt::format("{}.operations[{}]", what, i)));
    transform.operations.push_back(operation);
  }
  ASSIGN_OR_RETURN(transform.upsert, flag_or(pieces[2], false, what + ".upsert"));
  return transform;
}

// `prefix`: what stands before the names of fields in messages.
Result<service::TableBatch> take_batch(BytesView table, BytesView json, Arena& arena, std::string_view what,
                                       const std::string& prefix) {
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<4>(json, {"inserts", "deletes", "transforms", "sync_level"}, what));
  RETURN_IF_ERROR(take_sync_level(pieces[3], arena));
  service::TableBatch batch{.table = std::string(table)};
  if (pieces[0]) {
    ASSIGN_OR_RETURN(batch.inserts, take_documents(*pieces[0], arena, prefix + "inserts"));
  }
  if (pieces[1]) {
    ASSIGN_OR_RETURN(const auto keys, split_json_array(*pieces[1], prefix + "deletes"));
    batch.deletes.reserve(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      auto key = json_piece_string(keys[i], arena, "each of deletes");
      if (!key.ok()) return invalid(fmt::format("{}deletes[{}] must be a string", prefix, i));
      batch.deletes.emplace_back(*key);
    }
  }
  if (pieces[2]) {
    ASSIGN_OR_RETURN(const auto transforms, split_json_array(*pieces[2], prefix + "transforms"));
    batch.transforms.reserve(transforms.size());
    for (size_t i = 0; i < transforms.size(); ++i) {
      ASSIGN_OR_RETURN(auto transform,
                       take_transform(transforms[i], arena, fmt::format("{}transforms[{}]", prefix, i)));
      batch.transforms.push_back(std::move(transform));
    }
  }
  return batch;
}

Result<void> take_tables(const JsonPiece& piece, BatchBody& batch) {
  if (!piece) return {};
  ASSIGN_OR_RETURN(const auto tables, split_json_object(*piece, batch.arena, "tables"));
  for (const JsonMember& member : tables) {
    const std::string what = "tables." + printable(member.name, 60);
    ASSIGN_OR_RETURN(auto table, take_batch(member.name, member.value, batch.arena, what, what + "."));
    batch.tables.push_back(std::move(table));
  }
  return {};
}

Result<service::DocumentRead> take_read(BytesView json, Arena& arena, const std::string& what) {
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<3>(json, {"table", "key", "version"}, what));
  service::DocumentRead read;
  ASSIGN_OR_RETURN(read.table, json_piece_string(pieces[0].value_or(""), arena, what + ".table"));
  ASSIGN_OR_RETURN(read.key, json_piece_string(pieces[1].value_or(""), arena, what + ".key"));
  ASSIGN_OR_RETURN(read.version, json_piece_string(pieces[2].value_or(""), arena, what + ".version"));
  return read;
}

// {"by_year": {"type": "number", "field": "year"}}
Result<std::vector<service::IndexRequest>> take_indexes(BytesView json, Arena& arena) {
  ASSIGN_OR_RETURN(const auto members, split_json_object(json, arena, "indexes"));
  std::vector<service::IndexRequest> indexes;
  for (const JsonMember& member : members) {
    const std::string what = fmt::format("indexes.{}", printable(member.name, 60));
    ASSIGN_OR_RETURN(const auto pieces, json_pieces<4>(member.value, {"name", "type", "field", "analyzer"}, what));
    service::IndexRequest index{.table = {}, .name = member.name, .field = {}, .type = {}};
    if (pieces[0]) {
      ASSIGN_OR_RETURN(const BytesView name, json_piece_string(*pieces[0], arena, what + ".name"));
      if (name != member.name) return invalid(what + ".name: is another name");
    }
    ASSIGN_OR_RETURN(index.type, json_piece_string(pieces[1].value_or(""), arena, what + ".type"));
    ASSIGN_OR_RETURN(index.field, json_piece_string(pieces[2].value_or(""), arena, what + ".field"));
    if (pieces[3]) {
      ASSIGN_OR_RETURN(index.analyzer, json_piece_string(*pieces[3], arena, what + ".analyzer"));
    }
    indexes.push_back(index);
  }
  return indexes;
}

}  // namespace

Result<TableBody> parse_table(BytesView name, BytesView body) {
  TableBody parsed;
  parsed.request.name = name;
  if (body.empty()) return parsed;
  RETURN_IF_ERROR(check_json_body(body));
  ASSIGN_OR_RETURN(const auto pieces,
                   json_pieces<4>(body, {"num_shards", "description", "schema", "indexes"}, body_name));
  if (pieces[0]) {
    ASSIGN_OR_RETURN(parsed.request.shards, json_piece_integer(*pieces[0], "num_shards"));
  }
  if (pieces[1]) {
    ASSIGN_OR_RETURN(parsed.request.description, json_piece_string(*pieces[1], parsed.arena, "description"));
  }
  parsed.request.schema = pieces[2];
  if (pieces[3]) {
    ASSIGN_OR_RETURN(parsed.request.indexes, take_indexes(*pieces[3], parsed.arena));
  }
  return parsed;
}

Result<BatchBody> parse_table_batch(BytesView table, BytesView body) {
  RETURN_IF_ERROR(check_json_body(body));
  BatchBody parsed;
  ASSIGN_OR_RETURN(auto batch, take_batch(table, body, parsed.arena, body_name, ""));
  if (batch.empty()) return invalid("the batch is empty: it needs inserts, deletes or transforms");
  parsed.tables.push_back(std::move(batch));
  return parsed;
}

Result<BatchBody> parse_batch(BytesView body) {
  RETURN_IF_ERROR(check_json_body(body));
  BatchBody parsed;
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<2>(body, {"tables", "sync_level"}, body_name));
  RETURN_IF_ERROR(take_sync_level(pieces[1], parsed.arena));
  RETURN_IF_ERROR(take_tables(pieces[0], parsed));
  if (parsed.tables.empty()) return invalid("the batch is empty: it needs tables");
  return parsed;
}

Result<CommitBody> parse_commit(BytesView body) {
  RETURN_IF_ERROR(check_json_body(body));
  CommitBody parsed;
  Arena& arena = parsed.batch.arena;
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<3>(body, {"read_set", "tables", "sync_level"}, body_name));
  RETURN_IF_ERROR(take_sync_level(pieces[2], arena));
  if (pieces[0]) {
    ASSIGN_OR_RETURN(const auto reads, split_json_array(*pieces[0], "read_set"));
    for (size_t i = 0; i < reads.size(); ++i) {
      ASSIGN_OR_RETURN(auto read, take_read(reads[i], arena, fmt::format("read_set[{}]", i)));
      parsed.reads.push_back(std::move(read));
    }
  }
  RETURN_IF_ERROR(take_tables(pieces[1], parsed.batch));
  if (parsed.reads.empty() && parsed.batch.tables.empty()) {
    return invalid("the transaction is empty: it needs a read_set or tables");
  }
  return parsed;
}

Result<MergeBody> parse_merge(BytesView table, BytesView body) {
  RETURN_IF_ERROR(check_json_body(body));
  MergeBody parsed;
  parsed.request.table = table;
  ASSIGN_OR_RETURN(const auto pieces,
                   json_pieces<5>(body, {"records", "last_merged_id", "dry_run", "final", "sync_level"}, body_name));
  RETURN_IF_ERROR(take_sync_level(pieces[4], parsed.arena));
  if (!pieces[0]) return invalid("records is required");
  ASSIGN_OR_RETURN(parsed.records, take_documents(*pieces[0], parsed.arena, "records"));
  if (pieces[1]) {
    ASSIGN_OR_RETURN(parsed.request.after, json_piece_string(*pieces[1], parsed.arena, "last_merged_id"));
  }
  ASSIGN_OR_RETURN(parsed.request.dry_run, flag_or(pieces[2], false, "dry_run"));
  ASSIGN_OR_RETURN(parsed.request.final, flag_or(pieces[3], false, "final"));
  parsed.request.records = parsed.records;
  return parsed;
}

Result<ScanBody> parse_scan(BytesView body) {
  ScanBody parsed;
  if (body.empty()) return parsed;
  RETURN_IF_ERROR(check_json_body(body));
  ASSIGN_OR_RETURN(
      const auto pieces,
      json_pieces<7>(body, {"from", "to", "inclusive_from", "exclusive_to", "fields", "limit", "filter_query"},
                     body_name));
  ASSIGN_OR_RETURN(const bool inclusive_from, flag_or(pieces[2], false, "inclusive_from"));
  ASSIGN_OR_RETURN(const bool exclusive_to, flag_or(pieces[3], false, "exclusive_to"));
  if (pieces[0]) {
    ASSIGN_OR_RETURN(const BytesView from, json_piece_string(*pieces[0], parsed.arena, "from"));
    // "" is before every key.
    if (!from.empty()) parsed.request.range.begin = service::KeyBound{from, inclusive_from};
  }
  if (pieces[1]) {
    ASSIGN_OR_RETURN(const BytesView to, json_piece_string(*pieces[1], parsed.arena, "to"));
    // And no bound either: clients send it for one that is not set.
    if (!to.empty()) parsed.request.range.end = service::KeyBound{to, !exclusive_to};
  }
  if (pieces[4]) {
    ASSIGN_OR_RETURN(const auto items, split_json_array(*pieces[4], "fields"));
    std::vector<std::string_view> fields;
    for (const BytesView item : items) {
      ASSIGN_OR_RETURN(const BytesView field, json_piece_string(item, parsed.arena, "each of fields"));
      fields.push_back(field);
    }
    if (!fields.empty()) {
      ASSIGN_OR_RETURN(parsed.fields, service::Projection::parse(fields));
    }
  }
  if (pieces[5]) {
    ASSIGN_OR_RETURN(const int64_t limit, json_piece_integer(*pieces[5], "limit"));
    if (limit < 0) return invalid("limit must be 0, for none, or more");
    parsed.request.limit = static_cast<uint64_t>(limit);
  }
  parsed.request.filter = pieces[6];
  return parsed;
}

}  // namespace strata::rest
