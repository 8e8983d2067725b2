#include "service/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/random.h"
#include "engine/memory/memory_engine.h"
#include "hnsw/distance.h"
#include "service/vector_bulk.h"
#include "service/vector_collection.h"

namespace strata::service {
namespace {

constexpr uint32_t dimension = 8;

// A store in memory that outlives its service, and a directory for images.
class VectorsServiceTest : public testing::Test {
 protected:
  VectorsServiceTest() {
    std::string name = testing::TempDir() + "strata_vectors_XXXXXX";
    directory_ = mkdtemp(name.data());
    start();
  }
  ~VectorsServiceTest() override {
    vectors_.reset();
    std::filesystem::remove_all(directory_);
  }

  // Without an end to the last one, as a kill would do it, or with its last images.
  void start() {
    vectors_ = std::make_unique<Vectors>(
        database_, VectorsOptions{.directory = directory_, .threads = 2, .short_search_bytes = short_search_bytes_});
    ASSERT_TRUE(vectors_->open().ok());
  }
  void restart(bool cleanly) {
    if (cleanly) vectors_->stop();
    vectors_.reset();
    start();
  }
  void make(std::string_view metric = "euclidean", MakeCollectionRequest request = {}) {
    request.name = "c";
    request.dimension = dimension;
    request.distance_metric = metric;
    ASSERT_TRUE(vectors_->make_collection({}, request).ok());
  }
  std::vector<float> draw() {
    std::vector<float> values(dimension);
    for (float& value : values) value = static_cast<float>(random_.fraction() * 2 - 1);
    return values;
  }
  Result<uint64_t> insert(uint64_t id, std::span<const float> values, Metadata metadata = {}) {
    return vectors_->insert({}, "c", {.id = id, .values = values, .metadata = std::move(metadata)});
  }
  std::vector<uint64_t> search(std::span<const float> query, uint32_t k, std::optional<VectorFilter> filter = {}) {
    const auto answer = vectors_->search(
        {}, {.collection = "c", .query = query, .k = k, .filter = std::move(filter), .ef_search = 1'000});
    EXPECT_TRUE(answer.ok()) << (answer.ok() ? "" : answer.error().message());
    std::vector<uint64_t> ids;
    if (!answer.ok()) return ids;
    for (const ScoredVector& result : answer->results) ids.push_back(result.id);
    return ids;
  }

  struct Known {
    std::vector<float> values;
    Metadata metadata;
  };
  // The k nearest of what is known and matches, by the same distance.
  std::vector<uint64_t> nearest(const std::map<uint64_t, Known>& known, std::span<const float> query, size_t k,
                                const VectorFilter* filter = nullptr) {
    std::vector<hnsw::Match> matches;
    for (const auto& [id, vector] : known) {
      if (filter != nullptr && !vectors::matches(*filter, vector.metadata)) continue;
      matches.push_back({id, hnsw::score(hnsw::Metric::euclidean, query.data(), vector.values.data(), dimension)});
    }
    std::sort(matches.begin(), matches.end());
    std::vector<uint64_t> ids;
    for (size_t at = 0; at < std::min(k, matches.size()); ++at) ids.push_back(matches[at].label);
    return ids;
  }

  Random random_{20};
  std::string directory_;
  uint64_t short_search_bytes_ = VectorPace::default_short_bytes;
  kv::Database database_{std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{})};
  std::unique_ptr<Vectors> vectors_;
};

VectorFilter parity_is(int64_t parity) {
  return {.kind = vectors::FilterKind::field, .field = "parity", .values = {parity}};
}

TEST_F(VectorsServiceTest, AWriteIsSeenByTheNextSearch) {
  make();
  const std::vector<float> a(dimension, 1.0F);
  const std::vector<float> b(dimension, 2.0F);
  ASSERT_EQ(*insert(0, a), 1);
  EXPECT_THAT(search(a, 5), testing::ElementsAre(1));
  ASSERT_EQ(*insert(10, b), 10);
  ASSERT_EQ(*insert(0, b), 11);
  EXPECT_THAT(search(a, 5), testing::ElementsAre(1, 10, 11));
  ASSERT_TRUE(vectors_->update({}, "c", {.id = 1, .values = std::vector<float>(dimension, 9.0F)}).ok());
  EXPECT_THAT(search(a, 5), testing::ElementsAre(10, 11, 1));
  ASSERT_TRUE(vectors_->remove({}, "c", 10).ok());
  EXPECT_THAT(search(a, 5), testing::ElementsAre(11, 1));
  EXPECT_EQ(vectors_->get({}, "c", 10).error().message(), "vector 10 not found");
  EXPECT_EQ(insert(11, b).error().code(), ErrorCode::already_exists);
  // Never given again, though it is free.
  ASSERT_TRUE(vectors_->remove({}, "c", 11).ok());
  EXPECT_EQ(*insert(0, b), 12);
}

TEST_F(VectorsServiceTest, LongSearchesLeaveTheirThreadAndCanBeStopped) {
  short_search_bytes_ = 0;
  restart(false);
  make();
  std::map<uint64_t, Known> known;
  for (uint64_t id = 1; id <= 100; ++id) {
    known[id] = {.values = draw(), .metadata = {{"parity", static_cast<int64_t>(id % 2)}}};
    ASSERT_TRUE(insert(id, known[id].values, known[id].metadata).ok());
  }
  const VectorFilter odd = parity_is(1);
  for (int i = 0; i < 10; ++i) {
    const std::vector<float> query = draw();
    EXPECT_EQ(search(query, 7), nearest(known, query, 7));
    EXPECT_EQ(search(query, 7, odd), nearest(known, query, 7, &odd));
  }
  const std::vector<float> query = draw();
  const VectorSearchRequest request{.collection = "c", .query = query, .k = 3, .include_metadata = true};
  const std::vector<VectorSearchRequest> requests(5, request);
  const auto batch = vectors_->search_batch({}, requests);
  ASSERT_TRUE(batch.ok());
  for (const VectorSearchAnswer& one : batch->results) {
    EXPECT_EQ(one.results.front().id, nearest(known, query, 1).front());
    EXPECT_EQ(one.results.front().metadata, known[one.results.front().id].metadata);
  }
  const auto stop = std::make_shared<StopFlag>();
  stop->set();
  EXPECT_EQ(vectors_->search({}, request, stop).error().code(), ErrorCode::operation_cancelled);
  EXPECT_EQ(vectors_->search_batch({}, requests, stop).error().code(), ErrorCode::operation_cancelled);
  EXPECT_EQ(vectors_->search({.deadline_steady_us = 1}, request).error().code(), ErrorCode::transaction_timed_out);
}

TEST_F(VectorsServiceTest, TheLargestIdEndsTheAssigning) {
  make();
  const std::vector<float> a(dimension, 1.0F);
  EXPECT_EQ(*insert(UINT64_MAX, a), UINT64_MAX);
  EXPECT_EQ(insert(0, a).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(*insert(5, a), 5);
}

TEST_F(VectorsServiceTest, LsnsAreDense) {
  make();
  const std::vector<float> a(dimension, 1.0F);
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(insert(id, a).ok());
  EXPECT_FALSE(insert(3, a).ok());
  ASSERT_TRUE(vectors_->remove({}, "c", 3).ok());
  ASSERT_TRUE(vectors_->set_threshold({}, "c", 1, 0.5F).ok());
  const auto status = *vectors_->persistence_status({}, "c");
  EXPECT_EQ(status.current_lsn, 5);
  EXPECT_EQ(status.next_lsn, 6);
  EXPECT_EQ(*vectors_->snapshot({}, "c"), 5);
  EXPECT_EQ(vectors_->persistence_status({}, "c")->last_snapshot_lsn, 5);
  EXPECT_EQ(vectors_->prune_log({}, "c")->files_deleted, 5);
}

TEST_F(VectorsServiceTest, MaxVectorsIsKept) {
  make("cosine", {.max_vectors = 2});
  const std::vector<float> a(dimension, 1.0F);
  ASSERT_TRUE(insert(0, a).ok());
  ASSERT_TRUE(insert(0, a).ok());
  EXPECT_FALSE(insert(0, a).ok());
  ASSERT_TRUE(vectors_->remove({}, "c", 1).ok());
  EXPECT_TRUE(insert(0, a).ok());
}

TEST_F(VectorsServiceTest, DeferredVectorsAreReadAtOnceAndFoundOnceOptimized) {
  make();
  const std::vector<float> a(dimension, 1.0F);
  const std::vector<float> b(dimension, 2.0F);
  auto bulk = *vectors_->begin_bulk({}, "c", {.index_mode = "deferred"});
  ASSERT_TRUE(bulk->add({}, {.id = 1, .values = a}));
  ASSERT_TRUE(bulk->add({}, {.id = 2, .values = b}));
  ASSERT_EQ(bulk->finish({})->inserted_count, 2);
  EXPECT_EQ(vectors_->get({}, "c", 2)->values, b);
  const auto answer = *vectors_->search({}, {.collection = "c", .query = a, .k = 5});
  EXPECT_TRUE(answer.results.empty());
  EXPECT_FALSE(answer.warning.empty());
  EXPECT_EQ(vectors_->collection({}, "c")->status, "pending_optimization");
  EXPECT_EQ(vectors_->collection({}, "c")->indexed_count, 0);
  // What is deferred stays so over updates and restarts.
  ASSERT_TRUE(vectors_->update({}, "c", {.id = 2, .values = a}).ok());
  for (const bool cleanly : {false, true}) {
    restart(cleanly);
    EXPECT_THAT(search(a, 5), testing::IsEmpty());
  }
  EXPECT_EQ(vectors_->optimize({}, "c")->vectors_processed, 2);
  EXPECT_EQ(vectors_->optimize({}, "c")->status, "already_optimized");
  EXPECT_THAT(search(a, 5), testing::ElementsAre(1, 2));
  for (const bool cleanly : {false, true}) {
    restart(cleanly);
    EXPECT_THAT(search(a, 5), testing::ElementsAre(1, 2));
    EXPECT_EQ(vectors_->collection({}, "c")->status, "ready");
  }
}

TEST_F(VectorsServiceTest, ABadRowFailsAloneAndATokenSkipsTheRest) {
  make();
  const std::vector<float> a(dimension, 1.0F);
  const std::vector<float> wrong(dimension + 1, 1.0F);
  const BulkOptions options{.batch_rows = 2, .checkpoint_every = 1};
  auto bulk = *vectors_->begin_bulk({}, "c", options);
  for (int row = 0; row < 6; ++row) ASSERT_TRUE(bulk->add({}, {.values = row == 3 ? wrong : a}));
  const BulkAnswer answer = *bulk->finish({});
  EXPECT_EQ(answer.inserted_count, 5);
  EXPECT_THAT(answer.assigned_ids, testing::ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(answer.errors, testing::ElementsAre(testing::HasSubstr("row 3: dimension")));
  EXPECT_EQ(answer.last_completed_batch_index, 0);
  EXPECT_EQ(answer.last_committed_lsn, 5);
  ASSERT_FALSE(answer.resume_token.empty());

  BulkOptions again = options;
  again.resume_token = answer.resume_token;
  auto resumed = *vectors_->begin_bulk({}, "c", again);
  for (int row = 0; row < 6; ++row) ASSERT_TRUE(resumed->add({}, {.values = a}));
  const BulkAnswer second = *resumed->finish({});
  EXPECT_THAT(second.assigned_ids, testing::ElementsAre(6));
  EXPECT_TRUE(second.errors.empty());
  EXPECT_TRUE(second.resume_token.empty());

  std::string broken = answer.resume_token;
  broken[4] = broken[4] == '0' ? '1' : '0';
  again.resume_token = broken;
  EXPECT_EQ(vectors_->begin_bulk({}, "c", again).error().code(), ErrorCode::invalid_argument);
}

TEST_F(VectorsServiceTest, ADroppedCollectionIsGoneWithItsVectors) {
  make();
  ASSERT_TRUE(insert(0, draw()).ok());
  ASSERT_TRUE(vectors_->drop_collection({}, "c").ok());
  EXPECT_EQ(vectors_->drop_collection({}, "c").error().message(), "collection 'c' not found");
  make();
  EXPECT_EQ(vectors_->collection({}, "c")->vector_count, 0);
  EXPECT_THAT(search(draw(), 5), testing::IsEmpty());
  EXPECT_EQ(*insert(0, draw()), 1);
}

TEST_F(VectorsServiceTest, VectorsOnTheirWayIntoTheGraphCountOnce) {
  make();
  constexpr uint64_t vectors = 1'000;
  std::atomic<uint64_t> begun = 0;
  std::atomic<uint64_t> answered = 0;
  std::thread counting([&] {
    while (answered < vectors) {
      const uint64_t least = answered;
      const uint64_t count = vectors_->vector_count();
      EXPECT_GE(count, least);
      EXPECT_LE(count, begun);
    }
  });
  for (uint64_t at = 1; at <= vectors; ++at) {
    ++begun;
    EXPECT_TRUE(insert(at, draw()).ok());
    EXPECT_TRUE(vectors_->update({}, "c", {.id = at, .values = draw()}).ok());
    ++answered;
  }
  counting.join();
  EXPECT_EQ(vectors_->vector_count(), vectors);
  for (uint64_t at = 1; at <= vectors; at += 2) ASSERT_TRUE(vectors_->remove({}, "c", at).ok());
  EXPECT_EQ(vectors_->vector_count(), vectors / 2);
  for (const bool cleanly : {false, true}) {
    restart(cleanly);
    EXPECT_EQ(search(draw(), vectors).size(), vectors / 2);
    EXPECT_EQ(vectors_->vector_count(), vectors / 2);
  }
}

TEST_F(VectorsServiceTest, AStartOpensTheImageAndReplaysTheLog) {
  make();
  for (int at = 0; at < 50; ++at) ASSERT_TRUE(insert(0, draw()).ok());
  const auto path = [&] {
    EXPECT_EQ(search(draw(), 100).size(), vectors_->collection({}, "c")->vector_count);
    return vectors_->recovery_status().path;
  };
  restart(false);
  EXPECT_EQ(path(), RecoveryPath::full_wal_replay);
  restart(true);
  EXPECT_EQ(path(), RecoveryPath::snapshot_only);
  ASSERT_TRUE(insert(0, draw()).ok());
  ASSERT_TRUE(vectors_->remove({}, "c", 3).ok());
  restart(false);
  EXPECT_EQ(path(), RecoveryPath::snapshot_plus_wal);
}

// A damaged image is found out, and the view built from the keys.
TEST_F(VectorsServiceTest, ADamagedImageIsBuiltAnew) {
  make();
  std::map<uint64_t, Known> known;
  for (uint64_t id = 1; id <= 60; ++id) {
    known[id] = {draw(), {{"parity", static_cast<int64_t>(id % 2)}}};
    ASSERT_TRUE(insert(id, known[id].values, known[id].metadata).ok());
  }
  const auto files = [&] {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_)) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
    std::ranges::sort(found);
    return found;
  };
  for (size_t which : {0, 1}) {
    for (const bool truncated : {true, false}) {
      restart(true);
      EXPECT_EQ(search(known[1].values, 10), nearest(known, known[1].values, 10));
      vectors_->stop();
      const auto images = files();
      ASSERT_EQ(images.size(), 2);
      const uint64_t size = std::filesystem::file_size(images[which]);
      if (truncated) {
        std::filesystem::resize_file(images[which], size - 1);
      } else {
        std::fstream file(images[which], std::ios::in | std::ios::out | std::ios::binary);
        // In the header: bytes between the sections of a graph mean nothing.
        file.seekg(20);
        const int byte = file.peek();
        file.seekp(20);
        file.put(static_cast<char>(byte ^ 0x10));
      }
      restart(false);
      const VectorFilter odd = parity_is(1);
      EXPECT_EQ(search(known[1].values, 10, odd), nearest(known, known[1].values, 10, &odd));
      EXPECT_EQ(vectors_->recovery_status().path, RecoveryPath::full_wal_replay);
      // So that there is an image again.
      ASSERT_TRUE(vectors_->set_threshold({}, "c", 1, 0.5F).ok());
    }
  }
}

// Writers of ids of their own, searches and images beside each other.
TEST_F(VectorsServiceTest, ManyAtTheSameTime) {
  make();
  constexpr uint64_t writers = 3;
  std::vector<std::map<uint64_t, Known>> shares(writers);
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (uint64_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      Random random(writer);
      std::map<uint64_t, Known>& known = shares[writer];
      for (uint64_t step = 1; step <= 150; ++step) {
        std::vector<float> values(dimension);
        for (float& value : values) value = static_cast<float>(random.fraction());
        const uint64_t id = random.one_in(2) ? step * writers + writer : (1 + random.below(step)) * writers + writer;
        const bool there = known.contains(id);
        if (!there) {
          ASSERT_TRUE(insert(id, values, {{"parity", int64_t{1}}}).ok());
        } else if (random.one_in(2)) {
          ASSERT_TRUE(vectors_->update({}, "c", {.id = id, .values = values}).ok());
        } else {
          ASSERT_TRUE(vectors_->remove({}, "c", id).ok());
          known.erase(id);
          continue;
        }
        known[id] = {values, {{"parity", int64_t{1}}}};
        // What was answered is there for whoever asks next.
        const auto found = search(values, 1);
        ASSERT_FALSE(found.empty());
        ASSERT_EQ(found[0], id);
      }
    });
  }
  threads.emplace_back([&] {
    const std::vector<float> query(dimension, 0.5F);
    const VectorFilter filter = parity_is(1);
    while (!done) {
      EXPECT_LE(search(query, 10, filter).size(), 10);
      EXPECT_TRUE(vectors_->snapshot({}, "c").ok());
    }
  });
  for (uint64_t at = 0; at < writers; ++at) threads[at].join();
  done = true;
  threads.back().join();
  std::map<uint64_t, Known> known;
  for (auto& share : shares) known.merge(share);
  const VectorFilter filter = parity_is(1);
  for (const bool cleanly : {false, true}) {
    for (int at = 0; at < 10; ++at) {
      const std::vector<float> query = draw();
      EXPECT_EQ(search(query, 10), nearest(known, query, 10));
      EXPECT_EQ(search(query, 10, filter), nearest(known, query, 10, &filter));
    }
    EXPECT_EQ(vectors_->collection({}, "c")->vector_count, known.size());
    restart(cleanly);
  }
}

// Random operations beside a map; now and then the server dies, or ends.
TEST_F(VectorsServiceTest, SearchEqualsBruteForceOverWhatIsThere) {
  make();
  std::map<uint64_t, Known> known;
  const auto random_id = [&]() -> uint64_t {
    if (known.empty()) return 1;
    auto at = known.begin();
    std::advance(at, static_cast<ptrdiff_t>(random_.below(known.size())));
    return at->first;
  };
  for (int step = 0; step < 1'500; ++step) {
    const uint64_t what = random_.below(100);
    const std::vector<float> values = draw();
    const Metadata metadata = {{"parity", static_cast<int64_t>(random_.below(2))}};
    if (what < 45 || known.empty()) {
      const auto id = insert(0, values, metadata);
      ASSERT_TRUE(id.ok());
      known[*id] = {values, metadata};
    } else if (what < 60) {
      const uint64_t id = random_id();
      ASSERT_TRUE(vectors_->update({}, "c", {.id = id, .values = values}).ok());
      known[id].values = values;
    } else if (what < 70) {
      const uint64_t id = random_id();
      ASSERT_TRUE(vectors_->update({}, "c", {.id = id, .metadata = metadata}).ok());
      known[id].metadata = metadata;
    } else if (what < 85) {
      const uint64_t id = random_id();
      ASSERT_TRUE(vectors_->remove({}, "c", id).ok());
      known.erase(id);
    } else if (what < 87) {
      ASSERT_TRUE(vectors_->snapshot({}, "c").ok());
    } else if (what == 87) {
      restart(random_.one_in(2));
    }
    if (step % 10 == 0) {
      ASSERT_EQ(search(values, 10), nearest(known, values, 10)) << step;
      const VectorFilter filter = parity_is(1);
      ASSERT_EQ(search(values, 10, filter), nearest(known, values, 10, &filter)) << step;
    }
  }
  EXPECT_EQ(vectors_->collection({}, "c")->vector_count, known.size());
  for (const auto& [id, vector] : known) EXPECT_EQ(vectors_->get({}, "c", id)->values, vector.values);
}

}  // namespace
}  // namespace strata::service
