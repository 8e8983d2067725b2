#include "kv/special_keys.h"

namespace strata::kv {
namespace {

using namespace std::string_view_literals;

constexpr BytesView root = "\xff\xff/"sv;
constexpr BytesView read_conflicts = "\xff\xff/transaction/read_conflict_range/"sv;
constexpr BytesView write_conflicts = "\xff\xff/transaction/write_conflict_range/"sv;
constexpr BytesView conflicting_keys = "\xff\xff/transaction/conflicting_keys/"sv;
constexpr BytesView modules[] = {conflicting_keys, read_conflicts, write_conflicts};

using Boundaries = std::map<Bytes, Bytes>;

void add_boundaries(BytesView module, const RangeSet& ranges, Boundaries& rows) {
  for (const auto& [begin, end] : ranges) {
    rows[Bytes(module) + Bytes(begin)] = "1";
    rows[Bytes(module) + Bytes(end)] = "0";
  }
}

Boundaries module_rows(TransactionState& state, BytesView module) {
  RangeSet ranges;
  if (module == read_conflicts) {
    for (const KeyRangeView& range : state.request.read_conflicts) ranges.add(range.begin, range.end);
  } else if (module == write_conflicts) {
    for (const KeyRangeView& range : state.request.write_conflicts) ranges.add(range.begin, range.end);
  } else {
    for (const KeyRange& range : state.conflicting) ranges.add(range.begin, range.end);
  }
  Boundaries rows;
  add_boundaries(module, ranges, rows);
  return rows;
}

std::optional<BytesView> module_of(BytesView key) {
  for (const BytesView module : modules) {
    if (key.starts_with(module)) return module;
  }
  return std::nullopt;
}

}  // namespace

bool is_special_key(BytesView key) { return key.starts_with(root); }

Result<std::optional<Bytes>> get_special_key(TransactionState& state, BytesView key) {
  const auto module = module_of(key);
  if (!module) return ErrorCode::special_keys_no_module_found;
  const Boundaries rows = module_rows(state, *module);
  const auto row = rows.find(Bytes(key));
  if (row == rows.end()) return std::optional<Bytes>();
  return std::optional<Bytes>(row->second);
}

Result<RangePage> get_special_range(TransactionState& state, const KeySelector& begin, const KeySelector& end,
                                    size_t limit_rows, bool reverse) {
  if (begin.offset != 1 || end.offset != 1) return ErrorCode::client_invalid_operation;
  const Bytes from = begin.or_equal ? key_after(begin.key) : begin.key;
  const Bytes to = end.or_equal ? key_after(end.key) : end.key;
  Boundaries rows;
  bool found = false;
  for (const BytesView module : modules) {
    const Bytes module_end = *prefix_end(module);
    if (from >= module_end || to <= module) continue;
    found = true;
    const bool crosses = from < module || to > module_end;
    if (crosses && !state.options.special_key_space_relaxed) return ErrorCode::special_keys_cross_module_read;
    rows.merge(module_rows(state, module));
  }
  if (!found) return ErrorCode::special_keys_no_module_found;
  RangePage page;
  const auto first = rows.lower_bound(from);
  const auto last = rows.lower_bound(to);
  const auto add = [&](const auto& row) {
    page.rows.append(row.first, row.second);
    page.more = limit_rows > 0 && page.rows.size() == limit_rows;
    return !page.more;
  };
  if (!reverse) {
    for (auto row = first; row != last && add(*row); ++row) {
    }
  } else {
    for (auto row = last; row != first && add(*std::prev(row)); --row) {
    }
  }
  return page;
}

}  // namespace strata::kv
