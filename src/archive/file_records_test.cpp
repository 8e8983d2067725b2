#include "archive/file_records.h"

#include <gtest/gtest.h>

#include "base/hex.h"
#include "base/random.h"

namespace strata::archive {
namespace {

Hash some_hash(uint8_t fill) {
  Hash hash;
  hash.fill(fill);
  return hash;
}

ChildEntry some_child(std::string name) {
  return {EntryKind::file, some_hash(7), 123, 1'000, -2, std::move(name), "text/plain"};
}

FileRecord some_file() {
  return {"/a/b.txt", "text/plain", 262'145, 1'775'968'398'000, 1'775'968'398'001, "{}", {some_hash(1), some_hash(2)}};
}

TEST(FileRecords, TheBytesAreTheDocumentedOnes) {
  EXPECT_EQ(to_hex(encode_file_record({"/a", "x", 5, 1, 2, "{}", {some_hash(0xAB)}})),
            "02002f61"
            "010078"
            "0500000000000000"
            "0100000000000000"
            "0200000000000000"
            "020000007b7d"
            "01000000" +
                to_hex(bytes_of(some_hash(0xAB))));
  EXPECT_EQ(to_hex(encode_symlink({"/a", "/b", 1, 2})), "02002f6102002f6201000000000000000200000000000000");
  Bytes child;
  append_child(child, {EntryKind::symlink, some_hash(1), 0, 1, 2, "n", ""});
  EXPECT_EQ(to_hex(child), "08" + to_hex(bytes_of(some_hash(1))) +
                               "0000000000000000"
                               "0100000000000000"
                               "0200000000000000"
                               "01006e"
                               "0000");
  EXPECT_EQ(to_hex(encode_leaf({})), "000000");
  EXPECT_EQ(to_hex(encode_internal({{"", some_hash(1)}, {"m", some_hash(2)}})),
            "01010001006d" + to_hex(bytes_of(some_hash(1))) + to_hex(bytes_of(some_hash(2))));
  EXPECT_EQ(to_hex(encode_snapshot({"v1", some_hash(3), 9, "{}"})),
            "02007631" + to_hex(bytes_of(some_hash(3))) + "0900000000000000020000007b7d");
  EXPECT_EQ(to_hex(encode_deletion({"/a", 3, "r"})), "02002f610300000000000000010072");
}

TEST(FileRecords, WhatIsEncodedIsDecoded) {
  const Bytes file = encode_file_record(some_file());
  EXPECT_EQ(decode_file_record(file), some_file());
  EXPECT_EQ(chunk_hashes(file), Bytes(bytes_of(some_hash(1))).append(bytes_of(some_hash(2))));
  EXPECT_EQ(chunk_hashes(BytesView(file).substr(0, file.size() - 1)), std::nullopt);
  EXPECT_EQ(chunk_hashes(file + "x"), std::nullopt);
  const SymlinkRecord link{"/l", "../x", 1, 2};
  EXPECT_EQ(decode_symlink(encode_symlink(link)), link);
  const SnapshotRecord snapshot{"s", some_hash(4), 5, R"({"a":1})"};
  EXPECT_EQ(decode_snapshot(encode_snapshot(snapshot)), snapshot);
  const SnapshotRecord fork{"f", some_hash(4), 5, ""};
  EXPECT_EQ(decode_fork(encode_fork(fork)), fork);
  const DeletionRecord deletion{"/d", 6, "gone"};
  EXPECT_EQ(decode_deletion(encode_deletion(deletion)), deletion);
  const std::vector<ChildEntry> children{some_child("a"), some_child("b")};
  EXPECT_EQ(decode_children(encode_flat(children)), children);
  EXPECT_EQ(decode_children(encode_leaf(children)), children);
  EXPECT_EQ(decode_children(""), std::vector<ChildEntry>{});
  const std::vector<NodeChild> node{{"", some_hash(1)}, {"k", some_hash(2)}, {"m", some_hash(3)}};
  EXPECT_EQ(decode_internal(encode_internal(node)), node);
  EXPECT_FALSE(decode_children(encode_internal(node)));
  EXPECT_FALSE(decode_internal(encode_flat(children)));
}

// Each prefix, and each with something behind it, is refused or is another whole encoding; nothing is read beyond the
// end.
TEST(FileRecords, CutAndLengthenedBytesAreRefused) {
  const Bytes file = encode_file_record(some_file());
  for (size_t size = 0; size < file.size(); ++size) EXPECT_FALSE(decode_file_record(file.substr(0, size))) << size;
  EXPECT_FALSE(decode_file_record(file + "x"));
  const Bytes leaf = encode_leaf({some_child("a"), some_child("b")});
  for (size_t size = 1; size < leaf.size(); ++size) EXPECT_FALSE(decode_children(leaf.substr(0, size))) << size;
  const Bytes node = encode_internal({{"", some_hash(1)}, {"k", some_hash(2)}});
  for (size_t size = 1; size < node.size(); ++size) EXPECT_FALSE(decode_internal(node.substr(0, size))) << size;
  EXPECT_FALSE(decode_internal(node + "x"));
}

TEST(FileRecords, LyingCountsAreRefused) {
  Bytes file = encode_file_record(some_file());
  file.replace(file.size() - 2 * sizeof(Hash) - 4, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(decode_file_record(file));
  Bytes leaf = encode_leaf({some_child("a")});
  leaf[1] = 2;
  EXPECT_FALSE(decode_children(leaf));
  Bytes node = encode_internal({{"", some_hash(1)}, {"k", some_hash(2)}});
  node[1] = node[2] = '\xff';
  EXPECT_FALSE(decode_internal(node));
  Bytes child;
  append_child(child, some_child("a"));
  child[0] = 4;
  EXPECT_FALSE(decode_children(child));
}

TEST(FileRecords, RandomBytesEndInAnAnswer) {
  Random random(7);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(random.below(120), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(4) == 0 ? random.below(256) : random.below(3));
    if (const auto file = decode_file_record(bytes)) EXPECT_EQ(encode_file_record(*file), bytes);
    if (const auto children = decode_children(bytes); children && form_of_node(bytes) == NodeForm::flat) {
      EXPECT_EQ(encode_flat(*children), bytes);
    }
    if (const auto node = decode_internal(bytes)) EXPECT_EQ(encode_internal(*node), bytes);
    if (const auto snapshot = decode_snapshot(bytes)) EXPECT_EQ(encode_snapshot(*snapshot), bytes);
  }
}

TEST(FileRecords, HashesHaveTheirDomains) {
  EXPECT_EQ(content_hash(EntryKind::chunk, "x"), blake3("", "chunk:x"));
  EXPECT_EQ(content_hash(EntryKind::file, "x"), blake3("", "filec:x"));
  EXPECT_EQ(content_hash(EntryKind::directory, ""), blake3("", "dirc:"));
  EXPECT_EQ(path_hash(EntryKind::directory, "/"), blake3("", "dir:/"));
  EXPECT_EQ(path_hash(EntryKind::file, "/a"), blake3("", "file:/a"));
  EXPECT_EQ(path_hash(EntryKind::symlink, "/a"), blake3("", "symlink:/a"));
}

}  // namespace
}  // namespace strata::archive
