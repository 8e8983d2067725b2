// Lockstep: the loop, the reads and the writes. Commits and what follows from them are in lockstep_commit.cpp.
#include "model/lockstep.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::model {
namespace {

constexpr kv::Version memory_first_version = 1'000'000;
constexpr size_t trace_lines = 1'500;

Bytes show(const std::optional<Bytes>& value) { return value ? "=" + *value : Bytes("absent"); }
Bytes show(const Bytes& key) { return "=" + key; }
Bytes show(const Page& page) {
  Bytes out = fmt::format("{} rows, more {}", page.rows.size(), page.more);
  for (const auto& [key, value] : page.rows) {
    out += fmt::format(" {}:", key.size()) + key + fmt::format(" {}:", value.size()) + value;
  }
  return out;
}
Bytes show(const kv::RangePage& page) {
  Page copy;
  copy.more = page.more;
  for (size_t i = 0; i < page.rows.size(); ++i) copy.rows.emplace_back(page.rows.key(i), page.rows.value(i));
  return show(copy);
}

template <class T>
Bytes show_result(const Result<T>& result) {
  if (!result.ok()) return "error " + Bytes(error_name(result.error().code()));
  return show(*result);
}
Bytes show_result(const Result<void>& result) {
  return result.ok() ? Bytes("ok") : "error " + Bytes(error_name(result.error().code()));
}

void give(kv::Transaction& transaction, const Write& write) {
  switch (write.type) {
    case MutationType::set:
      return transaction.set(write.key, write.value);
    case MutationType::clear:
      return transaction.clear(write.key);
    case MutationType::clear_range:
      return transaction.clear_range(write.key, write.value);
    default:
      return transaction.mutate(write.type, write.key, write.value);
  }
}

}  // namespace

Lockstep::Lockstep(Subject& subject, const LockstepOptions& options)
    : subject_(subject),
      options_(options),
      random_(options.seed),
      workload_(random_),
      oracle_clock_version_(memory_first_version) {
  kv::MemoryEngineOptions memory;
  memory.clock = &oracle_clock_;
  memory.seed = options.seed;
  oracle_engine_ = std::make_shared<kv::MemoryEngine>(memory);
  // Past what the memory engine starts with: commits are at the subject's versions.
  subject_.clock().advance_us(2'000'000);
  open_databases();
  open_slots();
}

Lockstep::~Lockstep() = default;

void Lockstep::open_databases() {
  kv::DatabaseOptions options;
  options.clock = &transaction_clock_;
  options.random_seed = options_.seed;
  options.max_retry_delay_ms = 0;
  subject_database_.emplace(subject_.engine(), options);
  oracle_database_.emplace(oracle_engine_, options);
}

void Lockstep::open_slots() {
  for (size_t i = 0; i < options_.open_transactions; ++i) {
    slots_.push_back({subject_database_->create_transaction(),
                      oracle_database_->create_transaction(),
                      ReferenceTransaction(store_, transaction_clock_),
                      {},
                      {},
                      {}});
  }
}

std::optional<std::string> Lockstep::run() {
  for (; counts_.operations < options_.operations && !failure_; ++counts_.operations) {
    current_ = random_.below(slots_.size());
    step();
    if (!failure_ && counts_.operations % 2'000 == 1'999) compare_all();
    if (!failure_ && counts_.operations % 20'000 == 19'999 && subject_.can_reopen()) reopen();
  }
  if (!failure_) compare_all();
  return failure_;
}

void Lockstep::step() {
  struct Choice {
    uint64_t weight;
    void (Lockstep::*call)();
  };
  static constexpr Choice choices[] = {{420, &Lockstep::read},
                                       {300, &Lockstep::write},
                                       {100, &Lockstep::commit},
                                       {20, &Lockstep::watch},
                                       {20, &Lockstep::add_conflict_range},
                                       {20, &Lockstep::check_watches},
                                       {15, &Lockstep::set_option},
                                       {12, &Lockstep::set_read_version},
                                       {10, &Lockstep::reset},
                                       {10, &Lockstep::estimate},
                                       {10, &Lockstep::approximate_size},
                                       {10, &Lockstep::ask_versionstamp},
                                       {10, &Lockstep::let_time_pass},
                                       {8, &Lockstep::on_error},
                                       {4, &Lockstep::write_refused},
                                       {25, &Lockstep::read_mapped},
                                       {3, &Lockstep::cancel}};
  static const uint64_t total = [] {
    uint64_t sum = 0;
    for (const Choice& choice : choices) sum += choice.weight;
    return sum;
  }();
  subject_.clock().advance_us(static_cast<int64_t>(random_.below(300)));
  transaction_clock_.advance_us(100);
  reset_if_old();
  // One that failed or is over is of little use: mostly it starts anew.
  if (slot().reference.is_done() && !random_.one_in(6)) {
    if (random_.one_in(2)) return on_error();
    return reset();
  }
  uint64_t draw = random_.below(total);
  for (const Choice& choice : choices) {
    if (draw < choice.weight) return (this->*choice.call)();
    draw -= choice.weight;
  }
}

void Lockstep::trace(std::string call) {
  trace_.push_back(fmt::format("{} [{}] {}", counts_.operations, current_, call));
  if (trace_.size() > trace_lines) trace_.pop_front();
}

void Lockstep::fail(const std::string& what) {
  if (failure_) return;
  std::string message =
      fmt::format("seed {}, operation {}: {}\nits calls and the commits (operation [transaction] call):", options_.seed,
                  counts_.operations, what);
  const std::string own = fmt::format("[{}]", current_);
  for (const std::string& line : trace_) {
    if (line.find(own) != std::string::npos || line.ends_with("commit")) message += "\n  " + line;
  }
  failure_ = message;
}

void Lockstep::expect_same(const Bytes& reference, const Bytes& subject, const Bytes& oracle) {
  if (reference == subject && reference == oracle) return;
  fail(fmt::format("answers differ\n  reference {}\n  subject   {}\n  memory    {}", printable(reference, 2'000),
                   printable(subject, 2'000), printable(oracle, 2'000)));
}

Lockstep::ReadCall Lockstep::random_read() {
  ReadCall call{};
  call.snapshot = random_.one_in(5);
  const uint64_t draw = random_.below(100);
  if (draw < 40) {
    call.kind = ReadCall::Kind::get;
    call.key = random_.one_in(100)   ? Bytes("\xff")
               : random_.one_in(300) ? Bytes(10'001, 'k')
                                     : workload_.key(existing());
  } else if (draw < 63) {
    call.kind = ReadCall::Kind::get_key;
    call.begin = workload_.selector(existing());
    if (random_.one_in(200)) call.begin.key = "\xff\xff";
  } else if (draw < 98) {
    call.kind = ReadCall::Kind::get_range;
    call.options = workload_.range_options();
    if (random_.one_in(4)) {
      call.begin = workload_.selector(existing());
      call.end = workload_.selector(existing());
    } else {
      const KeyRange range = random_.one_in(5) ? KeyRange{"", end_of_keys} : workload_.range(existing());
      call.begin = KeySelector::first_greater_or_equal(range.begin);
      call.end = KeySelector::first_greater_or_equal(range.end);
    }
    // Only where nothing else can be wrong: which error comes first is nobody's promise.
    if (!slot().reference.unreadable() && random_.one_in(100)) call.options.limit = -2;
  } else {
    // A version that was set to what cannot be read is answered as it was set.
    call.kind = slot().reference.has_bad_version() ? ReadCall::Kind::get : ReadCall::Kind::get_read_version;
  }
  if (call.kind == ReadCall::Kind::get_range && slot().reference.unreadable() && !page_limits(call.options).ok()) {
    call.options = {};
  }
  return call;
}

// The call, and where its answer can be had.
std::function<Bytes()> Lockstep::start(const kv::Transaction& transaction, const ReadCall& call) {
  const auto collect = [](auto future) {
    auto shared = std::make_shared<decltype(future)>(std::move(future));
    return [shared] { return show_result(shared->get()); };
  };
  const kv::ReadTransaction reads = call.snapshot ? transaction.snapshot() : kv::ReadTransaction(transaction);
  switch (call.kind) {
    case ReadCall::Kind::get:
      return collect(reads.get(call.key));
    case ReadCall::Kind::get_key:
      return collect(reads.get_key(call.begin));
    case ReadCall::Kind::get_range:
      return collect(reads.get_range(call.begin, call.end, call.options));
    case ReadCall::Kind::get_read_version:
      break;
  }
  auto version = std::make_shared<Future<kv::Version>>(reads.get_read_version());
  return [this, version] {
    const Result<kv::Version> answer = version->get();
    if (!answer.ok()) return show_result(Result<void>(answer.error()));
    return Bytes(std::to_string(store_.index_of(*answer)));
  };
}

Bytes Lockstep::answer_of_reference(const ReadCall& call) {
  ReferenceTransaction& reference = slot().reference;
  switch (call.kind) {
    case ReadCall::Kind::get:
      return show_result(reference.get(call.key, call.snapshot));
    case ReadCall::Kind::get_key:
      return show_result(reference.get_key(call.begin, call.snapshot));
    case ReadCall::Kind::get_range:
      return show_result(reference.get_range(call.begin, call.end, call.options, call.snapshot));
    case ReadCall::Kind::get_read_version:
      break;
  }
  const Result<size_t> index = reference.get_read_version();
  return index.ok() ? Bytes(std::to_string(*index)) : show_result(Result<void>(index.error()));
}

// One read, or several that are asked before the first is answered.
void Lockstep::read() {
  std::vector<ReadCall> calls(random_.one_in(5) ? 2 + random_.below(3) : 1);
  for (ReadCall& call : calls) {
    call = random_read();
    static constexpr const char* names[] = {"get", "get_key", "get_range", "get_read_version"};
    trace(fmt::format("{}{} \"{}\" {} {} {}", names[static_cast<int>(call.kind)], call.snapshot ? " snapshot" : "",
                      printable(call.key, 40), describe(call.begin), describe(call.end), describe(call.options)));
  }
  counts_.reads += calls.size();
  if (calls.size() > 1) slot().has_read_together = true;
  std::vector<std::function<Bytes()>> subject, oracle;
  for (const ReadCall& call : calls) subject.push_back(start(slot().subject, call));
  for (const ReadCall& call : calls) oracle.push_back(start(slot().oracle, call));
  for (size_t i = 0; i < calls.size() && !failure_; ++i) {
    Bytes reference = answer_of_reference(calls[i]);
    const Bytes answer = subject[i]();
    // At a version that cannot be read, what the transaction's own writes decide alone may still be answered.
    if (slot().reference.is_unsure()) reference = answer;
    expect_same(reference, answer, oracle[i]());
    if (failure_) *failure_ += "\nin " + std::to_string(i) + " of the last " + std::to_string(calls.size()) + " reads";
  }
}

void Lockstep::write() {
  for (uint64_t left = 1 + random_.below(3); left > 0; --left) {
    if (random_.one_in(40)) {
      trace("option: next write without a conflict range");
      slot().reference.hide_next_write();
      const int option = static_cast<int>(kv::TransactionOption::next_write_no_write_conflict_range);
      expect_same("ok", show_result(slot().subject.set_option(option)), show_result(slot().oracle.set_option(option)));
    }
    const Write write = workload_.write(existing());
    trace("write " + describe(write));
    ++counts_.writes;
    give(slot().subject, write);
    give(slot().oracle, write);
    slot().reference.write(write.type, write.key, write.value);
  }
}

void Lockstep::write_refused() {
  if (random_.one_in(5)) {
    trace("mutation of no type");
    const int type = random_.one_in(2) ? 3 : 99;
    slot().subject.mutate(type, "a", "x");
    slot().oracle.mutate(type, "a", "x");
    return slot().reference.refuse_write(ErrorCode::invalid_mutation_type);
  }
  const Write write = workload_.refused_write(existing());
  trace("refused write " + describe(write));
  give(slot().subject, write);
  give(slot().oracle, write);
  slot().reference.write(write.type, write.key, write.value);
}

void Lockstep::add_conflict_range() {
  KeyRange range = workload_.range(existing());
  if (random_.one_in(60)) std::swap(range.begin, range.end);
  if (random_.one_in(60)) range.end = "\xff\xff";
  Slot& at = slot();
  if (random_.one_in(2)) {
    trace("read conflict " + printable(range.begin, 40) + " " + printable(range.end, 40));
    const auto expected = at.reference.add_read_conflict(range.begin, range.end);
    expect_same(show_result(expected), show_result(at.subject.add_read_conflict_range(range.begin, range.end)),
                show_result(at.oracle.add_read_conflict_range(range.begin, range.end)));
  } else {
    trace("write conflict " + printable(range.begin, 40) + " " + printable(range.end, 40));
    const auto expected = at.reference.add_write_conflict(range.begin, range.end);
    expect_same(show_result(expected), show_result(at.subject.add_write_conflict_range(range.begin, range.end)),
                show_result(at.oracle.add_write_conflict_range(range.begin, range.end)));
  }
}

// Estimates are the engine's own; that they are estimates of the right thing is all that can be said.
void Lockstep::estimate() {
  KeyRange range = workload_.range(existing());
  if (random_.one_in(20)) std::swap(range.begin, range.end);
  trace("estimates of " + printable(range.begin, 40) + " " + printable(range.end, 40));
  const Result<void> expected = slot().reference.check_range(range.begin, range.end);
  for (kv::Transaction* transaction : {&slot().subject, &slot().oracle}) {
    const auto bytes = transaction->get_estimated_range_size_bytes(range.begin, range.end).get();
    const auto points = transaction->get_range_split_points(range.begin, range.end, 100).get();
    if (!expected.ok()) {
      expect_same(show_result(expected), bytes.ok() ? "ok" : show_result(Result<void>(bytes.error())),
                  points.ok() ? "ok" : show_result(Result<void>(points.error())));
      continue;
    }
    if (!bytes.ok()) return fail("an estimate answers " + show_result(Result<void>(bytes.error())));
    if (*bytes < 0) return fail("an estimate is below zero");
    if (!points.ok() || points->empty() || points->front() != range.begin || points->back() != range.end ||
        !std::is_sorted(points->begin(), points->end())) {
      return fail("split points are out of order, or do not hold both ends");
    }
  }
}

void Lockstep::approximate_size() {
  trace("approximate size");
  const auto subject = slot().subject.get_approximate_size().get();
  const auto oracle = slot().oracle.get_approximate_size().get();
  if (const auto error = slot().reference.unreadable()) {
    const auto shown = [](const Result<int64_t>& size) {
      return size.ok() ? Bytes("ok") : show_result(Result<void>(size.error()));
    };
    return expect_same(show_result(Result<void>(*error)), shown(subject), shown(oracle));
  }
  if (!subject.ok() || !oracle.ok()) return fail("a transaction without a size");
  // As for conflicting ranges: sizes depend on which of them touch.
  if (*subject != *oracle && !slot().has_read_together) return fail("sizes differ");
  if (slot().reference.has_writes() && *subject <= 0) fail("a transaction that writes has a size");
}

void Lockstep::let_time_pass() {
  const auto by_us = static_cast<int64_t>(random_.below(200'000));
  trace(fmt::format("{} us pass", by_us));
  subject_.clock().advance_us(by_us / 2);
  transaction_clock_.advance_us(by_us);
}

void Lockstep::compare_all() {
  trace("compare all");
  const auto rows_of = [](const kv::Database& database) -> Bytes {
    Page all;
    const kv::Transaction transaction = database.create_transaction();
    kv::RangeOptions options;
    options.mode = kv::StreamingMode::want_all;
    kv::RangeIterator rows(transaction, "", end_of_keys, options);
    while (rows.next()) all.rows.emplace_back(rows.key(), rows.value());
    return rows.status().ok() ? show(all) : show_result(rows.status());
  };
  Page expected;
  expected.rows.assign(existing().begin(), existing().end());
  expect_same(show(expected), rows_of(*subject_database_), rows_of(*oracle_database_));
}

}  // namespace strata::model
