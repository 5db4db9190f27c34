// The records of a Kafka range as librdkafka delivered them: keys, values and headers are views into its fetch buffers,
// nothing is copied.
//
// Keeps the client alive, since librdkafka wants every message freed before it ends. One thread at a time; may be freed
// on any thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "executor/connectors/kafka/client.h"
#include "executor/connectors/kafka/handles.h"
#include "executor/connectors/source.h"

namespace millrace::kafka {

class MessageBatch : public RecordBatch {
 public:
  MessageBatch(std::shared_ptr<Client> client, std::shared_ptr<const std::string> topic, bool headers,
               std::vector<MessagePtr> messages)
      : client_(std::move(client)), topic_(std::move(topic)), with_headers_(headers), messages_(std::move(messages)) {}

  std::span<const engine::SourceRecord> Next() override;

 private:
  void ParseHeaders(rd_kafka_message_t* message, engine::SourceRecord& record);

  const std::shared_ptr<Client> client_;  // declared first, freed last
  const std::shared_ptr<const std::string> topic_;
  const bool with_headers_;
  const std::vector<MessagePtr> messages_;
  std::size_t next_ = 0;
  std::vector<engine::SourceRecord> records_;
  std::deque<std::vector<engine::Header>> headers_;  // of all chunks: records point into it
};

}  // namespace millrace::kafka
