#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "common/net/runner_certificate.h"
#include "common/net/tls.h"
#include "tests/common/net/test_ca.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using namespace std::chrono_literals;  // NOLINT

constexpr char kDriver[] = "spiffe://dev/driver/driver-1";

std::string ErrorOf(const Pem& leaf, const std::string& ca, std::string_view role) {
  const absl::StatusOr<TlsIdentity> identity = MakeIdentity(leaf.key, leaf.cert, ca, role);
  return identity.ok() ? "no error" : Message(identity.status());
}

TEST(ParsePeerName, TakesItApart) {
  const auto name = ParsePeerName("spiffe://dev/runner/j-1a2b/e1-3");
  ASSERT_TRUE(name.ok());
  EXPECT_EQ(*name, (PeerName{"dev", "runner", "j-1a2b/e1-3"}));
  EXPECT_EQ(name->Uri(), "spiffe://dev/runner/j-1a2b/e1-3");
}

TEST(ParsePeerName, RefusesEverythingElse) {
  const std::string bad[] = {"",
                             "spiffe://",
                             "spiffe://dev",
                             "spiffe://dev/driver",
                             "spiffe://dev/driver/",
                             "spiffe:///driver/a",
                             "spiffe://dev/king/a",
                             "http://dev/driver/a",
                             "spiffe://dev/driver/a b",
                             "spiffe://dev/driver//a",
                             "spiffe://dev/driver/a/",
                             "spiffe://d,ev/driver/a",
                             "spiffe://dev/driver/a?x",
                             std::string("spiffe://dev/driver/a\0b", 23),
                             "spiffe://dev/driver/" + std::string(2000, 'a')};
  for (const std::string& uri : bad) {
    EXPECT_FALSE(ParsePeerName(uri).ok()) << uri;
  }
}

TEST(MakeIdentity, AcceptsAGoodOne) {
  const TestCa ca("dev");
  const Pem leaf = ca.Leaf({.uris = {kDriver}});
  const auto identity = MakeIdentity(leaf.key, leaf.cert, ca.ca_pem(), "driver");
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name, (PeerName{"dev", "driver", "driver-1"}));
  const auto left = identity->not_after - std::chrono::system_clock::now();
  EXPECT_GT(left, 59min);
  EXPECT_LT(left, 61min);
}

TEST(MakeIdentity, NamesEveryFault) {
  const TestCa ca("dev");
  const TestCa other("dev");
  const Pem good = ca.Leaf({.uris = {kDriver}});
  EXPECT_THAT(ErrorOf(good, other.ca_pem(), "driver"),
              HasSubstr("CA certificate does not vouch for certificate ('CN = leaf': "));
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {kDriver}, .not_after = -5}), ca.ca_pem(), "driver"),
              MatchesRegex("certificate: it expired on ....-..-.. ..:..:.. UTC: issue a new one.*"));
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {kDriver}, .not_before = 600}), ca.ca_pem(), "driver"),
              MatchesRegex("certificate: it is not valid before ....-..-.. ..:..:.. UTC: wait .*which says .* UTC"));
  EXPECT_THAT(
      ErrorOf(good, ca.ca_pem(), "executor"),
      HasSubstr("it is made out to spiffe://dev/driver/driver-1, role driver, but role executor is needed here"));
  EXPECT_THAT(ErrorOf(ca.Leaf({}), ca.ca_pem(), "driver"),
              HasSubstr("it has 0 URIs in its subject alternative name, but needs exactly one"));
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {kDriver, "spiffe://dev/client/a"}}), ca.ca_pem(), "driver"),
              HasSubstr("it has 2 URIs"));
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {"spiffe://dev/king/a"}}), ca.ca_pem(), "driver"),
              HasSubstr("the role must be driver, executor, runner or client"));
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {kDriver}, .constraints = "critical,CA:TRUE"}), ca.ca_pem(), "driver"),
              HasSubstr("certificate of a CA"));
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {kDriver}, .usages = "clientAuth"}), ca.ca_pem(), "driver"),
              HasSubstr("do not allow TLS server authentication"));
  EXPECT_EQ(ErrorOf(ca.Leaf({.uris = {"spiffe://dev/client/a"}, .usages = "clientAuth"}), ca.ca_pem(), "client"),
            "no error");
  EXPECT_EQ(ErrorOf({ca.Leaf({.uris = {kDriver}}).key, good.cert}, ca.ca_pem(), "driver"),
            "private key is not the key of certificate: give the two files that were made together");
}

TEST(MakeIdentity, NamesAnExpiredCa) {
  const TestCa ca("dev", -10);
  EXPECT_THAT(ErrorOf(ca.Leaf({.uris = {kDriver}}), ca.ca_pem(), "driver"),
              AllOf(HasSubstr("in its chain 'CN = Test CA dev'"), HasSubstr("expired on")));
}

TEST(MakeIdentity, RefusesGarbage) {
  const TestCa ca("dev");
  const Pem good = ca.Leaf({.uris = {kDriver}});
  const std::string half = good.cert.substr(0, good.cert.size() / 2);
  EXPECT_THAT(ErrorOf({good.key, "hello"}, ca.ca_pem(), "driver"),
              HasSubstr("certificate: it holds no readable PEM certificate (no start line)"));
  EXPECT_THAT(ErrorOf({good.key, half}, ca.ca_pem(), "driver"), HasSubstr("no readable PEM certificate"));
  EXPECT_THAT(ErrorOf({good.key, good.cert + half}, ca.ca_pem(), "driver"), HasSubstr("no readable PEM certificate"));
  EXPECT_THAT(ErrorOf({good.key, ""}, ca.ca_pem(), "driver"), HasSubstr("no readable PEM certificate"));
  EXPECT_THAT(ErrorOf({good.key, good.cert}, "", "driver"),
              HasSubstr("CA certificate: it holds no readable PEM certificate"));
  EXPECT_THAT(ErrorOf({"hello", good.cert}, ca.ca_pem(), "driver"),
              HasSubstr("private key: it holds no readable PEM private key"));
  EXPECT_THAT(ErrorOf({good.cert, good.cert}, ca.ca_pem(), "driver"), HasSubstr("no readable PEM private key"));
  EXPECT_THAT(ErrorOf({std::string("\0\xff", 2), good.cert}, ca.ca_pem(), "driver"),
              HasSubstr("no readable PEM private key"));
}

class LoadIdentityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/identity_test.XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    dir_ = pattern;
    WriteText(dir_ + "/ca.crt", ca_.ca_pem());
    WritePem(dir_, "driver", ca_.Leaf({.uris = {kDriver}}));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  TlsFiles Files() const { return {dir_ + "/ca.crt", dir_ + "/driver.crt", dir_ + "/driver.key"}; }

  const TestCa ca_{"dev"};
  std::string dir_;
};

TEST_F(LoadIdentityTest, ReadsFiles) {
  const auto identity = LoadIdentity(Files(), "driver");
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name.id, "driver-1");
}

TEST_F(LoadIdentityTest, NamesTheFile) {
  TlsFiles files = Files();
  files.key = dir_ + "/nothing.key";
  EXPECT_EQ(LoadIdentity(files, "driver").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Message(LoadIdentity(files, "driver").status()), HasSubstr("nothing.key"));
  files.key = "";
  EXPECT_EQ(Message(LoadIdentity(files, "driver").status()), "no file is given for the private key");
  files.key = Files().cert;
  EXPECT_THAT(Message(LoadIdentity(files, "driver").status()), HasSubstr(Concat("private key ", files.cert, ": ")));
}

TEST_F(LoadIdentityTest, AnIssuerMustBeAnIntermediate) {
  EXPECT_THAT(Message(LoadIssuer(Files()).status()), HasSubstr("it may not sign certificates"));
  const CertificateIssuer issuer = ca_.Intermediate();
  WritePem(dir_, "driver", {issuer.key_pem, issuer.chain_pem});
  EXPECT_TRUE(LoadIssuer(Files()).ok());
}

TEST(SignCsr, MakesARunnersIdentity) {
  const TestCa ca("dev");
  const std::string uri = "spiffe://dev/runner/j-1a2b3c4d/executor-1-3";
  const auto made = MakeKeyAndCsr(uri);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto chain = SignCsr(ca.Intermediate(), made->csr_pem, uri, 600s);
  ASSERT_TRUE(chain.ok()) << chain.status();
  const auto identity = MakeIdentity(made->key_pem, *chain, ca.ca_pem(), "runner");
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->name.id, "j-1a2b3c4d/executor-1-3");
  EXPECT_LT(identity->not_after - std::chrono::system_clock::now(), 601s);
}

TEST(SignCsr, NeverOutlivesTheIssuer) {
  const TestCa ca("dev");
  const std::string uri = "spiffe://dev/runner/j/e";
  const auto made = MakeKeyAndCsr(uri);
  const auto chain = SignCsr(ca.Intermediate(), made->csr_pem, uri, 1000h);
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_LT(MakeIdentity(made->key_pem, *chain, ca.ca_pem(), "runner")->not_after - std::chrono::system_clock::now(),
            61min);
}

TEST(SignCsr, RefusesBadRequests) {
  const TestCa ca("dev");
  const std::string uri = "spiffe://dev/runner/j/e";
  const auto made = MakeKeyAndCsr(uri);
  EXPECT_EQ(SignCsr(ca.Intermediate(), "garbage", uri, 600s).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SignCsr(ca.Intermediate(), made->csr_pem, "spiffe://dev", 600s).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::string broken = made->csr_pem;  // a changed signature
  const std::size_t at = broken.find("\n-----END") - 10;
  broken[at] = broken[at] == 'A' ? 'B' : 'A';
  EXPECT_EQ(SignCsr(ca.Intermediate(), broken, uri, 600s).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SignCsr({made->key_pem, ca.Intermediate().chain_pem}, made->csr_pem, uri, 600s).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(MakeKeyAndCsr("nonsense").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace millrace
