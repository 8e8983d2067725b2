#include "layers/vectors/metadata.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/hex.h"

namespace strata::vectors {
namespace {

Metadata all_kinds() {
  Metadata metadata = {{"title", "Introduction"},
                       {"year", int64_t{2024}},
                       {"low", std::numeric_limits<int64_t>::min()},
                       {"rating", 4.8},
                       {"published", true},
                       {"hidden", false},
                       {"tags", StringList{"database", "", "vectors"}},
                       {"none", StringList{}},
                       {"", ""}};
  EXPECT_TRUE(check_metadata(metadata).ok());
  return metadata;
}

TEST(Metadata, AreTheGoldenBytes) {
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/vector-metadata.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  const std::string bytes = to_hex(encode_metadata(all_kinds())) + "\n" + to_hex(encode_metadata({})) + "\n";
  EXPECT_EQ(bytes, golden.str());
}

TEST(Metadata, ComeBackAsTheyWere) {
  const Metadata metadata = all_kinds();
  const auto decoded = decode_metadata(encode_metadata(metadata));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, metadata);
  ASSERT_NE(find_field(metadata, "year"), nullptr);
  EXPECT_EQ(*find_field(metadata, "year"), MetadataValue(int64_t{2024}));
  EXPECT_EQ(find_field(metadata, "yea"), nullptr);
}

TEST(Metadata, CutOrChangedBytesAreCorruptionOrOtherMetadata) {
  const Bytes bytes = encode_metadata(all_kinds());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto decoded = decode_metadata(BytesView(bytes).substr(0, size));
    ASSERT_FALSE(decoded.ok()) << size;
    EXPECT_EQ(decoded.error().code(), ErrorCode::corruption);
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const char flip : {1, 127, -128}) {
      Bytes changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ flip);
      // Many flips of texts and numbers make other metadata; whatever comes out is sound.
      if (auto decoded = decode_metadata(changed); decoded.ok()) {
        EXPECT_TRUE(check_metadata(*decoded).ok()) << at;
        EXPECT_EQ(encode_metadata(*decoded), changed) << at;
      }
    }
  }
}

TEST(Metadata, LimitsAreNamed) {
  const auto message = [](Metadata metadata) {
    const auto checked = check_metadata(metadata);
    return checked.ok() ? std::string() : std::string(checked.error().message());
  };
  EXPECT_EQ(message({{"a", true}, {"b", 1.5}, {"a", false}}), "metadata holds a twice");
  EXPECT_EQ(message({{"x", std::numeric_limits<double>::infinity()}}), "metadata.x is not a finite number");
  EXPECT_EQ(message({{"x", std::numeric_limits<double>::quiet_NaN()}}), "metadata.x is not a finite number");
  EXPECT_EQ(message({{std::string(1'024, 'n'), true}}), "");
  EXPECT_NE(message({{std::string(1'025, 'n'), true}}), "");
  Metadata many;
  for (size_t i = 0; i < max_metadata_fields; ++i) many.push_back({std::to_string(i), true});
  EXPECT_EQ(message(many), "");
  many.push_back({"more", true});
  EXPECT_EQ(message(many), "metadata has 257 fields, the limit is 256");
  // 3 bytes before the fields; 2 and the name, 1 and 4 and the text.
  EXPECT_EQ(message({{"t", std::string(max_metadata_bytes - 3 - 2 - 1 - 1 - 4, 'x')}}), "");
  EXPECT_EQ(message({{"t", std::string(max_metadata_bytes - 3 - 2 - 1 - 1 - 4 + 1, 'x')}}),
            "metadata takes 65537 bytes, the limit is 65536");
}

TEST(MetadataNumber, OrdersByValueAcrossTypes) {
  const int64_t large = (int64_t{1} << 53) + 1;
  const std::array<MetadataNumber, 14> ascending = {-1e300,     -0x1p63 * 1.5, std::numeric_limits<int64_t>::min(),
                                                    -2.5,       int64_t{-2},   -1e-300,
                                                    int64_t{0}, 0.5,           int64_t{1},
                                                    0x1p53,     large,         std::numeric_limits<int64_t>::max(),
                                                    0x1p63,     1e300};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(ascending[i] <=> ascending[j], i <=> j) << i << " and " << j;
    }
  }
  EXPECT_EQ(MetadataNumber(int64_t{1}), MetadataNumber(1.0));
  EXPECT_EQ(MetadataNumber(0.0), MetadataNumber(-0.0));
}

}  // namespace
}  // namespace strata::vectors
