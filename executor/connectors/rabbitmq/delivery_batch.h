// Deliveries that were received together, copied out of librabbitmq's buffers, to be stored in one call and
// acknowledged by one more. A delivery comes in pieces: Begin, Properties, Body…; it counts when it is complete.
//
// Headers are the message's own (numbers and truths as text; tables and lists are left out) and the properties that
// were set, under "amqp.content-type", "amqp.correlation-id", "amqp.reply-to", "amqp.type" and "amqp.app-id".
//
// One thread at a time. Reused: Clear keeps the memory.
#pragma once

#include <amqp.h>
#include <amqp_framing.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "executor/connectors/receiver.h"

namespace millrace::rabbitmq {

class DeliveryBatch {
 public:
  void Begin(std::uint64_t tag, std::string_view routing_key);
  void Properties(const amqp_basic_properties_t& properties);
  void Body(std::string_view fragment) { bytes_.append(fragment); }
  void End();

  bool empty() const { return complete_ == 0; }
  std::size_t size() const { return complete_; }
  std::size_t bytes() const { return bytes_.size(); }
  std::uint64_t tag(std::size_t i) const { return deliveries_[i].tag; }
  // Views into this batch; they live until it is changed.
  std::span<const ReceivedRecord> Records(std::string_view queue);
  void Clear();

 private:
  struct Slice {
    std::size_t begin = 0;
    std::size_t size = 0;
  };
  struct HeaderSlices {
    Slice name;
    Slice value;
  };
  struct Delivery {
    std::uint64_t tag = 0;
    Slice key;
    Slice body;
    Slice id;
    std::int64_t timestamp_us = 0;
    std::size_t first_header = 0;
    std::size_t headers = 0;
  };

  Slice Keep(std::string_view text);
  std::string_view View(Slice slice) const { return std::string_view(bytes_).substr(slice.begin, slice.size); }
  void AddHeader(std::string_view name, std::string_view value);
  void AddTable(const amqp_table_t& table);

  std::string bytes_;
  std::vector<Delivery> deliveries_;  // `complete_` of them, and the one that is under way
  std::vector<HeaderSlices> header_slices_;
  std::size_t complete_ = 0;
  std::vector<engine::Header> headers_;
  std::vector<ReceivedRecord> records_;
};

}  // namespace millrace::rabbitmq
