// What of service::Objects runs in the background and at the start: clearing bytes that nobody needs.
#include <algorithm>

#include "base/log.h"
#include "layers/records/namespaces.h"
#include "service/objects.h"

namespace strata::service {
namespace {

using records::Namespace;
using records::ReplacedObject;

// Of a page of rows: a transaction holds one.
constexpr size_t page_rows = 100;

// One range of keys, however many chunks: it costs no more than a key.
void clear_bytes(kv::Transaction& transaction, const Namespace& space, const records::ObjectId& id) {
  transaction.clear_prefix(records::object_data_key(space, id));
  transaction.clear(records::staged_object_key(space, id));
}

// The objects of the page that nobody reads, kept from readers while this lives.
class Clearing {
 public:
  Clearing(ObjectPins& pins, const std::vector<ReplacedObject>& page) : pins_(pins) {
    for (const ReplacedObject& object : page) {
      if (pins_.begin_clearing(object.id)) objects.push_back(&object);
    }
  }
  ~Clearing() {
    for (const ReplacedObject* object : objects) pins_.end_clearing(object->id);
  }
  Clearing(const Clearing&) = delete;
  Clearing& operator=(const Clearing&) = delete;

  std::vector<const ReplacedObject*> objects;

 private:
  ObjectPins& pins_;
};

}  // namespace

template <class Visit>
Result<void> Objects::visit_namespaces(Visit visit) {
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const auto spaces, database_.read([&](const kv::ReadTransaction& transaction) {
      return records::list_namespaces(transaction, after, page_rows);
    }));
    for (const auto& named : spaces) RETURN_IF_ERROR(visit(named.space));
    if (spaces.size() < page_rows) return {};
    after = spaces.back().name;
  }
}

Result<void> Objects::open() {
  RETURN_IF_ERROR(visit_namespaces([this](const Namespace& space) { return clear_leftovers(space); }));
  task_.start(options_.pass_interval_ms, [this] {
    // What fails is tried again by the next pass; an engine that stopped says so itself.
    static_cast<void>(run_pass().ok());
  });
  return {};
}

Result<void> Objects::clear_leftovers(const Namespace& space) {
  for (;;) {
    ASSIGN_OR_RETURN(const size_t cleared, database_.run([&](kv::Transaction& transaction) -> Result<size_t> {
      ASSIGN_OR_RETURN(const auto staged, records::read_staged_objects(transaction, space, nullptr, page_rows));
      for (const auto& object : staged) clear_bytes(transaction, space, object.id);
      return staged.size();
    }));
    if (cleared < page_rows) return {};
  }
}

Result<size_t> Objects::clear_abandoned() {
  size_t cleared = 0;
  for (AbandonedObjects::Object& object : abandoned_->take()) {
    const auto done = database_.run([&](kv::Transaction& transaction) -> Result<bool> {
      // Without the row a commit came through whose writer was not told.
      const Bytes row = records::staged_object_key(object.space, object.id);
      ASSIGN_OR_RETURN(const auto staged, transaction.get(row).get());
      if (staged) clear_bytes(transaction, object.space, object.id);
      return staged.has_value();
    });
    // Found again at the next start, by its row.
    if (!done.ok()) {
      log::warning("an abandoned object stays until the next start", {{"error", done.error().message()}});
      return done.error();
    }
    if (*done) ++cleared;
  }
  return cleared;
}

Result<size_t> Objects::clear_replaced(const Namespace& space) {
  std::optional<ReplacedObject> after;
  size_t cleared = 0;
  for (;;) {
    std::vector<ReplacedObject> page;
    const auto read = database_.read([&](const kv::ReadTransaction& transaction) -> Result<void> {
      ASSIGN_OR_RETURN(page, records::read_replaced_objects(transaction, space, after ? &*after : nullptr, page_rows));
      if (page.empty()) return {};
      ASSIGN_OR_RETURN(const auto first, records::first_log_stamp(transaction, space));
      // Records of the log name these and the ones behind them.
      const auto named = std::find_if(page.begin(), page.end(), [&](const ReplacedObject& object) {
        return first && records::view(object.stamp) >= records::view(*first);
      });
      page.erase(named, page.end());
      return {};
    });
    RETURN_IF_ERROR(read);
    const Clearing clearing(*pins_, page);
    const auto done = database_.run([&](kv::Transaction& transaction) -> Result<void> {
      for (const ReplacedObject* object : clearing.objects) {
        transaction.clear(records::replaced_object_key(space, object->stamp, object->id));
        // Put again meanwhile, by a log that was replayed: then it is in use.
        ASSIGN_OR_RETURN(const auto head, records::read_object_head(transaction, space, object->key));
        if (!head || head->reference.id != object->id) clear_bytes(transaction, space, object->id);
      }
      return {};
    });
    RETURN_IF_ERROR(done);
    cleared += clearing.objects.size();
    if (page.size() < page_rows) return cleared;
    after = page.back();
  }
}

Result<size_t> Objects::run_pass() {
  // Whoever asks for one waits for the one that runs: what that has taken on is then cleared too.
  std::lock_guard lock(pass_mutex_);
  ASSIGN_OR_RETURN(size_t cleared, clear_abandoned());
  RETURN_IF_ERROR(visit_namespaces([&](const Namespace& space) -> Result<void> {
    ASSIGN_OR_RETURN(const size_t count, clear_replaced(space));
    cleared += count;
    return {};
  }));
  return cleared;
}

}  // namespace strata::service
