#include "engine/rocksdb/batch_builder.h"

#include <map>

#include "base/random.h"
#include "engine/rocksdb/engine_fixture.h"
#include "kv/atomic.h"

namespace strata::kv {
namespace {

using Model = std::map<Bytes, Bytes>;

void apply_to(Model& model, const Mutation& mutation) {
  const Bytes key(mutation.key);
  if (mutation.type == MutationType::set) {
    model[key] = Bytes(mutation.value);
  } else if (mutation.type == MutationType::clear) {
    model.erase(key);
  } else if (mutation.type == MutationType::clear_range) {
    if (mutation.key < mutation.value) {
      model.erase(model.lower_bound(key), model.lower_bound(Bytes(mutation.value)));
    }
  } else {
    const auto it = model.find(key);
    const auto after = apply_atomic(mutation.type, it == model.end() ? std::optional<BytesView>() : it->second,
                                    mutation.value, 100'000);
    if (after) model[key] = *after;
    if (!after) model.erase(key);
  }
}

class BatchBuilderTest : public RocksdbTest {
 protected:
  LogFileSystem file_system{rocksdb::FileSystem::Default(), false};
  const std::unique_ptr<ValueFiles> values = ValueFiles::open(file_system, root, 1 << 20).value();
};
class BatchBuilderModel : public BatchBuilderTest, public testing::WithParamInterface<int> {};

// Batches of sets, clears of few and of many keys, and atomics over all of that, against a map. Keys come again within
// a batch: its last write of each counts.
TEST_P(BatchBuilderModel, AgreesWithAMap) {
  rocksdb::Options database;
  database.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(database, (root / "db").string(), &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  BatchBuilder builder(*db, *values, 100'000);
  Random random(static_cast<uint64_t>(GetParam()));
  auto some_key = [&] { return "k" + std::to_string(10'000 + random.below(3'000)); };
  Model model;
  for (int batch = 0; batch < 40; ++batch) {
    std::vector<CommitRequest> requests(1 + random.below(5));
    builder.clear();
    // Batches of sets and clears alone go another way.
    const bool overlay = random.one_in(2);
    if (overlay) builder.use_overlay();
    for (size_t i = 0; i < requests.size(); ++i) {
      CommitRequest& request = requests[i];
      for (uint64_t left = random.below(batch == 0 ? 3'000 : 60); left > 0; --left) {
        Mutation mutation{MutationType::set, request.arena.copy(some_key()), request.arena.copy(some_key())};
        switch (overlay ? random.below(8) : random.below(2) * 7) {
          case 0:
            mutation.type = MutationType::clear;
            break;
          case 1:
            mutation.type = MutationType::append_if_fits;
            break;
          case 2:
            mutation.type = MutationType::compare_and_clear;
            break;
          case 3:
            if (random.one_in(4)) mutation.type = MutationType::clear_range;
            break;
          default:
            break;
        }
        request.mutations.push_back(mutation);
        apply_to(model, mutation);
      }
      ASSERT_TRUE(builder.add(request, {1, static_cast<uint16_t>(i)}).ok());
    }
    ASSERT_TRUE(db->Write(rocksdb::WriteOptions(), &builder.finish()).ok());
    Model found;
    const std::unique_ptr<rocksdb::Iterator> iterator(db->NewIterator(rocksdb::ReadOptions()));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      found[iterator->key().ToString()] = iterator->value().ToString();
    }
    ASSERT_EQ(found, model) << "batch " << batch;
  }
}

// A batch may be built again without one of its transactions: the others get other stamps.
TEST_F(BatchBuilderTest, StampsAreWrittenWhereTheOperandsSayAndAnew) {
  CommitRequest request;
  const Bytes placeholder(10, '\xFF');
  const auto operand = [&](BytesView before, BytesView behind) {
    Bytes bytes = Bytes(before).append(placeholder).append(behind);
    append_le32(bytes, static_cast<uint32_t>(before.size()));
    return request.arena.copy(bytes);
  };
  request.mutations.push_back({MutationType::set_versionstamped_key, operand("k/", "/end"), request.arena.copy("v")});
  request.mutations.push_back({MutationType::set_versionstamped_value, request.arena.copy("k"), operand("", "value")});
  for (const uint16_t order : {uint16_t{3}, uint16_t{4}}) {
    const Bytes stamp = make_versionstamp({7, order});
    rocksdb::DB* opened = nullptr;
    rocksdb::Options database;
    database.create_if_missing = true;
    ASSERT_TRUE(rocksdb::DB::Open(database, (root / ("db" + std::to_string(order))).string(), &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    BatchBuilder builder(*db, *values, 100'000);
    ASSERT_TRUE(builder.add(request, {7, order}).ok());
    ASSERT_TRUE(db->Write(rocksdb::WriteOptions(), &builder.finish()).ok());
    std::string value;
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), "k/" + stamp + "/end", &value).ok());
    EXPECT_EQ(value, "v");
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), "k", &value).ok());
    EXPECT_EQ(value, stamp + "value");
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BatchBuilderModel, testing::Range(1, 9));

}  // namespace
}  // namespace strata::kv
