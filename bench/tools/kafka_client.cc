// librdkafka alone, as the Kafka source and sink could use it: what each way of consuming costs, and what a transaction
// costs. For `bench.sh kafka_client` and `bench.sh transactions`.
//
//   millrace_kafka_client consume --topic T --records N [--brokers B] [--api message|batch|partitions] [--set P=V]…
//   millrace_kafka_client transact --topic T --count N [--brokers B] [--rows R] [--producers P] [--set
//   P=V]…
//
// consume reads all partitions of T from the beginning until N records are there: one by one, in batches from one
// queue, or in batches from a queue for each partition. transact writes N transactions of R rows each, with P producers
// taking turns. Prints
//   seconds= cpu_s=            of the whole run after the connection stands
// Exit 0 when all went through, 2 on wrong use.
#include <librdkafka/rdkafka.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Properties = std::vector<std::pair<std::string, std::string>>;

struct Arguments {
  std::string mode;
  std::map<std::string, std::string> options = {{"--topic", ""},     {"--brokers", "127.0.0.1:9092"},
                                                {"--records", "0"},  {"--api", "message"},
                                                {"--count", "200"},  {"--rows", "10"},
                                                {"--producers", "1"}};
  Properties set;

  std::uint64_t Number(const std::string& name) const { return std::stoull(options.at(name)); }
};

[[noreturn]] void Die(const std::string& why, int code = 1) {
  std::fprintf(stderr, "millrace_kafka_client: %s\n", why.c_str());
  std::exit(code);
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What a piece of work took.
class Meter {
 public:
  void Print() const {
    std::printf("seconds=%.4f cpu_s=%.4f\n", std::chrono::duration<double>(Clock::now() - begun_).count(),
                CpuSeconds() - cpu_);
  }

 private:
  const Clock::time_point begun_ = Clock::now();
  const double cpu_ = CpuSeconds();
};

rd_kafka_t* Open(rd_kafka_type_t type, const Arguments& arguments, const Properties& own) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char why[512];
  Properties all = {{"bootstrap.servers", arguments.options.at("--brokers")}};
  all.insert(all.end(), own.begin(), own.end());
  all.insert(all.end(), arguments.set.begin(), arguments.set.end());
  for (const auto& [name, value] : all) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) Die(why);
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
  if (client == nullptr) Die(why);
  return client;
}

std::vector<int> PartitionsOf(rd_kafka_t* client, const std::string& topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic.c_str(), nullptr);
  const rd_kafka_metadata_t* metadata = nullptr;
  if (rd_kafka_metadata(client, 0, handle, &metadata, 10'000) != RD_KAFKA_RESP_ERR_NO_ERROR)
    Die("no broker tells of topic " + topic);
  std::vector<int> partitions;
  for (int p = 0; p < metadata->topics[0].partition_cnt; ++p) partitions.push_back(p);
  rd_kafka_metadata_destroy(metadata);
  rd_kafka_topic_destroy(handle);
  return partitions;
}

// Ends the messages and says how many were records.
std::uint64_t Drop(rd_kafka_message_t** messages, ssize_t count, std::uint64_t& bytes) {
  std::uint64_t records = 0;
  for (ssize_t i = 0; i < count; ++i) {
    if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++records;
      bytes += messages[i]->len;
    }
    rd_kafka_message_destroy(messages[i]);
  }
  return records;
}

void Consume(const Arguments& arguments) {
  const std::string& topic = arguments.options.at("--topic");
  const std::string& api = arguments.options.at("--api");
  rd_kafka_t* client =
      Open(RD_KAFKA_CONSUMER, arguments,
           {{"group.id", "kafka-client"}, {"enable.auto.commit", "false"}, {"fetch.wait.max.ms", "10"}});
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(8);
  const std::vector<int> partitions = PartitionsOf(client, topic);
  std::vector<rd_kafka_queue_t*> queues;
  for (const int p : partitions) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), p)->offset = 0;
    if (api != "partitions") continue;
    queues.push_back(rd_kafka_queue_get_partition(client, topic.c_str(), p));
    rd_kafka_queue_forward(queues.back(), nullptr);
  }
  if (api == "batch") queues.push_back(rd_kafka_queue_get_consumer(client));
  const Meter meter;
  if (rd_kafka_assign(client, list) != RD_KAFKA_RESP_ERR_NO_ERROR) Die("cannot assign " + topic);
  std::vector<rd_kafka_message_t*> messages(1024);
  std::uint64_t bytes = 0;
  const std::uint64_t wanted = arguments.Number("--records");
  Clock::time_point came = Clock::now();
  std::uint64_t before = 0;
  for (std::uint64_t records = 0; records < wanted;) {
    if (std::exchange(before, records) != records) came = Clock::now();
    if (Clock::now() > came + std::chrono::seconds(20)) Die("nothing came for 20 s from " + topic);
    if (api == "message") {
      messages[0] = rd_kafka_consumer_poll(client, 1000);
      records += Drop(messages.data(), messages[0] == nullptr ? 0 : 1, bytes);
      continue;
    }
    // Each queue is emptied before the next, as a source does at a cut; nothing there: wait a little.
    for (rd_kafka_queue_t* queue : queues) {
      const ssize_t count =
          rd_kafka_consume_batch_queue(queue, api == "batch" ? 10 : 1, messages.data(), messages.size());
      records += Drop(messages.data(), count, bytes);
    }
  }
  meter.Print();
  for (rd_kafka_queue_t* queue : queues) rd_kafka_queue_destroy(queue);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_consumer_close(client);
  rd_kafka_destroy(client);
}

void Check(rd_kafka_error_t* error) {
  if (error != nullptr) Die(rd_kafka_error_string(error));
}

// A transaction of a batch's rows.
void Transact(rd_kafka_t* producer, const Arguments& arguments) {
  const std::string& topic = arguments.options.at("--topic");
  Check(rd_kafka_begin_transaction(producer));
  for (std::uint64_t row = 0; row < arguments.Number("--rows"); ++row) {
    std::string value = "row " + std::to_string(row);
    const rd_kafka_resp_err_t error =
        rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_VALUE(value.data(), value.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) Die(rd_kafka_err2str(error));
  }
  Check(rd_kafka_commit_transaction(producer, 30'000));
}

void TransactAll(const Arguments& arguments) {
  std::vector<rd_kafka_t*> producers;
  for (std::uint64_t p = 0; p < arguments.Number("--producers"); ++p) {
    const std::string id = "kafka-client-" + std::to_string(p) + "-" + std::to_string(::getpid());
    producers.push_back(Open(RD_KAFKA_PRODUCER, arguments, {{"transactional.id", id}, {"linger.ms", "1"}}));
    Check(rd_kafka_init_transactions(producers.back(), 30'000));
    Transact(producers.back(), arguments);
  }
  const Meter meter;
  for (std::uint64_t i = 1; i <= arguments.Number("--count"); ++i) Transact(producers[i % producers.size()], arguments);
  meter.Print();
  for (rd_kafka_t* producer : producers) rd_kafka_destroy(producer);
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1) arguments.mode = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--set" && value.find('=') != std::string::npos) {
      arguments.set.emplace_back(value.substr(0, value.find('=')), value.substr(value.find('=') + 1));
    } else if (arguments.options.contains(name)) {
      arguments.options[name] = value;
    } else {
      Die("there is no option " + name, 2);
    }
  }
  if (arguments.options["--topic"].empty() || argc % 2 != 0) Die("consume|transact --topic T …", 2);
  if (arguments.mode == "consume") {
    Consume(arguments);
  } else if (arguments.mode == "transact") {
    TransactAll(arguments);
  } else {
    Die("consume or transact", 2);
  }
}
