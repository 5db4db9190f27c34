// The roots of stages that begin with a source: they turn the records of a connector into the records of a stream.
// One object lives for one task. Threads and errors: see operator.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/internal/operator.h"
#include "millrace/kafka_record.h"
#include "millrace/message.h"
#include "millrace/random_text.h"

namespace millrace::detail {

// A stream of what the connector calls the value: Kafka values, lines of files and sockets.
class ValuesRoot : public Producer<std::string_view> {
 public:
  using Producer<std::string_view>::Producer;
  void Records(std::span<const engine::SourceRecord> records) override {
    Enter();
    for (const engine::SourceRecord& record : records) out_.Add(record.value);
    out_.Flush();
  }
};

class KafkaRoot : public Producer<KafkaRecord> {
 public:
  using Producer<KafkaRecord>::Producer;
  void Records(std::span<const engine::SourceRecord> records) override {
    Enter();
    for (const engine::SourceRecord& from : records) {
      const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(from.timestamp_us)};
      out_.Add(KafkaRecord{from.key, from.value, from.topic, from.partition, from.position, time,
                           std::span<const engine::Header>(from.headers, from.header_count)});
    }
    out_.Flush();
  }
};

class MessagesRoot : public Producer<Message> {
 public:
  using Producer<Message>::Producer;
  void Records(std::span<const engine::SourceRecord> records) override {
    Enter();
    for (const engine::SourceRecord& from : records) {
      const std::chrono::sys_time<std::chrono::microseconds> time{std::chrono::microseconds(from.timestamp_us)};
      out_.Add(Message{from.key, from.value, from.topic, time, std::span(from.headers, from.header_count)});
    }
    out_.Flush();
  }
};

// f(index, seed) for every index that the generator gives.
template <class T, class F>
class GeneratorRoot : public Producer<T> {
 public:
  GeneratorRoot(const OperatorSetup& setup, const F& f, std::uint64_t seed) : Producer<T>(setup), f_(f), seed_(seed) {}

  void Records(std::span<const engine::SourceRecord> records) override {
    this->Enter();
    for (const engine::SourceRecord& record : records) {
      this->out_.Add(std::invoke(f_, static_cast<std::uint64_t>(record.position), seed_));
    }
    this->out_.Flush();
  }

 private:
  const F& f_;
  const std::uint64_t seed_;
};

// Lines of random words. Their text belongs to the task until it ends, as the text of other sources does.
class RandomTextRoot : public Producer<std::string_view> {
 public:
  RandomTextRoot(const OperatorSetup& setup, std::uint64_t seed, std::uint32_t words, std::uint32_t vocabulary)
      : Producer<std::string_view>(setup), seed_(seed), words_(words), vocabulary_(vocabulary) {}

  void Records(std::span<const engine::SourceRecord> records) override {
    Enter();
    std::string& text = texts_.emplace_back();
    text.reserve(records.size() * (words_ * std::size_t{5} + 1));  // most words have four letters
    ends_.clear();
    for (const engine::SourceRecord& record : records) {
      AppendRandomLine(text, static_cast<std::uint64_t>(record.position), seed_, words_, vocabulary_);
      ends_.push_back(text.size());
    }
    std::size_t begin = 0;
    for (const std::size_t end : ends_) {
      out_.Add(std::string_view(text).substr(begin, end - begin));
      begin = end;
    }
    out_.Flush();
  }
  void Finish() override { texts_.clear(); }

 private:
  const std::uint64_t seed_;
  const std::uint32_t words_;
  const std::uint32_t vocabulary_;
  std::deque<std::string> texts_;  // a deque: its strings stay where they are
  std::vector<std::size_t> ends_;
};

}  // namespace millrace::detail
