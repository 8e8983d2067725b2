// What filters mean, form by form; filter_random_test.cpp compares them with a slow evaluator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/documents/document_dates.h"
#include "layers/documents/filter_match.h"
#include "layers/documents/filter_parser.h"

namespace strata::documents {
namespace {

using testing::HasSubstr;

Result<Filter> parse(std::string_view json, const FieldAnalyzers& analyzers = {}) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element element;
  if (parser.parse(padded).get(element) != simdjson::SUCCESS) return Error(ErrorCode::invalid_argument, "not JSON");
  return parse_filter(element, analyzers);
}

// Empty: it is a filter.
std::string error_of(std::string_view json) {
  const auto filter = parse(json);
  return filter.ok() ? "" : std::string(filter.error().message());
}

constexpr std::string_view article = R"({"title":"The Quick Brown Fox","status":"published","tags":["x","New York"],
  "year":2021,"price":9.5,"big":18446744073709551615,"active":true,"at":"2021-06-01T12:00:00Z",
  "author":{"name":"Ann Lee","id":"user:7"},"items":[{"n":1,"c":"a"},{"n":5,"c":"b"}],"none":null,
  "body":"Foxes don't run; the dog ran running."})";

bool matches(std::string_view filter_json, std::string_view document = article, const FieldAnalyzers& analyzers = {}) {
  const auto filter = parse(filter_json, analyzers);
  EXPECT_TRUE(filter.ok()) << filter_json << ": " << (filter.ok() ? "" : filter.error().message());
  if (!filter.ok()) return false;
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(document);
  FilterMatcher matcher(*filter);
  const auto element = parser.parse(padded).value();
  const bool found = matcher.matches("doc:1", element);
  EXPECT_EQ(matcher.score("doc:1", element).has_value(), found) << filter_json;
  return found;
}

TEST(Filter, Term) {
  EXPECT_TRUE(matches(R"({"term":"published","field":"status"})"));
  EXPECT_FALSE(matches(R"({"term":"Published","field":"status"})"));
  EXPECT_FALSE(matches(R"({"term":"publish","field":"status"})"));
  EXPECT_TRUE(matches(R"({"term":"New York","field":"tags"})"));
  EXPECT_TRUE(matches(R"({"term":"york","field":"tags"})"));
  EXPECT_TRUE(matches(R"({"term":"user:7","field":"author.id"})"));
  EXPECT_TRUE(matches(R"({"term":"b","field":"$.items.c"})"));
  EXPECT_TRUE(matches(R"({"term":2021,"field":"year"})"));
  EXPECT_FALSE(matches(R"({"term":"2021","field":"year"})"));
  EXPECT_TRUE(matches(R"({"term":true,"field":"active"})"));
  EXPECT_TRUE(matches(R"({"term":"ann"})"));
  EXPECT_FALSE(matches(R"({"term":"x","field":"missing"})"));
}

TEST(Filter, MatchLooksForWords) {
  EXPECT_TRUE(matches(R"({"match":"fox cat","field":"title"})"));
  EXPECT_FALSE(matches(R"({"match":"fox cat","field":"title","operator":"and"})"));
  EXPECT_TRUE(matches(R"({"match":"FOX quick","field":"title","operator":"and"})"));
  EXPECT_TRUE(matches(R"({"match":"x york","field":"tags","operator":"and"})"));
  EXPECT_FALSE(matches(R"({"match":"fix","field":"title"})"));
  EXPECT_TRUE(matches(R"({"match":"fix","field":"title","fuzziness":1})"));
  EXPECT_FALSE(matches(R"({"match":"fix","field":"title","fuzziness":1,"prefix_length":2})"));
  EXPECT_TRUE(matches(R"({"match":"browne","field":"title","fuzziness":"auto"})"));
  EXPECT_FALSE(matches(R"({"match":"!!","field":"title"})"));
  EXPECT_TRUE(matches(R"({"match":"New York","field":"tags","analyzer":"keyword"})"));
  EXPECT_FALSE(matches(R"({"match":"new york","field":"tags","analyzer":"keyword"})"));
  EXPECT_FALSE(matches(R"({"match":"runs","field":"body"})"));
  EXPECT_TRUE(matches(R"({"match":"runs","field":"body","analyzer":"en"})"));
}

TEST(Filter, AFulltextFieldHasItsAnalyzer) {
  FieldAnalyzers analyzers;
  analyzers.add(DocumentPath::parse("body").value(), *text::Analyzer::find("english"));
  EXPECT_TRUE(matches(R"({"match":"runs","field":"body"})", article, analyzers));
  EXPECT_TRUE(matches(R"({"match_phrase":"dog ran runs","field":"body"})", article, analyzers));
  EXPECT_TRUE(matches(R"({"query":"body:runs"})", article, analyzers));
  EXPECT_FALSE(matches(R"({"term":"runs","field":"body"})", article, analyzers));
}

TEST(Filter, Phrases) {
  EXPECT_TRUE(matches(R"({"match_phrase":"quick brown","field":"title"})"));
  EXPECT_FALSE(matches(R"({"match_phrase":"brown quick","field":"title"})"));
  EXPECT_FALSE(matches(R"({"match_phrase":"quick fox","field":"title"})"));
  EXPECT_FALSE(matches(R"({"match_phrase":"x new","field":"tags"})"));
  EXPECT_TRUE(matches(R"({"match_phrase":"quack brown","field":"title","fuzziness":1})"));
  EXPECT_TRUE(matches(R"({"match_phrase":"a a b","field":"t"})", R"({"t":"a a a b"})"));
  EXPECT_TRUE(matches(R"({"terms":["quick","brown"],"field":"title"})"));
  EXPECT_FALSE(matches(R"({"terms":["Quick","brown"],"field":"title"})"));
  EXPECT_TRUE(matches(R"({"terms":[["slow","quick"],["brown"]],"field":"title"})"));
  EXPECT_TRUE(matches(R"({"terms":["draft","published"],"field":"status"})"));
  EXPECT_TRUE(matches(R"({"terms":[2020,2021],"field":"year"})"));
  EXPECT_FALSE(matches(R"({"terms":[2020,2022],"field":"year"})"));
}

TEST(Filter, Patterns) {
  EXPECT_TRUE(matches(R"({"prefix":"pub","field":"status"})"));
  EXPECT_TRUE(matches(R"({"prefix":"bro","field":"title"})"));
  EXPECT_TRUE(matches(R"({"prefix":"The Q","field":"title"})"));
  EXPECT_FALSE(matches(R"({"prefix":"lish","field":"status"})"));
  EXPECT_TRUE(matches(R"({"wildcard":"p*d","field":"status"})"));
  EXPECT_FALSE(matches(R"({"wildcard":"p?d","field":"status"})"));
  EXPECT_TRUE(matches(R"({"regexp":"[pq]ublish(ed)?","field":"status"})"));
  EXPECT_FALSE(matches(R"({"regexp":"ublish","field":"status"})"));
  EXPECT_TRUE(matches(R"({"term":"publisehd","field":"status","fuzziness":1})"));
  EXPECT_TRUE(matches(R"({"fuzzy":"publishe","field":"status"})"));
  EXPECT_FALSE(matches(R"({"term":"pblishedd","field":"status","fuzziness":1})"));
}

TEST(Filter, Ranges) {
  EXPECT_TRUE(matches(R"({"min":2021,"field":"year"})"));
  EXPECT_FALSE(matches(R"({"min":2021,"inclusive_min":false,"field":"year"})"));
  EXPECT_FALSE(matches(R"({"max":2021,"field":"year"})"));
  EXPECT_TRUE(matches(R"({"max":2021,"inclusive_max":true,"min":null,"field":"year"})"));
  EXPECT_TRUE(matches(R"({"min":9.25,"max":9.75,"field":"price"})"));
  EXPECT_TRUE(matches(R"({"min":18446744073709551615,"field":"big"})"));
  EXPECT_FALSE(matches(R"({"max":18446744073709551615,"field":"big"})"));
  EXPECT_TRUE(matches(R"({"min":4,"max":6,"field":"items.n"})"));
  EXPECT_FALSE(matches(R"({"min":2,"max":4,"field":"items.n"})"));
  EXPECT_TRUE(matches(R"({"min":"pa","max":"pz","field":"status"})"));
  EXPECT_FALSE(matches(R"({"min":"pv","field":"status"})"));
  EXPECT_TRUE(matches(R"({"start":"2021-01-01","end":"2022-01-01","field":"at"})"));
  EXPECT_TRUE(matches(R"({"start":"2021-06-01T14:00:00+02:00","field":"at"})"));
  EXPECT_FALSE(matches(R"({"start":"2021-06-01T12:00:00Z","inclusive_start":false,"field":"at"})"));
  EXPECT_FALSE(matches(R"({"end":"2021-06-01T12:00:00Z","field":"at"})"));
  EXPECT_TRUE(matches(R"({"end":"2021-06-01T12:00:00Z","inclusive_end":true,"field":"at"})"));
}

TEST(Filter, Compounds) {
  EXPECT_TRUE(matches(R"({"conjuncts":[{"term":"published","field":"status"},{"min":2020,"field":"year"}]})"));
  EXPECT_FALSE(matches(R"({"conjuncts":[{"term":"published","field":"status"},{"min":2022,"field":"year"}]})"));
  EXPECT_FALSE(matches(R"({"conjuncts":[]})"));
  EXPECT_TRUE(matches(R"({"disjuncts":[{"match_none":{}},{"match_all":{}}]})"));
  EXPECT_FALSE(matches(R"({"disjuncts":[{"match_none":{}},{"match_all":{}}],"min":2})"));
  EXPECT_TRUE(matches(R"({"must":{"conjuncts":[{"match_all":{}}]},"should":{"disjuncts":[{"match_none":{}}]}})"));
  EXPECT_FALSE(matches(R"({"must":[{"match_all":{}}],"should":{"disjuncts":[{"match_none":{}}],"min":1}})"));
  EXPECT_FALSE(matches(R"({"should":[{"match_none":{}}]})"));
  EXPECT_FALSE(matches(R"({"should":[{"match_none":{}}],"must_not":[{"match_none":{}}]})"));
  EXPECT_TRUE(matches(R"({"must_not":{"disjuncts":[{"term":"draft","field":"status"}]}})"));
  EXPECT_FALSE(matches(R"({"must_not":{"term":"published","field":"status"}})"));
  EXPECT_TRUE(matches(R"({"must_not":{"disjuncts":[{"match_all":{}},{"match_none":{}}],"min":2}})"));
  EXPECT_TRUE(matches(R"({"filter":{"term":"published","field":"status"}})"));
  EXPECT_TRUE(matches(R"({"ids":["a","doc:1"]})"));
  EXPECT_FALSE(matches(R"({"ids":[]})"));
  EXPECT_TRUE(matches(R"({"bool":true,"field":"active"})"));
  EXPECT_FALSE(matches(R"({"bool":false,"field":"active"})"));
  EXPECT_FALSE(matches(R"({"bool":false,"field":"none"})"));
}

TEST(Filter, QueryStrings) {
  const std::pair<const char*, bool> cases[] = {
      {"status:published +tags:x -draft year:>2020", true},
      {"status:published -tags:x", false},
      {"fox", true},
      {"cat fox", true},
      {"+cat fox", false},
      {"title:\\\"quick brown\\\"", true},
      {"\\\"brown quick\\\"", false},
      {"year:2021", true},
      {"year:2020", false},
      {"year:>2021", false},
      {"year:>=2021 price:<1", true},
      {"+year:<=2021 +price:>-5", true},
      {"at:>\\\"2021-01-01\\\"", true},
      {"at:<2021-01-01", false},
      {"title:qick~", true},
      {"title:qic~1", false},
      {"title:qic~2", true},
      {"status:pub*", true},
      {"status:/p.*d/", true},
      {"status:/p:?.*d/", true},
      {"active:true", true},
      {"active:false", false},
      {"author.id:user\\\\:7", true},
      {"fox^3", true},
      {"!!!", false},
      {"", false},
      {"   ", false},
      {"-fox", false},
      {"-cat", true},
      {"ann\\\\ lee", true},
      {"items.n:5", true},
  };
  for (const auto& [query, expected] : cases) {
    EXPECT_EQ(matches(std::string(R"({"query":")") + query + R"("})"), expected) << query;
  }
}

TEST(Filter, ErrorsNameThePlace) {
  const std::pair<std::string, const char*> cases[] = {
      {"[]", "filter_query: must be an object"},
      {"{}", "filter_query: is no known kind of query"},
      {R"({"term":"a","feild":"b"})", "filter_query.feild: is not known here"},
      {R"({"term":[]})", "filter_query.term: must be a string, a number"},
      {R"({"term":null})", "filter_query.term: must be"},
      {R"({"term":"a","field":7})", "filter_query.field: must be a string"},
      {R"({"term":"a","field":"a..b"})", "filter_query.field: path \"a..b\": has an empty name"},
      {R"({"term":"a","boost":-1})", "filter_query.boost: must be a number from 0"},
      {R"({"term":"a","boost":"2"})", "filter_query.boost: must be"},
      {R"({"match":7})", "filter_query.match: must be a string"},
      {R"({"match":"a","operator":"xor"})", "filter_query.operator: must be \"and\" or \"or\""},
      {R"({"match":"a","fuzziness":3})", "filter_query.fuzziness: must be 0, 1, 2"},
      {R"({"match":"a","fuzziness":"often"})", "filter_query.fuzziness: must be 0, 1, 2"},
      {R"({"match":"a","fuzziness":1.5})", "filter_query.fuzziness: must be 0, 1, 2"},
      {R"({"match":"a","prefix_length":-1})", "filter_query.prefix_length: must be a whole number"},
      {R"({"match":"a","analyzer":"klingon"})", "filter_query.match: no such analyzer: klingon"},
      {R"({"terms":[]})", "filter_query.terms: must be an array"},
      {R"({"terms":["a",{}]})", "filter_query.terms[1]: must be a string"},
      {R"({"regexp":"("})", "filter_query.regexp: is not a regular expression"},
      {R"({"regexp":7})", "filter_query.regexp: must be a string"},
      {R"({"min":1,"max":"b"})", "filter_query.max: min and max must be of one type"},
      {R"({"min":null})", "filter_query.min: a range needs min or max"},
      {R"({"min":true})", "filter_query.min: must be a number or a string"},
      {R"({"min":1,"inclusive_min":"yes"})", "filter_query.inclusive_min: must be true or false"},
      {R"({"start":"yesterday"})", "filter_query.start: must be a date"},
      {R"({"end":null})", "filter_query.start: a range needs start or end"},
      {R"({"bool":"true"})", "filter_query.bool: must be true or false"},
      {R"({"ids":"a"})", "filter_query.ids: must be an array of strings"},
      {R"({"conjuncts":{}})", "filter_query.conjuncts: must be an array of queries"},
      {R"({"conjuncts":[{"match_all":{}},{"min":true}]})", "filter_query.conjuncts[1].min: must be"},
      {R"({"disjuncts":[{"match_all":{}}],"min":2})", "filter_query.min: is more than there are"},
      {R"({"must":{"conjuncts":[{"bad":1}]}})", "filter_query.must.conjuncts[0]: is no known kind"},
      {R"({"must_not":[{"match_all":1}]})", "filter_query.must_not[0].match_all: must be {}"},
      {R"({"should":{"disjuncts":[],"extra":1}})", "filter_query.should.extra: is not known here"},
      {R"({"query":"a +"})", "filter_query.query: nothing behind + or - at byte 3"},
      {R"({"query":"\"a"})", "filter_query.query: a quote is not closed"},
      {R"({"query":"f:"})", "filter_query.query: a value is missing at byte 2"},
      {R"({"query":":a"})", "filter_query.query: a field's name is missing at byte 0"},
      {R"({"query":"f:>x"})", "filter_query.query: neither a number nor a date: x"},
      {R"({"query":"a~9"})", "filter_query.query: a fuzziness is 0, 1 or 2"},
      {R"({"query":"a^b"})", "filter_query.query: a boost is a number"},
      {R"({"query":"f:\"a\"b"})", "filter_query.query: a blank is missing"},
      {R"({"query":"f:/(/"})", "filter_query.query: is not a regular expression"},
      {R"({"polygon_points":[]})", "filter_query: is no known kind of query"},
  };
  for (const auto& [json, message] : cases) EXPECT_THAT(error_of(json), HasSubstr(message)) << json;
}

TEST(Filter, EverythingHasALimit) {
  std::string deep = R"({"match_all":{}})";
  for (int i = 0; i < 31; ++i) deep = R"({"conjuncts":[)" + deep + "]}";
  EXPECT_EQ(error_of(deep), "");
  EXPECT_THAT(error_of(R"({"conjuncts":[)" + deep + "]}"), HasSubstr("nested deeper than 32"));
  const auto list = [](const std::string& item, int count) {
    std::string all = item;
    for (int i = 1; i < count; ++i) all += "," + item;
    return all;
  };
  EXPECT_THAT(error_of(R"({"conjuncts":[)" + list(R"({"match_all":{}})", 1'024) + "]}"), HasSubstr("1024 clauses"));
  EXPECT_THAT(error_of(R"({"conjuncts":[)" + list(R"({"regexp":"a"})", 65) + "]}"), HasSubstr("64 patterns"));
  EXPECT_THAT(error_of(R"({"ids":[)" + list("\"a\"", 10'001) + "]}"), HasSubstr("10000 keys"));
  EXPECT_THAT(error_of(R"({"terms":[)" + list("\"a\"", 1'025) + "]}"), HasSubstr("1024 terms"));
  EXPECT_THAT(error_of(R"({"term":")" + std::string(4'097, 'a') + "\"}"), HasSubstr("4096 bytes"));
  EXPECT_THAT(error_of(R"({"wildcard":")" + std::string(1'001, 'a') + "\"}"), HasSubstr("1000 bytes"));
  EXPECT_THAT(error_of(R"({"regexp":"((a{1000}){1000}){1000}"})"), HasSubstr("not a regular expression"));
  std::string words = "a";
  for (int i = 0; i < 1'024; ++i) words += " a" + std::to_string(i);
  EXPECT_THAT(error_of(R"({"match":")" + words + "\"}"), HasSubstr("1024 words"));
  EXPECT_THAT(error_of(R"({"match_phrase":")" + words.substr(0, 400) + "\"}"), HasSubstr("64 words"));
  EXPECT_THAT(error_of(R"({"query":")" + std::string(16'385, 'a') + "\"}"), HasSubstr("16384 bytes"));
}

TEST(Filter, ScoresAddUpAndBoostsMultiply) {
  const auto score = [](std::string_view json) {
    const auto filter = parse(json);
    simdjson::dom::parser parser;
    return FilterMatcher(*filter).score("doc:1", parser.parse(simdjson::padded_string(article)).value()).value_or(-1);
  };
  EXPECT_DOUBLE_EQ(score(R"({"match":"fox","field":"title"})"), 1);
  EXPECT_DOUBLE_EQ(score(R"({"match":"fox","field":"title","boost":3})"), 3);
  EXPECT_DOUBLE_EQ(score(R"({"disjuncts":[{"match":"fox"},{"term":"x"},{"match_none":{}}],"boost":2})"), 4);
  EXPECT_DOUBLE_EQ(
      score(R"({"must":[{"term":"x"}],"should":[{"match":"fox","boost":5}],"filter":{"term":"published"}})"), 6);
  EXPECT_DOUBLE_EQ(score(R"({"query":"fox^3 x^2"})"), 5);
  EXPECT_DOUBLE_EQ(score(R"({"match":"cat","field":"title"})"), -1);
}

TEST(Filter, TextClausesScoreBm25WithStatistics) {
  const auto filter = parse(R"({"match":"fox brown","field":"title"})");
  const TextStatistics statistics{{100, 1'000}, {10, 50}};
  FilterMatcher matcher(*filter, {&statistics});
  simdjson::dom::parser parser;
  const auto element = parser.parse(simdjson::padded_string(article)).value();
  const double expected = text::bm25_score(statistics.all, text::bm25_weight(statistics.all, 10), 1, 4) +
                          text::bm25_score(statistics.all, text::bm25_weight(statistics.all, 50), 1, 4);
  EXPECT_DOUBLE_EQ(matcher.score("k", element).value(), expected);
}

TEST(Filter, PartsSelectTogetherAndTheSearchScores) {
  simdjson::dom::parser parser;
  const simdjson::padded_string request(std::string_view(
      R"({"s":{"match":"fox"},"f":{"term":"published"},"e":{"term":"x"},"e2":{"term":"zz"},"n":null})"));
  const auto root = parser.parse(request).value();
  const auto part = [&](const char* name) { return std::optional<simdjson::dom::element>(root[name].value()); };
  simdjson::dom::parser other;
  const simdjson::padded_string padded(article);
  const auto document = other.parse(padded).value();
  const auto score = [&](const FilterParts& parts) {
    const auto filter = parse_filter_parts(parts, {});
    return FilterMatcher(*filter).score("k", document).value_or(-1);
  };
  EXPECT_DOUBLE_EQ(score({.full_text_search = part("s"), .filter_query = part("f"), .exclusion_query = part("e2")}), 1);
  EXPECT_DOUBLE_EQ(score({.full_text_search = part("s"), .filter_query = {}, .exclusion_query = part("e")}), -1);
  EXPECT_DOUBLE_EQ(score({.full_text_search = part("n"), .filter_query = {}, .exclusion_query = {}}), 1);
}

TEST(DocumentDates, ReadsTheUsualSpellings) {
  EXPECT_EQ(parse_date_us("1970-01-01"), 0);
  EXPECT_EQ(parse_date_us("1970-01-01T00:00:01Z"), 1'000'000);
  EXPECT_EQ(parse_date_us("1970-01-01 00:00:01.5"), 1'500'000);
  EXPECT_EQ(parse_date_us("1969-12-31T23:59:59.9999999Z"), -1);
  EXPECT_EQ(parse_date_us("2024-02-29T12:00:00+02:00"), 1'709'200'800'000'000);
  EXPECT_EQ(parse_date_us("0000-01-01"), -62'167'219'200'000'000);
  for (const char* text :
       {"", "2021", "2021-13-01", "2021-02-29", "2021-01-32", "2021-01-01T", "2021-01-01T25:00:00Z",
        "2021-01-01T10:00Z", "2021-01-01T10:00:00.Z", "2021-01-01T10:00:00+2", "2021-1-1", "hello"}) {
    EXPECT_EQ(parse_date_us(text), std::nullopt) << text;
  }
}

TEST(Number, ComparesExactly) {
  const auto big = Number::of_unsigned(UINT64_MAX);
  EXPECT_TRUE(Number(int64_t{1}) == Number(1.0));
  EXPECT_TRUE(Number(int64_t{1} << 53) < Number((int64_t{1} << 53) + 1));
  EXPECT_TRUE(Number((int64_t{1} << 53) + 1) > Number(0x1p53));
  EXPECT_TRUE(big < Number(0x1p64));
  EXPECT_TRUE(big > Number(0x1p63));
  EXPECT_TRUE(Number(INT64_MIN) == Number(-0x1p63));
  EXPECT_TRUE(Number(INT64_MIN) > Number(-0x1p64));
  EXPECT_TRUE(Number(int64_t{-1}) < big);
  EXPECT_TRUE(Number(int64_t{-2}) < Number(-1.5));
  EXPECT_TRUE(Number(int64_t{-1}) > Number(-1.5));
  EXPECT_TRUE(Number(-0.0) == Number(int64_t{0}));
}

}  // namespace
}  // namespace strata::documents
