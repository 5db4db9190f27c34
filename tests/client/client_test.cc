// The client library against a real server: uploads, answers, and every way a connection can fail.
#include "client/lib/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "common/io/sha256.h"
#include "common/net/grpc_status.h"
#include "tests/client/control_server.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;  // NOLINT

class ClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/client_test.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    dir_ = pattern;
    WriteText(dir_ + "/ca.crt", ca_.ca_pem());
    WritePem(dir_, "client", ca_.Leaf({.uris = {"spiffe://dev/client/ann"}}));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& target, std::chrono::milliseconds timeout = 10s) {
    return Client::Connect({target, {dir_ + "/ca.crt", dir_ + "/client.crt", dir_ + "/client.key"}, timeout});
  }
  std::string File(const std::string& content) {
    WriteText(dir_ + "/job.so", content);
    return dir_ + "/job.so";
  }

  const TestCa ca_{"dev"};
  std::string dir_;
};

TEST_F(ClientTest, UploadsTheLibraryInChunks) {
  ControlServer server(ca_);
  std::string content(5'000'001, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + i / 251);
  v1::SubmitHeader header;
  std::string library;
  server.submit = [&](const v1::SubmitHeader& h, const std::string& l, ControlServer::SubmitStream& stream) {
    header = h;
    library = l;
    v1::SubmitProgress progress;
    progress.set_step("planned");
    progress.set_detail("3 stages");
    stream.Write(progress);
    progress.set_step("starting");
    *progress.mutable_job() = MakeJob("j-1", "words", v1::JOB_STATE_STARTING);
    stream.Write(progress);
    return grpc::Status::OK;
  };
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  std::vector<std::string> steps;
  std::uint64_t sent = 0;
  const auto job = (*client)->Submit(File(content), {"words", {{"k", "v"}}, 250'000}, [&](const Client::Progress& p) {
    if (steps.empty() || steps.back() != p.step) steps.push_back(p.step);
    EXPECT_GE(p.sent_bytes, sent);
    sent = p.sent_bytes;
    EXPECT_EQ(p.total_bytes, content.size());
  });
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->id(), "j-1");
  EXPECT_EQ(library, content);
  EXPECT_LE(server.largest_chunk, 1u << 20);
  EXPECT_EQ(header.size_bytes(), content.size());
  Sha256 hash;
  hash.Update(content);
  EXPECT_EQ(header.sha256(), hash.Finish());
  EXPECT_EQ(header.arguments().at("k"), "v");
  EXPECT_EQ(header.batch_interval_us(), 250'000u);
  EXPECT_THAT(steps, ElementsAre("uploading", "planned", "starting"));
  EXPECT_EQ(sent, content.size());
}

TEST_F(ClientTest, PassesOnTheDriversWords) {
  ControlServer server(ca_);
  server.submit = [](const auto&, const auto&, auto&) {
    return ToGrpc(InvalidArgument("job 'words': line 7: no sink"));
  };
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->Submit(File("x"), {}, nullptr).status(), InvalidArgument("job 'words': line 7: no sink"));
  // Refused at the header, long before the upload could end.
  EXPECT_EQ((*client)->Submit(File(std::string(40 << 20, 'x')), {"refused", {}, 0}, nullptr).status(),
            AlreadyExists("a live job has the name 'refused'"));
  EXPECT_EQ((*client)->GetJob("nothing").status(), NotFound("there is no job 'nothing'"));
}

TEST_F(ClientTest, AnAnswerWithoutAJobIsDataLoss) {
  ControlServer server(ca_);
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  const auto job = (*client)->Submit(File("x"), {}, nullptr);
  EXPECT_EQ(job.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Message(job.status()), HasSubstr("may run all the same"));
}

TEST_F(ClientTest, BadLibrariesAreNamed) {
  ControlServer server(ca_);
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  const auto error = [&](const std::string& path) { return Message((*client)->Submit(path, {}, nullptr).status()); };
  EXPECT_THAT(error(dir_ + "/nowhere.so"), AllOf(StartsWith("job library"), HasSubstr("nowhere.so")));
  EXPECT_THAT(error(dir_), HasSubstr("not a regular file"));
  EXPECT_THAT(error(File("")), HasSubstr("it is empty"));
  std::filesystem::resize_file(File("x"), (512u << 20) + 1);
  EXPECT_THAT(error(dir_ + "/job.so"), HasSubstr("at most 536870912 are possible"));
}

TEST_F(ClientTest, AsksAndStops) {
  ControlServer server(ca_);
  server.jobs["j-1"] = MakeJob("j-1", "words", v1::JOB_STATE_RUNNING);
  server.jobs["j-2"] = MakeJob("j-2", "old", v1::JOB_STATE_FAILED);
  server.executors.set_cluster("dev");
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->ListJobs(false)->jobs_size(), 1);
  EXPECT_EQ((*client)->ListJobs(true)->jobs_size(), 2);
  EXPECT_EQ((*client)->GetJob("words")->id(), "j-1");
  EXPECT_EQ((*client)->StopJob("words", {})->state(), v1::JOB_STATE_STOPPING);
  EXPECT_EQ((*client)->StopJob("old", {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ((*client)->ListExecutors()->cluster(), "dev");
}

TEST_F(ClientTest, FollowsAndReadsLogs) {
  ControlServer server(ca_);
  server.jobs["j-1"] = MakeJob("j-1", "words", v1::JOB_STATE_RUNNING);
  server.follow = [](const auto&, auto&, auto& out) {
    for (std::uint64_t batch = 1; batch <= 100; ++batch) out.Write(RowsEvent(batch, 0, {"row"}));
    return grpc::Status::OK;
  };
  server.logs = [](const v1::LogsRequest& request, auto&, auto& out) {
    v1::LogLine line;
    line.set_text(Concat("lines ", request.lines()));
    out.Write(line);
    return ToGrpc(Internal("the log is gone"));
  };
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  std::uint64_t last = 0;
  EXPECT_TRUE((*client)->FollowJob("j-1", [&](const v1::JobEvent& event) { last = event.rows().batch(); }).ok());
  EXPECT_EQ(last, 100u);
  std::vector<std::string> lines;
  EXPECT_EQ((*client)->Logs("j-1", {false, 12}, [&](const v1::LogLine& line) { lines.push_back(line.text()); }),
            Internal("the log is gone"));
  EXPECT_THAT(lines, ElementsAre("lines 12"));
}

TEST_F(ClientTest, CancelEndsWhatRunsAndWhatComes) {
  ControlServer server(ca_);
  server.jobs["j-1"] = MakeJob("j-1", "words", v1::JOB_STATE_RUNNING);
  std::promise<void> over;
  server.follow = [&](const auto&, grpc::ServerContext& context, auto& out) {
    while (!context.IsCancelled() && out.Write(RowsEvent(1, 0, {"row"}))) {
    }
    over.set_value();
    return grpc::Status::OK;
  };
  auto client = Connect(server.target());
  ASSERT_TRUE(client.ok()) << client.status();
  const absl::Status status = (*client)->FollowJob("j-1", [&](const v1::JobEvent&) { (*client)->Cancel(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((*client)->GetJob("j-1").status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(over.get_future().wait_for(20s), std::future_status::ready);
}

TEST_F(ClientTest, ADriverThatDoesNotAnswer) {
  ControlServer server(ca_);
  std::promise<void> release;
  server.get_job = [waiting = release.get_future().share()](const auto&, auto&) {
    waiting.wait();
    return grpc::Status::OK;
  };
  auto client = Connect(server.target(), 300ms);
  ASSERT_TRUE(client.ok()) << client.status();
  const auto job = (*client)->GetJob("j-1");
  release.set_value();
  EXPECT_EQ(job.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(job.status()), HasSubstr("the driver did not answer within 300 ms"));
}

TEST_F(ClientTest, SaysWhyNoConnectionIsMade) {
  const auto error = [&](const std::string& target) { return Connect(target, 5s).status(); };
  std::string gone;
  { gone = ControlServer(ca_).target(); }
  EXPECT_EQ(error(gone).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(error(gone)), HasSubstr("nothing listens there"));
  EXPECT_THAT(Message(error("no-such-host.invalid:1")), HasSubstr("there is no such host"));
  EXPECT_EQ(error("nonsense").code(), absl::StatusCode::kInvalidArgument);

  const ControlServer other(TestCa("dev"));
  EXPECT_EQ(error(other.target()).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(Message(error(other.target())), HasSubstr("our CA does not vouch for its certificate"));
  const ControlServer old(ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/driver/a"}, .not_after = -10}), "driver"));
  EXPECT_THAT(Message(error(old.target())), HasSubstr("its certificate expired on 20"));
  const ControlServer early(ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/driver/a"}, .not_before = 900}), "driver"));
  EXPECT_THAT(Message(error(early.target())), HasSubstr("its certificate is not valid before 20"));
  const ControlServer executor(ca_.Identity("executor", "e1"));
  EXPECT_THAT(Message(error(executor.target())),
              HasSubstr("its certificate is of spiffe://dev/executor/e1, but spiffe://dev/driver/* is expected"));
}

TEST_F(ClientTest, SaysWhyTheDriverRefusesUs) {
  // Trusts our CA no more than we trust it: its own certificate is ours, the clients it takes are of another.
  TlsIdentity mixed = ca_.Identity("driver", "driver-1");
  mixed.ca_pem = TestCa("other").ca_pem();
  const ControlServer server(mixed);
  auto client = Connect(server.target());
  const absl::Status status = client.ok() ? (*client)->GetJob("x").status() : client.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Message(status),
              HasSubstr("it refuses our certificate and gives no reason: has the CA of that cluster issued it"));
}

TEST_F(ClientTest, SilenceIsATimeout) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto client = Connect(Concat("127.0.0.1:", ntohs(address.sin_port)), 300ms);
  close(listener);
  EXPECT_EQ(client.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(client.status()), HasSubstr("fell silent during the TLS handshake"));
}

TEST_F(ClientTest, TheCertificateMustBeAClients) {
  WritePem(dir_, "client", ca_.Leaf({.uris = {"spiffe://dev/executor/e1"}}));
  const auto client = Connect("127.0.0.1:1");
  EXPECT_EQ(client.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(Message(client.status()), HasSubstr("role executor, but a client needs one of role client"));
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  millrace::RequireTls13();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
