// FaultyEngine: another engine with one bug planted, for tests that must find it.
//
// Purpose:       a checker that has never failed proves nothing.
// Ownership:     shares the engine that it spoils.
// Thread safety: any thread.
// Invariants:    Fault::none changes nothing.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "kv/engine.h"

namespace strata::serializability {

enum class Fault {
  none,
  drops_read_conflicts,  // commits as if nothing had been read
  stale_reads,           // one read in eight sees an older version than it asked for
  loses_a_write,         // one commit in sixty-four leaves out its last set or atomic, and answers well
};

class FaultyEngine final : public kv::Engine {
 public:
  FaultyEngine(std::shared_ptr<kv::Engine> engine, Fault fault) : engine_(std::move(engine)), fault_(fault) {}

  const kv::Limits& limits() const override { return engine_->limits(); }
  Future<kv::Version> read_version() override;
  Future<std::optional<Bytes>> get(BytesView key, kv::Version version) override;
  Future<kv::RangePage> range(const kv::RangeRequest& request) override;
  Future<kv::Committed> commit(kv::CommitRequest request) override;
  Future<void> watch(BytesView key, std::optional<Bytes> value, kv::Version version) override;
  Future<int64_t> estimated_bytes(BytesView begin, BytesView end) override;
  Future<std::vector<Bytes>> split_points(BytesView begin, BytesView end, int64_t chunk_bytes) override;

 private:
  kv::Version spoiled(kv::Version version);

  const std::shared_ptr<kv::Engine> engine_;
  const Fault fault_;
  std::atomic<uint64_t> calls_ = 0;
  std::mutex mutex_;
  std::deque<kv::Version> versions_;  // handed out lately, ascending
};

}  // namespace strata::serializability
