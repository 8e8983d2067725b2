#include "layers/documents/batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "layers/documents/document_text.h"

namespace strata::documents {
namespace {

// Reads that are under way at once; what they brought is held no longer than the window is worked on.
constexpr size_t window_keys = 256;

// What the batch does to one key.
struct Change {
  BytesView key;
  bool deletes = false;
  const Insert* insert = nullptr;
  // Into Plan::transforms.
  size_t first_transform = 0;
  size_t transforms = 0;
};

struct Plan {
  std::vector<Change> changes;  // by key, each once
  std::vector<const Transform*> transforms;
};

Plan make_plan(const Batch& batch) {
  Plan plan;
  std::vector<Change> single;
  single.reserve(batch.deletes.size() + batch.inserts.size() + batch.transforms.size());
  for (const BytesView key : batch.deletes) single.push_back({.key = key, .deletes = true});
  for (const Insert& insert : batch.inserts) single.push_back({.key = insert.key, .insert = &insert});
  for (size_t i = 0; i < batch.transforms.size(); ++i) {
    single.push_back({.key = batch.transforms[i].key, .first_transform = i, .transforms = 1});
  }
  // In the order of the request where keys are the same: first_transform tells it, and nothing else needs it.
  std::ranges::sort(single, [](const Change& a, const Change& b) {
    return a.key != b.key ? a.key < b.key : a.first_transform < b.first_transform;
  });
  plan.transforms.reserve(batch.transforms.size());
  for (const Change& next : single) {
    if (plan.changes.empty() || plan.changes.back().key != next.key) {
      plan.changes.push_back({.key = next.key, .first_transform = plan.transforms.size()});
    }
    Change& change = plan.changes.back();
    change.deletes = change.deletes || next.deletes;
    if (next.insert) change.insert = next.insert;
    if (next.transforms > 0) {
      plan.transforms.push_back(&batch.transforms[next.first_transform]);
      ++change.transforms;
    }
  }
  return plan;
}

class Applier {
 public:
  Applier(kv::Transaction& transaction, const Table& table, const Plan& plan, const BatchContext& context)
      : transaction_(transaction), table_(table), plan_(plan), context_(context) {
    work_.now = format_time(context.wall_us);
  }

  Result<void> apply(const Change& change, std::optional<BytesView> stored) {
    std::optional<DocumentHead> old;
    if (stored) {
      ASSIGN_OR_RETURN(old, parse_head(*stored));
    }
    if (change.transforms > 0) return transform(change, old);
    if (!change.insert) return write_document(transaction_, table_, change.key, old, std::nullopt);
    return store(change.key, old, change.insert->text);
  }

 private:
  Result<void> store(BytesView key, const std::optional<DocumentHead>& old, BytesView text) {
    RETURN_IF_ERROR(check_schema(context_.schema, key, text));
    return write_document(transaction_, table_, key, old, text);
  }

  // The tree that the transforms begin with; nullopt: there is no document.
  Result<std::optional<Value>> tree_before(const Change& change, const std::optional<DocumentHead>& old) {
    Bytes large;
    BytesView text;
    if (change.insert) {
      text = change.insert->text;
    } else if (old && !change.deletes) {
      if (old->chunked) {
        ASSIGN_OR_RETURN(large, read_text(transaction_, table_, change.key, *old));
      }
      text = old->chunked ? BytesView(large) : old->text;
    } else {
      return std::optional<Value>();
    }
    ASSIGN_OR_RETURN(Value tree, parse_stored_value(text));
    return std::optional<Value>(std::move(tree));
  }

  Result<void> transform(const Change& change, const std::optional<DocumentHead>& old) {
    ASSIGN_OR_RETURN(std::optional<Value> tree, tree_before(change, old));
    bool changed = false;
    for (size_t i = 0; i < change.transforms; ++i) {
      const Transform& transform = *plan_.transforms[change.first_transform + i];
      if (!tree && !transform.upsert) continue;
      if (!tree) tree.emplace(Value{Object()});
      changed = true;
      for (const TransformOperation& operation : transform.operations) {
        const Result<void> applied = apply_transform(*tree, operation, work_);
        if (!applied.ok()) return about_document(change.key, applied.error());
      }
    }
    if (!tree) {
      return change.deletes ? write_document(transaction_, table_, change.key, old, std::nullopt) : Result<void>();
    }
    if (!changed && !change.insert) return {};
    if (depth_of(*tree) > max_document_depth) {
      return about_document(change.key, Error(ErrorCode::invalid_argument,
                                              fmt::format("is nested deeper than {} levels", max_document_depth)));
    }
    Bytes text;
    append_json(text, *tree);
    if (text.size() > context_.document_limit_bytes) {
      return about_document(
          change.key, Error(ErrorCode::payload_too_large, fmt::format("has {} bytes, at most {} are possible",
                                                                      text.size(), context_.document_limit_bytes)));
    }
    return store(change.key, old, text);
  }

  kv::Transaction& transaction_;
  const Table& table_;
  const Plan& plan_;
  const BatchContext& context_;
  TransformContext work_;
};

}  // namespace

Error about_document(BytesView key, const Error& error) {
  return Error(error.code(), fmt::format("document {}: {}", printable(key), error.message()));
}

Result<void> check_schema(const Schema* schema, BytesView key, BytesView text) {
  if (!schema) return {};
  ASSIGN_OR_RETURN(const auto document, parse_stored(text));
  const Result<void> valid = schema->validate(document);
  if (!valid.ok()) return about_document(key, valid.error());
  return {};
}

std::string format_time(int64_t wall_us) {
  const std::time_t seconds = wall_us / 1'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, wall_us % 1'000'000);
}

Result<void> apply_batch(kv::Transaction& transaction, const Table& table, const Batch& batch,
                         const BatchContext& context) {
  const Plan plan = make_plan(batch);
  Applier applier(transaction, table, plan, context);
  std::vector<BytesView> keys;
  for (size_t begin = 0; begin < plan.changes.size(); begin += window_keys) {
    const size_t end = std::min(plan.changes.size(), begin + window_keys);
    keys.clear();
    for (size_t i = begin; i < end; ++i) keys.push_back(plan.changes[i].key);
    ASSIGN_OR_RETURN(const StoredHeads heads, StoredHeads::read(transaction, table, keys));
    for (size_t i = begin; i < end; ++i) {
      RETURN_IF_ERROR(applier.apply(plan.changes[i], heads.stored(i - begin)));
    }
  }
  return {};
}

}  // namespace strata::documents
