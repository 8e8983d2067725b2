// What of VectorCollections runs at the start: from images, logs and keys to views.
#include <algorithm>
#include <map>

#include "base/log.h"
#include "service/vector_collections.h"
#include "service/vector_image.h"

namespace strata::service {
namespace {

using vectors::VectorEntity;

// Of vectors that are read and built into the graph at once.
constexpr size_t page_bytes = 8u << 20;

// All rows of one kind of a collection: visit(id, value), a page a transaction.
template <class Visit>
Result<void> visit_rows(const kv::Database& database, const vectors::Collection& collection, VectorEntity entity,
                        uint64_t from, uint64_t upto, Visit visit) {
  const Bytes end = key_after(vectors::entity_key(collection.prefix, entity, upto));
  Bytes begin = vectors::entity_key(collection.prefix, entity, from);
  for (;;) {
    ASSIGN_OR_RETURN(const kv::RangePage page, database.read([&](const kv::ReadTransaction& transaction) {
      return transaction.get_range(begin, end, {.mode = kv::StreamingMode::serial}).get();
    }));
    for (size_t at = 0; at < page.rows.size(); ++at) {
      ASSIGN_OR_RETURN(const uint64_t id, vectors::number_of(collection.prefix, entity, page.rows.key(at)));
      RETURN_IF_ERROR(visit(id, page.rows.value(at)));
    }
    if (!page.more || page.rows.empty()) return {};
    begin = key_after(page.rows.key(page.rows.size() - 1));
  }
}

}  // namespace

void VectorCollections::recover_all(std::vector<std::shared_ptr<VectorCollection>> collections) {
  for (const auto& collection : collections) {
    if (stopping_) {
      collection->set_failed(Error(ErrorCode::unavailable, "the server is stopping"));
      continue;
    }
    const int64_t begin_us = options_.clock->steady_us();
    const Result<RecoveryPath> path = recover(collection);
    if (!path.ok()) {
      log::error("a collection cannot be recovered",
                 {{"collection", collection->name()}, {"error", path.error().message()}});
      collection->set_failed(path.error());
      continue;
    }
    log::info("collection ready", {{"collection", collection->name()},
                                   {"vectors", collection->view().size()},
                                   {"from", recovery_path_name(*path)},
                                   {"ms", (options_.clock->steady_us() - begin_us) / 1'000}});
    collection->set_ready(*path);
  }
  recovered_us_ = options_.clock->steady_us();
}

Result<RecoveryPath> VectorCollections::recover(const std::shared_ptr<VectorCollection>& collection) {
  struct Rows {
    vectors::Counters counters;
    std::optional<vectors::ImageRow> image;
  };
  ASSIGN_OR_RETURN(const Rows rows, database_.read([&](const kv::ReadTransaction& transaction) -> Result<Rows> {
    Rows found;
    ASSIGN_OR_RETURN(found.counters, vectors::read_counters(transaction, collection->row()));
    ASSIGN_OR_RETURN(found.image, vectors::read_image_row(transaction, collection->row()));
    return found;
  }));
  const uint64_t current = rows.counters.next_lsn - 1;
  if (rows.image) {
    collection->image_lsn = rows.image->lsn;
    collection->image_number = rows.image->image;
  }
  if (rows.image && rows.image->image != 0 && !collection->directory().empty() && rows.image->lsn <= current) {
    const Result<bool> recovered = recover_from_image(collection, *rows.image);
    if (recovered.ok() && *recovered) {
      const bool replayed = rows.image->lsn != current;
      return replayed ? RecoveryPath::snapshot_plus_wal : RecoveryPath::snapshot_only;
    }
    log::warning("an image of a collection is not what it should be: the index is built anew from the vectors",
                 {{"collection", collection->name()},
                  {"error", recovered.ok() ? "it holds other vectors" : recovered.error().message()}});
  }
  if (!collection->directory().empty()) remove_other_images(collection->directory(), 0);
  collection->image_lsn = 0;
  RETURN_IF_ERROR(rebuild(collection));
  return current == 0 ? RecoveryPath::none : RecoveryPath::full_wal_replay;
}

Result<bool> VectorCollections::recover_from_image(const std::shared_ptr<VectorCollection>& collection,
                                                   const vectors::ImageRow& row) {
  ASSIGN_OR_RETURN(OpenedView opened, open_image(collection->directory(), collection->row(), row));
  remove_other_images(collection->directory(), row.image);
  const std::shared_ptr<VectorView> view = std::move(opened.view);
  collection->attach(view, make_writer(collection->row(), view));
  RETURN_IF_ERROR(load_deferrals(*collection));
  RETURN_IF_ERROR(load_thresholds(*collection));
  RETURN_IF_ERROR(collection->writer().reconcile(opened.missing, row.lsn));
  RETURN_IF_ERROR(collection->writer().catch_up());
  return is_whole(*collection);
}

// The number of vectors is counted by the writers; a view that has another number of them is not right.
Result<bool> VectorCollections::is_whole(VectorCollection& collection) {
  ASSIGN_OR_RETURN(const vectors::Counters counters, database_.read([&](const kv::ReadTransaction& transaction) {
    return vectors::read_counters(transaction, collection.row());
  }));
  return collection.view().count() == counters.count && collection.view().applied_lsn() + 1 == counters.next_lsn;
}

Result<void> VectorCollections::load_deferrals(VectorCollection& collection) {
  return visit_rows(database_, collection.row(), VectorEntity::deferred, 0, UINT64_MAX,
                    [&](uint64_t id, BytesView value) -> Result<void> {
                      ASSIGN_OR_RETURN(const auto deferral, vectors::decode_deferral(value));
                      collection.view().load_deferral(id, deferral);
                      return {};
                    });
}

Result<void> VectorCollections::load_thresholds(VectorCollection& collection) {
  return visit_rows(database_, collection.row(), VectorEntity::threshold, 0, UINT64_MAX,
                    [&](uint64_t id, BytesView value) -> Result<void> {
                      ASSIGN_OR_RETURN(const float threshold, vectors::decode_threshold(value));
                      const VectorChange change{
                          .kind = VectorChange::Kind::threshold, .id = id, .threshold = threshold};
                      collection.view().apply(std::span(&change, 1), 0);
                      return {};
                    });
}

Result<void> VectorCollections::rebuild(const std::shared_ptr<VectorCollection>& collection) {
  const vectors::Collection& row = collection->row();
  RETURN_IF_ERROR(attach_empty_view(*collection));
  ASSIGN_OR_RETURN(const vectors::Counters counters, database_.read([&](const kv::ReadTransaction& transaction) {
    return vectors::read_counters(transaction, row);
  }));
  RETURN_IF_ERROR(load_deferrals(*collection));
  RETURN_IF_ERROR(load_thresholds(*collection));
  for (uint64_t from = 0;;) {
    if (stopping_) return Error(ErrorCode::unavailable, "the server is stopping");
    ASSIGN_OR_RETURN(const auto page, database_.read([&](const kv::ReadTransaction& transaction) {
      return vectors::read_vectors_from(transaction, row, from, page_bytes);
    }));
    if (page.empty()) break;
    std::map<uint64_t, Metadata> metadata;
    RETURN_IF_ERROR(visit_rows(database_, row, VectorEntity::metadata, page.front().id, page.back().id,
                               [&](uint64_t id, BytesView value) -> Result<void> {
                                 ASSIGN_OR_RETURN(metadata[id], vectors::decode_metadata(value));
                                 return {};
                               }));
    std::vector<VectorChange> puts;
    puts.reserve(page.size());
    for (const vectors::StoredRow& stored : page) {
      const vectors::Deferral deferral = collection->view().deferral_of(stored.id);
      if (deferral.index) continue;
      puts.push_back(
          {.id = stored.id, .values = stored.values, .metadata = &metadata[stored.id], .deferral = deferral});
    }
    RETURN_IF_ERROR(collection->view().build(puts, static_cast<uint32_t>(workers_.threads())));
    if (page.back().id == UINT64_MAX) break;
    from = page.back().id + 1;
  }
  collection->view().apply({}, counters.next_lsn - 1);
  RETURN_IF_ERROR(collection->writer().catch_up());
  return {};
}

}  // namespace strata::service
