#include "faces/rest/document_query_body.h"

#include <fmt/format.h>

#include "faces/rest/json_pieces.h"

namespace strata::rest {
namespace {

constexpr std::string_view body_name = "the body";

bool starts(const JsonPiece& piece, char c) { return piece && !piece->empty() && piece->front() == c; }

// {"year": true} (true: descending) or [{"field": "year", "desc": true}].
Result<std::vector<service::QueryOrder>> take_order(BytesView json, Arena& arena) {
  std::vector<service::QueryOrder> order;
  if (starts(json, '[')) {
    ASSIGN_OR_RETURN(const auto items, split_json_array(json, "order_by"));
    for (size_t i = 0; i < items.size(); ++i) {
      const std::string where = fmt::format("order_by[{}]", i);
      ASSIGN_OR_RETURN(const auto pieces, json_pieces<2>(items[i], {"field", "desc"}, where));
      service::QueryOrder key;
      ASSIGN_OR_RETURN(key.by, json_piece_string(pieces[0].value_or(""), arena, where + ".field"));
      if (pieces[1]) {
        ASSIGN_OR_RETURN(key.descending, json_piece_bool(*pieces[1], where + ".desc"));
      }
      order.push_back(key);
    }
    return order;
  }
  ASSIGN_OR_RETURN(const auto members, split_json_object(json, arena, "order_by"));
  for (const JsonMember& member : members) {
    ASSIGN_OR_RETURN(const bool descending, json_piece_bool(member.value, fmt::format("order_by.{}", member.name)));
    order.push_back({member.name, descending});
  }
  return order;
}

// {"by_status": {"type": "terms", "field": "status", "size": 10}}
Result<std::vector<service::QueryAggregation>> take_aggregations(BytesView json, Arena& arena) {
  std::vector<service::QueryAggregation> found;
  ASSIGN_OR_RETURN(const auto members, split_json_object(json, arena, "aggregations"));
  for (const JsonMember& member : members) {
    const std::string where = fmt::format("aggregations.{}", printable(member.name, 60));
    ASSIGN_OR_RETURN(const auto pieces, json_pieces<3>(member.value, {"type", "field", "size"}, where));
    service::QueryAggregation asked{.name = member.name};
    ASSIGN_OR_RETURN(asked.type, json_piece_string(pieces[0].value_or(""), arena, where + ".type"));
    ASSIGN_OR_RETURN(asked.field, json_piece_string(pieces[1].value_or(""), arena, where + ".field"));
    if (pieces[2]) {
      ASSIGN_OR_RETURN(asked.size, json_piece_integer(*pieces[2], where + ".size"));
    }
    found.push_back(asked);
  }
  return found;
}

}  // namespace

Result<QueryBody> parse_query(BytesView table, BytesView body) {
  QueryBody parsed;
  service::DocumentQuery& request = parsed.request;
  request.table = table;
  if (body.empty()) return parsed;
  RETURN_IF_ERROR(check_json_body(body));
  ASSIGN_OR_RETURN(const auto pieces,
                   json_pieces<12>(body,
                                   {"full_text_search", "filter_query", "exclusion_query", "filter_prefix", "fields",
                                    "order_by", "limit", "offset", "cursor", "count", "aggregations", "explain"},
                                   body_name));
  request.full_text_search = pieces[0];
  request.filter_query = pieces[1];
  request.exclusion_query = pieces[2];
  if (pieces[3]) {
    ASSIGN_OR_RETURN(request.key_prefix, json_piece_string(*pieces[3], parsed.arena, "filter_prefix"));
  }
  if (pieces[4]) {
    ASSIGN_OR_RETURN(const auto items, split_json_array(*pieces[4], "fields"));
    for (const BytesView item : items) {
      ASSIGN_OR_RETURN(const BytesView field, json_piece_string(item, parsed.arena, "each of fields"));
      request.fields.push_back(field);
    }
  }
  if (pieces[5]) {
    ASSIGN_OR_RETURN(request.order, take_order(*pieces[5], parsed.arena));
  }
  if (pieces[6]) {
    ASSIGN_OR_RETURN(request.limit, json_piece_integer(*pieces[6], "limit"));
  }
  if (pieces[7]) {
    ASSIGN_OR_RETURN(request.offset, json_piece_integer(*pieces[7], "offset"));
  }
  if (pieces[8]) {
    ASSIGN_OR_RETURN(request.cursor, json_piece_string(*pieces[8], parsed.arena, "cursor"));
  }
  if (pieces[9]) {
    ASSIGN_OR_RETURN(const bool count, json_piece_bool(*pieces[9], "count"));
    if (count) request.limit = 0;
  }
  if (pieces[10]) {
    ASSIGN_OR_RETURN(request.aggregations, take_aggregations(*pieces[10], parsed.arena));
  }
  if (pieces[11]) {
    ASSIGN_OR_RETURN(parsed.explain, json_piece_bool(*pieces[11], "explain"));
  }
  return parsed;
}

Result<IndexBody> parse_index(BytesView table, BytesView body) {
  IndexBody parsed;
  parsed.request.table = table;
  RETURN_IF_ERROR(check_json_body(body));
  ASSIGN_OR_RETURN(const auto pieces, json_pieces<4>(body, {"name", "field", "type", "analyzer"}, body_name));
  ASSIGN_OR_RETURN(parsed.request.name, json_piece_string(pieces[0].value_or(""), parsed.arena, "name"));
  ASSIGN_OR_RETURN(parsed.request.field, json_piece_string(pieces[1].value_or(""), parsed.arena, "field"));
  ASSIGN_OR_RETURN(parsed.request.type, json_piece_string(pieces[2].value_or(""), parsed.arena, "type"));
  if (pieces[3]) {
    ASSIGN_OR_RETURN(parsed.request.analyzer, json_piece_string(*pieces[3], parsed.arena, "analyzer"));
  }
  return parsed;
}

}  // namespace strata::rest
