// What the engine suites share: an engine of each kind with a clock that stands still, and commits in one line.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "conformance/engines.h"
#include "kv/atomic.h"

namespace strata::kv {

using Pairs = std::vector<std::pair<Bytes, Bytes>>;

// A CommitRequest; writes add their own conflict ranges.
class Writes {
 public:
  explicit Writes(Version read_version = invalid_version) { request_.read_version = read_version; }

  Writes& mutate(MutationType type, BytesView key, BytesView value) {
    request_.mutations.push_back({type, request_.arena.copy(key), request_.arena.copy(value)});
    return *this;
  }
  Writes& set(BytesView key, BytesView value) { return mutate(MutationType::set, key, value).writes(key); }
  Writes& clear(BytesView key) { return mutate(MutationType::clear, key, {}).writes(key); }
  Writes& clear_range(BytesView begin, BytesView end) {
    return mutate(MutationType::clear_range, begin, end).writes(begin, end);
  }
  Writes& atomic(MutationType type, BytesView key, BytesView operand) { return mutate(type, key, operand).writes(key); }
  Writes& writes(BytesView key) {
    request_.write_conflicts.push_back({request_.arena.copy(key), request_.arena.copy_key_after(key)});
    return *this;
  }
  Writes& writes(BytesView begin, BytesView end) {
    request_.write_conflicts.push_back({request_.arena.copy(begin), request_.arena.copy(end)});
    return *this;
  }
  Writes& reads(BytesView key) {
    request_.read_conflicts.push_back({request_.arena.copy(key), request_.arena.copy_key_after(key)});
    return *this;
  }
  Writes& reads(BytesView begin, BytesView end) {
    request_.read_conflicts.push_back({request_.arena.copy(begin), request_.arena.copy(end)});
    return *this;
  }
  Writes& durability(Durability durability) {
    request_.durability = durability;
    return *this;
  }
  std::shared_ptr<std::vector<uint32_t>> report_conflicts() {
    request_.conflicting = std::make_shared<std::vector<uint32_t>>();
    return request_.conflicting;
  }
  CommitRequest take() { return std::move(request_); }

 private:
  CommitRequest request_;
};

class EngineTest : public testing::TestWithParam<EngineKind> {
 protected:
  EngineTest()
      : opened_(open_engine(GetParam(), {.clock = &clock, .limits = {.watches = 20}})), engine(*opened_.engine) {}

  Version now() { return *engine.read_version().get(); }
  // Commits that must succeed.
  Committed commit(Writes& writes) {
    Result<Committed> committed = engine.commit(writes.take()).get();
    EXPECT_TRUE(committed.ok()) << (committed.ok() ? "" : committed.error().message());
    return committed.ok() ? *committed : Committed{};
  }
  Committed commit(Writes&& writes) { return commit(writes); }
  Committed put(BytesView key, BytesView value) { return commit(Writes().set(key, value)); }
  void put_both(BytesView value) { commit(Writes().set("left", value).set("right", value)); }
  template <class T>
  static std::string code(const Result<T>& result) {
    return result.ok() ? "ok" : std::string(error_name(result.error().code()));
  }
  std::string commit_code(Writes&& writes) { return commit_code(writes); }
  std::string commit_code(Writes& writes) { return code(engine.commit(writes.take()).get()); }

  std::optional<Bytes> get(BytesView key, Version version) {
    Result<std::optional<Bytes>> value = engine.get(key, version).get();
    EXPECT_TRUE(value.ok()) << (value.ok() ? "" : value.error().message());
    return value.ok() ? *value : std::nullopt;
  }
  std::optional<Bytes> get(BytesView key) { return get(key, now()); }

  RangePage page(RangeRequest request) {
    if (request.version == invalid_version) request.version = now();
    Result<RangePage> found = engine.range(request).get();
    EXPECT_TRUE(found.ok()) << (found.ok() ? "" : found.error().message());
    return found.ok() ? std::move(*found) : RangePage{};
  }
  Pairs rows(RangeRequest request) {
    const RangePage found = page(request);
    Pairs out;
    for (size_t i = 0; i < found.rows.size(); ++i) out.emplace_back(found.rows.key(i), found.rows.value(i));
    return out;
  }
  std::string keys(BytesView begin = "", BytesView end = "\xff", Version version = invalid_version) {
    std::string out;
    for (const auto& [key, value] : rows({.begin = begin, .end = end, .version = version})) out += key + " ";
    return out;
  }
  // After it, versions that were handed out before can no longer be read, once something was committed.
  void let_versions_expire() {
    clock.advance_us(engine.limits().read_lifetime_ms * 1'000 + 1);
    put("~expire", "");
    clock.advance_us(engine.limits().read_lifetime_ms * 1'000 + 1);
    put("~expire", "");
  }

  ManualClock clock;
  OpenEngine opened_;
  Engine& engine;
};

inline std::string engine_kind_name(const testing::TestParamInfo<EngineKind>& info) { return name_of(info.param); }

}  // namespace strata::kv
