// millrace_bench_gen: deterministic test data, to a Kafka topic (librdkafka) or to standard output.
//   millrace_bench_gen KIND COUNT [--topic T] [--brokers B] [--partitions P] [--seed S] [--rate R] [--stamp] [--linger
//   MS]
// KIND lines: 10 words of a 100000-word vocabulary, Zipf(1.0), one space between (about 70 bytes)
//      keyed: "kNNNNNN,AMOUNT", 100000 keys, uniform
//      ysb:   Yahoo Streaming Benchmark events as JSON (1000 ads; ad j is of campaign j/10)
// Record i goes to partition i % P. --rate paces to R records/s in 1 ms slices; --stamp puts the send time
// (epoch microseconds) and a space (for keyed a comma) in front. Without --topic it writes lines to standard output.
#include <librdkafka/rdkafka.h>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>
using Clock = std::chrono::steady_clock;
static uint64_t s0, s1;
static inline uint64_t rnd() {  // xoroshiro128+
  uint64_t a = s0, b = s1, r = a + b;
  b ^= a;
  s0 = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
  s1 = (b << 37) | (b >> 27);
  return r;
}
static uint64_t splitmix(uint64_t& x) {
  uint64_t z = (x += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}
static constexpr uint32_t V = 100000;
static std::vector<std::string> words;
static std::vector<uint32_t> prob, alias_;  // Vose's alias table
static void vocabulary() {
  uint64_t x = 42;
  static const char c[] = "bcdfghklmnprstvz", v[] = "aeiouy";
  for (uint32_t i = 0; i < V;
       ++i) {  // rank i: a pronounceable word, unique by its digits in base 96; frequent words short
    std::string w;
    uint32_t n = i;
    do {
      w += c[(n % 96) / 6];
      w += v[n % 6];
      n /= 96;
    } while (n);
    for (uint64_t k = splitmix(x) % 3; k; --k) w += c[splitmix(x) % 16];
    words.push_back(w + (char)('a' + i % 26));
  }
  std::vector<double> p(V);
  double h = 0;
  for (uint32_t i = 0; i < V; ++i) h += p[i] = 1.0 / (i + 1);
  prob.resize(V);
  alias_.resize(V);
  std::vector<uint32_t> lo, hi;
  for (uint32_t i = 0; i < V; ++i) {
    p[i] *= V / h;
    (p[i] < 1 ? lo : hi).push_back(i);
  }
  while (!lo.empty() && !hi.empty()) {
    uint32_t l = lo.back(), g = hi.back();
    lo.pop_back();
    prob[l] = (uint32_t)std::min(4294967295.0, p[l] * 4294967296.0);
    alias_[l] = g;
    if ((p[g] -= 1 - p[l]) < 1) {
      hi.pop_back();
      lo.push_back(g);
    }
  }
  for (uint32_t i : lo) prob[i] = ~0u, alias_[i] = i;
  for (uint32_t i : hi) prob[i] = ~0u, alias_[i] = i;
}
static inline const std::string& word() {
  uint64_t r = rnd();
  uint32_t i = (uint32_t)(((r >> 32) * V) >> 32);
  return words[(uint32_t)r <= prob[i] ? i : alias_[i]];
}
static size_t make(char kind, uint64_t i, char* o) {
  char* b = o;
  if (kind == 'l') {
    for (int k = 0; k < 10; ++k) {
      auto& w = word();
      if (k) *o++ = ' ';
      memcpy(o, w.data(), w.size());
      o += w.size();
    }
  } else if (kind == 'k') {
    o += sprintf(o, "k%06u,%u", (unsigned)((rnd() >> 32) * 100000 >> 32), (unsigned)(rnd() >> 50));
  } else {
    static const char* ty[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static const char* ev[] = {"view", "click", "purchase"};
    uint64_t u = rnd(), g = rnd(), r = rnd();
    unsigned ad = (unsigned)((r >> 32) * 1000 >> 32);
    o += sprintf(o,
                 "{\"user_id\":\"%08x-%04x-4000-8000-%012llx\",\"page_id\":\"%08x-%04x-4000-8000-%012llx\","
                 "\"ad_id\":\"%08x-0000-4000-8000-%012x\",\"ad_type\":\"%s\",\"event_type\":\"%s\",\"event_time\":\"%"
                 "llu\",\"ip_address\":\"1.2.3.4\"}",
                 (unsigned)u % 100000, (unsigned)(u >> 48), (unsigned long long)(u >> 16), (unsigned)g % 100,
                 (unsigned)(g >> 48), (unsigned long long)(g >> 16), ad * 2654435761u, ad, ty[r % 5], ev[(r >> 8) % 3],
                 1700000000000ull + i / 100);  // 100 events per ms of event time
  }
  return o - b;
}
int main(int argc, char** argv) {
  if (argc < 3) return fprintf(stderr, "usage: gen lines|keyed|ysb COUNT [--topic T] ...\n"), 2;
  char kind = argv[1][0];
  uint64_t n = strtoull(argv[2], 0, 10), seed = 1;
  double rate = 0;
  int parts = 4;
  bool stamp = false;
  std::string topic, brokers = "127.0.0.1:19092", linger = "20";
  for (int i = 3; i < argc; ++i) {
    std::string a = argv[i];
    auto next = [&] { return std::string(argv[++i]); };
    if (a == "--topic")
      topic = next();
    else if (a == "--brokers")
      brokers = next();
    else if (a == "--partitions")
      parts = stoi(next());
    else if (a == "--seed")
      seed = stoull(next());
    else if (a == "--rate")
      rate = stod(next());
    else if (a == "--linger")
      linger = next();
    else if (a == "--stamp")
      stamp = true;
    else
      return fprintf(stderr, "gen: %s?\n", a.c_str()), 2;
  }
  uint64_t x = seed;
  s0 = splitmix(x);
  s1 = splitmix(x);
  if (kind == 'l') vocabulary();
  rd_kafka_t* rk = nullptr;
  rd_kafka_topic_t* rkt = nullptr;
  char err[512];
  if (!topic.empty()) {
    rd_kafka_conf_t* c = rd_kafka_conf_new();
    auto set = [&](const char* k, const char* v) {
      if (rd_kafka_conf_set(c, k, v, err, sizeof err)) fprintf(stderr, "%s\n", err), exit(1);
    };
    set("bootstrap.servers", brokers.c_str());
    set("linger.ms", linger.c_str());
    set("acks", "1");
    set("queue.buffering.max.messages", "1000000");
    set("queue.buffering.max.kbytes", "1048576");
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, err, sizeof err);
    rkt = rd_kafka_topic_new(rk, topic.c_str(), nullptr);
  }
  auto t0 = Clock::now();
  char buf[4096];
  uint64_t bytes = 0, late = 0;
  for (uint64_t i = 0; i < n; ++i) {
    if (rate > 0) {
      uint64_t slice = (uint64_t)(i * 1000 / rate);  // which millisecond this record belongs to
      auto due = t0 + std::chrono::milliseconds(slice);
      if (Clock::now() < due) {
        std::this_thread::sleep_until(due);
        if (Clock::now() - due > std::chrono::milliseconds(5)) ++late;
      }
    }
    size_t p = 0;
    if (stamp)
      p = sprintf(buf, "%lld%c",
                  (long long)std::chrono::duration_cast<std::chrono::microseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count(),
                  kind == 'k' ? ',' : ' ');
    p += make(kind, i, buf + p);
    bytes += p;
    if (!rk) {
      buf[p] = '\n';
      fwrite(buf, 1, p + 1, stdout);
      continue;
    }
    while (rd_kafka_produce(rkt, (int32_t)(i % parts), RD_KAFKA_MSG_F_COPY, buf, p, nullptr, 0, nullptr) == -1)
      rd_kafka_poll(rk, 10);
    if (i % 256 == 0) rd_kafka_poll(rk, 0);
  }
  if (rk) {
    rd_kafka_flush(rk, 60000);
    if (rd_kafka_outq_len(rk)) return fprintf(stderr, "gen: not all delivered\n"), 1;
  }
  double s = std::chrono::duration<double>(Clock::now() - t0).count();
  fprintf(stderr, "gen %s: %llu records, %.1f MB (%.1f B each) in %.1f s, %.0f records/s, late slices %llu\n", argv[1],
          (unsigned long long)n, bytes / 1e6, (double)bytes / n, s, n / s, (unsigned long long)late);
}
