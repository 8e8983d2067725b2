#include "serializability/history_checker.h"

#include <gtest/gtest.h>

namespace strata::serializability {
namespace {

using Outcome = RecordedTransaction::Outcome;

Operation append(uint32_t key, Element element) { return {Operation::Kind::append, key, element, {}}; }
Operation read(uint32_t key, List list) { return {Operation::Kind::read, key, 0, std::move(list)}; }

// All at the same time, so that real time orders nothing.
RecordedTransaction together(std::vector<Operation> operations, Outcome outcome = Outcome::committed) {
  return {outcome, 1, 1'000, std::move(operations)};
}

std::string name_of(const History& history, const FinalLists& final_lists) {
  const auto anomaly = find_anomaly(history, final_lists);
  return anomaly ? anomaly->name : "none";
}

TEST(HistoryChecker, FindsNothingWhereNothingIs) {
  EXPECT_EQ(name_of({}, {}), "none");
  EXPECT_EQ(name_of({together({append(1, 1), read(2, {})}), together({read(1, {1}), append(2, 2)}),
                     together({read(1, {}), read(2, {})}), together({append(1, 3), append(1, 4), read(1, {1, 3, 4})})},
                    {{1, {1, 3, 4}}, {2, {2}}}),
            "none");
}

TEST(HistoryChecker, FailedAndUnknownTransactions) {
  EXPECT_EQ(name_of({together({append(1, 1)}, Outcome::failed)}, {}), "none");
  EXPECT_EQ(name_of({together({append(1, 1)}, Outcome::unknown)}, {}), "none");
  EXPECT_EQ(name_of({together({append(1, 1)}, Outcome::unknown), together({read(1, {1})})}, {{1, {1}}}), "none");
  EXPECT_EQ(name_of({together({append(1, 1)}, Outcome::failed)}, {{1, {1}}}), "aborted write");
  EXPECT_EQ(name_of({together({append(1, 1)}, Outcome::failed), together({read(1, {1})})}, {}), "aborted read");
  // What a failed transaction read is not held against anybody.
  EXPECT_EQ(name_of({together({append(1, 1)}), together({read(1, {7})}, Outcome::failed)}, {{1, {1}}}), "none");
}

TEST(HistoryChecker, ListsThatCannotBe) {
  EXPECT_EQ(name_of({together({append(1, 1)})}, {}), "lost append");
  EXPECT_EQ(name_of({together({append(1, 1)})}, {{1, {1, 1}}}), "duplicate");
  EXPECT_EQ(name_of({together({append(1, 1)})}, {{1, {1, 2}}}), "garbage");
  EXPECT_EQ(name_of({together({append(1, 1)}), together({read(1, {2})})}, {{1, {1}}}), "garbage read");
  EXPECT_EQ(name_of({together({append(1, 1)}), together({append(1, 2)}), together({read(1, {2})})}, {{1, {1, 2}}}),
            "incompatible order");
  EXPECT_EQ(name_of({together({append(1, 1), append(1, 2)}), together({read(1, {1})})}, {{1, {1, 2}}}),
            "intermediate read");
  EXPECT_EQ(name_of({together({append(1, 1), read(1, {})})}, {{1, {1}}}), "internal");
  EXPECT_EQ(name_of({together({append(1, 1)}), together({read(1, {}), read(1, {1})})}, {{1, {1}}}), "internal");
}

TEST(HistoryChecker, Cycles) {
  // Two transactions, each before the other in one of two lists.
  EXPECT_EQ(name_of({together({append(1, 1), append(2, 2)}), together({append(1, 3), append(2, 4)})},
                    {{1, {1, 3}}, {2, {4, 2}}}),
            "G0");
  // Each read what the other wrote.
  EXPECT_EQ(
      name_of({together({append(1, 1), read(2, {2})}), together({append(2, 2), read(1, {1})})}, {{1, {1}}, {2, {2}}}),
      "G1c");
  // A lost update: both appended to what both had read.
  EXPECT_EQ(name_of({together({read(1, {}), append(1, 1)}), together({read(1, {}), append(1, 2)})}, {{1, {1, 2}}}),
            "G-single");
  // One of two writes of a transaction was seen.
  EXPECT_EQ(
      name_of({together({append(1, 1), append(2, 2)}), together({read(1, {1}), read(2, {})})}, {{1, {1}}, {2, {2}}}),
      "G-single");
  // Write skew.
  EXPECT_EQ(
      name_of({together({read(1, {}), append(2, 2)}), together({read(2, {}), append(1, 1)})}, {{1, {1}}, {2, {2}}}),
      "G2");
}

TEST(HistoryChecker, RealTimeCounts) {
  const RecordedTransaction writer{Outcome::committed, 1, 2, {append(1, 1)}};
  const RecordedTransaction late_reader{Outcome::committed, 3, 4, {read(1, {})}};
  const RecordedTransaction early_reader{Outcome::committed, 1, 4, {read(1, {})}};
  EXPECT_EQ(name_of({writer, early_reader}, {{1, {1}}}), "none");
  EXPECT_EQ(name_of({writer, late_reader}, {{1, {1}}}), "G-single in real time");
  // With others in between.
  EXPECT_EQ(name_of({writer, {Outcome::committed, 3, 4, {read(9, {})}}, {Outcome::committed, 5, 6, {read(1, {})}}},
                    {{1, {1}}}),
            "G-single in real time");
}

TEST(HistoryChecker, NamesTheTransactionsOfTheShortestCycle) {
  History history;
  FinalLists lists;
  for (Element i = 1; i <= 50; ++i) {
    history.push_back(together({append(1, i)}));
    lists[1].push_back(i);
  }
  history.push_back(together({read(2, {}), read(1, {lists[1].begin(), lists[1].begin() + 20})}));
  history.push_back(together({append(2, 100), append(1, 101)}));
  lists[2] = {100};
  lists[1].insert(lists[1].begin() + 20, 101);
  history.push_back(together({read(2, {100}), read(1, {lists[1].begin(), lists[1].begin() + 20})}));
  const auto anomaly = find_anomaly(history, lists);
  ASSERT_TRUE(anomaly.has_value());
  EXPECT_EQ(anomaly->name, "G-single");
  EXPECT_EQ(anomaly->transactions.size(), 2u);
  EXPECT_NE(anomaly->description.find("append 100 to 2"), std::string::npos) << anomaly->description;
}

}  // namespace
}  // namespace strata::serializability
