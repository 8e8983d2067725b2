#include "service/file_collector.h"

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

Result<void> FileCollector::sweep(CollectionState& state, const files::Marker& marker, TaskProgress& progress,
                                  CollectAnswer& answer) {
  int64_t saved_us = system_.clock().steady_us();
  std::optional<Bytes> from = state.cursor;
  while (from) {
    RETURN_IF_ERROR(check(progress));
    ASSIGN_OR_RETURN(const files::SweptPage page,
                     system_.database().run([&](kv::Transaction& transaction) -> Result<files::SweptPage> {
                       transaction.raise_size_limit_to_engine();
                       // What is not removed after a crash is garbage of the next collection.
                       transaction.set_durability(kv::Durability::async);
                       ASSIGN_OR_RETURN(auto writer, files::EntryWriter::begin(transaction, system_.cache()));
                       if (!writer.collection().running || writer.collection().epoch != state.epoch) {
                         return Error(ErrorCode::conflict, "another garbage collection has begun");
                       }
                       return files::sweep_page(writer, marker, *from, options_.swept, options_.removed,
                                                answer.dry_run);
                     }));
    from = page.next;
    answer.live_entries += page.live;
    answer.garbage_entries += page.garbage;
    answer.reclaimed_bytes += page.garbage_bytes;
    progress.add_done(page.live + page.garbage);
    if (from && !answer.dry_run && system_.clock().steady_us() - saved_us > save_interval_us) {
      state.cursor = *from;
      RETURN_IF_ERROR(set_state(state));
      saved_us = system_.clock().steady_us();
    }
  }
  return {};
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
    done = sweep(state, marker, progress, answer);
  }
  // One that the server's end has stopped is taken up again; and so is one that was before a dry run.
  if (stopping_ && !done.ok()) return done.error();
  if (!(dry_run && taken_up)) {
    const Result<void> ended = set_state({.epoch = state.epoch, .running = false, .cursor = {}});
    if (done.ok()) done = ended;
  }
  RETURN_IF_ERROR(done);
  answer.duration_ms = (system_.clock().steady_us() - began_us) / 1000;
  return answer;
}

}  // namespace strata::service
