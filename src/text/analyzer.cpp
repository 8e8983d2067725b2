#include "text/analyzer.h"

#include <libstemmer.h>

#include <cstring>
#include <new>
#include <utility>

#include "base/assert.h"

namespace strata::text {

namespace {

// Snowball's languages and their ISO 639-1 letters, as the packaged library has them.
constexpr std::pair<std::string_view, std::string_view> languages[] = {
    {"ar", "arabic"},     {"da", "danish"},     {"de", "german"},    {"el", "greek"},    {"en", "english"},
    {"es", "spanish"},    {"eu", "basque"},     {"ca", "catalan"},   {"fi", "finnish"},  {"fr", "french"},
    {"ga", "irish"},      {"hi", "hindi"},      {"hu", "hungarian"}, {"hy", "armenian"}, {"id", "indonesian"},
    {"it", "italian"},    {"lt", "lithuanian"}, {"ne", "nepali"},    {"nl", "dutch"},    {"no", "norwegian"},
    {"pt", "portuguese"}, {"ro", "romanian"},   {"ru", "russian"},   {"sr", "serbian"},  {"sv", "swedish"},
    {"ta", "tamil"},      {"tr", "turkish"},    {"yi", "yiddish"},
};

}  // namespace

std::optional<Analyzer> Analyzer::find(std::string_view name) {
  if (name == "standard" || name == "simple") return Analyzer("standard");
  if (name == "keyword") return Analyzer("keyword");
  for (const auto& [code, language] : languages) {
    if (name == code || name == language) return Analyzer(language);
  }
  return std::nullopt;
}

Stemmer::Stemmer(const Analyzer& analyzer) {
  if (!analyzer.stems()) return;
  stemmer_.reset(sb_stemmer_new(std::string(analyzer.name()).c_str(), "UTF_8"));
  STRATA_ASSERT(stemmer_ != nullptr);
}

void Stemmer::Delete::operator()(sb_stemmer* stemmer) const { sb_stemmer_delete(stemmer); }

std::string_view Stemmer::stem(std::string_view word) {
  if (!stemmer_) return word;
  const sb_symbol* stem =
      sb_stemmer_stem(stemmer_.get(), reinterpret_cast<const sb_symbol*>(word.data()), static_cast<int>(word.size()));
  // The library has no memory left for it.
  if (stem == nullptr) return word;
  const std::string_view found(reinterpret_cast<const char*>(stem),
                               static_cast<size_t>(sb_stemmer_length(stemmer_.get())));
  return found.empty() ? word : found;
}

std::optional<std::string_view> Terms::next() {
  if (done_) return std::nullopt;
  if (analyzer_.is_keyword()) {
    done_ = true;
    if (text_.empty()) return std::nullopt;
    return text_;
  }
  if (!words_.next(word_)) {
    done_ = true;
    return std::nullopt;
  }
  return stemmer_.stem(word_);
}

}  // namespace strata::text
