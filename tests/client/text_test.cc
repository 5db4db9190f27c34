// What the command line makes of numbers, times and rows.
#include <gtest/gtest.h>

#include "client/cli/exit_code.h"
#include "client/cli/follow_printer.h"
#include "client/cli/human.h"
#include "client/cli/table.h"
#include "tests/client/control_server.h"

namespace millrace::cli {
namespace {

TEST(Human, Lengths) {
  EXPECT_EQ(Length(0), "0 us");
  EXPECT_EQ(Length(850), "850 us");
  EXPECT_EQ(Length(1'500), "1.5 ms");
  EXPECT_EQ(Length(2'000), "2 ms");
  EXPECT_EQ(Length(12'345), "12 ms");
  EXPECT_EQ(Length(1'500'000), "1.5 s");
  EXPECT_EQ(Length(10'000'000), "10 s");
  EXPECT_EQ(Length(200'000'000), "3m 20s");
  EXPECT_EQ(Length(3'600'000'000), "1h");
  EXPECT_EQ(Length(90'000'000'000), "1d 1h");
  EXPECT_EQ(Length(-5), "-5 us");
}

TEST(Human, Ages) {
  const std::int64_t now = 1'700'000'000'000'000;
  EXPECT_EQ(Ago(0, now), "-");
  EXPECT_EQ(Ago(now + 5'000'000, now), "now");
  EXPECT_EQ(Ago(now - 5'000'000, now), "5s ago");
  EXPECT_EQ(Ago(now - 200'000'000, now), "3m ago");
  EXPECT_EQ(Ago(now - 86'400'000'000 * 3, now), "3d ago");
}

TEST(Human, NumbersAndTexts) {
  EXPECT_EQ(Count(0), "0");
  EXPECT_EQ(Count(999), "999");
  EXPECT_EQ(Count(1'234'567), "1,234,567");
  EXPECT_EQ(Bytes(512), "512 B");
  EXPECT_EQ(Bytes(64 << 20), "64.0 MiB");
  EXPECT_EQ(Printable("a\x1b[31m\tb\n\x7f"), "a?[31m\tb??");
  EXPECT_EQ(Brief("short", 10), "short");
  EXPECT_EQ(Brief("first\nsecond", 10), "first…");
  EXPECT_EQ(Brief("größe", 3), "gr…");  // not half an ö
  EXPECT_EQ(StateName(static_cast<v1::JobState>(77)), "state 77");
}

TEST(Table, AlignsByCharactersAndStaysOneLineARow) {
  Table table({{"NAME"}, {"N", Align::kRight}});
  table.Add({"grüße", "5"});
  table.Add({"a\nb", "1,000"});
  table.Add({"", ""});
  EXPECT_EQ(table.Text(), "NAME       N\ngrüße      5\na?b    1,000\n-          -\n");
}

class FollowPrinterTest : public ::testing::Test {
 protected:
  void SetUp() override { setenv("TZ", "UTC", 1); }
  void Add(const v1::JobEvent& event) { printer_.Add(event.rows()); }

  std::string text_;
  FollowPrinter printer_{[this](const std::string& text) { text_ += text; }, true};
};

TEST_F(FollowPrinterTest, ALaterBatchPrintsTheOneBefore) {
  Add(RowsEvent(1, 2, {"c"}));
  Add(RowsEvent(1, 0, {"a\x07"}));
  EXPECT_EQ(text_, "");
  Add(RowsEvent(2, 0, {"d"}));
  EXPECT_EQ(text_, "-------- batch 1  2023-11-14 22:13:20.100\na?\nc\n");
  EXPECT_TRUE(printer_.holds_rows());
  printer_.Flush();
  EXPECT_FALSE(printer_.holds_rows());
}

TEST_F(FollowPrinterTest, CutsAtTheLimitOverAllPartitions) {
  v1::JobEvent cut = RowsEvent(1, 1, {"c", "d"}, 3);
  cut.mutable_rows()->set_total(1'000);  // the driver cut it already
  Add(cut);
  Add(RowsEvent(1, 0, {"a", "b"}, 3));
  printer_.Flush();
  EXPECT_EQ(text_, "-------- batch 1  2023-11-14 22:13:20.100\na\nb\nc\n… 999 more\n");
}

TEST_F(FollowPrinterTest, SinksOfABatchHaveNamesWhenThereAreSeveral) {
  Add(RowsEvent(1, 0, {"a"}, 10, 7));
  Add(RowsEvent(1, 0, {"b"}, 10, 9));
  printer_.Flush();
  EXPECT_EQ(text_, "-------- batch 1  2023-11-14 22:13:20.100\nPrint#7:\na\nPrint#9:\nb\n");
}

TEST_F(FollowPrinterTest, LateRowsAreMarkedAndRepeatedOnesLeftOut) {
  Add(RowsEvent(1, 0, {"a"}));
  printer_.Flush();
  Add(RowsEvent(1, 0, {"a"}));
  EXPECT_FALSE(printer_.holds_rows());
  Add(RowsEvent(1, 1, {"b"}));
  printer_.Flush();
  EXPECT_EQ(text_,
            "-------- batch 1  2023-11-14 22:13:20.100\na\n-------- batch 1  2023-11-14 22:13:20.100  (more)\nb\n");
}

TEST(ExitCodes, FollowTheCode) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(InvalidArgument("")), 1);
  EXPECT_EQ(ExitCodeOf(PermissionDenied("")), 4);
  EXPECT_EQ(ExitCodeOf(NotFound("")), 5);
  EXPECT_EQ(ExitCodeOf(AlreadyExists("")), 6);
  EXPECT_EQ(ExitCodeOf(Unavailable("")), 7);
}

}  // namespace
}  // namespace millrace::cli
