// BackupFiles: the directories that backups lie in, and how a file comes to stand there.
//
// Purpose:       a client names a place for a backup. The name is checked once, as a type; the file is opened below the
//                namespace's root, one directory at a time, and no symbolic link on the way is followed.
// Ownership:     a BackupFile owns its descriptors and its temporary file.
// Thread safety: BackupFiles: any thread. A BackupFile: one at a time.
// Invariants:    a file under its final name is complete and on disk. A BackupFile that dies unfinished leaves nothing
//                but the directories it needed; after a crash its temporary file (`NAME.tmp`) stays until the next
//                backup of that name.
// Errors:        invalid_argument (a name that is not allowed, or leads through something that is no directory),
//                already_exists (somebody writes the same file now), disk_full, io_error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "blobs/blob_store.h"

namespace strata::service {

inline constexpr std::string_view backup_temporary_suffix = ".tmp";

// A relative path of proper names: no "..", no control characters, at most 1,024 bytes, 32 names, 251 bytes a name.
class BackupPath {
 public:
  // `field`: what messages call it. A trailing slash or "." is accepted for a directory alone.
  static Result<BackupPath> of_file(std::string_view text, std::string_view field);
  static Result<BackupPath> of_directory(std::string_view text, std::string_view field);

  const std::vector<std::string>& names() const { return names_; }
  // Of a directory: the path of a file in it.
  BackupPath file(std::string name) const;
  // The same below a directory of that name.
  BackupPath below(std::string_view name) const;
  std::string text() const;

 private:
  std::vector<std::string> names_;
};

// An open file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();
  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

class BackupFile final : public blobs::BlobWriter {
 public:
  BackupFile(Descriptor directory, Descriptor file, std::string name, std::string path);
  ~BackupFile() override;

  Result<void> write(BytesView bytes) override;
  Result<void> finish() override;
  // Absolute.
  const std::string& path() const { return path_; }

 private:
  Descriptor directory_;
  Descriptor file_;
  const std::string name_;
  const std::string path_;
  uint64_t written_ = 0;
  uint64_t started_ = 0;  // of them, those that are on their way to the disk
  bool finished_ = false;
};

// Reads a file from its start.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(Descriptor file) : file_(std::move(file)) {}
  static Result<FileSource> open(const std::string& path);
  Result<size_t> read(std::span<char> into) override;

 private:
  Descriptor file_;
};

class BackupFiles {
 public:
  // root: <database>/backups; made when the first backup is.
  explicit BackupFiles(std::string root);

  // A new file, with the directories above it.
  Result<std::unique_ptr<BackupFile>> create(const BackupPath& path) const;
  Result<std::unique_ptr<BackupFile>> create(std::string_view name_space, const BackupPath& path) const {
    return create(path.below(name_space));
  }
  // A file that stands there; nullptr: none does.
  Result<std::unique_ptr<FileSource>> open(const BackupPath& path) const;
  Result<std::unique_ptr<FileSource>> open(std::string_view name_space, const BackupPath& path) const {
    return open(path.below(name_space));
  }
  // The plain files of a directory, in no order; those under temporary names are none.
  Result<std::vector<blobs::BlobInfo>> list(const BackupPath& directory) const;
  // What is not there is removed already.
  Result<void> remove(const BackupPath& path) const;
  const std::string& root() const { return root_; }

 private:
  // The directory of the path's last name. Absent: makes it, or answers a closed descriptor.
  Result<Descriptor> open_parent(const BackupPath& path, bool make) const;
  std::string absolute(const BackupPath& path) const;

  const std::string root_;
};

}  // namespace strata::service
