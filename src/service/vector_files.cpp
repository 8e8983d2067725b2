#include "service/vector_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/parse_number.h"

namespace strata::service {
namespace {

constexpr BytesView npy_magic("\x93NUMPY", 6);

Error not_such(std::string_view path, std::string_view why) {
  return Error(ErrorCode::invalid_argument, fmt::format("{}: {}", printable(path), why));
}

Error denied(std::string_view path) {
  return Error(ErrorCode::permission_denied,
               fmt::format("{} is not below a directory that the server may read (--bulk-root)", printable(path)));
}

Result<Descriptor> open_below(const std::string& root, const std::string& rest, std::string_view path) {
  const Descriptor directory(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.open()) return denied(path);
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  Descriptor file(static_cast<int>(::syscall(SYS_openat2, directory.number(), rest.c_str(), &how, sizeof(how))));
  if (file.open()) return file;
  const int number = errno;
  if (number == ENOENT || number == ENOTDIR) {
    return Error(ErrorCode::not_found, fmt::format("file not found: {}", printable(path)));
  }
  if (number == EXDEV || number == ELOOP || number == EACCES || number == EPERM) return denied(path);
  return Error(ErrorCode::io_error, fmt::format("cannot open {}: {}", printable(path), std::strerror(number)));
}

Result<Descriptor> open_allowed(std::span<const std::string> roots, std::string_view path) {
  if (!path.starts_with('/') || path.size() > 4'096 || path.find('\0') != path.npos) {
    return not_such(path, "not an absolute path");
  }
  for (const std::string& root : roots) {
    const std::string_view plain = root.ends_with('/') ? std::string_view(root).substr(0, root.size() - 1) : root;
    if (!path.starts_with(plain) || path.size() <= plain.size() + 1 || path[plain.size()] != '/') continue;
    return open_below(root, std::string(path.substr(plain.size() + 1)), path);
  }
  return denied(path);
}

Result<void> read_exactly(int file, uint64_t offset, std::span<char> into) {
  while (!into.empty()) {
    const ssize_t count = ::pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error(ErrorCode::io_error, fmt::format("cannot read the file: {}", std::strerror(errno)));
    if (count == 0) return Error(ErrorCode::invalid_argument, "the file became shorter while it was read");
    into = into.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

// The text of a header: a Python literal of three entries, as NumPy writes it and blanks as it likes.
class HeaderText {
 public:
  explicit HeaderText(std::string_view text) : rest_(text) {}

  bool take(char wanted) {
    skip_blanks();
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    skip_blanks();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::optional<std::string> take_string() {
    skip_blanks();
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
    const size_t end = rest_.find(rest_.front(), 1);
    if (end == rest_.npos) return std::nullopt;
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::optional<uint64_t> take_number() {
    skip_blanks();
    const size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    const auto number = parse_number<uint64_t>(rest_.substr(0, end));
    if (number) rest_.remove_prefix(end);
    return number;
  }
  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

 private:
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) rest_.remove_prefix(1);
  }
  std::string_view rest_;
};

bool take_shape(HeaderText& text, std::vector<uint64_t>& shape) {
  if (!text.take('(')) return false;
  while (!text.take(')')) {
    const auto number = text.take_number();
    if (!number || shape.size() == 8) return false;
    shape.push_back(*number);
    if (!text.take(',')) return text.take(')');
  }
  return true;
}

bool take_entry(HeaderText& text, NpyHeader& header, std::string_view key) {
  if (key == "descr") {
    auto descr = text.take_string();
    if (descr) header.descr = *std::move(descr);
    return descr.has_value();
  }
  if (key == "fortran_order") {
    header.fortran_order = text.take_word("True");
    return header.fortran_order || text.take_word("False");
  }
  return key == "shape" && take_shape(text, header.shape);
}

Result<void> check_npy(const NpyHeader& header, NumberFile::Type type, uint32_t columns) {
  const bool is_float = type == NumberFile::Type::float32;
  if (header.descr != (is_float ? "<f4" : "<i8")) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("the numbers are {} and not {}", printable(header.descr), is_float ? "<f4" : "<i8"));
  }
  if (header.fortran_order) return Error(ErrorCode::invalid_argument, "the numbers are in Fortran order");
  if (header.shape.size() != (is_float ? 2 : 1)) {
    return Error(ErrorCode::invalid_argument, fmt::format("the array must have {} dimensions", is_float ? 2 : 1));
  }
  if (is_float && header.shape[1] != columns) {
    return Error(ErrorCode::invalid_argument,
                 fmt::format("dimension mismatch: the collection has {}, the file {}", columns, header.shape[1]));
  }
  return {};
}

}  // namespace

Result<NpyHeader> parse_npy_header(BytesView file) {
  const Error broken(ErrorCode::invalid_argument, "the header of the .npy file is broken");
  if (file.size() < 12 || !file.starts_with(npy_magic)) return broken;
  const auto major = static_cast<uint8_t>(file[6]);
  if (major < 1 || major > 3) return broken;
  const size_t length_bytes = major == 1 ? 2 : 4;
  size_t length = 0;
  for (size_t at = length_bytes; at-- > 0;) length = length << 8 | static_cast<uint8_t>(file[8 + at]);
  const size_t begin = 8 + length_bytes;
  if (length > max_npy_header_bytes || length > file.size() - begin) return broken;
  NpyHeader header{.data_begin = begin + length};
  HeaderText text(file.substr(begin, length));
  std::vector<std::string> seen;
  if (!text.take('{')) return broken;
  while (!text.take('}')) {
    const auto key = text.take_string();
    if (!key || std::ranges::count(seen, *key) > 0 || !text.take(':') || !take_entry(text, header, *key)) return broken;
    seen.push_back(*key);
    if (!text.take(',')) {
      if (!text.take('}')) return broken;
      break;
    }
  }
  if (seen.size() != 3 || !text.at_end()) return broken;
  return header;
}

Result<NumberFile> NumberFile::open(std::span<const std::string> roots, std::string_view path, Type type,
                                    uint32_t columns, uint64_t expected_rows) {
  ASSIGN_OR_RETURN(Descriptor file, open_allowed(roots, path));
  struct stat status{};
  if (::fstat(file.number(), &status) != 0 || !S_ISREG(status.st_mode)) return not_such(path, "not a plain file");
  const auto size = static_cast<uint64_t>(status.st_size);
  const size_t row_bytes = type == Type::float32 ? columns * sizeof(float) : sizeof(int64_t);
  Bytes head(std::min<uint64_t>(size, max_npy_header_bytes + 12), '\0');
  RETURN_IF_ERROR(read_exactly(file.number(), 0, head));
  uint64_t begin = 0;
  uint64_t rows = 0;
  if (head.starts_with(npy_magic)) {
    const auto header = parse_npy_header(head);
    if (!header.ok()) return not_such(path, header.error().message());
    if (const auto valid = check_npy(*header, type, columns); !valid.ok()) {
      return not_such(path, valid.error().message());
    }
    begin = header->data_begin;
    rows = header->shape[0];
    // Divided, not multiplied: a header may claim any number.
    if ((size - begin) % row_bytes != 0 || (size - begin) / row_bytes != rows) {
      return not_such(path, fmt::format("file size mismatch: the header tells of {} rows", rows));
    }
  } else {
    if (size % row_bytes != 0) {
      return not_such(path, fmt::format("file size mismatch: not a multiple of {} bytes", row_bytes));
    }
    rows = size / row_bytes;
  }
  if (expected_rows != 0 && rows != expected_rows) {
    return not_such(path, fmt::format("file size mismatch: {} rows and not {}", rows, expected_rows));
  }
  return NumberFile(std::move(file), begin, rows, row_bytes);
}

Result<void> NumberFile::read(uint64_t first, std::span<char> into) const {
  return read_exactly(file_.number(), begin_ + first * row_bytes_, into);
}

}  // namespace strata::service
