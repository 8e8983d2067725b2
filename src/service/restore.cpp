#include "service/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/crc32.h"
#include "base/parse_number.h"
#include "layers/records/backup_chain.h"
#include "layers/records/namespaces.h"
#include "service/backup_files.h"
#include "service/namespace_loader.h"

namespace strata::service {
namespace {

constexpr std::string_view segment_suffix = ".wal";

Error in_file(const std::string& path, const Error& error) {
  return {error.code(), fmt::format("{}: {}", path, error.message())};
}

// Counts what goes by and checks the objects; hands it on where there is somebody to load it.
class Counter final : public records::BackupConsumer {
 public:
  explicit Counter(records::BackupConsumer* next) : next_(next) {}

  Result<void> put(const records::BackupItem& item) override {
    if (item.type == records::BackupItemType::value) ++report.values;
    if (item.type == records::BackupItemType::row && row_ != item.key) {
      ++report.rows;
      row_.assign(item.key);
    }
    return next_ != nullptr ? next_->put(item) : Result<void>();
  }
  Result<void> begin_object(const records::BackupObject& object) override {
    ++report.objects;
    report.object_bytes += object.reference.size;
    expected_ = object.reference;
    left_ = expected_.size;
    checksum_ = Crc32();
    if (next_ != nullptr) return next_->begin_object(object);
    return check_object();
  }
  Result<void> add_object_bytes(BytesView bytes) override {
    if (next_ != nullptr) return next_->add_object_bytes(bytes);
    checksum_.update(bytes);
    left_ -= bytes.size();
    return check_object();
  }
  Result<void> add_record(const records::BackupPlace& place, BytesView bytes,
                          const records::LogRecord& record) override {
    ++report.records;
    return next_ != nullptr ? next_->add_record(place, bytes, record) : Result<void>();
  }

  RestoreReport report;

 private:
  Result<void> check_object() const {
    if (left_ > 0 || checksum_.value() == expected_.checksum) return {};
    return Error(ErrorCode::corruption, "the backup is damaged: an object has another checksum than stands with it");
  }

  records::BackupConsumer* const next_;
  Bytes row_;
  records::ObjectReference expected_;
  uint64_t left_ = 0;
  Crc32 checksum_;
};

Result<records::BackupHeader> read_header(const std::string& path) {
  ASSIGN_OR_RETURN(FileSource source, FileSource::open(path));
  auto header = records::BackupReader(source).read_header();
  if (!header.ok()) return in_file(path, header.error());
  return header;
}

Result<std::vector<std::string>> find_segments(const std::vector<std::string>& given) {
  std::vector<std::string> paths;
  for (const std::string& path : given) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      paths.push_back(path);
      continue;
    }
    const size_t before = paths.size();
    for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      if (name.ends_with(segment_suffix)) paths.push_back(entry->path().string());
    }
    if (error) return Error(ErrorCode::io_error, fmt::format("cannot read {}: {}", path, error.message()));
    if (paths.size() == before) {
      return Error(ErrorCode::invalid_argument, fmt::format("{} holds no files *{}", path, segment_suffix));
    }
  }
  return paths;
}

// The files in the order of what they hold, each looked at.
Result<std::vector<std::string>> order_files(const RestoreRequest& request) {
  const std::string& source = request.source.empty() ? request.name_space : request.source;
  const auto check = [&](const std::string& path, const records::BackupHeader& header,
                         records::BackupKind kind) -> Result<void> {
    if (header.kind != kind) {
      const bool segment = kind == records::BackupKind::segment;
      return Error(ErrorCode::invalid_argument,
                   fmt::format("{} is {}", path,
                               segment ? "a snapshot, no segment of a log" : "a segment of a log, no snapshot"));
    }
    if (header.name_space == source) return {};
    return Error(ErrorCode::invalid_argument,
                 fmt::format("{} is a backup of the namespace {}, not of {}", path, header.name_space, source));
  };
  std::vector<std::string> ordered;
  if (!request.snapshot.empty()) {
    ASSIGN_OR_RETURN(const records::BackupHeader header, read_header(request.snapshot));
    RETURN_IF_ERROR(check(request.snapshot, header, records::BackupKind::snapshot));
    ordered.push_back(request.snapshot);
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> paths, find_segments(request.segments));
  std::vector<std::pair<uint64_t, std::string>> segments;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const records::BackupHeader header, read_header(path));
    RETURN_IF_ERROR(check(path, header, records::BackupKind::segment));
    segments.emplace_back(header.start.lsn, path);
  }
  std::sort(segments.begin(), segments.end());
  for (auto& [lsn, path] : segments) ordered.push_back(std::move(path));
  if (ordered.empty()) return Error(ErrorCode::invalid_argument, "name a snapshot, segments of a log, or both");
  return ordered;
}

Result<records::BackupPlace> read_files(const RestoreRequest& request, const std::vector<std::string>& files,
                                        Counter& counter) {
  std::optional<records::BackupTarget> target;
  if (request.target) target = {.segment = request.target->segment, .offset = request.target->offset};
  records::BackupChain chain(counter, target);
  for (const std::string& path : files) {
    ASSIGN_OR_RETURN(FileSource source, FileSource::open(path));
    const auto added = chain.add(source);
    if (!added.ok()) return in_file(path, added.error());
  }
  RETURN_IF_ERROR(chain.finish());
  counter.report.segment = chain.place().segment;
  counter.report.offset = chain.place().offset;
  counter.report.lsn = chain.place().lsn;
  counter.report.files = files.size();
  return chain.place();
}

// Before gigabytes are loaded for nothing; reveal() decides.
Result<void> refuse_existing(const kv::Database& database, const RestoreRequest& request) {
  if (request.replace) return {};
  return database.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(const auto space, records::find_namespace(transaction, request.name_space));
    if (!space) return {};
    ASSIGN_OR_RETURN(const bool empty, records::is_empty(transaction, *space));
    if (empty) return {};
    return Error(ErrorCode::already_exists,
                 fmt::format("the namespace {} holds data already: --force replaces it", request.name_space));
  });
}

}  // namespace

std::optional<RestoreTarget> parse_restore_target(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto segment = parse_number<uint64_t>(text.substr(0, colon));
  const auto offset = parse_number<uint64_t>(text.substr(colon + 1));
  if (!segment || !offset) return std::nullopt;
  return RestoreTarget{.segment = *segment, .offset = *offset};
}

Result<RestoreReport> check_restore(const RestoreRequest& request) {
  RETURN_IF_ERROR(records::validate_namespace_name(request.name_space));
  ASSIGN_OR_RETURN(const std::vector<std::string> files, order_files(request));
  Counter counter(nullptr);
  RETURN_IF_ERROR(read_files(request, files, counter));
  return counter.report;
}

Result<RestoreReport> restore(const kv::Database& database, const RestoreRequest& request, Clock& clock) {
  RETURN_IF_ERROR(records::validate_namespace_name(request.name_space));
  ASSIGN_OR_RETURN(const std::vector<std::string> files, order_files(request));
  RETURN_IF_ERROR(refuse_existing(database, request));
  RETURN_IF_ERROR(drop_unfinished_namespaces(database));
  ASSIGN_OR_RETURN(const auto loader, NamespaceLoader::begin(database, {.clock = &clock}));
  Counter counter(loader.get());
  ASSIGN_OR_RETURN(const records::BackupPlace place, read_files(request, files, counter));
  RETURN_IF_ERROR(loader->reveal({.name = request.name_space, .place = place, .replace = request.replace}));
  return counter.report;
}

}  // namespace strata::service
