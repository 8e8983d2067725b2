#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "text/analyzer.h"
#include "text/bm25.h"
#include "text/edit_distance.h"
#include "text/utf8.h"
#include "text/wildcard.h"
#include "text/words.h"

namespace strata::text {
namespace {

using testing::ElementsAre;

std::vector<std::string> terms(std::string_view text, std::string_view analyzer = "standard") {
  Terms reader(*Analyzer::find(analyzer));
  reader.read(text);
  std::vector<std::string> found;
  while (const auto term = reader.next()) found.emplace_back(*term);
  return found;
}

TEST(Words, AreRunsOfLettersAndDigitsInLowerCase) {
  EXPECT_THAT(terms("The quick-brown FOX, jumps!"), ElementsAre("the", "quick", "brown", "fox", "jumps"));
  EXPECT_THAT(terms("user:7 a_b x2"), ElementsAre("user", "7", "a_b", "x2"));
  EXPECT_THAT(terms("don't 'quoted' rock 'n' roll"), ElementsAre("don't", "quoted", "rock", "n", "roll"));
  EXPECT_THAT(terms("3.14 1,000 127.0.0.1 a.b. 7."), ElementsAre("3.14", "1,000", "127.0.0.1", "a.b", "7"));
  EXPECT_THAT(terms("bob@example.com"), ElementsAre("bob", "example.com"));
  EXPECT_THAT(terms(""), ElementsAre());
  EXPECT_THAT(terms(" .,;'_"), ElementsAre("_"));
}

TEST(Words, KnowOtherScripts) {
  EXPECT_THAT(terms("ÜBER Straße ΑΒΓ Привет"), ElementsAre("über", "straße", "αβγ", "привет"));
  EXPECT_THAT(terms("e\u0301te\u0301 \u0301x"), ElementsAre("e\u0301te\u0301", "x"));
  EXPECT_THAT(terms("東京abcひ"), ElementsAre("東", "京", "abc", "ひ"));
  EXPECT_THAT(terms("カタカナ"), ElementsAre("カタカナ"));
  EXPECT_THAT(terms("l\u2019eau"), ElementsAre("l'eau"));
  EXPECT_THAT(terms("a\xff"
                    "b\xc3"),
              ElementsAre("a", "b"));
}

TEST(Words, AreBounded) {
  const auto found = terms(std::string(100'000, 'a') + " b");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_LE(found[0].size(), max_word_bytes);
  EXPECT_EQ(found[1], "b");
}

TEST(Analyzer, StemsInTheLanguageThatIsAskedFor) {
  EXPECT_THAT(terms("running runs ran", "en"), ElementsAre("run", "run", "ran"));
  EXPECT_THAT(terms("Häuser", "german"), ElementsAre("haus"));
  EXPECT_THAT(terms("As it IS", "keyword"), ElementsAre("As it IS"));
  EXPECT_EQ(Analyzer::find("en")->name(), "english");
  EXPECT_EQ(Analyzer::find("klingon"), std::nullopt);
  EXPECT_EQ(Analyzer::find(""), std::nullopt);
}

TEST(Analyzer, HasEveryLanguageItNames) {
  for (const char* code : {"ar", "da", "de", "el", "en", "es", "eu", "ca", "fi", "fr", "ga", "hi", "hu", "hy",
                           "id", "it", "lt", "ne", "nl", "no", "pt", "ro", "ru", "sr", "sv", "ta", "tr", "yi"}) {
    EXPECT_THAT(terms("a", code).size(), 1u) << code;
  }
}

std::u32string points(std::string_view text) {
  std::u32string found;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point_at(text, at);
    found.push_back(c.value);
    at += c.size;
  }
  return found;
}

TEST(EditDistance, CountsSwapsOnce) {
  EXPECT_EQ(edit_distance(U"kitten", U"sitting"), 3u);
  EXPECT_EQ(edit_distance(U"ab", U"ba"), 1u);
  EXPECT_EQ(edit_distance(U"ca", U"abc"), 3u);
  EXPECT_TRUE(FuzzyWord("watex", 1, 0).matches("water"));
  EXPECT_FALSE(FuzzyWord("watex", 1, 5).matches("water"));
  EXPECT_TRUE(FuzzyWord("watex", 1, 4).matches("water"));
  EXPECT_TRUE(FuzzyWord("über", 1, 0).matches("uber"));
  EXPECT_FALSE(FuzzyWord("a", 0, 0).matches("b"));
  EXPECT_TRUE(FuzzyWord(std::string(500, 'a'), 2, 0).matches(std::string(500, 'a')));
  EXPECT_EQ(automatic_distance("ab"), 0u);
  EXPECT_EQ(automatic_distance("abcde"), 1u);
  EXPECT_EQ(automatic_distance("abcdef"), 2u);
}

TEST(EditDistance, TheBoundedMatchAgreesWithTheMatrix) {
  Random random(7);
  const auto word = [&] {
    std::string made;
    for (uint64_t n = random.below(8); n > 0; --n)
      append_code_point(made, random.one_in(4) ? 0xE9 : 'a' + random.below(3));
    return made;
  };
  int matched = 0;
  for (int round = 0; round < 100'000; ++round) {
    const std::string a = word();
    const std::string b = word();
    const auto bound = static_cast<uint32_t>(random.below(3));
    const bool expected = edit_distance(points(a), points(b)) <= bound;
    ASSERT_EQ(FuzzyWord(a, bound, 0).matches(b), expected) << a << " " << b << " " << bound;
    matched += expected;
  }
  EXPECT_GT(matched, 5'000);
}

TEST(Wildcard, StarsAndQuestionMarks) {
  EXPECT_TRUE(Wildcard("pub*d").matches("published"));
  EXPECT_FALSE(Wildcard("pub*d").matches("publisher"));
  EXPECT_TRUE(Wildcard("gr?y").matches("grüy"));
  EXPECT_TRUE(Wildcard("*").matches(""));
  EXPECT_FALSE(Wildcard("?").matches(""));
  EXPECT_TRUE(Wildcard("").matches(""));
  EXPECT_TRUE(Wildcard("a\\*b").matches("a*b"));
  EXPECT_FALSE(Wildcard("a\\*b").matches("axb"));
  EXPECT_EQ(Wildcard("pub*d").prefix(), "pub");
  // Exponential in a matcher that tries every way.
  EXPECT_FALSE(Wildcard("*a*a*a*a*a*a*a*a*a*a*a*a*b").matches(std::string(20'000, 'a')));
}

bool slow_wildcard(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return slow_wildcard(pattern.substr(1), text) || (!text.empty() && slow_wildcard(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         slow_wildcard(pattern.substr(1), text.substr(1));
}

TEST(Wildcard, AgreesWithTheRecursiveDefinition) {
  Random random(11);
  int matched = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string pattern;
    std::string text;
    for (uint64_t n = random.below(7); n > 0; --n) pattern += "ab*?"[random.below(4)];
    for (uint64_t n = random.below(8); n > 0; --n) text += "ab"[random.below(2)];
    const bool expected = slow_wildcard(pattern, text);
    ASSERT_EQ(Wildcard(pattern).matches(text), expected) << pattern << " " << text;
    matched += expected;
  }
  EXPECT_GT(matched, 5'000);
}

TEST(Bm25, RareTermsAndShortTextsWeighMore) {
  const CollectionStatistics all{100, 1'000};
  EXPECT_GT(bm25_weight(all, 1), bm25_weight(all, 50));
  EXPECT_GT(bm25_weight(all, 100), 0);
  EXPECT_GT(bm25_weight(all, 1'000'000), 0);
  const double weight = bm25_weight(all, 10);
  EXPECT_GT(bm25_score(all, weight, 1, 5), bm25_score(all, weight, 1, 50));
  EXPECT_GT(bm25_score(all, weight, 2, 10), bm25_score(all, weight, 1, 10));
  EXPECT_EQ(bm25_score(all, weight, 0, 10), 0);
  // ln(1 + 90.5/10.5) * 2.2 / (1 + 1.2)
  EXPECT_NEAR(bm25_score(all, weight, 1, 10), 2.264, 0.001);
  EXPECT_TRUE(std::isfinite(bm25_score({0, 0}, bm25_weight({0, 0}, 5), 1, 0)));
}

TEST(Utf8, RoundTripsAndSurvivesRubbish) {
  for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_code_point(text, c);
    const CodePoint back = code_point_at(text, 0);
    ASSERT_EQ(back.value, c);
    ASSERT_EQ(back.size, text.size());
  }
  for (const char* broken :
       {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xe2\x82"}) {
    EXPECT_EQ(code_point_at(broken, 0).size, 1u) << printable(broken);
  }
}

}  // namespace
}  // namespace strata::text
