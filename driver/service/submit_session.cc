#include "driver/service/submit_session.h"

#include "common/io/file.h"
#include "common/log.h"
#include "common/net/grpc_status.h"
#include "common/status.h"
#include "driver/artifacts/elf_note.h"

namespace millrace {
namespace {

constexpr std::size_t kArgumentBytesMax = 64 << 10;

bool IsName(const std::string& name) {
  if (name.size() > 64) return false;
  return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
         std::string::npos;
}

}  // namespace

grpc::ServerBidiReactor<v1::SubmitRequest, v1::SubmitProgress>* SubmitSession::Open(Driver& driver,
                                                                                    const absl::Status& allowed) {
  if (!allowed.ok()) {
    auto refused = Stream::Make({});
    refused->Close(ToGrpc(allowed));
    return refused->reactor();
  }
  auto session = std::shared_ptr<SubmitSession>(new SubmitSession(driver));
  auto stream = Stream::Make({
      .on_message =
          [session](v1::SubmitRequest request, std::function<void()> next) {
            const absl::Status status = session->Take(request);
            if (!status.ok()) session->Fail(status);
            if (status.ok() && !session->complete_) next();
          },
      .on_closed = [session](const grpc::Status&) { session->upload_.reset(); },
      .on_end = [session] { session->Fail(session->Truncated()); },
  });
  session->stream_ = stream;
  stream->Start();
  return stream->reactor();
}

absl::Status SubmitSession::Take(const v1::SubmitRequest& request) {
  if (request.has_header()) return TakeHeader(request.header());
  if (!upload_) return InvalidArgument("the first message of Submit must be a header");
  MR_RETURN_IF_ERROR(upload_->Append(request.chunk()));
  if (upload_->received_bytes() < header_->size_bytes()) return absl::OkStatus();
  return Uploaded();
}

absl::Status SubmitSession::TakeHeader(const v1::SubmitHeader& header) {
  if (header_) return InvalidArgument("Submit has one header");
  if (!IsName(header.name()))
    return InvalidArgument("job name '", header.name(), "' must be 1 to 64 of A-Z a-z 0-9 . _ -");
  const std::uint64_t interval = header.batch_interval_us();
  if (interval != 0 && (interval < 1000 || interval > 3'600'000'000ULL)) {
    return InvalidArgument("batch interval ", interval, " us is outside 1 ms to 1 h");
  }
  if (header.submission().size() > 64)
    return InvalidArgument("the submission's own name has ", header.submission().size(),
                           " bytes; at most 64 are possible");
  std::size_t bytes = 0;
  for (const auto& [key, value] : header.arguments()) bytes += key.size() + value.size();
  if (bytes > kArgumentBytesMax)
    return InvalidArgument("the job's arguments take ", bytes, " bytes; at most ", kArgumentBytesMax, " are possible");
  MR_ASSIGN_OR_RETURN(ArtifactUpload upload, driver_.artifacts().Begin(header.size_bytes(), header.sha256()));
  upload_.emplace(std::move(upload));
  header_ = header;
  return absl::OkStatus();
}

absl::Status SubmitSession::Uploaded() {
  MR_RETURN_IF_ERROR(upload_->Finish());
  upload_.reset();
  complete_ = true;
  Progress("uploaded", Concat(header_->size_bytes(), " bytes"));
  const auto check = [&]() -> absl::Status {
    MR_ASSIGN_OR_RETURN(const std::string image, ReadFile(driver_.artifacts().Path(header_->sha256())));
    MR_ASSIGN_OR_RETURN(const JobNote note, ReadJobNote(image));
    MR_RETURN_IF_ERROR(CheckCompatible(note));
    Progress("checked", Concat("job ", note.job, ", SDK ", note.sdk));
    return absl::OkStatus();
  };
  if (const absl::Status status = check(); !status.ok()) {
    (void)driver_.artifacts().Remove(header_->sha256());  // a live job has the same bytes only if they are good
    return status;
  }
  driver_.loop().Post([self = shared_from_this()] { self->PlanAndStart(); });
  return absl::OkStatus();
}

absl::Status SubmitSession::Truncated() const {
  if (!header_) return InvalidArgument("Submit ended before its header");
  return DataLoss("the upload ended after ", upload_ ? upload_->received_bytes() : 0, " of ", header_->size_bytes(),
                  " bytes; nothing was started. Submit again");
}

void SubmitSession::PlanAndStart() {
  Submission submission{header_->name(),
                        header_->sha256(),
                        {header_->arguments().begin(), header_->arguments().end()},
                        header_->batch_interval_us(),
                        header_->from(),
                        header_->submission()};
  driver_.Submit(
      std::move(submission), [self = shared_from_this()](const std::string& note) { self->Progress("planned", note); },
      [self = shared_from_this()](absl::StatusOr<std::shared_ptr<LiveJob>> job) {
        const auto stream = self->stream_.lock();
        if (!job.ok()) return self->Fail(job.status());
        if (!stream) return;  // the client went away; the job runs
        v1::SubmitProgress last;
        last.set_step("starting");
        *last.mutable_job() = (*job)->Status(0, false);
        stream->Send(std::move(last));
        stream->Close(grpc::Status::OK);
      });
}

void SubmitSession::Progress(std::string step, std::string detail) {
  const auto stream = stream_.lock();
  if (!stream) return;
  v1::SubmitProgress progress;
  progress.set_step(std::move(step));
  progress.set_detail(std::move(detail));
  stream->Send(std::move(progress));
}

void SubmitSession::Fail(const absl::Status& status) {
  log::Info("submission refused", {{"why", Message(status)}});
  if (const auto stream = stream_.lock()) stream->Close(ToGrpc(status));
}

}  // namespace millrace
