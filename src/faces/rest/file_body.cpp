#include "faces/rest/file_body.h"

#include <fmt/format.h>

#include "faces/rest/file_handler.h"
#include "faces/rest/json_document.h"
#include "service/file_versions.h"

namespace strata::rest {
namespace {

Error invalid(std::string message) { return Error(ErrorCode::invalid_argument, std::move(message)); }

bool is_given(const JsonField& field) { return field && !field->is_null(); }

Result<std::string> required_text(const JsonField& field, std::string_view name) {
  ASSIGN_OR_RETURN(const std::string_view text, json_string(field, name));
  return std::string(text);
}

Result<std::optional<std::string>> optional_text(const JsonField& field, std::string_view name) {
  if (!is_given(field)) return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string text, required_text(field, name));
  return std::optional(std::move(text));
}

Result<std::vector<Hash>> hashes_of(const JsonField& field, const std::string& name) {
  ASSIGN_OR_RETURN(const simdjson::dom::array array, json_array(field, name));
  std::vector<Hash> hashes;
  hashes.reserve(array.size());
  for (const simdjson::dom::element element : array) {
    std::string_view text;
    if (element.get(text)) return invalid(fmt::format("{}[{}] must be a string", name, hashes.size()));
    const std::optional<Hash> hash = parse_hash_hex(text);
    if (!hash) return invalid(fmt::format("{}[{}] is no hash: {}", name, hashes.size(), printable(text, 80)));
    hashes.push_back(*hash);
  }
  return hashes;
}

Result<void> take_file(simdjson::dom::element element, UploadBody& upload) {
  const std::string where = fmt::format("files[{}].", upload.files.size());
  simdjson::dom::object object;
  if (element.get(object)) return invalid(fmt::format("files[{}] must be an object", upload.files.size()));
  ASSIGN_OR_RETURN(const auto fields,
                   json_fields<4>(object, {"path", "content_type", "chunk_hashes", "chunks"}, where));
  const auto keep = [&](std::string text) { return std::string_view(upload.texts.emplace_back(std::move(text))); };
  service::UploadedFile file;
  ASSIGN_OR_RETURN(std::string path, required_text(fields[0], where + "path"));
  file.path = keep(std::move(path));
  ASSIGN_OR_RETURN(auto type, optional_text(fields[1], where + "content_type"));
  if (type) {
    RETURN_IF_ERROR(check_content_type(*type));
    file.content_type = keep(*std::move(type));
  }
  if (is_given(fields[2]) && is_given(fields[3])) {
    return invalid(where + "chunk_hashes and chunks are two names of one field: send one");
  }
  const bool other_name = is_given(fields[3]);
  ASSIGN_OR_RETURN(file.chunks,
                   hashes_of(fields[other_name ? 3 : 2], where + (other_name ? "chunks" : "chunk_hashes")));
  upload.files.push_back(std::move(file));
  return {};
}

}  // namespace

Result<std::string> parse_symlink(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"target"}));
  return required_text(fields[0], "target");
}

Result<std::string> parse_version_name(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"name"}));
  return required_text(fields[0], "name");
}

Result<SnapshotBody> parse_snapshot(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"name", "metadata"}));
  SnapshotBody snapshot;
  ASSIGN_OR_RETURN(snapshot.name, required_text(fields[0], "name"));
  if (!is_given(fields[1])) return snapshot;
  ASSIGN_OR_RETURN(const auto metadata, json_object(fields[1], "metadata"));
  snapshot.metadata = simdjson::minify(metadata);
  if (snapshot.metadata.size() > service::max_snapshot_metadata_bytes) {
    return invalid(fmt::format("metadata has at most {} bytes", service::max_snapshot_metadata_bytes));
  }
  return snapshot;
}

Result<ForkBody> parse_fork(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"name", "base"}));
  ForkBody fork;
  ASSIGN_OR_RETURN(fork.name, required_text(fields[0], "name"));
  ASSIGN_OR_RETURN(fork.base, optional_text(fields[1], "base"));
  return fork;
}

Result<RestoreFileBody> parse_restore_file(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<2>(object, {"snapshot", "version"}));
  RestoreFileBody restore;
  ASSIGN_OR_RETURN(restore.snapshot, optional_text(fields[0], "snapshot"));
  ASSIGN_OR_RETURN(restore.version, optional_text(fields[1], "version"));
  if (!restore.snapshot && !restore.version) return invalid("snapshot or version is required");
  return restore;
}

Result<std::vector<Hash>> parse_checked_hashes(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"hashes"}));
  return hashes_of(fields[0], "hashes");
}

Result<Hash> parse_chunk_hash(BytesView text) {
  const std::optional<Hash> hash = parse_hash_hex(text);
  if (!hash) return invalid("a hash has 64 hexadecimal digits");
  return *hash;
}

Result<UploadBody> parse_upload(BytesView body) {
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"files"}));
  ASSIGN_OR_RETURN(const simdjson::dom::array files, json_array(fields[0], "files"));
  UploadBody upload;
  upload.files.reserve(files.size());
  for (const simdjson::dom::element file : files) RETURN_IF_ERROR(take_file(file, upload));
  return upload;
}

Result<bool> parse_collection_task(BytesView body) {
  if (body.empty()) return false;
  ASSIGN_OR_RETURN(const auto object, parse_json_object(body));
  ASSIGN_OR_RETURN(const auto fields, json_fields<1>(object, {"dry_run"}));
  if (!is_given(fields[0])) return false;
  bool dry_run = false;
  if (fields[0]->get(dry_run)) return invalid("dry_run must be true or false");
  return dry_run;
}

}  // namespace strata::rest
