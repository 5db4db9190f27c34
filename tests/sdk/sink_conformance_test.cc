// The conformance test of sinks, tried with a sink that is right and with ones that are wrong in one way each.
#include "millrace/testing/sink_conformance.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>

namespace millrace {
namespace {

using testing::CheckSink;
using testing::Conformance;

enum class Wrong {
  kNothing,
  kVisibleWhenStaged,
  kMarkInMemory,  // of the writer
  kMarkAtStage,   // before the rows are there
  kNoMark,
  kStageAdds,  // to what was staged before
  kCommitTwiceWrites,
  kKeepsAbandoned,  // what was staged is committed by the next owner
  kNoFence,
  kOneMarkForAll,  // partitions
  kLosesLarge,
  kDropsLastRow,
  kThrows,
};

// What a database would hold.
struct Table {
  struct Partition {
    std::uint64_t fence = 0;
    std::uint64_t mark = 0;
    std::vector<std::uint64_t> staged;
  };
  std::mutex mutex;
  std::vector<std::uint64_t> rows;
  std::map<std::uint32_t, Partition> partitions;
};

class Writer : public CustomSinkWriter<std::uint64_t> {
 public:
  Writer(Wrong wrong, Table& table, const CustomPartition& partition)
      : wrong_(wrong),
        table_(table),
        fence_(partition.fence),
        number_(wrong == Wrong::kOneMarkForAll ? 0 : partition.partition) {}

  std::uint64_t LastMark() override {
    if (wrong_ == Wrong::kThrows) throw std::runtime_error("the table is away");
    const std::lock_guard lock(table_.mutex);
    auto& partition = table_.partitions[number_];
    partition.fence = std::max(partition.fence, fence_);
    if (wrong_ == Wrong::kKeepsAbandoned) staged_ = partition.staged;
    return wrong_ == Wrong::kMarkInMemory ? 0 : partition.mark;
  }
  void Stage(const CustomBatch& batch, std::span<const std::uint64_t> rows) override {
    const std::lock_guard lock(table_.mutex);
    auto& partition = table_.partitions[number_];
    if (wrong_ != Wrong::kStageAdds && wrong_ != Wrong::kKeepsAbandoned) staged_.clear();
    staged_.insert(staged_.end(), rows.begin(), rows.end());
    if (wrong_ == Wrong::kDropsLastRow && staged_.size() > 1) staged_.pop_back();
    if (wrong_ == Wrong::kLosesLarge && staged_.size() > 1000) staged_.resize(1000);
    if (wrong_ == Wrong::kKeepsAbandoned) partition.staged = staged_;
    if (wrong_ == Wrong::kMarkAtStage) partition.mark = batch.batch;
    if (wrong_ == Wrong::kVisibleWhenStaged) table_.rows.insert(table_.rows.end(), rows.begin(), rows.end());
  }
  void Commit(std::uint64_t mark) override {
    const std::lock_guard lock(table_.mutex);
    auto& partition = table_.partitions[number_];
    if (partition.fence > fence_ && wrong_ != Wrong::kNoFence) throw std::runtime_error("there is a newer owner");
    if (partition.mark >= mark && wrong_ != Wrong::kCommitTwiceWrites && wrong_ != Wrong::kMarkAtStage) return;
    if (wrong_ != Wrong::kVisibleWhenStaged) table_.rows.insert(table_.rows.end(), staged_.begin(), staged_.end());
    if (wrong_ != Wrong::kCommitTwiceWrites) staged_.clear();
    partition.staged.clear();
    if (wrong_ != Wrong::kNoMark) partition.mark = mark;
  }

 private:
  const Wrong wrong_;
  Table& table_;
  const std::uint64_t fence_;
  const std::uint32_t number_;
  std::vector<std::uint64_t> staged_;
};

class Sink : public CustomSink<std::uint64_t> {
 public:
  Sink(Wrong wrong, Table& table) : wrong_(wrong), table_(table) {}
  std::unique_ptr<CustomSinkWriter<std::uint64_t>> OpenWriter(const CustomPartition& partition) override {
    return std::make_unique<Writer>(wrong_, table_, partition);
  }

 private:
  const Wrong wrong_;
  Table& table_;
};

Conformance Check(Wrong wrong) {
  Table table;
  return CheckSink<std::uint64_t>({.make = [&] { return std::make_shared<Sink>(wrong, table); },
                                   .row = [](std::uint64_t n) { return n; },
                                   .visible = [&] { return table.rows; }});
}

TEST(SinkConformance, FindsNothingWrongWithASinkThatIsRight) {
  const Conformance found = Check(Wrong::kNothing);
  EXPECT_TRUE(found.ok()) << found.text();
  EXPECT_GT(found.checks(), 30u);
}

void ExpectFound(Wrong wrong, std::string_view check) {
  const Conformance found = Check(wrong);
  EXPECT_FALSE(found.ok());
  EXPECT_TRUE(found.Failed(check)) << "case " << static_cast<int>(wrong) << ", " << check << ": " << found.text();
}

TEST(SinkConformance, FindsRowsThatAreSeenTooEarly) { ExpectFound(Wrong::kVisibleWhenStaged, "stage"); }

TEST(SinkConformance, FindsMarksThatAreNotKeptWithTheRows) {
  ExpectFound(Wrong::kMarkInMemory, "reopen");
  ExpectFound(Wrong::kNoMark, "reopen");
  ExpectFound(Wrong::kMarkAtStage, "abandoned");
  ExpectFound(Wrong::kOneMarkForAll, "partitions");
}

TEST(SinkConformance, FindsRowsThatAreWrittenTwice) {
  ExpectFound(Wrong::kStageAdds, "again");
  ExpectFound(Wrong::kCommitTwiceWrites, "again");
  ExpectFound(Wrong::kKeepsAbandoned, "abandoned");
}

TEST(SinkConformance, FindsAnOwnerFromBeforeThatStillWrites) { ExpectFound(Wrong::kNoFence, "fence"); }

TEST(SinkConformance, FindsRowsThatAreLost) {
  ExpectFound(Wrong::kDropsLastRow, "commit");
  ExpectFound(Wrong::kLosesLarge, "large");
}

TEST(SinkConformance, TellsWhatTheSinkThrows) { ExpectFound(Wrong::kThrows, "open"); }

TEST(SinkConformance, NeedsAnEmptyNeighbour) {
  Table table;
  table.rows = {4711};
  const Conformance found =
      CheckSink<std::uint64_t>({.make = [&] { return std::make_shared<Sink>(Wrong::kNothing, table); },
                                .row = [](std::uint64_t n) { return n; },
                                .visible = [&] { return table.rows; }});
  EXPECT_TRUE(found.Failed("open")) << found.text();
}

}  // namespace
}  // namespace millrace
