#include "common/block/block_wire.h"

#include <xxhash.h>

#include <utility>

namespace millrace {
namespace {

void PutHeader(const Block& block, v1::Block& message) {
  message = ToWire(block.key);
  message.set_input_hash(block.input_hash);
  message.set_records(block.records);
  message.set_checksum(block.checksum);
}

}  // namespace

v1::Block ToWire(Block&& block) {
  v1::Block message;
  PutHeader(block, message);
  *message.mutable_data() = std::move(block.data);
  return message;
}

v1::Block ToWire(const Block& block) {
  v1::Block message;
  PutHeader(block, message);
  message.set_data(block.data);
  return message;
}

v1::Block ToWire(const BlockKey& key) {
  v1::Block message;
  message.set_batch(key.batch);
  message.set_shuffle(key.shuffle);
  message.set_stage(key.stage);
  message.set_map_partition(key.map_partition);
  message.set_reduce_partition(key.reduce_partition);
  return message;
}

std::uint64_t PushCheck(const v1::PushRequest& request) {
  const std::string text = Concat(request.epoch(), ":", request.blocks_size());
  return XXH3_64bits(text.data(), text.size());
}

BlockKey KeyFromWire(const v1::Block& message) {
  return {.batch = message.batch(),
          .shuffle = message.shuffle(),
          .stage = message.stage(),
          .map_partition = message.map_partition(),
          .reduce_partition = message.reduce_partition()};
}

std::shared_ptr<const Block> FromWire(v1::Block&& message) {
  auto block = std::make_shared<Block>();
  block->key = KeyFromWire(message);
  block->input_hash = message.input_hash();
  block->records = message.records();
  block->checksum = message.checksum();
  block->data = std::move(*message.mutable_data());
  return block;
}

v1::durable::StoredBlock ToStored(const Block& block) {
  v1::durable::StoredBlock message;
  message.set_input_hash(block.input_hash);
  message.set_records(block.records);
  message.set_checksum(block.checksum);
  message.set_data(block.data);
  return message;
}

std::shared_ptr<const Block> FromStored(const BlockKey& key, v1::durable::StoredBlock&& message) {
  auto block = std::make_shared<Block>();
  block->key = key;
  block->input_hash = message.input_hash();
  block->records = message.records();
  block->checksum = message.checksum();
  block->data = std::move(*message.mutable_data());
  return block;
}

}  // namespace millrace
