#include "service/file_archives.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <thread>

#include "base/random.h"
#include "layers/files/file_keys.h"
#include "service/file_collector.h"
#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

// Calls a function when everything else was read.
class SourceWithEnd final : public ByteSource {
 public:
  SourceWithEnd(BytesView bytes, std::function<void()> at_end) : bytes_(bytes), at_end_(std::move(at_end)) {}
  Result<size_t> read(std::span<char> into) override {
    ASSIGN_OR_RETURN(const size_t count, bytes_.read(into));
    if (count == 0) std::exchange(at_end_, [] {})();
    return count;
  }

 private:
  BytesSource bytes_;
  std::function<void()> at_end_;
};

class FileArchivesTest : public FileServicesTest {
 protected:
  // Another store.
  struct Other {
    std::shared_ptr<kv::InterceptedEngine> engine =
        std::make_shared<kv::InterceptedEngine>(std::make_shared<kv::MemoryEngine>(kv::MemoryEngineOptions{}));
    kv::Database database{engine, {.max_retry_delay_ms = 1}};
    FileSystem system{database, {}};
    FileVersions versions{system};
    FileArchives archives{system, versions};

    Result<ImportAnswer> import(BytesView bytes, const ImportRequest& request = {}) {
      BytesSource source(bytes);
      return archives.import({}, {.body = &source, .force = request.force, .promote = request.promote}, nullptr);
    }
    Hash head() { return versions.resolve({}, {})->root; }
  };

  Hash head() { return versions_.resolve({}, {})->root; }
  Result<Bytes> written(const Result<PlannedArchive>& plan) {
    RETURN_IF_ERROR(plan);
    BytesSink sink;
    RETURN_IF_ERROR(archives_.write(*plan, sink, never_));
    return sink.bytes;
  }
  Bytes exported() { return taken(written(archives_.plan_export({}, {}, nullptr))); }
  Bytes patch(const std::string& from) { return taken(written(archives_.plan_diff({}, {.from = from}, nullptr))); }

  const StopFlag never_;
  FileArchives archives_{system_, versions_};
};

TEST_F(FileArchivesTest, RandomTreesAndThePatchesBetweenThem) {
  Random random(20);
  Other other;
  Hash base{};
  for (int round = 0; round < 12; ++round) {
    for (int change = 0; change < 60; ++change) {
      const std::string path = random.one_in(3)
                                   ? fmt::format("/d{}/e{}/f{}", random.below(3), random.below(3), random.below(9))
                                   : fmt::format("/many/{:03}", random.below(400));
      if (random.one_in(4)) {
        const auto removed = files_.remove({}, {.path = path});
        EXPECT_TRUE(removed.ok() || removed.error().code() == ErrorCode::not_found);
      } else {
        taken(put(path, Bytes(random.below(2'000), static_cast<char>('a' + random.below(26)))));
      }
    }
    const bool whole = round % 4 == 0;
    const auto imported = other.import(whole ? exported() : patch(hash_hex(base)), {.promote = true});
    ASSERT_TRUE(imported.ok()) << imported.error().message();
    base = head();
    EXPECT_EQ(imported->version, base) << round;
    EXPECT_EQ(other.head(), base) << round;
  }
  // It was all there: the same goes out again.
  BytesSink again;
  const auto plan = other.archives.plan_export({}, {}, nullptr);
  ASSERT_TRUE(plan.ok());
  ASSERT_TRUE(other.archives.write(*plan, again, never_).ok());
  EXPECT_EQ(again.bytes.size(), exported().size());
}

TEST_F(FileArchivesTest, WhatIsExportedIsKeptFromCollections) {
  taken(put("/a", Bytes(5'000, 'x')));
  taken(versions_.make_snapshot({}, {.name = "s"}));
  taken(put("/a", "another"));
  Result<PlannedArchive> plan = archives_.plan_export({}, {.snapshot = "s"}, nullptr);
  ASSERT_TRUE(plan.ok());
  ASSERT_TRUE(versions_.remove_snapshot({}, "s").ok());
  FileCollector collector(system_);
  EXPECT_EQ(taken(collector.collect({}, false)).garbage_entries, 0U);
  EXPECT_EQ(taken(Other().import(taken(written(plan)))).files, 1U);
  plan = Error(ErrorCode::not_found);
  EXPECT_GE(taken(collector.collect({}, false)).garbage_entries, 3U);
}

TEST_F(FileArchivesTest, CollectionsAndImportsKeepOffEachOther) {
  taken(put("/a", "one"));
  const Bytes archive = exported();
  Other other;
  {
    const auto collecting = other.system.pins().begin_collection();
    ASSERT_TRUE(collecting.ok());
    EXPECT_EQ(code_of(other.import(archive)), ErrorCode::conflict);
  }
  FileCollector collector(other.system);
  ErrorCode meanwhile = ErrorCode::internal;
  SourceWithEnd source(archive, [&] { meanwhile = code_of(collector.collect({}, false)); });
  EXPECT_TRUE(other.archives.import({}, {.body = &source}, nullptr).ok());
  EXPECT_EQ(meanwhile, ErrorCode::conflict);
  // Nobody names it but its own row, for seven days.
  EXPECT_EQ(taken(collector.collect({}, false)).garbage_entries, 0U);
}

TEST_F(FileArchivesTest, HeadMayNotMoveUnderAPatch) {
  taken(put("/a", "one"));
  const Hash base = head();
  const Bytes full = exported();
  taken(put("/b", "two"));
  const Bytes changes = patch(hash_hex(base));
  Other other;
  ASSERT_TRUE(other.import(full, {.promote = true}).ok());
  Files files(other.system);
  Hash moved{};
  SourceWithEnd source(changes, [&] {
    BytesSource body("c");
    EXPECT_TRUE(files.put({}, {.path = "/c", .body = &body}).ok());
    moved = other.head();
  });
  EXPECT_EQ(code_of(other.archives.import({}, {.body = &source, .promote = true}, nullptr)), ErrorCode::conflict);
  EXPECT_EQ(other.head(), moved);
  EXPECT_EQ(code_of(other.versions.resolve({}, {.version = hash_hex(head())})), ErrorCode::not_found);
}

// While one is in the middle of its commit the other's never comes: not even for the engine to refuse it.
TEST_F(FileArchivesTest, APromotionAndWritersOfHeadExcludeEachOther) {
  taken(put("/a", "one"));
  const Bytes archive = exported();
  for (const bool import_is_first : {true, false}) {
    Other other;
    Files files(other.system);
    const auto put_there = [&] {
      BytesSource body("c");
      return files.put({}, {.path = "/c", .body = &body}).ok();
    };
    const auto import_there = [&] { return other.import(archive, {.promote = true}).ok(); };
    // What an import puts before is not visible, and holds nobody up.
    ASSERT_TRUE(other.import(archive).ok());
    std::atomic<int> commits{0};
    std::thread second;
    bool second_ok = false;
    const std::function<Result<kv::Committed>(kv::Engine&, kv::CommitRequest)> count =
        [&](kv::Engine& target, kv::CommitRequest request) -> Result<kv::Committed> {
      const bool is_first = ++commits == 1;
      const auto changes = [&](const kv::Mutation& mutation) {
        return mutation.key == files::file_key(files::RowKind::branch);
      };
      const bool moves_head = std::ranges::any_of(request.mutations, changes);
      EXPECT_TRUE(moves_head);
      other.engine->intercept(count);
      if (is_first) {
        second = std::thread([&] { second_ok = import_is_first ? put_there() : import_there(); });
        // As long as it would take the other one to come, were it let.
        for (int i = 0; i < 20 && commits == 1; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        EXPECT_EQ(commits, 1);
      }
      return target.commit(std::move(request)).get();
    };
    other.engine->intercept(count);
    EXPECT_TRUE(import_is_first ? import_there() : put_there());
    second.join();
    EXPECT_TRUE(second_ok);
    EXPECT_EQ(commits, 2);
    EXPECT_EQ(files.stat({}, {.path = "/c"}).ok(), import_is_first);
  }
}

TEST_F(FileArchivesTest, AnAnswerThatIsLostIsNoOtherBase) {
  taken(put("/a", "one"));
  const Hash base = head();
  Other other;
  ASSERT_TRUE(other.import(exported(), {.promote = true}).ok());
  taken(put("/a", "two"));
  const Bytes changes = patch(hash_hex(base));
  // The entries first, then what makes them visible.
  other.engine->intercept([&](kv::Engine& target, kv::CommitRequest request) {
    other.engine->lose_answer();
    return target.commit(std::move(request)).get();
  });
  const auto imported = other.import(changes, {.promote = true});
  ASSERT_TRUE(imported.ok()) << imported.error().message();
  EXPECT_EQ(other.head(), head());
}

TEST_F(FileArchivesTest, APromotionIsLaterThanWhatWasBeforeIt) {
  taken(put("/a", "one"));
  const Bytes archive = exported();
  taken(put("/a", "two"));
  const auto changed_at_ms = [this] {
    return taken(database_.read([](const kv::ReadTransaction& transaction) {
             return files::read_branch(transaction, files::head);
           }))
        ->changed_at_ms;
  };
  const int64_t before = changed_at_ms();
  clock_.advance_us(-60'000'000);
  BytesSource source(archive);
  ASSERT_TRUE(archives_.import({}, {.body = &source, .promote = true}, nullptr).ok());
  EXPECT_GT(changed_at_ms(), before);
  EXPECT_EQ(taken(get("/a")), "one");
}

TEST_F(FileArchivesTest, AnImportThatIsStoppedShowsNothing) {
  taken(put("/a", "one"));
  const Bytes archive = exported();
  Other other;
  const Hash before = other.head();
  auto stop = std::make_shared<StopFlag>();
  SourceWithEnd source(archive, [&] { stop->set(); });
  EXPECT_EQ(code_of(other.archives.import({}, {.body = &source, .promote = true}, stop)),
            ErrorCode::operation_cancelled);
  EXPECT_EQ(other.head(), before);
  EXPECT_EQ(code_of(other.versions.resolve({}, {.version = hash_hex(head())})), ErrorCode::not_found);
  // What was put is garbage.
  FileCollector collector(other.system);
  EXPECT_EQ(taken(collector.collect({}, false)).live_entries, 0U);
}

}  // namespace
}  // namespace strata::service
