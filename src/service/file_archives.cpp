#include "service/file_archives.h"

#include "layers/files/versions.h"
#include "service/file_archive_import.h"
#include "service/file_archive_walk.h"

namespace strata::service {

using archive::BackupType;

std::string_view backup_type_name(BackupType type) {
  switch (type) {
    case BackupType::normal:
      return "database";
    case BackupType::full_export:
      return "export";
    case BackupType::patch:
      break;
  }
  return "patch";
}

Result<FileVersions::Resolved> FileArchives::resolve(const Context& context, std::string_view name_or_hash) {
  auto named = versions_.resolve(context, {.snapshot = name_or_hash});
  if (named.ok() || named.error().code() != ErrorCode::not_found || !parse_hash_hex(name_or_hash)) return named;
  return versions_.resolve(context, {.version = name_or_hash});
}

Result<PlannedArchive> FileArchives::plan_export(const Context& context, const ExportRequest& request,
                                                 StopHandle stop) {
  if (request.snapshot && request.hash) {
    return Error(ErrorCode::invalid_argument, "snapshot and hash are both given: a version has one name");
  }
  ASSIGN_OR_RETURN(auto version, versions_.resolve(context, {.snapshot = request.snapshot, .version = request.hash}));
  PlannedArchive planned;
  planned.header.type = BackupType::full_export;
  planned.header.head = version.root;
  planned.pins[0] = std::move(version.pin);
  return plan(std::move(planned), std::move(stop));
}

Result<PlannedArchive> FileArchives::plan_diff(const Context& context, const DiffRequest& request, StopHandle stop) {
  ASSIGN_OR_RETURN(auto from, resolve(context, request.from));
  ASSIGN_OR_RETURN(auto to, request.to ? resolve(context, *request.to) : versions_.resolve(context, {}));
  PlannedArchive planned;
  planned.header.type = BackupType::patch;
  planned.header.head = to.root;
  planned.header.base = from.root;
  planned.header.target = to.root;
  planned.pins[0] = std::move(from.pin);
  planned.pins[1] = std::move(to.pin);
  return plan(std::move(planned), std::move(stop));
}

Result<PlannedArchive> FileArchives::plan(PlannedArchive planned, StopHandle stop) {
  if (!stop) stop = std::make_shared<StopFlag>();
  planned.header.created_at_ms = planned.header.updated_at_ms = system_.now_ms();
  const StopFlag& flag = *stop;
  return jobs_.run<PlannedArchive>(std::move(stop), [this, &planned, &flag]() -> Result<PlannedArchive> {
    if (planned.header.type == BackupType::patch) {
      ASSIGN_OR_RETURN(planned.known, find_known_chunks(system_, planned.header.base, planned.header.head, flag));
    }
    ArchiveWalk walk(system_, planned.header, planned.known.get(), flag);
    ASSIGN_OR_RETURN(planned.counts, walk.count());
    planned.header.entry_count = planned.counts.entries;
    return std::move(planned);
  });
}

Result<void> FileArchives::write(const PlannedArchive& plan, ByteSink& sink, const StopFlag& stop) {
  archive::AeorWriter writer(sink);
  RETURN_IF_ERROR(writer.begin(plan.header));
  ArchiveWalk walk(system_, plan.header, plan.known.get(), stop);
  RETURN_IF_ERROR(walk.write(writer));
  STRATA_ASSERT(writer.entries() == plan.header.entry_count);
  return writer.finish();
}

Result<std::shared_ptr<JobStream>> FileArchives::stream(PlannedArchive plan) {
  auto pipe = std::make_shared<BytesPipe>();
  auto stop = std::make_shared<StopFlag>();
  // A job that waits for a reader who takes nothing would hold up the end of the service.
  stop->on_set([pipe] { pipe->refuse(); });
  RETURN_IF_ERROR(
      jobs_.start(stop, [this, pipe, stop, plan = std::move(plan)] { pipe->finish(write(plan, *pipe, *stop)); }));
  return std::make_shared<JobStream>(std::move(pipe), std::move(stop));
}

Result<void> FileArchives::check_database(ByteSource& body) {
  ASSIGN_OR_RETURN(const archive::AeorHeader header, archive::AeorReader(body).begin());
  if (header.type != archive::BackupType::patch) return {};
  return Error(ErrorCode::invalid_argument, "this is a patch, which is imported into a database that has its base");
}

Result<ImportAnswer> FileArchives::import(const Context& context, const ImportRequest& request, StopHandle stop) {
  if (!stop) stop = std::make_shared<StopFlag>();
  const StopFlag& flag = *stop;
  ASSIGN_OR_RETURN(const FilePins::Pin held_off, system_.pins().hold_off_collections());
  ArchiveImport import(system_, request, flag);
  RETURN_IF_ERROR(import.put());
  RETURN_IF_ERROR(jobs_.run<bool>(std::move(stop), [&import]() -> Result<bool> {
    RETURN_IF_ERROR(import.check());
    return true;
  }));
  return import.publish(context);
}

Result<bool> FileArchives::has_head(const Context&) {
  ASSIGN_OR_RETURN(const auto head, system_.database().read([](const kv::ReadTransaction& transaction) {
    return files::read_branch(transaction, files::head);
  }));
  return head->changed_at_ms != 0;
}

}  // namespace strata::service
