#include "executor/connectors/files/row_text.h"

#include <zlib.h>
#include <zstd.h>

#include "common/status.h"

namespace millrace {
namespace {

constexpr std::size_t kPieceBytes = 256 << 10;

class Gzip final : public Deflater {
 public:
  Gzip() {
    constexpr int kGzipWindow = 15 + 16;
    MR_CHECK(deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~Gzip() override { deflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  void Deflate(std::string_view in, bool last, std::string& out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    do {
      const std::size_t used = out.size();
      out.resize(used + kPieceBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
      stream_.avail_out = kPieceBytes;
      deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out.resize(used + kPieceBytes - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class Zstd final : public Deflater {
 public:
  void Deflate(std::string_view in, bool last, std::string& out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    std::size_t left = 0;
    do {
      const std::size_t used = out.size();
      out.resize(used + kPieceBytes);
      ZSTD_outBuffer to{out.data() + used, kPieceBytes, 0};
      left = ZSTD_compressStream2(stream_.get(), &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
      MR_CHECK(ZSTD_isError(left) == 0);
      out.resize(used + to.pos);
    } while (last ? left != 0 : from.pos < from.size);
  }

 private:
  struct Free {
    void operator()(ZSTD_CStream* stream) const { ZSTD_freeCStream(stream); }
  };
  const std::unique_ptr<ZSTD_CStream, Free> stream_{ZSTD_createCStream()};
};

std::unique_ptr<Deflater> NewDeflater(FileCodec codec) {
  if (codec == FileCodec::kGzip) return std::make_unique<Gzip>();
  if (codec == FileCodec::kZstd) return std::make_unique<Zstd>();
  return nullptr;
}

}  // namespace

RowText::RowText(std::span<const engine::SinkRow> rows, FileCodec codec) : rows_(rows), deflater_(NewDeflater(codec)) {}

bool RowText::Next(std::string& piece) {
  piece.clear();
  while (!ended_ && piece.empty()) {
    lines_.clear();
    std::size_t used = 0;
    for (; used < rows_.size() && lines_.size() < kPieceBytes; ++used) {
      const engine::SinkRow& row = rows_[used];
      if (row.has_key) lines_.append(row.key).push_back('\t');
      lines_.append(row.value).push_back('\n');
    }
    rows_ = rows_.subspan(used);
    ended_ = rows_.empty();
    if (deflater_ == nullptr) {
      piece.swap(lines_);
    } else {
      deflater_->Deflate(lines_, ended_, piece);
    }
  }
  return !piece.empty();
}

}  // namespace millrace
