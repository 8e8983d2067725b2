// The small answers of a leader: where its log ends, which namespaces it has.
#include <fmt/format.h>
#include <simdjson.h>

#include "layers/records/follow_rows.h"
#include "layers/records/namespaces.h"
#include "service/leader_records.h"

namespace strata::service {
namespace {

Error refuse(std::string_view what) {
  return Error(ErrorCode::invalid_argument, fmt::format("an answer of the leader is not understood: {}", what));
}

}  // namespace

Result<records::LogPosition> parse_leader_position(Bytes body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  records::LogPosition position;
  if (parser.parse(body).get(object) || object["segmentId"].get(position.segment) ||
      object["offset"].get(position.offset)) {
    return refuse("no position");
  }
  return position;
}

Result<void> parse_leader_namespaces(Bytes body, std::vector<LeaderNamespace>& namespaces) {
  simdjson::dom::parser parser;
  simdjson::dom::array entries;
  if (parser.parse(body)["namespaces"].get(entries)) return refuse("no list of namespaces");
  for (const simdjson::dom::element entry : entries) {
    std::string_view name;
    std::string_view log_id;
    if (entry["name"].get(name) || entry["logId"].get(log_id)) return refuse("a namespace without name or logId");
    RETURN_IF_ERROR(records::validate_namespace_name(name));
    if (log_id.empty() || log_id.size() > records::max_log_id_bytes) return refuse("the id of a log");
    // Each page begins behind the one before, so that the pages end.
    if (!namespaces.empty() && name <= namespaces.back().name) return refuse("namespaces out of order");
    namespaces.push_back({std::string(name), std::string(log_id)});
  }
  return {};
}

}  // namespace strata::service
