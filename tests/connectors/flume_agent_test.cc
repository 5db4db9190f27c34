// The receiver with a real Flume agent (scripts/servers/flume.sh), whose source counts and whose channel is a file.
// Skipped by name when the agent is not installed.
#include <gmock/gmock.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/common/eventually.h"
#include "tests/connectors/flume_fixture.h"
#include "tests/connectors/memory_store.h"
#include "tests/connectors/test_certificate.h"

namespace millrace {
namespace {

constexpr int kEvents = 20'000;
constexpr char kScript[] = "scripts/servers/flume.sh";

bool Shell(const std::string& command) {
  return std::system(("cd '" MILLRACE_SOURCE_DIR "' && " + command).c_str()) == 0;
}

class FlumeAgentTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Shell(std::string(kScript) + " installed")) GTEST_SKIP() << "no Flume here: run " << kScript << " install";
    std::string pattern = (std::filesystem::temp_directory_path() / "flume-agent.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  void TearDown() override {
    if (directory_.empty()) return;
    Shell(std::string(kScript) + " kill --data '" + directory_ + "/agent'");
    std::filesystem::remove_all(directory_);
  }
  // An agent that counts from 0 to kEvents - 1.
  void StartAgent(std::uint16_t port, const std::string& options = "") {
    ASSERT_TRUE(Shell("FLUME_TOTAL=" + std::to_string(kEvents) + " " + kScript + " start --data '" + directory_ +
                      "/agent' --source seq --channel file --batch 500 --to 127.0.0.1:" + std::to_string(port) +
                      options));
  }
  void ExpectAllOnce() {
    std::vector<int> seen(kEvents);
    const auto records = store_.records();
    for (const StoredRecord& record : records) {
      const int number = std::stoi(record.value);
      ASSERT_LT(number, kEvents);
      ++seen[static_cast<std::size_t>(number)];
    }
    int lost = 0, repeated = 0;
    for (const int times : seen) {
      if (times == 0) ++lost;
      if (times > 1) ++repeated;
    }
    EXPECT_EQ(lost, 0);
    EXPECT_EQ(repeated, 0);
  }

  std::string directory_;
  MemoryStore store_;
};

TEST_F(FlumeAgentTest, RefusedBatchesComeAgainAndNothingTwice) {
  FlumeReceiver receiver(TestSettings());
  ASSERT_TRUE(receiver.Start(store_).ok());
  store_.FailNext(Unavailable("the disk is away"), 1);
  StartAgent(AwaitPort(receiver));
  ASSERT_TRUE(store_.AwaitRecords(kEvents)) << receiver.Problem();
  ExpectAllOnce();
  EXPECT_EQ(store_.records().front().value, "0");
  EXPECT_EQ(store_.records().back().value, std::to_string(kEvents - 1));
}

TEST_F(FlumeAgentTest, AnotherReceiverTakesOver) {
  auto first = std::make_unique<FlumeReceiver>(TestSettings());
  ASSERT_TRUE(first->Start(store_).ok());
  const std::uint16_t port = AwaitPort(*first);
  StartAgent(port);
  ASSERT_TRUE(store_.AwaitRecords(2'000));
  first.reset();
  FlumeSettings settings = TestSettings();
  settings.port = port;
  FlumeReceiver second(settings);
  ASSERT_TRUE(second.Start(store_).ok());
  ASSERT_TRUE(Eventually([&] {
    const auto records = store_.records();
    return !records.empty() && records.back().value == std::to_string(kEvents - 1);
  }));
  // A stop answers what is stored, so even here nothing comes twice.
  ExpectAllOnce();
}

TEST_F(FlumeAgentTest, FindsTheReceiverAndSendsIdsAndTimes) {
  FlumeSettings settings = TestSettings();
  settings.id_header = "uuid";
  FlumeReceiver receiver(settings);
  ASSERT_TRUE(receiver.Start(store_).ok());
  const std::string port = std::to_string(AwaitPort(receiver));
  std::filesystem::create_directories(directory_ + "/agent/spool");
  std::ofstream file(directory_ + "/agent/spool/events");
  for (int i = 0; i < 1000; ++i) file << "id-" << i << " text of it\n";
  file.close();
  // Nobody listens at the first address: the agent's failover processor goes on to the second.
  ASSERT_TRUE(Shell("FLUME_HEADERS=1 " + std::string(kScript) + " start --data '" + directory_ +
                    "/agent' --source spooldir --channel file --id-header uuid --to 127.0.0.1:1,127.0.0.1:" + port));
  ASSERT_TRUE(store_.AwaitRecords(1000)) << receiver.Problem();
  const auto records = store_.records();
  for (int i = 0; i < 1000; ++i) {
    const StoredRecord& record = records[static_cast<std::size_t>(i)];
    ASSERT_EQ(record.id, "id-" + std::to_string(i));
    ASSERT_EQ(record.value, record.id + " text of it");
    ASSERT_GT(record.timestamp_us, 1'600'000'000'000'000);
  }
  EXPECT_EQ(receiver.Problem(), "");
}

TEST_F(FlumeAgentTest, OverTls) {
  FlumeSettings settings = TestSettings();
  settings.certificate = directory_ + "/server.crt";
  settings.private_key = directory_ + "/server.key";
  WriteTestCertificate(settings.certificate, settings.private_key);
  ASSERT_TRUE(Shell("keytool -importcert -noprompt -alias ca -storetype PKCS12 -storepass changeit -file '" +
                    settings.certificate + "' -keystore '" + directory_ + "/trust.p12' 2>/dev/null"));
  FlumeReceiver receiver(settings);
  ASSERT_TRUE(receiver.Start(store_).ok());
  StartAgent(AwaitPort(receiver), " --truststore '" + directory_ + "/trust.p12'");
  ASSERT_TRUE(store_.AwaitRecords(kEvents)) << receiver.Problem();
  ExpectAllOnce();
  EXPECT_EQ(receiver.Problem(), "");
}

}  // namespace
}  // namespace millrace
