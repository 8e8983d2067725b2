#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/random.h"

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
  // Ways times ways of going wrong.
  const std::string many(500, 'a');
  EXPECT_FALSE(glob_matches("*" + many + "b", std::string(1'000, 'a')));
  EXPECT_TRUE(glob_matches("*" + many + "b", std::string(1'000, 'a') + "b"));
  EXPECT_FALSE(glob_matches("**a*" + many + "b", std::string(4'000, 'a')));
  EXPECT_TRUE(glob_matches("**a*" + many + "b", std::string(4'000, 'a') + "b"));
  EXPECT_FALSE(glob_matches("**a*" + many + "b", std::string(4'000, 'a') + "/b"));
}

// The definition, word by word.
bool matches_by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '*') {
    const bool one = !text.empty() && (pattern[0] == '?' ? text[0] != '/' : pattern[0] == text[0]);
    return one && matches_by_definition(pattern.substr(1), text.substr(1));
  }
  const bool any = pattern.starts_with("**");
  if (matches_by_definition(pattern.substr(any ? 2 : 1), text)) return true;
  return !text.empty() && (any || text[0] != '/') && matches_by_definition(pattern, text.substr(1));
}

TEST(Glob, IsWhatItsDefinitionSays) {
  Random random(7);
  const auto draw = [&](size_t size, std::string_view of) {
    std::string drawn;
    while (drawn.size() < size) drawn += of[random.next() % of.size()];
    return drawn;
  };
  size_t matched = 0;
  for (int i = 0; i < 3'000; ++i) {
    const std::string pattern = draw(random.next() % 14, "aab**?/");
    const std::string text = draw(random.next() % 20, "aaaab/");
    const bool expected = matches_by_definition(pattern, text);
    matched += expected;
    EXPECT_EQ(glob_matches(pattern, text), expected) << pattern << " " << text;
  }
  EXPECT_GT(matched, 100U);
}

}  // namespace
}  // namespace strata
