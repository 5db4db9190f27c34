// The acceptance tests' own view of Kafka, apart from Millrace's connectors: makes lines, fills topics, adds up what a
// job wrote.
//
//   millrace_kafka_tool lines N SEED          prints N lines of ten words out of 100,000; the same for the same seed
//   millrace_kafka_tool produce TOPIC --brokers B [--partitions P] [--rate R]
//                                             sends the lines of stdin, round robin over P partitions (default: all), R
//                                             a second (default: as fast as it goes)
//   millrace_kafka_tool sum TOPIC --brokers B
//                                             prints "word<TAB>sum", sorted; a record is key=word value=count, or value
//                                             "word<TAB>count"
//   millrace_kafka_tool words TOPIC --brokers B [--prefix N]
//                                             prints "word<TAB>how often", sorted, for the words of the topic's lines,
//                                             cut to their first N characters
//   millrace_kafka_tool dump TOPIC --brokers B
//                                             prints the values, a line each
//   millrace_kafka_tool totals TOPIC --brokers B
//                                             prints "key<TAB>last value", sorted, and on stderr "repeated=N": how many
//                                             values were not larger than the one before of their key
// All but `produce` read the topic to its end, read_committed. Reports on stderr. Exit 0 when all went well, 1 when
// Kafka did not play along, 2 on wrong use.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kTimeoutMs = 10'000;
constexpr int kQuietMs = 30'000;  // a reader that hears nothing for so long gives up

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "millrace_kafka_tool: %s\n", why.c_str());
  std::exit(1);
}

[[noreturn]] void Usage() {
  std::fputs(
      "usage: millrace_kafka_tool lines N SEED\n"
      "       millrace_kafka_tool produce TOPIC --brokers B [--partitions P] [--rate R]   (lines on stdin)\n"
      "       millrace_kafka_tool sum|words|totals|dump TOPIC --brokers B [--prefix N]\n",
      stderr);
  std::exit(2);
}

std::int64_t Number(const char* text) {
  std::int64_t value = 0;
  const char* end = text + std::strlen(text);
  auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc() || stop != end || value < 0) Usage();
  return value;
}

void Set(rd_kafka_conf_t* conf, const char* name, const char* value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) != RD_KAFKA_CONF_OK) Die(why.data());
}

rd_kafka_t* NewClient(rd_kafka_type_t type, rd_kafka_conf_t* conf) {
  std::array<char, 512> why{};
  rd_kafka_t* client = rd_kafka_new(type, conf, why.data(), why.size());
  if (client == nullptr) Die(why.data());
  return client;
}

std::int32_t PartitionCount(rd_kafka_t* client, rd_kafka_topic_t* topic) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, kTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Die(std::string("looking up the topic: ") + rd_kafka_err2str(error));
  if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    Die(std::string("topic ") + rd_kafka_topic_name(topic) + ": " + rd_kafka_err2str(metadata->topics[0].err));
  }
  const std::int32_t count = metadata->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  return count;
}

void Lines(std::int64_t count, std::int64_t seed) {
  constexpr std::uint64_t kVocabulary = 100'000;
  // mt19937_64 and a plain remainder give the same words on every machine; the library's distributions do not promise
  // that.
  std::mt19937_64 random(static_cast<std::uint64_t>(seed));
  std::string out;
  for (std::int64_t i = 0; i < count; ++i) {
    for (int word = 0; word < 10; ++word) {
      if (word > 0) out.push_back(' ');
      out.append("w").append(std::to_string(random() % kVocabulary));
    }
    out.push_back('\n');
    if (out.size() < 1 << 20) continue;
    std::fwrite(out.data(), 1, out.size(), stdout);
    out.clear();
  }
  std::fwrite(out.data(), 1, out.size(), stdout);
}

struct Delivered {
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
};

void OnDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto* delivered = static_cast<Delivered*>(opaque);
  message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? ++delivered->ok : ++delivered->failed;
}

void Produce(const std::string& topic_name, const std::string& brokers, std::int64_t partitions, std::int64_t rate) {
  Delivered delivered;
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  Set(conf, "bootstrap.servers", brokers.c_str());
  Set(conf, "enable.idempotence", "true");
  Set(conf, "linger.ms", "20");
  Set(conf, "batch.num.messages", "50000");
  Set(conf, "queue.buffering.max.messages", "500000");
  rd_kafka_conf_set_opaque(conf, &delivered);
  rd_kafka_conf_set_dr_msg_cb(conf, OnDelivery);
  rd_kafka_t* client = NewClient(RD_KAFKA_PRODUCER, conf);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, topic_name.c_str(), nullptr);
  const std::int32_t existing = PartitionCount(client, topic);
  if (partitions == 0) partitions = existing;
  if (partitions > existing) Die("the topic has only " + std::to_string(existing) + " partitions");
  std::uint64_t sent = 0;
  std::ios::sync_with_stdio(false);
  const auto begun = std::chrono::steady_clock::now();
  for (std::string line; std::getline(std::cin, line); ++sent) {
    const auto partition = static_cast<std::int32_t>(sent % static_cast<std::uint64_t>(partitions));
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, line.data(), line.size(), nullptr, 0, nullptr) !=
           0) {
      const rd_kafka_resp_err_t error = rd_kafka_last_error();
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) Die(std::string("producing: ") + rd_kafka_err2str(error));
      rd_kafka_poll(client, 100);
    }
    if (sent % 1024 == 0) rd_kafka_poll(client, 0);
    if (rate == 0 || sent % 64 != 0) continue;
    const auto due = begun + std::chrono::microseconds(static_cast<std::int64_t>(sent) * 1'000'000 / rate);
    for (auto now = begun; (now = std::chrono::steady_clock::now()) < due;)
      rd_kafka_poll(client, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(due - now).count()));
  }
  rd_kafka_flush(client, 10 * kTimeoutMs);
  rd_kafka_topic_destroy(topic);
  if (delivered.ok != sent) {
    Die(std::to_string(delivered.ok) + " of " + std::to_string(sent) + " lines delivered, " +
        std::to_string(delivered.failed) + " refused");
  }
  rd_kafka_destroy(client);
  std::fprintf(stderr, "%llu lines to %s\n", static_cast<unsigned long long>(sent), topic_name.c_str());
}

using Sums = std::map<std::string, std::int64_t>;

// The word and the number of a record.
std::pair<std::string, std::int64_t> WordAndNumber(const rd_kafka_message_t& message) {
  std::string_view word;
  std::string_view count(static_cast<const char*>(message.payload), message.len);
  if (message.key != nullptr) {
    word = {static_cast<const char*>(message.key), message.key_len};
  } else {
    const std::size_t tab = count.rfind('\t');
    if (tab == std::string_view::npos)
      Die("offset " + std::to_string(message.offset) + ": no key and no tab in the value");
    word = count.substr(0, tab);
    count.remove_prefix(tab + 1);
  }
  std::int64_t value = 0;
  auto [stop, error] = std::from_chars(count.data(), count.data() + count.size(), value);
  if (error != std::errc() || stop != count.data() + count.size()) {
    Die("offset " + std::to_string(message.offset) + ": '" + std::string(count) + "' is not a number");
  }
  return {std::string(word), value};
}

void Print(const Sums& sums) {
  for (const auto& [word, sum] : sums) std::printf("%s\t%lld\n", word.c_str(), static_cast<long long>(sum));
}

// Every record of a topic up to its end, read_committed, in the order of each partition.
void ReadAll(const std::string& topic_name, const std::string& brokers,
             const std::function<void(const rd_kafka_message_t&)>& take) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  Set(conf, "bootstrap.servers", brokers.c_str());
  Set(conf, "group.id", "millrace-kafka-tool");
  Set(conf, "enable.auto.commit", "false");
  Set(conf, "isolation.level", "read_committed");
  Set(conf, "enable.partition.eof", "true");
  Set(conf, "auto.offset.reset", "error");
  rd_kafka_t* client = NewClient(RD_KAFKA_CONSUMER, conf);
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_t* topic = rd_kafka_topic_new(client, topic_name.c_str(), nullptr);
  const std::int32_t partitions = PartitionCount(client, topic);
  rd_kafka_topic_destroy(topic);
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(partitions);
  for (std::int32_t p = 0; p < partitions; ++p) {
    rd_kafka_topic_partition_list_add(all, topic_name.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  if (rd_kafka_assign(client, all) != RD_KAFKA_RESP_ERR_NO_ERROR) Die("cannot assign the partitions");
  rd_kafka_topic_partition_list_destroy(all);

  std::vector<bool> ended(static_cast<std::size_t>(partitions));
  std::uint64_t records = 0;
  while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, kQuietMs);
    if (message == nullptr) Die("nothing from the brokers for 30 s");
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ended[static_cast<std::size_t>(message->partition)] = true;
    } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      take(*message);
      ++records;
    } else if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT) {
      Die(std::string("reading: ") + rd_kafka_message_errstr(message));
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  std::fprintf(stderr, "%llu records\n", static_cast<unsigned long long>(records));
}

void Sum(const std::string& topic, const std::string& brokers) {
  Sums sums;
  ReadAll(topic, brokers, [&](const rd_kafka_message_t& message) {
    const auto [word, count] = WordAndNumber(message);
    sums[word] += count;
  });
  Print(sums);
}

void Dump(const std::string& topic, const std::string& brokers) {
  ReadAll(topic, brokers, [](const rd_kafka_message_t& message) {
    std::fwrite(message.payload, 1, message.len, stdout);
    std::fputc('\n', stdout);
  });
}

void Words(const std::string& topic, const std::string& brokers, std::int64_t prefix) {
  Sums sums;
  ReadAll(topic, brokers, [&](const rd_kafka_message_t& message) {
    std::string_view line(static_cast<const char*>(message.payload), message.len);
    while (!line.empty()) {
      const std::string_view word = line.substr(0, line.find(' '));
      line.remove_prefix(std::min(line.size(), word.size() + 1));
      if (!word.empty()) ++sums[std::string(prefix == 0 ? word : word.substr(0, static_cast<std::size_t>(prefix)))];
    }
  });
  Print(sums);
}

void Totals(const std::string& topic, const std::string& brokers) {
  Sums last;
  std::uint64_t repeated = 0;
  ReadAll(topic, brokers, [&](const rd_kafka_message_t& message) {
    const auto [key, total] = WordAndNumber(message);
    std::int64_t& before = last[key];
    if (total <= before) ++repeated;
    before = std::max(before, total);
  });
  Print(last);
  std::fprintf(stderr, "repeated=%llu\n", static_cast<unsigned long long>(repeated));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[0] == "lines") {
    Lines(Number(argv[2]), Number(argv[3]));
    return std::fflush(stdout) == 0 ? 0 : 1;
  }
  if (words.size() < 4) Usage();
  const std::string& command = words[0];
  std::string brokers;
  std::int64_t partitions = 0, rate = 0, prefix = 0;
  for (std::size_t i = 2; i < words.size(); i += 2) {
    if (i + 1 == words.size()) Usage();
    if (words[i] == "--brokers") {
      brokers = words[i + 1];
    } else if (words[i] == "--partitions" && command == "produce") {
      partitions = Number(words[i + 1].c_str());
    } else if (words[i] == "--rate" && command == "produce") {
      rate = Number(words[i + 1].c_str());
    } else if (words[i] == "--prefix" && command == "words") {
      prefix = Number(words[i + 1].c_str());
    } else {
      Usage();
    }
  }
  if (brokers.empty()) Usage();
  if (command == "produce") {
    Produce(words[1], brokers, partitions, rate);
  } else if (command == "sum") {
    Sum(words[1], brokers);
  } else if (command == "dump") {
    Dump(words[1], brokers);
  } else if (command == "words") {
    Words(words[1], brokers, prefix);
  } else if (command == "totals") {
    Totals(words[1], brokers);
  } else {
    Usage();
  }
  return std::fflush(stdout) == 0 ? 0 : 1;
}
