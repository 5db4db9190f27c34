#include "executor/connectors/kafka/fetch/broker_connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/status.h"
#include "executor/connectors/kafka/fetch/scram.h"
#include "executor/connectors/kafka/fetch/wire.h"

namespace millrace::kafka {
namespace {

constexpr std::chrono::seconds kConnectPatience{5};
constexpr std::size_t kMostAnswer = 1 << 30;

std::string_view NameOf(SaslMechanism mechanism) {
  switch (mechanism) {
    case SaslMechanism::kNone:
      break;
    case SaslMechanism::kPlain:
      return "PLAIN";
    case SaslMechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512:
      return "SCRAM-SHA-512";
  }
  return "";
}

}  // namespace

std::string BrokerAddress::Name() const { return Concat(host, ":", port); }

absl::StatusOr<std::unique_ptr<BrokerConnection>> BrokerConnection::Open(const BrokerAddress& broker,
                                                                         const FetchSettings& settings,
                                                                         const BrokerSecurity& security, int stop_fd) {
  const net::Endpoint endpoint{broker.host, static_cast<std::uint16_t>(broker.port)};
  const net::Patience patience(std::chrono::steady_clock::now() + kConnectPatience, stop_fd);
  MR_ASSIGN_OR_RETURN(auto channel,
                      net::Channel::Connect({"kafka", "brokers", endpoint}, security.tls.get(), patience));
  auto connection = std::unique_ptr<BrokerConnection>(
      new BrokerConnection(std::move(channel), Concat("kafka ", broker.Name()), stop_fd));
  MR_RETURN_IF_ERROR(connection->CheckVersion(settings));
  MR_RETURN_IF_ERROR(connection->LogIn(settings, security));
  return connection;
}

absl::Status BrokerConnection::CheckVersion(const FetchSettings& settings) {
  MR_ASSIGN_OR_RETURN(const Answer answer, Call(EncodeApiVersions(settings, 0), 0, kConnectPatience));
  MR_ASSIGN_OR_RETURN(const std::int16_t highest, DecodeFetchVersion(answer.body));
  if (highest >= kFetchVersion) return absl::OkStatus();
  return FailedPrecondition(name_, ": the broker is older than Kafka 2.3: it speaks Fetch up to version ", highest,
                            ", not ", kFetchVersion, "; set the option fetch to librdkafka");
}

absl::StatusOr<std::string> BrokerConnection::SaslStep(const FetchSettings& settings, std::string_view bytes) {
  MR_ASSIGN_OR_RETURN(const Answer answer, Call(EncodeSaslAuthenticate(settings, bytes, 0), 0, kConnectPatience));
  auto said = DecodeSaslAuthenticate(answer.body);
  if (!said.ok()) return Annotate(said.status(), name_);
  return said;
}

absl::Status BrokerConnection::LogIn(const FetchSettings& settings, const BrokerSecurity& security) {
  if (security.sasl == SaslMechanism::kNone) return absl::OkStatus();
  const std::string_view mechanism = NameOf(security.sasl);
  MR_ASSIGN_OR_RETURN(const Answer answer, Call(EncodeSaslHandshake(settings, mechanism, 0), 0, kConnectPatience));
  if (absl::Status known = DecodeSaslHandshake(answer.body, mechanism); !known.ok()) return Annotate(known, name_);
  if (security.sasl == SaslMechanism::kPlain) {
    const char zero = '\0';
    return SaslStep(settings, Concat(zero, security.username, zero, security.password)).status();
  }
  const ScramHash hash = security.sasl == SaslMechanism::kScramSha256 ? ScramHash::kSha256 : ScramHash::kSha512;
  ScramClient scram(hash, security.username, security.password, NewNonce());
  MR_ASSIGN_OR_RETURN(const std::string first, SaslStep(settings, scram.First()));
  auto proof = scram.Final(first);
  if (!proof.ok()) return Annotate(proof.status(), name_);
  MR_ASSIGN_OR_RETURN(const std::string last, SaslStep(settings, *proof));
  return Annotate(scram.Verify(last), name_);
}

absl::Status BrokerConnection::Await(short events, Deadline deadline) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Unavailable(name_, ": no answer in time");
    std::array<pollfd, 2> polled{{{channel_->fd(), events, 0}, {stop_fd_, POLLIN, 0}}};
    const int n = poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (n < 0 && errno != EINTR) return ErrnoStatus(errno, Concat(name_, ": waiting"));
    if (n > 0 && polled[1].revents != 0) return absl::CancelledError("the source is closed");
    if (n > 0 && polled[0].revents != 0) return absl::OkStatus();
  }
}

absl::Status BrokerConnection::SendAll(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    MR_ASSIGN_OR_RETURN(const std::size_t n, channel_->Write(bytes));
    bytes.remove_prefix(n);
    if (n == 0) MR_RETURN_IF_ERROR(Await(POLLOUT, deadline));
  }
  return absl::OkStatus();
}

absl::Status BrokerConnection::ReceiveAll(char* to, std::size_t size, Deadline deadline) {
  while (size > 0) {
    MR_ASSIGN_OR_RETURN(const std::size_t n, channel_->ReadInto({to, size}));
    to += n;
    size -= n;
    if (n == 0) MR_RETURN_IF_ERROR(Await(POLLIN, deadline));
  }
  return absl::OkStatus();
}

absl::StatusOr<Answer> BrokerConnection::Call(std::string_view request, std::int32_t correlation,
                                              std::chrono::milliseconds patience) {
  const Deadline deadline = std::chrono::steady_clock::now() + patience;
  MR_RETURN_IF_ERROR(SendAll(request, deadline));
  std::array<char, 8> head{};
  MR_RETURN_IF_ERROR(ReceiveAll(head.data(), head.size(), deadline));
  const auto size = FromBigEndian<std::int32_t>(head.data());
  if (size < 4 || static_cast<std::size_t>(size) > kMostAnswer ||
      FromBigEndian<std::int32_t>(head.data() + 4) != correlation) {
    return Unavailable(name_,
                       ": what came is no answer to what was asked; is this a Kafka broker, and does it want TLS?");
  }
  const std::size_t body = static_cast<std::size_t>(size) - 4;
  const std::shared_ptr<char[]> bytes(new char[body]);  // make_shared would fill it
  MR_RETURN_IF_ERROR(ReceiveAll(bytes.get(), body, deadline));
  return Answer{bytes, std::string_view(bytes.get(), body)};
}

}  // namespace millrace::kafka
