#include "model/reference.h"

#include <algorithm>
#include <set>

namespace strata::model {
namespace {

unsigned at(const Bytes& bytes, size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0; }

// As little-endian numbers of `size` bytes, unsigned.
bool less_as_number(const Bytes& a, const Bytes& b, size_t size) {
  for (size_t i = size; i-- > 0;) {
    if (at(a, i) != at(b, i)) return at(a, i) < at(b, i);
  }
  return false;
}

Bytes resized(Bytes bytes, size_t size) {
  bytes.resize(size, '\0');
  return bytes;
}

Bytes sum(const Bytes& a, const Bytes& b) {
  Bytes out;
  unsigned carry = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    carry += at(a, i) + at(b, i);
    out.push_back(static_cast<char>(carry));
    carry >>= 8;
  }
  return out;
}

Bytes with_stamp(const Bytes& operand, const Bytes& stamp) {
  Bytes out = operand.substr(0, operand.size() - 4);
  const uint32_t offset = read_le32(BytesView(operand).substr(operand.size() - 4));
  for (size_t i = 0; i < stamp.size(); ++i) out[offset + i] = stamp[i];
  return out;
}

bool holds(const KeyRange& range, const Bytes& key) { return range.begin <= key && key < range.end; }

}  // namespace

std::optional<Bytes> apply_atomic(MutationType type, const std::optional<Bytes>& existing, const Bytes& operand) {
  if (type == MutationType::compare_and_clear) {
    return existing == operand ? std::nullopt : existing;
  }
  if (!existing) return operand;
  Bytes out;
  switch (type) {
    case MutationType::add:
      return sum(*existing, operand);
    case MutationType::bit_and:
      for (size_t i = 0; i < operand.size(); ++i) out.push_back(static_cast<char>(at(*existing, i) & at(operand, i)));
      return out;
    case MutationType::bit_or:
      for (size_t i = 0; i < operand.size(); ++i) out.push_back(static_cast<char>(at(*existing, i) | at(operand, i)));
      return out;
    case MutationType::bit_xor:
      for (size_t i = 0; i < operand.size(); ++i) out.push_back(static_cast<char>(at(*existing, i) ^ at(operand, i)));
      return out;
    case MutationType::append_if_fits:
      return existing->size() + operand.size() > value_limit_bytes ? *existing : *existing + operand;
    case MutationType::max:
      return less_as_number(*existing, operand, operand.size()) ? operand : resized(*existing, operand.size());
    case MutationType::min:
      return less_as_number(*existing, operand, operand.size()) ? resized(*existing, operand.size()) : operand;
    case MutationType::byte_min:
      return *existing < operand ? *existing : operand;
    case MutationType::byte_max:
      return *existing > operand ? *existing : operand;
    default:
      STRATA_ASSERT(false);
  }
  return std::nullopt;
}

void apply(Map& map, const Write& write, const Bytes& stamp) {
  switch (write.type) {
    case MutationType::set:
      map[write.key] = write.value;
      return;
    case MutationType::clear:
      map.erase(write.key);
      return;
    case MutationType::clear_range:
      std::erase_if(map, [&](const auto& row) { return row.first >= write.key && row.first < write.value; });
      return;
    case MutationType::set_versionstamped_key:
      map[with_stamp(write.key, stamp)] = write.value;
      return;
    case MutationType::set_versionstamped_value:
      map[write.key] = with_stamp(write.value, stamp);
      return;
    default: {
      const auto found = map.find(write.key);
      const auto existing = found == map.end() ? std::optional<Bytes>() : found->second;
      const std::optional<Bytes> value = apply_atomic(write.type, existing, write.value);
      if (value) {
        map[write.key] = *value;
      } else {
        map.erase(write.key);
      }
    }
  }
}

KeyRange touched_by(const Write& write) {
  if (write.type == MutationType::clear_range) return {write.key, write.value};
  if (write.type == MutationType::set_versionstamped_key) {
    return {with_stamp(write.key, Bytes(10, '\0')), key_after(with_stamp(write.key, Bytes(10, '\xff')))};
  }
  return {write.key, key_after(write.key)};
}

bool intersect(const KeyRange& a, const KeyRange& b) { return std::max(a.begin, b.begin) < std::min(a.end, b.end); }

View::View(const Map& stored, const Write* writes, size_t write_count)
    : writes_(writes), write_count_(write_count), map_(stored) {
  for (size_t i = 0; i < write_count_; ++i) {
    // Versionstamped keys and values cannot be read: what is in their place does not matter.
    const MutationType type = writes_[i].type;
    if (type == MutationType::set_versionstamped_key || type == MutationType::set_versionstamped_value) continue;
    apply(map_, writes_[i], {});
  }
}

View::Sight View::sight_of(const Bytes& key) const {
  Sight sight = Sight::stored;
  for (size_t i = 0; i < write_count_; ++i) {
    if (!holds(touched_by(writes_[i]), key)) continue;
    switch (writes_[i].type) {
      case MutationType::clear:
      case MutationType::clear_range:
        sight = Sight::known;
        break;
      case MutationType::set_versionstamped_key:
      case MutationType::set_versionstamped_value:
        sight = Sight::unreadable;
        break;
      case MutationType::set:
        // As in FoundationDB, what became unreadable stays so until it is cleared.
        if (sight != Sight::unreadable) sight = Sight::known;
        break;
      default:
        break;
    }
  }
  return sight;
}

std::vector<View::Piece> View::pieces(const Bytes& begin, const Bytes& end) const {
  if (begin >= end) return {};
  std::set<Bytes> cuts = {begin, end};
  for (size_t i = 0; i < write_count_; ++i) {
    const KeyRange touched = touched_by(writes_[i]);
    if (holds({begin, end}, touched.begin)) cuts.insert(touched.begin);
    if (holds({begin, end}, touched.end)) cuts.insert(touched.end);
  }
  std::vector<Piece> pieces;
  for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
    pieces.push_back({{*cut, *std::next(cut)}, sight_of(*cut)});
  }
  return pieces;
}

Result<std::optional<Bytes>> View::get(const Bytes& key) const {
  if (sight_of(key) == Sight::unreadable) return ErrorCode::accessed_unreadable;
  const auto found = map_.find(key);
  return found == map_.end() ? std::optional<Bytes>() : found->second;
}

Result<Page> View::walk(const Bytes& begin, const Bytes& end, size_t limit_rows, size_t limit_bytes,
                        bool reverse) const {
  std::vector<Piece> order = pieces(begin, end);
  if (reverse) std::reverse(order.begin(), order.end());
  Page page;
  size_t bytes = 0;
  for (const Piece& piece : order) {
    // Whatever the commit puts here, it comes before all that would follow.
    if (piece.sight == Sight::unreadable) return ErrorCode::accessed_unreadable;
    std::vector<std::pair<Bytes, Bytes>> rows(map_.lower_bound(piece.range.begin), map_.lower_bound(piece.range.end));
    if (reverse) std::reverse(rows.begin(), rows.end());
    for (auto& row : rows) {
      bytes += row.first.size() + row.second.size() + 8;
      page.rows.push_back(std::move(row));
      const bool full = (limit_rows > 0 && page.rows.size() == limit_rows) || (limit_bytes > 0 && bytes >= limit_bytes);
      if (!full) continue;
      page.more = true;
      return page;
    }
  }
  return page;
}

Bytes base_of(const KeySelector& selector) {
  return std::min(selector.or_equal ? key_after(selector.key) : selector.key, end_of_keys);
}

Result<Bytes> View::get_key(const KeySelector& selector) const {
  const Bytes base = base_of(selector);
  const bool forward = selector.offset > 0;
  const auto steps = static_cast<size_t>(forward ? selector.offset : 1 - selector.offset);
  ASSIGN_OR_RETURN(const Page page,
                   forward ? walk(base, end_of_keys, steps, 0, false) : walk("", base, steps, 0, true));
  if (page.rows.size() < steps) return forward ? end_of_keys : Bytes();
  return page.rows.back().first;
}

Result<Page> View::get_range(const KeySelector& begin, const KeySelector& end, size_t limit_rows, size_t limit_bytes,
                             bool reverse) const {
  // The first key not before the base is where the range begins, or ends, in any case.
  Bytes from = base_of(begin);
  if (begin.offset != 1) {
    ASSIGN_OR_RETURN(from, get_key(begin));
  }
  Bytes to = base_of(end);
  if (end.offset != 1) {
    ASSIGN_OR_RETURN(to, get_key(end));
  }
  return walk(from, to, limit_rows, limit_bytes, reverse);
}

ReferenceStore::ReferenceStore() { commits_.push_back({0, {}, false, std::make_shared<const Map>()}); }

void ReferenceStore::add(kv::Version version, std::vector<KeyRange> writes, bool hides_writes, Map after) {
  STRATA_ASSERT(version > commits_.back().version);
  commits_.push_back({version, std::move(writes), hides_writes, std::make_shared<const Map>(std::move(after))});
}

size_t ReferenceStore::index_of(kv::Version version) const {
  size_t index = newest();
  while (index > oldest() && at(index).version > version) --index;
  return index;
}

void ReferenceStore::forget_before(size_t index) {
  while (forgotten_ < index) {
    commits_.pop_front();
    ++forgotten_;
  }
}

}  // namespace strata::model
