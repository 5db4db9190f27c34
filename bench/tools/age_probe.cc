// How old lines are when a reader of committed records sees their results: what `bench.sh latency_kafka` asks of every
// system in the same way.
//
//   millrace_age_probe --topic T --brokers B --warm S --seconds S
//
// A record counts when its key, or else its value, begins with 16 digits, the microsecond at which its line was sent;
// with such a key the value says how many lines it stands for. Reads from the topic's end on, read_committed. Prints
//   ages n= p50_ms= p99_ms= p999_ms=
// Exit 0 when there was anything to measure, 2 on wrong use.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t kStampDigits = 16;

[[noreturn]] void Die(const std::string& why, int code = 1) {
  std::fprintf(stderr, "millrace_age_probe: %s\n", why.c_str());
  std::exit(code);
}

std::int64_t NowUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

template <class T>
bool Parse(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// Adds the lines that a record stands for; their age in steps of 100 us.
void Count(const rd_kafka_message_t& message, std::map<std::int64_t, std::uint64_t>& ages) {
  const std::string_view key(static_cast<const char*>(message.key), message.key_len);
  const std::string_view value(static_cast<const char*>(message.payload), message.len);
  std::int64_t sent_us = 0;
  std::uint64_t lines = 1;
  if (key.size() == kStampDigits && Parse(key, sent_us)) {
    if (!Parse(value, lines)) return;
  } else if (value.size() < kStampDigits || !Parse(value.substr(0, kStampDigits), sent_us)) {
    return;
  }
  ages[(NowUs() - sent_us) / 100] += lines;
}

double Percentile(const std::map<std::int64_t, std::uint64_t>& ages, std::uint64_t total, double share) {
  std::uint64_t sum = 0;
  for (const auto& [age, lines] : ages) {
    sum += lines;
    if (static_cast<double>(sum) >= share * static_cast<double>(total)) return static_cast<double>(age + 1) / 10;
  }
  return 0;
}

rd_kafka_t* Open(const std::string& brokers) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512];
  const std::array<std::array<std::string, 2>, 5> options = {{{"bootstrap.servers", brokers},
                                                              {"group.id", "age-probe"},
                                                              {"enable.auto.commit", "false"},
                                                              {"isolation.level", "read_committed"},
                                                              {"fetch.wait.max.ms", "5"}}};
  for (const auto& [name, value] : options) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) Die(why);
  }
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (client == nullptr) Die(why);
  rd_kafka_poll_set_consumer(client);
  return client;
}

void AssignAll(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client, 0, handle, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
    Die("no broker tells of topic " + topic);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(8);
  for (int p = 0; p < metadata->topics[0].partition_cnt; ++p)
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_END;
  rd_kafka_metadata_destroy(metadata);
  if (list->cnt == 0 || rd_kafka_assign(client, list) != RD_KAFKA_RESP_ERR_NO_ERROR) Die("no topic " + topic);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_topic_destroy(handle);
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options = {
      {"--topic", ""}, {"--brokers", ""}, {"--warm", "5"}, {"--seconds", "20"}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!options.contains(argv[i])) Die(std::string("there is no option ") + argv[i], 2);
    options[argv[i]] = argv[i + 1];
  }
  if (argc % 2 == 0 || options["--topic"].empty() || options["--brokers"].empty()) Die("--topic T --brokers B", 2);
  rd_kafka_t* client = Open(options["--brokers"]);
  AssignAll(client, options["--topic"]);
  std::map<std::int64_t, std::uint64_t> ages;
  const std::int64_t from = NowUs() + std::atoll(options["--warm"].c_str()) * 1'000'000;
  const std::int64_t to = from + std::atoll(options["--seconds"].c_str()) * 1'000'000;
  for (std::int64_t now = NowUs(); now < to; now = NowUs()) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 50);
    if (message == nullptr) continue;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && now >= from) Count(*message, ages);
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
  std::uint64_t total = 0;
  for (const auto& [age, lines] : ages) total += lines;
  if (total == 0) Die("nothing came in " + options["--topic"]);
  std::printf("ages n=%llu p50_ms=%.1f p99_ms=%.1f p999_ms=%.1f\n", static_cast<unsigned long long>(total),
              Percentile(ages, total, 0.5), Percentile(ages, total, 0.99), Percentile(ages, total, 0.999));
}
