#include "common/block/block.h"

#include <xxhash.h>

#include <array>
#include <utility>

namespace millrace {
namespace {

template <class T>
char* PutBigEndian(char* out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    *out++ = static_cast<char>(value >> shift);
  return out;
}

template <class T>
const char* TakeBigEndian(const char* in, T& value) {
  value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>((value << 8) | static_cast<unsigned char>(*in++));
  return in;
}

char* PutKey(char* out, const BlockKey& key) {
  out = PutBigEndian(out, key.batch);
  out = PutBigEndian(out, key.shuffle);
  out = PutBigEndian(out, key.stage);
  out = PutBigEndian(out, key.map_partition);
  return PutBigEndian(out, key.reduce_partition);
}

}  // namespace

std::string EncodeKey(const BlockKey& key) {
  std::string bytes(kBlockKeyBytes, '\0');
  PutKey(bytes.data(), key);
  return bytes;
}

std::string EncodeId(const BlockId& id) {
  std::string bytes(kBlockKeyBytes + sizeof id.input_hash, '\0');
  PutBigEndian(PutKey(bytes.data(), id.key), id.input_hash);
  return bytes;
}

std::optional<BlockKey> DecodeKey(std::string_view bytes) {
  if (bytes.size() != kBlockKeyBytes) return std::nullopt;
  BlockKey key;
  const char* in = TakeBigEndian(bytes.data(), key.batch);
  in = TakeBigEndian(in, key.shuffle);
  in = TakeBigEndian(in, key.stage);
  in = TakeBigEndian(in, key.map_partition);
  TakeBigEndian(in, key.reduce_partition);
  return key;
}

std::string FirstKeyOfBatch(std::uint64_t batch) { return EncodeKey({.batch = batch}); }

std::uint64_t BlockChecksum(const BlockKey& key, std::uint64_t input_hash, std::uint64_t records,
                            std::string_view data) {
  std::array<char, kBlockKeyBytes + 16> fields;
  char* out = PutKey(fields.data(), key);
  out = PutBigEndian(out, input_hash);
  PutBigEndian(out, records);
  return XXH3_64bits_withSeed(data.data(), data.size(), XXH3_64bits(fields.data(), fields.size()));
}

std::shared_ptr<const Block> MakeBlock(const BlockKey& key, std::uint64_t input_hash, std::uint64_t records,
                                       std::string data) {
  auto block = std::make_shared<Block>();
  block->key = key;
  block->input_hash = input_hash;
  block->records = records;
  block->checksum = BlockChecksum(key, input_hash, records, data);
  block->data = std::move(data);
  return block;
}

absl::Status VerifyBlock(const Block& block) {
  if (BlockChecksum(block.key, block.input_hash, block.records, block.data) == block.checksum) return absl::OkStatus();
  return DataLoss("block ", ToString(block.key), " (", block.data.size(), " bytes) does not match its checksum");
}

std::string ToString(const BlockKey& key) {
  return Concat("batch ", key.batch, " shuffle ", key.shuffle, " stage ", key.stage, " map ", key.map_partition,
                " reduce ", key.reduce_partition);
}

std::string ToString(const BlockId& id) { return Concat(ToString(id.key), " input ", id.input_hash); }

}  // namespace millrace

std::size_t std::hash<millrace::BlockKey>::operator()(const millrace::BlockKey& key) const noexcept {
  std::array<char, millrace::kBlockKeyBytes> bytes;
  millrace::PutKey(bytes.data(), key);
  return XXH3_64bits(bytes.data(), bytes.size());
}
