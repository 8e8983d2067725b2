#include "service/replica_follower.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/percent.h"
#include "layers/records/backup_chain.h"
#include "service/leader_records.h"
#include "service/namespace_loader.h"

namespace strata::service {
namespace {

constexpr size_t max_position_bytes = 4'096;

// A snapshot as it comes from the leader.
class ResponseSource final : public ByteSource {
 public:
  explicit ResponseSource(LeaderResponse& response) : response_(response) {}
  Result<size_t> read(std::span<char> into) override {
    if (at_ == piece_.size()) {
      ASSIGN_OR_RETURN(piece_, response_.read());
      at_ = 0;
    }
    const size_t count = std::min(into.size(), piece_.size() - at_);
    std::copy_n(piece_.data() + at_, count, into.data());
    at_ += count;
    return count;
  }

 private:
  LeaderResponse& response_;
  Bytes piece_;
  size_t at_ = 0;
};

bool is_zero(const records::Stamp& stamp) { return stamp == records::Stamp{}; }

// Only a full copy helps.
Error needs_copy(std::string why) { return Error(ErrorCode::gone, std::move(why)); }
bool wants_copy(const Error& error) {
  return error.code() == ErrorCode::gone || error.code() == ErrorCode::corruption ||
         error.code() == ErrorCode::transaction_too_large;
}

}  // namespace

// One connection's way through the log.
struct ReplicaFollower::Stream {
  Stream(FollowedNamespace start, const ReplicaLimits& limits, bool stays_open)
      : followed(std::move(start)),
        follow(stays_open),
        proof_is_due(!is_zero(followed.row.stamp)),
        lines(limits.max_line_bytes) {}

  FollowedNamespace followed;
  const bool follow;
  // The first record that comes has to be the last one that was applied.
  bool proof_is_due;
  bool is_live = false;
  // Where the leader's log ended when the connection was made.
  records::LogPosition goal;
  LineBuffer lines;
  LeaderRecordParser parser;
  LeaderBatch batch;
  // Of the batch's records, staged.
  std::vector<std::unique_ptr<ObjectWriter>> objects;
  Turnstile::Place large_line;
};

// While it lives, end() and expect() cancel the answer.
class ReplicaFollower::Current {
 public:
  Current(ReplicaFollower& follower, LeaderResponse& response) : follower_(follower) {
    follower_.current_.push_back(&response);
    if (follower_.gate_.ended()) response.cancel();
  }
  ~Current() { follower_.current_.pop_back(); }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;

 private:
  ReplicaFollower& follower_;
};

ReplicaFollower::ReplicaFollower(ReplicaShared& shared, std::shared_ptr<ReplicaProgress> progress, std::string log_id)
    : shared_(shared),
      progress_(std::move(progress)),
      log_id_(std::move(log_id)),
      delay_us_(shared.limits.first_delay_us),
      random_(read_be64(secure_random_bytes(8))) {}

void ReplicaFollower::run() {
  std::string last_error;
  while (!gate_.ended()) {
    const Result<Outcome> outcome = follow();
    if (gate_.ended()) break;
    if (!outcome.ok()) {
      const std::string error(outcome.error().message());
      progress_->set_error(error);
      if (error != last_error) {
        log::warning("a namespace does not follow its leader", {{"namespace", name()}, {"error", error}});
      }
      last_error = error;
    }
    int64_t pause_us = shared_.limits.poll_interval_us;
    if (!outcome.ok() || *outcome == Outcome::copied) {
      // A leader that makes us copy again and again is not asked faster than one that is not there.
      pause_us = static_cast<int64_t>(static_cast<double>(delay_us_) * (0.5 + random_.fraction()));
      delay_us_ = std::min(2 * delay_us_, shared_.limits.longest_delay_us);
    }
    static_cast<void>(gate_.pause(pause_us));
  }
  progress_->set_state(ReplicaState::waiting);
  has_ended_ = true;
  ended_.fulfil(Result<void>());
}

void ReplicaFollower::end() {
  gate_.end();
  for (LeaderResponse* response : current_) response->cancel();
}

void ReplicaFollower::expect(const std::string& log_id) {
  if (log_id == log_id_) return;
  log_id_ = log_id;
  for (LeaderResponse* response : current_) response->cancel();
  retry();
}

void ReplicaFollower::retry() {
  delay_us_ = shared_.limits.first_delay_us;
  gate_.wake();
}

std::string ReplicaFollower::target(std::string_view rest) const {
  return fmt::format("/api/v1/{}{}", percent_encode(name()), rest);
}

Result<ReplicaFollower::Outcome> ReplicaFollower::follow() {
  ASSIGN_OR_RETURN(auto followed, find_followed(shared_.store, name()));
  if (!followed || followed->row.log_id != log_id_) return copy();
  Turnstile::Place turn;
  const bool stays_open = shared_.followers <= shared_.limits.live_streams;
  if (!stays_open) turn = shared_.turns.enter();
  Stream connection(*std::move(followed), shared_.limits, stays_open);
  const int64_t begun_us = shared_.store.clock.steady_us();
  const Result<void> ended = stream(connection);
  const bool lasted = shared_.store.clock.steady_us() - begun_us > shared_.limits.longest_delay_us;
  if (ended.ok() || lasted) delay_us_ = shared_.limits.first_delay_us;
  if (ended.ok()) return Outcome::at_the_end;
  if (!wants_copy(ended.error()) || gate_.ended()) return ended.error();
  log::warning("a namespace is copied anew", {{"namespace", name()}, {"reason", ended.error().message()}});
  // Until it follows again: a leader whose copies are of no use does not look well.
  progress_->set_error(std::string(ended.error().message()));
  return copy();
}

Result<ReplicaFollower::Outcome> ReplicaFollower::copy() {
  const Turnstile::Place place = shared_.copies.enter();
  if (gate_.ended()) return ErrorCode::operation_cancelled;
  progress_->set_state(ReplicaState::copying);
  ASSIGN_OR_RETURN(LeaderResponse response, shared_.leader.get(target("/snapshot")));
  const Current current(*this, response);
  if (response.status() != 200) return error_of_answer(response);
  ResponseSource source(response);
  ASSIGN_OR_RETURN(const auto loader,
                   NamespaceLoader::begin(shared_.store.database, {.clock = &shared_.store.clock,
                                                                   .signal = &shared_.signal,
                                                                   .segment_bytes = shared_.segment_bytes}));
  records::BackupChain chain(*loader, std::nullopt);
  ASSIGN_OR_RETURN(const records::BackupHeader header, chain.add(source));
  if (header.kind != records::BackupKind::snapshot || header.name_space != name()) {
    return Error(ErrorCode::corruption, "the leader sent a copy of something else");
  }
  RETURN_IF_ERROR(chain.finish());
  const records::BackupPlace& end = chain.place();
  const records::FollowRow row{
      .log_id = header.log_id, .position = {end.segment, end.offset}, .lsn = end.lsn, .wall_us = header.created_us};
  if (row.log_id != log_id_) {
    // Made anew a moment ago: the next list will tell.
    return Error(ErrorCode::unavailable,
                 fmt::format("the leader lists log {} of the namespace and sent a copy with log {}", printable(log_id_),
                             printable(row.log_id)));
  }
  const auto also = [&](kv::Transaction& transaction, const records::Namespace& space) -> Result<void> {
    records::write_follow_row(transaction, space, row);
    return {};
  };
  RETURN_IF_ERROR(loader->reveal({.name = name(), .place = end, .replace = true, .also = also}));
  progress_->copied(row);
  log::info("a namespace was copied", {{"namespace", name()}, {"lsn", row.lsn}});
  return Outcome::copied;
}

Result<records::LogPosition> ReplicaFollower::leader_end() {
  ASSIGN_OR_RETURN(Bytes body, shared_.leader.whole(target("/offset"), max_position_bytes));
  return parse_leader_position(std::move(body));
}

// Where nothing is kept in front of the last record, what comes behind it can still be had, without the proof.
Result<LeaderResponse> ReplicaFollower::open_stream(Stream& stream) {
  for (;;) {
    const records::FollowRow& row = stream.followed.row;
    const records::LogPosition& after = stream.proof_is_due ? row.before : row.position;
    ASSIGN_OR_RETURN(LeaderResponse response,
                     shared_.leader.get(target(fmt::format("/log?after_segment={}&after_offset={}&log={}{}",
                                                           after.segment, after.offset, percent_encode(row.log_id),
                                                           stream.follow ? "&follow=true" : "")),
                                        Silence::is_allowed));
    if (response.status() == 200) return response;
    Error error = error_of_answer(response);
    if (error.code() == ErrorCode::gone && stream.proof_is_due) {
      stream.proof_is_due = false;
      continue;
    }
    if (error.code() == ErrorCode::invalid_argument) return needs_copy(std::string(error.message()));
    return error;
  }
}

Result<void> ReplicaFollower::stream(Stream& stream) {
  ASSIGN_OR_RETURN(LeaderResponse response, open_stream(stream));
  const Current current(*this, response);
  if (!response.log_id().empty() && response.log_id() != stream.followed.row.log_id) {
    return needs_copy("the leader's namespace was made anew");
  }
  ASSIGN_OR_RETURN(stream.goal, leader_end());
  if (stream.goal < stream.followed.row.position) return needs_copy("the leader's log ends before ours");
  progress_->set_state(ReplicaState::following);
  note_progress(stream);
  return read(stream, response);
}

Result<void> ReplicaFollower::read(Stream& stream, LeaderResponse& response) {
  for (;;) {
    // What has come is applied before anything is waited for.
    if (!response.readable()) RETURN_IF_ERROR(apply(stream));
    Result<Bytes> piece = response.read();
    if (!piece.ok() || piece->empty()) {
      RETURN_IF_ERROR(apply(stream));
      RETURN_IF_ERROR(piece);
      if (stream.follow) return Error(ErrorCode::unavailable, "the leader ended the stream");
      if (stream.proof_is_due) return needs_copy("the leader's log ends before ours");
      return {};
    }
    RETURN_IF_ERROR(stream.lines.append(*piece));
    RETURN_IF_ERROR(take_lines(stream));
  }
}

Result<void> ReplicaFollower::take_lines(Stream& stream) {
  while (const auto line = stream.lines.next()) {
    if (!line->empty()) RETURN_IF_ERROR(take_line(stream, *line));
    if (stream.batch.line_bytes >= shared_.limits.batch_bytes ||
        stream.batch.records.size() >= shared_.limits.batch_records) {
      RETURN_IF_ERROR(apply(stream));
    }
  }
  if (stream.lines.pending_bytes() <= shared_.limits.small_line_bytes) {
    stream.large_line = Turnstile::Place();
  } else if (!stream.large_line) {
    RETURN_IF_ERROR(apply(stream));
    stream.large_line = shared_.large_lines.enter();
  }
  return {};
}

Result<void> ReplicaFollower::take_line(Stream& stream, BytesView line) {
  // Fetching an object takes its time: what came before need not wait for it.
  if (line.find("\"put_lob\"") != BytesView::npos) RETURN_IF_ERROR(apply(stream));
  const size_t first_operation = stream.batch.operations.size();
  RETURN_IF_ERROR(stream.parser.parse(line, stream.batch));
  if (stream.proof_is_due) return check_first(stream);
  progress_->received(stream.batch.records.back().wall_us);
  return fetch_objects(stream, first_operation);
}

Result<void> ReplicaFollower::check_first(Stream& stream) {
  const LeaderRecord& first = stream.batch.records.front();
  const records::FollowRow& row = stream.followed.row;
  if (first.lsn != row.lsn || first.position != row.position || first.stamp != row.stamp) {
    return needs_copy("the leader's log is not the one that was followed: its past has changed");
  }
  stream.proof_is_due = false;
  stream.batch = LeaderBatch();
  note_progress(stream);
  return {};
}

Result<void> ReplicaFollower::fetch_objects(Stream& stream, size_t first_operation) {
  for (size_t i = first_operation; i < stream.batch.operations.size(); ++i) {
    records::Operation& operation = stream.batch.operations[i];
    if (operation.type != records::OperationType::put_object) continue;
    ASSIGN_OR_RETURN(auto writer, shared_.objects.create({}, name()));
    ASSIGN_OR_RETURN(operation.object, fetch(operation, *writer));
    stream.objects.push_back(std::move(writer));
  }
  // Alone: what is applied in several transactions could leave an object that is neither kept nor free.
  return stream.objects.empty() ? Result<void>() : apply(stream);
}

Result<records::ObjectReference> ReplicaFollower::fetch(const records::Operation& operation, ObjectWriter& writer) {
  const records::ObjectReference& wanted = operation.object;
  std::string id;
  for (const char c : wanted.id) id += fmt::format("{:02x}", static_cast<unsigned char>(c));
  ASSIGN_OR_RETURN(LeaderResponse response,
                   shared_.leader.get(target(fmt::format("/lob/{}?object={}", percent_encode(operation.key), id))));
  const Current current(*this, response);
  if (response.status() != 200) {
    Error error = error_of_answer(response);
    if (error.code() == ErrorCode::not_found) return needs_copy(std::string(error.message()));
    return error;
  }
  for (;;) {
    ASSIGN_OR_RETURN(const Bytes piece, response.read());
    if (piece.empty()) break;
    if (piece.size() > wanted.size - writer.size()) break;
    RETURN_IF_ERROR(writer.append(piece));
  }
  ASSIGN_OR_RETURN(const records::ObjectReference got, writer.finish());
  if (got.size != wanted.size || got.checksum != wanted.checksum) {
    return Error(ErrorCode::unavailable, "the leader sent other bytes than those of the object");
  }
  return got;
}

Result<void> ReplicaFollower::apply(Stream& stream) {
  if (stream.batch.empty()) return {};
  const uint64_t before = stream.followed.row.lsn;
  const Result<void> applied = apply_leader_batch(shared_.store, name(), stream.followed, stream.batch);
  if (stream.followed.row.lsn != before) {
    shared_.signal.notify(stream.followed.space.id);
    progress_->applied(stream.followed.row, stream.followed.row.lsn - before);
  }
  RETURN_IF_ERROR(applied);
  delay_us_ = shared_.limits.first_delay_us;
  for (const auto& object : stream.objects) object->keep();
  stream.objects.clear();
  stream.batch = LeaderBatch();
  note_progress(stream);
  return {};
}

void ReplicaFollower::note_progress(Stream& stream) {
  if (stream.is_live || stream.proof_is_due || stream.followed.row.position < stream.goal) return;
  stream.is_live = true;
  progress_->set_live();
}

}  // namespace strata::service
