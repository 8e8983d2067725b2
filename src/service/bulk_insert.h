// BulkInsert: what VectorBulk is. Internal to the service.
//
// Purpose:       gathers rows, commits them in groups, remembers which rows failed and why.
// Ownership:     shares the collection; owns copies of the rows of one group.
// Thread safety: one caller at a time.
// Invariants:    as VectorBulk. A group is as many batches as make a commit worth its sync; whoever looks at the answer
//                cannot tell.
#pragma once

#include "base/clock.h"
#include "service/vector_bulk.h"
#include "service/vector_collection.h"

namespace strata::service {

// Which rows of a list are committed: all below `rows` but the failed ones.
struct BulkToken {
  struct Range {
    uint64_t first = 0;
    uint64_t count = 0;
  };
  uint64_t rows = 0;
  std::vector<Range> failed;
};
// Hexadecimal, with a checksum, for one collection alone.
std::string format_bulk_token(const vectors::Collection& collection, const BulkToken& token);
// invalid_argument.
Result<BulkToken> parse_bulk_token(const vectors::Collection& collection, std::string_view text);

class BulkInsert final : public VectorBulk {
 public:
  static constexpr size_t max_errors = 10'000;

  BulkInsert(std::shared_ptr<VectorCollection> collection, const kv::Database& database, Clock& clock,
             kv::Durability durability, const BulkOptions& options, BulkToken token);

  uint32_t dimension() const override { return collection_->dimension(); }
  bool add(const Context& context, VectorRow row) override;
  bool add_failed(const Context& context, std::string_view why) override;
  Result<BulkAnswer> finish(const Context& context) override;

 private:
  struct Row {
    uint64_t index = 0;
    uint64_t id = 0;
    Metadata metadata;
  };

  bool is_committed_already(uint64_t index);
  void fail(uint64_t index, std::string_view why);
  bool after_row(const Context& context);
  bool flush(const Context& context);
  bool must_sync(size_t rows);
  Result<void> sync_rest();

  const std::shared_ptr<VectorCollection> collection_;
  const kv::Database& database_;
  Clock& clock_;
  const kv::Durability durability_;
  const uint32_t batch_rows_;
  const uint32_t sync_every_;
  const uint32_t ef_construction_;
  const bool checkpoints_;
  const vectors::Deferral deferral_;
  const BulkToken token_;
  size_t token_at_ = 0;

  uint64_t next_row_ = 0;
  std::vector<Row> rows_;
  std::vector<float> values_;
  size_t group_bytes_ = 0;
  uint64_t unsynced_ = 0;
  // Above it no row is committed.
  uint64_t committed_below_ = 0;
  std::optional<Error> ended_;
  std::vector<std::pair<uint64_t, std::string>> errors_;
  BulkAnswer answer_;
};

}  // namespace strata::service
