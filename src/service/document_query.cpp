#include "service/document_query.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/timer.h"
#include "layers/documents/document_text.h"
#include "layers/documents/filter_parser.h"
#include "layers/documents/index_plan.h"
#include "layers/documents/index_values.h"
#include "layers/documents/indexes.h"
#include "service/document_internals.h"

namespace strata::service {

namespace {

using documents::FilterNode;
using documents::OrderKey;
using documents::Query;
using documents::Table;
using documents::TextStatistics;

// Above it a scan of the table is not slower than reading document by document.
constexpr size_t max_candidates = 100'000;
constexpr size_t documents_at_once = 256;
// Between two turns of other requests on the same thread.
constexpr size_t pages_a_turn = 4;
// Of an index, read in the transaction that a query begins with.
constexpr size_t ranges_at_once = 4;

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

// A part of a request with the parser that its elements live in.
struct ParsedPart {
  simdjson::dom::parser parser;
  std::optional<simdjson::dom::element> element;

  Result<void> parse(const std::optional<BytesView>& json, std::string_view name) {
    if (!json) return {};
    // Names that come twice, numbers that fit nowhere.
    const auto checked = documents::parse_json(*json);
    if (!checked.ok()) return invalid(fmt::format("{}: {}", name, checked.error().message()));
    simdjson::dom::element found;
    if (parser.parse(json->data(), json->size(), true).get(found) != simdjson::SUCCESS) {
      return invalid(fmt::format("{}: is not JSON", name));
    }
    element = found;
    return {};
  }
};

Result<documents::Filter> filter_of(const DocumentQuery& request, const Table& table) {
  ParsedPart search;
  ParsedPart filter;
  ParsedPart exclusion;
  RETURN_IF_ERROR(search.parse(request.full_text_search, "full_text_search"));
  RETURN_IF_ERROR(filter.parse(request.filter_query, "filter_query"));
  RETURN_IF_ERROR(exclusion.parse(request.exclusion_query, "exclusion_query"));
  return documents::parse_filter_parts(
      {.full_text_search = search.element, .filter_query = filter.element, .exclusion_query = exclusion.element},
      documents::field_analyzers(table.indexes));
}

Result<std::vector<OrderKey>> order_of(const DocumentQuery& request) {
  std::vector<OrderKey> order;
  if (request.order.size() > documents::max_order_keys) return invalid("order_by: has more than 16 fields");
  for (const QueryOrder& asked : request.order) {
    OrderKey key{.descending = asked.descending};
    if (asked.by == "_score") {
      key.by = OrderKey::By::score;
    } else if (asked.by == "_id") {
      key.by = OrderKey::By::key;
    } else {
      auto path = documents::DocumentPath::parse(asked.by);
      if (!path.ok()) return invalid("order_by: " + std::string(path.error().message()));
      key.by = OrderKey::By::field;
      key.field = *std::move(path);
    }
    order.push_back(std::move(key));
  }
  if (order.empty()) order.push_back({.by = OrderKey::By::score, .descending = true});
  return order;
}

Result<std::vector<documents::Aggregation>> aggregations_of(const DocumentQuery& request) {
  std::vector<documents::Aggregation> found;
  if (request.aggregations.size() > documents::max_aggregations) return invalid("aggregations: more than 64");
  for (const QueryAggregation& asked : request.aggregations) {
    const std::string where = fmt::format("aggregations.{}.", printable(asked.name, 60));
    const auto type = documents::find_aggregation_type(asked.type);
    if (!type) return invalid(where + "type: must be terms, stats, count, min, max, sum, avg or cardinality");
    auto field = documents::DocumentPath::parse(asked.field);
    if (!field.ok()) return invalid(where + "field: " + std::string(field.error().message()));
    if (asked.size < 1 || asked.size > 10'000) return invalid(where + "size: must be 1 to 10000");
    found.push_back({std::string(asked.name), *type, *std::move(field), static_cast<size_t>(asked.size)});
  }
  return found;
}

Result<Query> query_of(const DocumentQuery& request, const Table& table) {
  Query query;
  ASSIGN_OR_RETURN(query.filter, filter_of(request, table));
  ASSIGN_OR_RETURN(query.fields, documents::Projection::parse(request.fields));
  ASSIGN_OR_RETURN(query.order, order_of(request));
  ASSIGN_OR_RETURN(query.aggregations, aggregations_of(request));
  const auto in_bounds = [](int64_t number) {
    return number >= 0 && number <= static_cast<int64_t>(documents::max_query_hits);
  };
  if (!in_bounds(request.limit)) return invalid("limit: must be 0 to 10000");
  if (!in_bounds(request.offset) || !in_bounds(request.offset + request.limit)) {
    return invalid("offset: offset and limit together must be 0 to 10000; go on with cursor");
  }
  query.limit = static_cast<size_t>(request.limit);
  query.offset = static_cast<size_t>(request.offset);
  if (request.cursor) {
    if (query.offset > 0) return invalid("offset: cannot be combined with cursor");
    ASSIGN_OR_RETURN(query.after, documents::QueryCursor::decode(*request.cursor, query.order));
  }
  return query;
}

bool is_fulltext(const documents::IndexDefinition& index) { return index.type == documents::IndexType::fulltext; }

// What the fulltext indexes know of the words of text clauses.
struct Statistics {
  std::vector<std::unique_ptr<TextStatistics>> owned;

  Result<void> read(const kv::ReadTransaction& transaction, const Table& table, const FilterNode& node) {
    for (const auto* children : {&node.must, &node.should}) {
      for (const FilterNode& child : *children) RETURN_IF_ERROR(read(transaction, table, child));
    }
    if (!node.is_text() || !node.field) return {};
    for (const documents::IndexDefinition& index : table.indexes) {
      const bool fits = index.type == documents::IndexType::fulltext && index.field == *node.field &&
                        index.state == documents::IndexState::ready && index.analyzer == node.analyzer;
      if (!fits) continue;
      auto found = std::make_unique<TextStatistics>();
      ASSIGN_OR_RETURN(found->all, documents::read_statistics(transaction, table.prefix, index.id));
      const auto count = [&](std::string_view word) -> Result<void> {
        ASSIGN_OR_RETURN(const uint64_t containing,
                         documents::read_frequency(transaction, table.prefix, index.id, documents::term_value(word)));
        found->containing.push_back(containing);
        return {};
      };
      for (const auto& word : node.words) RETURN_IF_ERROR(count(word.alternatives.front()));
      if (node.type == documents::FilterType::term) RETURN_IF_ERROR(count(node.text));
      if (owned.size() <= node.index) owned.resize(node.index + 1);
      owned[node.index] = std::move(found);
    }
    return {};
  }

  std::vector<const TextStatistics*> views() const {
    std::vector<const TextStatistics*> found;
    for (const auto& one : owned) found.push_back(one.get());
    return found;
  }
};

// The keys of the documents that entries of an index tell of.
Result<void> append_keys(const kv::RangePage& page, size_t prefix_bytes, std::vector<Bytes>& keys) {
  for (size_t i = 0; i < page.rows.size(); ++i) {
    ASSIGN_OR_RETURN(const BytesView key, documents::key_behind_value(page.rows.key(i).substr(prefix_bytes)));
    keys.emplace_back(key);
  }
  return {};
}

// Each once, in order, without what cannot match.
void tidy(std::vector<Bytes>& keys, BytesView key_prefix) {
  std::ranges::sort(keys);
  const auto rest = std::ranges::unique(keys);
  keys.erase(rest.begin(), rest.end());
  std::erase_if(keys, [&](const Bytes& key) {
    return !key.starts_with(key_prefix) || key.empty() || key.size() > documents::max_document_key_bytes;
  });
}

using Found = std::vector<std::optional<documents::StoredDocument>>;

// Those of keys from begin on, fewer if they are large, at least one.
Result<Found> read_some(const kv::ReadTransaction& transaction, const Table& table, std::span<const Bytes> keys) {
  Found found;
  size_t bytes = 0;
  for (size_t i = 0; i < std::min(keys.size(), documents_at_once) && bytes < documents::max_document_bytes; ++i) {
    ASSIGN_OR_RETURN(auto one, documents::read_document(transaction, table, keys[i]));
    bytes += one ? one->text.size() : 0;
    found.push_back(std::move(one));
  }
  return found;
}

}  // namespace

// What the first transaction of a query tells; of one whose indexes propose few documents that is all.
struct DocumentQueries::Begun {
  Table table;
  Query query;
  Statistics statistics;
  std::optional<documents::IndexPlan> plan;
  // Of all candidates, and the first of their documents; nullopt: there is no plan, or they are many.
  std::optional<std::vector<Bytes>> keys;
  Found found;

  Result<void> read(const kv::ReadTransaction& transaction, const DocumentQuery& request) {
    ASSIGN_OR_RETURN(table, table_or_error(transaction, request.table));
    ASSIGN_OR_RETURN(query, query_of(request, table));
    if (std::ranges::any_of(table.indexes, is_fulltext)) {
      RETURN_IF_ERROR(statistics.read(transaction, table, query.filter.root()));
    }
    plan = documents::plan_filter(query.filter, table.prefix, table.indexes);
    if (!plan || plan->ranges.size() > ranges_at_once) return {};
    std::vector<Bytes> few(plan->keys.begin(), plan->keys.end());
    for (const documents::IndexRange& range : plan->ranges) {
      ASSIGN_OR_RETURN(const kv::RangePage page,
                       transaction
                           .get_range(range.range.begin, range.range.end,
                                      {.limit = documents_at_once + 1, .mode = kv::StreamingMode::want_all})
                           .get());
      if (page.more || few.size() + page.rows.size() > documents_at_once) return {};
      RETURN_IF_ERROR(append_keys(page, range.prefix_bytes, few));
    }
    tidy(few, request.key_prefix);
    ASSIGN_OR_RETURN(found, read_some(transaction, table, few));
    keys = std::move(few);
    return {};
  }
};

// One query under way.
struct DocumentQueries::Run {
  const kv::Database& database;
  Clock& clock;
  const Context& context;
  const Table& table;
  const DocumentQuery& request;
  documents::QueryCollector& collector;
  uint64_t examined = 0;
  size_t pages = 0;

  // A transaction at a version of its own, on the table that the query began with.
  template <class Body>
  auto read(Body body) -> std::invoke_result_t<Body&, const kv::ReadTransaction&> {
    if (++pages % pages_a_turn == 0) RETURN_IF_ERROR(give_way());
    return run_transaction(
        database, context, clock, kv::Durability::engine_default,
        [&](kv::Transaction& transaction) -> std::invoke_result_t<Body&, const kv::ReadTransaction&> {
          const kv::ReadTransaction snapshot = transaction.snapshot();
          ASSIGN_OR_RETURN(const Table now, table_or_error(snapshot, table.name));
          if (now.number != table.number) return no_such_table(table.name);
          return body(snapshot);
        });
  }

  // Keys of the plan's entries, each once, in order; nullopt: too many.
  Result<std::optional<std::vector<Bytes>>> candidates(const documents::IndexPlan& plan) {
    std::vector<Bytes> keys(plan.keys.begin(), plan.keys.end());
    for (const documents::IndexRange& range : plan.ranges) {
      Bytes begin = range.range.begin;
      for (bool more = true; more;) {
        ASSIGN_OR_RETURN(
            const kv::RangePage page, read([&](const kv::ReadTransaction& transaction) {
              return transaction.get_range(begin, range.range.end, {.mode = kv::StreamingMode::want_all}).get();
            }));
        RETURN_IF_ERROR(append_keys(page, range.prefix_bytes, keys));
        if (keys.size() > max_candidates) return std::optional<std::vector<Bytes>>();
        more = page.more && !page.rows.empty();
        if (more) begin = key_after(page.rows.key(page.rows.size() - 1));
      }
    }
    tidy(keys, request.key_prefix);
    return std::optional(std::move(keys));
  }

  // found: of the first keys, read already.
  Result<void> read_candidates(std::span<const Bytes> keys, Found found) {
    for (;;) {
      for (size_t i = 0; i < found.size(); ++i) {
        if (found[i]) RETURN_IF_ERROR(add(keys[i], std::move(found[i]->text)));
      }
      keys = keys.subspan(found.size());
      if (keys.empty()) return {};
      ASSIGN_OR_RETURN(
          found, read([&](const kv::ReadTransaction& transaction) { return read_some(transaction, table, keys); }));
    }
  }

  Result<void> scan() {
    Bytes after;
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(const auto page, read([&](const kv::ReadTransaction& transaction) {
                         documents::DocumentRange range;
                         if (!after.empty()) {
                           range.begin = documents::KeyBound{after, false};
                         } else if (!request.key_prefix.empty()) {
                           range.begin = documents::KeyBound{request.key_prefix, true};
                         }
                         return documents::read_page(transaction, table, range, 0);
                       }));
      for (const auto& entry : page.entries()) {
        if (!entry.key.starts_with(request.key_prefix)) return {};
        RETURN_IF_ERROR(add(entry.key, entry.text));
      }
      more = page.more() && !page.entries().empty();
      if (more) after = page.entries().back().key;
    }
    return {};
  }

  template <class Text>
  Result<void> add(BytesView key, Text&& text) {
    ++examined;
    return collector.add(key, std::forward<Text>(text));
  }
};

Result<QueryAnswer> DocumentQueries::query(const Context& context, const DocumentQuery& request) {
  const int64_t begin_us = clock_.steady_us();
  const auto begin = [&](kv::Transaction& transaction) -> Result<std::unique_ptr<Begun>> {
    auto begun = std::make_unique<Begun>();
    RETURN_IF_ERROR(begun->read(transaction.snapshot(), request));
    return begun;
  };
  ASSIGN_OR_RETURN(const std::unique_ptr<Begun> begun,
                   run_transaction(database_, context, clock_, kv::Durability::engine_default, begin));
  Query& query = begun->query;
  query.statistics = begun->statistics.views();

  documents::QueryCollector collector(query, [&]() -> Result<void> {
    RETURN_IF_ERROR(give_way());
    RETURN_IF_ERROR(timeout_ms(context, clock_));
    return {};
  });
  Run run{database_, clock_, context, begun->table, request, collector};
  QueryAnswer answer;
  std::optional<std::vector<Bytes>>& keys = begun->keys;
  if (begun->plan) {
    if (!keys) {
      ASSIGN_OR_RETURN(keys, run.candidates(*begun->plan));
    }
    if (keys) answer.indexes = begun->plan->indexes;
  }
  RETURN_IF_ERROR(keys ? run.read_candidates(*keys, std::move(begun->found)) : run.scan());
  answer.result = collector.finish();
  if (answer.result.next) answer.next_cursor = answer.result.next->encode(query.order);
  answer.aggregations = std::move(query.aggregations);
  answer.examined = run.examined;
  answer.took_us = clock_.steady_us() - begin_us;
  return answer;
}

}  // namespace strata::service
