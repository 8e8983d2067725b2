// How a directory changes: level by level from the leaves up, and on each level only the nodes around what changed.

#include <xxhash.h>

#include <map>

#include "layers/files/directory.h"

namespace strata::files {
namespace {

using archive::ChildView;
using archive::NodeChild;
using archive::NodeForm;

// What a node holds: of a leaf a name and its child's bytes, of the levels above a first name and a node's hash.
struct Item {
  std::string key;
  Bytes bytes;
};
// Of a level, by key; absent: it goes.
using LevelEdits = std::map<std::string, std::optional<Bytes>, std::less<>>;

size_t max_items(size_t level) { return level == 0 ? archive::max_leaf_children : archive::max_node_children; }

// One in 32, so that a leaf has 23 names on average; by the name alone, so that a file's new content moves no bounds.
bool begins_node(size_t level, std::string_view key) {
  return (XXH3_64bits_withSeed(key.data(), key.size(), level) & 31) == 0;
}

Result<std::vector<Item>> items_of(const Hash& hash, BytesView node) {
  std::vector<Item> items;
  if (std::optional<BytesView> rest = archive::children_bytes(node)) {
    while (!rest->empty()) {
      const std::optional<ChildView> view = archive::take_child(*rest);
      if (!view) return malformed_directory(hash);
      items.push_back({std::string(view->name), Bytes(view->bytes)});
    }
    return items;
  }
  std::optional<std::vector<NodeChild>> children = archive::decode_internal(node);
  if (!children) return malformed_directory(hash);
  items.reserve(children->size());
  for (NodeChild& child : *children) items.push_back({std::move(child.first_name), Bytes(bytes_of(child.hash))});
  return items;
}

Bytes encode_node(size_t level, const std::vector<Item>& items) {
  if (level > 0) {
    std::vector<NodeChild> children;
    children.reserve(items.size());
    for (const Item& item : items) children.push_back({item.key, hash_of(item.bytes)});
    return archive::encode_internal(children);
  }
  Bytes node = archive::encode_leaf({});
  node[1] = static_cast<char>(items.size());
  for (const Item& item : items) node.append(item.bytes);
  return node;
}

// Cuts the items of a level into nodes.
class Chunker {
 public:
  Chunker(EntryWriter& writer, size_t level) : writer_(writer), level_(level) {}

  bool cuts_before(std::string_view key) const {
    return current_.empty() || current_.size() == max_items(level_) || begins_node(level_, key);
  }
  void add(Item item) {
    if (cuts_before(item.key)) flush();
    current_.push_back(std::move(item));
  }
  void flush() {
    if (current_.empty()) return;
    const Hash hash = writer_.put_node(encode_node(level_, current_));
    nodes_.push_back({std::move(current_.front().key), Bytes(bytes_of(hash))});
    current_.clear();
  }
  // As items of the level above.
  std::vector<Item>& nodes() { return nodes_; }

 private:
  EntryWriter& writer_;
  const size_t level_;
  std::vector<Item> current_;
  std::vector<Item> nodes_;
};

// From all nodes of a level up to the root, which stands for the directory.
Result<Hash> finish_tree(EntryWriter& writer, std::vector<Item> nodes, size_t level) {
  while (nodes.size() > 1) {
    nodes.front().key.clear();
    Chunker chunker(writer, ++level);
    for (Item& node : nodes) chunker.add(std::move(node));
    chunker.flush();
    nodes = std::move(chunker.nodes());
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> root, writer.node(hash_of(nodes.front().bytes)));
  return writer.put_directory(*root);
}

// The directory with exactly these children.
Result<Hash> build_directory(EntryWriter& writer, std::vector<Item> children) {
  if (children.size() <= archive::max_flat_children) {
    Bytes flat;
    for (const Item& child : children) flat.append(child.bytes);
    return writer.put_directory(std::move(flat));
  }
  Chunker chunker(writer, 0);
  for (Item& child : children) chunker.add(std::move(child));
  chunker.flush();
  return finish_tree(writer, std::move(chunker.nodes()), 0);
}

std::vector<Item> merge(std::vector<Item> items, LevelEdits::const_iterator begin, LevelEdits::const_iterator end) {
  std::vector<Item> merged;
  merged.reserve(items.size() + 1);
  auto item = items.begin();
  for (auto edit = begin; edit != end; ++edit) {
    while (item != items.end() && item->key < edit->first) merged.push_back(std::move(*item++));
    if (item != items.end() && item->key == edit->first) ++item;
    if (edit->second) merged.push_back({edit->first, *edit->second});
  }
  while (item != items.end()) merged.push_back(std::move(*item++));
  return merged;
}

// The nodes of one level of a tree, in order.
class LevelCursor {
 public:
  // height: levels above the leaves; the root's own level.
  LevelCursor(const EntryReader& reader, const Hash& root, size_t height, size_t level)
      : reader_(reader), root_(root), steps_(height - level) {}

  // To the node where the key belongs.
  Result<void> seek(std::string_view key) {
    path_.clear();
    Hash at = root_;
    for (size_t step = 0; step < steps_; ++step) {
      ASSIGN_OR_RETURN(Step next, open(at));
      while (next.at + 1 < next.items.size() && next.items[next.at + 1].key <= key) ++next.at;
      at = hash_of(next.items[next.at].bytes);
      path_.push_back(std::move(next));
    }
    return {};
  }
  // False: there is none, and the cursor is where it was.
  Result<bool> move(bool forward) {
    size_t depth = path_.size();
    while (depth > 0 &&
           (forward ? path_[depth - 1].at + 1 == path_[depth - 1].items.size() : path_[depth - 1].at == 0)) {
      --depth;
    }
    if (depth == 0) return false;
    path_.resize(depth);
    Step& turn = path_.back();
    turn.at += forward ? 1 : -1;
    Hash at = hash_of(turn.items[turn.at].bytes);
    while (path_.size() < steps_) {
      ASSIGN_OR_RETURN(Step next, open(at));
      if (!forward) next.at = next.items.size() - 1;
      at = hash_of(next.items[next.at].bytes);
      path_.push_back(std::move(next));
    }
    return true;
  }
  // The key of the node's place: the first of a level has an empty one.
  std::string first_key() const {
    for (size_t depth = path_.size(); depth > 0; --depth) {
      const Step& step = path_[depth - 1];
      if (step.at > 0) return step.items[step.at].key;
    }
    return {};
  }
  Hash hash() const { return path_.empty() ? root_ : hash_of(path_.back().items[path_.back().at].bytes); }
  Result<std::vector<Item>> items() const {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> node, reader_.node(hash()));
    ASSIGN_OR_RETURN(std::vector<Item> items, items_of(hash(), *node));
    // The first key of an internal node stands in the node above alone.
    if (archive::form_of_node(*node) == NodeForm::internal) items.front().key = first_key();
    return items;
  }

 private:
  struct Step {
    std::vector<Item> items;
    size_t at = 0;
  };
  Result<Step> open(const Hash& hash) const {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> node, reader_.node(hash));
    if (archive::form_of_node(*node) != NodeForm::internal) return malformed_directory(hash);
    ASSIGN_OR_RETURN(std::vector<Item> items, items_of(hash, *node));
    return Step{std::move(items), 0};
  }

  const EntryReader& reader_;
  const Hash root_;
  const size_t steps_;
  std::vector<Step> path_;
};

// Applies edits to one level of a tree and says what that changes in the level above.
class LevelEditor {
 public:
  LevelEditor(EntryWriter& writer, const Hash& root, size_t height, size_t level, const LevelEdits& edits)
      : writer_(writer), cursor_(writer, root, height, level), level_(level), edits_(edits), edit_(edits.begin()) {}

  Result<LevelEdits> run() {
    while (edit_ != edits_.end()) {
      RETURN_IF_ERROR(cursor_.seek(edit_->first));
      // Without its first item a node may grow together with the one before it.
      if (!edit_->second && cursor_.first_key() == edit_->first) {
        ASSIGN_OR_RETURN(const bool moved, cursor_.move(false));
        (void)moved;
      }
      RETURN_IF_ERROR(rewrite_from_here());
    }
    return std::move(above_);
  }

 private:
  // From the cursor's node to where the old cuts are met again.
  Result<void> rewrite_from_here() {
    Chunker chunker(writer_, level_);
    const std::string run_key = cursor_.first_key();
    while (true) {
      const std::string node_key = cursor_.first_key();
      ASSIGN_OR_RETURN(std::vector<Item> items, cursor_.items());
      above_[node_key] = std::nullopt;
      ASSIGN_OR_RETURN(const bool more, cursor_.move(true));
      const std::string next_key = more ? cursor_.first_key() : std::string();
      const auto end = more ? edits_.lower_bound(next_key) : edits_.end();
      for (Item& item : merge(std::move(items), edit_, end)) chunker.add(std::move(item));
      edit_ = end;
      if (!more) break;
      ASSIGN_OR_RETURN(const bool stays, stays_as_it_is(next_key));
      if (stays && chunker.cuts_before(next_key)) break;
    }
    chunker.flush();
    if (!chunker.nodes().empty() && run_key.empty()) chunker.nodes().front().key.clear();
    for (Item& node : chunker.nodes()) above_[std::move(node.key)] = std::move(node.bytes);
    return {};
  }

  // Whether no edit belongs to the node that the cursor is at.
  Result<bool> stays_as_it_is(std::string_view key) {
    if (edit_ == edits_.end()) return true;
    if (edit_->first == key) return false;
    // One that lies behind the node's end belongs to a later one.
    ASSIGN_OR_RETURN(const bool more, cursor_.move(true));
    if (!more) return false;
    const bool beyond = cursor_.first_key() <= edit_->first;
    ASSIGN_OR_RETURN(const bool back, cursor_.move(false));
    (void)back;
    return beyond;
  }

  EntryWriter& writer_;
  LevelCursor cursor_;
  const size_t level_;
  const LevelEdits& edits_;
  LevelEdits::const_iterator edit_;
  LevelEdits above_;
};

Result<size_t> height_of(const EntryReader& reader, const Hash& root) {
  size_t height = 0;
  Hash at = root;
  while (true) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> node, reader.node(at));
    if (archive::form_of_node(*node) != NodeForm::internal) return height;
    const std::optional<std::vector<NodeChild>> children = archive::decode_internal(*node);
    if (!children || ++height > 64) return malformed_directory(root);
    at = children->front().hash;
  }
}

// All children, where they are few enough for a flat directory; else nullopt.
Result<std::optional<std::vector<Item>>> few_children(const EntryReader& reader, const Hash& directory) {
  std::vector<Item> items;
  Children children(reader, directory);
  while (children.next()) {
    if (items.size() == archive::max_flat_children) return std::optional<std::vector<Item>>();
    Bytes bytes;
    archive::append_child(bytes, children.entry());
    items.push_back({children.entry().name, std::move(bytes)});
  }
  RETURN_IF_ERROR(children.status());
  return std::optional<std::vector<Item>>(std::move(items));
}

Result<Hash> edit_tree(EntryWriter& writer, const Hash& directory, LevelEdits edits) {
  bool removes = false;
  for (const auto& [name, bytes] : edits) removes = removes || !bytes;
  ASSIGN_OR_RETURN(const size_t height, height_of(writer, directory));
  for (size_t level = 0; level <= height; ++level) {
    ASSIGN_OR_RETURN(edits, LevelEditor(writer, directory, height, level, edits).run());
  }
  // The root was one node: what is left are all nodes of its level.
  std::vector<Item> nodes;
  for (auto& [key, hash] : edits) {
    if (hash) nodes.push_back({key, std::move(*hash)});
  }
  if (nodes.empty()) return build_directory(writer, {});
  // A node that is alone on its level and has one child has nothing to say: its child is the root.
  size_t level = height;
  while (nodes.size() == 1 && level > 0) {
    const Hash hash = hash_of(nodes.front().bytes);
    ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> node, writer.node(hash));
    ASSIGN_OR_RETURN(std::vector<Item> items, items_of(hash, *node));
    if (items.size() > 1) break;
    nodes = std::move(items);
    --level;
  }
  ASSIGN_OR_RETURN(const Hash root, finish_tree(writer, std::move(nodes), level));
  if (!removes) return root;
  ASSIGN_OR_RETURN(std::optional<std::vector<Item>> few, few_children(writer, root));
  return few ? build_directory(writer, std::move(*few)) : Result<Hash>(root);
}

}  // namespace

Result<Hash> edit_directory(EntryWriter& writer, const Hash& directory, std::span<const ChildEdit> edits) {
  LevelEdits level;
  for (const ChildEdit& edit : edits) {
    std::optional<Bytes> bytes;
    if (edit.entry) archive::append_child(bytes.emplace(), *edit.entry);
    level.emplace_hint(level.end(), edit.name, std::move(bytes));
  }
  if (level.empty()) return directory;
  std::vector<Item> items;
  if (directory != empty_directory()) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> node, writer.node(directory));
    if (archive::form_of_node(*node) == NodeForm::internal) return edit_tree(writer, directory, std::move(level));
    ASSIGN_OR_RETURN(items, items_of(directory, *node));
  }
  return build_directory(writer, merge(std::move(items), level.begin(), level.end()));
}

}  // namespace strata::files
