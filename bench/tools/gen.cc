// The benchmarks' data, the same for the same seed, to a Kafka topic or, without --topic, as lines to standard output.
//
//   millrace_bench_gen KIND COUNT [--topic T] [--brokers B] [--partitions P] [--seed S] [--rate R] [--stamp] [--linger
//   MS]
//
// KIND  lines   ten words out of 100,000, frequencies after Zipf (exponent 1), one space between, about 64 bytes
//       keyed   "kNNNNNN,AMOUNT", 100,000 keys, uniform
//       ysb     events of the Yahoo Streaming Benchmark as JSON: 1,000 ads, a hundred events a millisecond of event
//       time
//       nexmark, bids, auctions   events of Nexmark, see nexmark_events.h; all of them, and COUNT of one kind
// Record i goes to partition i modulo P (4). --rate sends R records a second, in steps of a millisecond; --stamp puts
// the microsecond of sending in front, 16 digits and a space. Reports on stderr. Exit 0 when every record was
// delivered, 2 on wrong use.
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/tools/nexmark_events.h"

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Die(const std::string& why, int code = 1) {
  std::fprintf(stderr, "millrace_bench_gen: %s\n", why.c_str());
  std::exit(code);
}

// splitmix64 (Steele, Lea, Flood 2014): to seed from, and to scatter.
std::uint64_t SplitMix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

// xoroshiro128+ (Blackman, Vigna 2018).
class Random {
 public:
  explicit Random(std::uint64_t seed) : a_(SplitMix(seed)), b_(SplitMix(seed)) {}
  std::uint64_t Next() {
    const std::uint64_t result = a_ + b_;
    const std::uint64_t mixed = b_ ^ a_;
    a_ = ((a_ << 24) | (a_ >> 40)) ^ mixed ^ (mixed << 16);
    b_ = (mixed << 37) | (mixed >> 27);
    return result;
  }
  // Uniform, from the upper half of one number.
  std::uint32_t Below(std::uint32_t bound) { return static_cast<std::uint32_t>(((Next() >> 32) * bound) >> 32); }

 private:
  std::uint64_t a_;
  std::uint64_t b_;
};

// Words by rank, frequent ones short; drawn by Zipf with Vose's alias method.
class Vocabulary {
 public:
  static constexpr std::uint32_t kWords = 100'000;

  Vocabulary() : share_(kWords), alias_(kWords) {
    std::uint64_t state = 42;
    for (std::uint32_t rank = 0; rank < kWords; ++rank) words_.push_back(MakeWord(rank, state));
    MakeAliases();
  }
  const std::string& Draw(Random& random) const {
    const std::uint64_t bits = random.Next();
    const auto slot = static_cast<std::uint32_t>(((bits >> 32) * kWords) >> 32);
    return words_[static_cast<std::uint32_t>(bits) <= share_[slot] ? slot : alias_[slot]];
  }

 private:
  // Syllables are the rank's digits to the base 96, so no two words are alike.
  static std::string MakeWord(std::uint32_t rank, std::uint64_t& state) {
    static constexpr char kConsonants[] = "bcdfghklmnprstvz", kVowels[] = "aeiouy";
    std::string word;
    std::uint32_t rest = rank;
    do {
      word += kConsonants[(rest % 96) / 6];
      word += kVowels[rest % 6];
      rest /= 96;
    } while (rest > 0);
    for (std::uint64_t more = SplitMix(state) % 3; more > 0; --more) word += kConsonants[SplitMix(state) % 16];
    return word + static_cast<char>('a' + rank % 26);
  }
  void MakeAliases() {
    std::vector<double> weight(kWords);
    double sum = 0;
    for (std::uint32_t i = 0; i < kWords; ++i) sum += weight[i] = 1.0 / (i + 1);
    std::vector<std::uint32_t> poor, rich;
    for (std::uint32_t i = 0; i < kWords; ++i) {
      weight[i] *= kWords / sum;
      (weight[i] < 1 ? poor : rich).push_back(i);
    }
    constexpr double kWhole = 4294967296.0;
    while (!poor.empty() && !rich.empty()) {
      const std::uint32_t to = poor.back(), from = rich.back();
      poor.pop_back();
      share_[to] = static_cast<std::uint32_t>(std::min(kWhole - 1, weight[to] * kWhole));
      alias_[to] = from;
      weight[from] -= 1 - weight[to];
      if (weight[from] >= 1) continue;
      rich.pop_back();
      poor.push_back(from);
    }
    for (const auto& rest : {poor, rich}) {
      for (const std::uint32_t i : rest) share_[i] = UINT32_MAX, alias_[i] = i;
    }
  }

  std::vector<std::string> words_;
  std::vector<std::uint32_t> share_;
  std::vector<std::uint32_t> alias_;
};

class Records {
 public:
  Records(std::string kind, std::uint64_t seed) : kind_(std::move(kind)), random_(seed) {
    static constexpr std::array<std::string_view, 6> kKinds = {"lines", "keyed", "ysb", "nexmark", "bids", "auctions"};
    if (std::find(kKinds.begin(), kKinds.end(), kind_) == kKinds.end()) Die("there is no kind '" + kind_ + "'", 2);
    if (kind_ == "lines") vocabulary_ = std::make_unique<Vocabulary>();
  }
  // Appends record `index`; they must be made in order.
  void Append(std::uint64_t index, std::string& out) {
    if (kind_ == "lines") return Line(out);
    if (kind_ == "nexmark") return nexmark::AppendEvent(index, out);
    if (kind_ == "bids") return nexmark::AppendEvent(nexmark::EventOfBid(index), out);
    if (kind_ == "auctions") return nexmark::AppendEvent(nexmark::EventOfAuction(index), out);
    char text[512];
    const int size = kind_ == "keyed" ? Keyed(text, sizeof text) : Event(index, text, sizeof text);
    out.append(text, static_cast<std::size_t>(size));
  }

 private:
  void Line(std::string& out) {
    for (int word = 0; word < 10; ++word) {
      if (word > 0) out += ' ';
      out += vocabulary_->Draw(random_);
    }
  }
  int Keyed(char* text, std::size_t size) {
    const unsigned key = random_.Below(100'000);
    return std::snprintf(text, size, "k%06u,%u", key, static_cast<unsigned>(random_.Next() >> 50));
  }
  int Event(std::uint64_t index, char* text, std::size_t size) {
    static constexpr const char* kAdTypes[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static constexpr const char* kEvents[] = {"view", "click", "purchase"};
    const std::uint64_t user = random_.Next(), page = random_.Next(), draw = random_.Next();
    const auto ad = static_cast<unsigned>((draw >> 32) * 1000 >> 32);
    return std::snprintf(
        text, size,
        "{\"user_id\":\"%08x-%04x-4000-8000-%012llx\",\"page_id\":\"%08x-%04x-4000-8000-%012llx\","
        "\"ad_id\":\"%08x-0000-4000-8000-%012x\",\"ad_type\":\"%s\",\"event_type\":\"%s\",\"event_time\":\"%llu\","
        "\"ip_address\":\"1.2.3.4\"}",
        static_cast<unsigned>(user) % 100'000, static_cast<unsigned>(user >> 48),
        static_cast<unsigned long long>(user >> 16), static_cast<unsigned>(page) % 100,
        static_cast<unsigned>(page >> 48), static_cast<unsigned long long>(page >> 16), ad * 2654435761U, ad,
        kAdTypes[draw % 5], kEvents[(draw >> 8) % 3], 1'700'000'000'000ULL + index / 100);
  }

  const std::string kind_;
  Random random_;
  std::unique_ptr<Vocabulary> vocabulary_;
};

class Topic {
 public:
  Topic(const std::string& name, const std::string& brokers, const std::string& linger_ms) {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    Set(conf, "bootstrap.servers", brokers);
    Set(conf, "linger.ms", linger_ms);
    Set(conf, "acks", "1");
    Set(conf, "queue.buffering.max.messages", "1000000");
    Set(conf, "queue.buffering.max.kbytes", "1048576");
    char why[512];
    client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (client_ == nullptr) Die(why);
    topic_ = rd_kafka_topic_new(client_, name.c_str(), nullptr);
  }
  void Send(std::uint64_t index, std::int32_t partition, std::string& record) {
    while (rd_kafka_produce(topic_, partition, RD_KAFKA_MSG_F_COPY, record.data(), record.size(), nullptr, 0,
                            nullptr) != 0)
      rd_kafka_poll(client_, 10);
    if (index % 256 == 0) rd_kafka_poll(client_, 0);
  }
  void Finish() {
    rd_kafka_flush(client_, 60'000);
    if (rd_kafka_outq_len(client_) > 0) Die("not every record was delivered within a minute");
  }

 private:
  static void Set(rd_kafka_conf_t* conf, const char* name, const std::string& value) {
    char why[512];
    if (rd_kafka_conf_set(conf, name, value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) Die(why);
  }
  rd_kafka_t* client_ = nullptr;
  rd_kafka_topic_t* topic_ = nullptr;
};

struct Arguments {
  std::string kind;
  std::uint64_t count = 0;
  std::string topic;
  std::string brokers = "127.0.0.1:9092";
  std::uint64_t partitions = 4;
  std::uint64_t seed = 1;
  std::uint64_t rate = 0;
  bool stamp = false;
  std::string linger = "20";
};

Arguments Parse(int argc, char** argv) {
  if (argc < 3)
    Die("usage: millrace_bench_gen lines|keyed|ysb|nexmark|bids|auctions COUNT [--topic T] [--brokers B] …", 2);
  Arguments arguments;
  arguments.kind = argv[1];
  arguments.count = std::strtoull(argv[2], nullptr, 10);
  for (int i = 3; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--stamp") {
      arguments.stamp = true;
      continue;
    }
    if (i + 1 == argc) Die(name + " needs a value", 2);
    const std::string value = argv[++i];
    if (name == "--topic")
      arguments.topic = value;
    else if (name == "--brokers")
      arguments.brokers = value;
    else if (name == "--linger")
      arguments.linger = value;
    else if (name == "--partitions")
      arguments.partitions = std::stoull(value);
    else if (name == "--seed")
      arguments.seed = std::stoull(value);
    else if (name == "--rate")
      arguments.rate = std::stoull(value);
    else
      Die("there is no option " + name, 2);
  }
  return arguments;
}

std::string Stamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()) + ' ';
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = Parse(argc, argv);
  Records records(arguments.kind, arguments.seed);
  std::unique_ptr<Topic> topic;
  if (!arguments.topic.empty()) topic = std::make_unique<Topic>(arguments.topic, arguments.brokers, arguments.linger);
  const auto begun = Clock::now();
  std::uint64_t bytes = 0;
  std::string record;
  for (std::uint64_t i = 0; i < arguments.count; ++i) {
    if (arguments.rate > 0) std::this_thread::sleep_until(begun + std::chrono::milliseconds(i * 1000 / arguments.rate));
    record = arguments.stamp ? Stamp() : std::string();
    records.Append(i, record);
    bytes += record.size();
    if (topic) {
      topic->Send(i, static_cast<std::int32_t>(i % arguments.partitions), record);
    } else {
      record += '\n';
      std::fwrite(record.data(), 1, record.size(), stdout);
    }
  }
  if (topic) topic->Finish();
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  std::fprintf(stderr, "%llu records of %s, %.1f MB, in %.1f s\n", static_cast<unsigned long long>(arguments.count),
               arguments.kind.c_str(), static_cast<double>(bytes) / 1e6, seconds);
  return std::fflush(stdout) == 0 ? 0 : 1;
}
