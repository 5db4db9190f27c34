// The client of etcd against real etcds.
#include "driver/election/etcd_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/common/eventually.h"
#include "tests/driver/election/etcd_fixture.h"

namespace millrace {
namespace {

using testing::EtcdServers;
using ::testing::HasSubstr;
using namespace std::chrono_literals;  // NOLINT

std::unique_ptr<EtcdClient> ClientOf(const EtcdServers& servers, TlsFiles tls = {}) {
  auto client = EtcdClient::Make({.endpoints = servers.endpoints(), .tls = std::move(tls), .call_timeout = 1s});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

class EtcdClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!EtcdServers::Installed()) GTEST_SKIP() << "etcd is not installed (packages etcd-server, etcd-client)";
  }
};

TEST_F(EtcdClientTest, TheFirstCreatesTheKey) {
  const EtcdServers servers(1);
  const auto client = ClientOf(servers);
  const auto none = client->Get("/k");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->exists);
  const auto first = client->Grant(5s);
  const auto second = client->Grant(5s);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->ttl, 5s);
  EXPECT_NE(first->id, second->id);
  EXPECT_EQ(client->Create("/k", "one", first->id)->lease, first->id);
  const auto lost = client->Create("/k", "two", second->id);
  ASSERT_TRUE(lost.ok()) << lost.status();
  EXPECT_EQ(lost->lease, first->id);
  EXPECT_EQ(lost->value, "one");
  EXPECT_EQ(client->Get("/k")->created, lost->created);
}

TEST_F(EtcdClientTest, AKeyEndsWithItsLease) {
  const EtcdServers servers(1);
  const auto client = ClientOf(servers);
  const auto lease = client->Grant(5s);
  ASSERT_TRUE(lease.ok()) << lease.status();
  const auto key = client->Create("/k", "v", lease->id);
  EXPECT_EQ(*client->KeepAlive(lease->id, BootClock::now() + 1s), 5s);
  std::thread watcher([&] {
    const auto other = ClientOf(servers);
    other->AwaitChange("/k", key->revision, 10s);
    EXPECT_FALSE(other->Get("/k")->exists);
  });
  EXPECT_TRUE(client->Revoke(lease->id).ok());
  watcher.join();
  EXPECT_TRUE(absl::IsNotFound(client->KeepAlive(lease->id, BootClock::now() + 1s).status()));
  EXPECT_TRUE(absl::IsNotFound(client->Revoke(lease->id)));
}

TEST_F(EtcdClientTest, AWatchEndsWithItsTime) {
  const EtcdServers servers(1);
  const auto client = ClientOf(servers);
  const auto begun = BootClock::now();
  client->AwaitChange("/k", client->Get("/k")->revision, 300ms);
  EXPECT_GE(BootClock::now() - begun, 290ms);
}

TEST_F(EtcdClientTest, GoesOnToAMemberThatAnswers) {
  const EtcdServers servers(3);
  const auto client = ClientOf(servers);
  const auto lease = client->Grant(10s);
  ASSERT_TRUE(lease.ok()) << lease.status();
  for (const char* const command : {"kill --member 0", "start --member 0", "pause --member 1"}) {
    servers.Run(command);
    // A new leader among the members may take a second to be found.
    EXPECT_TRUE(Eventually([&] { return client->Create("/k", "v", lease->id).ok(); })) << command;
    EXPECT_TRUE(client->KeepAlive(lease->id, BootClock::now() + 4s).ok()) << command;
  }
  servers.Run("resume --member 1");
}

TEST_F(EtcdClientTest, SaysWhatEachEndpointSaid) {
  const EtcdServers servers(1);
  const auto client = ClientOf(servers);
  servers.Run("kill");
  const auto key = client->Get("/k");
  EXPECT_TRUE(absl::IsUnavailable(key.status()));
  EXPECT_THAT(Message(key.status()), HasSubstr(servers.joined()));
  EXPECT_THAT(Message(key.status()), HasSubstr("nothing listens there"));
}

TEST_F(EtcdClientTest, ACancelledCallEnds) {
  const EtcdServers servers(1);
  const auto client = ClientOf(servers);
  const std::int64_t revision = client->Get("/k")->revision;
  std::thread other([&] { client->Cancel(); });
  client->AwaitChange("/k", revision, 60s);
  other.join();
  EXPECT_TRUE(absl::IsCancelled(client->Get("/k").status()));
  client->Resume();
  EXPECT_TRUE(client->Get("/k").ok());
}

TEST_F(EtcdClientTest, ShowsItsCertificate) {
  const EtcdServers servers(1, true);
  const auto client = ClientOf(servers, {servers / "ca.pem", servers / "client.crt", servers / "client.key"});
  EXPECT_TRUE(client->Get("/k").ok()) << client->Get("/k").status();
  EXPECT_FALSE(ClientOf(servers, {servers / "ca.pem", "", ""})->Get("/k").ok()) << "a certificate is required";
  EXPECT_FALSE(ClientOf(servers)->Get("/k").ok()) << "its CA is not one of the system's";
}

TEST(EtcdOptions, AreChecked) {
  const auto make = [](std::vector<std::string> endpoints, TlsFiles tls = {}) {
    return Message(EtcdClient::Make({.endpoints = std::move(endpoints), .tls = std::move(tls)}).status());
  };
  EXPECT_THAT(make({}), HasSubstr("no endpoint"));
  EXPECT_THAT(make({"localhost:2379"}), HasSubstr("must be https://HOST:PORT"));
  EXPECT_THAT(make({"http://localhost"}), HasSubstr("must be https://HOST:PORT"));
  EXPECT_THAT(make({"http://localhost:1/v3"}), HasSubstr("must be https://HOST:PORT"));
  EXPECT_THAT(make({"https://localhost:1"}, {"", "/c.crt", ""}), HasSubstr("without a key"));
  EXPECT_THAT(make({"https://localhost:1"}, {"/no/such/ca", "", ""}), HasSubstr("/no/such/ca"));
  EXPECT_EQ(make({"http://localhost:1"}), "");
}

}  // namespace
}  // namespace millrace
