#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace strata {
namespace {

TEST(Glob, Elements) {
  EXPECT_TRUE(glob_matches("*.psd", "logo.psd"));
  EXPECT_FALSE(glob_matches("*.psd", "logo.psd2"));
  EXPECT_TRUE(glob_matches("", ""));
  EXPECT_FALSE(glob_matches("", "a"));
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("a?c", "abc"));
  EXPECT_TRUE(glob_matches("a?c", "a\u00E4c"));
  EXPECT_FALSE(glob_matches("a?c", "ac"));
  EXPECT_TRUE(glob_matches("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(glob_matches("*a*b*", "xxbxxaxx"));
}

TEST(Glob, Classes) {
  EXPECT_TRUE(glob_matches("v[0-9]", "v7"));
  EXPECT_FALSE(glob_matches("v[0-9]", "vx"));
  EXPECT_TRUE(glob_matches("v[!0-9]", "vx"));
  EXPECT_TRUE(glob_matches("[]a]", "]"));
  EXPECT_TRUE(glob_matches("[a-]", "-"));
  EXPECT_TRUE(glob_matches("[\u00E0-\u00FF]", "\u00E4"));
  // No class without its end.
  EXPECT_TRUE(glob_matches("[ab", "[ab"));
  EXPECT_TRUE(glob_matches("\\*", "*"));
  EXPECT_FALSE(glob_matches("\\*", "a"));
}

TEST(Glob, SlashesAreForDoubleStars) {
  EXPECT_FALSE(glob_matches("a/*", "a/b/c"));
  EXPECT_TRUE(glob_matches("a/*/c", "a/b/c"));
  EXPECT_TRUE(glob_matches("a/**", "a/b/c"));
  EXPECT_TRUE(glob_matches("**/c*", "a/b/cd"));
  EXPECT_FALSE(glob_matches("a?c", "a/c"));
  EXPECT_FALSE(glob_matches("a[/]c", "a/c"));
}

TEST(Glob, NoPatternTakesLong) {
  std::string pattern;
  for (int i = 0; i < 1'000; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(4'000, 'a')));
}

}  // namespace
}  // namespace strata
