#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "tests/common/eventually.h"
#include "tests/connectors/flume_fixture.h"
#include "tests/connectors/memory_store.h"
#include "tests/connectors/test_certificate.h"

namespace millrace {
namespace {

using testing::HasSubstr;

class FlumeTlsTest : public testing::Test {
 protected:
  FlumeTlsTest() {
    signal(SIGPIPE, SIG_IGN);  // the client library writes to connections that are closed
    std::string pattern = (std::filesystem::temp_directory_path() / "flume-tls.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    settings_ = TestSettings();
    settings_.certificate = directory_ + "/server.crt";
    settings_.private_key = directory_ + "/server.key";
    WriteTestCertificate(settings_.certificate, settings_.private_key);
  }
  ~FlumeTlsTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  FlumeSettings settings_;
  MemoryStore store_;
};

TEST_F(FlumeTlsTest, BatchesOverTls) {
  FlumeReceiver receiver(settings_);
  ASSERT_TRUE(receiver.Start(store_).ok());
  const std::uint16_t port = AwaitPort(receiver);
  AgentClient client(port, Encoding::kCompact, settings_.certificate);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client->appendBatch(Events(500)), flume_wire::Status::OK);
  EXPECT_EQ(client->append(Event(std::string(900'000, 'x'))), flume_wire::Status::OK);
  EXPECT_EQ(store_.records().size(), 10'001U);
  EXPECT_EQ(receiver.Problem(), "");
}

TEST_F(FlumeTlsTest, WhoDoesNotTrustOrSpeakTlsGetsNothingIn) {
  FlumeReceiver receiver(settings_);
  ASSERT_TRUE(receiver.Start(store_).ok());
  const std::uint16_t port = AwaitPort(receiver);
  const auto refused = [&] { return receiver.server()->incidents().count(FrameServer::kTls); };
  AgentClient plain(port);
  EXPECT_THROW(plain->append(Event("a")), apache::thrift::TException);
  EXPECT_TRUE(Eventually([&] { return refused() == 1; })) << receiver.Problem();
  WriteTestCertificate(directory_ + "/other.crt", directory_ + "/other.key");
  EXPECT_THROW(
      {
        AgentClient client(port, Encoding::kCompact, directory_ + "/other.crt");
        client->append(Event("a"));
      },
      apache::thrift::TException);
  EXPECT_TRUE(store_.records().empty());
  EXPECT_THAT(receiver.Problem(), HasSubstr("no TLS"));
  AgentClient good(port, Encoding::kCompact, settings_.certificate);
  EXPECT_EQ(good->append(Event("a")), flume_wire::Status::OK);
}

TEST_F(FlumeTlsTest, TlsToAPlainReceiverIsNamed) {
  FlumeReceiver receiver(TestSettings());
  ASSERT_TRUE(receiver.Start(store_).ok());
  const std::uint16_t port = AwaitPort(receiver);
  EXPECT_THROW(
      {
        AgentClient client(port, Encoding::kCompact, settings_.certificate);
        client->append(Event("a"));
      },
      apache::thrift::TException);
  EXPECT_TRUE(Eventually([&] { return !receiver.Problem().empty(); }));
  EXPECT_THAT(receiver.Problem(), HasSubstr("the peer speaks TLS"));
}

TEST_F(FlumeTlsTest, FilesThatCannotBeUsed) {
  const auto error = [&](std::string certificate, std::string key) {
    FlumeSettings settings = settings_;
    settings.certificate = std::move(certificate);
    settings.private_key = std::move(key);
    const absl::Status status = FlumeReceiver(settings).Start(store_);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return Message(status);
  };
  EXPECT_THAT(error("/none.crt", settings_.private_key), HasSubstr("the certificate /none.crt cannot be used"));
  EXPECT_THAT(error(settings_.certificate, settings_.certificate), HasSubstr("the private key"));
  WriteTestCertificate(directory_ + "/other.crt", directory_ + "/other.key");
  EXPECT_THAT(error(settings_.certificate, directory_ + "/other.key"), HasSubstr("other.key"));
}

}  // namespace
}  // namespace millrace
