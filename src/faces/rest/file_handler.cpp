#include "faces/rest/file_handler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/percent.h"

namespace strata::rest {
namespace {

constexpr size_t max_content_type_bytes = 255;

std::string_view kind_name(service::FileKind kind) {
  switch (kind) {
    case service::FileKind::chunk:
      return "chunk";
    case service::FileKind::file:
      return "file";
    case service::FileKind::directory:
      return "directory";
    case service::FileKind::symlink:
      return "symlink";
  }
  return "";
}

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

}  // namespace

service::FileTree tree_of(const Request& request) {
  return {.fork = request.query("fork").value_or(""),
          .snapshot = request.query("snapshot"),
          .version = request.query("version")};
}

Result<std::string_view> written_fork_of(const Request& request) {
  for (const std::string_view name : {"snapshot", "version"}) {
    if (request.query(name))
      return invalid(fmt::format("{}: versions do not change, writes go to HEAD or a fork", name));
  }
  return request.query("fork").value_or("");
}

Result<bool> flag_of(const Request& request, std::string_view name) {
  const auto text = request.query(name);
  if (!text || *text == "false" || *text == "0") return false;
  if (text->empty() || *text == "true" || *text == "1") return true;
  return invalid(fmt::format("{} must be true or false", name));
}

Result<void> check_content_type(std::string_view type) {
  const bool fits =
      type.size() <= max_content_type_bytes && std::ranges::all_of(type, [](char c) { return c >= ' ' && c <= '~'; });
  if (fits) return {};
  return invalid(fmt::format("a content type has at most {} characters of ASCII", max_content_type_bytes));
}

void append_text_or_null(Bytes& body, std::string_view text) {
  if (text.empty()) {
    body += "null";
  } else {
    append_json_string(body, text);
  }
}

void append_file_entry(Bytes& body, const service::FileStat& stat) {
  body += "{\"path\":";
  append_json_string(body, stat.path);
  body += ",\"name\":";
  append_json_string(body, stat.name());
  body += fmt::format(R"(,"entry_type":{},"hash":"{}","total_size":{},"created_at":{},"updated_at":{},"content_type":)",
                      static_cast<int>(stat.kind), hash_hex(stat.hash), stat.total_size, stat.created_at_ms,
                      stat.updated_at_ms);
  append_text_or_null(body, stat.content_type);
  if (stat.kind == service::FileKind::symlink) {
    body += ",\"target\":";
    append_json_string(body, stat.target);
  }
  body.push_back('}');
}

std::string header_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_plain = c > ' ' && c <= '~' && c != '%';
    if (is_plain || (c == ' ' && i > 0 && i + 1 < text.size())) {
      out.push_back(c);
    } else {
      append_percent_encoded(out, text.substr(i, 1));
    }
  }
  return out;
}

void add_file_headers(Response& response, const service::FileStat& stat) {
  using service::FileKind;
  response.add_header("ETag", fmt::format("\"{}\"", hash_hex(stat.hash)));
  response.add_header("X-Entry-Type", kind_name(stat.kind));
  if (!stat.path.empty()) response.add_header("X-Path", header_text(stat.path));
  if (stat.kind == FileKind::file || stat.kind == FileKind::chunk) {
    response.add_header("X-Total-Size", std::to_string(stat.total_size));
  }
  if (stat.kind == FileKind::symlink) response.add_header("X-Symlink-Target", header_text(stat.target));
  if (stat.kind != FileKind::file && stat.kind != FileKind::symlink) return;
  response.add_header("X-Created-At", std::to_string(stat.created_at_ms));
  response.add_header("X-Updated-At", std::to_string(stat.updated_at_ms));
}

}  // namespace strata::rest
