#include "service/backups.h"

#include <fmt/format.h>

#include <functional>

#include "layers/records/backup_copy.h"
#include "layers/records/backup_reader.h"
#include "layers/records/backup_writer.h"
#include "service/objects.h"

namespace strata::service {
namespace {

using records::BackupPlace;
using records::CopiedPage;

// Of what one file holds in the directory of a backup of the log.
std::string segment_file_name(uint64_t segment) { return fmt::format("{:09}.wal", segment); }

BackupPlace place_of(const LogEnd& end) {
  return {
      .segment = end.position.segment, .offset = end.position.offset, .lsn = end.totals.records, .stamp = end.stamp};
}

}  // namespace

// One namespace on its way into one file.
struct Backups::Copy {
  Copy(Backups& owner, std::string_view its_name, ByteSink& sink, const StopFlag& its_stop)
      : backups(owner), name(its_name), writer(sink), stop(its_stop) {}

  Result<void> begin(records::BackupKind kind, const std::string& log_id, const BackupPlace& start) {
    return writer.begin({.kind = kind,
                         .name_space = std::string(name),
                         .log_id = log_id,
                         .created_us = backups.options_.clock->wall_us(),
                         .start = start});
  }

  using ReadPage = Result<CopiedPage> (*)(const kv::ReadTransaction&, const records::Namespace&, BytesView);
  // Page by page, each at a version of its own.
  Result<void> copy_pages(const records::Namespace& space, ReadPage read_page, const BackupPlace& start) {
    Bytes next;
    do {
      RETURN_IF_ERROR(stop.check());
      ASSIGN_OR_RETURN(const CopiedPage page, backups.database_.read([&](const kv::ReadTransaction& transaction) {
        return read_page(transaction, space, next);
      }));
      for (const records::BackupItem& item : page.items) RETURN_IF_ERROR(add(item));
      for (const CopiedPage::Object& object : page.objects) RETURN_IF_ERROR(copy_object(object, start));
      next = page.next;
    } while (!next.empty());
    return {};
  }

  Result<void> add(const records::BackupItem& item) {
    switch (item.type) {
      case records::BackupItemType::value:
        return writer.add_value(item.key, item.bytes);
      case records::BackupItemType::row:
        return writer.add_row(item.key);
      default:
        return writer.add_column(item.name, item.bytes);
    }
  }

  // What was put after the start comes with its record, what is deleted meanwhile has a record that says so.
  Result<void> copy_object(const CopiedPage::Object& found, const BackupPlace& start) {
    if (records::view(found.object.stamp) > records::view(start.stamp)) return {};
    ASSIGN_OR_RETURN(auto reader, backups.objects_.read({}, name, found.key));
    if (!reader || records::view(reader->object().stamp) > records::view(start.stamp)) return {};
    return copy_bytes(*reader, found.key);
  }

  Result<void> copy_bytes(ObjectReader& reader, BytesView key) {
    RETURN_IF_ERROR(writer.begin_object({.reference = reader.object().reference, .key = key}));
    for (;;) {
      RETURN_IF_ERROR(stop.check());
      ASSIGN_OR_RETURN(const BytesView bytes, reader.next());
      if (bytes.empty()) return {};
      RETURN_IF_ERROR(writer.add_object_bytes(bytes));
    }
  }

  // Up to and with the record of this number.
  Result<void> copy_records(LogReader& reader, uint64_t last_lsn) {
    while (writer.end().lsn < last_lsn) {
      RETURN_IF_ERROR(stop.check());
      ASSIGN_OR_RETURN(const LogBatch batch, reader.next({}, {.records = last_lsn - writer.end().lsn}));
      if (batch.entries.empty()) return Error(ErrorCode::corruption, "the log ends before the end that it told");
      for (const LogEntry& entry : batch.entries) RETURN_IF_ERROR(copy_record(entry));
    }
    return {};
  }

  Result<void> copy_record(const LogEntry& entry) {
    RETURN_IF_ERROR(writer.add_record(
        {.segment = entry.position.segment, .offset = entry.position.offset, .lsn = entry.lsn, .stamp = entry.stamp},
        entry.bytes));
    ASSIGN_OR_RETURN(const records::LogRecord record, records::decode_log_record(entry.bytes));
    for (const records::Operation& operation : record.operations) {
      if (operation.type != records::OperationType::put_object) continue;
      ASSIGN_OR_RETURN(auto reader, backups.objects_.read_by_id({}, name, operation.object.id));
      if (!reader) return Error(ErrorCode::corruption, "an object that a kept record of the log names is not there");
      RETURN_IF_ERROR(copy_bytes(*reader, {}));
    }
    return {};
  }

  Backups& backups;
  const std::string_view name;
  records::BackupWriter writer;
  const StopFlag& stop;
};

Backups::Backups(const kv::Database& database, Log& log, Objects& objects, const BackupsOptions& options)
    : database_(database), log_(log), objects_(objects), options_(options), files_(options.directory) {}

Backups::~Backups() { stop(); }

Result<Snapshot> Backups::copy_namespace(std::string_view name_space, ByteSink& sink, const StopFlag& stop) {
  ASSIGN_OR_RETURN(const LogStatus before, log_.status({}, name_space));
  const BackupPlace start = place_of(before.end);
  ASSIGN_OR_RETURN(LogReader reader,
                   log_.read({}, {.name_space = name_space, .after = before.end.position, .log_id = before.log_id}));
  // Where the reader stands: the segment of the last record itself may be gone, as after a restore.
  ASSIGN_OR_RETURN(const LogPin pin, log_.pin({}, name_space, reader.position()));
  Copy copy(*this, name_space, sink, stop);
  RETURN_IF_ERROR(copy.begin(records::BackupKind::snapshot, before.log_id, start));
  for (const Copy::ReadPage read_page : {records::copy_values, records::copy_rows, records::copy_object_heads}) {
    RETURN_IF_ERROR(copy.copy_pages(reader.space(), read_page, start));
  }
  ASSIGN_OR_RETURN(const LogStatus after, log_.status({}, name_space));
  if (after.log_id != before.log_id) return Error(ErrorCode::gone, "the namespace was replaced while it was copied");
  RETURN_IF_ERROR(copy.copy_records(reader, after.end.totals.records));
  // A file that knew records which a power cut takes back would not join what the log goes on with.
  RETURN_IF_ERROR(log_.make_durable({}, name_space));
  RETURN_IF_ERROR(copy.writer.finish());
  return Snapshot{.path = {}, .bytes = copy.writer.bytes(), .place = copy.writer.end()};
}

Result<Snapshot> Backups::back_up_snapshot(const Context& context, const SnapshotRequest& request,
                                           std::shared_ptr<StopFlag> stop) {
  // Before a directory is made for it.
  RETURN_IF_ERROR(log_.status(context, request.name_space));
  const StopFlag& flag = *stop;
  return jobs_.run<Snapshot>(std::move(stop), [this, &request, &flag]() -> Result<Snapshot> {
    ASSIGN_OR_RETURN(const auto file, files_.create(request.name_space, request.path));
    ASSIGN_OR_RETURN(Snapshot snapshot, copy_namespace(request.name_space, *file, flag));
    RETURN_IF_ERROR(file->finish());
    snapshot.path = file->path();
    return snapshot;
  });
}

Result<std::shared_ptr<JobStream>> Backups::stream_snapshot(const Context& context, std::string_view name_space) {
  RETURN_IF_ERROR(log_.status(context, name_space));
  auto pipe = std::make_shared<BytesPipe>();
  auto stop = std::make_shared<StopFlag>();
  // A job that waits for a reader who takes nothing would hold up the end of the service.
  stop->on_set([pipe] { pipe->refuse(); });
  RETURN_IF_ERROR(jobs_.start(stop, [this, pipe, stop, name = std::string(name_space)] {
    const Result<Snapshot> copied = copy_namespace(name, *pipe, *stop);
    pipe->finish(copied.ok() ? Result<void>() : Result<void>(copied.error()));
  }));
  return std::make_shared<JobStream>(std::move(pipe), std::move(stop));
}

Result<std::vector<LogBackup>> Backups::back_up_log(const Context& context, const LogBackupRequest& request,
                                                    std::shared_ptr<StopFlag> stop) {
  RETURN_IF_ERROR(log_.status(context, request.name_space));
  const StopFlag& flag = *stop;
  return jobs_.run<std::vector<LogBackup>>(std::move(stop),
                                           [this, &request, &flag] { return copy_segments(request, flag); });
}

Result<std::vector<LogBackup>> Backups::copy_segments(const LogBackupRequest& request, const StopFlag& stop) {
  ASSIGN_OR_RETURN(const uint64_t last, log_.seal({}, request.name_space));
  RETURN_IF_ERROR(log_.make_durable({}, request.name_space));
  ASSIGN_OR_RETURN(const LogStatus status, log_.status({}, request.name_space));
  std::vector<LogBackup> done;
  uint64_t after = request.after_segment;
  while (after < last) {
    ASSIGN_OR_RETURN(const auto segments, log_.sealed_segments({}, request.name_space, after, 64));
    if (segments.empty()) break;
    for (const SealedSegment& segment : segments) {
      after = segment.number;
      if (segment.number > last) break;
      ASSIGN_OR_RETURN(done.emplace_back(), copy_segment(request, segment, status.log_id, stop));
    }
  }
  return done;
}

Result<void> Backups::refuse_other_log(const LogBackupRequest& request, const BackupPath& path,
                                       const std::string& log_id) {
  ASSIGN_OR_RETURN(const auto there, files_.open(request.name_space, path));
  if (!there) return {};
  const auto header = records::BackupReader(*there).read_header();
  // What cannot be read is no backup that would be lost.
  if (!header.ok() || header->log_id == log_id) return {};
  return Error(
      ErrorCode::already_exists,
      fmt::format("{} holds a segment of another log ({}): choose another directory", path.text(), header->log_id));
}

Result<LogBackup> Backups::copy_segment(const LogBackupRequest& request, const SealedSegment& segment,
                                        const std::string& log_id, const StopFlag& stop) {
  const LogPosition start{.segment = segment.number, .offset = 0};
  const BackupPath path = request.directory.file(segment_file_name(segment.number));
  RETURN_IF_ERROR(refuse_other_log(request, path, log_id));
  ASSIGN_OR_RETURN(LogReader reader,
                   log_.read({}, {.name_space = request.name_space, .after = start, .log_id = log_id}));
  ASSIGN_OR_RETURN(const LogPin pin, log_.pin({}, request.name_space, start));
  ASSIGN_OR_RETURN(const auto file, files_.create(request.name_space, path));
  Copy copy(*this, request.name_space, *file, stop);
  const BackupPlace place{.segment = segment.number, .offset = 0, .lsn = segment.first_lsn - 1, .stamp = segment.after};
  RETURN_IF_ERROR(copy.begin(records::BackupKind::segment, log_id, place));
  RETURN_IF_ERROR(copy.copy_records(reader, segment.first_lsn - 1 + segment.records));
  RETURN_IF_ERROR(copy.writer.finish());
  RETURN_IF_ERROR(file->finish());
  return LogBackup{.segment = segment.number, .path = file->path()};
}

}  // namespace strata::service
