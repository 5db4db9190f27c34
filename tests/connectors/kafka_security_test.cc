// TLS and SASL against a real broker that was started with --secure; the options need none.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "common/status.h"
#include "executor/connectors/sink.h"
#include "tests/connectors/kafka_fixture.h"

namespace millrace {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

constexpr char kPassword[] = "millrace-secret";

class Directory {
 public:
  Directory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "kafka-security.XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

class KafkaSecurityOptions : public testing::Test {
 protected:
  std::string ErrorOf(engine::Options options) {
    options.insert({{"brokers", "127.0.0.1:1"}, {"topics", "t"}});
    const auto source = MakeSource(Describe("kafka", std::move(options)), {"j1"});
    if (source.ok()) return "no error";
    EXPECT_TRUE(absl::IsInvalidArgument(source.status())) << source.status();
    return Message(source.status());
  }
  Directory directory_;
};

TEST_F(KafkaSecurityOptions, SayWhatIsWrong) {
  const std::string file = directory_.Write("password", "secret\n");
  EXPECT_THAT(ErrorOf({{"ca", "/ca.pem"}}), HasSubstr("option ca is given, but the option tls is not true"));
  EXPECT_THAT(ErrorOf({{"tls", "true"}, {"ca", "/none/ca.pem"}}),
              HasSubstr("option ca cannot be read on this machine"));
  EXPECT_THAT(ErrorOf({{"tls", "true"}, {"ca", file}}), HasSubstr("which is no PEM file"));
  EXPECT_THAT(ErrorOf({{"tls", "true"}, {"certificate", file}}), HasSubstr("option private_key is missing"));
  EXPECT_THAT(ErrorOf({{"sasl", "PLAIN"}, {"username", "u"}, {"password_file", file}}), HasSubstr("set tls"));
  EXPECT_THAT(ErrorOf({{"sasl", "SCRAM-SHA-1"}}), HasSubstr("option sasl must be none, PLAIN, SCRAM-SHA-256 or"));
  EXPECT_THAT(ErrorOf({{"sasl", "SCRAM-SHA-256"}}), HasSubstr("option username is missing"));
  EXPECT_THAT(ErrorOf({{"sasl", "SCRAM-SHA-256"}, {"username", "u"}}), HasSubstr("option password_file is missing"));
  EXPECT_THAT(ErrorOf({{"sasl", "SCRAM-SHA-256"}, {"username", "u"}, {"password_file", "/none"}}),
              HasSubstr("option password_file cannot be read on this machine: "));
  EXPECT_THAT(ErrorOf({{"sasl", "SCRAM-SHA-256"}, {"username", "u"}, {"password_file", directory_.Write("e", "\n")}}),
              HasSubstr("whose first line is empty"));
  EXPECT_THAT(ErrorOf({{"username", "u"}}), HasSubstr("option username is given, but the option sasl is not"));
}

TEST_F(KafkaSecurityOptions, SecretsAreRefusedAndNotRepeated) {
  for (const char* name : {"sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"}) {
    const std::string error = ErrorOf({{Concat("rdkafka.", name), "s3cret"}});
    EXPECT_THAT(error, HasSubstr("cannot be set: use the option")) << name;
    EXPECT_THAT(error, Not(HasSubstr("s3cret"))) << name;
  }
  EXPECT_THAT(ErrorOf({{"rdkafka.security.protocol", "ssl"}}), HasSubstr("use the options tls and sasl"));
}

class KafkaSecurity : public KafkaTest {
 protected:
  void SetUp() override {
    KafkaTest::SetUp();
    if (IsSkipped()) return;
    const char* data = getenv("MILLRACE_TEST_KAFKA_DATA");
    if (data == nullptr || !std::filesystem::exists(std::string(data) + "/ca.pem")) {
      GTEST_SKIP() << "MILLRACE_TEST_KAFKA_DATA names no broker of kafka.sh --secure; see scripts/servers/README.md";
    }
    data_ = data;
    topic_ = NewTopic(1);
    Produce(topic_, 0, Numbered("s", 0, 100));
  }
  // The broker's address on another of its listeners.
  std::string Listener(int step) const {
    const std::size_t colon = brokers_.rfind(':');
    return Concat(brokers_.substr(0, colon + 1), std::stoi(brokers_.substr(colon + 1)) + step);
  }
  engine::Options Sasl(const std::string& mechanism, const std::string& password = kPassword) const {
    return {{"brokers", Listener(2)},  {"tls", "true"},
            {"ca", data_ + "/ca.pem"}, {"sasl", mechanism},
            {"username", "millrace"},  {"password_file", directory_.Write("password", password)}};
  }
  engine::Options Mutual() const {
    return {{"brokers", Listener(3)},
            {"tls", "true"},
            {"ca", data_ + "/ca.pem"},
            {"certificate", data_ + "/client.crt"},
            {"private_key", data_ + "/client.key"}};
  }
  void ExpectReads(const engine::Options& options) {
    auto source = MakeSourceOf(topic_, options);
    auto list = source->ListSplits();
    ASSERT_TRUE(list.ok()) << list.status();
    auto reader = *source->OpenSplit(topic_ + "-0", "0");
    std::string position = "0";
    EXPECT_THAT(Values(Collect(*reader, position, 100)), ElementsAreArray(Numbered("s", 0, 100)));
  }
  // What the job shows while it cannot get in.
  std::string ProblemOf(const engine::Options& options) {
    auto source = MakeSourceOf(topic_, options);
    const auto list = source->ListSplits();
    EXPECT_FALSE(list.ok());
    EXPECT_EQ(list.status().code(), absl::StatusCode::kUnavailable) << list.status();
    return Message(list.status());
  }

  std::string data_;
  std::string topic_;
  Directory directory_;
};

TEST_F(KafkaSecurity, PlainAndScramOverTls) {
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) ExpectReads(Sasl(mechanism));
  ExpectReads(Sasl("PLAIN", std::string(kPassword) + "\r\nnot part of it"));
}

TEST_F(KafkaSecurity, MutualTls) { ExpectReads(Mutual()); }

TEST_F(KafkaSecurity, ASinkProvesItselfToo) {
  engine::Options options = Sasl("SCRAM-SHA-512");
  options["topic"] = topic_;
  auto sink = MakeSink(Describe("kafka", options));
  ASSERT_TRUE(sink.ok()) << sink.status();
  auto writer = (*sink)->NewWriter({"j1", "job", "out"});
  ASSERT_TRUE(writer.ok()) << writer.status();
  auto mark = (*writer)->Open();
  ASSERT_TRUE(mark.ok()) << mark.status();
  EXPECT_EQ(*mark, 0u);
}

TEST_F(KafkaSecurity, WrongPasswordIsNamedAndNotShown) {
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
    const std::string problem = ProblemOf(Sasl(mechanism, "wr0ng-word"));
    EXPECT_THAT(problem, HasSubstr(Listener(2)));
    EXPECT_THAT(problem, HasSubstr("uthentication failed"));
    EXPECT_THAT(problem, HasSubstr("check the options sasl, username and password_file"));
    EXPECT_THAT(problem, Not(HasSubstr("wr0ng-word")));
  }
}

TEST_F(KafkaSecurity, UntrustedBrokerIsNamed) {
  engine::Options options = Mutual();
  options["ca"] = data_ + "/client.crt";  // a certificate, but of nobody who signs
  const std::string problem = ProblemOf(options);
  EXPECT_THAT(problem, HasSubstr("certificate verify failed"));
  EXPECT_THAT(problem, HasSubstr("check the options ca, certificate and private_key"));
}

TEST_F(KafkaSecurity, MissingClientCertificateIsNamed) {
  engine::Options options = Mutual();
  options.erase("certificate");
  options.erase("private_key");
  EXPECT_THAT(ProblemOf(options), HasSubstr("check the options ca, certificate and private_key"));
}

TEST_F(KafkaSecurity, PlainTextToASecureListenerIsNamed) {
  EXPECT_THAT(ProblemOf({{"brokers", Listener(3)}}), HasSubstr("check the options tls and sasl"));
}

}  // namespace
}  // namespace millrace
