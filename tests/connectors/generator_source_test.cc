#include <chrono>
#include <set>
#include <thread>

#include "tests/connectors/collect.h"

namespace millrace {
namespace {

std::unique_ptr<Source> Make(engine::Options options) {
  auto source = MakeSource(Describe("generator", std::move(options)), {"j1"});
  EXPECT_TRUE(source.ok()) << source.status();
  return std::move(*source);
}

TEST(Generator, ListsItsSplitsOnce) {
  auto list = Make({{"splits", "3"}})->ListSplits();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->splits.size(), 3u);
  EXPECT_EQ(list->splits[2].split, "gen-2");
  EXPECT_EQ(list->splits[2].start, "0");
  EXPECT_TRUE(list->complete);
}

TEST(Generator, BoundedSplitsTogetherGiveEveryIndexOnce) {
  auto source = Make({{"splits", "3"}, {"count", "2500"}, {"max_records_per_batch", "400"}});
  std::set<std::int64_t> indices;
  std::size_t records = 0;
  for (const std::string split : {"gen-0", "gen-1", "gen-2"}) {
    auto reader = source->OpenSplit(split, "0");
    ASSERT_TRUE(reader.ok());
    std::string position = "0";
    for (bool finished = false; !finished;) {
      auto range = (*reader)->Close(position, 0);
      ASSERT_TRUE(range.ok());
      const auto seen = Drain(*range->data);
      EXPECT_EQ(seen.size(), range->records);
      EXPECT_LE(seen.size(), 400u);
      for (const Seen& record : seen) indices.insert(record.position);
      records += seen.size();
      position = range->end;
      finished = range->finished;
    }
  }
  EXPECT_EQ(records, 2500u);
  EXPECT_EQ(indices.size(), 2500u);
  EXPECT_EQ(*indices.rbegin(), 2499);
}

TEST(Generator, ReadGivesTheClosedRangeAgain) {
  auto source = Make({{"splits", "2"}});
  auto reader = source->OpenSplit("gen-1", "0");
  auto range = (*reader)->Close("0", 5000);
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range->records, 5000u);
  EXPECT_FALSE(range->finished);
  auto other = Make({{"splits", "2"}})->OpenSplit("gen-1", "0");
  auto again = (*other)->Read("0", range->end);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(Drain(**again), Drain(*range->data));
}

TEST(Generator, UnratedDefaultIsAHundredThousand) {
  auto reader = Make({})->OpenSplit("gen-0", "0");
  EXPECT_EQ((*reader)->Close("0", 0)->records, 100'000u);
}

TEST(Generator, RateIsSharedByAllSplits) {
  auto source = Make({{"splits", "4"}, {"rate", "10000"}});
  std::vector<std::unique_ptr<SplitReader>> readers;
  const auto begin = std::chrono::steady_clock::now();
  for (int s = 0; s < 4; ++s) readers.push_back(std::move(*source->OpenSplit("gen-" + std::to_string(s), "7")));
  const auto opened = std::chrono::steady_clock::now();
  std::uint64_t total = 0;
  // Time itself is the event here.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const std::chrono::duration<double> least = std::chrono::steady_clock::now() - opened;
  for (auto& reader : readers) total += reader->Close("7", 0)->records;
  const std::chrono::duration<double> most = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(static_cast<double>(total), least.count() * 10'000 - 4);
  EXPECT_LE(static_cast<double>(total), most.count() * 10'000 + 4);
}

TEST(Generator, BadPositionsAndSplitsAreNamed) {
  auto source = Make({{"splits", "2"}, {"count", "10"}});
  EXPECT_EQ(ErrorOf(source->OpenSplit("gen-2", "0")), "generator: no split 'gen-2'; there are gen-0 to gen-1");
  auto reader = source->OpenSplit("gen-0", "0");
  EXPECT_EQ(ErrorOf((*reader)->Close("6", 0)), "generator split gen-0: position '6' is not a number from 0 to 5");
  EXPECT_EQ(ErrorOf((*reader)->Read("3", "1")), "generator split gen-0: range 3 to 1 runs backwards");
}

}  // namespace
}  // namespace millrace
