#include "executor/connectors/files/inflated_bytes.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace millrace {
namespace {

constexpr std::size_t kRawBytes = 1 << 20;
constexpr std::size_t kSkipBytes = 1 << 20;

class Gunzip final : public Inflater {
 public:
  Gunzip() { MR_CHECK(inflateInit2(&stream_, kGzip) == Z_OK); }
  ~Gunzip() override { inflateEnd(&stream_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  absl::Status Inflate(std::string_view& in, std::string& out, std::size_t size) override {
    if (complete_) {  // another member
      inflateReset2(&stream_, kGzip);
      complete_ = false;
    }
    const std::size_t used = out.size();
    out.resize(size);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream_.avail_out = static_cast<uInt>(size - used);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    out.resize(size - stream_.avail_out);
    in.remove_prefix(in.size() - stream_.avail_in);
    complete_ = result == Z_STREAM_END;
    if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR) return absl::OkStatus();
    return DataLoss(stream_.msg == nullptr ? "no valid gzip data" : stream_.msg);
  }
  bool complete() const override { return complete_; }

 private:
  static constexpr int kGzip = 15 + 16;  // the largest window, and a header of gzip alone
  z_stream stream_{};
  bool complete_ = false;
};

class Unzstd final : public Inflater {
 public:
  absl::Status Inflate(std::string_view& in, std::string& out, std::size_t size) override {
    const std::size_t used = out.size();
    out.resize(size);
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), size, used};
    const std::size_t result = ZSTD_decompressStream(stream_.get(), &to, &from);
    out.resize(to.pos);
    in.remove_prefix(from.pos);
    if (ZSTD_isError(result) != 0) return DataLoss(std::string_view(ZSTD_getErrorName(result)));
    complete_ = result == 0;
    return absl::OkStatus();
  }
  bool complete() const override { return complete_; }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  const std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
  bool complete_ = false;
};

}  // namespace

FileCodec CodecOf(std::string_view path) {
  if (path.ends_with(".gz")) return FileCodec::kGzip;
  if (path.ends_with(".zst")) return FileCodec::kZstd;
  return FileCodec::kNone;
}

std::unique_ptr<Inflater> NewInflater(FileCodec codec) {
  MR_CHECK(codec != FileCodec::kNone);
  if (codec == FileCodec::kGzip) return std::make_unique<Gunzip>();
  return std::make_unique<Unzstd>();
}

void InflatedBytes::Release() {
  inflater_.reset();
  position_ = raw_position_ = 0;
  last_.clear();
  piece_.clear();
  rest_ = {};
  raw_ended_ = false;
  raw_->Release();
}

absl::Status InflatedBytes::Next(std::string& out, std::size_t size) {
  while (out.size() < size) {
    if (rest_.empty() && !raw_ended_) {
      MR_ASSIGN_OR_RETURN(piece_, raw_->Read(raw_position_, kRawBytes));
      raw_position_ += piece_.size();
      raw_ended_ = piece_.size() < kRawBytes;
      rest_ = piece_;
    }
    const bool empty_file = raw_position_ == 0;
    if (rest_.empty() && raw_ended_ && (inflater_->complete() || empty_file)) return absl::OkStatus();
    const std::size_t before = out.size();
    if (absl::Status status = inflater_->Inflate(rest_, out, size); !status.ok()) {
      return DataLoss("file '", name_, "' is damaged near byte ", raw_position_ - rest_.size(), ": ", Message(status),
                      "; replace it by a good one under another name, and take it away");
    }
    if (out.size() == before && rest_.empty() && raw_ended_ && !inflater_->complete()) {
      return DataLoss("file '", name_, "' ends in the middle of its compressed data, at byte ", raw_position_,
                      "; is it complete?");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> InflatedBytes::Read(std::uint64_t from, std::uint64_t size) {
  if (from < position_ - last_.size() || inflater_ == nullptr) {
    Release();
    inflater_ = NewInflater(codec_);
  }
  std::string bytes;
  if (from < position_) {
    bytes = last_.substr(last_.size() - (position_ - from), size);
    if (bytes.size() == size) return bytes;
    const std::size_t kept = bytes.size();
    MR_RETURN_IF_ERROR(Next(bytes, size));
    position_ += bytes.size() - kept;
    last_ = bytes;
    return bytes;
  }
  while (position_ < from) {
    bytes.clear();
    MR_RETURN_IF_ERROR(Next(bytes, std::min<std::uint64_t>(kSkipBytes, from - position_)));
    if (bytes.empty()) {
      return DataLoss("file '", name_, "' was cut short: it has ", position_, " uncompressed bytes, but position ",
                      from, " was reached before");
    }
    position_ += bytes.size();
  }
  bytes.clear();
  last_.clear();
  MR_RETURN_IF_ERROR(Next(bytes, size));
  position_ += bytes.size();
  last_ = bytes;
  return bytes;
}

}  // namespace millrace
