#include "service/file_writer.h"

#include "service/file_trees.h"

namespace strata::service {
namespace {

// What the engine said, not an operation: the transaction is over.
bool ends_transaction(const Error& error) {
  return fdb_error_number(error.code()) != 0 || error.code() == ErrorCode::disk_full;
}

}  // namespace

Result<void> FileWriter::submit(const Context& context, std::span<FileOperation* const> group) {
  Request own{.group = group};
  for (const FileOperation* operation : group) own.bytes += operation->bytes();
  return enter(context, own);
}

Result<void> FileWriter::exclude(const Context& context, const std::function<Result<void>()>& function) {
  Request own{.function = &function};
  return enter(context, own);
}

Result<void> FileWriter::enter(const Context& context, Request& own) {
  RETURN_IF_ERROR(timeout_ms(context, system_.clock()));
  ASSIGN_OR_RETURN(const bool done, line_.enter(own, max_waiting, count_batch,
                                                [&](std::span<Request* const> batch) { execute(batch); }));
  if (!done) return Error(ErrorCode::too_many_requests, "too many writes of files wait");
  if (own.error) return *own.error;
  return {};
}

size_t FileWriter::count_batch(const std::deque<Request*>& waiting) {
  size_t count = 0;
  size_t bytes = 0;
  for (const Request* next : waiting) {
    bytes += next->bytes;
    const bool alone = next->function != nullptr;
    if (count == max_groups || (count != 0 && (alone || bytes > max_bytes))) break;
    ++count;
    if (alone) break;
  }
  return count;
}

void FileWriter::execute(std::span<Request* const> batch) {
  if (const auto* function = batch.front()->function) {
    if (const Result<void> done = (*function)(); !done.ok()) batch.front()->error = done.error();
    return;
  }
  std::optional<files::Branch> written;
  const Result<void> done = system_.write({}, system_.options().durability, [&](kv::Transaction& transaction) {
    return attempt(transaction, batch, written);
  });
  if (done.ok()) return;
  // Each alone may fit, and one that never will fails no other.
  if (done.error().code() == ErrorCode::transaction_too_large && batch.size() > 1) {
    execute(batch.first(batch.size() / 2));
    execute(batch.subspan(batch.size() / 2));
    return;
  }
  for (Request* request : batch) request->error = done.error();
}

Result<bool> FileWriter::was_committed(const kv::ReadTransaction& transaction, const files::Branch& written) const {
  ASSIGN_OR_RETURN(const auto branch, files::read_branch(transaction, branch_));
  if (branch == written) return true;
  // Another server has written since, or it was not; the root's own row tells, which no other commit writes like this.
  ASSIGN_OR_RETURN(const auto row, files::read_version_row(transaction, written.root));
  return branch && branch->changed_at_ms > written.changed_at_ms && row && row->created_at_ms == written.changed_at_ms;
}

Result<void> FileWriter::attempt(kv::Transaction& transaction, std::span<Request* const> batch,
                                 std::optional<files::Branch>& written) {
  if (written && transaction.unknown_since()) {
    ASSIGN_OR_RETURN(const bool committed, was_committed(transaction, *written));
    if (committed) return {};
  }
  written.reset();
  for (Request* request : batch) request->error.reset();
  ASSIGN_OR_RETURN(files::EntryWriter entries, files::EntryWriter::begin(transaction, system_.cache()));
  ASSIGN_OR_RETURN(auto branch, files::read_branch(transaction, branch_));
  if (!branch) {
    for (Request* request : batch) request->error = no_such_fork(branch_);
    return {};
  }
  FileBatch work(system_, entries, *branch);
  RETURN_IF_ERROR(run_groups(work, batch));
  bool any = false;
  for (const Request* request : batch) any = any || !request->error;
  if (!any) return {};
  ASSIGN_OR_RETURN(const Hash root, work.root());
  files::move_branch(transaction, *branch, root, work.now_ms());
  files::set_version_row(transaction, {.root = branch->root, .created_at_ms = branch->changed_at_ms});
  written = std::move(branch);
  return {};
}

Result<void> FileWriter::run_groups(FileBatch& work, std::span<Request* const> batch) {
  for (Request* request : batch) {
    for (FileOperation* operation : request->group) operation->look_up(work);
  }
  for (Request* request : batch) {
    const size_t mark = work.tree().mark();
    Result<void> done;
    for (FileOperation* operation : request->group) {
      done = operation->apply(work);
      if (!done.ok()) break;
    }
    if (done.ok()) {
      for (FileOperation* operation : request->group) RETURN_IF_ERROR(operation->write(work));
      work.write_notes();
    } else if (ends_transaction(done.error())) {
      return done;
    } else {
      request->error = done.error();
      // Less: the operation has finished what was before it, and undid its own.
      if (work.tree().mark() > mark) work.tree().roll_back(mark);
      work.drop_notes();
    }
  }
  return {};
}

}  // namespace strata::service
