#include "service/content_type.h"

#include <magic.h>

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

}  // namespace

std::string detect_content_type(BytesView first) {
  if (first.empty()) return unknown;
  static thread_local const Magic magic;
  const char* type = magic.type_of(first.substr(0, looked_at_bytes));
  return type == nullptr || *type == '\0' ? unknown : type;
}

}  // namespace strata::service
