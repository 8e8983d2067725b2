#include "layers/records/follow_rows.h"

#include <fstream>
#include <sstream>

#include "base/hex.h"
#include "layers/records/store_test.h"

namespace strata::records {
namespace {

class FollowRows : public RecordsTest {
 protected:
  static FollowRow example() {
    FollowRow row{.log_id = "000102030405060708090a0b0c0d0e0f-7",
                  .position = {3, 1'000'000},
                  .lsn = 70'000,
                  .before = {2, 16'777'000},
                  .wall_us = 1'700'000'000'000'000};
    row.stamp = {0, 1, 2, 3, 4, 5, 6, 7, 8, '\xFF'};
    return row;
  }
};

TEST_F(FollowRows, AreTheGoldenOnes) {
  run([&](kv::Transaction& transaction) -> Result<void> {
    write_follow_row(transaction, space_, example());
    write_store_role(transaction, {.role = StoreRole::promoted, .since_us = 1'700'000'000'000'001});
    return {};
  });
  std::string dumped;
  for (const Bytes& key : {store_role_key(), follow_key(space_)}) {
    dumped += to_hex(key) + " " + to_hex(dump(database_, key, key_after(key)).at(key)) + "\n";
  }
  std::ifstream file(STRATA_GOLDEN_DIRECTORY "/follow.txt");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(dumped, golden.str());
}

TEST_F(FollowRows, ComeBack) {
  EXPECT_EQ(read([&](const kv::ReadTransaction& reader) { return read_follow_row(reader, space_); }), std::nullopt);
  EXPECT_EQ(read([](const kv::ReadTransaction& reader) { return read_store_role(reader); }), std::nullopt);
  const StoreRoleRow role{.role = StoreRole::replica, .since_us = 5};
  run([&](kv::Transaction& transaction) -> Result<void> {
    write_follow_row(transaction, space_, example());
    write_store_role(transaction, role);
    return {};
  });
  EXPECT_EQ(read([&](const kv::ReadTransaction& reader) { return read_follow_row(reader, space_); }), example());
  EXPECT_EQ(read([](const kv::ReadTransaction& reader) { return read_store_role(reader); }), role);
  EXPECT_EQ(decode_follow_row(encode_follow_row({.log_id = "x"})).value(), (FollowRow{.log_id = "x"}));
}

TEST_F(FollowRows, BrokenOnesAreCorruption) {
  const Bytes row = encode_follow_row({.log_id = "x"});
  const Bytes role = encode_store_role({});
  for (const Bytes& bytes :
       {Bytes(), row.substr(0, row.size() - 1), "\x02" + row.substr(1), row + Bytes(max_log_id_bytes, 'x')}) {
    EXPECT_EQ(decode_follow_row(bytes).error().code(), ErrorCode::corruption);
  }
  for (const Bytes& bytes : {Bytes(), role + "x", role.substr(1), "\x02" + role.substr(1), "\x01\x03" + role.substr(2),
                             Bytes("\x01\x00", 2) + role.substr(2)}) {
    EXPECT_EQ(decode_store_role(bytes).error().code(), ErrorCode::corruption);
  }
}

}  // namespace
}  // namespace strata::records
