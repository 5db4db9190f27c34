// What a job shows is kept within bounds, and longer when the job wants it remembered.
#include "driver/jobs/output_hub.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

v1::OutputRows RowsOf(std::int64_t batch_time_us, std::size_t bytes) {
  v1::OutputRows rows;
  rows.set_batch_time_us(batch_time_us);
  rows.add_rows(std::string(bytes, 'x'));
  return rows;
}

TEST(OutputHub, KeepsTheLastMiB) {
  OutputHub hub;
  for (std::int64_t t = 1; t <= 30; ++t) hub.AddRows(RowsOf(t, 100'000));
  const v1::RowsResponse kept = hub.Rows(0, 1'000);
  EXPECT_EQ(kept.rows_size(), 10);
  EXPECT_EQ(kept.rows(0).batch_time_us(), 21);
}

TEST(OutputHub, RemembersAsLongAsItIsTold) {
  OutputHub hub(/*remember_us=*/20);
  for (std::int64_t t = 1; t <= 100; ++t) hub.AddRows(RowsOf(t, 100'000));
  EXPECT_EQ(hub.Rows(0, 1'000).rows(0).batch_time_us(), 80);
  EXPECT_EQ(hub.Rows(85, 90).rows_size(), 6);
}

TEST(OutputHub, RemembersNoMoreThanItMay) {
  OutputHub hub(/*remember_us=*/1'000'000);
  for (std::int64_t t = 1; t <= 300; ++t) hub.AddRows(RowsOf(t, 100'000));
  const int kept = hub.Rows(0, 1'000).rows_size();
  EXPECT_GT(kept, 150);
  EXPECT_LT(kept, 170);
}

}  // namespace
}  // namespace millrace
