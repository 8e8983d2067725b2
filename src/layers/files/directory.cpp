#include "layers/files/directory.h"

namespace strata::files {
namespace {

using archive::ChildView;
using archive::NodeChildView;
using archive::NodeForm;

Result<std::optional<ChildEntry>> find_among(BytesView children, const Hash& hash, std::string_view name) {
  while (!children.empty()) {
    const std::optional<ChildView> view = archive::take_child(children);
    if (!view) return malformed_directory(hash);
    if (view->name < name) continue;
    if (view->name != name) break;
    std::optional<ChildEntry> child = archive::decode_child(view->bytes);
    if (!child) return malformed_directory(hash);
    return child;
  }
  return std::optional<ChildEntry>();
}

// Which child of a node holds `name`: the last that does not begin behind it.
template <class Child>
size_t child_of(const std::vector<Child>& children, std::string_view name) {
  size_t at = 0;
  while (at + 1 < children.size() && children[at + 1].first_name <= name) ++at;
  return at;
}

}  // namespace

Error malformed_directory(const Hash& hash) {
  return {ErrorCode::corruption, "versioned files: the directory " + hash_hex(hash) + " is malformed"};
}

const Hash& empty_directory() {
  static const Hash hash = blake3(archive::directory_domain, "");
  return hash;
}

// Two ways at a key that equals the name: some writers let a key be the last name before it.
Result<std::optional<ChildEntry>> find_child(const EntryReader& reader, const Hash& directory, std::string_view name) {
  if (directory == empty_directory()) return std::optional<ChildEntry>();
  ASSIGN_OR_RETURN(const std::shared_ptr<const Bytes> node, reader.node(directory));
  if (const std::optional<BytesView> children = archive::children_bytes(*node)) {
    return find_among(*children, directory, name);
  }
  const std::optional<std::vector<NodeChildView>> children = archive::view_internal(*node);
  if (!children) return malformed_directory(directory);
  const size_t at = child_of(*children, name);
  ASSIGN_OR_RETURN(std::optional<ChildEntry> found, find_child(reader, (*children)[at].hash(), name));
  if (found || at == 0 || (*children)[at].first_name != name) return found;
  return find_child(reader, (*children)[at - 1].hash(), name);
}

Children::Children(const EntryReader& reader, const Hash& directory, std::string_view after) : reader_(&reader) {
  if (directory == empty_directory()) return;
  status_ = open(directory, after);
  if (!status_.ok() || after.empty()) return;
  // Those before it lie in the same leaf, or where a writer cut otherwise in the one behind.
  BytesView ahead = rest_;
  while (!ahead.empty()) {
    const std::optional<ChildView> view = archive::take_child(ahead);
    if (!view || view->name > after) break;
    rest_ = ahead;
  }
}

// Down to the leaf where `after` belongs.
Result<void> Children::open(const Hash& hash, std::string_view after) {
  Hash at = hash;
  while (true) {
    if (levels_.size() > 64) return malformed_directory(hash);
    ASSIGN_OR_RETURN(node_, reader_->node(at));
    if (const std::optional<BytesView> children = archive::children_bytes(*node_)) {
      rest_ = *children;
      return {};
    }
    std::optional<std::vector<archive::NodeChild>> children = archive::decode_internal(*node_);
    if (!children) return malformed_directory(at);
    Level level{std::move(*children), 0};
    level.at = child_of(level.children, after);
    at = level.children[level.at].hash;
    levels_.push_back(std::move(level));
  }
}

bool Children::next() {
  if (!status_.ok()) return false;
  while (rest_.empty()) {
    while (!levels_.empty() && levels_.back().at + 1 == levels_.back().children.size()) levels_.pop_back();
    if (levels_.empty()) return false;
    Level& level = levels_.back();
    const Hash hash = level.children[++level.at].hash;
    status_ = open(hash, {});
    if (!status_.ok()) return false;
  }
  const std::optional<ChildView> view = archive::take_child(rest_);
  std::optional<ChildEntry> child = view ? archive::decode_child(view->bytes) : std::nullopt;
  if (!child) {
    status_ = Error(ErrorCode::corruption, "versioned files: a directory is malformed");
    return false;
  }
  entry_ = std::move(*child);
  return true;
}

}  // namespace strata::files
