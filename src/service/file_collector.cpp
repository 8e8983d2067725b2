#include "service/file_collector.h"

#include <tuple>

#include "base/log.h"

namespace strata::service {
namespace {

using files::CollectionState;

// How far the sweep is, is written rarely: writers read that row, so each time they begin anew.
constexpr int64_t save_interval_us = 5'000'000;

Result<CollectionState> read_state(const kv::ReadTransaction& transaction) {
  ASSIGN_OR_RETURN(const auto stored, transaction.get(files::collection_state_key()).get());
  return files::decode_collection_state(stored);
}

}  // namespace

Result<files::EntryWriter> FileRemovals::begin(kv::Transaction& transaction) const {
  transaction.raise_size_limit_to_engine();
  // What is not removed after a crash is garbage of the next collection.
  transaction.set_durability(kv::Durability::async);
  ASSIGN_OR_RETURN(files::EntryWriter writer, files::EntryWriter::begin(transaction, system_.cache()));
  if (!writer.collection().running || writer.collection().epoch != epoch_) {
    return Error(ErrorCode::conflict, "another garbage collection has begun");
  }
  return writer;
}

FileRemovals::~FileRemovals() {
  for (UnderWay& removal : under_way_) std::ignore = removal.committed.get();
}

Result<void> FileRemovals::remove(std::vector<files::Garbage> garbage, kv::Version version) {
  kv::Transaction transaction = system_.database().create_transaction();
  const auto removed = [&]() -> Result<void> {
    RETURN_IF_ERROR(transaction.set_read_version(version));
    ASSIGN_OR_RETURN(files::EntryWriter writer, begin(transaction));
    return files::remove_garbage(writer, garbage);
  }();
  Future<void> committed = removed.ok() ? transaction.commit() : Future<void>(removed.error());
  under_way_.push_back({std::move(garbage), std::move(transaction), std::move(committed)});
  return under_way_.size() > most_under_way ? finish_first() : Result<void>();
}

Result<void> FileRemovals::finish_first() {
  UnderWay first = std::move(under_way_.front());
  under_way_.pop_front();
  if (first.committed.get().ok()) return {};
  // Somebody was faster, or it took too long, or nobody knows: once more, from what is there now.
  using Kept = Result<std::vector<files::Garbage>>;
  ASSIGN_OR_RETURN(const auto kept, system_.database().run([&](kv::Transaction& transaction) -> Kept {
    ASSIGN_OR_RETURN(files::EntryWriter writer, begin(transaction));
    return files::remove_what_is_still_garbage(writer, first.garbage);
  }));
  for (const files::Garbage& garbage : kept) kept_(garbage);
  return {};
}

Result<void> FileRemovals::finish() {
  while (!under_way_.empty()) RETURN_IF_ERROR(finish_first());
  return {};
}

Result<void> FileCollector::open() {
  stopping_ = false;
  ASSIGN_OR_RETURN(const CollectionState state,
                   system_.read({}, [](const files::EntryReader& reader) { return read_state(reader.transaction()); }));
  if (!state.running) return {};
  return jobs_.start(std::make_shared<StopFlag>(), [this] {
    TaskProgress progress;
    const auto done = run(progress, false);
    if (!done.ok() && !stopping_) {
      log::warning("an interrupted garbage collection of files waits for the next one",
                   {{"error", done.error().message()}});
    }
  });
}

void FileCollector::stop() {
  stopping_ = true;
  jobs_.stop();
}

Result<void> FileCollector::check(TaskProgress& progress) {
  if (between_steps_) between_steps_();
  if (stopping_) return Error(ErrorCode::operation_cancelled, "the server stops");
  return progress.check();
}

Result<CollectAnswer> FileCollector::collect(const Context& context, bool dry_run) {
  RETURN_IF_ERROR(timeout_ms(context, system_.clock()));
  return jobs_.run<CollectAnswer>(std::make_shared<StopFlag>(), [this, dry_run] {
    TaskProgress progress;
    return run(progress, dry_run);
  });
}

// From here on entries that are put carry the new epoch. Who began before conflicts with this and begins anew.
Result<CollectionState> FileCollector::begin() {
  return system_.database().run([&](kv::Transaction& transaction) -> Result<CollectionState> {
    ASSIGN_OR_RETURN(CollectionState state, read_state(transaction));
    if (state.running) return state;
    state = {.epoch = state.epoch + 1, .running = true, .cursor = {}};
    transaction.set(files::collection_state_key(), files::encode_collection_state(state));
    return state;
  });
}

// Nothing, where another server has ended this collection.
Result<void> FileCollector::set_state(const CollectionState& state) {
  return system_.database().run([&](kv::Transaction& transaction) -> Result<void> {
    ASSIGN_OR_RETURN(const CollectionState now, read_state(transaction));
    if (!now.running || now.epoch != state.epoch) return {};
    transaction.set(files::collection_state_key(), files::encode_collection_state(state));
    return {};
  });
}

Result<void> FileCollector::clear_rows() {
  for (const auto& clear_page : {files::expire_upload_marks, files::forget_versions}) {
    std::optional<Bytes> from = Bytes();
    while (from) {
      ASSIGN_OR_RETURN(from, system_.database().run([&](kv::Transaction& transaction) {
        transaction.raise_size_limit_to_engine();
        transaction.set_durability(kv::Durability::async);
        return clear_page(transaction, system_.now_ms(), *from);
      }));
    }
  }
  return {};
}

Result<void> FileCollector::mark(files::Marker& marker, TaskProgress& progress, CollectAnswer& answer) {
  ASSIGN_OR_RETURN(const files::CollectionRoots roots, system_.read({}, [](const files::EntryReader& reader) {
    return files::read_roots(reader.transaction());
  }));
  answer.versions_scanned = roots.versions;
  for (const Hash& root : roots.directories) marker.add(archive::EntryKind::directory, root);
  for (const Hash& chunk : roots.chunks) marker.add(archive::EntryKind::chunk, chunk);
  // Behind the roots and what was cleared: whoever finds something now finds what is marked, or new.
  for (const FilePins::Pinned& pinned : system_.pins().settle()) {
    marker.add(static_cast<archive::EntryKind>(pinned.kind), pinned.hash);
  }
  while (!marker.walked()) {
    RETURN_IF_ERROR(check(progress));
    RETURN_IF_ERROR(
        system_.read({}, [&](const files::EntryReader& reader) { return marker.walk(reader, options_.nodes); }));
    progress.set_done(marker.marked());
  }
  while (!marker.scanned()) {
    RETURN_IF_ERROR(check(progress));
    RETURN_IF_ERROR(
        system_.read({}, [&](const files::EntryReader& reader) { return marker.scan_files(reader, options_.files); }));
    progress.set_done(marker.marked());
  }
  return {};
}

Result<void> FileCollector::sweep(CollectionState& state, files::Marker& marker, TaskProgress& progress,
                                  CollectAnswer& answer) {
  FileRemovals removals(system_, state.epoch, [&answer](const files::Garbage& kept) {
    ++answer.live_entries;
    --answer.garbage_entries;
    answer.reclaimed_bytes -= kept.row.stored_size;
  });
  int64_t saved_us = system_.clock().steady_us();
  std::optional<Bytes> from = state.cursor;
  while (from) {
    RETURN_IF_ERROR(check(progress));
    kv::Version version = kv::invalid_version;
    ASSIGN_OR_RETURN(const files::ScannedRows rows,
                     system_.read({}, [&](const files::EntryReader& reader) -> Result<files::ScannedRows> {
                       ASSIGN_OR_RETURN(version, reader.transaction().get_read_version().get());
                       return files::scan_rows(reader.transaction(), marker, state.epoch, *from, options_.swept);
                     }));
    from = rows.next;
    answer.live_entries += rows.live;
    answer.garbage_entries += rows.garbage.size();
    for (const files::Garbage& garbage : rows.garbage) answer.reclaimed_bytes += garbage.row.stored_size;
    for (auto rest = rows.garbage.begin(); !answer.dry_run && rest != rows.garbage.end();) {
      RETURN_IF_ERROR(check(progress));
      const auto end = rest + std::min<ptrdiff_t>(options_.removed, rows.garbage.end() - rest);
      RETURN_IF_ERROR(removals.remove({rest, end}, version));
      rest = end;
    }
    progress.add_done(rows.live + rows.garbage.size());
    if (from && !answer.dry_run && system_.clock().steady_us() - saved_us > save_interval_us) {
      RETURN_IF_ERROR(removals.finish());
      state.cursor = *from;
      RETURN_IF_ERROR(set_state(state));
      saved_us = system_.clock().steady_us();
    }
  }
  return removals.finish();
}

Result<CollectAnswer> FileCollector::run(TaskProgress& progress, bool dry_run) {
  const int64_t began_us = system_.clock().steady_us();
  ASSIGN_OR_RETURN(const FilePins::Pin alone, system_.pins().begin_collection());
  ASSIGN_OR_RETURN(CollectionState state, begin());
  const bool taken_up = !state.cursor.empty();
  CollectAnswer answer{.dry_run = dry_run};
  files::Marker marker;
  progress.set_message("marks what is reachable");
  Result<void> done = dry_run ? Result<void>() : clear_rows();
  if (done.ok()) done = mark(marker, progress, answer);
  if (done.ok()) {
    progress.set_message(dry_run ? "counts what is not" : "removes what is not");
    if (dry_run) state.cursor.clear();
    // What is marked was counted to show that it goes on; what is told at the end are entries that were looked at.
    progress.set_done(0);
    done = sweep(state, marker, progress, answer);
  }
  // One that the server's end has stopped is taken up again; and so is one that was before a dry run.
  if (stopping_ && !done.ok()) return done.error();
  if (!(dry_run && taken_up)) {
    const Result<void> ended = set_state({.epoch = state.epoch, .running = false, .cursor = {}});
    if (done.ok()) done = ended;
  }
  RETURN_IF_ERROR(done);
  progress.set_total(answer.live_entries + answer.garbage_entries);
  answer.duration_ms = (system_.clock().steady_us() - began_us) / 1000;
  return answer;
}

}  // namespace strata::service
