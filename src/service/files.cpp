#include "service/files.h"

#include <fmt/format.h>

#include "layers/files/path.h"
#include "service/content_type.h"
#include "service/file_content.h"
#include "service/file_stream.h"
#include "service/file_trees.h"
#include "service/file_writer.h"

namespace strata::service {
namespace {

using archive::EntryKind;

}  // namespace

Files::Files(FileSystem& system) : system_(system) {}

// What put() would say at its end, before any more bytes come.
Result<void> Files::check_place(const Context& context, std::string_view path, const PutFileRequest& request) {
  return system_.read(context, [&](const files::EntryReader& reader) -> Result<void> {
    ASSIGN_OR_RETURN(const TreeRoot tree, find_tree(reader, {.fork = request.fork}));
    for (std::string_view at = path; at != "/"; at = files::parent_path(at)) {
      ASSIGN_OR_RETURN(const auto found, files::find_path(reader, tree.root, at));
      if (at == path) RETURN_IF_ERROR(check_guard(request.guard, found));
      if (!found) continue;
      if ((found->kind == EntryKind::directory) == (at.size() < path.size())) return {};
      return Error(ErrorCode::already_exists, printable(at) + (at == path ? " is a directory" : " is no directory"));
    }
    return {};
  });
}

Result<void> Files::check_put(const Context& context, const PutFileRequest& request) {
  ASSIGN_OR_RETURN(const std::string canonical, files::canonical_written_path(request.path));
  return check_place(context, canonical, request);
}

Result<FileStat> Files::put(const Context& context, const PutFileRequest& request) {
  PutFile operation;
  ASSIGN_OR_RETURN(operation.path, files::canonical_written_path(request.path));
  ASSIGN_OR_RETURN(Bytes first, read_first(*request.body, request.expected_bytes));
  if (request.content_type.size() > max_content_type_bytes) {
    return Error(ErrorCode::invalid_argument, "the content type is too long");
  }
  operation.guard = request.guard;
  operation.content_type = request.content_type.empty() ? detect_content_type(first) : request.content_type;
  if (first.size() == archive::file_chunk_bytes) {
    RETURN_IF_ERROR(check_place(context, operation.path, request));
  }
  RETURN_IF_ERROR(take_content(system_, std::move(first), *request.body, operation));
  if (const Result<void> done = system_.writer(request.fork)->submit(context, operation); !done.ok()) {
    if (operation.session) abandon_upload(system_, *operation.session);
    return done.error();
  }
  return std::move(operation.stat);
}

Result<FileStat> Files::put_symlink(const Context& context, const PutSymlinkRequest& request) {
  PutSymlink operation;
  ASSIGN_OR_RETURN(operation.path, files::canonical_written_path(request.path));
  RETURN_IF_ERROR(validate_target(request.target));
  operation.target = request.target;
  operation.guard = request.guard;
  RETURN_IF_ERROR(system_.writer(request.fork)->submit(context, operation));
  return std::move(operation.stat);
}

Result<FileStat> Files::remove(const Context& context, const RemoveFileRequest& request) {
  RemovePath operation;
  ASSIGN_OR_RETURN(operation.path, files::canonical_path(request.path));
  if (operation.path == "/") return files::path_is_root();
  operation.guard = request.guard;
  RETURN_IF_ERROR(system_.writer(request.fork)->submit(context, operation));
  return std::move(operation.stat);
}

Result<OpenedFile> Files::open(const Context& context, const OpenFileRequest& request) {
  ASSIGN_OR_RETURN(const std::string path, files::canonical_path(request.path));
  const FilePins::Pin ticket = system_.pins().enter();
  OpenedFile opened;
  archive::FileRecord record;
  RETURN_IF_ERROR(system_.read(context, [&](const files::EntryReader& reader) -> Result<void> {
    ASSIGN_OR_RETURN(const TreeRoot tree, find_tree(reader, request.tree));
    ASSIGN_OR_RETURN(auto found, find_file(reader, tree, path, request.follow));
    if (!found) return no_such_file(path);
    opened.stat = *std::move(found);
    if (opened.stat.kind == FileKind::file) {
      ASSIGN_OR_RETURN(record, reader.file_record(opened.stat.hash));
    }
    return {};
  }));
  opened.pin = system_.pins().pin(opened.stat.kind, opened.stat.hash);
  if (opened.stat.kind == FileKind::file) {
    opened.reader = std::make_unique<FileReader>(system_, opened.stat.hash, std::move(record), opened.pin);
  }
  return opened;
}

Result<FileStat> Files::stat(const Context& context, const OpenFileRequest& request) {
  ASSIGN_OR_RETURN(const std::string path, files::canonical_path(request.path));
  // Nothing that the look-up needs goes while it runs.
  const FilePins::Pin ticket = system_.pins().enter();
  return system_.read(context, [&](const files::EntryReader& reader) -> Result<FileStat> {
    ASSIGN_OR_RETURN(const TreeRoot tree, find_tree(reader, request.tree));
    ASSIGN_OR_RETURN(auto found, find_file(reader, tree, path, request.follow));
    if (!found) return no_such_file(path);
    return *std::move(found);
  });
}

Result<OpenedFile> Files::open_hash(const Context& context, std::string_view digits) {
  const std::optional<Hash> hash = parse_hash_hex(digits);
  if (!hash) return Error(ErrorCode::invalid_argument, "a hash is 64 hexadecimal digits");
  const FilePins::Pin ticket = system_.pins().enter();
  OpenedFile opened;
  archive::FileRecord record;
  RETURN_IF_ERROR(system_.read(context, [&](const files::EntryReader& reader) -> Result<void> {
    ASSIGN_OR_RETURN(const auto row, reader.row(*hash));
    opened.stat = {.kind = row ? static_cast<FileKind>(row->kind) : FileKind::chunk, .path = {}, .hash = *hash};
    const Error missing(ErrorCode::not_found, fmt::format("hash not found: {}", digits));
    if (!row) return missing;
    if (row->kind == EntryKind::file) {
      ASSIGN_OR_RETURN(record, reader.file_record(*hash));
      opened.stat = stat_of(record, *hash);
    } else if (row->kind == EntryKind::symlink) {
      ASSIGN_OR_RETURN(archive::SymlinkRecord link, reader.symlink(*hash));
      opened.stat.path = std::move(link.path);
      opened.stat.target = std::move(link.target);
      opened.stat.created_at_ms = link.created_at_ms;
      opened.stat.updated_at_ms = link.updated_at_ms;
    } else if (row->kind == EntryKind::directory) {
      // A node below the root of a large directory is nothing that has a name.
      ASSIGN_OR_RETURN(const auto node, reader.node(*hash));
      if (archive::content_hash(EntryKind::directory, *node) != *hash) return missing;
      opened.stat.path = "/";
    } else {
      opened.stat.total_size = row->raw_size;
    }
    return {};
  }));
  opened.pin = system_.pins().pin(opened.stat.kind, *hash);
  if (opened.stat.kind == FileKind::file) {
    opened.reader = std::make_unique<FileReader>(system_, *hash, std::move(record), opened.pin);
  } else if (opened.stat.kind == FileKind::chunk) {
    opened.reader = std::make_unique<FileReader>(system_, *hash, opened.stat.total_size, opened.pin);
  }
  return opened;
}

Result<FileListing> Files::list(const OpenedFile& opened, const ListFilesRequest& request) {
  if (opened.stat.kind != FileKind::directory) {
    return Error(ErrorCode::invalid_argument, fmt::format("{} is no directory", printable(opened.stat.path)));
  }
  return FileListing(system_, opened.stat, request, opened.pin);
}

}  // namespace strata::service
