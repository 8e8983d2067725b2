// InterceptedEngine: an engine whose commits a test may see, answer otherwise, or surround with commits of others.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "kv/engine.h"

namespace strata::kv {

class InterceptedEngine final : public Engine {
 public:
  explicit InterceptedEngine(std::shared_ptr<Engine> target) : target_(std::move(target)) {}

  // Instead of the next commit; those that it makes itself are not intercepted. From one thread alone.
  void intercept(std::function<Result<Committed>(Engine& target, CommitRequest request)> commit) {
    commit_ = std::move(commit);
  }
  // The next commit happens, and nobody is told; then `others` do something.
  void lose_answer(std::function<void()> others = nullptr) {
    intercept([others = std::move(others)](Engine& target, CommitRequest request) -> Result<Committed> {
      const auto done = target.commit(std::move(request)).get();
      if (!done.ok()) return done.error();
      if (others) others();
      return ErrorCode::commit_unknown_result;
    });
  }
  // The next commit does not happen, and nobody is told.
  void lose_commit(std::function<void()> others = nullptr) {
    intercept([others = std::move(others)](Engine&, const CommitRequest&) -> Result<Committed> {
      if (others) others();
      return ErrorCode::commit_unknown_result;
    });
  }

  const Limits& limits() const override { return target_->limits(); }
  Future<Version> read_version() override { return target_->read_version(); }
  Future<std::optional<Bytes>> get(BytesView key, Version version) override { return target_->get(key, version); }
  Future<RangePage> range(const RangeRequest& request) override { return target_->range(request); }
  Future<Committed> commit(CommitRequest request) override {
    const auto commit = std::exchange(commit_, nullptr);
    if (!commit) return target_->commit(std::move(request));
    auto done = commit(*target_, std::move(request));
    if (!done.ok()) return done.error();
    return *done;
  }
  Future<void> watch(BytesView key, std::optional<Bytes> value, Version version) override {
    return target_->watch(key, std::move(value), version);
  }
  Future<int64_t> estimated_bytes(BytesView begin, BytesView end) override {
    return target_->estimated_bytes(begin, end);
  }
  Future<std::vector<Bytes>> split_points(BytesView begin, BytesView end, int64_t chunk_bytes) override {
    return target_->split_points(begin, end, chunk_bytes);
  }

 private:
  const std::shared_ptr<Engine> target_;
  std::function<Result<Committed>(Engine& target, CommitRequest request)> commit_;
};

}  // namespace strata::kv
