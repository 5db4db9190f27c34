// Sources in the job's own code, as the runner sees them: read ahead, read again, and what their code throws.
#include <gmock/gmock.h>

#include <atomic>
#include <mutex>

#include "millrace/custom_source.h"
#include "tests/common/eventually.h"
#include "tests/connectors/custom_fixture.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What the test and the readers share: the split's records, and what shall go wrong.
struct Upstream {
  std::mutex mutex;
  std::vector<std::string> records;
  bool ended = false;
  int failures = 0;       // of the next reads
  bool is_wrong = false;  // std::logic_error
  bool same_position = false;
  std::string shift;  // put before every record
  std::atomic<int> readers = 0;
};

class Lines : public CustomSource<std::string_view> {
 public:
  explicit Lines(std::shared_ptr<Upstream> upstream) : upstream_(std::move(upstream)) {}
  CustomSplits ListSplits() override {
    const std::lock_guard lock(upstream_->mutex);
    if (upstream_->failures > 0) throw std::runtime_error("the table is away");
    return {{{"all", "0"}}, true};
  }
  std::unique_ptr<CustomReader<std::string_view>> OpenSplit(const std::string&) override {
    ++upstream_->readers;
    return std::make_unique<Reader>(upstream_);
  }

 private:
  struct Reader : CustomReader<std::string_view> {
    explicit Reader(std::shared_ptr<Upstream> of) : upstream(std::move(of)) {}
    ReadEnd Read(std::string_view from, SourceOutput<std::string_view>& out) override {
      const std::lock_guard lock(upstream->mutex);
      if (upstream->failures > 0 && upstream->failures-- > 0) throw std::runtime_error("the line is down");
      if (upstream->is_wrong) throw std::invalid_argument("that is no table");
      for (std::uint64_t n = NumberAt(from); n < upstream->records.size(); ++n) {
        if (!out.Add(upstream->shift + upstream->records[n], upstream->same_position ? 1 : n + 1))
          return ReadEnd::kNothingNow;
      }
      return upstream->ended ? ReadEnd::kEnd : ReadEnd::kNothingNow;
    }
    const std::shared_ptr<Upstream> upstream;
  };
  const std::shared_ptr<Upstream> upstream_;
};

class CustomSourceTest : public ::testing::Test {
 protected:
  CustomSourceTest() { program_.source = std::make_shared<Lines>(upstream_); }

  void Open(engine::Options options = {{"poll_ms", "1"}}) {
    auto source = MakeSource(DescribeCustom("custom", std::move(options)), {"j1", {}, &program_});
    ASSERT_TRUE(source.ok()) << source.status();
    source_ = *std::move(source);
    auto reader = source_->OpenSplit("all", "0");
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = *std::move(reader);
  }
  void Append(const std::vector<std::string>& records, bool ended = false) {
    const std::lock_guard lock(upstream_->mutex);
    upstream_->records.insert(upstream_->records.end(), records.begin(), records.end());
    upstream_->ended = ended;
  }
  // Closes ranges from `at_` on until so many records have come.
  std::vector<std::string> Take(std::size_t count, std::uint64_t most = 0) {
    std::vector<std::string> values;
    EXPECT_TRUE(Eventually([&] {
      auto range = reader_->Close(at_, most);
      if (!range.ok()) {
        status_ = range.status();
        return true;
      }
      const auto records = Values(Drain(*range->data));
      EXPECT_EQ(records.size(), range->records);
      EXPECT_TRUE(range->records > 0 || range->end == at_);
      EXPECT_TRUE(most == 0 || range->records <= most);
      values.insert(values.end(), records.begin(), records.end());
      at_ = range->end;
      finished_ = range->finished;
      return values.size() >= count && (count > 0 || finished_);
    }));
    return values;
  }
  std::vector<std::string> Again(const std::string& from, const std::string& to) {
    auto batch = reader_->Read(from, to);
    status_ = batch.status();
    return batch.ok() ? Values(Drain(**batch)) : std::vector<std::string>();
  }

  const std::shared_ptr<Upstream> upstream_ = std::make_shared<Upstream>();
  OneConnector program_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<SplitReader> reader_;
  std::string at_ = "0";
  bool finished_ = false;
  absl::Status status_;
};

TEST_F(CustomSourceTest, GivesWhatIsThereAndWhatComesLater) {
  Append({"a", "b"});
  Open();
  EXPECT_THAT(Take(2), ElementsAre("a", "b"));
  EXPECT_EQ(at_, "2");
  EXPECT_FALSE(finished_);
  Append({"c"}, true);
  EXPECT_THAT(Take(1), ElementsAre("c"));
  EXPECT_THAT(Take(0), IsEmpty());
  EXPECT_TRUE(finished_);
}

TEST_F(CustomSourceTest, KeepsToTheLimitOfABatch) {
  std::vector<std::string> records;
  for (int i = 0; i < 5000; ++i) records.push_back(std::to_string(i));
  Append(records, true);
  Open({{"poll_ms", "1"}, {"max_records_per_batch", "700"}});
  EXPECT_EQ(Take(5000, 700), records);
  EXPECT_TRUE(Eventually([&] { return Take(0).empty() && finished_; }));
}

TEST_F(CustomSourceTest, ReadsARangeAgainAndGoesOnAfterIt) {
  Append({"a", "b", "c", "d"});
  Open();
  Take(4);
  EXPECT_THAT(Again("1", "3"), ElementsAre("b", "c"));
  EXPECT_THAT(Again("2", "2"), IsEmpty());
  at_ = "3";
  EXPECT_THAT(Take(1), ElementsAre("d"));
}

TEST_F(CustomSourceTest, GoesBackWhenACutDidNotBecomeAPlan) {
  Append({"a", "b", "c"}, true);
  Open();
  Take(3);
  at_ = "1";
  EXPECT_THAT(Take(2), ElementsAre("b", "c"));
}

TEST_F(CustomSourceTest, TriesAgainAndSaysWhy) {
  upstream_->failures = 1'000'000;
  Open();
  ASSERT_TRUE(Eventually([&] { return !source_->Problem().empty(); }));
  EXPECT_THAT(source_->Problem(), AllOf(HasSubstr("source 'x' (custom) at job.cc:7, split 'all'"),
                                        HasSubstr("the line is down"), HasSubstr("trying again")));
  const auto listed = source_->ListSplits();
  EXPECT_TRUE(absl::IsUnavailable(listed.status())) << listed.status();
  EXPECT_THAT(Message(listed.status()), AllOf(HasSubstr("ListSplits"), HasSubstr("the table is away")));
  {
    const std::lock_guard lock(upstream_->mutex);
    upstream_->failures = 0;
  }
  Append({"a"});
  EXPECT_THAT(Take(1), ElementsAre("a"));
  EXPECT_EQ(source_->Problem(), "");
  EXPECT_GE(upstream_->readers, 2) << "after an error the split is opened anew";
}

TEST_F(CustomSourceTest, AnErrorOfTheProgramIsPermanent) {
  upstream_->is_wrong = true;
  Open();
  Take(1);
  EXPECT_TRUE(absl::IsInvalidArgument(status_)) << status_;
  EXPECT_THAT(Message(status_), AllOf(HasSubstr("source 'x'"), HasSubstr("that is no table")));
}

TEST_F(CustomSourceTest, RefusesTwoRecordsWithOnePosition) {
  upstream_->same_position = true;
  Append({"a", "b"});
  Open();
  Take(2);
  EXPECT_TRUE(absl::IsInvalidArgument(status_)) << status_;
  EXPECT_THAT(Message(status_), HasSubstr("two records have the same position"));
}

TEST_F(CustomSourceTest, SaysThatWhatWasReadIsGone) {
  Append({"a", "b", "c"}, true);
  Open();
  Take(3);
  {
    const std::lock_guard lock(upstream_->mutex);
    upstream_->records.pop_back();
  }
  EXPECT_THAT(Again("0", "3"), IsEmpty());
  EXPECT_TRUE(absl::IsDataLoss(status_)) << status_;
  EXPECT_THAT(Message(status_), AllOf(HasSubstr("gives 2 records and ends"), HasSubstr("position '3'")));
}

TEST_F(CustomSourceTest, RefusesAJobWithoutTheSource) {
  const auto source = MakeSource(DescribeCustom("custom", {}), {"j1"});
  EXPECT_THAT(ErrorOf(source), HasSubstr("the job library has no such source"));
  EXPECT_THAT(ErrorOf(MakeSource(DescribeCustom("custom", {{"poll_ms", "0"}}), {"j1", {}, &program_})),
              HasSubstr("option poll_ms"));
}

}  // namespace
}  // namespace millrace
