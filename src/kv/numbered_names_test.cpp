#include "kv/numbered_names.h"

#include <gtest/gtest.h>

namespace strata::kv {
namespace {

constexpr NumberedNames names(7, "shelf", "shelves", 8);

TEST(NumberedNames, NamesAreParsedBackAndNothingElseIs) {
  for (const std::string_view name : {"a", "B-1.c_d", "12345678"}) {
    EXPECT_TRUE(names.validate(name).ok()) << name;
    const Bytes key = names.name_key(name);
    EXPECT_EQ(names.parse_name_key(key).value(), name);
    EXPECT_LT(names.names_begin(""), key);
    EXPECT_LT(key, names.names_end());
    EXPECT_LE(names.names_begin(name), key_after(key));
    EXPECT_GT(names.names_begin(name), key);
  }
  for (const Bytes& key : {names.next_number_key(), names.other_key(1), names.prefix(3), Bytes(), names.names_begin(""),
                           names.name_key("a") + "b", names.name_key(Bytes("a\0b", 3))}) {
    const auto parsed = names.parse_name_key(key);
    ASSERT_FALSE(parsed.ok()) << printable(key);
    EXPECT_EQ(parsed.error().code(), ErrorCode::corruption);
  }
}

TEST(NumberedNames, RowsOfTheLayerLieBehindTheNames) {
  EXPECT_LT(names.next_number_key(), names.other_key(1));
  EXPECT_GE(names.other_key(1'000'000), names.names_end());
  EXPECT_FALSE(names.other_key(1).starts_with(names.next_number_key()));
}

TEST(NumberedNames, OtherNamesAreRefusedWithTheRule) {
  for (const std::string_view name : {"", "123456789", "-a", ".a", "a b", "a/b", "\xC3\xA4"}) {
    const auto refused = names.validate(name);
    ASSERT_FALSE(refused.ok()) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::invalid_argument);
    EXPECT_EQ(refused.error().message(),
              "invalid shelf name: 1 to 8 letters, digits, '.', '_' and '-', beginning with a letter, a digit or '_'");
  }
}

}  // namespace
}  // namespace strata::kv
