#include "service/file_versions.h"

#include "service/files_fixture_test.h"

namespace strata::service {
namespace {

using FileVersionsTest = FileServicesTest;

TEST_F(FileVersionsTest, SnapshotsStayAsTheyWere) {
  taken(put("/a", "one"));
  const SnapshotInfo first = taken(versions_.make_snapshot({}, {.name = "v1", .metadata = R"({"by":"alice"})"}));
  clock_.advance_us(1'000);
  taken(put("/a", "two"));
  taken(versions_.make_snapshot({}, {.name = "v0"}));
  EXPECT_EQ(code_of(versions_.make_snapshot({}, {.name = "v1"})), ErrorCode::already_exists);
  EXPECT_EQ(code_of(versions_.make_snapshot({}, {.name = ""})), ErrorCode::invalid_argument);

  EXPECT_EQ(taken(get("/a", {.snapshot = "v1"})), "one");
  EXPECT_EQ(taken(get("/a", {.snapshot = "HEAD"})), "two");
  EXPECT_EQ(taken(get("/a", {.snapshot = "v1", .version = "xyz"})), "one");
  EXPECT_EQ(taken(get("/a", {.version = hash_hex(first.root)})), "one");
  EXPECT_EQ(code_of(get("/a", {.snapshot = "v2"})), ErrorCode::not_found);
  EXPECT_EQ(code_of(get("/a", {.version = "xyz"})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(get("/a", {.version = std::string(64, 'a')})), ErrorCode::not_found);

  const auto all = taken(versions_.snapshots({}));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "v1");
  EXPECT_EQ(all[0].metadata, "");
  EXPECT_EQ(all[1].name, "v0");
  EXPECT_EQ(taken(versions_.with_metadata({}, all))[0].metadata, R"({"by":"alice"})");
  EXPECT_TRUE(versions_.remove_snapshot({}, "v1").ok());
  ASSERT_EQ(taken(versions_.with_metadata({}, all)).size(), 1U);
  EXPECT_EQ(code_of(versions_.remove_snapshot({}, "v1")), ErrorCode::not_found);
  // Until it is collected.
  EXPECT_EQ(taken(get("/a", {.version = hash_hex(first.root)})), "one");
}

TEST_F(FileVersionsTest, RestoringMovesHead) {
  taken(put("/a", "one"));
  taken(versions_.make_snapshot({}, {.name = "v1"}));
  taken(put("/a", "two"));
  taken(put("/b", "new"));
  EXPECT_TRUE(versions_.restore({}, "v1").ok());
  EXPECT_EQ(taken(get("/a")), "one");
  EXPECT_EQ(paths("/"), "/a ");
  taken(put("/c", "after"));
  EXPECT_EQ(paths("/"), "/a /c ");
  EXPECT_EQ(code_of(versions_.restore({}, "v2")), ErrorCode::not_found);
}

TEST_F(FileVersionsTest, ForksGoTheirOwnWay) {
  taken(put("/a", "one"));
  taken(versions_.make_snapshot({}, {.name = "v1"}));
  taken(put("/a", "two"));
  EXPECT_EQ(taken(versions_.make_fork({}, {.name = "old", .base = "v1"})).root, taken(versions_.snapshots({}))[0].root);
  taken(versions_.make_fork({}, {.name = "new"}));
  EXPECT_EQ(code_of(versions_.make_fork({}, {.name = "new"})), ErrorCode::already_exists);
  EXPECT_EQ(code_of(versions_.make_fork({}, {.name = "x", .base = "nothing"})), ErrorCode::not_found);
  EXPECT_EQ(code_of(put("/a", "x", "nothing")), ErrorCode::not_found);

  taken(put("/a", "three", "old"));
  EXPECT_EQ(taken(get("/a")), "two");
  EXPECT_EQ(taken(get("/a", {.fork = "old"})), "three");
  EXPECT_EQ(taken(get("/a", {.fork = "new"})), "two");
  EXPECT_EQ(taken(get("/a", {.snapshot = "old"})), "three");
  taken(versions_.make_snapshot({}, {.name = "of fork", .fork = "old"}));
  EXPECT_EQ(taken(get("/a", {.snapshot = "of fork"})), "three");

  EXPECT_TRUE(versions_.promote_fork({}, "old").ok());
  EXPECT_EQ(taken(get("/a")), "three");
  EXPECT_EQ(taken(versions_.forks({})).size(), 2U);
  EXPECT_TRUE(versions_.abandon_fork({}, "old").ok());
  EXPECT_EQ(code_of(versions_.abandon_fork({}, "old")), ErrorCode::not_found);
  EXPECT_EQ(code_of(versions_.promote_fork({}, "")), ErrorCode::not_found);
  EXPECT_EQ(code_of(get("/a", {.fork = "old"})), ErrorCode::not_found);
  EXPECT_EQ(taken(versions_.forks({})).size(), 1U);
}

TEST_F(FileVersionsTest, AnyVersionCanBePromoted) {
  taken(put("/a", "one"));
  const Hash first = taken(versions_.resolve({}, {})).root;
  taken(put("/a", "two"));
  EXPECT_TRUE(versions_.promote({}, first).ok());
  EXPECT_EQ(taken(get("/a")), "one");
  EXPECT_EQ(code_of(versions_.promote({}, blake3("dirc:", "nothing"))), ErrorCode::not_found);
}

TEST_F(FileVersionsTest, HistoryTellsWhatBecameOfAFile) {
  const auto snapshot = [&](std::string_view name) {
    clock_.advance_us(1'000);
    taken(versions_.make_snapshot({}, {.name = name}));
  };
  taken(put("/other", "x"));
  snapshot("s0");
  taken(put("/d/a", "one"));
  snapshot("s1");
  clock_.advance_us(1'000);
  taken(put("/d/a", "one"));
  snapshot("s2");
  taken(put("/d/a", "two!"));
  snapshot("s3");
  taken(files_.remove({}, {.path = "/d/a"}));
  snapshot("s4");
  snapshot("s5");
  std::string text;
  const FileHistory history = taken(versions_.history({}, "d//a/"));
  EXPECT_EQ(history.path, "/d/a");
  for (const FileChange& change : history.changes) {
    text += change.snapshot + " " + std::string(file_change_name(change.type)) + " " +
            std::to_string(change.file.total_size) + "\n";
  }
  EXPECT_EQ(text, "s4 deleted 4\ns3 modified 4\ns2 unchanged 3\ns1 added 3\n");
  EXPECT_TRUE(taken(versions_.history({}, "/d")).changes.empty());
  EXPECT_TRUE(taken(versions_.history({}, "/nothing")).changes.empty());
  for (const std::string_view root : {"", "/", "//"}) {
    EXPECT_EQ(code_of(versions_.history({}, root)), ErrorCode::invalid_argument) << root;
    EXPECT_EQ(code_of(versions_.restore_file({}, {.path = root, .from = {.snapshot = "s0"}})),
              ErrorCode::invalid_argument)
        << root;
  }
}

TEST_F(FileVersionsTest, RestoringAFileKeepsWhatWasThere) {
  const Bytes large(600'000, 'x');
  taken(put("/a", large));
  taken(files_.put_symlink({}, {.path = "/l", .target = "/a"}));
  taken(versions_.make_snapshot({}, {.name = "v1"}));
  taken(put("/a", "two"));
  taken(put("/b", "other"));
  const RestoredFile restored = taken(versions_.restore_file({}, {.path = "a", .from = {.snapshot = "v1"}}));
  EXPECT_EQ(restored.file.total_size, large.size());
  EXPECT_EQ(restored.auto_snapshot, "pre-restore-2023-11-14T22-13-20Z");
  EXPECT_EQ(taken(get("/a")), large);
  EXPECT_EQ(taken(get("/b")), "other");
  EXPECT_EQ(taken(get("/a", {.snapshot = restored.auto_snapshot})), "two");
  taken(files_.remove({}, {.path = "/l"}));
  EXPECT_EQ(taken(versions_.restore_file({}, {.path = "l", .from = {.snapshot = "v1"}})).auto_snapshot,
            "pre-restore-2023-11-14T22-13-20Z-2");
  EXPECT_EQ(taken(get("/l")), large);

  const auto restore = [&](const FileTree& from) { return versions_.restore_file({}, {.path = "/b", .from = from}); };
  EXPECT_EQ(code_of(restore({})), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(restore({.snapshot = "v1"})), ErrorCode::not_found);
  EXPECT_EQ(code_of(restore({.snapshot = "nothing"})), ErrorCode::not_found);
  // A directory has taken its place: nothing is done.
  taken(files_.remove({}, {.path = "/a"}));
  taken(put("/a/b", "x"));
  EXPECT_EQ(code_of(versions_.restore_file({}, {.path = "/a", .from = {.snapshot = "v1"}})), ErrorCode::already_exists);
  EXPECT_EQ(taken(versions_.snapshots({})).size(), 3U);
}

}  // namespace
}  // namespace strata::service
