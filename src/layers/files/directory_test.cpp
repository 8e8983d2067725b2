#include "layers/files/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "layers/files/files_fixture_test.h"

namespace strata::files {
namespace {

using archive::NodeChild;
using archive::NodeForm;
using Model = std::map<std::string, ChildEntry>;

ChildEntry child(std::string name, uint64_t content) {
  Hash hash{};
  std::memcpy(hash.data(), &content, sizeof content);
  return {EntryKind::file, hash, content, 1, static_cast<int64_t>(content), std::move(name), "text/plain"};
}

class DirectoryTest : public FilesTest {
 protected:
  Hash edit(const Hash& directory, const std::vector<ChildEdit>& edits) {
    return write([&](EntryWriter& writer) { return edit_directory(writer, directory, edits); });
  }
  Hash build(const Model& model) {
    std::vector<ChildEdit> edits;
    for (const auto& [name, entry] : model) edits.push_back({name, entry});
    return edit(empty_directory(), edits);
  }
  Model contents(const Hash& directory, std::string_view after = {}) {
    return read([&](const EntryReader& reader) {
      Model model;
      Children children(reader, directory, after);
      while (children.next()) model.emplace(children.entry().name, children.entry());
      EXPECT_TRUE(children.status().ok());
      return model;
    });
  }
  std::optional<ChildEntry> find(const Hash& directory, std::string_view name) {
    return read([&](const EntryReader& reader) { return *find_child(reader, directory, name); });
  }
  // All nodes of a directory.
  std::set<Hash> nodes(const Hash& directory) {
    return read([&](const EntryReader& reader) {
      std::set<Hash> found{directory};
      std::vector<Hash> open{directory};
      while (!open.empty()) {
        const auto node = *reader.node(open.back());
        open.pop_back();
        if (const auto children = archive::decode_internal(*node)) {
          EXPECT_LE(children->size(), archive::max_node_children);
          for (const NodeChild& below : *children) {
            found.insert(below.hash);
            open.push_back(below.hash);
          }
        } else if (archive::form_of_node(*node) == NodeForm::leaf) {
          EXPECT_LE(archive::decode_children(*node)->size(), archive::max_leaf_children);
        }
      }
      return found;
    });
  }
};

TEST_F(DirectoryTest, TheEmptyOneHasNothingAndIsNotStored) {
  EXPECT_EQ(contents(empty_directory()), Model{});
  EXPECT_EQ(find(empty_directory(), "a"), std::nullopt);
  EXPECT_EQ(edit(empty_directory(), {}), empty_directory());
  const Hash one = edit(empty_directory(), {{"a", child("a", 1)}});
  EXPECT_EQ(edit(one, {{"a", std::nullopt}}), empty_directory());
}

TEST_F(DirectoryTest, ItIsFlatBelow256AndATreeFromThereOn) {
  Model model;
  for (int i = 0; i < 255; ++i) model.emplace(fmt::format("f{:04}", i), child(fmt::format("f{:04}", i), 1));
  const Hash flat = build(model);
  const auto form = [&](const Hash& hash) {
    return read([&](const EntryReader& reader) { return archive::form_of_node(**reader.node(hash)); });
  };
  EXPECT_EQ(form(flat), NodeForm::flat);
  const Hash tree = edit(flat, {{"zz", child("zz", 1)}});
  EXPECT_EQ(form(tree), NodeForm::internal);
  EXPECT_EQ(contents(tree).size(), 256u);
  EXPECT_EQ(edit(tree, {{"zz", std::nullopt}}), flat);
}

TEST_F(DirectoryTest, NamesAreFoundAndWalkedFromAnywhere) {
  Model model;
  for (int i = 0; i < 3'000; ++i) model.emplace(fmt::format("n{}", i * 7), child(fmt::format("n{}", i * 7), i));
  const Hash directory = build(model);
  EXPECT_EQ(contents(directory), model);
  for (const auto& [name, entry] : model) EXPECT_EQ(find(directory, name), entry);
  EXPECT_EQ(find(directory, "n1"), std::nullopt);
  EXPECT_EQ(find(directory, "a"), std::nullopt);
  EXPECT_EQ(find(directory, "zzz"), std::nullopt);
  for (const char* after : {"n0", "n1", "n4", "n9999", "m", "zzz"}) {
    EXPECT_EQ(contents(directory, after), Model(model.upper_bound(after), model.end())) << after;
  }
}

// Whatever happened before: the bytes are those of the directory that is built at once.
TEST_F(DirectoryTest, RandomEditsAgreeWithAMapAndLeaveNoHistory) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Random random(seed);
    Model model;
    Hash directory = empty_directory();
    const uint64_t names = seed % 3 == 0 ? 400 : seed % 3 == 1 ? 3'000 : 20'000;
    for (int round = 0; round < 40; ++round) {
      std::map<std::string, std::optional<ChildEntry>> edits;
      const uint64_t count = random.one_in(8) ? 1 + random.below(names / 4) : 1 + random.below(6);
      // A run of names next to each other, or any.
      const bool run = random.one_in(3);
      const bool removing = random.one_in(3);
      const uint64_t first = random.below(names);
      for (uint64_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("{:x}", run ? first + i : random.below(names));
        if (removing ? !random.one_in(5) : random.one_in(6)) {
          edits.insert_or_assign(name, std::nullopt);
        } else {
          edits.insert_or_assign(name, child(name, random.below(1'000'000)));
        }
      }
      std::vector<ChildEdit> list;
      for (auto& [name, entry] : edits) {
        list.push_back({name, entry});
        if (entry) {
          model.insert_or_assign(name, *entry);
        } else {
          model.erase(name);
        }
      }
      directory = edit(directory, list);
      ASSERT_EQ(directory, build(model)) << "seed " << seed << " round " << round << " of " << model.size();
    }
    ASSERT_EQ(contents(directory), model);
    nodes(directory);
    std::vector<ChildEdit> all;
    for (const auto& [name, entry] : model) all.push_back({name, std::nullopt});
    EXPECT_EQ(edit(directory, all), empty_directory());
  }
}

TEST_F(DirectoryTest, NothingIsPutBesideItsNodesAndTheyArePacked) {
  Model model;
  for (int i = 0; i < 1'000; ++i) model.emplace(fmt::format("f{:03}", i), child(fmt::format("f{:03}", i), 1));
  const Hash before = build(model);
  model["f500"] = child("f500", 2);
  const Hash after = edit(before, {{"f500", model["f500"]}});
  std::set<Hash> all = nodes(before);
  all.merge(nodes(after));
  size_t rows = 0;
  size_t raw_bytes = 0;
  size_t stored_bytes = 0;
  kv::Transaction transaction = database_.create_transaction();
  const kv::KeyRange range = entry_rows();
  for (kv::RangeIterator entries(transaction, range.begin, range.end); entries.next(); ++rows) {
    const EntryRow row = *decode_entry_row(entries.value());
    raw_bytes += row.raw_size;
    stored_bytes += row.stored_size;
  }
  EXPECT_EQ(rows, all.size());
  EXPECT_LT(stored_bytes, raw_bytes * 2 / 3);
  NodeCache empty;
  for (const Hash& hash : all) {
    EXPECT_EQ(**EntryReader(transaction, empty).node(hash), **EntryReader(transaction, cache_).node(hash));
  }
}

TEST_F(DirectoryTest, AChangeInManyNamesRewritesAHandfulOfNodes) {
  Model model;
  for (int i = 0; i < 20'000; ++i)
    model.emplace(fmt::format("file-{:06}.txt", i), child(fmt::format("file-{:06}.txt", i), 1));
  const Hash before = build(model);
  const std::set<Hash> old = nodes(before);
  EXPECT_LT(old.size(), 20'000u / 15);
  const auto changed = [&](const std::vector<ChildEdit>& edits) {
    const std::set<Hash> now = nodes(edit(before, edits));
    return std::count_if(now.begin(), now.end(), [&](const Hash& hash) { return !old.contains(hash); });
  };
  EXPECT_LE(changed({{"file-010000.txt", child("file-010000.txt", 2)}}), 5);
  int total = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string name = fmt::format("file-{:06}.tx", i * 399);
    total += static_cast<int>(changed({{name, child(name, 2)}}));
  }
  EXPECT_LE(total, 50 * 8);
}

// Another writer's tree: cut in twos, and a key is the last name before it.
TEST_F(DirectoryTest, TreesOfOtherWritersAreReadAndChanged) {
  Model model;
  for (int i = 0; i < 400; ++i) model.emplace(fmt::format("k{:03}", i), child(fmt::format("k{:03}", i), i));
  const Hash foreign = write([&](EntryWriter& writer) -> Result<Hash> {
    std::vector<NodeChild> level;
    std::vector<ChildEntry> leaf;
    for (const auto& [name, entry] : model) {
      leaf.push_back(entry);
      if (leaf.size() < 8) continue;
      level.push_back({level.empty() ? "" : fmt::format("k{:03}", level.size() * 8 - 1),
                       writer.put_node(archive::encode_leaf(leaf))});
      leaf.clear();
    }
    return writer.put_directory(archive::encode_internal(level));
  });
  EXPECT_EQ(contents(foreign), model);
  for (const auto& [name, entry] : model) EXPECT_EQ(find(foreign, name), entry) << name;
  const Hash edited = edit(foreign, {{"k100x", child("k100x", 7)}, {"k300", std::nullopt}});
  model.emplace("k100x", child("k100x", 7));
  model.erase("k300");
  EXPECT_EQ(contents(edited), model);
}

TEST_F(DirectoryTest, ANodeThatIsGoneIsSaid) {
  Model model;
  for (int i = 0; i < 1'000; ++i) model.emplace(fmt::format("k{:03}", i), child(fmt::format("k{:03}", i), i));
  const Hash directory = build(model);
  const Hash gone = *std::next(nodes(directory).begin());
  write([&](EntryWriter& writer) -> Result<void> {
    writer.remove(gone, **writer.row(gone));
    return {};
  });
  NodeCache cold;
  kv::Transaction transaction = database_.create_transaction();
  const EntryReader reader(transaction, cold);
  Children children(reader, directory);
  while (children.next()) {
  }
  ASSERT_FALSE(children.status().ok());
  EXPECT_EQ(children.status().error().code(), ErrorCode::not_found);
}

}  // namespace
}  // namespace strata::files
