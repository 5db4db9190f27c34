// What executors, runners and clients hear of a driver that does not lead.
#include "driver/election/standby_server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <future>

#include "common/net/driver_addresses.h"
#include "common/net/server.h"
#include "millrace/v1/cluster.grpc.pb.h"
#include "millrace/v1/control.grpc.pb.h"
#include "tests/common/net/test_ca.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;

class StandbyServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RequireTls13();
    auto standby = StandbyServer::Start("127.0.0.1:0", ca_.Identity("driver", "driver-1"), &port_);
    ASSERT_TRUE(standby.ok()) << standby.status();
    standby_ = *std::move(standby);
    channel_ = MakeDriverChannel(Concat("127.0.0.1:", port_), client_, true);
  }

  grpc::Status ListJobs() {
    grpc::ClientContext context;
    v1::ListJobsResponse reply;
    return v1::Control::NewStub(channel_)->ListJobs(&context, {}, &reply);
  }

  const TestCa ca_{"dev"};
  const TlsIdentity client_ = ca_.Identity("client", "c");
  int port_ = 0;
  std::unique_ptr<StandbyServer> standby_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(StandbyServerTest, RefusesAndNamesTheLeader) {
  grpc::Status status = ListJobs();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(IsNotTheLeader(status.error_message()));
  EXPECT_EQ(LeaderIn(status.error_message()), "");

  standby_->SetLeader("driver-2:7077", "");
  status = ListJobs();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "not the leader; the leader is driver-2:7077");

  standby_->SetLeader("", "etcd is away");
  EXPECT_EQ(ListJobs().error_message(), "not the leader; no leader is known: etcd is away");
}

TEST_F(StandbyServerTest, RefusesStreams) {
  standby_->SetLeader("driver-2:7077", "");
  grpc::ClientContext context;
  const auto stub = v1::Cluster::NewStub(channel_);
  const auto stream = stub->Executor(&context);
  v1::ExecutorMessage message;
  message.mutable_register_()->set_executor_id("e");
  stream->Write(message);
  v1::ExecutorCommand command;
  EXPECT_FALSE(stream->Read(&command));
  EXPECT_EQ(LeaderIn(stream->Finish().error_message()), "driver-2:7077");
}

TEST_F(StandbyServerTest, SaysThatItDoesNotServe) {
  // grpc.health.v1.HealthCheckResponse{status: NOT_SERVING = 2} is the two bytes 08 02; a request for the whole server
  // is empty.
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  const grpc::Slice nothing("");
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer reply;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request, &reply,
                 [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  ASSERT_TRUE(status.ok()) << status.error_message();
  grpc::Slice slice;
  ASSERT_TRUE(reply.DumpToSingleSlice(&slice).ok());
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(slice.begin()), slice.size()), "\x08\x02");
}

TEST_F(StandbyServerTest, LeavesItsPortToTheLeader) {
  ASSERT_EQ(ListJobs().error_code(), grpc::StatusCode::UNAVAILABLE);
  standby_.reset();
  v1::Control::Service control;
  const auto server =
      StartServer(Concat("127.0.0.1:", port_), ca_.Identity("driver", "driver-1"), "driver.listen", {&control});
  ASSERT_TRUE(server.ok()) << server.status();
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  v1::ListJobsResponse reply;
  const grpc::Status status = v1::Control::NewStub(channel_)->ListJobs(&context, {}, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED)
      << "answered by the new server: " << status.error_message();
}

TEST_F(StandbyServerTest, SaysWhyItCannotListen) {
  const auto second = StandbyServer::Start(Concat("127.0.0.1:", port_), ca_.Identity("driver", "driver-1"));
  EXPECT_THAT(Message(second.status()), HasSubstr("the port is in use"));
}

}  // namespace
}  // namespace millrace
