// How a directory changes: level by level from the leaves up, and on each level only the nodes around what changed.

#include <xxhash.h>

#include <map>
#include <utility>

#include "base/arena.h"
#include "layers/files/directory.h"

namespace strata::files {
namespace {

using archive::ChildView;
using archive::NodeChildView;
using archive::NodeForm;

// What a node holds: of a leaf a name and its child's bytes, of the levels above a first name and a node's hash. Both
// are views of what the workspace or the caller keeps.
struct Item {
  std::string_view key;
  BytesView bytes;
};
// Of a level, by key; absent: it goes.
using LevelEdits = std::map<std::string_view, std::optional<BytesView>>;

// Where an edit reads and puts nodes; what it views lives as long as this.
class Workspace {
 public:
  explicit Workspace(EntryWriter& writer) : writer_(writer) {}

  EntryWriter& writer() { return writer_; }
  Result<BytesView> node(const Hash& hash) {
    ASSIGN_OR_RETURN(nodes_.emplace_back(), writer_.node(hash));
    return BytesView(*nodes_.back());
  }
  BytesView keep(BytesView bytes) { return arena_.copy(bytes); }

 private:
  EntryWriter& writer_;
  std::vector<std::shared_ptr<const Bytes>> nodes_;
  Arena arena_;
};

size_t max_items(size_t level) { return level == 0 ? archive::max_leaf_children : archive::max_node_children; }

// One in 32, so that a leaf has 23 names on average; by the name alone, so that a file's new content moves no bounds.
bool begins_node(size_t level, std::string_view key) {
  return (XXH3_64bits_withSeed(key.data(), key.size(), level) & 31) == 0;
}

Result<std::vector<Item>> items_of(const Hash& hash, BytesView node) {
  std::vector<Item> items;
  if (std::optional<BytesView> rest = archive::children_bytes(node)) {
    // A child has at least 61 bytes, mostly about 100.
    items.reserve(rest->size() / 80 + 1);
    while (!rest->empty()) {
      const std::optional<ChildView> view = archive::take_child(*rest);
      if (!view) return malformed_directory(hash);
      items.push_back({view->name, view->bytes});
    }
    return items;
  }
  const std::optional<std::vector<NodeChildView>> children = archive::view_internal(node);
  if (!children) return malformed_directory(hash);
  items.reserve(children->size());
  for (const NodeChildView& child : *children) items.push_back({child.first_name, child.hash_bytes});
  return items;
}

Bytes join(Bytes out, const std::vector<Item>& items) {
  size_t size = out.size();
  for (const Item& item : items) size += item.bytes.size();
  out.reserve(size);
  for (const Item& item : items) out.append(item.bytes);
  return out;
}

Bytes encode_node(size_t level, const std::vector<Item>& items) {
  if (level > 0) {
    std::vector<NodeChildView> children;
    children.reserve(items.size());
    for (const Item& item : items) children.push_back({item.key, item.bytes});
    return archive::encode_internal(children);
  }
  Bytes head = archive::encode_leaf({});
  head[1] = static_cast<char>(items.size());
  return join(std::move(head), items);
}

// Cuts the items of a level into nodes.
class Chunker {
 public:
  Chunker(Workspace& workspace, size_t level) : workspace_(workspace), level_(level) {}

  bool cuts_before(std::string_view key) const {
    return current_.empty() || current_.size() == max_items(level_) || begins_node(level_, key);
  }
  void add(const Item& item) {
    if (cuts_before(item.key)) end_node();
    current_.push_back(item);
  }
  // Where all is one node: its bytes, which are not put.
  std::optional<Bytes> take_only() {
    end_node();
    return nodes_.size() == 1 ? std::exchange(last_, {}) : std::nullopt;
  }
  // As items of the level above, put.
  std::vector<Item> take_nodes() {
    end_node();
    put_last();
    return std::move(nodes_);
  }

 private:
  void end_node() {
    if (current_.empty()) return;
    put_last();
    last_ = encode_node(level_, current_);
    nodes_.push_back({current_.front().key, {}});
    current_.clear();
  }
  void put_last() {
    if (!last_) return;
    const Hash hash = workspace_.writer().put_node(*std::exchange(last_, {}));
    nodes_.back().bytes = workspace_.keep(bytes_of(hash));
  }

  Workspace& workspace_;
  const size_t level_;
  std::vector<Item> current_;
  std::vector<Item> nodes_;
  // Of the last of them: if it stays the only one it is the root, which is put as the directory.
  std::optional<Bytes> last_;
};

// From all nodes of a level, which are more than one, up to the root, which stands for the directory.
Hash finish_tree(Workspace& workspace, std::vector<Item> nodes, size_t level) {
  for (;;) {
    nodes.front().key = {};
    Chunker chunker(workspace, ++level);
    for (const Item& node : nodes) chunker.add(node);
    if (std::optional<Bytes> root = chunker.take_only()) return workspace.writer().put_directory(*std::move(root));
    nodes = chunker.take_nodes();
  }
}

// The directory with exactly these children.
Hash build_directory(Workspace& workspace, const std::vector<Item>& children) {
  if (children.size() <= archive::max_flat_children) return workspace.writer().put_directory(join({}, children));
  Chunker chunker(workspace, 0);
  for (const Item& child : children) chunker.add(child);
  return finish_tree(workspace, chunker.take_nodes(), 0);
}

std::vector<Item> merge(const std::vector<Item>& items, LevelEdits::const_iterator begin,
                        LevelEdits::const_iterator end) {
  std::vector<Item> merged;
  merged.reserve(items.size() + 1);
  auto item = items.begin();
  for (auto edit = begin; edit != end; ++edit) {
    while (item != items.end() && item->key < edit->first) merged.push_back(*item++);
    if (item != items.end() && item->key == edit->first) ++item;
    if (edit->second) merged.push_back({edit->first, *edit->second});
  }
  merged.insert(merged.end(), item, items.end());
  return merged;
}

// The nodes of one level of a tree, in order.
class LevelCursor {
 public:
  // height: levels above the leaves; the root's own level.
  LevelCursor(Workspace& workspace, const Hash& root, size_t height, size_t level)
      : workspace_(workspace), root_(root), steps_(height - level) {}

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
  std::string_view first_key() const {
    for (size_t depth = path_.size(); depth > 0; --depth) {
      const Step& step = path_[depth - 1];
      if (step.at > 0) return step.items[step.at].key;
    }
    return {};
  }
  Hash hash() const { return path_.empty() ? root_ : hash_of(path_.back().items[path_.back().at].bytes); }
  Result<std::vector<Item>> items() const {
    ASSIGN_OR_RETURN(const BytesView node, workspace_.node(hash()));
    ASSIGN_OR_RETURN(std::vector<Item> items, items_of(hash(), node));
    // The first key of an internal node stands in the node above alone.
    if (archive::form_of_node(node) == NodeForm::internal) items.front().key = first_key();
    return items;
  }

 private:
  struct Step {
    std::vector<Item> items;
    size_t at = 0;
  };
  Result<Step> open(const Hash& hash) const {
    ASSIGN_OR_RETURN(const BytesView node, workspace_.node(hash));
    if (archive::form_of_node(node) != NodeForm::internal) return malformed_directory(hash);
    ASSIGN_OR_RETURN(std::vector<Item> items, items_of(hash, node));
    return Step{std::move(items), 0};
  }

  Workspace& workspace_;
  const Hash root_;
  const size_t steps_;
  std::vector<Step> path_;
};

// Applies edits to one level of a tree and says what that changes in the level above.
class LevelEditor {
 public:
  LevelEditor(Workspace& workspace, const Hash& root, size_t height, size_t level, const LevelEdits& edits)
      : workspace_(workspace),
        cursor_(workspace, root, height, level),
        level_(level),
        is_top_(level == height),
        edits_(edits),
        edit_(edits.begin()) {}

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
  // Of the root's level, where it is one node again: its bytes, which run() did not put.
  std::optional<Bytes> take_root() { return std::move(root_); }

 private:
  // From the cursor's node to where the old cuts are met again.
  Result<void> rewrite_from_here() {
    Chunker chunker(workspace_, level_);
    const std::string_view run_key = cursor_.first_key();
    while (true) {
      const std::string_view node_key = cursor_.first_key();
      ASSIGN_OR_RETURN(const std::vector<Item> items, cursor_.items());
      above_[node_key] = std::nullopt;
      ASSIGN_OR_RETURN(const bool more, cursor_.move(true));
      const std::string_view next_key = more ? cursor_.first_key() : std::string_view();
      const auto end = more ? edits_.lower_bound(next_key) : edits_.end();
      for (const Item& item : merge(items, edit_, end)) chunker.add(item);
      edit_ = end;
      if (!more) break;
      ASSIGN_OR_RETURN(const bool stays, stays_as_it_is(next_key));
      if (stays && chunker.cuts_before(next_key)) break;
    }
    if (is_top_) root_ = chunker.take_only();
    if (root_) return {};
    std::vector<Item> nodes = chunker.take_nodes();
    if (!nodes.empty() && run_key.empty()) nodes.front().key = {};
    for (const Item& node : nodes) above_[node.key] = node.bytes;
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

  Workspace& workspace_;
  LevelCursor cursor_;
  const size_t level_;
  const bool is_top_;
  const LevelEdits& edits_;
  LevelEdits::const_iterator edit_;
  LevelEdits above_;
  std::optional<Bytes> root_;
};

Result<size_t> height_of(Workspace& workspace, const Hash& root) {
  size_t height = 0;
  Hash at = root;
  while (true) {
    ASSIGN_OR_RETURN(const BytesView node, workspace.node(at));
    if (archive::form_of_node(node) != NodeForm::internal) return height;
    const std::optional<std::vector<NodeChildView>> children = archive::view_internal(node);
    if (!children || ++height > 64) return malformed_directory(root);
    at = children->front().hash();
  }
}

// All children, where they are few enough for a flat directory; else nullopt.
Result<std::optional<std::vector<Item>>> few_children(Workspace& workspace, const Hash& directory) {
  std::vector<Item> items;
  Children children(workspace.writer(), directory);
  while (children.next()) {
    if (items.size() == archive::max_flat_children) return std::optional<std::vector<Item>>();
    Bytes bytes;
    archive::append_child(bytes, children.entry());
    items.push_back({workspace.keep(children.entry().name), workspace.keep(bytes)});
  }
  RETURN_IF_ERROR(children.status());
  return std::optional<std::vector<Item>>(std::move(items));
}

// The directory whose root is this node of that level.
Result<Hash> finish_root(Workspace& workspace, Bytes root, size_t level) {
  // A node that is alone on its level and has one child has nothing to say: its child is the root.
  for (; level > 0; --level) {
    ASSIGN_OR_RETURN(const std::vector<Item> items, items_of({}, root));
    if (items.size() > 1) break;
    ASSIGN_OR_RETURN(const BytesView child, workspace.node(hash_of(items.front().bytes)));
    root = child;
  }
  return workspace.writer().put_directory(std::move(root));
}

Result<Hash> edit_tree(Workspace& workspace, const Hash& directory, LevelEdits edits) {
  bool removes = false;
  for (const auto& [name, bytes] : edits) removes = removes || !bytes;
  ASSIGN_OR_RETURN(const size_t height, height_of(workspace, directory));
  std::optional<Bytes> top;
  for (size_t level = 0; level <= height; ++level) {
    LevelEditor editor(workspace, directory, height, level, edits);
    ASSIGN_OR_RETURN(edits, editor.run());
    top = editor.take_root();
  }
  Hash root{};
  if (top) {
    ASSIGN_OR_RETURN(root, finish_root(workspace, *std::move(top), height));
  } else {
    // The root was one node: what is left are all nodes of its level.
    std::vector<Item> nodes;
    for (const auto& [key, hash] : edits) {
      if (hash) nodes.push_back({key, *hash});
    }
    if (nodes.empty()) return build_directory(workspace, {});
    root = finish_tree(workspace, std::move(nodes), height);
  }
  if (!removes) return root;
  ASSIGN_OR_RETURN(const std::optional<std::vector<Item>> few, few_children(workspace, root));
  return few ? build_directory(workspace, *few) : root;
}

}  // namespace

Result<Hash> edit_directory(EntryWriter& writer, const Hash& directory, std::span<const ChildEdit> edits) {
  Workspace workspace(writer);
  LevelEdits level;
  Bytes bytes;
  for (const ChildEdit& edit : edits) {
    bytes.clear();
    if (edit.entry) archive::append_child(bytes, *edit.entry);
    level.emplace_hint(level.end(), edit.name,
                       edit.entry ? std::optional(workspace.keep(bytes)) : std::optional<BytesView>());
  }
  if (level.empty()) return directory;
  std::vector<Item> items;
  if (directory != empty_directory()) {
    ASSIGN_OR_RETURN(const BytesView node, workspace.node(directory));
    if (archive::form_of_node(node) == NodeForm::internal) return edit_tree(workspace, directory, std::move(level));
    ASSIGN_OR_RETURN(items, items_of(directory, node));
  }
  return build_directory(workspace, merge(items, level.begin(), level.end()));
}

}  // namespace strata::files
