// The evaluator against a slow one that follows the definitions word by word, and against the laws of logic.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/random.h"
#include "layers/documents/filter_match.h"
#include "layers/documents/filter_parser.h"

namespace strata::documents {
namespace {

using Element = simdjson::dom::element;

struct Parsed {
  explicit Parsed(const std::string& json) : padded(json) { element = parser.parse(padded).value(); }
  simdjson::padded_string padded;
  simdjson::dom::parser parser;
  Element element;
};

// All values at a path of one or two names, arrays opened everywhere.
std::vector<Element> values_of(Element value, const std::vector<std::string>& path, size_t at = 0) {
  std::vector<Element> found;
  const auto add = [&](Element inner, size_t next) {
    for (const Element each : values_of(inner, path, next)) found.push_back(each);
  };
  if (value.is_array()) {
    for (const Element inner : value.get_array()) add(inner, at);
  } else if (at == path.size()) {
    found.push_back(value);
  } else if (value.is_object()) {
    for (const auto [name, inner] : value.get_object()) {
      if (name == path[at]) add(inner, at + 1);
    }
  }
  return found;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back().push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
    }
  }
  std::erase(words, "");
  return words;
}

// A filter with its JSON and its meaning.
struct Case {
  std::string json;
  std::function<bool(Element)> holds;
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  std::string word() { return std::string(1, "abAB"[random_.below(4)]) + (random_.one_in(3) ? "b" : ""); }
  std::string text() {
    std::string made = word();
    for (uint64_t n = random_.below(3); n > 0; --n) made += " " + word();
    return made;
  }
  std::string value(int depth) {
    switch (random_.below(depth > 2 ? 4 : 6)) {
      case 0:
        return std::to_string(static_cast<int>(random_.below(9)) - 4);
      case 1:
        return random_.one_in(2) ? "true" : "false";
      case 2:
      case 3:
        return "\"" + text() + "\"";
      case 4: {
        std::string made = "[";
        for (uint64_t n = random_.below(4); n > 0; --n) made += value(depth + 1) + (n > 1 ? "," : "");
        return made + "]";
      }
      default:
        return object(depth + 1);
    }
  }
  std::string object(int depth) {
    std::string made;
    for (const char* name : {"f", "g", "h"}) {
      if (random_.one_in(3)) continue;
      made += std::string(made.empty() ? "" : ",") + "\"" + name + "\":" + value(depth);
    }
    return "{" + made + "}";
  }

  Case filter(int depth) {
    if (depth < 3 && random_.one_in(2)) return compound(depth);
    return leaf();
  }
  uint64_t below(uint64_t bound) { return random_.below(bound); }

 private:
  std::vector<std::string> path() {
    std::vector<std::string> made = {std::string(1, "fgh"[random_.below(3)])};
    if (random_.one_in(3)) made.push_back(std::string(1, "fgh"[random_.below(3)]));
    return made;
  }

  Case leaf() {
    const auto at = path();
    const std::string field = ",\"field\":\"" + at[0] + (at.size() > 1 ? "." + at[1] : "") + "\"}";
    const auto any = [at](auto test) {
      return [at, test](Element document) { return std::ranges::any_of(values_of(document, at), test); };
    };
    const auto any_text = [any](auto test) {
      return any([test](Element e) { return e.is_string() && test(std::string(e.get_string().value())); });
    };
    switch (random_.below(7)) {
      case 0: {
        const std::string term = random_.one_in(3) ? text() : word();
        return {"{\"term\":\"" + term + "\"" + field, any_text([term](const std::string& s) {
                  const auto words = words_of(s);
                  return s == term || std::ranges::find(words, term) != words.end();
                })};
      }
      case 1: {
        const int low = static_cast<int>(random_.below(9)) - 4;
        const int high = low + static_cast<int>(random_.below(4));
        return {"{\"min\":" + std::to_string(low) + ",\"max\":" + std::to_string(high) + field, any([=](Element e) {
                  return e.is_int64() && e.get_int64().value() >= low && e.get_int64().value() < high;
                })};
      }
      case 2: {
        const bool truth = random_.one_in(2);
        return {std::string("{\"bool\":") + (truth ? "true" : "false") + field,
                any([truth](Element e) { return e.is_bool() && e.get_bool().value() == truth; })};
      }
      case 3: {
        const std::string prefix = word().substr(0, 1 + random_.below(2));
        return {"{\"prefix\":\"" + prefix + "\"" + field, any_text([prefix](const std::string& s) {
                  auto all = words_of(s);
                  all.push_back(s);
                  return std::ranges::any_of(all, [&](const std::string& w) { return w.starts_with(prefix); });
                })};
      }
      case 4:
        return match(at, field);
      case 5:
        return phrase(at, field);
      default: {
        const std::string low = word();
        return {"{\"min\":\"" + low + "\"" + field, any_text([low](const std::string& s) { return s >= low; })};
      }
    }
  }

  Case match(const std::vector<std::string>& at, const std::string& field) {
    const std::string wanted = text();
    const bool all = random_.one_in(2);
    return {"{\"match\":\"" + wanted + "\",\"operator\":\"" + (all ? "and" : "or") + "\"" + field,
            [=](Element document) {
              std::vector<std::string> there;
              for (const Element e : values_of(document, at)) {
                if (!e.is_string()) continue;
                for (auto& w : words_of(e.get_string().value())) there.push_back(w);
              }
              const auto has = [&](const std::string& w) { return std::ranges::find(there, w) != there.end(); };
              const auto words = words_of(wanted);
              return all ? std::ranges::all_of(words, has) : std::ranges::any_of(words, has);
            }};
  }

  Case phrase(const std::vector<std::string>& at, const std::string& field) {
    const std::string wanted = text();
    return {"{\"match_phrase\":\"" + wanted + "\"" + field, [=](Element document) {
              return std::ranges::any_of(values_of(document, at), [&](Element e) {
                if (!e.is_string()) return false;
                const auto words = words_of(e.get_string().value());
                return !std::ranges::search(words, words_of(wanted)).empty();
              });
            }};
  }

  Case compound(int depth) {
    std::vector<Case> parts;
    std::string list;
    for (uint64_t n = 1 + random_.below(3); n > 0; --n) {
      parts.push_back(filter(depth + 1));
      list += (list.empty() ? "" : ",") + parts.back().json;
    }
    switch (random_.below(3)) {
      case 0:
        return {"{\"conjuncts\":[" + list + "]}", [parts](Element document) {
                  return std::ranges::all_of(parts, [&](const Case& part) { return part.holds(document); });
                }};
      case 1: {
        const size_t least = 1 + random_.below(parts.size());
        return {"{\"disjuncts\":[" + list + "],\"min\":" + std::to_string(least) + "}", [=](Element document) {
                  const auto held =
                      std::ranges::count_if(parts, [&](const Case& part) { return part.holds(document); });
                  return static_cast<size_t>(held) >= least;
                }};
      }
      default:
        return {"{\"must_not\":[" + list + "]}", [parts](Element document) {
                  return std::ranges::none_of(parts, [&](const Case& part) { return part.holds(document); });
                }};
    }
  }

  Random random_;
};

Filter filter_of(const std::string& json) {
  const Parsed parsed(json);
  auto filter = parse_filter(parsed.element, {});
  EXPECT_TRUE(filter.ok()) << json << (filter.ok() ? "" : filter.error().message());
  return filter.ok() ? *std::move(filter) : Filter();
}

bool holds(const std::string& json, Element document) {
  const Filter filter = filter_of(json);
  return FilterMatcher(filter).matches("k", document);
}

TEST(FilterRandom, AgreesWithTheSlowEvaluator) {
  Generator generator(20'261'121);
  int matched = 0;
  int tried = 0;
  for (int round = 0; round < 1'500; ++round) {
    const Case test = generator.filter(0);
    const Filter filter = filter_of(test.json);
    FilterMatcher matcher(filter);
    for (int i = 0; i < 10; ++i) {
      const Parsed document(generator.object(0));
      const bool expected = test.holds(document.element);
      ASSERT_EQ(matcher.matches("k", document.element), expected) << test.json << "\n"
                                                                  << simdjson::minify(document.element);
      ASSERT_EQ(matcher.score("k", document.element).has_value(), expected) << test.json;
      matched += expected;
      ++tried;
    }
  }
  EXPECT_GT(matched, tried / 10);
  EXPECT_LT(matched, tried * 9 / 10);
}

TEST(FilterRandom, ObeysTheLawsOfLogic) {
  Generator generator(42);
  for (int round = 0; round < 1'000; ++round) {
    const std::string a = generator.filter(1).json;
    const std::string b = generator.filter(1).json;
    const Parsed document(generator.object(0));
    const auto no = [](const std::string& x) { return "{\"must_not\":[" + x + "]}"; };
    const auto both = [](const std::string& x, const std::string& y) {
      return "{\"conjuncts\":[" + x + "," + y + "]}";
    };
    const auto either = [](const std::string& x, const std::string& y) {
      return "{\"disjuncts\":[" + x + "," + y + "]}";
    };
    const auto same = [&](const std::string& x, const std::string& y) {
      ASSERT_EQ(holds(x, document.element), holds(y, document.element)) << x << "\n" << y;
    };
    same(no(both(a, b)), either(no(a), no(b)));
    same(no(either(a, b)), both(no(a), no(b)));
    same(no(no(a)), a);
    same(both(a, "{\"match_all\":{}}"), a);
    same(either(a, "{\"match_none\":{}}"), a);
    same("{\"disjuncts\":[" + a + "," + b + "],\"min\":2}", both(a, b));
    same("{\"must\":[" + a + "],\"must_not\":[" + b + "]}", both(a, no(b)));
    same("{\"must\":[" + a + "],\"should\":[" + b + "]}", a);
  }
}

}  // namespace
}  // namespace strata::documents
