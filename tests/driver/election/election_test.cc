// The election against real etcds, with candidates that are killed, stopped and cut off.
#include "driver/election/election.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/driver/election/etcd_fixture.h"

namespace millrace {
namespace {

using testing::EtcdServers;
using namespace std::chrono_literals;  // NOLINT

constexpr char kKey[] = "/test/leader";

// A candidate in a process of its own.
class Member {
 public:
  Member(const EtcdServers& etcd, const std::string& name, int lease_s) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::vector<std::string> words = {MEMBER_PROGRAM, etcd.joined(), kKey, name, std::to_string(lease_s)};
    std::vector<char*> raw;
    for (std::string& word : words) raw.push_back(word.data());
    raw.push_back(nullptr);
    if (posix_spawn(&pid_, MEMBER_PROGRAM, &actions, nullptr, raw.data(), environ) != 0) std::abort();
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    in_ = in[1];
    out_ = out[0];
  }
  ~Member() {
    Signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    if (in_ >= 0) ::close(in_);
    ::close(out_);
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void Signal(int signal) const { ::kill(pid_, signal); }
  void Resign() { ::close(std::exchange(in_, -1)); }

  // The next line that begins so, within that time; empty when none came. Lines before it are passed over.
  std::string Await(const std::string& beginning, std::chrono::milliseconds at_most) {
    const auto deadline = std::chrono::steady_clock::now() + at_most;
    while (true) {
      if (const std::size_t end = text_.find('\n'); end != text_.npos) {
        const std::string line = text_.substr(0, end);
        text_.erase(0, end + 1);
        if (line.starts_with(beginning)) return line;
        continue;
      }
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      pollfd readable{out_, POLLIN, 0};
      if (left <= 0ms || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0) return {};
      char buffer[1000];
      const ssize_t n = ::read(out_, buffer, sizeof buffer);
      if (n <= 0) return {};
      text_.append(buffer, static_cast<std::size_t>(n));
    }
  }
  // Nothing that begins so comes within that time.
  bool Silent(const std::string& beginning, std::chrono::milliseconds time) { return Await(beginning, time).empty(); }

 private:
  pid_t pid_ = 0;
  int in_ = -1;
  int out_ = -1;
  std::string text_;
};

class ElectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!EtcdServers::Installed()) GTEST_SKIP() << "etcd is not installed (packages etcd-server, etcd-client)";
  }
};

TEST_F(ElectionTest, AKilledLeaderIsFollowed) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 2);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 2);
  Member c(etcd, "c", 2);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  ASSERT_EQ(c.Await("leader", 10s), "leader a");
  a.Signal(SIGKILL);
  // The next that each of them says is who leads.
  const std::string said = b.Await("", 5s);
  EXPECT_EQ(c.Await("", 5s), said == "elected" ? "leader b" : "elected");
  Member& other = said == "elected" ? c : b;
  EXPECT_TRUE(said == "elected" || said == "leader c") << said;
  EXPECT_TRUE(other.Silent("elected", 3s)) << "one leads";
}

TEST_F(ElectionTest, ALeaderThatResignsIsFollowedAtOnce) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 30);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 30);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  a.Resign();
  EXPECT_EQ(b.Await("elected", 5s), "elected");
  EXPECT_EQ(a.Await("stopped", 5s), "stopped");
}

TEST_F(ElectionTest, ALeaderThatSleptThroughItsLeaseNotices) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 2);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 2);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  a.Signal(SIGSTOP);
  ASSERT_EQ(b.Await("elected", 5s), "elected");
  a.Signal(SIGCONT);
  EXPECT_NE(a.Await("lost", 1s), "");
  EXPECT_TRUE(b.Silent("lost", 3s));
}

TEST_F(ElectionTest, AShortSleepChangesNothing) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 5);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 5);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  a.Signal(SIGSTOP);
  EXPECT_TRUE(b.Silent("elected", 2s));
  a.Signal(SIGCONT);
  EXPECT_TRUE(a.Silent("lost", 6s));
  EXPECT_TRUE(b.Silent("elected", 1ms));
}

TEST_F(ElectionTest, ARestartOfEtcdWithinTheLeaseChangesNothing) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 10);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 10);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  etcd.Run("kill");
  etcd.Run("start");
  EXPECT_TRUE(a.Silent("lost", 12s));
  EXPECT_TRUE(b.Silent("elected", 1ms));
  a.Resign();
  EXPECT_EQ(b.Await("elected", 5s), "elected") << "the other has come through it, too";
}

TEST_F(ElectionTest, EtcdAwayForLessThanTheLeaseChangesNothing) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 5);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 5);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  etcd.Run("pause --member 0");
  EXPECT_TRUE(a.Silent("lost", 2s));
  etcd.Run("resume --member 0");
  EXPECT_TRUE(a.Silent("lost", 6s));
  EXPECT_TRUE(b.Silent("elected", 1ms));
}

TEST_F(ElectionTest, WithoutEtcdALeaderStepsDownAndNobodyFollowsUntilItIsBack) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 2);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 2);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  etcd.Run("pause --member 0");
  EXPECT_NE(a.Await("lost", 2s), "") << "by its own clock, before etcd could end the lease";
  EXPECT_NE(b.Await("unknown", 5s), "");
  EXPECT_TRUE(b.Silent("elected", 1s));
  etcd.Run("resume --member 0");
  EXPECT_EQ(b.Await("elected", 6s), "elected");
}

TEST_F(ElectionTest, AMemberOfEtcdIsKilled) {
  const EtcdServers etcd(3);
  Member a(etcd, "a", 5);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 5);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  for (const std::string member : {"0", "1", "2"}) {  // one of them leads the others
    etcd.Run("kill --member " + member);
    EXPECT_TRUE(a.Silent("lost", 3s)) << member;
    etcd.Run("start --member " + member);
  }
  EXPECT_TRUE(b.Silent("elected", 1ms));
  etcd.Run("kill --member 1");
  a.Signal(SIGKILL);
  EXPECT_EQ(b.Await("elected", 15s), "elected") << "two of three are enough";
}

TEST_F(ElectionTest, AMemberOfEtcdHangs) {
  const EtcdServers etcd(3);
  Member a(etcd, "a", 5);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 5);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  etcd.Run("pause --member 0");  // the one that both have asked so far
  EXPECT_TRUE(a.Silent("lost", 8s));
  a.Signal(SIGKILL);
  EXPECT_EQ(b.Await("elected", 15s), "elected");
  etcd.Run("resume --member 0");
  EXPECT_TRUE(b.Silent("lost", 3s));
}

TEST_F(ElectionTest, ALeaderWhoseKeyWasRemovedStepsDown) {
  const EtcdServers etcd(1);
  Member a(etcd, "a", 10);
  ASSERT_EQ(a.Await("elected", 10s), "elected");
  Member b(etcd, "b", 10);
  ASSERT_EQ(b.Await("leader", 10s), "leader a");
  etcd.Run(std::string("ctl del ") + kKey);
  EXPECT_EQ(b.Await("elected", 5s), "elected");
  EXPECT_NE(a.Await("lost", 5s), "");
}

TEST_F(ElectionTest, ACandidateWaitsForEtcd) {
  const EtcdServers etcd(1);
  etcd.Run("kill");
  Member a(etcd, "a", 2);
  EXPECT_NE(a.Await("unknown", 5s), "");
  etcd.Run("start");
  EXPECT_EQ(a.Await("elected", 10s), "elected");
}

}  // namespace
}  // namespace millrace
