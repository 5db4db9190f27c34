#include "tests/connectors/collect.h"

namespace millrace {
namespace {

TEST(RowBuffer, KeepsCopiesOfManyRows) {
  RowBuffer buffer;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "key" + std::to_string(i);
    const std::string value(static_cast<std::size_t>(i % 97), 'v');
    const engine::SinkRow row{key, value, true};
    buffer.Append({&row, 1});
  }
  ASSERT_EQ(buffer.rows().size(), 20'000u);
  for (int i = 0; i < 20'000; ++i) {
    const engine::SinkRow& row = buffer.rows()[static_cast<std::size_t>(i)];
    ASSERT_EQ(row.key, "key" + std::to_string(i));
    ASSERT_EQ(row.value, std::string(static_cast<std::size_t>(i % 97), 'v'));
  }
}

TEST(RowBuffer, TakesRowsLargerThanABlockAndEmptyOnes) {
  RowBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  const std::string large(1'000'000, 'x');
  const engine::SinkRow rows[] = {{"", "", false}, {"k", large, true}, {"ignored", "z", false}};
  buffer.Append(rows);
  EXPECT_EQ(buffer.rows()[0].value, "");
  EXPECT_EQ(buffer.rows()[1].value, large);
  EXPECT_FALSE(buffer.rows()[2].has_key);
  EXPECT_EQ(buffer.bytes(), large.size() + 2);
}

}  // namespace
}  // namespace millrace
