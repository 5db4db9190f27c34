// A peer that does not behave: calls the driver as no program of Millrace would, and prints what it is told.
//
//   millrace_peer_tool list-jobs DRIVER CA CERT KEY                    asks for the jobs, whatever its role is
//   millrace_peer_tool register DRIVER CA CERT KEY                     comes as an executor, whatever its role is
//   millrace_peer_tool short-upload DRIVER CA CERT KEY LIBRARY BYTES   announces a library and ends the upload early
//
// Prints "CODE message" of the status. Exit 0 when the call ended with any status, 1 when it could not be made, 2 on
// wrong use.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/io/file.h"
#include "common/io/sha256.h"
#include "common/net/server.h"
#include "common/net/tls.h"
#include "common/status.h"
#include "common/version.h"
#include "millrace/v1/cluster.grpc.pb.h"
#include "millrace/v1/control.grpc.pb.h"

namespace millrace {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kChunkBytes = 64 << 10;

void LimitTime(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  context.set_wait_for_ready(true);
}

grpc::Status ListJobs(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  LimitTime(context);
  v1::ListJobsResponse response;
  return v1::Control::NewStub(channel)->ListJobs(&context, {}, &response);
}

grpc::Status Register(const std::shared_ptr<grpc::Channel>& channel, const TlsIdentity& identity) {
  grpc::ClientContext context;
  LimitTime(context);
  const auto stub = v1::Cluster::NewStub(channel);
  const auto stream = stub->Executor(&context);
  v1::ExecutorMessage message;
  message.mutable_register_()->set_executor_id(identity.name.id);
  message.mutable_register_()->set_version(kVersion);
  message.mutable_register_()->set_slots(1);
  stream->Write(message);
  for (v1::ExecutorCommand command; stream->Read(&command);) {
    if (command.has_registered()) context.TryCancel();  // it took us: the status will be CANCELLED
  }
  return stream->Finish();
}

grpc::Status ShortUpload(const std::shared_ptr<grpc::Channel>& channel, const std::string& library, std::size_t bytes) {
  grpc::ClientContext context;
  LimitTime(context);
  const auto stub = v1::Control::NewStub(channel);
  const auto stream = stub->Submit(&context);
  v1::SubmitRequest request;
  request.mutable_header()->set_size_bytes(library.size());
  Sha256 hash;
  hash.Update(library);
  request.mutable_header()->set_sha256(hash.Finish());
  stream->Write(request);
  for (std::size_t at = 0; at < bytes; at += kChunkBytes) {
    request.set_chunk(library.substr(at, std::min(kChunkBytes, bytes - at)));
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  for (v1::SubmitProgress progress; stream->Read(&progress);) std::printf("progress: %s\n", progress.step().c_str());
  return stream->Finish();
}

std::string_view NameOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::OK:
      return "OK";
    case grpc::CANCELLED:
      return "CANCELLED";
    case grpc::INVALID_ARGUMENT:
      return "INVALID_ARGUMENT";
    case grpc::PERMISSION_DENIED:
      return "PERMISSION_DENIED";
    case grpc::UNAUTHENTICATED:
      return "UNAUTHENTICATED";
    case grpc::DATA_LOSS:
      return "DATA_LOSS";
    case grpc::UNAVAILABLE:
      return "UNAVAILABLE";
    case grpc::DEADLINE_EXCEEDED:
      return "DEADLINE_EXCEEDED";
    default:
      return "OTHER";
  }
}

int Main(const std::vector<std::string>& words) {
  const bool upload = !words.empty() && words[0] == "short-upload";
  if (words.size() != (upload ? 7U : 5U)) {
    std::fputs("usage: millrace_peer_tool list-jobs|register|short-upload DRIVER CA CERT KEY [LIBRARY BYTES]\n",
               stderr);
    return 2;
  }
  RequireTls13();
  const auto identity = LoadIdentity({words[2], words[3], words[4]}, "");
  if (!identity.ok()) {
    std::fprintf(stderr, "millrace_peer_tool: %s\n", Message(identity.status()).c_str());
    return 1;
  }
  const auto channel = MakeChannel(words[1], *identity, "driver");
  grpc::Status status;
  if (upload) {
    const auto library = ReadFile(words[5]);
    if (!library.ok()) {
      std::fprintf(stderr, "millrace_peer_tool: %s\n", Message(library.status()).c_str());
      return 1;
    }
    status = ShortUpload(channel, *library, std::strtoull(words[6].c_str(), nullptr, 10));
  } else {
    status = words[0] == "register" ? Register(channel, *identity) : ListJobs(channel);
  }
  const std::string_view code = NameOf(status.error_code());
  std::printf("%.*s %s\n", static_cast<int>(code.size()), code.data(), status.error_message().c_str());
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) { return millrace::Main({argv + 1, argv + argc}); }
