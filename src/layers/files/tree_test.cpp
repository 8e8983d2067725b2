#include "layers/files/tree.h"

#include <fmt/format.h>

#include <set>

#include "base/random.h"
#include "layers/files/files_fixture_test.h"
#include "layers/files/path.h"
#include "layers/files/tree_diff.h"

namespace strata::files {
namespace {

ChildEntry file(uint64_t content) {
  Hash hash{};
  std::memcpy(hash.data(), &content, sizeof content);
  return {EntryKind::file, hash, content, 1, 2, {}, "text/plain"};
}

// Files by path, with their contents; directories have what is below them or stand alone.
struct Model {
  std::map<std::string, uint64_t> files;
  std::set<std::string> directories;
};

class TreeTest : public FilesTest {
 protected:
  template <class Body>
  Hash edit(const Hash& root, Body body, int64_t now_ms = 5) {
    return write([&](EntryWriter& writer) -> Result<Hash> {
      TreeEdit edit(writer, root, now_ms);
      body(edit);
      return edit.finish();
    });
  }
  // Every path below the root: of a file its size, of a directory nothing.
  std::map<std::string, std::optional<uint64_t>> paths(const Hash& root) {
    return read([&](const EntryReader& reader) {
      std::map<std::string, std::optional<uint64_t>> found;
      TreeDiff diff(reader, empty_directory(), root);
      while (diff.next()) {
        EXPECT_FALSE(diff.before());
        found.emplace(diff.path(),
                      diff.after()->kind == EntryKind::file ? std::optional(diff.after()->size) : std::nullopt);
      }
      EXPECT_TRUE(diff.status().ok());
      return found;
    });
  }
  std::optional<ChildEntry> find(const Hash& root, std::string_view path) {
    return read([&](const EntryReader& reader) { return *find_path(reader, root, path); });
  }
};

ErrorCode code(const Result<void>& result) { return result.ok() ? ErrorCode::internal : result.error().code(); }

TEST_F(TreeTest, ParentsAreMadeAndStayUntilTheyAreRemoved) {
  const Hash one = edit(empty_directory(), [](TreeEdit& edit) { EXPECT_TRUE(edit.put("/a/b/c.txt", file(7)).ok()); });
  EXPECT_EQ(find(one, "/a/b/c.txt")->size, 7u);
  EXPECT_EQ(find(one, "/a/b/c.txt")->name, "c.txt");
  EXPECT_EQ(find(one, "/a")->kind, EntryKind::directory);
  EXPECT_EQ(find(one, "/a")->created_at_ms, 5);
  EXPECT_EQ(find(one, "/")->hash, one);
  EXPECT_FALSE(find(one, "/a/b/c.txt/d"));
  EXPECT_FALSE(find(one, "/b"));
  const Hash two = edit(one, [](TreeEdit& edit) { EXPECT_TRUE(edit.remove("/a/b/c.txt").ok()); }, 9);
  EXPECT_EQ(find(two, "/a/b")->hash, empty_directory());
  EXPECT_EQ(find(two, "/a")->created_at_ms, 5);
  EXPECT_EQ(find(two, "/a")->updated_at_ms, 9);
  edit(two, [](TreeEdit& edit) {
    EXPECT_EQ(code(edit.remove("/a")), ErrorCode::not_found);
    EXPECT_TRUE(edit.remove("/a/b").ok());
    EXPECT_TRUE(edit.remove("/a").ok());
    EXPECT_EQ(code(edit.remove("/a")), ErrorCode::not_found);
    EXPECT_EQ(code(edit.remove("/")), ErrorCode::not_found);
  });
}

TEST_F(TreeTest, AFileIsNoDirectoryAndADirectoryNoFile) {
  edit(empty_directory(), [](TreeEdit& edit) {
    EXPECT_TRUE(edit.put("/a", file(1)).ok());
    EXPECT_EQ(code(edit.put("/a/b", file(1))), ErrorCode::already_exists);
    EXPECT_EQ(code(edit.remove("/a/b")), ErrorCode::not_found);
    EXPECT_TRUE(edit.put("/d/x", file(1)).ok());
    EXPECT_EQ(code(edit.put("/d", file(1))), ErrorCode::already_exists);
    EXPECT_EQ(code(edit.put("/", file(1))), ErrorCode::invalid_argument);
    EXPECT_TRUE(edit.put("/a", file(2)).ok());
    EXPECT_EQ((*edit.find("/a"))->size, 2u);
  });
}

TEST_F(TreeTest, WhatIsRolledBackLeavesNothing) {
  const Hash root = edit(empty_directory(), [](TreeEdit& edit) { EXPECT_TRUE(edit.put("/a/x", file(1)).ok()); });
  const Hash again = edit(root, [](TreeEdit& edit) {
    const size_t mark = edit.mark();
    EXPECT_TRUE(edit.put("/new/deep/file", file(1)).ok());
    EXPECT_TRUE(edit.put("/a/x", file(2)).ok());
    EXPECT_TRUE(edit.put("/a/x", file(3)).ok());
    EXPECT_TRUE(edit.remove("/a/x").ok());
    EXPECT_TRUE(edit.remove("/a").ok());
    EXPECT_TRUE(edit.put("/a", file(4)).ok());
    edit.roll_back(mark);
    EXPECT_EQ((*edit.find("/a/x"))->size, 1u);
    EXPECT_FALSE(*edit.find("/new"));
  });
  EXPECT_EQ(again, root);
}

TEST_F(TreeTest, ADirectoryThatWasRemovedIsMadeAnewEmpty) {
  const Hash root = edit(empty_directory(), [](TreeEdit& edit) {
    EXPECT_TRUE(edit.put("/d/a", file(1)).ok());
    EXPECT_TRUE(edit.put("/d/b", file(1)).ok());
  });
  const Hash now = edit(root, [](TreeEdit& edit) {
    EXPECT_TRUE(edit.remove("/d/a").ok());
    EXPECT_TRUE(edit.remove("/d/b").ok());
    EXPECT_TRUE(edit.remove("/d").ok());
    EXPECT_TRUE(edit.put("/d/c", file(3)).ok());
  });
  EXPECT_EQ(paths(now), (std::map<std::string, std::optional<uint64_t>>{{"/d", std::nullopt}, {"/d/c", 3}}));
}

class RandomTree {
 public:
  explicit RandomTree(uint64_t seed) : random_(seed) {}

  // The same to both; what the edit answers is what the model says.
  void step(TreeEdit& edit, Model& model) {
    const std::string path = some_path();
    const bool is_directory = model.directories.contains(path);
    if (random_.below(3) > 0) {
      const uint64_t content = random_.below(1'000'000);
      bool possible = !is_directory;
      for (std::string_view at = parent_path(path); at != "/"; at = parent_path(at)) {
        possible = possible && !model.files.contains(std::string(at));
      }
      EXPECT_EQ(edit.put(path, file(content)).ok(), possible) << path;
      if (!possible) return;
      model.files[path] = content;
      for (std::string_view at = parent_path(path); at != "/"; at = parent_path(at))
        model.directories.insert(std::string(at));
      return;
    }
    const auto below = [&](const std::string& other) { return other.starts_with(path + "/"); };
    bool possible = model.files.contains(path);
    if (is_directory) {
      possible = true;
      for (const auto& [other, content] : model.files) possible = possible && !below(other);
      for (const std::string& other : model.directories) possible = possible && !below(other);
    }
    EXPECT_EQ(edit.remove(path).ok(), possible) << path;
    if (!possible) return;
    model.files.erase(path);
    model.directories.erase(path);
  }
  Random& random() { return random_; }

 private:
  std::string some_path() {
    std::string path;
    do {
      path += fmt::format("/{}", random_.below(path.empty() ? 4 : 7));
    } while (path.size() < 8 && !random_.one_in(3));
    return path;
  }
  Random random_;
};

std::map<std::string, std::optional<uint64_t>> listing(const Model& model) {
  std::map<std::string, std::optional<uint64_t>> paths;
  for (const auto& [path, content] : model.files) paths.emplace(path, content);
  for (const std::string& path : model.directories) paths.emplace(path, std::nullopt);
  return paths;
}

TEST_F(TreeTest, RandomEditsAgreeWithAModelAndDiffsLeadFromOneToTheOther) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    RandomTree tree(seed);
    Model model;
    Hash root = empty_directory();
    Model old_model;
    Hash old_root = root;
    for (int round = 0; round < 40; ++round) {
      root = edit(root, [&](TreeEdit& edit) {
        for (uint64_t i = tree.random().below(12); i > 0; --i) {
          if (tree.random().one_in(4)) {
            Model undone = model;
            const size_t mark = edit.mark();
            for (int j = 0; j < 3; ++j) tree.step(edit, undone);
            edit.roll_back(mark);
          }
          tree.step(edit, model);
          if (tree.random().one_in(9)) ASSERT_TRUE(edit.finish().ok());
        }
      });
      ASSERT_EQ(paths(root), listing(model)) << "seed " << seed << " round " << round;
      // The difference, applied to the old listing, gives the new one.
      auto applied = listing(old_model);
      read([&](const EntryReader& reader) {
        TreeDiff diff(reader, old_root, root);
        while (diff.next()) {
          EXPECT_NE(diff.before(), diff.after());
          if (!diff.after()) {
            EXPECT_EQ(applied.erase(diff.path()), 1u) << diff.path();
          } else {
            applied[diff.path()] =
                diff.after()->kind == EntryKind::file ? std::optional(diff.after()->size) : std::nullopt;
          }
        }
        EXPECT_TRUE(diff.status().ok());
        return true;
      });
      ASSERT_EQ(applied, listing(model)) << "seed " << seed << " round " << round;
      if (tree.random().one_in(3)) old_root = root, old_model = model;
    }
  }
}

TEST_F(TreeTest, ADiffReadsWhatDiffersAndVisitsWhatIsNew) {
  const Hash before = edit(empty_directory(), [](TreeEdit& edit) {
    for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(edit.put(fmt::format("/big/file-{:05}", i), file(1)).ok());
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(edit.put(fmt::format("/many/{}/x", i), file(1)).ok());
  });
  const Hash after = edit(before, [](TreeEdit& edit) {
    ASSERT_TRUE(edit.put("/big/file-04321", file(2)).ok());
    ASSERT_TRUE(edit.put("/big/file-04321x", file(2)).ok());
    ASSERT_TRUE(edit.remove("/big/file-17000").ok());
    ASSERT_TRUE(edit.put("/many/7/y", file(2)).ok());
  });
  read([&](const EntryReader& reader) {
    std::vector<std::string> told;
    std::set<Hash> visited;
    TreeDiff diff(reader, before, after, [&](const Hash& hash, const Bytes& node, bool whole) {
      EXPECT_EQ(blake3(whole ? archive::directory_domain : archive::node_domain, node), hash);
      visited.insert(hash);
    });
    while (diff.next()) {
      if (!diff.after() || diff.after()->kind == EntryKind::file) told.push_back(diff.path());
    }
    EXPECT_TRUE(diff.status().ok());
    EXPECT_EQ(told, (std::vector<std::string>{"/big/file-04321", "/big/file-04321x", "/big/file-17000", "/many/7/y"}));
    EXPECT_TRUE(visited.contains(after));
    EXPECT_LT(visited.size(), 30u);
    return true;
  });
}

TEST(Path, IsCanonicalOrRefused) {
  EXPECT_EQ(*canonical_path(""), "/");
  EXPECT_EQ(*canonical_path("///"), "/");
  EXPECT_EQ(*canonical_path("a/b"), "/a/b");
  EXPECT_EQ(*canonical_path("//a//b/"), "/a/b");
  EXPECT_EQ(*canonical_path("/ä/…/.x"), "/ä/…/.x");
  for (const char* bad : {"/a/../b", "..", "/.", "/a/./b", "/\xff"}) EXPECT_FALSE(canonical_path(bad).ok()) << bad;
  EXPECT_FALSE(canonical_path(std::string("/a\0b", 4)).ok());
  EXPECT_FALSE(canonical_path("/" + std::string(max_name_bytes + 1, 'n')).ok());
  std::string deep;
  for (size_t i = 0; i < max_depth; ++i) deep += "/d";
  EXPECT_TRUE(canonical_path(deep).ok());
  EXPECT_FALSE(canonical_path(deep + "/d").ok());
  std::string lengthy;
  while (lengthy.size() + 1'001 <= max_path_bytes) lengthy += "/" + std::string(1'000, 'n');
  EXPECT_TRUE(canonical_path(lengthy).ok());
  EXPECT_FALSE(canonical_path(lengthy + "/" + std::string(1'000, 'n')).ok());
}

TEST(Path, NothingIsPutAtTheRootOrWhereHashesAreRead) {
  for (const char* path : {"", "/", "//", "_hash", "/_hash", "//_hash/a", "_hash//", "/a/.."}) {
    EXPECT_FALSE(canonical_written_path(path).ok()) << path;
  }
  for (const char* path : {"_hashes", "/a/_hash", "_Hash/a"}) EXPECT_TRUE(canonical_written_path(path).ok()) << path;
}

TEST(Path, HasAParentAndAName) {
  EXPECT_EQ(parent_path("/a/b"), "/a");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(name_of_path("/a/b"), "b");
  EXPECT_EQ(join_path("/", "a"), "/a");
  EXPECT_EQ(join_path("/a", "b"), "/a/b");
}

}  // namespace
}  // namespace strata::files
