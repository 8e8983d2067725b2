// Every byte that this layer stores, compared with tests/golden/records.txt: a change of format does not go unnoticed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/hex.h"
#include "layers/records/apply.h"
#include "layers/records/log_record.h"
#include "layers/records/objects.h"
#include "layers/records/store_test.h"

namespace strata::records {
namespace {

// Long runs of a payload's only byte are shown by their length.
std::string shortened(const Bytes& value) {
  const size_t run = value.find(Bytes(1'000, 'x'));
  if (run == Bytes::npos) return to_hex(value);
  const size_t end = std::min(value.find_first_not_of('x', run), value.size());
  return to_hex(value.substr(0, run)) + "[" + std::to_string(end - run) + " x 78]" + to_hex(value.substr(end));
}

std::string with_stamps_named(std::string text, const std::vector<StoredLogRecord>& log) {
  for (size_t i = 0; i < log.size(); ++i) {
    const std::string stamp = to_hex(BytesView(log[i].stamp.data(), stamp_bytes));
    const std::string name = "<stamp " + std::to_string(i + 1) + ">";
    for (size_t at = 0; (at = text.find(stamp, at)) != std::string::npos;) text.replace(at, stamp.size(), name);
  }
  return text;
}

class Format : public RecordsTest {};

TEST_F(Format, IsTheGoldenOne) {
  const Bytes large(100'000, 'x');
  const auto write = [&](const std::vector<Operation>& operations) {
    run([&](kv::Transaction& transaction) { return apply(transaction, space_, operations, 1'700'000'000'000'000); });
  };
  write({{.type = OperationType::put_value, .key = "key", .value = "value"}});
  write({{.type = OperationType::put_value, .key = BytesView("\0\xFF", 2), .value = ""},
         {.type = OperationType::put_value, .key = "large", .value = large}});
  write({{.type = OperationType::put_row, .key = "row", .columns = {{"a", "1"}, {"b", ""}, {"c", large}}}});
  write({{.type = OperationType::put_row, .key = "bare"},
         {.type = OperationType::delete_value, .key = "none"},
         {.type = OperationType::delete_row, .key = "none"},
         {.type = OperationType::delete_columns, .key = "none", .columns = {{"a", ""}, {"b", ""}}}});
  const ObjectId server_run = test_object_id(0xEE);
  this->run([&](kv::Transaction& transaction) -> Result<void> {
    for (const int number : {1, 2, 3}) stage_object(transaction, space_, test_object_id(number), server_run);
    transaction.set(object_chunk_key(space_, test_object_id(1), 0), Bytes(object_chunk_bytes, 'x'));
    transaction.set(object_chunk_key(space_, test_object_id(1), 1), "end");
    return {};
  });
  const ObjectReference first{.id = test_object_id(1), .size = object_chunk_bytes + 3, .checksum = 0xCBF43926};
  write({{.type = OperationType::put_object, .key = "object", .object = first}});
  write({{.type = OperationType::put_object, .key = "object", .object = {.id = test_object_id(2)}},
         {.type = OperationType::put_object, .key = "brief", .object = {.id = test_object_id(4)}},
         {.type = OperationType::delete_object, .key = "brief"},
         {.type = OperationType::delete_object, .key = "none"}});
  const auto log =
      read([&](const kv::ReadTransaction& transaction) { return read_log(transaction, space_, nullptr, 100); });
  ASSERT_EQ(log.size(), 6u);
  std::string dumped;
  for (const auto& [key, value] : dump(database_, "", "\xFF")) dumped += to_hex(key) + " " + shortened(value) + "\n";
  dumped = with_stamps_named(dumped, log);

  if (std::getenv("STRATA_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(STRATA_GOLDEN_DIRECTORY "/records.txt") << dumped;
  }
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/records.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(dumped, golden.str());
}

}  // namespace
}  // namespace strata::records
