#include "driver/journal/epoch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/common/io/scratch.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using testing::ScratchDirectory;
using testing::SmallDisk;

TEST(Epoch, GrowsWithEveryTerm) {
  ScratchDirectory dir;
  for (std::uint64_t expected = 1; expected <= 3; ++expected) {
    const auto term = NextEpoch(dir / "data");
    ASSERT_TRUE(term.ok()) << term.status();
    EXPECT_EQ(term->epoch(), expected);
  }
  EXPECT_EQ(*ReadFile(dir / "data/epoch"), "3\n");
}

TEST(Epoch, RefusesASecondDriverAndNamesTheFirst) {
  ScratchDirectory dir;
  const auto first = NextEpoch(dir.path());
  ASSERT_TRUE(first.ok());
  const auto second = NextEpoch(dir.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(Message(second.status()), HasSubstr("data directory " + dir.path() + " is in use"));
  EXPECT_THAT(Message(second.status()), HasSubstr("pid " + std::to_string(::getpid())));
  EXPECT_EQ(*ReadFile(dir / "epoch"), "1\n") << "a refused driver takes no epoch";
}

TEST(Epoch, AKilledDriverHoldsNothing) {
  ScratchDirectory dir;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto term = NextEpoch(dir.path());
    const char result = term.ok() ? 'y' : 'n';
    if (::write(ready[1], &result, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char result = 0;
  ASSERT_EQ(::read(ready[0], &result, 1), 1);
  ASSERT_EQ(result, 'y');
  const auto refused = NextEpoch(dir.path());
  EXPECT_THAT(Message(refused.status()), HasSubstr("pid " + std::to_string(child)));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto next = NextEpoch(dir.path());
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->epoch(), 2u);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(Epoch, RefusesAFileThatIsNoNumber) {
  ScratchDirectory dir;
  for (const std::string& bad :
       {std::string("seven\n"), std::string("7x"), std::string(), std::string("18446744073709551615")}) {
    ASSERT_TRUE(WriteFileAtomically(dir / "epoch", bad).ok());
    const auto term = NextEpoch(dir.path());
    EXPECT_TRUE(absl::IsDataLoss(term.status())) << bad;
    EXPECT_THAT(Message(term.status()), HasSubstr(dir / "epoch"));
  }
}

TEST(Epoch, IsNotTakenOnAFullDisk) {
  SmallDisk disk(128 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "needs root to mount a small tmpfs";
  ASSERT_TRUE(NextEpoch(disk.path()).ok());
  disk.Fill(0);
  EXPECT_TRUE(absl::IsResourceExhausted(NextEpoch(disk.path()).status()));
  disk.Release();
  const auto term = NextEpoch(disk.path());
  ASSERT_TRUE(term.ok());
  EXPECT_EQ(term->epoch(), 2u);
}

}  // namespace
}  // namespace millrace
