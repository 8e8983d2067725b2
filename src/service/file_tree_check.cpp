#include "service/file_tree_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "layers/files/path.h"
#include "layers/files/tree.h"
#include "service/file_operations.h"
#include "service/run.h"

namespace strata::service {
namespace {

using archive::ChildEntry;
using archive::EntryKind;
using archive::NodeForm;
using files::Children;

// A tree of nodes is no deeper, however few children each has.
constexpr size_t max_levels = 40;
constexpr size_t max_edits = 1'000;
constexpr size_t max_content_type_bytes = 1'024;
// Each directory that is made anew looks at all records: this is a minute or two.
constexpr uint64_t max_rebuilt_records = 50'000'000;

Error refuse(std::string_view path, std::string_view why) {
  return Error(ErrorCode::invalid_argument,
               fmt::format("the archive's tree is damaged at {}: {}", printable(path), why));
}

// A header line is made of it.
bool is_content_type(std::string_view text) {
  return text.size() <= max_content_type_bytes &&
         std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_canonical(const std::string& path) {
  const auto canonical = files::canonical_path(path);
  return canonical.ok() && *canonical == path;
}

struct RecordedChild {
  std::string path;
  ChildEntry child;
};
// What a directory says of it.
Result<RecordedChild> child_of_record(const files::EntryReader& reader, const ArchiveRecords::Record& record) {
  RecordedChild found;
  found.child = {.kind = record.kind, .hash = record.hash, .name = {}, .content_type = {}};
  if (record.kind == EntryKind::file) {
    ASSIGN_OR_RETURN(auto file, reader.file_record(record.hash));
    found.child.size = file.total_size;
    found.child.created_at_ms = file.created_at_ms;
    found.child.updated_at_ms = file.updated_at_ms;
    found.child.content_type = std::move(file.content_type);
    found.path = std::move(file.path);
  } else {
    ASSIGN_OR_RETURN(auto symlink, reader.symlink(record.hash));
    found.child.created_at_ms = symlink.created_at_ms;
    found.child.updated_at_ms = symlink.updated_at_ms;
    found.path = std::move(symlink.path);
  }
  found.child.name = files::name_of_path(found.path);
  return found;
}

}  // namespace

TreeCheck::TreeCheck(FileSystem& system, const ArchiveRecords& records, uint64_t entries, const StopFlag& stop)
    : system_(system), records_(records), max_places_(1'000'000 + 10 * entries), stop_(stop), reader_(system) {}

Result<Hash> TreeCheck::run(const Hash& root, const Hash& base) { return check_directory("/", root, base, 0); }

Result<Hash> TreeCheck::check_directory(const std::string& path, const Hash& hash, const std::optional<Hash>& base,
                                        size_t depth) {
  if (hash == base) return hash;
  if (++places_ > max_places_) return refuse(path, "its directories name each other too often");
  if (depth > files::max_depth) return refuse(path, "too deep");
  RETURN_IF_ERROR(stop_.check());
  if (hash == files::empty_directory()) return hash;
  Directory directory{.path = path, .depth = depth};
  if (base) {
    directory.base.emplace(reader_.address(), *base);
    directory.base_left = directory.base->next();
    RETURN_IF_ERROR(directory.base->status());
  }
  ASSIGN_OR_RETURN(const auto row, reader_.get().row(hash));
  if (!row || row->kind != EntryKind::directory) return refuse(path, "the directory is missing");
  ASSIGN_OR_RETURN(const auto bytes, reader_.get().node(hash));
  if (archive::form_of_node(*bytes) == NodeForm::flat) {
    auto children = archive::decode_children(*bytes);
    if (!children) return refuse(path, "a directory that is none");
    if (!std::ranges::is_sorted(*children, {}, &ChildEntry::name)) {
      return check_unsorted(directory, std::move(*children));
    }
  }
  RETURN_IF_ERROR(check_node(directory, hash, "", nullptr, 0));
  if (directory.nodes_missing) {
    // Those who leave nodes out leave all of them out.
    if (directory.nodes_found > 0) return refuse(path, "a node of the directory is missing");
    ASSIGN_OR_RETURN(const Hash made, rebuild(path));
    return check_directory(path, made, base, depth);
  }
  if (directory.edits.empty()) return hash;
  return edit(hash, std::move(directory.edits));
}

Result<Hash> TreeCheck::check_unsorted(Directory& directory, std::vector<ChildEntry> children) {
  std::ranges::sort(children, {}, &ChildEntry::name);
  for (const ChildEntry& child : children) RETURN_IF_ERROR(check_child(directory, child));
  std::vector<files::ChildEdit> edits;
  for (ChildEntry& child : children) {
    std::string name = child.name;
    edits.push_back({.name = std::move(name), .entry = std::move(child)});
  }
  // Those that became others, in the same order.
  size_t at = 0;
  for (files::ChildEdit& changed : directory.edits) {
    while (edits[at].name != changed.name) ++at;
    edits[at].entry = std::move(changed.entry);
  }
  return edit(files::empty_directory(), std::move(edits));
}

Result<void> TreeCheck::check_node(Directory& directory, const Hash& hash, const std::string& lower,
                                   const std::string* upper, size_t level) {
  if (level > max_levels) return refuse(directory.path, "the directory's tree is too deep");
  if (++places_ > max_places_) return refuse(directory.path, "its nodes name each other too often");
  const auto bytes = reader_.get().node(hash);
  if (!bytes.ok() && bytes.error().code() == ErrorCode::not_found) {
    directory.nodes_missing = true;
    return {};
  }
  RETURN_IF_ERROR(bytes);
  if (level > 0) {
    ++directory.nodes_found;
    if (archive::form_of_node(**bytes) == NodeForm::flat) {
      return refuse(directory.path, "a node of the directory is none");
    }
  }
  if (auto inner = archive::decode_internal(**bytes)) {
    return check_inner(directory, std::move(*inner), lower, upper, level);
  }
  auto children = archive::decode_children(**bytes);
  if (!children) return refuse(directory.path, "a directory that is none");
  for (ChildEntry& child : *children) {
    const bool is_inside = child.name >= lower && (upper == nullptr || child.name <= *upper);
    if (!is_inside) return refuse(directory.path, "a name lies in a node that it does not belong to");
    RETURN_IF_ERROR(check_child(directory, std::move(child)));
  }
  return {};
}

// A key is where what is behind it begins; some writers let it be the last name before it.
Result<void> TreeCheck::check_inner(Directory& directory, std::vector<archive::NodeChild> children,
                                    const std::string& lower, const std::string* upper, size_t level) {
  for (size_t i = 1; i < children.size(); ++i) {
    const std::string& before = i == 1 ? lower : children[i - 1].first_name;
    const std::string& key = children[i].first_name;
    const bool is_sorted = i == 1 ? key >= before : key > before;
    if (!is_sorted || (upper != nullptr && key > *upper)) {
      return refuse(directory.path, "the keys of the directory's tree are not sorted");
    }
  }
  for (size_t i = 0; i < children.size(); ++i) {
    const std::string& low = i == 0 ? lower : children[i].first_name;
    const std::string* high = i + 1 < children.size() ? &children[i + 1].first_name : upper;
    RETURN_IF_ERROR(check_node(directory, children[i].hash, low, high, level + 1));
  }
  return {};
}

Result<std::optional<ChildEntry>> TreeCheck::base_child(Directory& directory, const std::string& name) {
  while (directory.base_left && directory.base->entry().name < name) {
    directory.base_left = directory.base->next();
    RETURN_IF_ERROR(directory.base->status());
  }
  if (!directory.base_left || directory.base->entry().name != name) return std::optional<ChildEntry>();
  return std::optional<ChildEntry>(directory.base->entry());
}

Result<void> TreeCheck::check_child(Directory& directory, ChildEntry child) {
  RETURN_IF_ERROR(stop_.check());
  if (const auto valid = files::validate_name(child.name); !valid.ok()) {
    return refuse(directory.path, valid.error().message());
  }
  if (directory.has_names && child.name <= directory.last_name) {
    return refuse(directory.path, "its names are not sorted, or one stands there twice");
  }
  directory.has_names = true;
  directory.last_name = child.name;
  ASSIGN_OR_RETURN(const auto base, base_child(directory, child.name));
  if (base == child) return {};
  const std::string path = files::join_path(directory.path, child.name);
  if (const auto free = files::check_not_reserved(path); !free.ok()) return refuse(path, free.error().message());
  if (path.size() > files::max_path_bytes) return refuse(path, "a path that is too long");
  if (child.kind == EntryKind::file) return check_file(path, child);
  if (child.kind == EntryKind::symlink) return check_symlink(path, child);
  std::optional<Hash> base_hash;
  if (base && base->kind == EntryKind::directory) base_hash = base->hash;
  ASSIGN_OR_RETURN(const Hash hash, check_directory(path, child.hash, base_hash, directory.depth + 1));
  if (hash == child.hash) return {};
  child.hash = hash;
  std::string name = child.name;
  directory.edits.push_back({.name = std::move(name), .entry = std::move(child)});
  return {};
}

Result<void> TreeCheck::check_file(const std::string& path, const ChildEntry& child) {
  ASSIGN_OR_RETURN(const auto bytes, reader_.get().read(EntryKind::file, child.hash));
  if (!bytes) return refuse(path, "the file's record is missing");
  const auto record = archive::decode_file_record(*bytes);
  if (!record) return refuse(path, "the file's record is none");
  if (record->path != path) return refuse(path, fmt::format("the record of {} stands there", printable(record->path)));
  if (!is_content_type(record->content_type) || !is_content_type(child.content_type)) {
    return refuse(path, "its content type is none");
  }
  uint64_t size = 0;
  for (const Hash& chunk : record->chunks) {
    ASSIGN_OR_RETURN(const auto row, reader_.get().row(chunk));
    if (!row || row->kind != EntryKind::chunk) {
      return refuse(path, fmt::format("its chunk {} is missing", hash_hex(chunk)));
    }
    if (row->raw_size == 0 || row->raw_size > archive::file_chunk_bytes) {
      return refuse(path, fmt::format("a chunk of {} bytes", row->raw_size));
    }
    size += row->raw_size;
  }
  if (size != record->total_size || child.size != size) {
    return refuse(path, fmt::format("its sizes do not agree: {} in the directory, {} in the record, {} of its chunks",
                                    child.size, record->total_size, size));
  }
  return {};
}

Result<void> TreeCheck::check_symlink(const std::string& path, const ChildEntry& child) {
  ASSIGN_OR_RETURN(const auto bytes, reader_.get().read(EntryKind::symlink, child.hash));
  if (!bytes) return refuse(path, "the symlink's record is missing");
  const auto record = archive::decode_symlink(*bytes);
  if (!record) return refuse(path, "the symlink's record is none");
  if (record->path != path) return refuse(path, fmt::format("the record of {} stands there", printable(record->path)));
  if (const auto valid = validate_target(record->target); !valid.ok()) {
    return refuse(path, fmt::format("the symlink leads nowhere: {}", valid.error().message()));
  }
  return {};
}

Result<Hash> TreeCheck::rebuild(const std::string& path) {
  if (!records_.complete()) return refuse(path, "nodes of the directory are missing, and it has too many files");
  rebuilt_records_ += records_.records().size();
  if (rebuilt_records_ > max_rebuilt_records) return refuse(path, "nodes of too many directories are missing");
  const int64_t now_ms = system_.now_ms();
  const std::string below = path == "/" ? path : path + "/";
  Hash root = files::empty_directory();
  for (size_t at = 0; at < records_.records().size(); at += max_edits) {
    RETURN_IF_ERROR(stop_.check());
    const auto put_some = [&](kv::Transaction& transaction) -> Result<Hash> {
      ASSIGN_OR_RETURN(auto writer, files::EntryWriter::begin(transaction, system_.cache()));
      files::TreeEdit edit(writer, root, now_ms);
      for (size_t i = at; i < std::min(at + max_edits, records_.records().size()); ++i) {
        ASSIGN_OR_RETURN(auto found, child_of_record(writer, records_.records()[i]));
        if (!found.path.starts_with(below) || !is_canonical(found.path)) continue;
        const auto put = edit.put(found.path, std::move(found.child));
        if (!put.ok() && put.error().code() == ErrorCode::already_exists) {
          return refuse(found.path, "a file and a directory of one name");
        }
        RETURN_IF_ERROR(put);
      }
      return edit.finish();
    };
    ASSIGN_OR_RETURN(root, system_.write({}, kv::Durability::async, put_some));
  }
  // What was put just now is seen by a later read version alone.
  reader_.renew();
  ASSIGN_OR_RETURN(const auto made, files::find_path(reader_.get(), root, path));
  return made ? made->hash : files::empty_directory();
}

Result<Hash> TreeCheck::edit(const Hash& directory, std::vector<files::ChildEdit> edits) {
  Hash hash = directory;
  for (size_t at = 0; at < edits.size(); at += max_edits) {
    const std::span<const files::ChildEdit> some(edits.data() + at, std::min(max_edits, edits.size() - at));
    ASSIGN_OR_RETURN(hash, system_.write({}, kv::Durability::async, [&](kv::Transaction& transaction) -> Result<Hash> {
      ASSIGN_OR_RETURN(auto writer, files::EntryWriter::begin(transaction, system_.cache()));
      return files::edit_directory(writer, hash, some);
    }));
  }
  return hash;
}

}  // namespace strata::service
