// Real gRPC servers and channels on loopback: who gets through, who does not, and what each is told.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "common/net/grpc_status.h"
#include "common/net/runner_certificate.h"
#include "common/net/tls.h"
#include "millrace/v1/control.grpc.pb.h"
#include "tests/common/net/test_ca.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;  // NOLINT

// Answers who called, if the caller is a client or an executor.
class WhoService final : public v1::Control::Service {
 public:
  explicit WhoService(TlsIdentity self) : self_(std::move(self)) {}
  grpc::Status GetJob(grpc::ServerContext* context, const v1::GetJobRequest*, v1::JobStatus* reply) override {
    if (const auto allowed = RequireRole(*context, self_, {"client", "executor"}, "Control/GetJob"); !allowed.ok())
      return ToGrpc(allowed);
    reply->set_name(PeerOf(*context)->Uri());
    return grpc::Status::OK;
  }

 private:
  const TlsIdentity self_;
};

class Server {
 public:
  explicit Server(const TlsIdentity& self) : service_(self) { Build(ServerCredentials(self)); }
  Server(const TlsIdentity& self, std::shared_ptr<grpc::ServerCredentials> credentials) : service_(self) {
    Build(std::move(credentials));
  }
  ~Server() { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string target() const { return Concat("127.0.0.1:", port_); }
  int port() const { return port_; }

 private:
  void Build(std::shared_ptr<grpc::ServerCredentials> credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", std::move(credentials), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    MR_CHECK(server_ != nullptr && port_ > 0);
  }

  WhoService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

struct Answer {
  grpc::Status status;
  std::string name;
};

Answer CallWith(std::shared_ptr<grpc::ChannelCredentials> credentials, const std::string& target) {
  const auto stub = v1::Control::NewStub(grpc::CreateChannel(target, std::move(credentials)));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 20s);
  v1::JobStatus reply;
  Answer answer;
  answer.status = stub->GetJob(&context, v1::GetJobRequest(), &reply);
  answer.name = reply.name();
  return answer;
}

Answer Call(const TlsIdentity& self, const std::string& target, std::string_view role = "driver",
            const std::string& id = "") {
  return CallWith(ChannelCredentials(self, role, id), target);
}

std::string Explained(const Answer& answer) { return ExplainConnectFailure(answer.status, "T"); }

class HandshakeTest : public ::testing::Test {
 protected:
  const TestCa ca_{"dev"};
  const TestCa other_{"dev"};
  const TlsIdentity driver_ = ca_.Identity("driver", "driver-1");
  const TlsIdentity client_ = ca_.Identity("client", "ann");
};

TEST_F(HandshakeTest, GoodPeersMeet) {
  const Server server(driver_);
  const Answer answer = Call(client_, server.target());
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.name, "spiffe://dev/client/ann");
  EXPECT_TRUE(Call(client_, server.target(), "driver", "driver-1").status.ok());
}

TEST_F(HandshakeTest, ARunnersChainIsAccepted) {
  const std::string uri = "spiffe://dev/runner/j-1/e1-3";
  const auto made = MakeKeyAndCsr(uri);
  const auto chain = SignCsr(ca_.Intermediate(), made->csr_pem, uri, 600s);
  ASSERT_TRUE(chain.ok()) << chain.status();
  const TlsIdentity runner = *MakeIdentity(made->key_pem, *chain, ca_.ca_pem(), "runner");
  const Server server(runner);
  EXPECT_TRUE(Call(client_, server.target(), "runner", "j-1/e1-3").status.ok());
  EXPECT_FALSE(Call(client_, server.target(), "runner", "j-1/e1-4").status.ok());
  const Server driver(driver_);
  const Answer refused = Call(runner, driver.target());
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(
      refused.status.error_message(),
      "certificate spiffe://dev/runner/j-1/e1-3 has role runner, but Control/GetJob needs role client or executor");
}

TEST_F(HandshakeTest, ServerOfAnotherRoleOrIdOrCluster) {
  const Server server(ca_.Identity("executor", "executor-1"));
  EXPECT_EQ(
      Explained(Call(client_, server.target())),
      "T: it is not who it should be: expected a certificate of spiffe://dev/driver/*, but the server presented one of "
      "spiffe://dev/executor/executor-1");
  EXPECT_THAT(Explained(Call(client_, server.target(), "executor", "executor-2")),
              HasSubstr("spiffe://dev/executor/executor-2, but"));
  TlsIdentity elsewhere = client_;
  elsewhere.name.cluster = "prod";
  EXPECT_THAT(Explained(Call(elsewhere, server.target(), "executor")),
              HasSubstr("expected a certificate of spiffe://prod/executor/*"));
}

TEST_F(HandshakeTest, ServerWithTwoNamesOrNone) {
  const Server two(ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/driver/a", "spiffe://dev/driver/b"}}), "driver"));
  EXPECT_THAT(Explained(Call(client_, two.target())), HasSubstr("has 2 URI names"));
  const Server none(ca_.Unchecked(ca_.Leaf({}), "driver"));
  EXPECT_THAT(Explained(Call(client_, none.target())), HasSubstr("has 0 URI names"));
}

TEST_F(HandshakeTest, CallerWithTwoNamesOrNone) {
  const Server server(driver_);
  for (const Pem& leaf : {ca_.Leaf({.uris = {"spiffe://dev/client/a", "spiffe://dev/client/b"}}), ca_.Leaf({})}) {
    EXPECT_EQ(Call(ca_.Unchecked(leaf, "client"), server.target()).status.error_code(),
              grpc::StatusCode::PERMISSION_DENIED);
  }
}

TEST_F(HandshakeTest, CallerOfAnotherCluster) {
  const Server server(driver_);
  const TlsIdentity stranger = ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://prod/client/a"}}), "client");
  const Answer answer = Call(stranger, server.target());
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(answer.status.error_message(), HasSubstr("belongs to cluster prod, but this is cluster dev"));
}

TEST_F(HandshakeTest, ServerOfAnotherCaOrOutOfDate) {
  const Server foreign(other_.Identity("driver", "driver-1"));
  EXPECT_THAT(Explained(Call(client_, foreign.target())), HasSubstr("not vouched for by our CA, or has expired"));
  const Server old(ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/driver/a"}, .not_after = -10}), "driver"));
  EXPECT_EQ(Call(client_, old.target()).status.error_code(), grpc::StatusCode::UNAVAILABLE);
  const Server early(ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/driver/a"}, .not_before = 600}), "driver"));
  EXPECT_EQ(Call(client_, early.target()).status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HandshakeTest, CallerOfAnotherCaOrOutOfDate) {
  const Server server(driver_);
  TlsIdentity foreign = other_.Identity("client", "ann");
  foreign.ca_pem = ca_.ca_pem();  // trusts the server, but is not trusted
  const TlsIdentity old = ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/client/a"}, .not_after = -10}), "client");
  const TlsIdentity early = ca_.Unchecked(ca_.Leaf({.uris = {"spiffe://dev/client/a"}, .not_before = 600}), "client");
  for (const TlsIdentity& bad : {foreign, old, early}) {
    const Answer answer = Call(bad, server.target());
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_THAT(Explained(answer), HasSubstr("it closed the connection"))
        << answer.status.error_message() << answer.status.error_message();
  }
}

TEST_F(HandshakeTest, CallerWithoutACertificate) {
  const Server server(driver_);
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<grpc::experimental::StaticDataCertificateProvider>(ca_.ca_pem()));
  options.watch_root_certs();
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  EXPECT_EQ(CallWith(grpc::experimental::TlsCredentials(options), server.target()).status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HandshakeTest, PlainTextAtEitherEnd) {
  const Server server(driver_);
  EXPECT_EQ(CallWith(grpc::InsecureChannelCredentials(), server.target()).status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  const Server plain(driver_, grpc::InsecureServerCredentials());
  EXPECT_THAT(Explained(Call(client_, plain.target())), HasSubstr("it does not speak TLS"))
      << Call(client_, plain.target()).status.error_message();
}

TEST_F(HandshakeTest, NobodyThereAndNoSuchHost) {
  int port = 0;
  { port = Server(driver_).port(); }
  EXPECT_THAT(Explained(Call(client_, Concat("127.0.0.1:", port))),
              HasSubstr("nothing listens there (connection refused)"));
  EXPECT_THAT(Explained(Call(client_, "no-such-host.invalid:7077")), HasSubstr("there is no such host"));
}

// Whether a raw handshake of one TLS version gets an answer to its first bytes.
bool RawHandshake(const TlsIdentity& self, int port, int version) {
  const std::unique_ptr<SSL_CTX, openssl::Freer<SSL_CTX_free>> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  const std::vector<openssl::CertPtr> chain = openssl::ParseCertificates(self.chain_pem);
  const openssl::KeyPtr key = openssl::ParseKey(self.key_pem);
  MR_CHECK(SSL_CTX_use_certificate(context.get(), chain[0].get()) == 1 &&
           SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  const unsigned char alpn[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), alpn, sizeof alpn);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MR_CHECK(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  bool good = false;
  {
    const std::unique_ptr<SSL, openssl::Freer<SSL_free>> ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), fd);
    good = SSL_connect(ssl.get()) == 1;
  }
  close(fd);
  return good;
}

TEST_F(HandshakeTest, TLS12IsRefusedByAServer) {
  const Server server(driver_);
  EXPECT_FALSE(RawHandshake(client_, server.port(), TLS1_1_VERSION));
  EXPECT_FALSE(RawHandshake(client_, server.port(), TLS1_2_VERSION));
  EXPECT_TRUE(RawHandshake(client_, server.port(), TLS1_3_VERSION));
}

// A server that offers nothing newer than TLS 1.2, for one connection.
TEST_F(HandshakeTest, TLS12IsRefusedByAClient) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  int accepted = 0;
  std::thread server([&] {
    const std::unique_ptr<SSL_CTX, openssl::Freer<SSL_CTX_free>> context(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
    const std::vector<openssl::CertPtr> chain = openssl::ParseCertificates(driver_.chain_pem);
    const openssl::KeyPtr key = openssl::ParseKey(driver_.key_pem);
    SSL_CTX_use_certificate(context.get(), chain[0].get());
    SSL_CTX_use_PrivateKey(context.get(), key.get());
    for (int fd = accept(listener, nullptr, nullptr); fd >= 0; fd = accept(listener, nullptr, nullptr)) {
      const std::unique_ptr<SSL, openssl::Freer<SSL_free>> ssl(SSL_new(context.get()));
      SSL_set_fd(ssl.get(), fd);
      if (SSL_accept(ssl.get()) == 1) ++accepted;
      close(fd);
    }
  });
  EXPECT_EQ(Call(client_, Concat("127.0.0.1:", ntohs(address.sin_port))).status.error_code(),
            grpc::StatusCode::UNAVAILABLE);
  shutdown(listener, SHUT_RDWR);
  server.join();
  close(listener);
  EXPECT_EQ(accepted, 0);
}

TEST(GrpcStatus, GoesBothWays) {
  EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok());
  EXPECT_EQ(FromGrpc(ToGrpc(NotFound("no job 'x'"))), NotFound("no job 'x'"));
  EXPECT_EQ(FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(99), "odd")).code(), absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  millrace::RequireTls13();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
