// MetadataIndex beside the reference: random metadata, changes and filters; what the index calls certain must match,
// what it leaves out must not, and what it calls uncertain must have a reason.
#include "layers/vectors/metadata_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "base/hex.h"
#include "base/memory_stream.h"
#include "base/random.h"

namespace strata::vectors {
namespace {

using Op = FilterOperator;

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  size_t below(size_t bound) { return random_.below(bound); }

  std::string text() {
    static const std::string longs[] = {std::string(300, 'a'), std::string(256, 'a'), std::string(257, 'a')};
    if (random_.one_in(10)) return longs[random_.below(3)];
    std::string text;
    for (uint64_t length = random_.below(4); length > 0; --length) text += "abc"[random_.below(3)];
    return text;
  }

  MetadataValue value() {
    switch (random_.below(6)) {
      case 0:
        return text();
      case 1:
        return static_cast<int64_t>(random_.below(8)) - 4;
      case 2:
        return static_cast<double>(random_.below(16)) / 2 - 4;
      case 3:
        return random_.one_in(2);
      case 4:
        return static_cast<int64_t>((uint64_t{1} << 53) + random_.below(3));
      default: {
        StringList list;
        for (uint64_t count = random_.below(4); count > 0; --count) list.push_back(text());
        return list;
      }
    }
  }

  std::string name() { return std::string(1, "xyz"[random_.below(3)]); }

  Metadata metadata() {
    std::map<std::string, MetadataValue> fields;
    for (uint64_t count = random_.below(4); count > 0; --count) fields[name()] = value();
    Metadata metadata;
    for (auto& [name, value] : fields) metadata.push_back({name, value});
    EXPECT_TRUE(check_metadata(metadata).ok());
    return metadata;
  }

  // One that check_filter takes.
  Filter filter(size_t depth = 3) {
    for (;;) {
      Filter made = try_filter(depth);
      if (check_filter(made).ok()) return made;
    }
  }

 private:
  Filter try_filter(size_t depth) {
    Filter made;
    made.kind = depth == 0 ? FilterKind::field : static_cast<FilterKind>(random_.below(4));
    if (made.kind != FilterKind::field) {
      const uint64_t count = made.kind == FilterKind::negation ? 1 : random_.below(4);
      for (uint64_t i = 0; i < count; ++i) made.children.push_back(filter(depth - 1));
      return made;
    }
    made.field = random_.one_in(10) ? "none" : name();
    made.op = static_cast<Op>(random_.below(10));
    const uint64_t count = made.op == Op::in ? random_.below(4) : made.op == Op::between ? 2 : 1;
    for (uint64_t i = 0; i < count; ++i) made.values.push_back(value());
    return made;
  }

  Random random_;
};

class Model {
 public:
  void set(uint32_t slot, Metadata metadata, bool unread) {
    index.remove(slot);
    if (unread) {
      index.add_unread(slot);
    } else {
      index.add(slot, metadata);
    }
    stored_[slot] = {std::move(metadata), unread};
  }
  void remove(uint32_t slot) {
    index.remove(slot);
    stored_.erase(slot);
  }

  void expect_same(const Filter& filter) const {
    const FilterCandidates found = index.candidates(filter);
    SlotBitmap answer = found.certain;
    SlotBitmap both = found.certain;
    both &= found.uncertain;
    EXPECT_TRUE(both.empty());
    found.uncertain.in_pieces([&](std::span<const uint32_t> slots) {
      for (const uint32_t slot : slots) {
        const auto stored = stored_.find(slot);
        ASSERT_NE(stored, stored_.end());
        EXPECT_TRUE(stored->second.unread || has_reason(stored->second.metadata));
        if (matches(filter, stored->second.metadata)) answer.add(slot);
      }
    });
    SlotBitmap expected;
    for (const auto& [slot, stored] : stored_) {
      if (matches(filter, stored.metadata)) expected.add(slot);
    }
    EXPECT_EQ(answer.slots(), expected.slots());
  }

  size_t size() const { return stored_.size(); }

  MetadataIndex index;

 private:
  struct Stored {
    Metadata metadata;
    bool unread = false;
  };
  static bool has_reason(const Metadata& metadata) {
    return std::ranges::any_of(metadata, [](const MetadataField& field) {
      const std::string* text = std::get_if<std::string>(&field.value);
      return std::holds_alternative<StringList>(field.value) || (text && text->size() > max_indexed_text_bytes);
    });
  }
  std::map<uint32_t, Stored> stored_;
};

TEST(MetadataIndex, AnswersAsTheReferenceDoesThroughChanges) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Generator generator(seed);
    Model model;
    for (int step = 0; step < 400; ++step) {
      const auto slot = static_cast<uint32_t>(generator.below(100)) * 700;
      if (generator.below(4) == 0) {
        model.remove(slot);
      } else {
        model.set(slot, generator.metadata(), generator.below(20) == 0);
      }
      if (step % 8 == 0) model.expect_same(generator.filter());
    }
    EXPECT_EQ(model.index.size(), model.size());
    BytesSink sink;
    ASSERT_TRUE(model.index.save(sink).ok());
    BytesSource source(sink.bytes);
    auto loaded = MetadataIndex::load(source, 70'000);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    model.index = *std::move(loaded);
    for (int i = 0; i < 50; ++i) model.expect_same(generator.filter());
    for (uint32_t slot = 0; slot < 70'000; slot += 700) model.remove(slot);
    EXPECT_EQ(model.index.size(), 0u);
    model.expect_same(generator.filter());
  }
}

Filter on(std::string field, Op op, std::vector<MetadataValue> values = {}) {
  return {.kind = FilterKind::field, .field = std::move(field), .op = op, .values = std::move(values)};
}

std::string six_digits(int64_t value) {
  const std::string digits = std::to_string(value);
  return std::string(6 - digits.size(), '0') + digits;
}

TEST(MetadataIndex, RangesOverManyBlocksAreExact) {
  MetadataIndex index;
  constexpr uint32_t count = 5'000;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t value = (i * 7'919) % count;
    index.add(i, {{"n", static_cast<int64_t>(value)}, {"t", six_digits(value)}});
  }
  const auto expect = [&](const Filter& filter, auto wanted) {
    const FilterCandidates found = index.candidates(filter);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < count; ++i) {
      if (wanted((i * 7'919) % count)) expected.push_back(i);
    }
    EXPECT_EQ(found.certain.slots(), expected);
    EXPECT_TRUE(found.uncertain.empty());
  };
  for (const int64_t bound : {-1, 0, 1, 255, 256, 257, 511, 512, 513, 2'500, 4'999, 5'000}) {
    const auto at = static_cast<int64_t>(bound);
    expect(on("n", Op::lt, {at}), [&](uint32_t value) { return value < at; });
    expect(on("n", Op::lte, {at}), [&](uint32_t value) { return value <= at; });
    expect(on("n", Op::gt, {at}), [&](uint32_t value) { return value > at; });
    expect(on("n", Op::gte, {at}), [&](uint32_t value) { return value >= at; });
    expect(on("n", Op::between, {at, at + 700}), [&](uint32_t value) { return value >= at && value <= at + 700; });
    expect(on("n", Op::between, {at, at - 1}), [](uint32_t) { return false; });
    if (at >= 0) expect(on("t", Op::lt, {six_digits(at)}), [&](uint32_t value) { return value < at; });
  }
  // Every other one goes: blocks shrink, and a freed value is used again.
  for (uint32_t i = 0; i < count; i += 2) index.remove(i);
  const auto odd = index.candidates(on("n", Op::gte, {int64_t{0}}));
  EXPECT_EQ(odd.certain.count(), count / 2);
  for (uint32_t i = 0; i < count; i += 2) index.add(i, {{"n", 0.5}});
  EXPECT_EQ(index.candidates(on("n", Op::between, {0.25, 0.75})).certain.count(), count / 2);
}

TEST(MetadataIndex, LongTextsAreReadOnlyWhereTheyMatter) {
  MetadataIndex index;
  index.add(1, {{"text", std::string(10'000, 'x')}});
  index.add(2, {{"text", "short"}});
  const auto uncertain = [&](const Filter& filter) { return index.candidates(filter).uncertain.slots(); };
  EXPECT_EQ(uncertain(on("text", Op::eq, {"short"})), std::vector<uint32_t>());
  EXPECT_EQ(uncertain(on("text", Op::exists)), std::vector<uint32_t>());
  EXPECT_EQ(uncertain(on("text", Op::contains, {"xx"})), std::vector<uint32_t>{1});
  EXPECT_EQ(uncertain(on("text", Op::gt, {"a"})), std::vector<uint32_t>{1});
  EXPECT_LT(index.memory_bytes(), 10'000u);
}

TEST(MetadataIndex, NamesWithoutEndAreNotIndexed) {
  MetadataIndex index;
  const uint32_t slots = max_indexed_fields / max_metadata_fields + 3;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    Metadata metadata;
    for (size_t i = 0; i < max_metadata_fields; ++i) {
      metadata.push_back({"f" + std::to_string(slot * max_metadata_fields + i), true});
    }
    ASSERT_TRUE(check_metadata(metadata).ok());
    index.add(slot, metadata);
  }
  EXPECT_EQ(index.unread().count(), 3u);
  index.remove(0);
  index.add(0, {{"other", true}});
  EXPECT_EQ(index.unread().count(), 3u);
  EXPECT_EQ(index.candidates(on("other", Op::eq, {true})).certain.slots(), std::vector<uint32_t>{0});
}

MetadataIndex sample() {
  MetadataIndex index;
  Generator generator(7);
  for (uint32_t slot = 0; slot < 40; ++slot) index.add(slot * 3, generator.metadata());
  index.add_unread(200);
  return index;
}

TEST(MetadataIndex, SavedBytesDoNotDependOnHistory) {
  BytesSink first;
  ASSERT_TRUE(sample().save(first).ok());
  BytesSource source(first.bytes);
  auto loaded = MetadataIndex::load(source, 201);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message();
  EXPECT_EQ(loaded->unread().slots(), std::vector<uint32_t>{200});
  BytesSink second;
  ASSERT_TRUE(loaded->save(second).ok());
  EXPECT_EQ(first.bytes, second.bytes);
}

TEST(MetadataIndex, SavesTheGoldenBytes) {
  MetadataIndex index;
  index.add(1, {{"flag", true}, {"name", "b"}, {"number", int64_t{-1}}});
  index.add(2, {{"flag", false}, {"name", "a"}, {"number", 0.5}});
  index.add(3, {});
  index.add(5, {{"tags", StringList{"x", std::string(257, 'y')}}, {"text", std::string(257, 'z')}});
  index.add_unread(4);
  BytesSink sink;
  ASSERT_TRUE(index.save(sink).ok());
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/vector-metadata-index.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(to_hex(sink.bytes) + "\n", golden.str());
}

TEST(MetadataIndex, BrokenBytesAreCorruption) {
  BytesSink sink;
  ASSERT_TRUE(sample().save(sink).ok());
  const auto load = [](BytesView bytes, uint64_t slot_limit) {
    BytesSource source(bytes);
    const auto loaded = MetadataIndex::load(source, slot_limit);
    return loaded.ok() ? ErrorCode::internal : loaded.error().code();
  };
  for (size_t size = 0; size < sink.bytes.size(); ++size) {
    ASSERT_EQ(load(BytesView(sink.bytes).substr(0, size), 1'000), ErrorCode::corruption) << size;
  }
  for (size_t at = 0; at < sink.bytes.size(); ++at) {
    Bytes changed = sink.bytes;
    changed[at] = static_cast<char>(changed[at] ^ 4);
    ASSERT_EQ(load(changed, 1'000), ErrorCode::corruption) << at;
  }
  EXPECT_EQ(load(sink.bytes + "x", 1'000), ErrorCode::corruption);
  EXPECT_EQ(load(sink.bytes, 200), ErrorCode::corruption);
}

}  // namespace
}  // namespace strata::vectors
