#include "driver/service/cluster_service.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/status.h"

namespace millrace {
namespace {

// What the handlers of one executor's stream share. Its fields belong to the loop thread.
struct ExecutorSession {
  using Stream = ExecutorStream;
  std::weak_ptr<Stream> stream;
  const Stream* identity = nullptr;  // to compare, not to use
  std::string certificate_id;
  std::string address;
  std::string id;  // set by Register
};

void HandleExecutorMessage(Driver& driver, ExecutorSession& session, const v1::ExecutorMessage& message) {
  const auto stream = session.stream.lock();
  if (!stream) return;
  if (session.id.empty()) {
    if (!message.has_register_()) {
      stream->Close(ToGrpc(InvalidArgument("the first message of an executor must be Register")));
      return;
    }
    const v1::Register& info = message.register_();
    if (info.executor_id() != session.certificate_id) {
      stream->Close(
          ToGrpc(PermissionDenied("executor '", info.executor_id(), "' registered with the certificate of '",
                                  session.certificate_id, "': executor.id must be the id in its certificate")));
      return;
    }
    session.id = info.executor_id();
    driver.ExecutorRegistered(info, session.address, stream);
    return;
  }
  switch (message.message_case()) {
    case v1::ExecutorMessage::kHeartbeat:
      return driver.executors().Heartbeat(session.id);
    case v1::ExecutorMessage::kPlan:
      return driver.executors().PlanAnswered(session.id, message.plan());
    case v1::ExecutorMessage::kCertificateRequest: {
      v1::ExecutorCommand reply;
      reply.mutable_certificate()->set_runner_id(message.certificate_request().runner_id());
      auto chain = driver.SignRunner(message.certificate_request());
      if (chain.ok()) {
        reply.mutable_certificate()->set_chain_pem(*chain);
      } else {
        reply.mutable_certificate()->set_error(Message(chain.status()));
      }
      return driver.SendToExecutor(session.id, std::move(reply));
    }
    case v1::ExecutorMessage::kSwept:
      return driver.CheckpointsSwept(session.id, message.swept());
    case v1::ExecutorMessage::kRunnerExited:
      if (auto job = driver.JobById(message.runner_exited().job_id())) job->RunnerExited(message.runner_exited());
      return;
    case v1::ExecutorMessage::kLog:
      if (auto job = driver.JobById(message.log().job_id())) {
        for (const std::string& text : message.log().lines()) {
          v1::LogLine line;
          line.set_time_us(message.log().time_us());
          line.set_executor(session.id);
          line.set_text(text);
          job->output().AddLog(std::move(line));
        }
      }
      return;
    case v1::ExecutorMessage::kLeaving:
      return driver.ExecutorLeaves(session.id);
    case v1::ExecutorMessage::kRegister:
    case v1::ExecutorMessage::MESSAGE_NOT_SET:
      return;
  }
}

using RunnerStream = ServerStream<v1::RunnerMessage, v1::RunnerCommand>;

class StreamPort final : public RunnerPort {
 public:
  explicit StreamPort(std::shared_ptr<RunnerStream> stream) : stream_(std::move(stream)) {}
  void Send(v1::RunnerCommand command) override { stream_->Send(std::move(command)); }
  void Close(const absl::Status& why) override { stream_->Close(ToGrpc(why)); }

 private:
  const std::shared_ptr<RunnerStream> stream_;
};

struct RunnerSession {
  using Stream = RunnerStream;
  std::weak_ptr<Stream> stream;
  const Stream* identity = nullptr;
  std::string certificate_id;  // "JOB/RUNNER"
  std::string address;
  std::string job;
  std::string runner;  // set by RunnerHello
  const RunnerPort* port = nullptr;
};

void HandleRunnerMessage(Driver& driver, RunnerSession& session, const v1::RunnerMessage& message) {
  const auto stream = session.stream.lock();
  if (!stream) return;
  const auto refuse = [&](const absl::Status& status) {
    if (absl::IsUnavailable(status)) {  // it will be known in a moment, when its executor is here
      log::Debug("runner sent away", {{"certificate", session.certificate_id}, {"why", Message(status)}});
    } else {
      log::Warn("runner refused", {{"certificate", session.certificate_id}, {"why", Message(status)}});
    }
    stream->Close(ToGrpc(status));
  };
  if (session.runner.empty()) {
    if (!message.has_hello()) return refuse(InvalidArgument("the first message of a runner must be RunnerHello"));
    const v1::RunnerHello& hello = message.hello();
    if (Concat(hello.job_id(), "/", hello.runner_id()) != session.certificate_id) {
      return refuse(PermissionDenied("runner ", hello.runner_id(), " of job ", hello.job_id(),
                                     " came with the certificate of ", session.certificate_id));
    }
    const auto job = driver.JobById(hello.job_id());
    if (!job) return refuse(NotFound("there is no job ", hello.job_id()));
    session.job = hello.job_id();
    session.runner = hello.runner_id();
    auto port = std::make_shared<StreamPort>(stream);
    session.port = port.get();
    if (const absl::Status status = job->RunnerConnected(hello, std::move(port)); !status.ok()) refuse(status);
    return;
  }
  if (auto job = driver.JobById(session.job)) job->RunnerMessage(session.runner, message);
}

// Reads a library from disk, chunk by chunk, as fast as the executor takes it.
class ArtifactReader final : public grpc::ServerWriteReactor<v1::ArtifactChunk> {
 public:
  explicit ArtifactReader(const std::string& path) {
    auto file = OpenFile(path, O_RDONLY);
    if (!file.ok()) {
      Finish(ToGrpc(file.status()));
      return;
    }
    file_ = std::move(*file);
    Next();
  }
  explicit ArtifactReader(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnWriteDone(bool ok) override {
    if (ok) {
      Next();
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    std::string& data = *chunk_.mutable_data();
    data.resize(1 << 20);
    const ssize_t n = ::read(file_.get(), data.data(), data.size());
    if (n <= 0) {
      Finish(n == 0 ? grpc::Status::OK : ToGrpc(ErrnoStatus(errno, "reading the artifact")));
      return;
    }
    data.resize(static_cast<std::size_t>(n));
    StartWrite(&chunk_);
  }
  Fd file_;
  v1::ArtifactChunk chunk_;
};

// A stream whose messages and end are handled on the loop thread; refused at once when the peer's role is another.
template <class Session, class Message>
typename Session::Stream* OpenStream(Driver& driver, grpc::CallbackServerContext* context, std::string_view role,
                                     std::string_view what, void (*handle)(Driver&, Session&, const Message&),
                                     void (*closed)(Driver&, Session&, const std::string& reason)) {
  using Stream = typename Session::Stream;
  if (const absl::Status allowed = RequireRole(*context, driver.identity(), {role}, what); !allowed.ok()) {
    log::Warn("peer refused", {{"peer", context->peer()}, {"why", millrace::Message(allowed)}});
    auto refused = Stream::Make({});
    refused->Close(ToGrpc(allowed));
    return refused.get();
  }
  auto session = std::make_shared<Session>();
  session->certificate_id = PeerOf(*context)->id;
  session->address = context->peer();
  auto stream = Stream::Make({
      .on_message =
          [&driver, session, handle](Message message, std::function<void()> next) {
            driver.loop().Post([&driver, session, handle, message = std::move(message), next = std::move(next)] {
              handle(driver, *session, message);
              next();
            });
          },
      .on_closed =
          [&driver, session, closed](const grpc::Status& status) {
            driver.loop().Post([&driver, session, closed, reason = status.error_message()] {
              closed(driver, *session, reason.empty() ? "the connection was closed" : reason);
            });
          },
  });
  session->stream = stream;
  session->identity = stream.get();
  stream->Start();
  return stream.get();
}

void ExecutorClosed(Driver& driver, ExecutorSession& session, const std::string& reason) {
  if (!session.id.empty()) driver.executors().Disconnected(session.id, session.identity, reason);
}

void RunnerClosed(Driver& driver, RunnerSession& session, const std::string&) {
  if (auto job = driver.JobById(session.job)) job->RunnerDisconnected(session.runner, session.port);
}

}  // namespace

grpc::ServerBidiReactor<v1::ExecutorMessage, v1::ExecutorCommand>* ClusterService::Executor(
    grpc::CallbackServerContext* context) {
  return OpenStream(driver_, context, "executor", "Cluster/Executor", HandleExecutorMessage, ExecutorClosed)->reactor();
}

grpc::ServerBidiReactor<v1::RunnerMessage, v1::RunnerCommand>* ClusterService::Runner(
    grpc::CallbackServerContext* context) {
  return OpenStream(driver_, context, "runner", "Cluster/Runner", HandleRunnerMessage, RunnerClosed)->reactor();
}

grpc::ServerWriteReactor<v1::ArtifactChunk>* ClusterService::FetchArtifact(grpc::CallbackServerContext* context,
                                                                           const v1::FetchArtifactRequest* request) {
  if (const absl::Status allowed = RequireRole(*context, driver_.identity(), {"executor"}, "Cluster/FetchArtifact");
      !allowed.ok()) {
    return new ArtifactReader(allowed);
  }
  if (request->sha256().size() != 32 || !driver_.artifacts().Has(request->sha256()))
    return new ArtifactReader(NotFound("no such artifact"));
  return new ArtifactReader(driver_.artifacts().Path(request->sha256()));
}

}  // namespace millrace
