#include "layers/files/tree.h"

#include <algorithm>

#include "layers/files/path.h"

namespace strata::files {
namespace {

Error in_the_way(std::string_view path, EntryKind kind) {
  const std::string_view what = kind == EntryKind::directory ? "a directory"
                                : kind == EntryKind::file    ? "a file"
                                                             : "a symlink";
  return {ErrorCode::already_exists, std::string(path) + " is " + std::string(what)};
}

Error nothing_at(std::string_view path) { return {ErrorCode::not_found, std::string(path) + " does not exist"}; }

ChildEntry directory_entry(std::string_view name, const Hash& hash, int64_t created_at_ms, int64_t updated_at_ms) {
  return {EntryKind::directory, hash, 0, created_at_ms, updated_at_ms, std::string(name), {}};
}

size_t depth_of(std::string_view path) {
  return path == "/" ? 0 : static_cast<size_t>(std::count(path.begin(), path.end(), '/'));
}

}  // namespace

Result<std::optional<ChildEntry>> find_path(const EntryReader& reader, const Hash& root, std::string_view path) {
  std::optional<ChildEntry> at = directory_entry("", root, 0, 0);
  PathParts parts(path);
  for (std::string_view part = parts.next(); !part.empty(); part = parts.next()) {
    if (at->kind != EntryKind::directory) return std::optional<ChildEntry>();
    ASSIGN_OR_RETURN(at, find_child(reader, at->hash, part));
    if (!at) return at;
  }
  return at;
}

Result<std::optional<ChildEntry>> TreeEdit::find_in(const Directory& directory, std::string_view name) {
  const auto edit = directory.edits.find(name);
  if (edit != directory.edits.end()) return edit->second;
  return find_child(writer_, directory.base, name);
}

Result<TreeEdit::Directory*> TreeEdit::open(std::string_view path) {
  if (path == "/") {
    const auto [place, added] = directories_.try_emplace("/");
    if (added) place->second.base = root_;
    return &place->second;
  }
  ASSIGN_OR_RETURN(Directory* const parent, open(parent_path(path)));
  if (parent == nullptr) return parent;
  ASSIGN_OR_RETURN(const std::optional<ChildEntry> entry, find_in(*parent, name_of_path(path)));
  if (!entry || entry->kind != EntryKind::directory) return static_cast<Directory*>(nullptr);
  const auto [place, added] = directories_.try_emplace(std::string(path));
  if (added) place->second.base = entry->hash;
  return &place->second;
}

Result<std::optional<ChildEntry>> TreeEdit::find(std::string_view path) {
  if (path == "/") return std::optional<ChildEntry>(directory_entry("", root_, 0, 0));
  ASSIGN_OR_RETURN(Directory* const parent, open(parent_path(path)));
  if (parent == nullptr) return std::optional<ChildEntry>();
  return find_in(*parent, name_of_path(path));
}

Result<TreeEdit::Directory*> TreeEdit::open_or_make(std::string_view path) {
  if (path == "/") return open(path);
  ASSIGN_OR_RETURN(Directory* const parent, open_or_make(parent_path(path)));
  const std::string_view name = name_of_path(path);
  ASSIGN_OR_RETURN(const std::optional<ChildEntry> entry, find_in(*parent, name));
  if (entry && entry->kind != EntryKind::directory) return in_the_way(path, entry->kind);
  const auto [place, added] = directories_.try_emplace(std::string(path));
  if (added) place->second.base = entry ? entry->hash : empty_directory();
  // One that was opened before and is made again was removed in between, so it is empty.
  if (!entry) set(*parent, name, directory_entry(name, empty_directory(), now_ms_, now_ms_));
  return &place->second;
}

Result<void> TreeEdit::put(std::string_view path, ChildEntry entry) {
  if (path == "/") return Error(ErrorCode::invalid_argument, "the root is a directory");
  ASSIGN_OR_RETURN(Directory* const parent, open_or_make(parent_path(path)));
  ASSIGN_OR_RETURN(const std::optional<ChildEntry> old, find_in(*parent, name_of_path(path)));
  if (old && old->kind == EntryKind::directory) return in_the_way(path, old->kind);
  entry.name = name_of_path(path);
  set(*parent, name_of_path(path), std::move(entry));
  return {};
}

Result<bool> TreeEdit::is_empty(std::string_view path) {
  ASSIGN_OR_RETURN(const Directory* const directory, open(path));
  for (const auto& [name, entry] : directory->edits) {
    if (entry) return false;
  }
  Children children(writer_, directory->base);
  while (children.next()) {
    if (!directory->edits.contains(children.entry().name)) return false;
  }
  RETURN_IF_ERROR(children.status());
  return true;
}

Result<void> TreeEdit::remove(std::string_view path) {
  if (path == "/") return Error(ErrorCode::not_found, "the root cannot be deleted");
  ASSIGN_OR_RETURN(Directory* const parent, open(parent_path(path)));
  if (parent == nullptr) return nothing_at(path);
  ASSIGN_OR_RETURN(const std::optional<ChildEntry> entry, find_in(*parent, name_of_path(path)));
  if (!entry) return nothing_at(path);
  if (entry->kind == EntryKind::directory) {
    ASSIGN_OR_RETURN(const bool empty, is_empty(path));
    if (!empty) return Error(ErrorCode::not_found, std::string(path) + " is a directory that is not empty");
  }
  set(*parent, name_of_path(path), std::nullopt);
  return {};
}

void TreeEdit::set(Directory& directory, std::string_view name, std::optional<ChildEntry> entry) {
  const auto [place, added] = directory.edits.try_emplace(std::string(name));
  undo_.push_back({&directory, std::string(name), {}});
  if (!added) undo_.back().before = std::move(place->second);
  place->second = std::move(entry);
}

void TreeEdit::roll_back(size_t mark) {
  while (undo_.size() > mark) {
    Undo& undo = undo_.back();
    if (undo.before) {
      undo.directory->edits[undo.name] = std::move(*undo.before);
    } else {
      undo.directory->edits.erase(undo.name);
    }
    undo_.pop_back();
  }
}

Result<Hash> TreeEdit::finish() {
  // The deepest first, so that each is written once, with its directories as they have become.
  std::vector<std::pair<std::string_view, Directory*>> changed;
  for (auto& [path, directory] : directories_) changed.emplace_back(path, &directory);
  std::sort(changed.begin(), changed.end(),
            [](const auto& a, const auto& b) { return depth_of(a.first) > depth_of(b.first); });
  for (const auto& [path, directory] : changed) {
    if (directory->edits.empty()) continue;
    std::vector<ChildEdit> edits;
    for (auto& [name, entry] : directory->edits) edits.push_back({name, std::move(entry)});
    directory->edits.clear();
    ASSIGN_OR_RETURN(const Hash hash, edit_directory(writer_, directory->base, edits));
    if (path == "/") {
      root_ = hash;
      continue;
    }
    const auto parent = directories_.find(parent_path(path));
    ASSIGN_OR_RETURN(std::optional<ChildEntry> entry, find_in(parent->second, name_of_path(path)));
    // One that was removed, or never came to be.
    if (!entry || entry->kind != EntryKind::directory) continue;
    entry->hash = hash;
    entry->updated_at_ms = now_ms_;
    parent->second.edits.insert_or_assign(std::string(name_of_path(path)), std::move(entry));
  }
  reset(root_);
  return root_;
}

void TreeEdit::reset(const Hash& root) {
  root_ = root;
  directories_.clear();
  undo_.clear();
}

}  // namespace strata::files
