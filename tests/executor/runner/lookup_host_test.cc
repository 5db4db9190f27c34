// Lookups of a runner while their server is away: who asks waits, the status says why, and the waiting ends when nobody
// wants the answer any more. The server is a port on which nobody listens.
#include "executor/runner/lookup_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "common/status.h"

namespace millrace {
namespace {

using testing::HasSubstr;

engine::GraphDescription Graph(engine::Options more = {}) {
  engine::OperatorDescription source;
  engine::OperatorDescription lookup;
  lookup.id = 1;
  lookup.kind = engine::OperatorKind::kNarrow;
  lookup.name = "LookupCassandra";
  lookup.location = "job.cc:7";
  lookup.connector = "cassandra";
  lookup.options = {{"contact_points", "127.0.0.1:1"},
                    {"keyspace", "k"},
                    {"table", "t"},
                    {"key_columns", "id"},
                    {"key_kinds", "text"},
                    {"columns", "n"},
                    {"kinds", "text"}};
  for (auto& [name, value] : more) lookup.options[name] = value;
  engine::GraphDescription graph;
  graph.operators = {source, lookup};
  return graph;
}

class LookupHostTest : public testing::Test {
 protected:
  std::future<absl::Status> Ask(runner::AttemptId attempt) {
    return std::async(std::launch::async, [this, attempt] {
      const std::vector<std::string> keys = {"a"};
      return host_->Find(1, attempt, keys).status();
    });
  }
  // Until so many wait, and say why.
  void AwaitProblems(std::size_t count) {
    while (host_->Problems().size() != count) std::this_thread::yield();
  }

  const std::unique_ptr<LookupHost> host_ = *LookupHost::Make(Graph());
};

TEST_F(LookupHostTest, WaitsForAServerThatIsAwayAndSaysWhy) {
  auto first = Ask(10);
  auto second = Ask(11);
  AwaitProblems(2);
  const auto problems = host_->Problems();
  EXPECT_EQ(problems[0].first, 1U);
  EXPECT_THAT(problems[0].second, HasSubstr("cassandra 127.0.0.1:1: cannot connect: Connection refused"));
  host_->Abandon(12);
  host_->Abandon(10);
  EXPECT_TRUE(absl::IsAborted(first.get()));
  AwaitProblems(1);
  host_->Abandon(11);
  EXPECT_TRUE(absl::IsAborted(second.get()));
  AwaitProblems(0);
}

TEST_F(LookupHostTest, StopEndsWaitingNowAndLater) {
  auto before = Ask(10);
  AwaitProblems(1);
  host_->Stop();
  EXPECT_TRUE(absl::IsAborted(before.get()));
  EXPECT_TRUE(absl::IsAborted(Ask(11).get()));
}

TEST_F(LookupHostTest, WhatNoWaitingMendsIsGivenAtOnce) {
  const auto host = *LookupHost::Make(Graph({{"tls", "true"}, {"tls_ca_file", "/nowhere/ca.pem"}}));
  const std::vector<std::string> keys = {"a"};
  const absl::Status status = host->Find(1, 1, keys).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(Message(status), HasSubstr("option tls_ca_file: cannot use /nowhere/ca.pem"));
  EXPECT_TRUE(host->Problems().empty());
}

TEST_F(LookupHostTest, AWrongOptionIsAnErrorWithThePlaceInTheJob) {
  const absl::Status status = LookupHost::Make(Graph({{"cache_rows", "many"}})).status();
  EXPECT_THAT(Message(status), HasSubstr("LookupCassandra at job.cc:7"));
  EXPECT_THAT(Message(status), HasSubstr("option cache_rows"));
}

}  // namespace
}  // namespace millrace
