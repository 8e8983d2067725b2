#include "layers/documents/index_values.h"

#include <algorithm>

#include "layers/documents/document_dates.h"
#include "layers/documents/number.h"
#include "tuple/encode.h"

namespace strata::documents {

namespace {

void sort_unique(std::vector<Bytes>& values) {
  std::ranges::sort(values);
  const auto rest = std::ranges::unique(values);
  values.erase(rest.begin(), rest.end());
}

void add_string(std::string_view text, std::vector<Bytes>& values) {
  values.push_back(whole_string_value(text));
  text::Words words(text);
  std::string word;
  while (words.next(word)) {
    // A word that is the whole string is found as that.
    if (word != text) values.push_back(word_value(word));
  }
}

}  // namespace

Bytes whole_string_value(std::string_view text) {
  Bytes value;
  tuple::append_string(value, text.substr(0, max_index_string_bytes));
  return value;
}

Bytes word_value(std::string_view word) {
  Bytes value;
  tuple::append_bytes(value, word.substr(0, max_index_string_bytes));
  return value;
}

Bytes number_value(double number) {
  Bytes value;
  tuple::append_double(value, number == 0 ? 0.0 : number);
  return value;
}

Bytes boolean_value(bool truth) {
  Bytes value;
  tuple::append_bool(value, truth);
  return value;
}

Bytes date_value(int64_t date_us) {
  Bytes value;
  tuple::append_int(value, date_us);
  return value;
}

Bytes term_value(std::string_view term) { return whole_string_value(term); }

std::vector<Bytes> index_values(const IndexDefinition& index, simdjson::dom::element document) {
  std::vector<Bytes> values;
  visit_values(document, index.field.segments(), [&](simdjson::dom::element value) {
    switch (index.type) {
      case IndexType::string:
        if (value.is_string()) add_string(value.get_string().value_unsafe(), values);
        break;
      case IndexType::number:
        if (const auto number = Number::of(value)) values.push_back(number_value(number->as_double()));
        break;
      case IndexType::boolean:
        if (value.is_bool()) values.push_back(boolean_value(value.get_bool().value_unsafe()));
        break;
      case IndexType::date:
        if (value.is_string()) {
          const auto date_us = parse_date_us(value.get_string().value_unsafe());
          if (date_us) values.push_back(date_value(*date_us));
        }
        break;
      case IndexType::fulltext:
        break;
    }
    return false;
  });
  sort_unique(values);
  return values;
}

TextTerms text_terms(const IndexDefinition& index, simdjson::dom::element document) {
  TextTerms found;
  text::Terms terms(index.analyzer);
  visit_values(document, index.field.segments(), [&](simdjson::dom::element value) {
    if (!value.is_string()) return false;
    terms.read(value.get_string().value_unsafe());
    while (const auto term = terms.next()) {
      ++found.length;
      found.terms.push_back(term_value(*term));
    }
    return false;
  });
  sort_unique(found.terms);
  return found;
}

Result<BytesView> key_behind_value(BytesView entry) {
  const Error broken(ErrorCode::corruption, "an entry of an index is broken");
  if (entry.empty()) return broken;
  const auto code = static_cast<unsigned char>(entry[0]);
  size_t size = 1;
  if (code == tuple::code::bytes || code == tuple::code::string) {
    // 0x00 ends it, but 0x00 0xff is a byte of it.
    for (;; size += 2) {
      size = entry.find('\0', size);
      if (size == BytesView::npos) return broken;
      if (size + 1 >= entry.size() || entry[size + 1] != '\xff') break;
    }
    ++size;
  } else if (code == tuple::code::float64) {
    size = 9;
  } else if (code >= tuple::code::zero - 8 && code <= tuple::code::zero + 8) {
    size = 1 + static_cast<size_t>(std::abs(static_cast<int>(code) - tuple::code::zero));
  } else if (code != tuple::code::boolean_false && code != tuple::code::boolean_true) {
    return broken;
  }
  if (entry.size() <= size) return broken;
  return entry.substr(size);
}

}  // namespace strata::documents
