// Receivers and sinks in the job's own code, as the runner sees them.
#include <gmock/gmock.h>

#include <atomic>

#include "executor/connectors/custom/job_receiver.h"
#include "millrace/custom_receiver.h"
#include "millrace/custom_sink.h"
#include "tests/common/eventually.h"
#include "tests/connectors/custom_fixture.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// ---- receivers ----

class Texts : public CustomReceiver<std::string> {
 public:
  void Start(ReceiverOutput<std::string>& output) override {
    ++starts;
    if (failures > 0) {
      --failures;
      throw std::runtime_error("port 99 is taken");
    }
    if (is_wrong) throw std::invalid_argument("port 0 is none");
    out = &output;
  }
  void Stop() override { ++stops; }

  std::atomic<int> starts = 0, stops = 0, failures = 0;
  bool is_wrong = false;
  std::atomic<ReceiverOutput<std::string>*> out = nullptr;
};

class Kept : public ReceiverStore {
 public:
  absl::Status Store(std::span<const ReceivedRecord> records) override {
    if (!answer.ok()) return answer;
    for (const ReceivedRecord& record : records) values.push_back(Concat(record.id, "=", record.value));
    return absl::OkStatus();
  }
  absl::Status answer;
  std::vector<std::string> values;
};

class CustomReceiverTest : public ::testing::Test {
 protected:
  void Begin() {
    ASSERT_TRUE(job_.Start(kept_).ok());
    ASSERT_TRUE(Eventually([&] { return receiver_->out != nullptr; }));
  }
  Kept kept_;
  const std::shared_ptr<Texts> receiver_ = std::make_shared<Texts>();
  JobReceiver job_{"source 'x' (custom_receiver) at job.cc:7, receiver '0'", receiver_};
};

TEST_F(CustomReceiverTest, StoresOneAndBlocks) {
  Begin();
  EXPECT_TRUE(receiver_->out.load()->Store("a", "1").ok());
  EXPECT_TRUE(receiver_->out.load()->Store(std::vector<std::string>{"b", "c"}).ok());
  const std::vector<std::string> ids = {"4", "5"};
  EXPECT_TRUE(receiver_->out.load()->Store(std::vector<std::string>{"d", "e"}, ids).ok());
  EXPECT_TRUE(receiver_->out.load()->Store(std::vector<std::string>{}).ok());
  EXPECT_FALSE(receiver_->out.load()->Store(std::vector<std::string>{"f"}, ids).ok()) << "ids for other records";
  EXPECT_THAT(kept_.values, ElementsAre("1=a", "=b", "=c", "4=d", "5=e"));
}

TEST_F(CustomReceiverTest, TellsTheReceiverWhatBecameOfItsRecords) {
  Begin();
  const auto outcome = [&](const absl::Status& answer) {
    kept_.answer = answer;
    return receiver_->out.load()->Store("a").outcome;
  };
  EXPECT_EQ(outcome(Aborted("another owner")), StoreOutcome::kEnded);
  EXPECT_EQ(outcome(InvalidArgument("too large")), StoreOutcome::kTooLarge);
  EXPECT_EQ(outcome(ResourceExhausted("the disk is full")), StoreOutcome::kFailed);
  EXPECT_EQ(receiver_->out.load()->Store("a").why, "the disk is full");
}

TEST_F(CustomReceiverTest, StoresNothingAfterStop) {
  Begin();
  job_.Stop();
  EXPECT_EQ(receiver_->stops, 1);
  EXPECT_EQ(receiver_->out.load()->Store("a").outcome, StoreOutcome::kEnded);
  EXPECT_TRUE(kept_.values.empty());
  job_.Stop();
  EXPECT_EQ(receiver_->stops, 1);
}

TEST_F(CustomReceiverTest, IsStartedAgainWhenStartThrows) {
  receiver_->failures = 2;
  ASSERT_TRUE(job_.Start(kept_).ok());
  ASSERT_TRUE(Eventually([&] { return !job_.Problem().empty(); }));
  EXPECT_THAT(job_.Problem(),
              AllOf(HasSubstr("source 'x' (custom_receiver) at job.cc:7"), HasSubstr("Start threw: port 99 is taken")));
  ASSERT_TRUE(Eventually([&] { return receiver_->out != nullptr; }));
  EXPECT_TRUE(Eventually([&] { return job_.Problem().empty(); }));
  EXPECT_EQ(receiver_->starts, 3);
}

TEST_F(CustomReceiverTest, IsNotStartedAgainAfterAnErrorOfTheProgram) {
  receiver_->is_wrong = true;
  ASSERT_TRUE(job_.Start(kept_).ok());
  ASSERT_TRUE(Eventually([&] { return !job_.Problem().empty(); }));
  job_.Stop();
  EXPECT_EQ(receiver_->starts, 1);
  EXPECT_THAT(job_.Problem(), HasSubstr("port 0 is none"));
}

TEST_F(CustomReceiverTest, MayAskForARestartAndSayWhatIsWrong) {
  Begin();
  receiver_->out.load()->Report("the sender is silent");
  EXPECT_THAT(job_.Problem(), AllOf(HasSubstr("source 'x'"), HasSubstr("the sender is silent")));
  receiver_->out.load()->Restart("the connection is broken");
  EXPECT_TRUE(Eventually([&] { return receiver_->starts == 2; }));
  EXPECT_EQ(receiver_->stops, 1);
  EXPECT_TRUE(Eventually([&] { return job_.Problem().empty(); }));
}

// ---- sinks ----

struct Table {
  std::vector<std::string> calls;
  std::string fails;  // a call that throws
  bool is_wrong = false;
};

class Writer : public CustomSinkWriter<std::pair<std::string_view, int>> {
 public:
  explicit Writer(Table& table) : table_(table) {}
  std::uint64_t LastMark() override {
    Note("LastMark");
    return 6;
  }
  void Stage(const CustomBatch& batch, std::span<const std::pair<std::string_view, int>> rows) override {
    Note("Stage");
    for (const auto& [key, value] : rows) Note(Concat(batch.batch, ":", key, "=", value));
  }
  void Commit(std::uint64_t mark) override { Note(Concat("Commit", mark)); }

 private:
  void Note(const std::string& call) {
    if (call == table_.fails && table_.is_wrong) throw std::invalid_argument("no such column");
    if (call == table_.fails) throw std::runtime_error("the table is locked");
    table_.calls.push_back(call);
  }
  Table& table_;
};

class TableSink : public CustomSink<std::pair<std::string_view, int>> {
 public:
  explicit TableSink(Table& table) : table_(table) {}
  std::unique_ptr<CustomSinkWriter<std::pair<std::string_view, int>>> OpenWriter(const CustomPartition& of) override {
    partition = of;
    return std::make_unique<Writer>(table_);
  }
  CustomPartition partition;

 private:
  Table& table_;
};

TEST(CustomSink, HandsOnRowsPartitionAndFence) {
  Table table;
  OneConnector program;
  const auto theirs = std::make_shared<TableSink>(table);
  program.sink = theirs;
  const auto sink = MakeSink(DescribeCustom("custom"), &program);
  ASSERT_TRUE(sink.ok()) << sink.status();
  auto writer = (*sink)->NewWriter({"j1", "job", "out", 2, 3, 5, 7});
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_EQ((*writer)->Open().value(), 6u);
  EXPECT_EQ(theirs->partition.job_id, "j1");
  EXPECT_EQ(theirs->partition.sink, "out");
  EXPECT_EQ(theirs->partition.stage, 2u);
  EXPECT_EQ(theirs->partition.partition, 3u);
  EXPECT_EQ(theirs->partition.fence, (5ULL << 32) + 7);
  RowBuffer rows;
  const std::string bytes = ToBytes(std::pair<std::string_view, int>("k", 9));
  const engine::SinkRow row{{}, bytes, false};
  rows.Append({&row, 1});
  EXPECT_TRUE((*writer)->Stage(7, 1'000'000, rows).ok());
  EXPECT_TRUE((*writer)->Commit(7).ok());
  EXPECT_THAT(table.calls, ElementsAre("LastMark", "Stage", "7:k=9", "Commit7"));
}

TEST(CustomSink, SaysWhoThrewWhat) {
  Table table;
  OneConnector program;
  program.sink = std::make_shared<TableSink>(table);
  const auto sink = *MakeSink(DescribeCustom("custom"), &program);
  const auto writer = *sink->NewWriter({"j1", "job", "out", 2, 3, 5, 7});
  table.fails = "Commit7";
  absl::Status status = writer->Commit(7);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Message(status), AllOf(HasSubstr("sink 'x' (custom) at job.cc:7, partition 3"),
                                     HasSubstr("Commit of batch 7 threw: the table is locked")));
  table.is_wrong = true;
  status = writer->Commit(7);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(ErrorOf(MakeSink(DescribeCustom("custom"))), HasSubstr("the job library has no such sink"));
}

}  // namespace
}  // namespace millrace
