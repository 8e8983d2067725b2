#include "engine/rocksdb/value_usage.h"

#include "engine/rocksdb/store.h"
#include "engine/rocksdb/value_reference.h"

namespace strata::kv {
namespace {

constexpr const char* property_name = "strata.values";
constexpr size_t entry_bytes = 16;

class Collector final : public rocksdb::TablePropertiesCollector {
 public:
  rocksdb::Status AddUserKey(const rocksdb::Slice&, const rocksdb::Slice& value, rocksdb::EntryType type,
                             rocksdb::SequenceNumber, uint64_t) override {
    if (type != rocksdb::kEntryPut || !is_reference(to_view(value))) return {};
    const ValueReference reference = decode_reference(to_view(value));
    usage_[reference.file] += reference.size;
    return {};
  }
  rocksdb::Status Finish(rocksdb::UserCollectedProperties* properties) override {
    Bytes encoded;
    for (const auto& [file, bytes] : usage_) {
      append_le64(encoded, file);
      append_le64(encoded, bytes);
    }
    properties->emplace(property_name, std::move(encoded));
    return {};
  }
  rocksdb::UserCollectedProperties GetReadableProperties() const override {
    return {{property_name, std::to_string(usage_.size())}};
  }
  const char* Name() const override { return "StrataValueUsage"; }

 private:
  ValueUsage usage_;
};

class Factory final : public rocksdb::TablePropertiesCollectorFactory {
 public:
  rocksdb::TablePropertiesCollector* CreateTablePropertiesCollector(Context) override { return new Collector(); }
  const char* Name() const override { return "StrataValueUsageFactory"; }
};

}  // namespace

std::shared_ptr<rocksdb::TablePropertiesCollectorFactory> value_usage_collector() {
  return std::make_shared<Factory>();
}

std::optional<ValueUsage> value_usage_of(const rocksdb::TableProperties& table) {
  const auto found = table.user_collected_properties.find(property_name);
  if (found == table.user_collected_properties.end()) return std::nullopt;
  ValueUsage usage;
  for (BytesView left = found->second; left.size() >= entry_bytes; left.remove_prefix(entry_bytes)) {
    usage[read_le64(left)] += read_le64(left.substr(8));
  }
  return usage;
}

Result<ValueUsage> value_usage(rocksdb::DB& db) {
  rocksdb::TablePropertiesCollection tables;
  const rocksdb::Status status = db.GetPropertiesOfAllTables(&tables);
  if (!status.ok()) return to_error(status);
  ValueUsage sum;
  for (const auto& [name, properties] : tables) {
    const std::optional<ValueUsage> usage = value_usage_of(*properties);
    if (!usage) continue;
    for (const auto& [file, bytes] : *usage) sum[file] += bytes;
  }
  return sum;
}

}  // namespace strata::kv
