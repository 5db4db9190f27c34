// The conformance test of sources, tried with a source that is right and with ones that are wrong in one way each: a
// check that finds nothing wrong with those would be no check.
#include "millrace/testing/source_conformance.h"

#include <gtest/gtest.h>

#include <atomic>

#include "millrace/custom_source.h"

namespace millrace {
namespace {

using testing::CheckSource;
using testing::Conformance;

enum class Wrong {
  kNothing,
  kNoData,
  kSplitTwice,
  kSplitsChange,
  kListIncomplete,
  kOtherRecords,     // each object gives others
  kSamePosition,     // after two records
  kIgnoresFrom,      // reads on where it stands
  kIgnoresLimit,     // and goes on after Add has said no
  kLosesAfterLimit,  // takes a record with it that nobody took
  kRepeats,          // begins at the record before the position
  kNeverEnds,
  kEndsAndGoesOn,
  kTakesAnyPosition,
  kTakesAnySplit,
  kSharesReader,  // all readers of a source are one
  kThrows,
};

std::atomic<int> g_objects = 0;

struct Shared {
  std::atomic<std::uint64_t> at = 0;
  std::atomic<bool> began = false;
};

class Reader : public CustomReader<std::uint64_t> {
 public:
  Reader(Wrong wrong, int object, std::shared_ptr<Shared> shared)
      : wrong_(wrong), object_(object), shared_(std::move(shared)) {}

  ReadEnd Read(std::string_view from, SourceOutput<std::uint64_t>& out) override {
    constexpr std::uint64_t kRecords = 100;
    if (wrong_ == Wrong::kThrows) throw std::runtime_error("the neighbour is away");
    std::uint64_t n = 0;
    if (wrong_ != Wrong::kTakesAnyPosition || from[0] != 'n') n = NumberAt(from);
    if (wrong_ == Wrong::kIgnoresFrom && began_) n = at_;
    if (wrong_ == Wrong::kRepeats && n > 0 && !began_) --n;
    if (wrong_ == Wrong::kSharesReader) {
      if (!shared_->began.exchange(true)) shared_->at = n;
      n = shared_->at;
    }
    began_ = true;
    if (wrong_ == Wrong::kEndsAndGoesOn && n == kRecords && again_++ > 0) {
      out.Add(kRecords, kRecords + 1);
      return ReadEnd::kEnd;
    }
    while (n < kRecords) {
      const std::uint64_t value = wrong_ == Wrong::kOtherRecords ? n + static_cast<std::uint64_t>(object_) : n;
      ++n;
      at_ = n;
      if (wrong_ == Wrong::kSharesReader) shared_->at = n;
      const std::uint64_t next = wrong_ == Wrong::kSamePosition && n == 50 ? 49 : n;
      if (!out.Add(value, next)) {
        if (wrong_ == Wrong::kIgnoresLimit) continue;
        if (wrong_ == Wrong::kLosesAfterLimit) lost_ = true;
        return ReadEnd::kNothingNow;
      }
      if (wrong_ == Wrong::kLosesAfterLimit && lost_) {
        lost_ = false;
        ++n;
      }
    }
    return wrong_ == Wrong::kNeverEnds ? ReadEnd::kNothingNow : ReadEnd::kEnd;
  }

 private:
  const Wrong wrong_;
  const int object_;
  const std::shared_ptr<Shared> shared_;
  bool began_ = false;
  bool lost_ = false;
  int again_ = 0;
  std::uint64_t at_ = 0;
};

class Numbers : public CustomSource<std::uint64_t> {
 public:
  explicit Numbers(Wrong wrong) : wrong_(wrong) {}
  CustomSplits ListSplits() override {
    CustomSplits list{{{"a", "0"}, {"b", "10"}}, wrong_ != Wrong::kListIncomplete};
    if (wrong_ == Wrong::kNoData) list.splits = {{"a", "98"}};
    if (wrong_ == Wrong::kSplitTwice) list.splits.push_back({"a", "0"});
    if (wrong_ == Wrong::kSplitsChange) list.splits.push_back({"c" + std::to_string(object_), "0"});
    return list;
  }
  std::unique_ptr<CustomReader<std::uint64_t>> OpenSplit(const std::string& split) override {
    if (wrong_ != Wrong::kTakesAnySplit && split.size() > 6) throw std::invalid_argument("there is no split " + split);
    return std::make_unique<Reader>(wrong_, object_, shared_);
  }

 private:
  const Wrong wrong_;
  const int object_ = ++g_objects;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

Conformance Check(Wrong wrong) {
  return CheckSource([wrong] { return std::make_shared<Numbers>(wrong); },
                     {.bounded = true, .idle_reads = 2, .pause = std::chrono::milliseconds(1)});
}

TEST(SourceConformance, FindsNothingWrongWithASourceThatIsRight) {
  const Conformance found = Check(Wrong::kNothing);
  EXPECT_TRUE(found.ok()) << found.text();
  EXPECT_GT(found.checks(), 100u);
}

void ExpectFound(Wrong wrong, std::string_view check) {
  const Conformance found = Check(wrong);
  EXPECT_FALSE(found.ok());
  EXPECT_TRUE(found.Failed(check)) << "case " << static_cast<int>(wrong) << ", " << check << ": " << found.text();
}

TEST(SourceConformance, FindsWhatIsWrongWithTheList) {
  ExpectFound(Wrong::kNoData, "read");
  ExpectFound(Wrong::kSplitTwice, "list");
  ExpectFound(Wrong::kSplitsChange, "list");
  ExpectFound(Wrong::kListIncomplete, "list");
}

TEST(SourceConformance, FindsASourceThatGivesOtherRecordsTheSecondTime) {
  ExpectFound(Wrong::kOtherRecords, "replay");
  ExpectFound(Wrong::kRepeats, "replay");
  ExpectFound(Wrong::kSharesReader, "threads");
}

TEST(SourceConformance, FindsPositionsThatAreNotOneForEachRecord) { ExpectFound(Wrong::kSamePosition, "read"); }

TEST(SourceConformance, FindsAReaderThatDoesNotGoWhereItIsSent) { ExpectFound(Wrong::kIgnoresFrom, "seek"); }

TEST(SourceConformance, FindsAReaderThatDoesNotKeepToTheLimit) {
  ExpectFound(Wrong::kIgnoresLimit, "limits");
  ExpectFound(Wrong::kLosesAfterLimit, "limits");
}

TEST(SourceConformance, FindsWhatIsWrongAtTheEnd) {
  ExpectFound(Wrong::kNeverEnds, "end");
  ExpectFound(Wrong::kEndsAndGoesOn, "end");
}

TEST(SourceConformance, FindsASourceThatTakesWhatDoesNotExist) {
  ExpectFound(Wrong::kTakesAnyPosition, "position");
  ExpectFound(Wrong::kTakesAnySplit, "open");
}

TEST(SourceConformance, TellsWhatTheSourceThrows) { ExpectFound(Wrong::kThrows, "read"); }

}  // namespace
}  // namespace millrace
