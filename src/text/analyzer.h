// Analyzer: how a field's text becomes the terms that are searched.
//
// Purpose:       what it means that a text matches: the same terms on both sides. "standard": words; "keyword": the
//                text as it is; a language ("en" or "english", ...): words brought to their stems by Snowball.
// Ownership:     an Analyzer is a name by value; a Terms owns its stemmer and buffers and views the text it reads.
// Thread safety: Analyzer: as a value. Terms: one thread.
// Invariants:    an analyzer that was found is one that Terms can use.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "text/words.h"

struct sb_stemmer;

namespace strata::text {

class Analyzer {
 public:
  // "standard".
  Analyzer() = default;
  // "standard" (also "simple"), "keyword", or a language that Snowball knows, by its name or its two letters.
  static std::optional<Analyzer> find(std::string_view name);

  // The canonical name: what find takes and an index definition stores.
  std::string_view name() const { return name_; }
  bool is_keyword() const { return name_ == "keyword"; }
  bool stems() const { return name_ != "keyword" && name_ != "standard"; }

  friend bool operator==(const Analyzer&, const Analyzer&) = default;

 private:
  explicit Analyzer(std::string_view name) : name_(name) {}
  std::string_view name_ = "standard";
};

// Brings words to their stems; does nothing for analyzers that do not stem.
class Stemmer {
 public:
  explicit Stemmer(const Analyzer& analyzer);
  // A view of `word` or of the stemmer's memory, until the next call.
  std::string_view stem(std::string_view word);

 private:
  struct Delete {
    void operator()(sb_stemmer* stemmer) const;
  };
  std::unique_ptr<sb_stemmer, Delete> stemmer_;
};

// The terms of one text after the other.
class Terms {
 public:
  explicit Terms(const Analyzer& analyzer) : analyzer_(analyzer), stemmer_(analyzer), words_({}) {}

  void read(std::string_view text) {
    text_ = text;
    words_ = Words(text);
    done_ = false;
  }
  // nullopt at the end. The view lives until the next call.
  std::optional<std::string_view> next();

 private:
  const Analyzer analyzer_;
  Stemmer stemmer_;
  std::string_view text_;
  Words words_;
  std::string word_;
  bool done_ = false;
};

}  // namespace strata::text
