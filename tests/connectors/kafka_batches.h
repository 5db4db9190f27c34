// Record batches as a producer would write them, made apart from the code under test.
#pragma once

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "executor/connectors/kafka/fetch/compression.h"
#include "executor/connectors/kafka/fetch/wire.h"

namespace millrace::kafka {

struct TestRecord {
  std::int64_t offset = 0;
  std::string value;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Bit by bit, as the definition has it.
inline std::uint32_t SlowCrc32c(std::string_view bytes) {
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
  }
  return ~crc;
}

inline void AppendVarint(std::string& out, std::int64_t value) {
  auto zigzag = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (; zigzag >= 0x80; zigzag >>= 7) out.push_back(static_cast<char>(zigzag | 0x80));
  out.push_back(static_cast<char>(zigzag));
}
inline void AppendSized(std::string& out, std::string_view text) {
  AppendVarint(out, static_cast<std::int64_t>(text.size()));
  out += text;
}

inline std::string EncodeRecord(const TestRecord& record, std::int64_t base) {
  std::string body(1, '\0');
  AppendVarint(body, record.offset - base);  // its time, in ms behind the batch's
  AppendVarint(body, record.offset - base);
  record.key ? AppendSized(body, *record.key) : AppendVarint(body, -1);
  AppendSized(body, record.value);
  AppendVarint(body, static_cast<std::int64_t>(record.headers.size()));
  for (const auto& [name, value] : record.headers) {
    AppendSized(body, name);
    AppendSized(body, value);
  }
  std::string out;
  AppendSized(out, body);
  return out;
}

inline std::string Compress(Codec codec, const std::string& plain) {
  switch (codec) {
    case Codec::kGzip: {
      z_stream stream{};
      deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
      std::string out(deflateBound(&stream, plain.size()), '\0');
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
      stream.avail_in = static_cast<uInt>(plain.size());
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      deflate(&stream, Z_FINISH);
      out.resize(stream.total_out);
      deflateEnd(&stream);
      return out;
    }
    case Codec::kSnappy: {
      std::string out;
      snappy::Compress(plain.data(), plain.size(), &out);
      return out;
    }
    case Codec::kLz4: {
      std::string out(LZ4F_compressFrameBound(plain.size(), nullptr), '\0');
      out.resize(LZ4F_compressFrame(out.data(), out.size(), plain.data(), plain.size(), nullptr));
      return out;
    }
    case Codec::kZstd: {
      std::string out(ZSTD_compressBound(plain.size()), '\0');
      out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
      return out;
    }
    case Codec::kNone:
      break;
  }
  return plain;
}

struct BatchOptions {
  Codec codec = Codec::kNone;
  std::int16_t flags = 0;  // 0x10 transactional, 0x20 control
  std::int64_t producer = -1;
  std::int64_t last_offset = -1;  // behind gaps; -1: the last record's
};

// `records` are in the order of their offsets, and there is at least one, or `last_offset` says where the batch ends.
inline std::string EncodeBatch(const std::vector<TestRecord>& records, std::int64_t base, BatchOptions options = {}) {
  std::string body;
  for (const TestRecord& record : records) body += EncodeRecord(record, base);
  const std::int64_t last = options.last_offset >= 0 ? options.last_offset : records.back().offset;
  WireWriter checked;
  checked.I16(static_cast<std::int16_t>(static_cast<std::int16_t>(options.codec) | options.flags));
  checked.I32(static_cast<std::int32_t>(last - base)).I64(1'000).I64(1'000).I64(options.producer);
  checked.I16(0).I32(0).I32(static_cast<std::int32_t>(records.size()));
  const std::string tail = checked.bytes() + Compress(options.codec, body);
  WireWriter head;
  head.I64(base).I32(static_cast<std::int32_t>(tail.size() + 9)).I32(0).I8(2);
  head.I32(static_cast<std::int32_t>(SlowCrc32c(tail)));
  return head.bytes() + tail;
}

}  // namespace millrace::kafka
