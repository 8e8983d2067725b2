#include "service/content_type.h"

#include <magic.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"

namespace strata::service {
namespace {

constexpr size_t looked_at_bytes = 4'096;
constexpr const char* unknown = "application/octet-stream";

// What looks inside of packed files or at the system is of no use here, and reads more than it was given.
constexpr int flags = MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_APPTYPE |
                      MAGIC_NO_CHECK_ELF | MAGIC_NO_CHECK_CDF;

class Magic {
 public:
  Magic() : cookie_(magic_open(flags)) {
    if (cookie_ != nullptr && magic_load(cookie_, nullptr) == 0) return;
    log::warning("content types are not told from bytes: libmagic has no data",
                 {{"error", cookie_ == nullptr ? "" : magic_error(cookie_)}});
    magic_close(cookie_);
    cookie_ = nullptr;
  }
  ~Magic() {
    if (cookie_ != nullptr) magic_close(cookie_);
  }
  Magic(const Magic&) = delete;
  Magic& operator=(const Magic&) = delete;

  const char* type_of(BytesView bytes) const {
    return cookie_ == nullptr ? nullptr : magic_buffer(cookie_, bytes.data(), bytes.size());
  }

 private:
  magic_t cookie_;
};

constexpr auto types_of_endings = std::to_array<std::pair<std::string_view, const char*>>({
    {"avi", "video/x-msvideo"},
    {"bin", unknown},
    {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"},
    {"c", "text/x-c"},
    {"cc", "text/x-c++"},
    {"cpp", "text/x-c++"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"gif", "image/gif"},
    {"go", "text/x-go"},
    {"gz", "application/gzip"},
    {"h", "text/x-c"},
    {"hpp", "text/x-c++"},
    {"html", "text/html"},
    {"ico", "image/vnd.microsoft.icon"},
    {"java", "text/x-java"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript"},
    {"json", "application/json"},
    {"md", "text/markdown"},
    {"mkv", "video/x-matroska"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"py", "text/x-python"},
    {"rs", "text/x-rust"},
    {"sh", "text/x-shellscript"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"toml", "application/toml"},
    {"ts", "text/x-typescript"},
    {"txt", "text/plain"},
    {"wasm", "application/wasm"},
    {"webp", "image/webp"},
    {"woff2", "font/woff2"},
    {"xml", "application/xml"},
    {"xz", "application/x-xz"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"zip", "application/zip"},
    {"zst", "application/zstd"},
});
static_assert(std::ranges::is_sorted(types_of_endings, {}, &std::pair<std::string_view, const char*>::first));

}  // namespace

std::string content_type_of_file(std::string_view name, BytesView first) {
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    const std::string_view ending = name.substr(dot + 1);
    const auto found =
        std::ranges::lower_bound(types_of_endings, ending, {}, &std::pair<std::string_view, const char*>::first);
    if (found != types_of_endings.end() && found->first == ending) return found->second;
  }
  BytesView looked_at = first.substr(0, looked_at_bytes);
  // Where it is cut a character may be.
  while (looked_at.size() < first.size() && !looked_at.empty() && looked_at.back() < 0) looked_at.remove_suffix(1);
  const bool text =
      looked_at.find('\0') == BytesView::npos && simdjson::validate_utf8(looked_at.data(), looked_at.size());
  return text && !first.empty() ? "text/plain" : unknown;
}

std::string detect_content_type(BytesView first) {
  if (first.empty()) return unknown;
  static thread_local const Magic magic;
  const char* type = magic.type_of(first.substr(0, looked_at_bytes));
  return type == nullptr || *type == '\0' ? unknown : type;
}

}  // namespace strata::service
