#include "kv/mapped_range.h"

#include "base/parse_number.h"

namespace strata::kv {
namespace {

constexpr size_t mapped_row_limit_bytes = 1'000'000;

// "{{" and "}}" are braces; a brace alone is left as it is.
std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    out.push_back(text[i]);
    const bool is_brace = text[i] == '{' || text[i] == '}';
    if (is_brace && i + 1 < text.size() && text[i + 1] == text[i]) ++i;
  }
  return out;
}

// Reads the index rows, then what each points at, one after the other where the engine answers at once.
class MappedRead : public std::enable_shared_from_this<MappedRead> {
 public:
  MappedRead(const ReadTransaction& transaction, std::shared_ptr<TransactionState> state, Mapper mapper)
      : transaction_(transaction), state_(std::move(state)), mapper_(std::move(mapper)) {}

  Future<MappedPage> run(const KeySelector& begin, const KeySelector& end, const RangeOptions& options) {
    return transaction_.get_range(begin, end, options)
        .then([self = shared_from_this(), begin, end](Result<RangePage> page) -> Future<MappedPage> {
          if (!page.ok()) return std::move(page).error();
          self->index_ = std::move(*page);
          if (auto error = self->check_index(begin, end)) return *error;
          self->mapped_.more = self->index_.more;
          return self->next();
        });
  }

 private:
  // The rows and the range between the selectors' keys must not hold writes of the transaction.
  std::optional<Error> check_index(const KeySelector& begin, const KeySelector& end) {
    if (own_writes_in(begin.key, end.key)) return Error(ErrorCode::get_mapped_range_reads_your_writes);
    for (size_t i = 0; i < index_.rows.size(); ++i) {
      const BytesView key = index_.rows.key(i);
      if (own_writes_in(key, key_after(key))) return Error(ErrorCode::get_mapped_range_reads_your_writes);
    }
    return std::nullopt;
  }

  bool own_writes_in(BytesView begin, BytesView end) {
    std::lock_guard lock(state_->mutex);
    if (begin >= end || state_->phase != TransactionState::Phase::active) return false;
    const WriteMap& writes = state_->own_writes();
    const auto entry = writes.entries().lower_bound(begin);
    if (entry != writes.entries().end() && entry->first < end) return true;
    return writes.cleared().intersects(begin, end) || writes.unreadable().intersects(begin, end);
  }

  Future<MappedPage> next() {
    while (mapped_.rows.size() < index_.rows.size()) {
      const size_t i = mapped_.rows.size();
      Result<KeyRange> target = mapper_.map(index_.rows.key(i), index_.rows.value(i));
      if (!target.ok()) return std::move(target).error();
      if (own_writes_in(target->begin, target->end)) return ErrorCode::get_mapped_range_reads_your_writes;
      RangeOptions options;
      options.mode = StreamingMode::exact;
      options.target_bytes = mapped_row_limit_bytes;
      Future<RangePage> rows = transaction_.get_range(target->begin, target->end, options);
      if (!rows.is_ready()) {
        return rows.then([self = shared_from_this(), target = *target](Result<RangePage> page) -> Future<MappedPage> {
          if (auto error = self->consume(target, std::move(page))) return *error;
          return self->next();
        });
      }
      if (auto error = consume(*target, rows.get())) return *error;
    }
    return std::move(mapped_);
  }

  std::optional<Error> consume(const KeyRange& target, Result<RangePage> page) {
    if (!page.ok()) return std::move(page).error();
    if (page->more) return Error(ErrorCode::mapped_range_has_more);
    const size_t i = mapped_.rows.size();
    mapped_.rows.push_back({Bytes(index_.rows.key(i)), Bytes(index_.rows.value(i)), target, std::move(page->rows)});
    return std::nullopt;
  }

  ReadTransaction transaction_;
  std::shared_ptr<TransactionState> state_;
  const Mapper mapper_;
  RangePage index_;
  MappedPage mapped_;
};

}  // namespace

Result<Mapper::Piece> Mapper::parse_piece(const tuple::Element& element) {
  const auto* text = std::get_if<tuple::Text>(&element);
  const auto* bytes = std::get_if<tuple::ByteString>(&element);
  if (!text && !bytes) return Piece(element);
  const std::string_view raw = text ? std::string_view(text->value) : std::string_view(bytes->value);
  const bool is_part = raw.size() >= 3 && (raw.starts_with("{K[") || raw.starts_with("{V["));
  if (is_part) {
    if (!raw.ends_with("]}")) return ErrorCode::mapper_bad_index;
    const std::string_view digits = raw.substr(3, raw.size() - 5);
    const auto index = parse_number<size_t>(digits);
    if (!index) return ErrorCode::mapper_bad_index;
    return Piece(Part{raw[1] == 'K' ? Source::key : Source::value, *index});
  }
  if (text) return Piece(tuple::Element(tuple::Text(unescape(raw))));
  return Piece(tuple::Element(tuple::ByteString(unescape(raw))));
}

Result<Mapper> Mapper::parse(BytesView packed) {
  Result<tuple::Tuple> unpacked = tuple::Tuple::unpack(packed);
  if (!unpacked.ok()) return ErrorCode::mapper_not_tuple;
  Mapper mapper;
  for (size_t i = 0; i < unpacked->size(); ++i) {
    const tuple::Element& element = (*unpacked)[i];
    const auto* text = std::get_if<tuple::Text>(&element);
    const auto* bytes = std::get_if<tuple::ByteString>(&element);
    if ((text && text->value == "{...}") || (bytes && bytes->value == "{...}")) {
      if (i + 1 != unpacked->size()) return ErrorCode::mapper_bad_range_descriptor;
      mapper.is_range_ = true;
      break;
    }
    ASSIGN_OR_RETURN(Piece piece, parse_piece(element));
    if (const auto* part = std::get_if<Part>(&piece)) {
      (part->source == Source::key ? mapper.uses_key_ : mapper.uses_value_) = true;
    }
    mapper.pieces_.push_back(std::move(piece));
  }
  return mapper;
}

Result<KeyRange> Mapper::map(BytesView key, BytesView value) const {
  Result<tuple::Tuple> key_tuple = uses_key_ ? tuple::Tuple::unpack(key) : tuple::Tuple();
  if (!key_tuple.ok()) return ErrorCode::key_not_tuple;
  Result<tuple::Tuple> value_tuple = uses_value_ ? tuple::Tuple::unpack(value) : tuple::Tuple();
  if (!value_tuple.ok()) return ErrorCode::value_not_tuple;
  tuple::Tuple target;
  for (const Piece& piece : pieces_) {
    if (const auto* element = std::get_if<tuple::Element>(&piece)) {
      target.add(*element);
      continue;
    }
    const Part part = std::get<Part>(piece);
    const tuple::Tuple& source = part.source == Source::key ? *key_tuple : *value_tuple;
    if (part.index >= source.size()) return ErrorCode::mapper_bad_index;
    target.add(source[part.index]);
  }
  const Bytes packed = target.pack();
  if (!is_range_) return KeyRange{packed, key_after(packed)};
  return KeyRange{packed, prefix_end(packed).value_or(Bytes("\xff"))};
}

Future<MappedPage> read_mapped_range(const ReadTransaction& transaction, std::shared_ptr<TransactionState> state,
                                     const KeySelector& begin, const KeySelector& end, Mapper mapper,
                                     const RangeOptions& options) {
  return std::make_shared<MappedRead>(transaction, std::move(state), std::move(mapper))->run(begin, end, options);
}

}  // namespace strata::kv
