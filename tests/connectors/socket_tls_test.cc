// Real TLS between a socket source and a server: what is trusted is received, and each fault is said.
#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/common/eventually.h"
#include "tests/connectors/socket_fixture.h"
#include "tests/connectors/test_certificate.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SocketTlsTest : public testing::Test {
 protected:
  SocketTlsTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "socket-tls.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    for (const char* name : {"server", "other", "client"}) WriteTestCertificate(Pem(name), Key(name));
  }
  ~SocketTlsTest() override { std::filesystem::remove_all(directory_); }

  std::string Pem(const std::string& name) const { return directory_ + "/" + name + ".crt"; }
  std::string Key(const std::string& name) const { return directory_ + "/" + name + ".key"; }

  void Open(engine::Options more = {}) {
    more.insert({{"tls", "true"}, {"ca_file", Pem("server")}});
    source_ = MakeSocket(server_.port(), std::move(more));
    auto reader = source_->OpenSplit(server_.name(), "0");
    ASSERT_TRUE(reader.ok()) << reader.status();
    reader_ = std::move(*reader);
  }
  bool Says(std::string_view text) {
    return Eventually([&] { return source_->Problem().find(text) != std::string::npos; });
  }

  std::string directory_;
  SocketServer server_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<SplitReader> reader_;
  std::string position_ = "0";
};

TEST_F(SocketTlsTest, RecordsOverTls) {
  server_.UseTls(Pem("server"), Key("server"));
  Open();
  ASSERT_TRUE(server_.AcceptTls());
  std::string lines;
  for (int i = 0; i < 100'000; ++i) lines += "line " + std::to_string(i) + "\n";
  server_.Send(lines);
  const auto seen = Collect(*reader_, position_, 100'000);
  ASSERT_EQ(seen.size(), 100'000u);
  EXPECT_EQ(seen.back().value, "line 99999");
  EXPECT_EQ(source_->Problem(), "");
  server_.Send("last");
  server_.HangUp();
  EXPECT_THAT(Values(Collect(*reader_, position_, 1)), ElementsAre("last")) << "the server said that it was done";
  ASSERT_TRUE(server_.AcceptTls());
  server_.Send("cut");
  server_.BreakOff();
  EXPECT_TRUE(Says("1 records were cut off")) << "nobody said that this was the end: " << source_->Problem();
}

TEST_F(SocketTlsTest, AnUntrustedCertificateIsSaidAndReplacedWithoutANewSubmit) {
  server_.UseTls(Pem("other"), Key("other"));
  Open();
  EXPECT_FALSE(server_.AcceptTls());
  ASSERT_TRUE(Says("the server's certificate is not trusted for '127.0.0.1'")) << source_->Problem();
  EXPECT_THAT(source_->Problem(), HasSubstr("socket " + server_.name()));
  EXPECT_THAT(source_->Problem(), HasSubstr("check the options ca_file and server_name"));
  std::filesystem::copy_file(Pem("other"), Pem("server"), std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(Eventually([&] { return server_.AcceptTls(); }));
  server_.Send("a\n");
  EXPECT_THAT(Values(Collect(*reader_, position_, 1)), ElementsAre("a"));
}

TEST_F(SocketTlsTest, TheNameThatIsExpected) {
  server_.UseTls(Pem("server"), Key("server"));
  Open({{"server_name", "gateway.example"}});
  EXPECT_FALSE(server_.AcceptTls());
  ASSERT_TRUE(Says("not trusted for 'gateway.example': hostname mismatch")) << source_->Problem();
}

TEST_F(SocketTlsTest, APlainServerBehindATlsClient) {
  Open();
  server_.Accept();
  server_.Send("hello, this is plain text\n");
  ASSERT_TRUE(Says("does the server speak TLS on this port")) << source_->Problem();
}

TEST_F(SocketTlsTest, AServerThatDoesNotAnswerTheHandshake) {
  Open({{"connect_timeout_ms", "300"}});
  server_.Accept();
  ASSERT_TRUE(Says("TLS: no answer in time")) << source_->Problem();
}

TEST_F(SocketTlsTest, AServerThatAsksForACertificate) {
  server_.UseTls(Pem("server"), Key("server"), Pem("client"));
  Open();
  EXPECT_FALSE(server_.AcceptTls());
  ASSERT_TRUE(Says("does the server ask for a certificate (certificate_file)?")) << source_->Problem();
  Open({{"certificate_file", Pem("client")}, {"key_file", Key("client")}});
  EXPECT_TRUE(Eventually([&] { return server_.AcceptTls(); }));
  server_.Send("a\n");
  EXPECT_THAT(Values(Collect(*reader_, position_, 1)), ElementsAre("a"));
}

TEST_F(SocketTlsTest, FilesThatCannotBeUsedAreNamed) {
  Open({{"ca_file", directory_ + "/none.pem"}});
  ASSERT_TRUE(Says("option ca_file: cannot use " + directory_ + "/none.pem: No such file")) << source_->Problem();
  Open({{"certificate_file", Pem("client")}, {"key_file", Key("other")}});
  ASSERT_TRUE(Says("option key_file: cannot use " + Key("other"))) << source_->Problem();
}

}  // namespace
}  // namespace millrace
