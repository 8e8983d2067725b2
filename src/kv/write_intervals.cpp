#include "kv/write_intervals.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace strata::kv {
namespace {

// 8 bytes of the key from `skip` on as a number that sorts as they do; a key that ends sooner is padded with zeros.
uint64_t head_of(BytesView key, size_t skip) {
  if (key.size() <= skip) return 0;
  uint64_t head = 0;
  std::memcpy(&head, key.data() + skip, std::min<size_t>(8, key.size() - skip));
  if constexpr (std::endian::native == std::endian::little) head = __builtin_bswap64(head);
  return head;
}

size_t common_prefix(BytesView a, BytesView b) {
  const size_t limit = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < limit && a[i] == b[i]) ++i;
  return i;
}

// end == key + "\0"
bool ends_right_after(BytesView end, BytesView key) {
  return end.size() == key.size() + 1 && end.back() == '\0' && end.starts_with(key);
}

}  // namespace

// The sorted keys of a node. Heads are taken behind `skip`, the bytes that everything which can be searched for in
// this node has in common: keys of one table differ only after a long prefix.
struct WriteIntervals::Keys {
  uint16_t count = 0;
  uint32_t skip = 0;
  uint64_t heads[fan_out];
  const char* data[fan_out];
  uint32_t sizes[fan_out];

  BytesView key(int i) const { return {data[i], sizes[i]}; }

  // The last i with key(i) <= key; -1: none. `from`: known to be less or equal.
  int find(BytesView key_sought, int from) const {
    const uint64_t head = head_of(key_sought, skip);
    int low = from;
    int high = count;
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      const bool less_or_equal = heads[middle] != head ? heads[middle] < head : key(middle).compare(key_sought) <= 0;
      (less_or_equal ? low : high) = middle;
    }
    return low;
  }

  void open_gap(int at) {
    std::copy_backward(heads + at, heads + count, heads + count + 1);
    std::copy_backward(data + at, data + count, data + count + 1);
    std::copy_backward(sizes + at, sizes + count, sizes + count + 1);
    ++count;
  }
  void place(int at, BytesView key_placed) {
    heads[at] = head_of(key_placed, skip);
    data[at] = key_placed.data();
    sizes[at] = static_cast<uint32_t>(key_placed.size());
  }
  void move_tail(int from, Keys& to) {
    to.count = static_cast<uint16_t>(count - from);
    std::copy(data + from, data + count, to.data);
    std::copy(sizes + from, sizes + count, to.sizes);
    count = static_cast<uint16_t>(from);
  }
  // Everything in this node lies in [key(0), high).
  void set_skip(BytesView high, bool has_high) {
    skip = has_high ? static_cast<uint32_t>(common_prefix(key(0), high)) : 0;
    for (int i = 0; i < count; ++i) heads[i] = head_of(key(i), skip);
  }
};

struct WriteIntervals::Leaf {
  Keys keys;
  Age at[fan_out];     // of the key itself
  Age after[fan_out];  // of what lies between it and the next entry
};

// Child i holds what is at least keys.key(i) and less than keys.key(i + 1); key(0) is the node's own lower bound.
struct WriteIntervals::Inner {
  Keys keys;
  Age max[fan_out];    // no key below the child was written later
  Age floor[fan_out];  // every key below the child was written then or later
  void* children[fan_out];
};

WriteIntervals::WriteIntervals(Version start) : start_(start), newest_(start) {
  Leaf* leaf = new_leaf();
  leaf->keys.count = 1;
  leaf->keys.place(0, {});
  leaf->at[0] = leaf->after[0] = 0;
  root_ = leaf;
}
WriteIntervals::~WriteIntervals() = default;

WriteIntervals::Leaf* WriteIntervals::new_leaf() {
  node_bytes_ += sizeof(Leaf);
  return leaves_.emplace_back(new Leaf).get();
}
WriteIntervals::Inner* WriteIntervals::new_inner() {
  node_bytes_ += sizeof(Inner);
  return inners_.emplace_back(new Inner).get();
}

WriteIntervals::Age WriteIntervals::max_of(const void* node, int level) const {
  if (level == 0) {
    const Leaf& leaf = *static_cast<const Leaf*>(node);
    return std::max(*std::max_element(leaf.at, leaf.at + leaf.keys.count),
                    *std::max_element(leaf.after, leaf.after + leaf.keys.count));
  }
  const Inner& inner = *static_cast<const Inner*>(node);
  return *std::max_element(inner.max, inner.max + inner.keys.count);
}

WriteIntervals::Split WriteIntervals::insert_in_leaf(Leaf& leaf, BytesView key, Age age, Place place, BytesView high,
                                                     bool has_high) {
  const int i = leaf.keys.find(key, 0);
  if (leaf.keys.key(i) == key) {
    if (place == Place::point) leaf.at[i] = age;
    return {};
  }
  Split split;
  Leaf* target = &leaf;
  if (leaf.keys.count == fan_out) {
    // Ascending keys fill leaves instead of leaving each half empty.
    const int from = i == fan_out - 1 ? fan_out - 1 : fan_out / 2;
    Leaf* right = new_leaf();
    std::copy(leaf.at + from, leaf.at + fan_out, right->at);
    std::copy(leaf.after + from, leaf.after + fan_out, right->after);
    leaf.keys.move_tail(from, right->keys);
    right->keys.set_skip(high, has_high);
    leaf.keys.set_skip(right->keys.key(0), true);
    split = {right, right->keys.key(0)};
    if (i >= from) target = right;
  }
  const int at = target->keys.find(key, 0) + 1;
  const int count = target->keys.count;
  const Age inherited = target->after[at - 1];
  std::copy_backward(target->at + at, target->at + count, target->at + count + 1);
  std::copy_backward(target->after + at, target->after + count, target->after + count + 1);
  target->keys.open_gap(at);
  target->keys.place(at, keys_.copy(key));
  target->at[at] = place == Place::point ? age : inherited;
  target->after[at] = inherited;
  return split;
}

WriteIntervals::Split WriteIntervals::insert(void* node, int level, BytesView key, Age age, Place place, BytesView high,
                                             bool has_high) {
  if (level == 0) return insert_in_leaf(*static_cast<Leaf*>(node), key, age, place, high, has_high);
  Inner& inner = *static_cast<Inner*>(node);
  const int i = inner.keys.find(key, 0);
  const bool last = i + 1 == inner.keys.count;
  const Split below = insert(inner.children[i], level - 1, key, age, place, last ? high : inner.keys.key(i + 1),
                             last ? has_high : true);
  if (place == Place::point) inner.max[i] = age;
  if (!below.right) return {};

  Split split;
  Inner* target = &inner;
  int at = i + 1;
  if (inner.keys.count == fan_out) {
    const int from = at == fan_out ? fan_out - 1 : fan_out / 2;
    Inner* right = new_inner();
    std::copy(inner.max + from, inner.max + fan_out, right->max);
    std::copy(inner.floor + from, inner.floor + fan_out, right->floor);
    std::copy(inner.children + from, inner.children + fan_out, right->children);
    inner.keys.move_tail(from, right->keys);
    right->keys.set_skip(high, has_high);
    inner.keys.set_skip(right->keys.key(0), true);
    split = {right, right->keys.key(0)};
    if (at > from) {
      target = right;
      at -= from;
    }
  }
  const int count = target->keys.count;
  std::copy_backward(target->max + at, target->max + count, target->max + count + 1);
  std::copy_backward(target->floor + at, target->floor + count, target->floor + count + 1);
  std::copy_backward(target->children + at, target->children + count, target->children + count + 1);
  target->keys.open_gap(at);
  target->keys.place(at, below.key);
  target->children[at] = below.right;
  target->floor[at] = target->floor[at - 1];
  target->max[at] = std::max(target->floor[at], max_of(below.right, level - 1));
  target->max[at - 1] = std::max(target->floor[at - 1], max_of(target->children[at - 1], level - 1));
  return split;
}

void WriteIntervals::insert_key(BytesView key, Age age, Place place) {
  const Split split = insert(root_, height_, key, age, place, {}, false);
  if (!split.right) return;
  Inner* root = new_inner();
  root->keys.count = 2;
  root->keys.place(0, {});
  root->keys.place(1, split.key);
  root->children[0] = root_;
  root->children[1] = split.right;
  for (int i = 0; i < 2; ++i) {
    root->floor[i] = 0;
    root->max[i] = max_of(root->children[i], height_);
  }
  root_ = root;
  ++height_;
}

// Both ends of the range are entries. A node is searched only for keys inside its bounds (see Keys::skip): a range that
// began further left covers it from its first entry on.
void WriteIntervals::cover(void* node, int level, const KeyRangeView& range, Age age) {
  if (level == 0) {
    Leaf& leaf = *static_cast<Leaf*>(node);
    int i = leaf.keys.key(0) < range.begin ? leaf.keys.find(range.begin, 0) : 0;
    for (; i < leaf.keys.count && leaf.keys.key(i) < range.end; ++i) leaf.at[i] = leaf.after[i] = age;
    return;
  }
  Inner& inner = *static_cast<Inner*>(node);
  const int first = inner.keys.key(0) < range.begin ? inner.keys.find(range.begin, 0) : 0;
  for (int i = first; i < inner.keys.count && inner.keys.key(i) < range.end; ++i) {
    inner.max[i] = age;
    const bool whole =
        inner.keys.key(i) >= range.begin && i + 1 < inner.keys.count && inner.keys.key(i + 1) <= range.end;
    if (whole) {
      inner.floor[i] = age;
    } else {
      cover(inner.children[i], level - 1, range, age);
    }
  }
}

void WriteIntervals::add(const KeyRangeView& range, Version version) {
  STRATA_ASSERT(version >= newest_ && version > start_ && !full(version) && range.begin < range.end);
  newest_ = version;
  const Age age = static_cast<Age>(version - start_);
  if (ends_right_after(range.end, range.begin)) {
    insert_key(range.begin, age, Place::point);
    return;
  }
  insert_key(range.end, age, Place::boundary);
  insert_key(range.begin, age, Place::boundary);
  cover(root_, height_, range, age);
}

bool WriteIntervals::newer_in_leaf(const Leaf& leaf, const KeyRangeView& range, Age age) const {
  // A search in a node asks for a key inside its bounds; a range that began further left has begun before entry 0.
  const bool begins_here = leaf.keys.key(0) <= range.begin;
  int i = begins_here ? leaf.keys.find(range.begin, 0) : 0;
  if (begins_here && leaf.keys.key(i) != range.begin) {
    if (leaf.after[i] > age) return true;
    ++i;
  }
  for (; i < leaf.keys.count && leaf.keys.key(i) < range.end; ++i) {
    if (leaf.at[i] > age) return true;
    if (leaf.after[i] > age && !ends_right_after(range.end, leaf.keys.key(i))) return true;
  }
  return false;
}

bool WriteIntervals::newer(const void* node, int level, const KeyRangeView& range, Age age) const {
  if (level == 0) return newer_in_leaf(*static_cast<const Leaf*>(node), range, age);
  const Inner& inner = *static_cast<const Inner*>(node);
  const bool begins_here = inner.keys.key(0) <= range.begin;
  const int first = begins_here ? inner.keys.find(range.begin, 0) : 0;
  for (int i = first; i < inner.keys.count && (i == first || inner.keys.key(i) < range.end); ++i) {
    if (inner.floor[i] > age) return true;
    if (inner.max[i] <= age) continue;
    const bool whole = (i > first || !begins_here) && i + 1 < inner.keys.count && inner.keys.key(i + 1) <= range.end;
    if (whole || newer(inner.children[i], level - 1, range, age)) return true;
  }
  return false;
}

bool WriteIntervals::written_after(const KeyRangeView& range, Version version) const {
  if (version >= newest_ || range.begin >= range.end) return false;
  return newer(root_, height_, range, static_cast<Age>(std::max<Version>(0, version - start_)));
}

}  // namespace strata::kv
