// The log from outside and from a disk that lies. The first byte chooses:
//   0 to 3: a row of a segment, a checkpoint, what a replica remembers, its role: accepted is only what is written so;
//   4: parameters and headers of GET /log, a line each;
//   5: keys of a namespace (frames of a type, a length and so many bytes), over which the service reads, seals, passes
//      and drops: it answers or says corruption, ends, and what it hands out is in order.
#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/assert.h"
#include "base/log.h"
#include "engine/memory/memory_engine.h"
#include "faces/rest/log_query.h"
#include "kv/database.h"
#include "layers/records/follow_rows.h"
#include "layers/records/namespaces.h"
#include "layers/records/staged_operations.h"
#include "service/log.h"

namespace {

using namespace strata;
using records::Namespace;

template <class Decoded, class Encode>
void check_exact(const Decoded& decoded, BytesView input, Encode encode) {
  if (decoded.ok()) STRATA_ASSERT(encode(*decoded) == input);
}

std::optional<BytesView> take_line(BytesView& rest) {
  if (rest.empty()) return std::nullopt;
  const BytesView line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), line.size() + 1));
  // "-": it is absent, and others may follow.
  return line == "-" ? std::nullopt : std::optional(line);
}

void fuzz_query(BytesView rest) {
  rest::LogQueryText text;
  for (auto* field : {&text.after_segment, &text.after_offset, &text.limit, &text.follow, &text.log, &text.accept,
                      &text.last_event_id}) {
    *field = take_line(rest);
  }
  const auto query = rest::parse_log_query(text);
  if (!query.ok()) {
    STRATA_ASSERT(query.error().code() == ErrorCode::invalid_argument && !query.error().message().empty());
    return;
  }
  const bool by_event = query->events && text.last_event_id && !text.last_event_id->empty();
  if (by_event) {
    const std::string id = std::to_string(query->after->segment) + ":" + std::to_string(query->after->offset);
    STRATA_ASSERT(id == *text.last_event_id);
  } else if (text.after_segment) {
    STRATA_ASSERT(std::to_string(query->after->segment) == *text.after_segment);
  }
  STRATA_ASSERT(!text.limit || std::to_string(query->limit) == *text.limit);
}

records::Stamp stamp_of(BytesView& rest) {
  records::Stamp stamp{};
  for (size_t i = 0; i < 2 && !rest.empty(); ++i) {
    stamp[stamp.size() - 2 + i] = rest[0];
    rest.remove_prefix(1);
  }
  return stamp;
}

uint8_t take_byte(BytesView& rest) {
  if (rest.empty()) return 0;
  const auto byte = static_cast<uint8_t>(rest[0]);
  rest.remove_prefix(1);
  return byte;
}

const records::TransactionId transaction_id{};

// One frame: what it puts under which key of the namespace.
void put_frame(kv::Transaction& transaction, const Namespace& space, uint8_t type, BytesView rest) {
  switch (type % 6) {
    case 0: {
      // Numbers around the first ones, and around the largest.
      const auto number = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(take_byte(rest))));
      return transaction.set(records::log_segment_key(space, number), rest);
    }
    case 1:
      return transaction.set(records::log_checkpoint_key(space), rest);
    case 2: {
      const records::Stamp stamp = stamp_of(rest);
      return transaction.set(records::log_key(space, stamp, take_byte(rest) % 4), rest);
    }
    case 3: {
      const records::Stamp stamp = stamp_of(rest);
      const records::Operation operation{.type = records::OperationType::put_value, .key = "k", .value = rest};
      return transaction.set(records::log_key(space, stamp, 0),
                             records::encode_log_record(0, std::span(&operation, 1)));
    }
    case 4: {
      const uint8_t sequence = take_byte(rest) % 4;
      return transaction.set(records::staged_operation_key(space, transaction_id, sequence, take_byte(rest) % 4), rest);
    }
    default: {
      // A row that is right but for what it says.
      const uint64_t number = take_byte(rest);
      const records::Stamp after = stamp_of(rest);
      records::LogSegment segment{.number = number + 1, .after = after, .limit_bytes = take_byte(rest)};
      segment.totals_known = take_byte(rest) % 2 == 0;
      if (segment.totals_known) segment.before.records = take_byte(rest);
      if (segment.totals_known) segment.previous_bytes = take_byte(rest);
      return records::write_log_segment(transaction, space, segment);
    }
  }
}

void read_everything(service::Log& log, std::optional<service::LogPosition> after) {
  auto reader = log.read({}, {.name_space = "default", .after = after, .log_id = {}});
  if (!reader.ok()) return;
  service::LogPosition last = reader->position();
  uint64_t lsn = 0;
  for (;;) {
    const auto batch = reader->next({}, {.records = 3});
    if (!batch.ok() || batch->entries.empty()) return;
    for (const service::LogEntry& entry : batch->entries) {
      STRATA_ASSERT(last < entry.position && (lsn == 0 || entry.lsn == lsn + 1));
      last = entry.position;
      lsn = entry.lsn;
    }
  }
}

void fuzz_store(BytesView rest) {
  kv::Database database(std::make_shared<kv::MemoryEngine>());
  const auto filled = database.run([&](kv::Transaction& transaction) -> Result<Namespace> {
    ASSIGN_OR_RETURN(const auto made, records::ensure_namespace(transaction, "default", 1));
    for (BytesView left = rest; left.size() >= 2;) {
      const uint8_t type = take_byte(left);
      const BytesView payload = left.substr(1, static_cast<uint8_t>(left[0]));
      left.remove_prefix(1 + payload.size());
      put_frame(transaction, made.space, type, payload);
    }
    return made.space;
  });
  STRATA_ASSERT(filled.ok());
  service::LogSignal signal;
  ManualClock clock;
  service::Log log(database, signal,
                   {.clock = &clock, .segment_bytes = 200, .retention_bytes = 1'000, .pass_interval_us = 0});
  STRATA_ASSERT(log.open().ok());
  read_everything(log, std::nullopt);
  for (const service::LogPosition after : {service::LogPosition{0, 0}, {1, 0}, {1, 30}, {2, 0}, {2, 60}}) {
    read_everything(log, after);
  }
  static_cast<void>(log.sealed_segments({}, "default", 0, 5).ok());
  static_cast<void>(log.seal({}, "default").ok());
  log.run_pass(true);
  read_everything(log, std::nullopt);
  static_cast<void>(log.pin({}, "default", {1, 0}).ok());
  const auto staged = database.read([&](const kv::ReadTransaction& transaction) {
    return records::read_staged(transaction, *filled, transaction_id, 2);
  });
  STRATA_ASSERT(staged.ok() ? staged->operations.size() == 2 : staged.error().code() == ErrorCode::corruption);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = (log::configure(log::Format::pretty, log::Level::off), true);
  static_cast<void>(quiet);
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {
    case 0:
      check_exact(records::decode_log_segment(1, input), input, records::encode_log_segment);
      break;
    case 1:
      check_exact(records::decode_log_checkpoint(input), input, records::encode_log_checkpoint);
      break;
    case 2:
      check_exact(records::decode_follow_row(input), input, records::encode_follow_row);
      break;
    case 3:
      check_exact(records::decode_store_role(input), input, records::encode_store_role);
      break;
    case 4:
      fuzz_query(input);
      break;
    default:
      fuzz_store(input);
  }
  return 0;
}
