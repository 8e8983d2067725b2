// Lockstep: mapped ranges. By the reference one is a range read of the index and a range read for each of its rows.
#include <algorithm>

#include "model/lockstep.h"
#include "tuple/tuple.h"

namespace strata::model {
namespace {

using tuple::Element;
using tuple::Text;
using tuple::Tuple;

struct MappedCall {
  // Of a key, or of a value: its element at 1, put behind "r".
  bool by_value;
  bool is_range;
  Bytes mapper() const {
    Tuple tuple = Tuple::of(Text("r"), Text(by_value ? "{V[1]}" : "{K[1]}"));
    if (is_range) tuple.add(Text("{...}"));
    return tuple.pack();
  }
  Result<KeyRange> target(const Bytes& key, const Bytes& value) const {
    const Result<Tuple> source = Tuple::unpack(by_value ? value : key);
    if (!source.ok()) return by_value ? ErrorCode::value_not_tuple : ErrorCode::key_not_tuple;
    if (source->size() < 2) return ErrorCode::mapper_bad_index;
    const Bytes packed = Tuple::of(Text("r"), (*source)[1]).pack();
    return KeyRange{packed, is_range ? *prefix_end(packed) : key_after(packed)};
  }
};

void show_row(Bytes& out, const Bytes& key, const Bytes& value, const KeyRange& range, const Page& rows) {
  const auto add = [&out](const Bytes& part) { out += " " + std::to_string(part.size()) + ":" + part; };
  for (const Bytes* part : {&key, &value, &range.begin, &range.end}) add(*part);
  for (const auto& row : rows.rows) {
    add(row.first);
    add(row.second);
  }
  out += ";";
}

Bytes show_answer(const Result<kv::MappedPage>& page) {
  if (!page.ok()) return "error " + Bytes(error_name(page.error().code()));
  Bytes out = page->more ? "more" : "all";
  for (const kv::MappedRow& row : page->rows) {
    Page rows;
    for (size_t i = 0; i < row.rows.size(); ++i) rows.rows.emplace_back(row.rows.key(i), row.rows.value(i));
    show_row(out, row.key, row.value, row.range, rows);
  }
  return out;
}

// Each read leaves its conflict range in the reference, as it does in the transaction.
Result<Bytes> expected_answer(ReferenceTransaction& reference, const MappedCall& call, const KeyRange& index,
                              const kv::RangeOptions& options) {
  const auto read = [&reference](const KeyRange& range, const kv::RangeOptions& with) {
    return reference.get_range(KeySelector::first_greater_or_equal(range.begin),
                               KeySelector::first_greater_or_equal(range.end), with, false);
  };
  ASSIGN_OR_RETURN(const Page page, read(index, options));
  Bytes out = page.more ? "more" : "all";
  kv::RangeOptions all;
  all.mode = kv::StreamingMode::exact;
  all.target_bytes = 1'000'000;
  for (const auto& [key, value] : page.rows) {
    ASSIGN_OR_RETURN(const KeyRange target, call.target(key, value));
    ASSIGN_OR_RETURN(const Page rows, read(target, all));
    if (rows.more) return ErrorCode::mapped_range_has_more;
    show_row(out, key, value, target, rows);
  }
  return out;
}

}  // namespace

void Lockstep::read_mapped() {
  const MappedCall call{random_.one_in(2), random_.one_in(2)};
  const Bytes prefix = Tuple::of(Text("i")).pack();
  const KeyRange index = random_.one_in(6) ? workload_.range(existing()) : KeyRange{prefix, *prefix_end(prefix)};
  kv::RangeOptions options = workload_.range_options();
  if (!page_limits(options).ok()) options = {};
  trace("mapped range " + printable(index.begin, 40) + " " + printable(index.end, 40) + " " + describe(options));
  ++counts_.reads;
  const Bytes mapper = call.mapper();
  const auto ask = [&](const kv::Transaction& transaction) {
    return show_answer(transaction
                           .get_mapped_range(KeySelector::first_greater_or_equal(index.begin),
                                             KeySelector::first_greater_or_equal(index.end), mapper, options)
                           .get());
  };
  const Bytes subject = ask(slot().subject);
  const Bytes oracle = ask(slot().oracle);
  ReferenceTransaction& reference = slot().reference;
  if (!reference.unreadable() &&
      (reference.has_writes() || !reference.reads_your_writes() || reference.has_bad_version())) {
    // What own writes touch is refused, and where that is seen is the engine's affair: it must be the same place.
    expect_same(subject, subject, oracle);
    return reset();
  }
  counts_.mapped_rows += static_cast<uint64_t>(std::count(oracle.begin(), oracle.end(), ';'));
  const Result<Bytes> expected = reference.unreadable() ? Result<Bytes>(*reference.unreadable())
                                                        : expected_answer(reference, call, index, options);
  expect_same(expected.ok() ? *expected : "error " + Bytes(error_name(expected.error().code())), subject, oracle);
}

}  // namespace strata::model
