// VectorFiles: files of vectors and ids that a client names and the server reads.
//
// Purpose:       opening them below the directories that are allowed, and reading rows out of them: NumPy's .npy, or
//                numbers one after another.
// Ownership:     a NumberFile owns its descriptor.
// Thread safety: one user at a time.
// Invariants:    nothing outside the roots is opened, whatever the path and the links on it say. What a header claims
//                is compared with the file's size before anything is read. Files are read, not mapped: one that is cut
//                meanwhile is an error and no signal.
// Errors:        permission_denied (outside of the roots, or the system says no), not_found, invalid_argument (not such
//                a file), io_error.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/backup_files.h"

namespace strata::service {

// A file of `rows` times `columns` numbers.
class NumberFile {
 public:
  enum class Type : uint8_t { float32, int64 };

  // `columns`: as many must a row have. expected_rows 0: as many as there are.
  static Result<NumberFile> open(std::span<const std::string> roots, std::string_view path, Type type, uint32_t columns,
                                 uint64_t expected_rows);

  uint64_t rows() const { return rows_; }
  // Rows from `first` on, as many as fill `into`, which is a multiple of a row.
  Result<void> read(uint64_t first, std::span<char> into) const;

 private:
  NumberFile(Descriptor file, uint64_t begin, uint64_t rows, size_t row_bytes)
      : file_(std::move(file)), begin_(begin), rows_(rows), row_bytes_(row_bytes) {}

  Descriptor file_;
  uint64_t begin_;
  uint64_t rows_;
  size_t row_bytes_;
};

// What the header of an .npy file says.
struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
  // Where the numbers begin.
  uint64_t data_begin = 0;
};
// `file`: its first bytes, as many as max_npy_header_bytes where there are so many. invalid_argument.
inline constexpr size_t max_npy_header_bytes = 65'536;
Result<NpyHeader> parse_npy_header(BytesView file);

}  // namespace strata::service
