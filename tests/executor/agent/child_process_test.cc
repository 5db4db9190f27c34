#include "executor/agent/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <future>

#include "common/status.h"

namespace millrace {
namespace {

struct Ended {
  ChildExit exit;
  std::string output;
};

// Runs a shell command as a child and waits for its end.
class ChildProcessTest : public testing::Test {
 protected:
  absl::Status Start(const std::string& command, bool split_output = false, std::map<int, int> descriptors = {}) {
    const ChildProcess::Spec spec{
        .argv = {"/bin/sh", "-c", command}, .descriptors = std::move(descriptors), .split_output = split_output};
    MR_ASSIGN_OR_RETURN(
        child_,
        ChildProcess::Start(
            spec, [this](std::vector<std::string> lines) { std::ranges::move(lines, std::back_inserter(lines_)); },
            [this](ChildExit exit, std::string output) {
              ended_.set_value({exit, std::move(output)});
            }));
    return absl::OkStatus();
  }
  Ended Wait() { return ended_.get_future().get(); }

  std::vector<std::string> lines_;
  std::promise<Ended> ended_;
  std::unique_ptr<ChildProcess> child_;
};

TEST_F(ChildProcessTest, GivesLinesOfBothStreamsAndTheExitCode) {
  ASSERT_TRUE(Start("echo one; echo two >&2; printf three; exit 7").ok());
  const Ended ended = Wait();
  EXPECT_EQ(ended.exit.exit_code, 7);
  EXPECT_EQ(ended.exit.signal, 0);
  EXPECT_THAT(lines_, testing::UnorderedElementsAre("one", "two", "three"));
}

TEST_F(ChildProcessTest, KeepsStandardOutputApartWhenAsked) {
  ASSERT_TRUE(Start("printf 'a\\0b'; echo words >&2", true).ok());
  EXPECT_EQ(Wait().output, std::string("a\0b", 3));
  EXPECT_THAT(lines_, testing::ElementsAre("words"));
}

TEST_F(ChildProcessTest, TellsTheSignal) {
  ASSERT_TRUE(Start("sleep 100").ok());
  child_->Kill(SIGKILL);
  EXPECT_EQ(Wait().exit.signal, SIGKILL);
}

TEST_F(ChildProcessTest, HandsDescriptorsOverWhateverTheirNumbers) {
  const auto a = MemoryFile("a", "first", true);
  const auto b = MemoryFile("b", "second", true);
  ASSERT_TRUE(a.ok() && b.ok());
  // The numbers the child wants may be in use here, even crosswise.
  ASSERT_TRUE(
      Start("cat /proc/self/fd/3; echo; cat /proc/self/fd/4; echo", false, {{3, a->get()}, {4, b->get()}}).ok());
  Wait();
  EXPECT_THAT(lines_, testing::ElementsAre("first", "second"));
}

TEST_F(ChildProcessTest, CutsEndlessLines) {
  ASSERT_TRUE(Start("head -c 100000 /dev/zero | tr '\\0' x; echo; echo end").ok());
  Wait();
  ASSERT_EQ(lines_.size(), 2U);
  EXPECT_EQ(lines_[0].size(), 8U << 10);
}

TEST_F(ChildProcessTest, AProgramThatIsNotThereIsAnError) {
  const ChildProcess::Spec spec{.argv = {"/no/such/program"}, .descriptors = {}};
  const auto child = ChildProcess::Start(spec, nullptr, nullptr);
  EXPECT_NE(Message(child.status()).find("starting /no/such/program: No such file"), std::string::npos)
      << Message(child.status());
}

TEST(MemoryFile, ASealedOneCannotBeChanged) {
  const auto file = MemoryFile("x", "content", true);
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(WriteAt(*file, "other", 0, "x").ok());
}

}  // namespace
}  // namespace millrace
