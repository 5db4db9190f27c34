#include "executor/connectors/kafka/fetch/compression.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "common/status.h"
#include "executor/connectors/kafka/fetch/wire.h"

namespace millrace::kafka {
namespace {

constexpr std::size_t kStep = 256 << 10;

absl::Status Damaged(Codec codec, std::string_view why) {
  return DataLoss("records compressed with ", NameOf(codec), " are damaged: ", why);
}
absl::Status TooLarge(Codec codec, std::size_t limit) {
  return ResourceExhausted("records compressed with ", NameOf(codec), " become larger than ", limit, " bytes");
}

// Makes room for more output; false when the limit is reached.
bool Grow(std::string& out, std::size_t used, std::size_t limit) {
  if (used >= limit) return false;
  out.resize(std::min(limit, std::max(used * 2, used + kStep)));
  return true;
}

absl::StatusOr<std::string> Gunzip(std::string_view bytes, std::size_t limit) {
  z_stream stream{};
  constexpr int kGzipOrZlib = 15 + 32;
  if (inflateInit2(&stream, kGzipOrZlib) != Z_OK) return ResourceExhausted("no memory for zlib");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  for (int result = Z_OK; result != Z_STREAM_END;) {
    const std::size_t used = stream.total_out;
    if (used == out.size() && !Grow(out, used, limit)) return TooLarge(Codec::kGzip, limit);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(out.size() - used);
    result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_BUF_ERROR && stream.avail_in == 0) return Damaged(Codec::kGzip, "they end too early");
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
      return Damaged(Codec::kGzip, stream.msg == nullptr ? "no valid stream" : stream.msg);
  }
  out.resize(stream.total_out);
  return out;
}

absl::Status AppendSnappy(std::string_view block, std::size_t limit, std::string& out) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) return Damaged(Codec::kSnappy, "no length");
  if (size > limit - std::min(limit, out.size())) return TooLarge(Codec::kSnappy, limit);
  const std::size_t used = out.size();
  out.resize(used + size);
  if (!snappy::RawUncompress(block.data(), block.size(), out.data() + used))
    return Damaged(Codec::kSnappy, "no valid block");
  return absl::OkStatus();
}

// Java clients put blocks into a frame of their own (snappy-java's "xerial" framing): a magic, two versions, and for
// each block its length; librdkafka and others write one bare block.
absl::StatusOr<std::string> Unsnappy(std::string_view bytes, std::size_t limit) {
  constexpr std::string_view kMagic("\x82SNAPPY\0", 8);
  std::string out;
  if (!bytes.starts_with(kMagic)) {
    MR_RETURN_IF_ERROR(AppendSnappy(bytes, limit, out));
    return out;
  }
  WireReader in(bytes.substr(kMagic.size()));
  in.I64();  // version, and the oldest version that reads it
  while (in.ok() && in.left() > 0) {
    const std::string_view block = in.LongBytes();
    if (!in.ok() || block.empty()) return Damaged(Codec::kSnappy, "a block is cut off");
    MR_RETURN_IF_ERROR(AppendSnappy(block, limit, out));
  }
  if (!in.ok()) return Damaged(Codec::kSnappy, "the frame is cut off");
  return out;
}

absl::StatusOr<std::string> Unlz4(std::string_view bytes, std::size_t limit) {
  LZ4F_dctx* made = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&made, LZ4F_VERSION)) != 0)
    return ResourceExhausted("no memory for lz4");
  const std::unique_ptr<LZ4F_dctx, std::size_t (*)(LZ4F_dctx*)> context(made, LZ4F_freeDecompressionContext);
  std::string out;
  std::size_t used = 0;
  for (std::size_t hint = 1; hint != 0;) {
    if (used == out.size() && !Grow(out, used, limit)) return TooLarge(Codec::kLz4, limit);
    std::size_t written = out.size() - used;
    std::size_t read = bytes.size();
    hint = LZ4F_decompress(context.get(), out.data() + used, &written, bytes.data(), &read, nullptr);
    if (LZ4F_isError(hint) != 0) return Damaged(Codec::kLz4, LZ4F_getErrorName(hint));
    if (read == 0 && written == 0 && hint != 0) return Damaged(Codec::kLz4, "they end too early");
    bytes.remove_prefix(read);
    used += written;
  }
  out.resize(used);
  return out;
}

absl::StatusOr<std::string> Unzstd(std::string_view bytes, std::size_t limit) {
  const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (stream == nullptr) return ResourceExhausted("no memory for zstd");
  std::string out;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::size_t used = 0;
  for (std::size_t hint = 1; hint != 0;) {
    if (used == out.size() && !Grow(out, used, limit)) return TooLarge(Codec::kZstd, limit);
    ZSTD_outBuffer to{out.data(), out.size(), used};
    const std::size_t before = in.pos;
    hint = ZSTD_decompressStream(stream.get(), &to, &in);
    if (ZSTD_isError(hint) != 0) return Damaged(Codec::kZstd, ZSTD_getErrorName(hint));
    if (hint != 0 && in.pos == before && to.pos == used) return Damaged(Codec::kZstd, "they end too early");
    used = to.pos;
  }
  out.resize(used);
  return out;
}

}  // namespace

std::string_view NameOf(Codec codec) {
  switch (codec) {
    case Codec::kNone:
      return "nothing";
    case Codec::kGzip:
      return "gzip";
    case Codec::kSnappy:
      return "snappy";
    case Codec::kLz4:
      return "lz4";
    case Codec::kZstd:
      return "zstd";
  }
  return "an unknown codec";
}

absl::StatusOr<std::string> Decompress(Codec codec, std::string_view bytes, std::size_t limit) {
  switch (codec) {
    case Codec::kNone:
      return std::string(bytes);
    case Codec::kGzip:
      return Gunzip(bytes, limit);
    case Codec::kSnappy:
      return Unsnappy(bytes, limit);
    case Codec::kLz4:
      return Unlz4(bytes, limit);
    case Codec::kZstd:
      return Unzstd(bytes, limit);
  }
  return DataLoss("records are compressed with codec ", static_cast<int>(codec), ", which is not known");
}

}  // namespace millrace::kafka
