#include "service/file_collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "base/random.h"
#include "layers/files/tree_diff.h"
#include "service/chunk_packer.h"
#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

constexpr FileCollectorOptions small_steps{.nodes = 5, .files = 100, .swept = 200, .removed = 50};

class FileCollectorTest : public FileServicesTest {
 protected:
  CollectAnswer collect(bool dry_run = false) {
    TaskProgress progress;
    return taken(collector_->run(progress, dry_run));
  }
  size_t entries() { return count_rows(files::entry_rows()); }
  // Every part of an entry's bytes is one row.
  size_t data_rows() {
    size_t rows = 0;
    for (const auto kind : {archive::EntryKind::chunk, archive::EntryKind::file, archive::EntryKind::directory,
                            archive::EntryKind::symlink}) {
      rows += count_rows(files::entry_data(kind));
    }
    return rows;
  }

  bool is_collecting() {
    return taken(system_.read({}, [](const files::EntryReader& reader) -> Result<bool> {
      ASSIGN_OR_RETURN(const auto stored, reader.transaction().get(files::collection_state_key()).get());
      ASSIGN_OR_RETURN(const auto state, files::decode_collection_state(stored));
      return state.running;
    }));
  }
  // As the next start of the server does, until what it takes up has ended.
  void start_again() {
    collector_.emplace(system_, small_steps);
    EXPECT_TRUE(collector_->open().ok());
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (is_collecting() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_FALSE(is_collecting()) << "it was not taken up";
    collector_->stop();
    collector_.emplace(system_, small_steps);
  }

  std::optional<FileCollector> collector_{std::in_place, system_, small_steps};
};

TEST_F(FileCollectorTest, WhatNothingNamesGoes) {
  taken(put("/a", "one"));
  taken(put("/d/b", "kept"));
  const size_t before = entries();
  taken(put("/a", "two"));
  const CollectAnswer dry = collect(true);
  EXPECT_TRUE(dry.dry_run);
  EXPECT_EQ(dry.versions_scanned, 1U);
  // The chunk and the record of the first /a, the root that held them, and the one of before /d was there.
  EXPECT_EQ(dry.garbage_entries, 4U);
  EXPECT_EQ(entries(), before + 3);
  const CollectAnswer done = collect();
  EXPECT_EQ(done.garbage_entries, dry.garbage_entries);
  EXPECT_EQ(done.reclaimed_bytes, dry.reclaimed_bytes);
  EXPECT_EQ(done.live_entries, entries());
  EXPECT_EQ(data_rows(), entries());
  EXPECT_EQ(taken(get("/a")), "two");
  EXPECT_EQ(taken(get("/d/b")), "kept");
  EXPECT_EQ(collect().garbage_entries, 0U);
}

TEST_F(FileCollectorTest, SnapshotsForksAndPinsKeepTheirVersions) {
  taken(put("/a", "snapshot"));
  taken(versions_.make_snapshot({}, {.name = "s"}));
  taken(put("/a", "fork"));
  taken(versions_.make_fork({}, {.name = "f"}));
  taken(put("/a", "nothing"));
  const Hash unnamed = taken(versions_.resolve({}, {})).root;
  taken(put("/a", "head"));
  auto reading = files_.open({}, {.path = "/a", .tree = {.version = hash_hex(unnamed)}});
  ASSERT_TRUE(reading.ok());
  collect();
  EXPECT_EQ(code_of(get("/a", {.version = hash_hex(unnamed)})), ErrorCode::not_found);
  EXPECT_EQ(taken(read_all(*reading->reader)), "nothing");
  reading = ErrorCode::gone;
  EXPECT_EQ(collect().garbage_entries, 2U);
  EXPECT_EQ(taken(get("/a", {.snapshot = "s"})), "snapshot");
  EXPECT_EQ(taken(get("/a", {.fork = "f"})), "fork");
  EXPECT_EQ(taken(get("/a")), "head");
  EXPECT_TRUE(versions_.remove_snapshot({}, "s").ok());
  EXPECT_TRUE(versions_.abandon_fork({}, "f").ok());
  EXPECT_EQ(collect().garbage_entries, 6U);
}

TEST_F(FileCollectorTest, UploadsHaveADay) {
  const Bytes bytes = "a chunk";
  const Hash name = blake3(upload_chunk_hash_prefix, bytes);
  EXPECT_TRUE(taken(uploads_.put_chunk({}, name, bytes)));
  EXPECT_EQ(collect().garbage_entries, 0U);
  clock_.advance_us(25LL * 3600 * 1'000'000);
  EXPECT_EQ(collect().garbage_entries, 1U);
  EXPECT_EQ(count_rows(files::upload_marks()), 0U);
}

TEST_F(FileCollectorTest, ALongUploadThatACollectionOverlapsIsWholeOrRefused) {
  // The source runs a collection in the middle of the body: at once, then after more than a day.
  class Source final : public ByteSource {
   public:
    Source(Bytes bytes, std::function<void()> halfway) : bytes_(std::move(bytes)), halfway_(std::move(halfway)) {}
    Result<size_t> read(std::span<char> into) override {
      if (at_ >= bytes_.size() / 2 && halfway_) std::exchange(halfway_, nullptr)();
      const size_t count = std::min({into.size(), bytes_.size() - at_, size_t{100'000}});
      bytes_.copy(into.data(), count, at_);
      at_ += count;
      return count;
    }

   private:
    const Bytes bytes_;
    std::function<void()> halfway_;
    size_t at_ = 0;
  };
  Bytes bytes;
  for (Random random(7); bytes.size() < 5'000'000;) append_le64(bytes, random.next());
  Source prompt(bytes, [&] { collect(); });
  EXPECT_TRUE(files_.put({}, {.path = "/a", .content_type = "x/y", .body = &prompt}).ok());
  EXPECT_EQ(taken(get("/a")), bytes);
  taken(files_.remove({}, {.path = "/a"}));
  collect();
  Source late(bytes, [&] {
    clock_.advance_us(25LL * 3600 * 1'000'000);
    collect();
  });
  EXPECT_EQ(code_of(files_.put({}, {.path = "/a", .content_type = "x/y", .body = &late})), ErrorCode::gone);
}

TEST_F(FileCollectorTest, PromotingWhatMayBeHalfGoneIsRefused) {
  taken(put("/a", "one"));
  const Hash unnamed = taken(versions_.resolve({}, {})).root;
  taken(put("/a", "two"));
  const Hash head = taken(versions_.resolve({}, {})).root;
  std::vector<ErrorCode> answers;
  collector_->between_steps([&] {
    answers.push_back(code_of(versions_.promote({}, unnamed)));
    EXPECT_TRUE(versions_.promote({}, head).ok());
  });
  collect();
  collector_->between_steps({});
  ASSERT_FALSE(answers.empty());
  // Its row is gone when it is marked; were it there, it would be a conflict.
  for (const ErrorCode code : answers) EXPECT_EQ(code, ErrorCode::not_found);
  EXPECT_EQ(taken(get("/a")), "two");
}

TEST_F(FileCollectorTest, OneAtATimeAndStopsWhenTold) {
  taken(put("/a", "one"));
  const auto hold = system_.pins().hold_off_collections();
  ASSERT_TRUE(hold.ok());
  TaskProgress progress;
  EXPECT_EQ(code_of(collector_->run(progress, false)), ErrorCode::conflict);
}

TEST_F(FileCollectorTest, OneThatTheServersEndStoppedGoesOn) {
  taken(put("/a", "one"));
  taken(put("/a", "two"));
  collector_->between_steps([&] { collector_->stop(); });
  TaskProgress progress;
  EXPECT_EQ(code_of(collector_->run(progress, false)), ErrorCode::operation_cancelled);
  collector_->between_steps({});
  // Meanwhile writers write.
  taken(put("/b", "three"));
  start_again();
  collect();
  EXPECT_EQ(collect(true).garbage_entries, 0U);
  EXPECT_EQ(taken(get("/a")), "two");
  EXPECT_EQ(taken(get("/b")), "three");
}

// What happens at each moment of a collection, one moment a round: `event` at that step of it.
class MomentsOfACollection : public FileCollectorTest {
 protected:
  // False: the collection has fewer steps. `ends`: what the collection that was met answers.
  bool met(size_t moment, const std::function<void()>& event, const std::function<void(const CollectAnswer&)>& ends) {
    collector_.emplace(system_, FileCollectorOptions{.nodes = 2, .files = 3, .swept = 4, .removed = 2});
    size_t step = 0;
    collector_->between_steps([&] {
      // How far the sweep is, is written after each of its pages.
      clock_.advance_us(6'000'000);
      if (step++ == moment) event();
    });
    TaskProgress progress;
    const Result<CollectAnswer> done = collector_->run(progress, false);
    collector_->between_steps({});
    if (done.ok()) {
      EXPECT_TRUE(step <= moment || !ended_by_) << moment;
      ends(*done);
    } else {
      EXPECT_EQ(done.error().code(), ended_by_);
    }
    return step > moment;
  }
  void leave_garbage(size_t moment) {
    for (int i = 0; i < 6; ++i) taken(put(fmt::format("/d/{}", i), fmt::format("once {} {}", moment, i)));
    for (int i = 0; i < 6; ++i) taken(put(fmt::format("/d/{}", i), fmt::format("again {} {}", moment, i)));
  }
  bool has_chunk(const Bytes& bytes) {
    const auto row = [&](const files::EntryReader& reader) { return reader.row(ChunkPacker::name(bytes)); };
    return taken(system_.read({}, row)).has_value();
  }
  // No commit happens any more, until the disk has space again and the store was opened anew.
  void fill_disk() {
    engine_->intercept([this](kv::Engine&, const kv::CommitRequest&) -> Result<kv::Committed> {
      fill_disk();
      return ErrorCode::disk_full;
    });
  }
  void all_reads(size_t moment) {
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(taken(get(fmt::format("/d/{}", i))), fmt::format("again {} {}", moment, i));
    }
  }
  void all_is_there_and_no_more(size_t moment) {
    all_reads(moment);
    collect();
    EXPECT_EQ(collect(true).garbage_entries, 0U);
    EXPECT_EQ(data_rows(), entries());
  }
  // With what error a collection ends that was met; nullopt: it goes on.
  std::optional<ErrorCode> ended_by_;
};

TEST_F(MomentsOfACollection, GarbageThatIsReusedStays) {
  size_t moment = 0;
  for (bool more = true; more; ++moment) {
    leave_garbage(moment);
    const size_t before = entries();
    size_t created = 0;
    const auto reuse = [&] {
      const size_t there = entries();
      for (int i = 0; i < 6; ++i) taken(put(fmt::format("/e/{}", i), fmt::format("once {} {}", moment, i)));
      created = entries() - there;
    };
    more = met(moment, reuse,
               [&](const CollectAnswer& done) { EXPECT_EQ(entries(), before + created - done.garbage_entries); });
    for (int i = 0; more && i < 6; ++i) {
      EXPECT_EQ(taken(get(fmt::format("/e/{}", i))), fmt::format("once {} {}", moment, i));
    }
    all_is_there_and_no_more(moment);
  }
  EXPECT_GT(moment, 20U);
}

TEST_F(MomentsOfACollection, OneThatIsInterruptedGoesOn) {
  ended_by_ = ErrorCode::operation_cancelled;
  size_t moment = 0;
  for (bool more = true; more && !HasFailure(); ++moment) {
    leave_garbage(moment);
    more = met(moment, [&] { collector_->stop(); }, [](const CollectAnswer&) {});
    EXPECT_EQ(is_collecting(), more);
    taken(put("/e", fmt::format("once {} 1", moment)));
    start_again();
    EXPECT_EQ(taken(get("/e")), fmt::format("once {} 1", moment));
    // What it had not come to it has removed now, before any other collection.
    for (const int i : {0, 2, 3, 4, 5}) EXPECT_FALSE(has_chunk(fmt::format("once {} {}", moment, i))) << moment;
    all_is_there_and_no_more(moment);
  }
  EXPECT_GT(moment, 20U);
}

TEST_F(MomentsOfACollection, OneThatFindsTheDiskFullGoesOnWithTheNextStart) {
  ended_by_ = ErrorCode::disk_full;
  size_t moment = 0;
  for (bool more = true; more && !HasFailure(); ++moment) {
    leave_garbage(moment);
    more = met(moment, [&] { fill_disk(); }, [](const CollectAnswer&) {});
    all_reads(moment);
    if (more) EXPECT_EQ(code_of(put("/e", "more")), ErrorCode::disk_full);
    EXPECT_EQ(is_collecting(), more);
    engine_->intercept(nullptr);
    start_again();
    for (int i = 0; i < 6; ++i) EXPECT_FALSE(has_chunk(fmt::format("once {} {}", moment, i))) << moment;
    all_is_there_and_no_more(moment);
  }
  EXPECT_GT(moment, 20U);
}

TEST_F(MomentsOfACollection, RemovalsOfWhichNobodyKnowsAreMadeOnce) {
  for (const bool happens : {false, true}) {
    size_t moment = 0;
    for (bool more = true; more; ++moment) {
      leave_garbage(moment);
      const size_t before = entries();
      more = met(
          moment, [&] { happens ? engine_->lose_answer() : engine_->lose_commit(); },
          [&](const CollectAnswer& done) { EXPECT_EQ(entries(), before - done.garbage_entries); });
      all_is_there_and_no_more(moment);
    }
    EXPECT_GT(moment, 20U);
  }
}

// Random writes, versions and collections on a store and on plain maps in step.
class CollectedModel : public FileCollectorTest {
 protected:
  using Tree = std::map<std::string, Bytes>;

  std::string path() { return fmt::format("/d{}/f{}", random_.below(3), random_.below(400)); }
  Bytes content() { return fmt::format("content {}", random_.below(40)); }
  std::string name() { return fmt::format("n{}", random_.below(4)); }

  void step() {
    clock_.advance_us(1'000);
    const std::string fork = !forks_.empty() && random_.one_in(4) ? forks_.begin()->first : "";
    Tree& tree = fork.empty() ? head_ : forks_[fork];
    switch (random_.below(16)) {
      case 0: {
        const std::string named = name();
        if (versions_.make_snapshot({}, {.name = named}).ok()) snapshots_.emplace(named, head_);
        return;
      }
      case 1: {
        const std::string named = name();
        if (versions_.remove_snapshot({}, named).ok()) snapshots_.erase(named);
        return;
      }
      case 2: {
        const std::string named = name();
        if (versions_.restore({}, named).ok()) head_ = snapshots_.at(named);
        return;
      }
      case 3: {
        const std::string base = name();
        if (snapshots_.contains(base) && versions_.make_fork({}, {.name = "f" + base, .base = base}).ok()) {
          forks_["f" + base] = snapshots_.at(base);
        }
        return;
      }
      case 4:
        if (!fork.empty() && versions_.promote_fork({}, fork).ok()) head_ = tree;
        return;
      case 5:
        if (!fork.empty() && versions_.abandon_fork({}, fork).ok()) forks_.erase(fork);
        return;
      case 6: {
        if (snapshots_.empty()) return;
        const auto& [named, old] = *snapshots_.begin();
        const std::string at = path();
        const auto restored = versions_.restore_file({}, {.path = at, .from = {.snapshot = named}});
        EXPECT_EQ(restored.ok(), old.contains(at));
        if (!restored.ok()) return;
        snapshots_[restored->auto_snapshot] = head_;
        head_[at] = old.at(at);
        return;
      }
      case 7:
      case 8:
      case 9: {
        const std::string at = path();
        EXPECT_EQ(files_.remove({}, {.path = at, .fork = fork}).ok(), tree.erase(at) == 1);
        return;
      }
      default: {
        const std::string at = path();
        const Bytes bytes = content();
        EXPECT_TRUE(put(at, bytes, fork).ok());
        tree[at] = bytes;
      }
    }
  }
  void verify(const Tree& expected, const FileTree& tree) {
    Tree found;
    for (const FileStat& stat : taken(list_all("/", {.depth = -1}, tree)))
      found[stat.path] = taken(get(stat.path, tree));
    EXPECT_EQ(found, expected);
  }
  void verify_all() {
    verify(head_, {});
    for (const auto& [named, tree] : snapshots_) verify(tree, {.snapshot = named});
    for (const auto& [named, tree] : forks_) verify(tree, {.fork = named});
  }
  // Of all versions, told by walking them as readers do.
  size_t reachable() {
    std::set<Hash> seen;
    std::vector<Hash> roots = {taken(versions_.resolve({}, {})).root};
    for (const auto& snapshot : taken(versions_.snapshots({}))) roots.push_back(snapshot.root);
    for (const auto& fork : taken(versions_.forks({}))) roots.push_back(fork.root);
    const auto walked = system_.read({}, [&](const files::EntryReader& reader) -> Result<void> {
      for (const Hash& root : roots) {
        files::TreeDiff diff(reader, files::empty_directory(), root,
                             [&](const Hash& hash, const Bytes&, bool) { seen.insert(hash); });
        while (diff.next()) {
          if (!diff.after() || diff.after()->kind != archive::EntryKind::file) continue;
          seen.insert(diff.after()->hash);
          ASSIGN_OR_RETURN(const auto record, reader.file_record(diff.after()->hash));
          seen.insert(record.chunks.begin(), record.chunks.end());
        }
        RETURN_IF_ERROR(diff.status());
      }
      return {};
    });
    EXPECT_TRUE(walked.ok());
    return seen.size();
  }

  Random random_{1};
  Tree head_;
  std::map<std::string, Tree> snapshots_;
  std::map<std::string, Tree> forks_;
};

TEST_F(CollectedModel, NothingReachableGoesAndEverythingElseDoes) {
  // Enough for directories that are trees of nodes.
  for (int i = 0; i < 900; ++i) step();
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 20; ++i) step();
    // In some rounds the collection is given up on its way, and the next one goes on.
    int steps_left = round % 3 == 2 ? static_cast<int>(random_.below(10)) : 1'000;
    TaskProgress progress;
    collector_->between_steps([&] {
      for (int i = 0; i < 5; ++i) step();
      if (steps_left-- == 0) collector_->stop();
    });
    const auto done = collector_->run(progress, false);
    collector_->between_steps({});
    EXPECT_EQ(code_of(done), round % 3 == 2 ? ErrorCode::operation_cancelled : ErrorCode::internal);
    if (round % 3 == 2) {
      for (int i = 0; i < 20; ++i) step();
      start_again();
    }
    verify_all();
  }
  collect();
  collect();
  EXPECT_EQ(entries(), reachable());
  EXPECT_EQ(data_rows(), entries());
  verify_all();
}

}  // namespace
}  // namespace strata::service
