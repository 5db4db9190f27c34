#include "executor/connectors/cassandra/connection.h"

#include <fstream>

#include "common/status.h"
#include "executor/connectors/cassandra/wire.h"

namespace millrace::cassandra {
namespace {

// Read each time, so that a password can be changed while a job runs.
absl::StatusOr<std::string> ReadPassword(const ClientOptions& options) {
  std::ifstream file(options.password_file);
  std::string password;
  if (!file || !std::getline(file, password)) {
    return InvalidArgument("cassandra: option password_file: cannot read a line from ", options.password_file,
                           "; it must be there, and readable, on every executor");
  }
  if (password.ends_with('\r')) password.pop_back();
  return password;
}

}  // namespace

Connection::Connection(std::unique_ptr<Channel> channel, std::chrono::milliseconds request_timeout)
    : channel_(std::move(channel)),
      request_timeout_(request_timeout),
      tags_(kMaxStreams),
      used_(kMaxStreams),
      last_progress_(std::chrono::steady_clock::now()) {
  free_streams_.reserve(kMaxStreams);
  for (std::size_t i = kMaxStreams; i-- > 0;) free_streams_.push_back(static_cast<std::int16_t>(i));
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Endpoint& endpoint, const ClientOptions& options,
                                                             const TlsContext* tls, Deadline deadline) {
  MR_ASSIGN_OR_RETURN(auto channel, Channel::Connect({"cassandra", "contact_points", endpoint}, tls, deadline));
  auto connection = std::unique_ptr<Connection>(new Connection(std::move(channel), options.request_timeout));
  const absl::Status started = connection->Start(options, deadline);
  if (started.ok()) return connection;
  // A server that wants TLS hangs up on whoever speaks without.
  if (absl::IsUnavailable(started) && tls == nullptr && !connection->heard_) {
    return Unavailable(Message(started), "; does the server want TLS (option tls)?");
  }
  return started;
}

absl::Status Connection::Start(const ClientOptions& options, Deadline deadline) {
  WireWriter startup;
  startup.Short(1).String("CQL_VERSION").String("3.0.0");
  MR_ASSIGN_OR_RETURN(const Frame answer, Call(Opcode::kStartup, startup.bytes(), deadline));
  switch (answer.opcode) {
    case Opcode::kReady:
      return absl::OkStatus();
    case Opcode::kAuthenticate:
      return Authenticate(WireReader(answer.body).String(), options, deadline);
    case Opcode::kError:
      return ParseServerError(answer.body).ToStatus(name(), "opening a connection");
    default:
      return Unavailable("cassandra ", name(), ": an answer to STARTUP that is none; is it a Cassandra server?");
  }
}

absl::Status Connection::Authenticate(std::string_view authenticator, const ClientOptions& options, Deadline deadline) {
  if (options.username.empty()) {
    return PermissionDenied("cassandra ", name(), ": the server asks for a user name and a password (", authenticator,
                            "); set the options username and password_file");
  }
  MR_ASSIGN_OR_RETURN(const std::string password, ReadPassword(options));
  std::string token;  // SASL PLAIN
  token.push_back('\0');
  token += options.username;
  token.push_back('\0');
  token += password;
  MR_ASSIGN_OR_RETURN(const Frame answer, Call(Opcode::kAuthResponse, WireWriter().Bytes(token).bytes(), deadline));
  switch (answer.opcode) {
    case Opcode::kAuthSuccess:
      return absl::OkStatus();
    case Opcode::kError:
      return ParseServerError(answer.body).ToStatus(name(), Concat("logging in as '", options.username, "'"));
    default:
      return PermissionDenied("cassandra ", name(), ": the server's authenticator ", authenticator,
                              " wants more than a password; use PasswordAuthenticator");
  }
}

absl::StatusOr<Frame> Connection::Call(Opcode opcode, std::string_view body, Deadline deadline) {
  MR_CHECK(in_flight_ == 0);
  Send(opcode, body, 0);
  std::vector<Answer> answers;
  while (true) {
    MR_RETURN_IF_ERROR(Step(answers));
    if (!answers.empty()) return std::move(answers.front().frame);
    if (!channel_->Wait(wants_write(), deadline)) {
      return Unavailable("cassandra ", name(), ": no answer in time; is it a Cassandra server, and is it alive?");
    }
  }
}

void Connection::Send(Opcode opcode, std::string_view body, std::uint64_t tag) {
  MR_CHECK(!free_streams_.empty());
  const std::int16_t stream = free_streams_.back();
  free_streams_.pop_back();
  tags_[static_cast<std::size_t>(stream)] = tag;
  used_[static_cast<std::size_t>(stream)] = true;
  if (in_flight_++ == 0) last_progress_ = std::chrono::steady_clock::now();
  if (sent_ == unsent_.size()) {
    unsent_.clear();
    sent_ = 0;
  }
  AppendFrame(unsent_, stream, opcode, body);
}

absl::Status Connection::Step(std::vector<Answer>& answers) {
  while (wants_write()) {
    MR_ASSIGN_OR_RETURN(const std::size_t n, channel_->Write(std::string_view(unsent_).substr(sent_)));
    if (n == 0) break;
    sent_ += n;
  }
  MR_RETURN_IF_ERROR(Receive(answers));
  if (in_flight_ > 0 && std::chrono::steady_clock::now() - last_progress_ > request_timeout_) {
    return Unavailable("cassandra ", name(), ": no answer for ", request_timeout_.count(),
                       " ms to requests in flight; the connection is given up (request_timeout_ms)");
  }
  return absl::OkStatus();
}

absl::Status Connection::Receive(std::vector<Answer>& answers) {
  std::string bytes;
  while (true) {
    bytes.clear();
    MR_ASSIGN_OR_RETURN(const std::size_t n, channel_->Read(bytes));
    if (n == 0) return absl::OkStatus();
    cutter_.Add(bytes);
    while (true) {
      auto frame = cutter_.Next();
      // Nothing that was sent is known to have failed: another connection may do better.
      if (!frame.ok()) return Unavailable("cassandra ", name(), ": ", Message(frame.status()));
      if (!*frame) break;
      if ((*frame)->stream < 0) continue;  // an event; none was asked for
      const auto stream = static_cast<std::size_t>((*frame)->stream);
      if (stream >= kMaxStreams || !used_[stream]) {
        return Unavailable("cassandra ", name(), ": the server sent a malformed frame: an answer on stream ", stream,
                           ", which has no request");
      }
      heard_ = true;
      used_[stream] = false;
      free_streams_.push_back((*frame)->stream);
      --in_flight_;
      last_progress_ = std::chrono::steady_clock::now();
      answers.push_back({tags_[stream], *std::move(*frame)});
    }
  }
}

}  // namespace millrace::cassandra
