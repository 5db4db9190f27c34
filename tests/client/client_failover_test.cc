// The client library with several drivers: it finds the one that leads, whatever happens to the one before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "client/lib/client.h"
#include "common/net/grpc_status.h"
#include "driver/election/standby_server.h"
#include "tests/client/control_server.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;  // NOLINT

// A driver that does not lead, on a port of its own.
struct Standby {
  explicit Standby(const TestCa& ca, const std::string& leader = "") {
    auto started = StandbyServer::Start("127.0.0.1:0", ca.Identity("driver", "driver-2"), &port);
    EXPECT_TRUE(started.ok()) << started.status();
    server = *std::move(started);
    server->SetLeader(leader, "");
  }
  std::string target() const { return Concat("127.0.0.1:", port); }
  int port = 0;
  std::unique_ptr<StandbyServer> server;
};

class ClientFailoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/client_failover_test.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    dir_ = pattern;
    WriteText(dir_ + "/ca.crt", ca_.ca_pem());
    WritePem(dir_, "client", ca_.Leaf({.uris = {"spiffe://dev/client/ann"}}));
    WriteText(dir_ + "/job.so", library_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const std::vector<std::string>& targets,
                                                  std::chrono::milliseconds timeout = 10s) {
    std::string list;
    for (const std::string& target : targets) list += (list.empty() ? "" : ",") + target;
    return Client::Connect({list, {dir_ + "/ca.crt", dir_ + "/client.crt", dir_ + "/client.key"}, timeout});
  }

  const TestCa ca_{"dev"};
  const std::string library_ = std::string(3'000'000, 'x');
  std::string dir_;
};

TEST_F(ClientFailoverTest, FindsTheLeader) {
  ControlServer leader(ca_);
  leader.jobs["j-1"] = MakeJob("j-1", "words", v1::JOB_STATE_RUNNING);
  const Standby first(ca_);
  const Standby second(ca_, leader.target());
  for (const auto& targets :
       std::vector<std::vector<std::string>>{{leader.target(), first.target()},
                                             {first.target(), leader.target()},
                                             {first.target(), second.target(), leader.target()},
                                             {"127.0.0.1:1", second.target(), first.target(), leader.target()}}) {
    auto client = Connect(targets);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ((*client)->GetJob("words")->id(), "j-1");
  }
}

TEST_F(ClientFailoverTest, SaysWhatEachDriverSaid) {
  const Standby first(ca_);
  const Standby second(ca_, "driver-9:7077");
  const auto client = Connect({first.target(), second.target(), "127.0.0.1:1"}, 300ms);
  EXPECT_TRUE(absl::IsUnavailable(client.status()));
  const std::string words = Message(client.status());
  EXPECT_THAT(words, HasSubstr("no driver leads: "));
  EXPECT_THAT(words, HasSubstr(first.target() + ": not the leader; no leader is known"));
  EXPECT_THAT(words, HasSubstr(second.target() + ": not the leader; the leader is driver-9:7077"));
  EXPECT_THAT(words, HasSubstr("127.0.0.1:1: nothing listens there"));
}

TEST_F(ClientFailoverTest, DoesNotWaitForDriversThatRefuseIt) {
  TlsIdentity mixed = ca_.Identity("driver", "driver-1");
  mixed.ca_pem = TestCa("other").ca_pem();
  const ControlServer first(mixed);
  const ControlServer second(mixed);
  const auto client = Connect({first.target(), second.target()}, 60s);
  EXPECT_TRUE(absl::IsPermissionDenied(client.status())) << client.status();
}

TEST_F(ClientFailoverTest, ACallWaitsForAnElection) {
  auto leader = std::make_unique<ControlServer>(ca_);
  const std::string target = leader->target();
  Standby standby(ca_, target);
  auto client = Connect({target, standby.target()}, 30s);
  ASSERT_TRUE(client.ok()) << client.status();
  leader.reset();
  standby.server->SetLeader("", "");
  auto answer = std::async(std::launch::async, [&] { return (*client)->ListJobs(false); });
  EXPECT_EQ(answer.wait_for(300ms), std::future_status::timeout);
  const ControlServer next(ca_.Identity("driver", "driver-1"), std::stoi(target.substr(target.rfind(':') + 1)));
  ASSERT_EQ(answer.wait_for(10s), std::future_status::ready);
  EXPECT_TRUE(answer.get().ok());
}

TEST_F(ClientFailoverTest, OneAddressMayBeAStandbysForAWhile) {
  Standby standby(ca_);
  auto client = Connect({standby.target()}, 300ms);
  ASSERT_TRUE(client.ok()) << client.status();
  const auto begun = std::chrono::steady_clock::now();
  const auto job = (*client)->GetJob("words");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 250ms);
  EXPECT_TRUE(absl::IsUnavailable(job.status()));
  EXPECT_THAT(Message(job.status()), HasSubstr(standby.target() + ": not the leader"));
}

TEST_F(ClientFailoverTest, CancelEndsTheSearch) {
  Standby standby(ca_);
  auto client = Connect({standby.target()}, 60s);
  ASSERT_TRUE(client.ok()) << client.status();
  auto answer = std::async(std::launch::async, [&] { return (*client)->ListJobs(false).status(); });
  EXPECT_EQ(answer.wait_for(100ms), std::future_status::timeout);
  (*client)->Cancel();
  ASSERT_EQ(answer.wait_for(10s), std::future_status::ready);
  EXPECT_TRUE(absl::IsCancelled(answer.get()));
}

TEST_F(ClientFailoverTest, ASubmissionIsRepeatedUnderItsName) {
  ControlServer first(ca_);
  ControlServer second(ca_);
  std::vector<std::string> names;
  first.submit = [&](const v1::SubmitHeader& header, const std::string&, auto&) {
    names.push_back(header.submission());
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");  // it may have started the job
  };
  std::string library;
  second.submit = [&](const v1::SubmitHeader& header, const std::string& got, ControlServer::SubmitStream& stream) {
    names.push_back(header.submission());
    library = got;
    v1::SubmitProgress progress;
    progress.set_step("starting");
    *progress.mutable_job() = MakeJob("j-1", "words", v1::JOB_STATE_STARTING);
    stream.Write(progress);
    return grpc::Status::OK;
  };
  auto client = Connect({first.target(), second.target()});
  ASSERT_TRUE(client.ok()) << client.status();
  std::vector<std::string> steps;
  const auto job = (*client)->Submit(dir_ + "/job.so", {}, [&](const Client::Progress& p) {
    if (steps.empty() || steps.back() != p.step) steps.push_back(p.step);
  });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->id(), "j-1");
  EXPECT_EQ(library, library_);
  EXPECT_THAT(steps, ElementsAre("uploading", "again", "uploading", "starting"));
  ASSERT_EQ(names.size(), 2u);
  EXPECT_EQ(names[0], names[1]);
  EXPECT_GE(names[0].size(), 16u);
  ASSERT_TRUE((*client)->Submit(dir_ + "/job.so", {}, nullptr).ok());
  EXPECT_NE(names[2], names[0]) << "another submission";
}

TEST_F(ClientFailoverTest, AFollowerIsToldOfABreakAndFindsTheLeaderNext) {
  ControlServer first(ca_);
  ControlServer second(ca_);
  for (ControlServer* server : {&first, &second}) server->jobs["j-1"] = MakeJob("j-1", "words", v1::JOB_STATE_RUNNING);
  first.follow = [](const auto&, auto&, auto& out) {
    out.Write(RowsEvent(1, 0, {"a"}));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  };
  second.follow = [](const auto&, auto&, auto& out) {
    out.Write(RowsEvent(2, 0, {"b"}));
    return grpc::Status::OK;
  };
  auto client = Connect({first.target(), second.target()});
  ASSERT_TRUE(client.ok()) << client.status();
  std::vector<std::uint64_t> batches;
  const auto follow = [&] {
    return (*client)->FollowJob("words", [&](const v1::JobEvent& event) { batches.push_back(event.rows().batch()); });
  };
  EXPECT_TRUE(absl::IsUnavailable(follow()));
  EXPECT_TRUE(follow().ok());
  EXPECT_THAT(batches, ElementsAre(1, 2));
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  millrace::RequireTls13();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
