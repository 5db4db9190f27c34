// What is refused when a job with a socket source is submitted, word for word.
#include <gmock/gmock.h>

#include "tests/connectors/collect.h"

namespace millrace {
namespace {

std::string Error(engine::Options options) {
  options.insert({"hosts", "h:1"});
  return ErrorOf(MakeSource(Describe("socket", std::move(options)), {"j1"}));
}
const std::string kSource = "source 'x' (socket)";
const std::string kWhere = kSource + ": option ";

TEST(SocketOptionsTest, Hosts) {
  EXPECT_EQ(Error({{"hosts", "a:1,[::1]:2, b:3"}}), "OK");
  EXPECT_EQ(Error({{"hosts", ""}}), kWhere + "hosts must not be empty");
  EXPECT_EQ(Error({{"hosts", "a:1,,b:2"}}), kWhere + "hosts has an empty entry in 'a:1,,b:2'");
  EXPECT_EQ(Error({{"hosts", "a"}}),
            kWhere + "hosts has 'a', which lacks its port; write host:port, an IPv6 address in brackets");
  EXPECT_EQ(Error({{"hosts", "::1"}}),
            kWhere + "hosts has '::1', which lacks its port; write host:port, an IPv6 address in brackets");
  EXPECT_EQ(Error({{"hosts", "a:70000"}}), kWhere + "hosts has 'a:70000', whose port is not from 1 to 65535");
  EXPECT_EQ(Error({{"hosts", ":1"}}), kWhere + "hosts has ':1', which names no host");
  EXPECT_EQ(Error({{"hosts", "a:1,a:1"}}), kWhere + "hosts names a:1 twice; a server is called once");
}

TEST(SocketOptionsTest, Framing) {
  for (const char* good : {"newline", "delimiter:0", "delimiter:255", "length:1", "length:2", "length:4"})
    EXPECT_EQ(Error({{"framing", good}}), "OK") << good;
  for (const std::string bad :
       {"lines", "delimiter", "delimiter:256", "delimiter:x", "length:3", "length:", "newline:1"})
    EXPECT_EQ(Error({{"framing", bad}}), kWhere +
                                             "framing must be newline, delimiter:BYTE with a byte from 0 to 255, or "
                                             "length:1, length:2 or length:4, not '" +
                                             bad + "'");
  EXPECT_EQ(Error({{"too_long", "split"}}), kWhere + "too_long must be cut or drop, not 'split'");
  EXPECT_EQ(Error({{"max_record_bytes", "16777217"}}),
            kWhere + "max_record_bytes must be from 1 to 16777216, not '16777217'; the nearest is 16777216");
}

TEST(SocketOptionsTest, Tls) {
  EXPECT_EQ(Error({{"tls", "true"}, {"ca_file", "/ca"}, {"server_name", "n"}}), "OK");
  EXPECT_EQ(Error({{"ca_file", "/ca"}}), kWhere + "ca_file has the value '/ca', but tls is false; set tls = true");
  EXPECT_EQ(Error({{"server_name", "n"}}), kWhere + "server_name has the value 'n', but tls is false; set tls = true");
  EXPECT_EQ(Error({{"tls", "true"}, {"certificate_file", "/c"}}),
            kWhere + "key_file is missing: a certificate and its key belong together");
  EXPECT_EQ(Error({{"tls", "true"}, {"key_file", "/k"}}),
            kWhere + "certificate_file is missing: a certificate and its key belong together");
}

TEST(SocketOptionsTest, TimesAndStorage) {
  EXPECT_EQ(Error({{"keepalive_ms", "0"}, {"idle_timeout_ms", "50"}}), "OK");
  EXPECT_EQ(Error({{"keepalive_ms", "999"}}),
            kWhere + "keepalive_ms is 999; TCP counts in seconds: pass 1000 or more, or 0 for none");
  EXPECT_THAT(Error({{"reliable", "true"}}), testing::HasSubstr("set executor.checkpoint_dir"));
  EXPECT_THAT(Error({{"max_line_bytes", "9"}}), testing::HasSubstr("unknown option 'max_line_bytes'"));
}

}  // namespace
}  // namespace millrace
