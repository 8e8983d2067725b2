#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "hnsw/image_format.h"
#include "hnsw/index.h"
#include "hnsw/vectors_test.h"

namespace strata::hnsw {
namespace {

class Images : public testing::Test {
 protected:
  Images() {
    std::string name = testing::TempDir() + "hnsw_image.XXXXXX";
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/image";
  }
  ~Images() override { std::filesystem::remove_all(directory_); }

  static Options options() { return {.dimension = 20, .metric = Metric::euclidean, .m = 4, .ef_construction = 30}; }

  static std::unique_ptr<Index> filled(const Options& made_with, uint64_t count) {
    auto index = Index::create(made_with).value();
    ClusteredVectors source(made_with.dimension, 5, 4, 1);
    for (uint64_t label = 0; label < count; ++label) EXPECT_TRUE(index->insert(label * 3, source.next()).ok());
    return index;
  }
  void write(const Index& index) { ASSERT_TRUE(index.begin_image().value()->write(path_).ok()); }
  ErrorCode error_of(const Options& expected) const {
    const auto index = Index::open(path_, expected);
    return index.ok() ? ErrorCode::internal : index.error().code();
  }
  std::string read_file(size_t count) const {
    std::string bytes(count, '\0');
    std::ifstream(path_, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(count));
    return bytes;
  }
  void put(size_t offset, const std::string& bytes) const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(offset));
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  std::string directory_;
  std::string path_;
};

TEST_F(Images, AnOpenedIndexIsTheOneThatWasWritten) {
  for (const Quantization quantization : {Quantization::none, Quantization::int8}) {
    Options made_with = options();
    made_with.quantization = quantization;
    const auto index = filled(made_with, 500);
    for (uint64_t label = 0; label < 300; label += 3) ASSERT_TRUE(index->remove(label));
    write(*index);
    const auto again = Index::open(path_, made_with);
    ASSERT_TRUE(again.ok()) << again.error().message();
    EXPECT_EQ((*again)->size(), 400u);
    ClusteredVectors source(20, 5, 4, 1);
    std::vector<std::vector<float>> values;
    for (int i = 0; i < 500; ++i) values.push_back(source.next());
    for (uint64_t i = 100; i < 500; ++i) {
      const std::optional<uint32_t> slot = (*again)->slot_of(i * 3);
      ASSERT_TRUE(slot);
      EXPECT_EQ(std::vector<float>((*again)->row(*slot).begin(), (*again)->row(*slot).end()), values[i]);
    }
    for (int i = 0; i < 20; ++i) {
      const std::vector<float> query = source.next();
      EXPECT_EQ((*again)->exact_search(query, 10).value(), index->exact_search(query, 10).value());
      EXPECT_EQ((*again)->search(query, 10, {.ef = 200, .plan = Plan::gated}).value().size(), 10u);
    }
    // It goes on as any other, over the end of what was mapped.
    std::filesystem::remove(path_);
    for (uint64_t label = 0; label < 2000; ++label) ASSERT_TRUE((*again)->insert(10'000 + label, source.next()).ok());
    EXPECT_EQ((*again)->size(), 2400u);
    const std::vector<float> query = source.next();
    EXPECT_EQ((*again)->search(query, 5, {.ef = 2400}).value(), (*again)->exact_search(query, 5).value());
  }
}

TEST_F(Images, AnEmptyIndexHasAnImageToo) {
  write(*Index::create(options()).value());
  const auto again = Index::open(path_, options());
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ((*again)->size(), 0u);
  ASSERT_TRUE((*again)->insert(1, std::vector<float>(20, 1)).ok());
  EXPECT_EQ((*again)->search(std::vector<float>(20, 1), 3, {})->size(), 1u);
}

TEST_F(Images, RowsMayLieInAFile) {
  Options made_with = options();
  made_with.directory = directory_;
  const auto index = filled(made_with, 100);
  EXPECT_EQ(index->memory().anonymous_row_bytes, 0u);
  EXPECT_EQ(index->memory().file_row_bytes, 100u * 80);
  write(*index);
  const auto again = Index::open(path_, made_with);
  ASSERT_TRUE(again.ok());
  const std::vector<float> query(20, 0.5f);
  EXPECT_EQ((*again)->exact_search(query, 7).value(), index->exact_search(query, 7).value());
  // But for the image and the unnamed file there is nothing.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(Images, OtherOptionsAreRefused) {
  write(*filled(options(), 10));
  for (const auto change : std::initializer_list<void (*)(Options&)>{
           [](Options& other) { other.dimension = 21; }, [](Options& other) { other.metric = Metric::cosine; },
           [](Options& other) { other.m = 5; }, [](Options& other) { other.quantization = Quantization::none; }}) {
    Options other = options();
    change(other);
    EXPECT_EQ(error_of(other), ErrorCode::corruption);
  }
  std::filesystem::remove(path_);
  EXPECT_EQ(error_of(options()), ErrorCode::not_found);
}

TEST_F(Images, NoByteMayDifferAndNoneBeMissing) {
  const auto index = filled(options(), 40);
  write(*index);
  const uint64_t size = std::filesystem::file_size(path_);
  const ImageHeader header = decode_header(read_file(image_header_bytes)).value();
  std::set<uint64_t> places;
  for (uint64_t at = 0; at < image_header_bytes; ++at) places.insert(at);
  for (const SectionPlace& section : header.sections) {
    for (uint64_t at = section.offset; at < section.offset + section.bytes; at += 7) places.insert(at);
  }
  const std::string bytes = read_file(*places.rbegin() + 1);
  for (const uint64_t at : places) {
    put(at, std::string(1, static_cast<char>(bytes[at] ^ 0x10)));
    ASSERT_EQ(error_of(options()), ErrorCode::corruption) << at;
    put(at, std::string(1, bytes[at]));
  }
  ASSERT_TRUE(Index::open(path_, options()).ok());
  for (const uint64_t cut : {uint64_t{1}, uint64_t{4096}, size - image_page_bytes, size - 100, size}) {
    std::filesystem::resize_file(path_, size - cut);
    EXPECT_EQ(error_of(options()), ErrorCode::corruption) << cut;
    std::filesystem::resize_file(path_, size);
  }
}

// The checksums are right, but what they cover is impossible.
TEST_F(Images, ImpossibleContentsAreRefused) {
  write(*filled(options(), 40));
  const ImageHeader header = decode_header(read_file(image_header_bytes)).value();
  const std::string bytes = read_file(header.sections[section_rows].offset + header.sections[section_rows].bytes);
  const auto error_with = [&](ImageHeader changed, Section section, size_t offset, const std::string& content) {
    std::string copy = bytes;
    copy.replace(header.sections[section].offset + offset, content.size(), content);
    for (SectionPlace& place : changed.sections)
      place.hash = hash_of_section(BytesView(copy).substr(place.offset, place.bytes));
    copy.replace(0, image_header_bytes, encode_header(changed));
    put(0, copy);
    return error_of(options());
  };
  EXPECT_EQ(error_with(header, section_lowest, 0, {"\x7F\0\0\0", 4}), ErrorCode::corruption);  // beyond the end
  EXPECT_EQ(error_with(header, section_lowest, 0, {"\1\0\0\0", 4}), ErrorCode::corruption);    // to itself
  EXPECT_EQ(error_with(header, section_levels, 3, "\x1E"), ErrorCode::corruption);             // too high
  EXPECT_EQ(error_with(header, section_levels, 3, "\x17"), ErrorCode::corruption);  // lists that are not there
  EXPECT_EQ(error_with(header, section_levels, 3, "\xFF"), ErrorCode::corruption);  // one too few
  EXPECT_EQ(error_with(header, section_labels, 8, bytes.substr(header.sections[section_labels].offset, 8)),
            ErrorCode::corruption);                                                            // twice
  EXPECT_EQ(error_with(header, section_rows, 0, {"\0\0\xC0\x7F", 4}), ErrorCode::corruption);  // NaN
  ImageHeader other = header;
  other.entry = 40;
  EXPECT_EQ(error_with(other, section_rows, 0, ""), ErrorCode::corruption);
  other = header;
  other.entry_level += 1;
  EXPECT_EQ(error_with(other, section_rows, 0, ""), ErrorCode::corruption);
  other = header;
  other.slots = uint64_t{1} << 60;
  EXPECT_EQ(error_with(other, section_rows, 0, ""), ErrorCode::corruption);
  EXPECT_TRUE(error_with(header, section_rows, 0, "") == ErrorCode::internal);  // as it was
}

TEST_F(Images, AreOfOneMomentWhileOthersWrite) {
  const auto index = filled(options(), 300);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    ClusteredVectors source(20, 5, 4, 9);
    for (uint64_t label = 1'000'000; !stop.load(); ++label) {
      EXPECT_TRUE(index->insert(label, source.next()).ok());
      EXPECT_TRUE(index->insert((label % 300) * 3, source.next()).ok());
      if (label % 2 == 0) index->remove(label - 1);
    }
  });
  for (int round = 0; round < 5; ++round) {
    const auto image = index->begin_image().value();
    const size_t size = image->size();
    ASSERT_TRUE(image->write(path_).ok());
    const auto again = Index::open(path_, options());
    ASSERT_TRUE(again.ok()) << again.error().message();
    EXPECT_EQ((*again)->size(), size);
    for (uint64_t label = 0; label < 300; ++label) EXPECT_TRUE((*again)->slot_of(label * 3));
  }
  const std::atomic<bool> cancelled{true};
  EXPECT_EQ(index->begin_image().value()->write(path_, &cancelled).error().code(), ErrorCode::operation_cancelled);
  stop.store(true);
  writer.join();
}

// Bytes by offset, sixteen a line; lines of zeros are left out. Values are such that no rounding depends on the
// machine.
TEST_F(Images, AreTheBytesOfTheGoldenFile) {
  const auto index =
      Index::create({.dimension = 3, .metric = Metric::euclidean, .m = 2, .ef_construction = 10}).value();
  for (uint64_t label = 1; label <= 6; ++label) {
    const float x = static_cast<float>(label);
    ASSERT_TRUE(index->insert(label, std::vector<float>{127, x, -x}).ok());
  }
  ASSERT_TRUE(index->remove(2));
  write(*index);
  const ImageHeader header = decode_header(read_file(image_header_bytes)).value();
  const std::string bytes = read_file(header.sections[section_rows].offset + header.sections[section_rows].bytes);
  std::ostringstream text;
  for (size_t at = 0; at < bytes.size(); at += 16) {
    const std::string line = bytes.substr(at, 16);
    if (line.find_first_not_of('\0') == std::string::npos) continue;
    text << std::hex << at << ':';
    for (const char byte : line) text << ' ' << (static_cast<uint8_t>(byte) >> 4) << (byte & 0xF);
    text << '\n';
  }
  const std::string golden = STRATA_GOLDEN_DIRECTORY "/vector-index.txt";
  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) std::ofstream(golden) << text.str();
  std::ostringstream expected;
  expected << std::ifstream(golden).rdbuf();
  EXPECT_EQ(text.str(), expected.str());
}

}  // namespace
}  // namespace strata::hnsw
