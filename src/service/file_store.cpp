#include "service/file_store.h"

#include <fmt/format.h>

#include <algorithm>

namespace strata::service {
Result<BackupPath> FileStore::path_of(std::string_view name) const {
  RETURN_IF_ERROR(blobs::validate_blob_name(name));
  if (name.find('/') != std::string_view::npos)
    return Error(ErrorCode::invalid_argument, "a file's name holds a slash");
  return directory_.file(std::string(name));
}

Result<std::unique_ptr<blobs::BlobWriter>> FileStore::create(std::string_view name) {
  ASSIGN_OR_RETURN(const BackupPath path, path_of(name));
  ASSIGN_OR_RETURN(auto file, files_.create(path));
  return std::unique_ptr<blobs::BlobWriter>(std::move(file));
}

Result<std::unique_ptr<ByteSource>> FileStore::open(std::string_view name) {
  ASSIGN_OR_RETURN(const BackupPath path, path_of(name));
  ASSIGN_OR_RETURN(auto file, files_.open(path));
  if (!file) return Error(ErrorCode::not_found, fmt::format("no file {} in the backups' directory", name));
  return std::unique_ptr<ByteSource>(std::move(file));
}

Result<blobs::BlobPage> FileStore::list(std::string_view prefix, std::string_view after, size_t limit) {
  ASSIGN_OR_RETURN(const auto files, files_.list(directory_));
  blobs::BlobPage page;
  for (const auto& file : files) {
    if (file.name.starts_with(prefix) && file.name > after) page.blobs.push_back({file.name, file.size});
  }
  std::ranges::sort(page.blobs, {}, &blobs::BlobInfo::name);
  page.more = page.blobs.size() > limit;
  if (page.more) page.blobs.resize(limit);
  return page;
}

Result<void> FileStore::remove(std::string_view name) {
  ASSIGN_OR_RETURN(const BackupPath path, path_of(name));
  return files_.remove(path);
}

}  // namespace strata::service
