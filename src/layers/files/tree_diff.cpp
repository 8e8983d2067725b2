#include "layers/files/tree_diff.h"

#include <algorithm>

#include "layers/files/path.h"

namespace strata::files {

TreeDiff::TreeDiff(const EntryReader& reader, const Hash& from, const Hash& to, Visitor visit_node)
    : reader_(&reader), visit_node_(std::move(visit_node)) {
  before_ = ChildEntry{.kind = EntryKind::directory, .hash = from, .name = {}, .content_type = {}};
  after_ = ChildEntry{.kind = EntryKind::directory, .hash = to, .name = {}, .content_type = {}};
  enter("/");
  before_.reset();
  after_.reset();
}

// Goes on in the directory that was told last.
void TreeDiff::enter(const std::string& path) {
  const auto side_of = [](const std::optional<ChildEntry>& entry) {
    Side side;
    const bool opens = entry && entry->kind == EntryKind::directory && entry->hash != empty_directory();
    if (opens) side.push_back({.first_name = {}, .hash = entry->hash, .whole_directory = true, .entry = {}});
    return side;
  };
  if (before_ && after_ && before_->hash == after_->hash) return;
  Frame frame{path, side_of(before_), side_of(after_)};
  // The empty directory has bytes too, if none.
  if (visit_node_ && after_ && after_->hash == empty_directory()) visit_node_(after_->hash, {}, true);
  if (!frame.from.empty() || !frame.to.empty()) frames_.push_back(std::move(frame));
}

// Opens the node at the side's end.
Result<void> TreeDiff::expand(Side& side, bool visited) {
  const Item node = std::move(side.back());
  side.pop_back();
  ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> bytes, reader_->node(node.hash));
  if (visited && visit_node_) visit_node_(node.hash, *bytes, node.whole_directory);
  const size_t kept = side.size();
  if (std::optional<std::vector<ChildEntry>> children = archive::decode_children(*bytes)) {
    for (ChildEntry& child : *children) {
      std::string name = child.name;
      side.push_back({.first_name = std::move(name), .hash = {}, .whole_directory = false, .entry = std::move(child)});
    }
  } else {
    std::optional<std::vector<archive::NodeChild>> nodes = archive::decode_internal(*bytes);
    if (!nodes) return malformed_directory(node.hash);
    // The first key of a node is that of its place.
    nodes->front().first_name = node.first_name;
    for (archive::NodeChild& child : *nodes) {
      side.push_back(
          {.first_name = std::move(child.first_name), .hash = child.hash, .whole_directory = false, .entry = {}});
    }
  }
  std::reverse(side.begin() + static_cast<ptrdiff_t>(kept), side.end());
  return {};
}

Result<void> TreeDiff::align(Frame& frame) {
  Side& from = frame.from;
  Side& to = frame.to;
  while (true) {
    const bool from_node = !from.empty() && !from.back().entry;
    const bool to_node = !to.empty() && !to.back().entry;
    if (!from_node && !to_node) return {};
    if (from_node && to_node && from.back().hash == to.back().hash) {
      from.pop_back();
      to.pop_back();
      continue;
    }
    // A node is opened only when its names may be next: one that begins behind the other side's next name waits, since
    // the other side may come to the same node.
    if (from_node && (to.empty() || from.back().first_name <= to.back().first_name)) {
      RETURN_IF_ERROR(expand(from, false));
    } else if (to_node && (from.empty() || to.back().first_name <= from.back().first_name)) {
      RETURN_IF_ERROR(expand(to, true));
    } else {
      return {};
    }
  }
}

bool TreeDiff::next() {
  if (!status_.ok()) return false;
  if (!path_.empty()) {
    const bool opens =
        (before_ && before_->kind == EntryKind::directory) || (after_ && after_->kind == EntryKind::directory);
    if (opens) enter(path_);
  }
  while (!frames_.empty()) {
    Frame& frame = frames_.back();
    status_ = align(frame);
    if (!status_.ok()) return false;
    before_.reset();
    after_.reset();
    if (frame.from.empty() && frame.to.empty()) {
      frames_.pop_back();
      continue;
    }
    const bool take_from =
        !frame.from.empty() && (frame.to.empty() || frame.from.back().first_name <= frame.to.back().first_name);
    const bool take_to =
        !frame.to.empty() && (frame.from.empty() || frame.to.back().first_name <= frame.from.back().first_name);
    if (take_from) {
      before_ = std::move(frame.from.back().entry);
      frame.from.pop_back();
    }
    if (take_to) {
      after_ = std::move(frame.to.back().entry);
      frame.to.pop_back();
    }
    if (before_ == after_) continue;
    path_ = join_path(frame.path, before_ ? before_->name : after_->name);
    return true;
  }
  path_.clear();
  return false;
}

}  // namespace strata::files
